// SPDX-License-Identifier: Apache-2.0
#include "http/within.hpp"

#include "base/failure.hpp"
#include "base/log.hpp"
#include "http/gate.hpp"
#include "http/problems.hpp"
#include "http/server.hpp"

#include <fmt/format.h>

namespace freshet::http {

namespace {

Problem unknown_source(std::string_view source)
{
    return make_problem(404, "unknown_key", "No such key", fmt::format("There is no source \"{}\".", source),
                        "Look at the sources of your tenant.");
}

void run(Core& core, const Match& match, const std::shared_ptr<InnerExchange>& exchange)
{
    try {
        match.route->handle(core, exchange, match.captures);
    } catch (const Failure& failure) {
        log::error("a request failed", {{"path", exchange->request().path}, {"error", failure.what()}});
        exchange->fail(store_problem());
    }
}

} // namespace

Problem no_match_problem(const NoMatch& none, std::string_view method, std::string_view path)
{
    switch (none.why) {
    case NoMatch::Why::unknown_path:
        return make_problem(404, "not_found", "No such path",
                            fmt::format("There is nothing at {}.", path.substr(0, 300)),
                            "Look at /openapi.json for what there is.");
    case NoMatch::Why::method:
        return make_problem(405, "method", "Not with this method",
                            fmt::format("{} takes {}, not {}.", path.substr(0, 300), none.allow, method),
                            "Use one of the methods in Allow.");
    case NoMatch::Why::key: break;
    }
    if (none.bad_param)
        return make_problem(400, "bad_param", "A parameter of the key is not allowed", none.message,
                            "Give the source's parameters in the order in which the config declares them.");
    return make_problem(404, "unknown_key", "No such key", none.message,
                        "Look at the sources in the config, and at their parameters.");
}

std::optional<Problem> admit(Core& core, const Match& match, Caller& caller, std::optional<std::string_view> named)
{
    const Gate& gate = core.gate();
    if (named && !match.tenant.empty() && *named != match.tenant)
        return make_problem(400, "tenant", "Two tenants are named", "The path and ?tenant= differ.",
                            "Leave ?tenant= out.");
    if (auto problem = gate.settle_tenant(caller, match.tenant.empty() ? named.value_or("") : match.tenant)) {
        if (match.foreign_is_missing)
            return make_problem(404, "not_found", "No such thing", "It does not exist, or it is not yours.",
                                "Look at the address, and at the tenant of your token.");
        return problem;
    }
    if (!Gate::may(caller, match.route->right)) return Gate::forbidden(caller, match.route->right);
    if (auto problem = Gate::check_scope(caller, *match.route, !match.source.empty())) return problem;
    if (match.source.empty()) return std::nullopt;
    const Definitions& definitions = *core.definitions();
    caller.key_tenant = key_tenant(definitions, caller.tenant, match.source);
    // A shared key needs no tenant to be named: there is one of it.
    if (caller.tenant == "*" && caller.key_tenant != "*") caller.tenant = caller.key_tenant;
    if (caller.tenant == "*")
        return make_problem(400, "tenant_missing", "Of which tenant?",
                            "The token is of all tenants and a key is of one.",
                            "Name it: ?tenant=NAME, or /v1/t/NAME/data/KEY.");
    if (!tenant_has_source(definitions, caller.tenant, match.source) || !caller.scope.has_source(match.source))
        return unknown_source(match.source);
    if (match.route->right == Right::operate)
        if (auto problem = check_shared(caller, caller.key_tenant, match.source)) return problem;
    return std::nullopt;
}

void answer_within(Core& core, const Router& router, const std::shared_ptr<InnerExchange>& exchange)
{
    core.catch_up();
    const HttpRequest& request = exchange->request();
    const auto match = router.find(request.method, request.path, *core.definitions());
    if (!match) return exchange->fail(no_match_problem(match.error(), request.method, request.path));
    if (auto problem = admit(core, *match, exchange->settled_caller(), std::nullopt))
        return exchange->fail(std::move(*problem));
    if (match->route->by_ticket)
        return exchange->fail(make_problem(501, "no_stream", "A stream has no one answer",
                                           "This request opens a stream.", "Open it at /v1 itself."));
    if (request.body.size() > match->route->bytes_max) return exchange->fail(body_too_large(match->route->bytes_max));
    run(core, *match, exchange);
}

std::optional<std::string> check_within(std::string_view method, std::string_view path)
{
    const auto tables = all_routes();
    const Router router{tables};
    // A key needs a source to be one; what the path is like is told by its other segments.
    if (path.starts_with("/v1/data/") || path.starts_with("/v1/t/"))
        return "keys are read and refreshed by the verbs of that name";
    if (path.starts_with("/v1/stream") || path.starts_with("/v1/poll") || path.starts_with("/v1/work"))
        return "streams and the calls of workers are not made from within";
    const Definitions nothing;
    const auto match = router.find(method, path, nothing);
    if (match) return std::nullopt;
    return match.error().why == NoMatch::Why::method ? fmt::format("it takes {}", match.error().allow)
                                                     : std::string{"there is no such path"};
}

} // namespace freshet::http
