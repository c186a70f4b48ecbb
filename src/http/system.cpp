// SPDX-License-Identifier: Apache-2.0
// The server about itself: health, figures, the API's description, help for problems, and the status page.
// Threads: the loop's.
#include "http/embedded.hpp"
#include "http/negotiate.hpp"
#include "http/problem_help.hpp"
#include "http/problems.hpp"
#include "http/route.hpp"
#include "http/status_answer.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace freshet::http {

const EmbeddedFile* embedded_file(std::string_view name)
{
    const auto files = embedded_files();
    const auto found = std::ranges::find(files, name, &EmbeddedFile::name);
    return found == files.end() ? nullptr : &*found;
}

namespace {

// The connection adds the policy of pages: nothing inline, nothing from elsewhere, no framing.
void respond_page(const ExchangePtr& exchange, std::string html)
{
    HttpResponse response;
    response.content_type = "text/html; charset=utf-8";
    response.headers.emplace_back("Cache-Control", "no-store");
    response.body = std::move(html);
    exchange->respond(std::move(response));
}

Problem nothing_here(std::string_view path)
{
    return make_problem(404, "not_found", "No such path", fmt::format("There is nothing at {}.", path.substr(0, 200)),
                        "See /openapi.json for what there is.");
}

void show_page(Core&, const ExchangePtr& exchange, std::span<const std::string>)
{
    const EmbeddedFile* page = embedded_file("index.html");
    if (page == nullptr) return exchange->fail(nothing_here(exchange->request().path));
    respond_page(exchange, std::string{page->bytes});
}

void show_asset(Core&, const ExchangePtr& exchange, std::span<const std::string> captures)
{
    const EmbeddedFile* file = embedded_file(captures[0]);
    if (file == nullptr || !file->hashed) return exchange->fail(nothing_here(exchange->request().path));
    HttpResponse response;
    response.content_type = file->content_type;
    response.headers.emplace_back("Cache-Control", "public, max-age=31536000, immutable");
    response.body = file->bytes;
    exchange->respond(std::move(response));
}

// The style sheet's address from a page one level down.
std::string style_address()
{
    for (const EmbeddedFile& file : embedded_files())
        if (file.name.ends_with(".css")) return fmt::format("../assets/{}", file.name);
    return {};
}

void show_problem(Core&, const ExchangePtr& exchange, std::span<const std::string> captures)
{
    respond_page(exchange, problem_page(captures[0].substr(0, 64), style_address()));
}

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
    else if (const EmbeddedFile* file = embedded_file("openapi.json"))
        response.body = file->bytes;
    else
        return exchange->fail(nothing_here(exchange->request().path));
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
    Route{"GET", "/", Right::anyone, &show_page},
    Route{"GET", "/assets/{file}", Right::anyone, &show_asset},
    Route{"GET", "/healthz", Right::anyone, &show_health},
    Route{"GET", "/readyz", Right::anyone, &show_ready},
    Route{"GET", "/metrics", Right::read, &show_metrics},
    Route{"GET", "/openapi.json", Right::read, &show_openapi},
    Route{"GET", "/problems/{code}", Right::anyone, &show_problem},
};

} // namespace

Routes system_routes()
{
    return system_table;
}

} // namespace freshet::http
