// SPDX-License-Identifier: Apache-2.0
#include "facade/pages.hpp"

#include "base/assert.hpp"
#include "facade/inputs.hpp"
#include "facade/page_files.hpp"
#include "http/gate.hpp"
#include "http/problems.hpp"
#include "http/response_head.hpp"
#include "http/session.hpp"
#include "http/sign_in_page.hpp"
#include "model/key.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

namespace freshet::facade {

namespace {

bool has_extension(std::string_view path)
{
    const std::string_view name = path.substr(path.rfind('/') + 1);
    const auto dot = name.rfind('.');
    return dot != std::string_view::npos && dot > 0 && name.size() - dot - 1 >= 1 && name.size() - dot - 1 <= 11;
}

http::Match match_index(const std::shared_ptr<const PageRow>& page, const std::shared_ptr<CoreState>& state,
                        const http::HttpRequest& request, std::vector<std::string> captures)
{
    http::Match match;
    match.route = &page->route;
    match.foreign_is_missing = true;
    match.is_page = true;
    const Inputs inputs = early_inputs(page->pattern, {}, request, captures);
    // A public page is nobody's; another one is of a tenant, and a tenant that the path does not name is not found.
    if (!page->def.tenant.empty()) match.tenant = fill(page->def.tenant, inputs).value_or("?");
    match.captures = std::move(captures);
    match.run = [page, state](http::Core& core, const http::ExchangePtr& exchange, std::span<const std::string>) {
        send_file(core, exchange, state, {page}, {page->def.index}, true);
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

http::Match match_file(PageRows pages, std::vector<std::string> names, std::shared_ptr<CoreState> state)
{
    http::Match match;
    match.route = &pages.front()->file_route;
    const auto shut =
        std::ranges::find(pages, http::Right::read, [](const auto& page) { return page->file_route.right; });
    if (shut != pages.end()) match.route = &(*shut)->file_route;
    match.run = [pages = std::move(pages), names = std::move(names), state = std::move(state)](
                    http::Core& core, const http::ExchangePtr& exchange, std::span<const std::string>) {
        send_file(core, exchange, state, pages, names, false);
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
        .method = "GET", .pattern = def.on, .right = right_of_page(def), .handle = nullptr, .by_scope = true};
    file_route = route;
    if (file_route.right != http::Right::anyone) file_route.right = http::Right::read;
    policy = http::page_policy;
    constexpr std::string_view pictures = "img-src 'self' data:";
    const auto at = policy.find(pictures);
    FRESHET_ASSERT(at != std::string::npos);
    policy.insert(at + pictures.size(), def.img.empty() ? std::string{} : fmt::format(" {}", fmt::join(def.img, " ")));
}

std::optional<http::Match> find_page(const PageRows& pages, const std::shared_ptr<CoreState>& state,
                                     const http::HttpRequest& request)
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
        http::Match match = match_file(std::move(candidates), std::move(names), state);
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
    http::Match match = match_index(best, state, request, std::move(captures));
    return request.param("token") ? match_sign_in(std::move(match)) : std::move(match);
}

} // namespace freshet::facade
