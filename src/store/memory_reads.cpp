// SPDX-License-Identifier: Apache-2.0
#include "store/memory_tables.hpp"

#include <algorithm>
#include <limits>

namespace freshet {

namespace {

bool full(const auto& rows, int limit)
{
    return static_cast<std::int64_t>(rows.size()) >= std::int64_t{limit};
}

// Rows with after < id < before (0: no bound) in their order or against it, until `visit` says no.
template <class Rows, class Id, class Visit>
void walk(const Rows& rows, Id after, Id before, bool upwards, Visit&& visit)
{
    const auto first = rows.upper_bound(after);
    const auto end = before == Id{} ? rows.end() : rows.lower_bound(before);
    if (before != Id{} && !(after < before)) return;
    if (upwards) {
        for (auto row = first; row != end && visit(row->first, row->second);) ++row;
        return;
    }
    for (auto row = end; row != first;) {
        --row;
        if (!visit(row->first, row->second)) return;
    }
}

} // namespace

LedgerHead MemoryReads::ledger_head(std::string_view tenant) const
{
    const auto& heads = tables_.heads.rows(side_);
    const auto found = heads.find(std::string{tenant});
    const auto base = static_cast<Seq>(tables_.numbers_base);
    return found == heads.end() ? LedgerHead{base, base} : found->second;
}

std::vector<LedgerEntry> MemoryReads::ledger(std::string_view tenant, Seq after, int limit) const
{
    std::vector<LedgerEntry> entries;
    const auto& rows = tables_.ledger.rows(side_);
    for (auto row = rows.lower_bound({std::string{tenant}, after + 1}); row != rows.end() && row->first.first == tenant;
         ++row)
        for (const LedgerEntry& entry : row->second.entries) {
            if (full(entries, limit)) return entries;
            if (entry.seq > after) entries.push_back(entry);
        }
    return entries;
}

std::optional<KeyRecord> MemoryReads::key(std::string_view tenant, std::string_view key) const
{
    const auto& rows = tables_.keys.rows(side_);
    const auto found = rows.find({std::string{tenant}, std::string{key}});
    return found == rows.end() ? std::nullopt : std::optional{found->second};
}

std::vector<KeyRecord> MemoryReads::keys(std::string_view tenant, std::string_view source, std::string_view after,
                                         int limit) const
{
    std::vector<KeyRecord> found;
    const auto& rows = tables_.keys.rows(side_);
    const KeyId from{std::string{tenant}, std::string{after}};
    for (auto row = rows.upper_bound(from); row != rows.end() && row->first.first == tenant; ++row) {
        if (full(found, limit)) break;
        if (source.empty() || row->second.source == source) found.push_back(row->second);
    }
    return found;
}

std::int64_t MemoryReads::keys_count(std::string_view tenant, std::string_view source) const
{
    return static_cast<std::int64_t>(keys(tenant, source, "", std::numeric_limits<int>::max()).size());
}

std::vector<VersionRecord> MemoryReads::versions(std::string_view tenant, std::string_view key, std::int64_t before_ver,
                                                 int limit) const
{
    std::vector<VersionRecord> found;
    const auto& rows = tables_.versions.rows(side_);
    const std::int64_t below = before_ver > 0 ? before_ver : std::numeric_limits<std::int64_t>::max();
    const std::string t{tenant}, k{key};
    const auto first = rows.lower_bound({t, k, std::numeric_limits<std::int64_t>::min()});
    for (auto row = rows.lower_bound({t, k, below}); row != first && !full(found, limit);)
        found.push_back((--row)->second);
    return found;
}

std::optional<VersionRecord> MemoryReads::version(std::string_view tenant, std::string_view key, std::int64_t ver) const
{
    const auto& rows = tables_.versions.rows(side_);
    const auto found = rows.find({std::string{tenant}, std::string{key}, ver});
    return found == rows.end() ? std::nullopt : std::optional{found->second};
}

std::optional<std::string> MemoryReads::payload(std::int64_t id) const
{
    const auto& rows = tables_.payloads.rows(side_);
    const auto found = rows.find(id);
    if (found == rows.end() || !found->second.kept) return std::nullopt;
    return found->second.bytes;
}

std::optional<Job> MemoryReads::job(JobId id) const
{
    const auto& rows = tables_.jobs.rows(side_);
    const auto found = rows.find(id);
    return found == rows.end() ? std::nullopt : std::optional{found->second.job};
}

std::vector<Job> MemoryReads::live_jobs(std::string_view tenant, std::string_view key) const
{
    std::vector<Job> found;
    for (const auto& [id, nothing] : tables_.live.rows(side_)) {
        const Job& job = tables_.jobs.rows(side_).at(id).job;
        if (job.kind == JobKind::refresh && job.tenant == tenant && job.key == key) found.push_back(job);
    }
    std::ranges::stable_partition(found, [](const Job& job) { return job.state == JobState::running; });
    return found;
}

std::vector<Job> MemoryReads::jobs(const JobFilter& filter) const
{
    std::vector<Job> found;
    walk(tables_.jobs.rows(side_), filter.after, filter.before, filter.oldest_first, [&](JobId, const StoredJob& row) {
        if (full(found, filter.limit)) return false;
        const Job& job = row.job;
        if (job.tenant == filter.tenant && (!filter.state || job.state == *filter.state) &&
            (filter.queue.empty() || job.queue == filter.queue) && (filter.key.empty() || job.key == filter.key) &&
            (!filter.kind || job.kind == *filter.kind) &&
            (filter.tag.empty() || std::ranges::find(job.tags, filter.tag) != job.tags.end()))
            found.push_back(job);
        return true;
    });
    return found;
}

std::vector<AttemptRecord> MemoryReads::attempts(JobId job) const
{
    std::vector<AttemptRecord> found;
    const auto& rows = tables_.attempts.rows(side_);
    for (auto row = rows.lower_bound({job, 0}); row != rows.end() && row->first.first == job; ++row)
        found.push_back(row->second);
    return found;
}

std::vector<JobCount> MemoryReads::job_counts(std::string_view tenant) const
{
    std::map<std::pair<std::string, JobState>, JobCount> counts;
    for (const auto& [id, stored] : tables_.jobs.rows(side_)) {
        const Job& job = stored.job;
        if (job.tenant != tenant) continue;
        JobCount& count = counts[{job.queue, job.state}];
        count = {job.tenant, job.queue, job.state, count.count + 1};
    }
    std::vector<JobCount> found;
    for (const auto& [of, count] : counts) found.push_back(count);
    return found;
}

JobId MemoryReads::oldest_queued(std::string_view tenant, std::string_view queue) const
{
    for (const auto& [id, row] : tables_.jobs.rows(side_))
        if (row.job.state == JobState::queued && row.job.tenant == tenant && row.job.queue == queue) return row.job.id;
    return {};
}

std::vector<LogLine> MemoryReads::job_log(JobId job, std::int64_t after, int limit) const
{
    std::vector<LogLine> found;
    const auto& rows = tables_.log.rows(side_);
    for (auto row = rows.upper_bound({job, after}); row != rows.end() && row->first.first == job; ++row) {
        if (full(found, limit)) break;
        found.push_back(row->second);
    }
    return found;
}

// Batches.

std::optional<Batch> MemoryReads::batch(BatchId id) const
{
    const auto& rows = tables_.batches.rows(side_);
    const auto found = rows.find(id);
    return found == rows.end() ? std::nullopt : std::optional{found->second.batch};
}

std::vector<Batch> MemoryReads::batches(const BatchFilter& filter) const
{
    std::vector<Batch> found;
    const auto add = [&](BatchId, const StoredBatch& row) {
        if (full(found, filter.limit)) return false;
        const Batch& batch = row.batch;
        if (batch.tenant == filter.tenant && (!filter.state || batch.state == *filter.state)) found.push_back(batch);
        return true;
    };
    walk(tables_.batches.rows(side_), filter.after, filter.before, filter.oldest_first, add);
    return found;
}

std::vector<Job> MemoryReads::items(const ItemFilter& filter) const
{
    std::vector<Job> found;
    walk(tables_.jobs.rows(side_), filter.after, filter.before, !filter.newest_first, [&](JobId, const StoredJob& row) {
        if (full(found, filter.limit)) return false;
        const Job& job = row.job;
        if (job.batch && job.batch == filter.batch && (!filter.state || job.state == *filter.state))
            found.push_back(job);
        return true;
    });
    return found;
}

std::optional<Job> MemoryReads::item(BatchId batch, std::string_view item) const
{
    for (const auto& [id, stored] : tables_.jobs.rows(side_))
        if (stored.job.batch && stored.job.batch == batch && stored.job.item == item) return stored.job;
    return std::nullopt;
}

// Small rows.

namespace {

auto values_of(const auto& rows)
{
    std::vector<std::decay_t<decltype(rows.begin()->second)>> values;
    for (const auto& [id, value] : rows) values.push_back(value);
    return values;
}

} // namespace

std::vector<TokenRecord> MemoryReads::tokens() const
{
    return values_of(tables_.tokens.rows(side_));
}

std::vector<QueueLimits> MemoryReads::queue_limits() const
{
    return values_of(tables_.queue_limits.rows(side_));
}

std::vector<ResetRecord> MemoryReads::resets() const
{
    return values_of(tables_.resets.rows(side_));
}

std::vector<ScheduleRecord> MemoryReads::schedules(std::string_view tenant) const
{
    std::vector<ScheduleRecord> found;
    for (const auto& [id, schedule] : tables_.schedules.rows(side_))
        if (schedule.tenant == tenant) found.push_back(schedule);
    return found;
}

std::vector<AuditRow> MemoryReads::audit(const AuditFilter& filter) const
{
    std::vector<AuditRow> found;
    const auto add = [&](std::int64_t number, const AuditRecord& record) {
        if (full(found, filter.limit)) return false;
        if (record.tenant == filter.tenant) found.push_back({number, record});
        return true;
    };
    walk(tables_.audit.rows(side_), filter.after, filter.before, filter.oldest_first, add);
    return found;
}

std::vector<FireRecord> MemoryReads::fires(std::string_view tenant, std::string_view key, int limit) const
{
    std::vector<FireRecord> found;
    const auto& rows = tables_.fires.rows(side_);
    const std::string t{tenant}, k{key};
    const auto first = rows.lower_bound({t, k, WallTime::min()});
    for (auto row = rows.upper_bound({t, k, WallTime::max()}); row != first && !full(found, limit);)
        found.push_back((--row)->second);
    return found;
}

std::vector<std::string> MemoryReads::paused() const
{
    std::vector<std::string> names;
    for (const auto& [name, nothing] : tables_.paused.rows(side_)) names.push_back(name);
    return names;
}

} // namespace freshet
