// SPDX-License-Identifier: Apache-2.0
// What a browser loads: the console, the elements, their files, and the help behind problem types. Threads: the loop's.
//
// Every address in these files is relative, so that they work below any prefix. The console has one document for all of
// its paths: as deep as the path is, so many "../" are put before the names of its files.
#include "http/embedded.hpp"
#include "http/gate.hpp"
#include "http/negotiate.hpp"
#include "http/page_parts.hpp"
#include "http/problem_help.hpp"
#include "http/problems.hpp"
#include "http/route.hpp"
#include "http/session.hpp"
#include "model/key.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace freshet::http {

const EmbeddedFile* find_file(std::span<const EmbeddedFile> files, std::string_view name)
{
    const auto found = std::ranges::find(files, name, &EmbeddedFile::name);
    return found == files.end() ? nullptr : &*found;
}

namespace {

Problem nothing_here(std::string_view path)
{
    return make_problem(404, "not_found", "No such path", fmt::format("There is nothing at {}.", path.substr(0, 200)),
                        "See /openapi.json for what there is.");
}

// The connection adds the policy of pages: nothing inline, nothing from elsewhere, no framing.
void respond_page(const ExchangePtr& exchange, std::string html, int status = 200)
{
    HttpResponse response;
    response.status = status;
    response.content_type = "text/html; charset=utf-8";
    response.headers.emplace_back("Cache-Control", "no-store");
    response.body = std::move(html);
    exchange->respond(std::move(response));
}

void redirect(const ExchangePtr& exchange, int status, std::string location)
{
    HttpResponse response;
    response.status = status;
    response.headers.emplace_back("Location", std::move(location));
    response.headers.emplace_back("Cache-Control", "no-store");
    response.headers.emplace_back("Referrer-Policy", "no-referrer");
    exchange->respond(std::move(response));
}

std::string style_address(std::string_view path)
{
    return fmt::format("{}{}", way_up(path), embedded_name(".css"));
}

// A binary without the web files says so in a page.
void tell_no_web(const ExchangePtr& exchange)
{
    respond_page(exchange, problem_page("no_web", style_address(exchange->request().path)), 404);
}

// --- Files ---

void respond_file(const ExchangePtr& exchange, const EmbeddedFile& file)
{
    const HttpRequest& request = exchange->request();
    HttpResponse response;
    // Pages of other origins use the elements: what is public here may be read by anyone.
    response.headers.emplace_back("Access-Control-Allow-Origin", "*");
    response.headers.emplace_back("Cache-Control", file.hashed ? "public, max-age=31536000, immutable" : "no-cache");
    std::string_view bytes = file.bytes, coding;
    if (!file.gzip.empty() || !file.br.empty()) {
        response.headers.emplace_back("Vary", "Accept-Encoding");
        const AcceptedCodings accepted = accepted_codings(request.header("accept-encoding"));
        if (accepted.takes(Coding::br) && !file.br.empty())
            bytes = file.br, coding = "br";
        else if (accepted.takes(Coding::gzip) && !file.gzip.empty())
            bytes = file.gzip, coding = "gzip";
    }
    if (!file.hashed) {
        const std::string tag = fmt::format("\"{}\"", file.tag);
        response.headers.emplace_back("ETag", coding.empty() ? tag : fmt::format("\"{}-{}\"", file.tag, coding));
        if (matches_tag(request.header("if-none-match"), tag)) {
            response.status = 304;
            return exchange->respond(std::move(response));
        }
    }
    if (!coding.empty()) response.headers.emplace_back("Content-Encoding", coding);
    response.content_type = file.content_type;
    response.body = bytes;
    exchange->respond(std::move(response));
}

void show_asset(Core& core, const ExchangePtr& exchange, std::span<const std::string> captures)
{
    const std::string name = fmt::format("assets/{}", captures[0]);
    const EmbeddedFile* file = find_file(core.services().web, name);
    if (file == nullptr) file = find_file(embedded_files(), name);
    if (file == nullptr || !file->hashed) return exchange->fail(nothing_here(exchange->request().path));
    respond_file(exchange, *file);
}

void show_elements(Core& core, const ExchangePtr& exchange, std::span<const std::string>)
{
    const EmbeddedFile* file = find_file(core.services().web, "elements.js");
    if (file == nullptr) return exchange->fail(nothing_here(exchange->request().path));
    respond_file(exchange, *file);
}

// --- Pages ---

void show_elements_page(Core& core, const ExchangePtr& exchange, std::span<const std::string>)
{
    const EmbeddedFile* page = find_file(core.services().web, "elements/index.html");
    if (page == nullptr) return tell_no_web(exchange);
    respond_page(exchange, std::string{page->bytes});
}

// The same address without the token, so that it does not stay in the bar, the history or a bookmark.
std::string without_token(Core& core, const HttpRequest& request)
{
    std::string location = core.gate().public_url().prefix + request.path;
    char mark = '?';
    for (const auto& [name, value] : request.query) {
        if (name == "token") continue;
        location += fmt::format("{}{}={}", mark, percent_encode(name), percent_encode(value));
        mark = '&';
    }
    return location;
}

void show_console(Core& core, const ExchangePtr& exchange, std::span<const std::string>)
{
    const EmbeddedFile* page = find_file(core.services().web, "console/index.html");
    if (page == nullptr) return tell_no_web(exchange);
    const HttpRequest& request = exchange->request();
    if (const auto token = request.param("token")) {
        const auto maker = caller_of_token(core, *token);
        // What does not sign in leaves the address just the same; the console then asks for a better one.
        if (!maker) return redirect(exchange, 303, without_token(core, request));
        return begin_session(core, exchange, *maker, [&core, exchange](std::string cookie, WallTime) {
            HttpResponse response;
            response.status = 303;
            response.headers.emplace_back("Location", without_token(core, exchange->request()));
            response.headers.emplace_back("Set-Cookie", std::move(cookie));
            response.headers.emplace_back("Cache-Control", "no-store");
            response.headers.emplace_back("Referrer-Policy", "no-referrer");
            exchange->respond(std::move(response));
        });
    }
    const std::string up = way_up(request.path);
    std::string html{page->bytes};
    constexpr std::string_view one_up = "=\"../";
    for (auto at = html.find(one_up); at != std::string::npos; at = html.find(one_up, at + up.size()))
        html.replace(at + 2, one_up.size() - 2, up);
    respond_page(exchange, std::move(html));
}

void go_to_console(Core& core, const ExchangePtr& exchange, std::span<const std::string>)
{
    redirect(exchange, 302, core.gate().public_url().prefix + "/console/");
}

void go_to_elements(Core& core, const ExchangePtr& exchange, std::span<const std::string>)
{
    redirect(exchange, 302, core.gate().public_url().prefix + "/elements/");
}

void show_problem(Core&, const ExchangePtr& exchange, std::span<const std::string> captures)
{
    respond_page(exchange, problem_page(captures[0].substr(0, 64), style_address(exchange->request().path)));
}

constexpr std::array page_table{
    Route{"GET", "/", Right::anyone, &go_to_console},
    Route{"GET", "/console", Right::anyone, &go_to_console},
    Route{"GET", "/console/{path...}", Right::anyone, &show_console},
    Route{"GET", "/elements.js", Right::anyone, &show_elements},
    Route{"GET", "/elements", Right::anyone, &go_to_elements},
    Route{"GET", "/elements/", Right::anyone, &show_elements_page},
    Route{"GET", "/assets/{file}", Right::anyone, &show_asset},
    Route{"GET", "/problems/{code}", Right::anyone, &show_problem},
};

} // namespace

Routes page_routes()
{
    return page_table;
}

} // namespace freshet::http
