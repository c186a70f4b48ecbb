// SPDX-License-Identifier: Apache-2.0
#include "store/memory_transaction.hpp"

#include "store/packed_events.hpp"

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

} // namespace

MemoryTransaction::MemoryTransaction(MemoryStore::Tables& tables) : tables_{tables}, reads_{tables, Side::working}
{
    tables_.transaction_open = true;
}

MemoryTransaction::~MemoryTransaction()
{
    if (!over_) tables_.roll_back();
    tables_.transaction_open = false;
}

void MemoryTransaction::commit()
{
    if (over_) throw StoreFailure{"the transaction is over: an earlier failure ended it"};
    drop_unnamed_payloads();
    for (auto& [tenant, row] : told_) {
        const Seq last = row.entries.back().seq;
        tables_.ledger.put({tenant, last}, std::move(row));
    }
    tables_.commit();
    over_ = true;
}

void MemoryTransaction::refuse(const std::string& words)
{
    tables_.roll_back();
    told_.clear();
    over_ = true;
    throw StoreFailure{words};
}

// The ledger.

Seq MemoryTransaction::append(std::string_view tenant, Event event, WallTime now)
{
    LedgerHead head = ledger_head(tenant);
    LedgerRow& row = told_[std::string{tenant}];
    if (row.entries.empty()) row.at = now;
    row.bytes += static_cast<std::int64_t>(packed_bytes(event));
    row.entries.push_back({++head.head, std::move(event)});
    tables_.heads.put(std::string{tenant}, head);
    return head.head;
}

std::vector<LedgerEntry> MemoryTransaction::ledger(std::string_view tenant, Seq after, int limit)
{
    std::vector<LedgerEntry> entries = reads_.ledger(tenant, after, limit);
    const auto told = told_.find(tenant);
    if (told == told_.end()) return entries;
    for (const LedgerEntry& entry : told->second.entries)
        if (entry.seq > after && entries.size() < static_cast<std::size_t>(limit)) entries.push_back(entry);
    return entries;
}

std::vector<std::string> MemoryTransaction::tenants()
{
    std::vector<std::string> names;
    for (const auto& [tenant, head] : tables_.heads.rows(Side::working)) names.push_back(tenant);
    return names;
}

void MemoryTransaction::trim_ledger(std::string_view tenant, WallTime before, std::int64_t bytes_max)
{
    const auto& rows = tables_.ledger.rows(Side::working);
    const std::string name{tenant};
    std::int64_t bytes = 0;
    for (auto row = rows.lower_bound({name, 0}); row != rows.end() && row->first.first == name; ++row)
        bytes += row->second.bytes;
    LedgerHead head = ledger_head(tenant);
    for (auto row = rows.lower_bound({name, 0}); row != rows.end() && row->first.first == name;) {
        if (row->second.at >= before && bytes <= bytes_max) break;
        bytes -= row->second.bytes;
        head.floor = row->first.second;
        const auto dropped = (row++)->first;
        tables_.ledger.drop(dropped);
        tables_.heads.put(name, head);
    }
}

// Keys, versions, payloads.

void MemoryTransaction::put_key(const KeyRecord& key)
{
    const KeyId id{key.tenant, key.key};
    if (const auto before = reads_.key(key.tenant, key.key)) {
        if (before->source != key.source) refuse("key " + key.key + " was put with another source");
        unnamed_.insert({before->payload, id});
        if (before->held) unnamed_.insert({before->held->payload, id});
    }
    tables_.keys.put(id, key);
}

void MemoryTransaction::put_version(std::string_view tenant, std::string_view key, const VersionRecord& version)
{
    if (const auto before = reads_.version(tenant, key, version.ver))
        unnamed_.insert({before->payload, {std::string{tenant}, std::string{key}}});
    tables_.versions.put({std::string{tenant}, std::string{key}, version.ver}, version);
}

void MemoryTransaction::drop_version(std::string_view tenant, std::string_view key, std::int64_t ver)
{
    if (const auto before = reads_.version(tenant, key, ver))
        unnamed_.insert({before->payload, {std::string{tenant}, std::string{key}}});
    tables_.versions.drop({std::string{tenant}, std::string{key}, ver});
}

void MemoryTransaction::drop_unnamed_payloads()
{
    for (const auto& [payload, id] : unnamed_) {
        const auto key = reads_.key(id.first, id.second);
        bool named = key && (key->payload == payload || (key->held && key->held->payload == payload));
        for (const VersionRecord& version : reads_.versions(id.first, id.second, 0, 1'000'000))
            named = named || version.payload == payload;
        if (!named) tables_.payloads.drop(payload);
    }
}

std::int64_t MemoryTransaction::put_payload(std::string_view bytes)
{
    const std::int64_t id = tables_.new_payload();
    tables_.payloads.put(id, {std::string{bytes}, true});
    return id;
}

void MemoryTransaction::keep_payload(std::int64_t ahead)
{
    const auto& rows = tables_.payloads.rows(Side::working);
    const auto found = rows.find(ahead);
    if (found == rows.end()) refuse("payload " + std::to_string(ahead) + " was not written ahead, or was dropped");
    PayloadRow row = found->second;
    row.kept = true;
    tables_.payloads.put(ahead, std::move(row));
}

void MemoryTransaction::drop_payload(std::int64_t id)
{
    tables_.payloads.drop(id);
}

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
    if (is_terminal(job.state)) return;
    const std::string_view slot = unique_slot(job);
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
    if (before && (before->tenant != job.tenant || before->kind != job.kind || before->queue != job.queue ||
                   before->key != job.key || before->batch != job.batch || before->item != job.item ||
                   before->tags != job.tags))
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

namespace {

bool is_claimable(const Job& job, WallTime now)
{
    return job.state == JobState::queued && !job.behind && !job.gated && job.due_at <= now;
}

} // namespace

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
    auto found = live_where([&](const StoredJob& stored) {
        return stored.timer_at && *stored.timer_at <= now;
    });
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

std::vector<KeyRecord> MemoryTransaction::keys_due(WallTime now, int limit)
{
    std::vector<const KeyRecord*> due;
    for (const auto& [id, key] : tables_.keys.rows(Side::working))
        if (key.next_at && *key.next_at <= now) due.push_back(&key);
    std::ranges::sort(due, {}, [](const KeyRecord* key) { return std::tie(*key->next_at, key->tenant, key->key); });
    std::vector<KeyRecord> first;
    for (const KeyRecord* key : due) {
        if (first.size() >= static_cast<std::size_t>(limit)) break;
        first.push_back(*key);
    }
    return first;
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

std::vector<JobId> MemoryTransaction::ended_jobs(WallTime before, int limit)
{
    std::vector<std::pair<WallTime, JobId>> found;
    for (const auto& [id, stored] : tables_.jobs.rows(Side::working))
        if (!stored.job.batch && is_terminal(stored.job.state) && stored.job.finished_at &&
            *stored.job.finished_at < before)
            found.emplace_back(*stored.job.finished_at, id);
    std::ranges::sort(found);
    std::vector<JobId> ids;
    for (const auto& [at, id] : found)
        if (ids.size() < static_cast<std::size_t>(limit)) ids.push_back(id);
    return ids;
}

JobId MemoryTransaction::last_job_id()
{
    const auto& jobs = tables_.jobs.rows(Side::working);
    const auto& batches = tables_.batches.rows(Side::working);
    return JobId{std::max(jobs.empty() ? 0 : jobs.rbegin()->first.value,
                          batches.empty() ? 0 : batches.rbegin()->first.value)};
}

void MemoryTransaction::append_log(const LogLine& line)
{
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

std::vector<BatchId> MemoryTransaction::ended_batches(WallTime before, int limit)
{
    std::vector<std::pair<WallTime, BatchId>> ended;
    for (const auto& [id, stored] : tables_.batches.rows(Side::working))
        if (is_terminal(stored.batch.state) && stored.batch.finished_at && *stored.batch.finished_at < before)
            ended.emplace_back(*stored.batch.finished_at, id);
    std::ranges::sort(ended);
    std::vector<BatchId> found;
    for (const auto& [at, id] : ended)
        if (found.size() < static_cast<std::size_t>(limit)) found.push_back(id);
    return found;
}

void MemoryTransaction::drop_batch(BatchId id)
{
    if (!reads_.items({.batch = id, .limit = 1}).empty())
        refuse("batch " + to_text(id) + " still has items; they go first");
    tables_.batches.drop(id);
}

// Small rows.

std::optional<IdempotencyRecord> MemoryTransaction::idempotency(std::string_view tenant, std::string_view caller,
                                                                std::string_view route, std::string_view key)
{
    const auto& rows = tables_.idempotency.rows(Side::working);
    const auto found = rows.find({std::string{tenant}, std::string{caller}, std::string{route}, std::string{key}});
    return found == rows.end() ? std::nullopt : std::optional{found->second};
}

void MemoryTransaction::put_idempotency(const IdempotencyRecord& record)
{
    tables_.idempotency.put({record.tenant, record.caller, record.route, record.key}, record);
}

void MemoryTransaction::drop_idempotency(WallTime expired_before)
{
    const auto& rows = tables_.idempotency.rows(Side::working);
    for (auto row = rows.begin(); row != rows.end();) {
        const auto [id, record] = *row++;
        if (record.expires_at < expired_before) tables_.idempotency.drop(id);
    }
}

std::optional<BreakerRecord> MemoryTransaction::breaker(std::string_view tenant, std::string_view source,
                                                        std::string_view host)
{
    const auto& rows = tables_.breakers.rows(Side::working);
    const auto found = rows.find({std::string{tenant}, std::string{source}, std::string{host}});
    return found == rows.end() ? std::nullopt : std::optional{found->second};
}

void MemoryTransaction::put_breaker(const BreakerRecord& breaker)
{
    tables_.breakers.put({breaker.tenant, breaker.source, breaker.host}, breaker);
}

bool MemoryTransaction::put_fire(const FireRecord& fire)
{
    const std::tuple id{fire.tenant, fire.key, fire.nominal};
    if (tables_.fires.rows(Side::working).contains(id)) return false;
    tables_.fires.put(id, fire);
    return true;
}

void MemoryTransaction::drop_fires(WallTime before)
{
    const auto& rows = tables_.fires.rows(Side::working);
    for (auto row = rows.begin(); row != rows.end();) {
        const auto [id, fire] = *row++;
        if (fire.fired_at < before) tables_.fires.drop(id);
    }
}

void MemoryTransaction::put_audit(const AuditRecord& record)
{
    const auto& rows = tables_.audit.rows(Side::working);
    tables_.audit.put(rows.empty() ? 1 : rows.rbegin()->first + 1, record);
}

void MemoryTransaction::drop_audit(WallTime before)
{
    const auto& rows = tables_.audit.rows(Side::working);
    for (auto row = rows.begin(); row != rows.end();) {
        const auto [number, record] = *row++;
        if (record.at < before) tables_.audit.drop(number);
    }
}

void MemoryTransaction::put_token(const TokenRecord& token)
{
    tables_.tokens.put(token.name, token);
}

bool MemoryTransaction::drop_token(std::string_view name)
{
    const bool was_there = tables_.tokens.rows(Side::working).contains(std::string{name});
    tables_.tokens.drop(std::string{name});
    return was_there;
}

void MemoryTransaction::put_queue_limits(const QueueLimits& limits)
{
    if (limits.concurrency || limits.rate)
        tables_.queue_limits.put(limits.queue, limits);
    else
        tables_.queue_limits.drop(limits.queue);
}

void MemoryTransaction::put_reset(const ResetRecord& reset)
{
    tables_.resets.put({reset.tenant, reset.queue}, reset);
}

void MemoryTransaction::drop_reset(std::string_view tenant, std::string_view queue)
{
    tables_.resets.drop({std::string{tenant}, std::string{queue}});
}

void MemoryTransaction::put_schedule(const ScheduleRecord& schedule)
{
    tables_.schedules.put({schedule.tenant, schedule.name}, schedule);
}

std::vector<ScheduleRecord> MemoryTransaction::schedules_due(WallTime now, int limit)
{
    std::vector<ScheduleRecord> due;
    for (const auto& [id, schedule] : tables_.schedules.rows(Side::working))
        if (!schedule.paused && schedule.next_at && *schedule.next_at <= now) due.push_back(schedule);
    std::ranges::sort(due, {}, [](const ScheduleRecord& s) { return std::tie(*s.next_at, s.tenant, s.name); });
    if (due.size() > static_cast<std::size_t>(limit)) due.resize(static_cast<std::size_t>(limit));
    return due;
}

void MemoryTransaction::put_paused(std::string_view name, bool paused)
{
    if (paused)
        tables_.paused.put(std::string{name}, {});
    else
        tables_.paused.drop(std::string{name});
}

} // namespace freshet
