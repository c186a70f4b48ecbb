// SPDX-License-Identifier: Apache-2.0
#include "facade/pages.hpp"

#include "base/assert.hpp"
#include "base/hash.hpp"
#include "facade/inputs.hpp"
#include "http/gate.hpp"
#include "http/negotiate.hpp"
#include "http/problems.hpp"
#include "http/response_head.hpp"
#include "http/session.hpp"
#include "http/sign_in_page.hpp"
#include "model/key.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <iterator>
#include <utility>

namespace freshet::facade {

namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t file_bytes_max = 64 << 20;

struct Kind {
    std::string_view extension, type;
};
constexpr std::array<Kind, 20> kinds{{
    {".html", "text/html; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".mjs", "text/javascript; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".json", "application/json"},
    {".map", "application/json"},
    {".webmanifest", "application/manifest+json"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
    {".jpg", "image/jpeg"},
    {".jpeg", "image/jpeg"},
    {".gif", "image/gif"},
    {".webp", "image/webp"},
    {".avif", "image/avif"},
    {".ico", "image/x-icon"},
    {".txt", "text/plain; charset=utf-8"},
    {".woff", "font/woff"},
    {".woff2", "font/woff2"},
    {".wasm", "application/wasm"},
    {".xml", "application/xml"},
}};

std::string_view type_of(std::string_view name)
{
    const auto dot = name.rfind('.');
    const std::string_view extension = dot == std::string_view::npos ? std::string_view{} : name.substr(dot);
    const auto* kind = std::ranges::find(kinds, extension, &Kind::extension);
    return kind == kinds.end() ? "application/octet-stream" : kind->type;
}

struct FileBytes {
    bool found = false;
    std::string bytes, tag;
};

// Links are followed first, so that one that leads out of the folder is seen.
FileBytes read_file(const std::string& dir, const std::string& name)
{
    FileBytes file;
    std::error_code error;
    const fs::path folder = fs::canonical(dir, error);
    if (error) return file;
    const fs::path path = fs::canonical(folder / name, error);
    if (error || std::ranges::mismatch(folder, path).in1 != folder.end()) return file;
    if (!fs::is_regular_file(path, error) || fs::file_size(path, error) > file_bytes_max || error) return file;
    std::ifstream in{path, std::ios::binary};
    file.bytes.assign(std::istreambuf_iterator<char>{in}, {});
    file.found = in.good() || in.eof();
    file.tag = fmt::format("\"{}\"", to_hex(hash128(file.bytes)));
    return file;
}

Problem nothing_at(std::string_view path)
{
    return http::make_problem(404, "not_found", "No such path",
                              fmt::format("There is nothing at {}.", path.substr(0, 300)), "Look at the address.");
}

void respond_file(const http::ExchangePtr& exchange, FileBytes file, std::string_view name, const PageRow& page,
                  bool is_index)
{
    http::HttpResponse response;
    const std::string_view cache = is_index                      ? "no-store, no-cache, must-revalidate"
                                   : is_hashed_name(name)        ? "public, max-age=31536000, immutable"
                                   : page.def.access == "public" ? "public, no-cache"
                                                                 : "private, no-cache";
    response.headers.emplace_back("Cache-Control", cache);
    if (!is_index) response.headers.emplace_back("ETag", file.tag);
    response.headers.emplace_back("Content-Security-Policy", page.policy);
    if (!is_index && http::matches_tag(exchange->request().header("if-none-match"), file.tag)) {
        response.status = 304;
        return exchange->respond(std::move(response));
    }
    response.content_type = type_of(name);
    response.body = std::move(file.bytes);
    exchange->respond(std::move(response));
}

// The first of `pages` that has the file.
void send_file(http::Core& core, const http::ExchangePtr& exchange, const PageRows& pages,
               const std::vector<std::string>& names, bool is_index)
{
    struct Found {
        FileBytes file;
        std::size_t page = 0;
    };
    const auto found = std::make_shared<Found>();
    core.off_loop(
        [found, pages, names](Reads&) {
            for (std::size_t i = 0; i < pages.size() && !found->file.found; ++i) {
                found->file = read_file(pages[i]->def.dir, names[i]);
                found->page = i;
            }
        },
        [exchange, found, pages, names, is_index](std::exception_ptr error) {
            if (error) return exchange->fail(http::store_problem());
            if (!found->file.found) return exchange->fail(nothing_at(exchange->request().path));
            respond_file(exchange, std::move(found->file), names[found->page], *pages[found->page], is_index);
        });
}

bool has_extension(std::string_view path)
{
    const std::string_view name = path.substr(path.rfind('/') + 1);
    const auto dot = name.rfind('.');
    return dot != std::string_view::npos && dot > 0 && name.size() - dot - 1 >= 1 && name.size() - dot - 1 <= 11;
}

http::Match match_index(const std::shared_ptr<const PageRow>& page, const http::HttpRequest& request,
                        std::vector<std::string> captures)
{
    http::Match match;
    match.route = &page->route;
    match.foreign_is_missing = true;
    match.is_page = true;
    const Inputs inputs = early_inputs(page->pattern, {}, request, captures);
    // A public page is nobody's; another one is of a tenant, and a tenant that the path does not name is not found.
    if (!page->def.tenant.empty()) match.tenant = fill(page->def.tenant, inputs).value_or("?");
    match.captures = std::move(captures);
    match.run = [page](http::Core& core, const http::ExchangePtr& exchange, std::span<const std::string>) {
        send_file(core, exchange, {page}, {page->def.index}, true);
    };
    return match;
}

// ?token= once: the browser is signed in by cookie, and the address does not keep the secret.
http::Match match_sign_in(http::Match match)
{
    static const http::Route open{.method = "GET", .pattern = "", .right = http::Right::anyone, .handle = nullptr};
    match.route = &open;
    match.tenant.clear();
    // Whoever it is, is told by the token that is shown here, not by what came with the request.
    match.acts_as = http::Caller{"anonymous", "default", Role::viewer, false};
    match.run = [](http::Core& core, const http::ExchangePtr& exchange, std::span<const std::string>) {
        const http::HttpRequest& request = exchange->request();
        const auto caller = http::caller_of_token(core, request.param("token").value_or(""));
        if (!caller && http::wants_page(request)) return exchange->respond(http::sign_in_page(request, caller.error()));
        if (!caller) return exchange->fail(caller.error());
        std::string target = exchange->base_url() + request.path;
        char mark = '?';
        for (const auto& [name, value] : request.query) {
            if (name == "token") continue;
            target += fmt::format("{}{}={}", std::exchange(mark, '&'), percent_encode(name), percent_encode(value));
        }
        http::begin_session(core, exchange, *caller, [exchange, target](std::string set_cookie, WallTime) {
            http::HttpResponse response;
            response.status = 303;
            response.headers.emplace_back("Location", target);
            response.headers.emplace_back("Set-Cookie", std::move(set_cookie));
            response.headers.emplace_back("Cache-Control", "no-store");
            response.headers.emplace_back("Referrer-Policy", "no-referrer");
            exchange->respond(std::move(response));
        });
    };
    return match;
}

http::Match match_file(PageRows pages, std::vector<std::string> names)
{
    http::Match match;
    match.route = &pages.front()->file_route;
    const auto shut =
        std::ranges::find(pages, http::Right::read, [](const auto& page) { return page->file_route.right; });
    if (shut != pages.end()) match.route = &(*shut)->file_route;
    match.run = [pages = std::move(pages), names = std::move(names)](
                    http::Core& core, const http::ExchangePtr& exchange, std::span<const std::string>) {
        send_file(core, exchange, pages, names, false);
    };
    return match;
}

http::Right right_of_page(const PageDefinition& page)
{
    FacadeDefinition like;
    like.access = page.access;
    return right_of(like);
}

} // namespace

PageRow::PageRow(PageDefinition page) : def{std::move(page)}, params{rules_of(def.params)}
{
    auto parsed = parse_path_pattern(def.on);
    FRESHET_ASSERT(parsed.has_value());
    pattern = std::move(*parsed);
    fixed = pattern.fixed_part();
    route = http::Route{
        .method = "GET", .pattern = def.on, .right = right_of_page(def), .handle = nullptr, .by_source = true};
    file_route = route;
    if (file_route.right != http::Right::anyone) file_route.right = http::Right::read;
    policy = http::page_policy;
    constexpr std::string_view pictures = "img-src 'self' data:";
    const auto at = policy.find(pictures);
    FRESHET_ASSERT(at != std::string::npos);
    policy.insert(at + pictures.size(), def.img.empty() ? std::string{} : fmt::format(" {}", fmt::join(def.img, " ")));
}

bool is_hashed_name(std::string_view name)
{
    name = name.substr(name.rfind('/') + 1);
    const auto dot = name.rfind('.');
    if (dot == std::string_view::npos) return false;
    const std::string_view stem = name.substr(0, dot);
    // Vite writes "index-DiwrgTda.js", others "index.3f9c1a20.js". A hash of Vite may hold '-' and '_' itself.
    const auto mark = stem.find_last_of(".-", stem.size() < 8 ? 0 : stem.size() - 8);
    if (mark == std::string_view::npos) return false;
    const std::string_view hash = stem.substr(mark + 1);
    if (hash.size() < 8 || hash.size() > 64) return false;
    bool digit = false, upper = false, lower = false;
    for (const char c : hash) {
        digit |= c >= '0' && c <= '9';
        upper |= c >= 'A' && c <= 'Z';
        lower |= c >= 'a' && c <= 'z';
        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || c == '_'))
            return false;
    }
    // A word is no hash ("my-dashboard.js"), nor is a date ("report-20261126.json").
    return (digit && (upper || lower)) || (upper && lower);
}

std::optional<std::string> safe_path(std::string_view below)
{
    std::string path;
    while (!below.empty()) {
        const auto slash = below.find('/');
        const auto segment = percent_decode(below.substr(0, slash));
        below.remove_prefix(slash == std::string_view::npos ? below.size() : slash + 1);
        if (!segment || segment->empty() || segment->starts_with('.') ||
            segment->find_first_of(std::string_view{"/\\\0", 3}) != std::string::npos)
            return std::nullopt;
        if (!path.empty()) path += '/';
        path += *segment;
    }
    return path.empty() ? std::nullopt : std::optional{path};
}

std::optional<http::Match> find_page(const PageRows& pages, const http::HttpRequest& request)
{
    if (request.method != "GET" && request.method != "HEAD") return std::nullopt;
    const std::string& path = request.path;
    if (has_extension(path)) {
        PageRows candidates;
        std::vector<std::string> names;
        for (const auto& page : pages) {
            if (!path.starts_with(page->fixed + "/")) continue;
            auto name = safe_path(std::string_view{path}.substr(page->fixed.size() + 1));
            if (!name) continue;
            candidates.push_back(page);
            names.push_back(std::move(*name));
        }
        if (candidates.empty()) return std::nullopt;
        // A document beside the index is opened by an address, too.
        const bool signs_in = path.ends_with(".html") && request.param("token");
        http::Match match = match_file(std::move(candidates), std::move(names));
        match.is_page = path.ends_with(".html");
        return signs_in ? match_sign_in(std::move(match)) : std::move(match);
    }
    std::shared_ptr<const PageRow> best;
    std::vector<std::string> captures;
    for (const auto& page : pages) {
        auto laid = lay_path(page->pattern, path);
        if (!laid || (best && laid->size() >= captures.size())) continue;
        const Inputs inputs = early_inputs(page->pattern, {}, request, *laid);
        const bool fits = std::ranges::all_of(page->params, [&](const ParamRule& rule) {
            const std::string* value = inputs.find(rule.name);
            return value == nullptr || rule.allows(*value);
        });
        if (!fits) continue;
        best = page;
        captures = std::move(*laid);
    }
    if (!best) return std::nullopt;
    http::Match match = match_index(best, request, std::move(captures));
    return request.param("token") ? match_sign_in(std::move(match)) : std::move(match);
}

} // namespace freshet::facade
