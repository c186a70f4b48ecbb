// SPDX-License-Identifier: Apache-2.0
// Queues: how many jobs are where, who serves them, pauses and limits (spec "The wire contract" §4).
//
// A queue is named by the config, by its jobs or by its workers; a source that this server fetches itself has one of
// its own. Counts are of the caller's tenant and come from kept counters. A pause is the tenant's own, or of a token of
// all tenants for everyone; limits hold for all who share the queue. Threads: the loop's.
#include "http/body.hpp"
#include "http/gate.hpp"
#include "http/list_rows.hpp"
#include "http/problems.hpp"
#include "http/route.hpp"
#include "http/sorted_page.hpp"
#include "http/status_answer.hpp"
#include "model/pauses.hpp"
#include "wire/work_views.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <functional>
#include <map>
#include <set>

namespace freshet::http {

namespace {

struct QueuesRead {
    std::vector<JobCount> counts;
    Pauses paused;
    std::vector<QueueLimits> limits;
    std::map<std::string, WallTime, std::less<>> oldest; ///< when the job that waits longest was asked for
};

void read_counts(StoreReads& store, const std::string& tenant, const std::function<bool(const std::string&)>& shows,
                 QueuesRead& found)
{
    for (JobCount& one : store.job_counts(tenant)) {
        if (!shows(one.queue)) continue;
        // An id begins with the millisecond in which it was made.
        if (one.state == JobState::queued)
            if (const JobId oldest = store.oldest_queued(tenant, one.queue)) {
                const WallTime at = from_ms(oldest.value >> 20);
                const auto [known, is_new] = found.oldest.emplace(one.queue, at);
                if (!is_new) known->second = std::min(known->second, at);
            }
        found.counts.push_back(std::move(one));
    }
}

// Of the tenant, and of the shared sources that it lists.
void read_queues(Reads& reads, const Definitions& definitions, const std::string& tenant, const std::string& only,
                 QueuesRead& found)
{
    std::set<std::string, std::less<>> shared;
    for (const auto& [name, source] : definitions.sources)
        if (tenant != shared_tenant && is_shared(definitions, *source) && tenant_has_source(definitions, tenant, name))
            shared.insert(source->queue);
    const auto asked = [&](const std::string& queue) { return only.empty() || queue == only; };
    reads.in_one_view([&](StoreReads& store) {
        read_counts(store, tenant, asked, found);
        if (!shared.empty())
            read_counts(
                store, std::string{shared_tenant},
                [&](const std::string& queue) { return asked(queue) && shared.contains(queue); }, found);
        found.paused = Pauses{store.paused()};
        found.limits = store.queue_limits();
    });
}

// Whether a queue that the config names is this tenant's. Among several only those that its sources and schedules use
// are: the others are policy for whoever comes to use them, and their names may tell of another tenant (F9).
bool names_for(const Definitions& definitions, std::string_view tenant, std::string_view queue)
{
    if (tenant == shared_tenant) return false; // it has those of its sources
    if (definitions.tenants.size() <= 1) return true;
    return std::ranges::any_of(definitions.schedules, [&](const auto& named) {
        const TaskSchedule& schedule = named.second;
        return schedule.queue == queue &&
               (schedule.tenants.empty() || std::ranges::find(schedule.tenants, tenant) != schedule.tenants.end());
    });
}

// All tenants share the limits of a queue.
bool limits_are_shared(const Definitions& definitions)
{
    return definitions.tenants.size() > 1;
}

// Rows by name: those of the config, of the tenant's jobs, of the workers it may see.
std::map<std::string, QueueRow, std::less<>> rows_of(Core& core, const std::string& tenant, const QueuesRead& found)
{
    const Definitions& definitions = *core.definitions();
    std::map<std::string, QueueRow, std::less<>> rows;
    for (const auto& [name, queue] : definitions.queues)
        if (names_for(definitions, tenant, name)) rows.try_emplace(name);
    for (const auto& [name, source] : definitions.sources)
        if (tenant_has_source(definitions, tenant, name)) rows.try_emplace(source->queue);
    for (const JobCount& one : found.counts) rows.try_emplace(one.queue);
    for (const auto& [name, worker] : core.work().workers())
        if (name.first == tenant)
            for (const std::string& queue : worker->queues) rows.try_emplace(queue);

    for (auto& [name, row] : rows) {
        row.name = name;
        row.tenant = key_tenant(definitions, tenant, name);
        const SourceDefinition* source = definitions.source(name);
        row.of_source = source != nullptr && source->kind != SourceKind::worker;
        if (row.of_source) {
            row.concurrency = source->concurrency;
            row.rate = source->rate;
        } else if (const auto queue = definitions.queues.find(name); queue != definitions.queues.end()) {
            row.concurrency = queue->second.concurrency;
            row.rate = queue->second.rate;
        }
        row.limits_shared = limits_are_shared(definitions);
        row.paused = found.paused.contains(row.tenant, name);
        if (const auto set = std::ranges::find(found.limits, name, &QueueLimits::queue); set != found.limits.end()) {
            row.concurrency = set->concurrency.value_or(row.concurrency);
            row.rate = set->rate.value_or(row.rate);
            row.limits_set = true;
        }
        for (const JobCount& one : found.counts)
            if (one.queue == name) row.counts.emplace_back(one.state, one.count);
        if (const auto oldest = found.oldest.find(name); oldest != found.oldest.end())
            row.waiting_since = oldest->second;
        for (const auto& [worker_name, worker] : core.work().workers())
            if ((worker_name.first == tenant || worker_name.first == "*") &&
                worker->state == WorkerView::State::alive &&
                std::ranges::find(worker->queues, name) != worker->queues.end())
                ++row.workers;
    }
    return rows;
}

// By which a list of queues stands; 0 by name.
std::int64_t value_of(const QueueRow& row, std::string_view sort)
{
    const auto jobs = [&row](JobState state) {
        const auto found = std::ranges::find(row.counts, state, [](const auto& count) { return count.first; });
        return found == row.counts.end() ? std::int64_t{0} : found->second;
    };
    if (sort == "queued") return jobs(JobState::queued);
    if (sort == "running") return jobs(JobState::running);
    if (sort == "workers") return row.workers;
    if (sort == "waiting_since") return place_of(row.waiting_since);
    return 0;
}

void list_queues(Core& core, const ExchangePtr& exchange, std::span<const std::string>)
{
    const auto query = list_query(exchange, {}, {"name", "queued", "running", "workers", "waiting_since"});
    if (!query || !has_tenant(exchange)) return;
    const auto found = std::make_shared<QueuesRead>();
    read_then(
        core, exchange,
        [found, definitions = core.definitions(), tenant = exchange->caller().tenant](Reads& reads) {
            read_queues(reads, *definitions, tenant, {}, *found);
        },
        [&core, exchange, found, query = *query](streams::Cursor cursor) {
            const auto by_name = rows_of(core, exchange->caller().tenant, *found);
            std::vector<QueueRow> rows;
            for (const auto& [name, row] : by_name) rows.push_back(row);
            const auto page = sorted_page(std::move(rows), query, query.sort.by == "name", [&](const QueueRow& row) {
                return Place{value_of(row, query.sort.by), std::string{row.name}};
            });
            if (!page) return exchange->fail(bad_after());
            JsonOut out;
            out.begin();
            out.begin_list("items");
            for (const QueueRow& row : page->rows) out.raw(queue_json(row));
            out.end_list();
            end_list(out, page->next, cursor, core.now());
            out.end();
            respond_status(exchange, out.take());
        });
}

Problem no_such_queue(const std::string& name)
{
    return make_problem(404, "no_queue", "No such queue", fmt::format("There is no queue \"{}\".", name.substr(0, 128)),
                        "GET /v1/queues lists what there is; a queue begins with its first job or worker.");
}

void answer_queue(Core& core, const ExchangePtr& exchange, const std::string& name)
{
    const auto found = std::make_shared<QueuesRead>();
    read_then(
        core, exchange,
        [found, name, definitions = core.definitions(), tenant = exchange->caller().tenant](Reads& reads) {
            read_queues(reads, *definitions, tenant, name, *found);
        },
        [&core, exchange, found, name](streams::Cursor) {
            auto rows = rows_of(core, exchange->caller().tenant, *found);
            const auto row = rows.find(name);
            if (row == rows.end()) return exchange->fail(no_such_queue(name));
            respond_status(exchange, queue_json(row->second));
        });
}

void show_queue(Core& core, const ExchangePtr& exchange, std::span<const std::string> captures)
{
    if (!only_parameters(exchange, {}) || !has_tenant(exchange)) return;
    answer_queue(core, exchange, captures[0]);
}

// A queue that nobody ever named is no queue: a typo must not pause what does not exist. `then` comes if there is one
// of that name, to the tenant or, for a token of all, to any.
void with_queue(Core& core, const ExchangePtr& exchange, const std::string& name, std::function<void()> then)
{
    const auto found = std::make_shared<std::map<std::string, QueuesRead>>();
    const auto tenants = tenants_of(core, exchange);
    read_each_then(
        core, exchange, tenants,
        [found, name, tenants, definitions = core.definitions()](Reads& reads) {
            for (const std::string& tenant : tenants) read_queues(reads, *definitions, tenant, name, (*found)[tenant]);
        },
        [&core, exchange, found, name, then = std::move(then)](streams::Cursor) {
            for (const auto& [tenant, read] : *found)
                if (rows_of(core, tenant, read).contains(name)) return then();
            exchange->fail(no_such_queue(name));
        });
}

void set_paused(Core& core, const ExchangePtr& exchange, const std::string& name, bool paused)
{
    if (!only_parameters(exchange, {})) return;
    with_queue(core, exchange, name, [&core, exchange, name, paused] {
        const Caller& caller = exchange->caller();
        const std::string owner{key_tenant(*core.definitions(), caller.tenant, name)};
        if (auto problem = check_shared(caller, owner, name)) return exchange->fail(std::move(*problem));
        const bool taken = core.post(PauseQueue{name, paused, owner, caller.name},
                                     [&core, exchange, name, paused](const Reply& reply) {
                                         if (!reply) return fail_refused(core, exchange, reply.error());
                                         if (exchange->caller().tenant == "*")
                                             return respond_paused(core, exchange, reply, "queue", name, paused);
                                         answer_queue(core, exchange, name);
                                     });
        if (!taken) exchange->fail(busy_problem());
    });
}

void pause(Core& core, const ExchangePtr& exchange, std::span<const std::string> captures)
{
    set_paused(core, exchange, captures[0], true);
}
void resume(Core& core, const ExchangePtr& exchange, std::span<const std::string> captures)
{
    set_paused(core, exchange, captures[0], false);
}

void limit(Core& core, const ExchangePtr& exchange, std::span<const std::string> captures)
{
    if (!only_parameters(exchange, {}) || !has_tenant(exchange)) return;
    const Caller& caller = exchange->caller();
    if (!caller.all_tenants && limits_are_shared(*core.definitions()))
        return exchange->fail(make_problem(403, "tenant", "Limits hold for all tenants",
                                           "All tenants share the limits of a queue, and there are several.",
                                           "Use a token of all tenants (*), or set them in [queue.NAME]."));
    BodyReader reader{exchange->request().body, true};
    BodyObject body = reader.object();
    LimitQueue set;
    set.queue = captures[0];
    set.tenant = caller.tenant;
    set.caller = caller.name;
    if (const auto concurrency = body.whole("concurrency", 0, 1'000'000))
        set.concurrency = static_cast<int>(*concurrency);
    if (const BodyValue* value = body.find("rate")) {
        BodyObject rate = value->object();
        rate.need("count", "how many may begin, a whole number; 0 for no limit");
        RateLimit made;
        made.count = rate.whole("count", 0, 1'000'000'000).value_or(0);
        made.per = Millis{rate.whole("per_ms", 1, 24LL * 3600 * 1000).value_or(60'000)};
        rate.end();
        set.rate = made;
    }
    body.end();
    if (reader.problem()) return exchange->fail(*reader.problem());
    with_queue(core, exchange, set.queue, [&core, exchange, set] {
        const bool taken = core.post(set, [&core, exchange, name = set.queue](const Reply& reply) {
            if (!reply) return fail_refused(core, exchange, reply.error());
            answer_queue(core, exchange, name);
        });
        if (!taken) exchange->fail(busy_problem());
    });
}

constexpr std::array queue_table{
    Route{"GET", "/v1/queues", Right::read, &list_queues},
    Route{"GET", "/v1/queues/{queue}", Right::read, &show_queue},
    Route{"POST", "/v1/queues/{queue}/pause", Right::operate, &pause},
    Route{"POST", "/v1/queues/{queue}/resume", Right::operate, &resume},
    Route{"POST", "/v1/queues/{queue}/limits", Right::administer, &limit},
};

} // namespace

void queue_rows(Core& core, const std::string& tenant, RowsThen then)
{
    const auto found = std::make_shared<QueuesRead>();
    read_rows(
        core, tenant,
        [found, tenant, definitions = core.definitions()](Reads& reads) {
            read_queues(reads, *definitions, tenant, {}, *found);
        },
        [&core, tenant, found] {
            streams::Rows rows;
            for (const auto& [name, row] : rows_of(core, tenant, *found)) rows.emplace(name, queue_json(row));
            return rows;
        },
        std::move(then));
}

Routes queue_routes()
{
    return queue_table;
}

} // namespace freshet::http
