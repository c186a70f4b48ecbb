// SPDX-License-Identifier: Apache-2.0
// The server about itself: health, figures, and the API's description.
// Threads: the loop's.
#include "http/embedded.hpp"
#include "http/negotiate.hpp"
#include "http/problems.hpp"
#include "http/route.hpp"
#include "http/status_answer.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace freshet::http {

namespace {

void show_health(Core& core, const ExchangePtr& exchange, std::span<const std::string>)
{
    JsonOut out;
    out.begin();
    out.text("status", "ok");
    out.text("version", core.services().version);
    out.time("started_at", core.services().started_at);
    out.time("now", core.now());
    out.end();
    respond_status(exchange, out.take());
}

void show_ready(Core& core, const ExchangePtr& exchange, std::span<const std::string>)
{
    const auto& ask = core.services().components;
    const std::vector<Component> components = ask ? ask() : std::vector<Component>{};
    const bool ready = std::ranges::all_of(components, &Component::ready);
    JsonOut out;
    out.begin();
    out.yes("ready", ready);
    out.begin_list("components");
    for (const Component& component : components) {
        out.begin();
        out.text("name", component.name);
        out.yes("ready", component.ready);
        out.text_if("text", component.text);
        out.end();
    }
    out.end_list();
    out.time("now", core.now());
    out.end();
    respond_status(exchange, out.take(), ready ? 200 : 503);
}

void show_metrics(Core& core, const ExchangePtr& exchange, std::span<const std::string>)
{
    // Figures are of all tenants: who speaks for one of several does not see them.
    if (exchange->caller().tenant != "*" && !core.definitions()->tenants.empty() && exchange->caller().name != "local")
        return exchange->fail(make_problem(403, "forbidden", "Not allowed", "Figures are of all tenants.",
                                           "Use a token of tenant \"*\", without naming a tenant."));
    const auto text = std::make_shared<std::string>();
    core.off_loop([text, &metrics = core.services().metrics](Reads&) { *text = metrics.text(); },
                  [exchange, text](std::exception_ptr error) {
                      if (error) return exchange->fail(store_problem());
                      HttpResponse response;
                      response.content_type = "text/plain; version=0.0.4; charset=utf-8";
                      response.headers.emplace_back("Cache-Control", "no-store");
                      response.body = std::move(*text);
                      exchange->respond(std::move(response));
                  });
}

void show_openapi(Core& core, const ExchangePtr& exchange, std::span<const std::string>)
{
    HttpResponse response;
    response.content_type = "application/json";
    response.headers.emplace_back("Cache-Control", "no-cache");
    if (core.services().openapi)
        response.shared_body = core.services().openapi;
    else if (const EmbeddedFile* file = find_file(embedded_files(), "openapi.json"))
        response.body = file->bytes;
    else
        return exchange->fail(
            make_problem(404, "not_found", "No such path", "There is no description in this server.", ""));
    const std::string tag =
        fmt::format("\"{}\"", to_hex(hash128(response.shared_body ? *response.shared_body : response.body)));
    response.headers.emplace_back("ETag", tag);
    if (matches_tag(exchange->request().header("if-none-match"), tag)) {
        response.status = 304;
        response.content_type.clear();
        response.body.clear();
        response.shared_body.reset();
    }
    exchange->respond(std::move(response));
}

constexpr std::array system_table{
    Route{"GET", "/healthz", Right::anyone, &show_health},
    Route{"GET", "/readyz", Right::anyone, &show_ready},
    Route{"GET", "/metrics", Right::read, &show_metrics},
    Route{"GET", "/openapi.json", Right::read, &show_openapi},
};

} // namespace

Routes system_routes()
{
    return system_table;
}

} // namespace freshet::http
