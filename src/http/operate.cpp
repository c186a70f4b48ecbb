// SPDX-License-Identifier: Apache-2.0
// Acts on many jobs at once, a tenant's reset, and the record of who did what (spec "The wire contract" §4).
//
// Both count exactly before they act, and act only when dry_run = false says so. Threads: the loop's.
#include "http/body.hpp"
#include "http/job_answer.hpp"
#include "http/negotiate.hpp"
#include "http/problems.hpp"
#include "http/route.hpp"
#include "http/status_answer.hpp"
#include "http/streams/present.hpp"
#include "wire/work_views.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace freshet::http {

namespace {

constexpr std::array states{JobState::queued, JobState::running, JobState::succeeded, JobState::failed,
                            JobState::cancelled};

void answer_counted(Core& core, const ExchangePtr& exchange, const Reply& reply, bool dry_run)
{
    if (!reply) return fail_refused(core, exchange, reply.error());
    const auto* counted = std::get_if<Counted>(&*reply);
    if (counted == nullptr) return exchange->fail(store_problem());
    JsonOut out;
    out.begin();
    out.yes("dry_run", dry_run);
    out.whole("count", counted->count);
    out.begin_list("by_queue");
    for (const JobCount& one : counted->by_queue) {
        out.begin();
        out.text("queue", one.queue);
        out.text("state", to_text(one.state));
        out.whole("count", one.count);
        out.end();
    }
    out.end_list();
    if (counted->job) {
        out.key("job");
        out.raw(streams::shown_job_json(*counted->job, false, core.now()));
    }
    out.time("now", core.now());
    out.end();
    respond_status(exchange, out.take());
}

JobFilter read_filter(const BodyValue& value)
{
    BodyObject body = value.object();
    JobFilter filter;
    if (const auto state = body.word("state", {"queued", "running", "succeeded", "failed", "cancelled"}))
        filter.state = states[*state];
    constexpr std::array kinds{JobKind::refresh, JobKind::task, JobKind::item};
    if (const auto kind = body.word("kind", {"refresh", "task", "item"})) filter.kind = kinds[*kind];
    filter.queue = body.text("queue", {1, 128}).value_or("");
    // A refresh's queue is its source.
    if (auto source = body.text("source", {1, 128})) filter.queue = std::move(*source);
    filter.key = body.text("key", {1, 2048}).value_or("");
    filter.tag = body.text("tag", {1, 64}).value_or("");
    body.end();
    return filter;
}

void bulk(Core& core, const ExchangePtr& exchange, std::span<const std::string>)
{
    if (!only_parameters(exchange, {}) || !has_tenant(exchange)) return;
    BodyReader reader{exchange->request().body};
    BodyObject body = reader.object();
    BulkJobs work;
    work.tenant = exchange->caller().tenant;
    work.caller = exchange->caller().name;
    constexpr std::array actions{BulkAction::retry, BulkAction::cancel, BulkAction::drop};
    body.need("action", "one of retry, cancel, delete");
    if (const auto action = body.word("action", {"retry", "cancel", "delete"})) work.action = actions[*action];
    body.need("filter", "an object with one or more of state, kind, queue, source, key, tag; {} for all");
    if (const BodyValue* filter = body.find("filter")) work.filter = read_filter(*filter);
    work.filter.tenant = work.tenant;
    work.dry_run = body.yes("dry_run").value_or(true);
    body.end();
    if (reader.problem()) return exchange->fail(*reader.problem());
    const bool taken = core.post(work, [&core, exchange, dry = work.dry_run](const Reply& reply) {
        answer_counted(core, exchange, reply, dry);
    });
    if (!taken) exchange->fail(busy_problem());
}

void reset(Core& core, const ExchangePtr& exchange, std::span<const std::string> captures)
{
    if (!only_parameters(exchange, {})) return;
    BodyReader reader{exchange->request().body, true};
    BodyObject body = reader.object();
    ResetTenant work;
    work.tenant = captures[0];
    work.caller = exchange->caller().name;
    work.dry_run = body.yes("dry_run").value_or(true);
    work.queues = body.texts("queues", 1, 1000, {1, 128});
    body.list("states", 1, 2, [&](const BodyValue& value) {
        if (const auto state = value.word({"queued", "running"})) work.states.push_back(states[*state]);
    });
    body.end();
    if (reader.problem()) return exchange->fail(*reader.problem());
    const bool taken = core.post(work, [&core, exchange, dry = work.dry_run](const Reply& reply) {
        answer_counted(core, exchange, reply, dry);
    });
    if (!taken) exchange->fail(busy_problem());
}

void list_audit(Core& core, const ExchangePtr& exchange, std::span<const std::string>)
{
    const auto query = list_query(exchange, {}, {"-at"});
    if (!query) return;
    AuditFilter filter;
    filter.oldest_first = !query->sort.down;
    // Of a token of all tenants: everyone's, and what was done for all of them.
    std::vector<std::string> tenants = tenants_of(core, exchange);
    if (exchange->caller().tenant == "*") tenants.emplace_back("*");
    filter.limit = query->limit + 1;
    const auto after = query->after.empty() ? std::optional<std::int64_t>{0} : parse_count(query->after);
    if (!after) return exchange->fail(bad_after());
    (query->sort.down ? filter.before : filter.after) = *after;
    const auto rows = std::make_shared<std::vector<AuditRow>>();
    read_each_then(
        core, exchange, tenants,
        [rows, filter, tenants](Reads& reads) {
            reads.in_one_view([&](StoreReads& store) {
                for (AuditFilter of_one = filter; const std::string& tenant : tenants) {
                    of_one.tenant = tenant;
                    for (AuditRow& row : store.audit(of_one)) rows->push_back(std::move(row));
                }
            });
            std::ranges::sort(*rows, {}, &AuditRow::number);
            if (!filter.oldest_first) std::ranges::reverse(*rows);
        },
        [&core, exchange, rows, limit = static_cast<std::size_t>(query->limit)](streams::Cursor cursor) {
            const bool more = rows->size() > limit;
            if (more) rows->resize(limit);
            JsonOut out;
            out.begin();
            out.begin_list("items");
            for (const AuditRow& row : *rows) out.raw(audit_json(row.number, row.record));
            out.end_list();
            end_list(out, more ? fmt::to_string(rows->back().number) : std::string{}, cursor, core.now());
            out.end();
            respond_status(exchange, out.take());
        });
}

constexpr std::array operate_table{
    Route{"POST", "/v1/bulk", Right::operate, &bulk},
    Route{"GET", "/v1/audit", Right::administer, &list_audit},
    Route{"POST", "/v1/admin/tenants/{tenant}/reset", Right::administer, &reset},
};

} // namespace

Routes operate_routes()
{
    return operate_table;
}

} // namespace freshet::http
