// SPDX-License-Identifier: Apache-2.0
#include "http/status_answer.hpp"

#include "http/gate.hpp"
#include "http/hub_host.hpp"
#include "http/negotiate.hpp"
#include "http/problems.hpp"

#include "base/assert.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace freshet::http {

namespace {

std::string ListQuery::* filter_of(std::string_view name)
{
    constexpr std::array<std::pair<std::string_view, std::string ListQuery::*>, 8> filters{
        {{"state", &ListQuery::state},
         {"queue", &ListQuery::queue},
         {"source", &ListQuery::source},
         {"key", &ListQuery::key},
         {"kind", &ListQuery::kind},
         {"tag", &ListQuery::tag},
         {"since", &ListQuery::since},
         {"until", &ListQuery::until}}};
    const auto found = std::ranges::find(filters, name, &std::pair<std::string_view, std::string ListQuery::*>::first);
    FRESHET_ASSERT(found != filters.end());
    return found->second;
}

std::string joined(std::initializer_list<std::string_view> names)
{
    std::string text;
    for (const std::string_view name : names) text += fmt::format("{}, ", name);
    return text + "tenant";
}

ListSort read_sort(std::string_view word)
{
    const bool down = word.starts_with('-');
    return {word.substr(down ? 1 : 0), down};
}

// Among what the list has; nullopt: it has no such order.
std::optional<ListSort> find_sort(std::string_view word, std::initializer_list<std::string_view> sorts)
{
    const ListSort wanted = read_sort(word);
    for (const std::string_view known : sorts)
        if (const ListSort sort = read_sort(known); sort.by == wanted.by) return ListSort{sort.by, wanted.down};
    return std::nullopt;
}

Problem bad_sort(std::string_view word, std::initializer_list<std::string_view> sorts)
{
    std::string known;
    for (const std::string_view sort : sorts)
        known += fmt::format("{}{}", known.empty() ? "" : ", ", read_sort(sort).by);
    return bad_parameter(fmt::format("sort \"{}\" is not known here.", word.substr(0, 64)),
                         fmt::format("{}; with - before it for the highest or latest first. Without it the list is by "
                                     "{}.",
                                     known, *sorts.begin()));
}

} // namespace

Problem bad_after()
{
    return bad_parameter("after takes the `next` of the page before, in the same order.",
                         "Leave it out for the first page.");
}

void respond_status(const ExchangePtr& exchange, std::string json, int status)
{
    HttpResponse response;
    response.status = status;
    response.content_type = "application/json";
    response.headers.emplace_back("Cache-Control", "no-store");
    response.body = std::move(json);
    exchange->respond(std::move(response));
}

std::vector<std::string> tenants_of(Core& core, const ExchangePtr& exchange)
{
    const std::string& tenant = exchange->caller().tenant;
    if (tenant != "*") return {tenant};
    std::vector<std::string> names;
    if (any_shared(*core.definitions()))
        names.emplace_back(shared_tenant); // before any name of a config, in byte order
    for (const auto& [name, definition] : core.definitions()->tenants) names.push_back(name);
    return names;
}

std::vector<std::string> ledgers_of(Core& core, const ExchangePtr& exchange)
{
    std::vector<std::string> names = tenants_of(core, exchange);
    const std::string& tenant = exchange->caller().tenant;
    if (tenant != "*" && tenant != shared_tenant && lists_shared(*core.definitions(), tenant))
        names.emplace_back(shared_tenant);
    return names;
}

void read_then(Core& core, const ExchangePtr& exchange, std::function<void(Reads&)> work, ReadThen then)
{
    std::vector<std::string> ledgers{exchange->caller().tenant};
    if (exchange->caller().tenant != "*") ledgers = ledgers_of(core, exchange);
    read_each_then(core, exchange, std::move(ledgers), std::move(work), std::move(then));
}

void read_each_then(Core& core, const ExchangePtr& exchange, std::vector<std::string> tenants,
                    std::function<void(Reads&)> work, ReadThen then)
{
    struct Heads {
        std::vector<std::string> tenants;
        std::vector<Seq> before, after;
        std::size_t told = 0;
        ReadThen then;
    };
    const auto heads = std::make_shared<Heads>();
    heads->tenants = std::move(tenants);
    heads->then = std::move(then);
    const auto with_heads = [heads, work = std::move(work)](Reads& reads) {
        for (const std::string& tenant : heads->tenants) heads->before.push_back(reads.ledger_head(tenant).head);
        work(reads);
        for (const std::string& tenant : heads->tenants) heads->after.push_back(reads.ledger_head(tenant).head);
    };
    core.off_loop(with_heads, [&core, exchange, heads](std::exception_ptr error) {
        if (error) return exchange->fail(store_problem());
        const auto all_told = [&core, heads] {
            const bool one = heads->tenants.size() == 1;
            const bool with_shared = heads->tenants.size() == 2 && heads->tenants[1] == shared_tenant;
            streams::Cursor cursor;
            if (one || with_shared) cursor = {core.services().epoch, heads->before[0]};
            if (with_shared) cursor.shared = heads->before[1];
            if (one && heads->tenants[0] == shared_tenant) std::swap(cursor.seq, cursor.shared);
            heads->then(cursor);
        };
        if (heads->tenants.empty()) return all_told();
        for (std::size_t i = 0; i < heads->tenants.size(); ++i)
            hub_of(core).when_applied(heads->tenants[i], heads->after[i], [heads, all_told] {
                if (++heads->told == heads->tenants.size()) all_told();
            });
    });
}

bool only_parameters(const ExchangePtr& exchange, std::initializer_list<std::string_view> names)
{
    for (const auto& [name, value] : exchange->request().query) {
        if (name == "tenant" || std::ranges::find(names, name) != names.end()) continue;
        exchange->fail(bad_parameter(fmt::format("\"{}\" is not known here.", name.substr(0, 64)),
                                     fmt::format("Known are: {}.", joined(names))));
        return false;
    }
    return true;
}

std::optional<ListQuery> list_query(const ExchangePtr& exchange, std::initializer_list<std::string_view> filters,
                                    std::initializer_list<std::string_view> sorts)
{
    ListQuery query;
    if (sorts.size() > 0) query.sort = read_sort(*sorts.begin());
    for (const auto& [name, value] : exchange->request().query) {
        if (name == "tenant") continue;
        if (name == "limit") {
            const auto limit = parse_count(value);
            if (!limit || *limit < 1 || *limit > list_limit_max) {
                exchange->fail(bad_parameter("limit takes a whole number.", fmt::format("1 to {}.", list_limit_max)));
                return std::nullopt;
            }
            query.limit = static_cast<int>(*limit);
        } else if (name == "after") {
            query.after = value;
        } else if (name == "sort" && sorts.size() > 0) {
            const auto sort = find_sort(value, sorts);
            if (!sort) {
                exchange->fail(bad_sort(value, sorts));
                return std::nullopt;
            }
            query.sort = *sort;
            query.sorted = true;
        } else if (std::ranges::find(filters, name) != filters.end()) {
            query.*filter_of(name) = value;
        } else {
            std::string known = sorts.size() > 0 ? "limit, after, sort" : "limit, after";
            for (const std::string_view filter : filters) known += fmt::format(", {}", filter);
            exchange->fail(bad_parameter(fmt::format("\"{}\" is not known here.", name.substr(0, 64)),
                                         fmt::format("Known are: {}, tenant.", known)));
            return std::nullopt;
        }
    }
    return query;
}

bool has_tenant(const ExchangePtr& exchange)
{
    if (exchange->caller().tenant != "*") return true;
    exchange->fail(make_problem(400, "tenant_missing", "Of which tenant?", "The token is of all tenants.",
                                "Name it: ?tenant=NAME."));
    return false;
}

void end_list(JsonOut& out, std::string_view next, streams::Cursor cursor, WallTime now)
{
    out.text_if("next", next);
    if (cursor.epoch != 0) out.text("cursor", streams::to_text(cursor));
    out.time("now", now);
}

void put_scope(JsonOut& out, const TokenScope& scope)
{
    const auto put = [&out](std::string_view member, const std::vector<std::string>& names) {
        if (names.empty()) return;
        out.begin_list(member);
        for (const std::string& name : names) out.text(name);
        out.end_list();
    };
    put("sources", scope.sources);
    put("queues", scope.queues);
}

void fail_refused(Core& core, const ExchangePtr& exchange, const Refused& refused, std::string_view key)
{
    Problem problem = refused_problem(refused);
    problem.key = key;
    HttpResponse response =
        problem_response(exchange->base_url(), exchange->request().path, std::move(problem), core.now());
    add_limit_headers(response, refused, core.now());
    exchange->respond(std::move(response));
}

void respond_paused(Core& core, const ExchangePtr& exchange, const Reply& reply, std::string_view member,
                    std::string_view name, bool paused)
{
    if (!reply) return fail_refused(core, exchange, reply.error());
    JsonOut out;
    out.begin();
    out.text(member, name);
    out.yes("paused", paused);
    out.time("now", core.now());
    out.end();
    respond_status(exchange, out.take());
}

bool is_paused(Core& core, std::string_view tenant, std::string_view key)
{
    const KeyView* view = key.empty() ? nullptr : core.cached(tenant, key);
    return view != nullptr && view->paused;
}

} // namespace freshet::http
