// SPDX-License-Identifier: Apache-2.0
// Jobs and batches in a MemoryTransaction.
#include "store/kept_bytes.hpp"
#include "store/memory_transaction.hpp"
#include "store/packed_job.hpp"

#include <algorithm>
#include <limits>

namespace freshet {

namespace {

template <class Jobs>
std::vector<Job> first_jobs(const Jobs& jobs, int limit)
{
    std::vector<Job> first;
    for (const StoredJob* stored : jobs) {
        if (first.size() >= static_cast<std::size_t>(limit)) break;
        first.push_back(stored->job);
    }
    return first;
}

template <class Thing>
bool has_ended_before(const Thing& thing, WallTime before)
{
    return is_terminal(thing.state) && thing.finished_at && *thing.finished_at < before;
}

template <class Id>
std::vector<Id> ids_of(const std::vector<Ended<Id>>& found)
{
    std::vector<Id> ids;
    for (const Ended<Id>& ended : found) ids.push_back(ended.id);
    return ids;
}

template <class Id>
std::vector<Ended<Id>> oldest(std::vector<Ended<Id>> found, int limit)
{
    std::ranges::sort(found, {}, [](const Ended<Id>& ended) { return std::pair{ended.at, ended.id}; });
    if (found.size() > static_cast<std::size_t>(limit)) found.resize(static_cast<std::size_t>(limit));
    return found;
}

bool is_claimable(const Job& job, WallTime now)
{
    return job.state == JobState::queued && !job.behind && !job.gated && job.due_at <= now;
}

} // namespace

// Jobs.

template <class Test>
std::vector<const StoredJob*> MemoryTransaction::live_where(Test&& test) const
{
    std::vector<const StoredJob*> found;
    for (const auto& [id, nothing] : tables_.live.rows(Side::working)) {
        const StoredJob& stored = tables_.jobs.rows(Side::working).at(id);
        if (test(stored)) found.push_back(&stored);
    }
    return found;
}

void MemoryTransaction::check_unique(const Job& job)
{
    const std::string_view slot = unique_slot(job);
    if (is_terminal(job.state) || (job.kind != JobKind::refresh && slot.empty())) return;
    for (const StoredJob* stored : live_where([&](const StoredJob& s) {
             return s.job.id != job.id && s.job.state == job.state && s.job.tenant == job.tenant;
         })) {
        const Job& other = stored->job;
        if (job.kind == JobKind::refresh && other.kind == JobKind::refresh && other.key == job.key)
            refuse("key " + job.key + " has a " + std::string{to_text(job.state)} + " refresh already; " +
                   to_text(job.id) + " was put beside it");
        if (!slot.empty() && other.queue == job.queue && unique_slot(other) == slot)
            refuse("unique key " + std::string{slot} + " has a " + std::string{to_text(job.state)} + " job already; " +
                   to_text(job.id) + " was put beside it");
    }
}

void MemoryTransaction::put_job(const Job& job, std::optional<WallTime> timer_at)
{
    const auto before = reads_.job(job.id);
    if (before &&
        (before->tenant != job.tenant || before->kind != job.kind || before->queue != job.queue ||
         before->key != job.key || before->batch != job.batch || before->item != job.item || before->tags != job.tags))
        refuse("job " + to_text(job.id) + " was put with another tenant, kind, queue, key, batch, item or tags");
    if (!before && job.batch && reads_.item(job.batch, job.item))
        refuse("batch " + to_text(job.batch) + " has an item " + job.item + " already; " + to_text(job.id) +
               " was put beside it");
    check_unique(job);
    if (before && before->result_payload != job.result_payload) tables_.payloads.drop(before->result_payload);
    tables_.jobs.put(job.id, {job, timer_at});
    if (is_terminal(job.state))
        tables_.live.drop(job.id);
    else
        tables_.live.put(job.id, {});
}

std::vector<Job> MemoryTransaction::holding(std::string_view tenant, std::string_view queue, std::string_view slot)
{
    std::vector<Job> found;
    if (slot.empty()) return found;
    const auto& rows = tables_.jobs.rows(Side::working);
    for (auto row = rows.rbegin(); row != rows.rend() && found.size() < 3; ++row) {
        const Job& job = row->second.job;
        if (job.tenant == tenant && job.queue == queue && unique_slot(job) == slot) found.push_back(job);
    }
    return found;
}

void MemoryTransaction::put_attempt(const AttemptRecord& attempt)
{
    tables_.attempts.put({attempt.job, attempt.fence}, attempt);
}

void MemoryTransaction::drop_job(JobId id)
{
    for (const AttemptRecord& attempt : reads_.attempts(id)) tables_.attempts.drop({id, attempt.fence});
    for (const LogLine& line : reads_.job_log(id, 0, std::numeric_limits<int>::max()))
        tables_.log.drop({id, line.number});
    if (const auto job = reads_.job(id)) tables_.payloads.drop(job->result_payload);
    tables_.jobs.drop(id);
    tables_.live.drop(id);
}

std::vector<Job> MemoryTransaction::claimable(std::string_view queue, std::string_view tenant, WallTime now, int limit)
{
    auto found = live_where([&](const StoredJob& stored) {
        return is_claimable(stored.job, now) && stored.job.queue == queue && stored.job.tenant == tenant;
    });
    std::ranges::sort(found, {}, [](const StoredJob* stored) {
        return std::tuple{-stored->job.priority, stored->job.due_at, stored->job.id};
    });
    return first_jobs(found, limit);
}

std::vector<std::string> MemoryTransaction::ready_tenants(std::string_view queue, std::string_view after, WallTime now,
                                                          int limit)
{
    std::set<std::string> names;
    for (const StoredJob* stored : live_where([&](const StoredJob& s) { return is_claimable(s.job, now); }))
        if (stored->job.queue == queue) names.insert(stored->job.tenant);
    std::vector<std::string> found{names.begin(), names.end()};
    std::ranges::rotate(found, std::ranges::upper_bound(found, after));
    if (found.size() > static_cast<std::size_t>(limit)) found.resize(static_cast<std::size_t>(limit));
    return found;
}

std::vector<Job> MemoryTransaction::timers_due(WallTime now, int limit)
{
    auto found = live_where([&](const StoredJob& stored) { return stored.timer_at && *stored.timer_at <= now; });
    std::ranges::sort(found, {}, [](const StoredJob* stored) { return std::pair{*stored->timer_at, stored->job.id}; });
    return first_jobs(found, limit);
}

std::vector<Job> MemoryTransaction::running_jobs(std::string_view worker_prefix, int limit)
{
    auto found = live_where([&](const StoredJob& stored) {
        return stored.job.state == JobState::running && stored.job.worker.starts_with(worker_prefix);
    });
    std::ranges::sort(found, {}, [](const StoredJob* stored) { return std::tie(stored->job.worker, stored->job.id); });
    return first_jobs(found, limit);
}

std::vector<std::pair<std::string, std::int64_t>> MemoryTransaction::running_counts()
{
    std::map<std::string, std::int64_t> counts;
    for (const StoredJob* stored : live_where([](const StoredJob& s) { return s.job.state == JobState::running; }))
        ++counts[stored->job.queue];
    return {counts.begin(), counts.end()};
}

std::vector<std::string> MemoryTransaction::ready_queues(WallTime now)
{
    std::set<std::string> names;
    for (const StoredJob* stored : live_where([&](const StoredJob& s) { return is_claimable(s.job, now); }))
        names.insert(stored->job.queue);
    return {names.begin(), names.end()};
}

std::optional<WallTime> MemoryTransaction::next_wake(WallTime now)
{
    std::optional<WallTime> wake;
    const auto consider = [&](std::optional<WallTime> at) {
        if (at && *at > now && (!wake || *at < *wake)) wake = at;
    };
    for (const auto& [id, nothing] : tables_.live.rows(Side::working)) {
        const auto& [job, timer_at] = tables_.jobs.rows(Side::working).at(id);
        consider(timer_at);
        if (job.state == JobState::queued && !job.behind && !job.gated) consider(job.due_at);
    }
    for (const auto& [id, key] : tables_.keys.rows(Side::working)) consider(key.next_at);
    for (const auto& [id, batch] : tables_.batches.rows(Side::working)) consider(batch.timer_at);
    for (const auto& [id, schedule] : tables_.schedules.rows(Side::working))
        if (!schedule.paused) consider(schedule.next_at);
    return wake;
}

std::vector<Ended<JobId>> MemoryTransaction::ended_jobs(std::string_view tenant, WallTime before, int limit)
{
    std::vector<Ended<JobId>> found;
    for (const auto& [id, stored] : tables_.jobs.rows(Side::working))
        if (const Job& job = stored.job; job.tenant == tenant && !job.batch && has_ended_before(job, before))
            found.push_back({id, *job.finished_at});
    return oldest(std::move(found), limit);
}

KeptFigures MemoryTransaction::kept_figures(std::string_view tenant)
{
    KeptFigures figures;
    const auto& jobs = tables_.jobs.rows(Side::working);
    for (const auto& [id, stored] : jobs) {
        const Job& job = stored.job;
        if (job.tenant != tenant) continue;
        figures.live_bytes += live_bytes_of(job);
        if (!is_terminal(job.state)) continue;
        ++figures.ended;
        figures.ended_bytes += static_cast<std::int64_t>(pack_job(job).size());
        const auto& payloads = tables_.payloads.rows(Side::working);
        if (const auto payload = payloads.find(job.result_payload); payload != payloads.end())
            figures.ended_bytes += static_cast<std::int64_t>(payload->second.bytes.size());
    }
    for (const auto& [number, line] : tables_.log.rows(Side::working))
        if (jobs.at(line.job).job.tenant == tenant) figures.log_bytes += log_bytes_of(line);
    return figures;
}

std::vector<std::string> MemoryTransaction::live_refresh_keys(std::string_view tenant, std::string_view after,
                                                              int limit)
{
    std::set<std::string> keys;
    for (const StoredJob* stored : live_where([&](const StoredJob& s) {
             return s.job.kind == JobKind::refresh && s.job.tenant == tenant && s.job.key > after;
         }))
        keys.insert(stored->job.key);
    std::vector<std::string> first{keys.begin(), keys.end()};
    if (first.size() > static_cast<std::size_t>(limit)) first.resize(static_cast<std::size_t>(limit));
    return first;
}

JobId MemoryTransaction::last_job_id()
{
    const auto& jobs = tables_.jobs.rows(Side::working);
    const auto& batches = tables_.batches.rows(Side::working);
    return JobId{
        std::max(jobs.empty() ? 0 : jobs.rbegin()->first.value, batches.empty() ? 0 : batches.rbegin()->first.value)};
}

void MemoryTransaction::append_log(const LogLine& line)
{
    if (!reads_.job(line.job)) refuse("a line was put for job " + to_text(line.job) + ", which is not there");
    tables_.log.put({line.job, line.number}, line);
}

// Batches.

std::vector<Job> MemoryTransaction::gated_items(BatchId batch, int limit)
{
    return first_jobs(live_where([&](const StoredJob& stored) {
                          const Job& job = stored.job;
                          return job.state == JobState::queued && job.gated && job.batch && job.batch == batch;
                      }),
                      limit);
}

void MemoryTransaction::put_batch(const Batch& batch, std::optional<WallTime> timer_at)
{
    if (const auto before = reads_.batch(batch.id);
        before && (before->tenant != batch.tenant || before->queue != batch.queue))
        refuse("batch " + to_text(batch.id) + " was put with another tenant or queue");
    tables_.batches.put(batch.id, {batch, timer_at});
}

std::vector<Batch> MemoryTransaction::batch_timers_due(WallTime now, int limit)
{
    std::vector<std::pair<WallTime, BatchId>> due;
    for (const auto& [id, stored] : tables_.batches.rows(Side::working))
        if (stored.timer_at && *stored.timer_at <= now) due.emplace_back(*stored.timer_at, id);
    std::ranges::sort(due);
    std::vector<Batch> found;
    for (const auto& [at, id] : due)
        if (found.size() < static_cast<std::size_t>(limit))
            found.push_back(tables_.batches.rows(Side::working).at(id).batch);
    return found;
}

std::vector<Ended<BatchId>> MemoryTransaction::ended_batches(std::string_view tenant, WallTime before, int limit)
{
    std::vector<Ended<BatchId>> found;
    for (const auto& [id, stored] : tables_.batches.rows(Side::working))
        if (stored.batch.tenant == tenant && has_ended_before(stored.batch, before))
            found.push_back({id, *stored.batch.finished_at});
    return oldest(std::move(found), limit);
}

void MemoryTransaction::drop_batch(BatchId id)
{
    if (!reads_.items({.batch = id, .limit = 1}).empty())
        refuse("batch " + to_text(id) + " still has items; they go first");
    tables_.batches.drop(id);
}

} // namespace freshet
