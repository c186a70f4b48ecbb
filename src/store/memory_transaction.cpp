// SPDX-License-Identifier: Apache-2.0
#include "store/memory_transaction.hpp"

#include "store/packed_events.hpp"

#include <algorithm>

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
    if (job.kind != JobKind::refresh || is_terminal(job.state)) return;
    for (const Job& other : reads_.live_jobs(job.tenant, job.key))
        if (other.id != job.id && other.state == job.state)
            refuse("key " + job.key + " has a " + std::string{to_text(job.state)} + " refresh already; " +
                   to_text(job.id) + " was put beside it");
}

void MemoryTransaction::put_job(const Job& job, std::optional<WallTime> timer_at)
{
    if (const auto before = reads_.job(job.id); before && (before->tenant != job.tenant || before->kind != job.kind ||
                                                           before->queue != job.queue || before->key != job.key))
        refuse("job " + to_text(job.id) + " was put with another tenant, kind, queue or key");
    check_unique(job);
    tables_.jobs.put(job.id, {job, timer_at});
    if (is_terminal(job.state))
        tables_.live.drop(job.id);
    else
        tables_.live.put(job.id, {});
}

void MemoryTransaction::put_attempt(const AttemptRecord& attempt)
{
    tables_.attempts.put({attempt.job, attempt.fence}, attempt);
}

void MemoryTransaction::drop_job(JobId id)
{
    for (const AttemptRecord& attempt : reads_.attempts(id)) tables_.attempts.drop({id, attempt.fence});
    tables_.jobs.drop(id);
    tables_.live.drop(id);
}

std::vector<Job> MemoryTransaction::claimable(std::string_view queue, WallTime now, int limit)
{
    auto found = live_where([&](const StoredJob& stored) {
        const Job& job = stored.job;
        return job.state == JobState::queued && !job.behind && job.queue == queue && job.due_at <= now;
    });
    std::ranges::sort(found, {}, [](const StoredJob* stored) {
        return std::tuple{-stored->job.priority, stored->job.due_at, stored->job.id};
    });
    return first_jobs(found, limit);
}

std::vector<Job> MemoryTransaction::timers_due(WallTime now, int limit)
{
    auto found = live_where([&](const StoredJob& stored) {
        return stored.job.state == JobState::running && stored.timer_at && *stored.timer_at <= now;
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
    for (const StoredJob* stored : live_where([&](const StoredJob& s) {
             return s.job.state == JobState::queued && !s.job.behind && s.job.due_at <= now;
         }))
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
        if (job.state == JobState::running)
            consider(timer_at);
        else if (!job.behind)
            consider(job.due_at);
    }
    for (const auto& [id, key] : tables_.keys.rows(Side::working)) consider(key.next_at);
    return wake;
}

std::vector<JobId> MemoryTransaction::ended_jobs(WallTime before, int limit)
{
    std::vector<std::pair<WallTime, JobId>> found;
    for (const auto& [id, stored] : tables_.jobs.rows(Side::working))
        if (is_terminal(stored.job.state) && stored.job.finished_at && *stored.job.finished_at < before)
            found.emplace_back(*stored.job.finished_at, id);
    std::ranges::sort(found);
    std::vector<JobId> ids;
    for (const auto& [at, id] : found)
        if (ids.size() < static_cast<std::size_t>(limit)) ids.push_back(id);
    return ids;
}

JobId MemoryTransaction::last_job_id()
{
    const auto& rows = tables_.jobs.rows(Side::working);
    return rows.empty() ? JobId{} : rows.rbegin()->first;
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

void MemoryTransaction::put_paused(std::string_view name, bool paused)
{
    if (paused)
        tables_.paused.put(std::string{name}, {});
    else
        tables_.paused.drop(std::string{name});
}

} // namespace freshet
