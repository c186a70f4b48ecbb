// SPDX-License-Identifier: Apache-2.0
// Remote workers as the notices told of them, and the request to take no more (spec "The wire contract" §4).
//
// A worker is known by its calls to this process; nothing of it is on disk. One of all tenants ("*") is shown to
// callers of all tenants only: what it does for others is nobody's business (F9). Threads: the loop's.
#include "http/hub_host.hpp"
#include "http/list_rows.hpp"
#include "http/problems.hpp"
#include "http/route.hpp"
#include "http/sorted_page.hpp"
#include "http/status_answer.hpp"
#include "http/streams/present.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <map>

namespace freshet::http {

namespace {

struct Listed {
    std::string name; ///< with the tenant in lists of all
    std::shared_ptr<const WorkerView> worker;
};

// By which a list of workers stands; 0 by id.
std::int64_t value_of(const WorkerView& worker, std::string_view sort)
{
    if (sort == "beat_at") return place_of(worker.beat_at);
    if (sort == "claim_at") return place_of(worker.claim_at);
    if (sort == "busy") return static_cast<std::int64_t>(worker.jobs.size());
    return 0;
}

void list_workers(Core& core, const ExchangePtr& exchange, std::span<const std::string>)
{
    const auto query = list_query(exchange, {"queue", "state"}, {"id", "beat_at", "claim_at", "busy"});
    if (!query) return;
    const std::string tenant = exchange->caller().tenant;
    constexpr std::array<std::string_view, 5> words{"", "alive", "deaf", "lost", "draining"};
    if (std::ranges::find(words, std::string_view{query->state}) == words.end())
        return exchange->fail(bad_parameter(fmt::format("state \"{}\" is not known.", query->state.substr(0, 32)),
                                            "alive, deaf, lost or draining."));
    // Behind every commit so far, so that a stream opened with the cursor misses nothing.
    read_then(
        core, exchange, [](Reads&) {},
        [&core, exchange, query = *query, tenant](streams::Cursor cursor) {
            core.catch_up();
            std::map<std::string_view, std::int64_t> counts{{"alive", 0}, {"deaf", 0}, {"lost", 0}, {"draining", 0}};
            std::vector<Listed> found;
            for (const auto& [name, worker] : core.work().workers()) {
                if (tenant != "*" && name.first != tenant) continue;
                if (!query.queue.empty() && std::ranges::find(worker->queues, query.queue) == worker->queues.end())
                    continue;
                const std::string_view state = to_text(worker->state);
                ++counts[state];
                if (!query.state.empty() && state != query.state) continue;
                found.push_back({tenant == "*" ? fmt::format("{}/{}", name.first, name.second) : name.second, worker});
            }
            const auto page = sorted_page(std::move(found), query, query.sort.by == "id", [&](const Listed& one) {
                return Place{value_of(*one.worker, query.sort.by), one.name};
            });
            if (!page) return exchange->fail(bad_after());
            JsonOut out;
            out.begin();
            out.begin_list("items");
            for (const Listed& one : page->rows) out.raw(streams::shown_worker_json(*one.worker));
            out.end_list();
            out.begin("counts");
            for (const auto& [state, count] : counts) out.whole(state, count);
            out.end();
            end_list(out, page->next, cursor, core.now());
            out.end();
            respond_status(exchange, out.take());
        });
}

std::shared_ptr<const WorkerView> find_worker(Core& core, const std::string& tenant, const std::string& id)
{
    core.catch_up();
    for (const auto& [name, worker] : core.work().workers())
        if (name.second == id && (tenant == "*" || name.first == tenant)) return worker;
    return nullptr;
}

Problem no_such_worker(const std::string& id)
{
    return make_problem(404, "no_worker", "No such worker",
                        fmt::format("No worker \"{}\" is known here.", id.substr(0, 128)),
                        "GET /v1/workers lists those that have called since the server started.");
}

void show_worker(Core& core, const ExchangePtr& exchange, std::span<const std::string> captures)
{
    if (!only_parameters(exchange, {})) return;
    const auto worker = find_worker(core, exchange->caller().tenant, captures[0]);
    if (!worker) return exchange->fail(no_such_worker(captures[0]));
    respond_status(exchange, streams::shown_worker_json(*worker));
}

void drain(Core& core, const ExchangePtr& exchange, std::span<const std::string> captures)
{
    if (!only_parameters(exchange, {})) return;
    const Caller& caller = exchange->caller();
    if (!find_worker(core, caller.tenant, captures[0])) return exchange->fail(no_such_worker(captures[0]));
    const bool taken = core.post(DrainWorker{captures[0], caller.tenant, caller.name},
                                 [&core, exchange, id = captures[0]](const Reply& reply) {
                                     if (!reply) return fail_refused(core, exchange, reply.error());
                                     const auto worker = find_worker(core, exchange->caller().tenant, id);
                                     if (!worker) return exchange->fail(no_such_worker(id));
                                     respond_status(exchange, streams::shown_worker_json(*worker));
                                 });
    if (!taken) exchange->fail(busy_problem());
}

constexpr std::array worker_table{
    Route{"GET", "/v1/workers", Right::read, &list_workers},
    Route{"GET", "/v1/workers/{worker}", Right::read, &show_worker},
    Route{"POST", "/v1/workers/{worker}/drain", Right::operate, &drain},
};

} // namespace

std::shared_ptr<const streams::Rows> worker_rows(Core& core, const std::string& tenant)
{
    auto rows = std::make_shared<streams::Rows>();
    for (const auto& [name, worker] : core.work().workers())
        if (name.first == tenant) rows->emplace(name.second, streams::shown_worker_json(*worker));
    return rows;
}

Routes worker_routes()
{
    return worker_table;
}

} // namespace freshet::http
