// SPDX-License-Identifier: Apache-2.0
#include "ingest.hpp"

#include "layers.hpp"
#include "n8n.hpp"
#include "rows.hpp"
#include "times.hpp"

#include <algorithm>
#include <cstdlib>

namespace metrics {

namespace {

using freshet::Job;
using freshet::Json;
using freshet::LogLevel;

constexpr int phases = 3;
constexpr int unfinished_max = 250;

std::int64_t pages_max()
{
    return std::strtoll(kit::environment("METRICS_PAGES_MAX", "10000").c_str(), nullptr, 10);
}

/// Where a sync is: what its checkpoint carries.
struct Sync {
    std::string cursor;
    std::int64_t pages = 0, read = 0, added = 0, changed = 0, lag_ms = 0;
    bool met_settled = false, over = false;

    explicit Sync(const Json& left)
        : cursor{left["cursor"].text()}, pages{left["pages"].whole()}, read{left["read"].whole()},
          added{left["added"].whole()}, changed{left["changed"].whole()}, lag_ms{left["lag_ms"].whole()},
          met_settled{left["met_settled"].yes()}, over{left["over"].yes()}
    {
    }
    Json told() const
    {
        return {{"cursor", cursor},
                {"pages", pages},
                {"read", read},
                {"added", added},
                {"changed", changed},
                {"lag_ms", lag_ms},
                {"met_settled", met_settled},
                {"over", over}};
    }
    void take(const Stored& stored)
    {
        added += stored.added;
        changed += stored.changed;
        lag_ms = std::max(lag_ms, stored.lag_ms);
    }
};

void read_workflows(Job& job, N8n& n8n, Database& database)
{
    job.progress({.done = 0, .phase = "reading workflows", .unit = "lists", .phases = phases});
    const auto found = n8n.workflows();
    const auto known = workflows_known(database, job.tenant());
    if (known >= 2 && static_cast<std::int64_t>(found.size()) * 2 < known)
        throw freshet::Retryable("n8n of " + job.tenant() + " lists " + std::to_string(found.size()) +
                                     " workflows where " + std::to_string(known) +
                                     " are known: nothing of it is believed",
                                 "suspect");
    store(database, job.tenant(), found);
}

/// @return whether the cap on pages was hit.
bool read_executions(Job& job, N8n& n8n, Database& database, Sync& sync)
{
    const std::int64_t cap = pages_max();
    const auto tell = [&] {
        job.progress({.done = sync.pages,
                      .phase = "reading executions",
                      .unit = "pages",
                      .message = std::to_string(sync.read) + " executions, " + std::to_string(sync.added) + " new",
                      .phases = phases});
    };
    tell();
    while (!sync.over && !sync.met_settled) {
        if (sync.pages >= cap) return true;
        job.check();
        const auto page = n8n.executions(sync.cursor);
        if (!page) {
            job.log(LogLevel::warning,
                    "The cursor of the checkpoint is not known any more: begun anew from the newest");
            sync.cursor.clear();
            continue;
        }
        const Stored stored = store(database, job.tenant(), page->rows, now_ms());
        sync.take(stored);
        sync.met_settled = stored.met_settled;
        sync.read += static_cast<std::int64_t>(page->rows.size());
        ++sync.pages;
        sync.over = page->next.empty() || page->next == sync.cursor;
        sync.cursor = page->next;
        job.checkpoint(sync.told());
        tell();
    }
    return false;
}

std::int64_t read_unfinished(Job& job, N8n& n8n, Database& database, Sync& sync, std::int64_t began)
{
    const auto ids = unfinished(database, job.tenant(), began, unfinished_max);
    std::int64_t done = 0;
    for (const std::string& id : ids) {
        job.check();
        job.progress({.done = done++,
                      .total = static_cast<std::int64_t>(ids.size()),
                      .phase = "reading unfinished executions again",
                      .unit = "executions",
                      .phases = phases});
        if (const auto read = n8n.execution(id))
            sync.take(store(database, job.tenant(), {*read}, now_ms()));
        else
            give_up(database, job.tenant(), id, now_ms());
    }
    return done;
}

} // namespace

Json ingest(Job& job, Database& database)
{
    const std::string& client = job.tenant();
    const std::int64_t began = now_ms();
    N8n n8n(job, client);
    Sync sync{job.checkpoint()};
    const bool first = !knows_settled(database, client);
    if (sync.pages > 0) job.log("Taken up again after page " + std::to_string(sync.pages));
    read_workflows(job, n8n, database);
    const bool capped = read_executions(job, n8n, database, sync);
    const std::int64_t again = read_unfinished(job, n8n, database, sync, began);
    if (capped)
        job.log(LogLevel::warning,
                "The cap of " + std::to_string(sync.pages) + " pages was hit: older executions were not read");
    const bool in_doubt = settle(database, client, !first && !sync.met_settled && !capped, now_ms());
    if (in_doubt)
        job.log(LogLevel::warning, "The list ended before anything that is known: it is read to its end once more");
    // What was read at first may reach back for days: no need to wait for the night.
    if (first) roll_up_days(database, client, now_ms());
    return {{"client_id", client},    {"synced_at", text_of(began)},
            {"pages", sync.pages},    {"read", sync.read},
            {"added", sync.added},    {"changed", sync.changed},
            {"read_again", again},    {"lag_seconds", first ? Json{} : Json{sync.lag_ms / 1000}},
            {"page_cap_hit", capped}, {"in_doubt", in_doubt}};
}

} // namespace metrics
