// SPDX-License-Identifier: Apache-2.0
#include "store/sqlite/transaction.hpp"

#include "store/packed_events.hpp"
#include "store/sqlite/rows.hpp"
#include "store/sqlite/statements.hpp"

#include <algorithm>

namespace freshet::sqlite {

SqliteTransaction::SqliteTransaction(Writer& writer)
    : AnsweredByReads{writer.connection(), writer.epoch()}, writer_{writer}, connection_{writer.connection()}
{
    writer_.begin();
}

SqliteTransaction::~SqliteTransaction()
{
    connection_.roll_back();
}

void SqliteTransaction::commit()
{
    if (!writer_.is_open()) throw StoreFailure{"the transaction is over: an earlier failure ended it"};
    drop_unnamed_payloads();
    put_tails();
    writer_.commit();
}

void SqliteTransaction::refuse(const std::string& words)
{
    connection_.roll_back();
    throw StoreFailure{words};
}

// The ledger.

SqliteTransaction::Tail& SqliteTransaction::tail(std::string_view tenant)
{
    const auto known = tails_.find(tenant);
    if (known != tails_.end()) return known->second;
    Tail read;
    Query query{connection_, sql::read_head};
    if (query.bind(tenant).row()) query.get(read.head.head), query.get(read.head.floor), query.get(read.bytes);
    return tails_.emplace(tenant, std::move(read)).first->second;
}

LedgerHead SqliteTransaction::ledger_head(std::string_view tenant)
{
    return tail(tenant).head;
}

std::vector<LedgerEntry> SqliteTransaction::ledger(std::string_view tenant, Seq after, int limit)
{
    std::vector<LedgerEntry> entries = reads_.ledger(tenant, after, limit);
    const Tail& own = tail(tenant);
    for (LedgerEntry& entry : unpack_events(own.events, own.first))
        if (entry.seq > after && entries.size() < static_cast<std::size_t>(limit)) entries.push_back(std::move(entry));
    return entries;
}

Seq SqliteTransaction::append(std::string_view tenant, Event event, WallTime now)
{
    Tail& own = tail(tenant);
    const Seq seq = ++own.head.head;
    if (own.events.empty()) own.first = seq, own.at = now;
    pack_event(own.events, event);
    own.moved = true;
    return seq;
}

void SqliteTransaction::put_tails()
{
    for (auto& [tenant, own] : tails_) {
        if (!own.moved) continue;
        if (!own.events.empty()) {
            Query row{connection_, sql::put_ledger_row};
            row.bind(tenant, own.head.head, own.first, own.at, hash64(own.events)).put_blob(own.events);
            row.run();
            own.bytes += static_cast<std::int64_t>(own.events.size());
        }
        Query{connection_, sql::put_head}.bind(tenant, own.head.head, own.head.floor, own.bytes).run();
    }
}

std::vector<std::string> SqliteTransaction::tenants()
{
    std::set<std::string> names;
    Query query{connection_, sql::read_tenants};
    while (query.row()) names.insert(query.next<std::string>());
    for (const auto& [tenant, own] : tails_)
        if (own.moved) names.insert(tenant);
    return {names.begin(), names.end()};
}

void SqliteTransaction::trim_ledger(std::string_view tenant, WallTime before, std::int64_t bytes_max)
{
    Tail& own = tail(tenant);
    Seq floor = own.head.floor;
    {
        Query query{connection_, sql::oldest_ledger_rows};
        query.bind(tenant);
        while (query.row()) {
            const auto last_seq = query.next<Seq>();
            if (query.next<WallTime>() >= before && own.bytes <= bytes_max) break;
            own.bytes -= query.next<std::int64_t>();
            floor = last_seq;
        }
    }
    if (floor == own.head.floor) return;
    Query{connection_, sql::drop_ledger_rows}.bind(tenant, floor).run();
    own.head.floor = floor;
    own.moved = true;
}

// Keys, versions and their payloads.

void SqliteTransaction::note_unnamed(std::int64_t payload, std::string_view tenant, std::string_view key)
{
    if (payload != 0) unnamed_.emplace(payload, tenant, key);
}

void SqliteTransaction::put_key(const KeyRecord& key)
{
    {
        Query before{connection_, sql::read_key_names};
        if (before.bind(key.tenant, key.key).row()) {
            if (before.view() != key.source) refuse("key " + key.key + " was put with another source");
            const auto payload = before.next<std::int64_t>();
            const auto held = before.next<std::int64_t>();
            if (payload != key.payload) note_unnamed(payload, key.tenant, key.key);
            if (!key.held || held != key.held->payload) note_unnamed(held, key.tenant, key.key);
        }
    }
    Query query{connection_, sql::put_key};
    visit_key(Binder{query}, key);
    query.run();
}

void SqliteTransaction::note_payload_of_version(std::string_view tenant, std::string_view key, std::int64_t ver)
{
    if (const auto before = version(tenant, key, ver)) note_unnamed(before->payload, tenant, key);
}

void SqliteTransaction::put_version(std::string_view tenant, std::string_view key, const VersionRecord& version)
{
    note_payload_of_version(tenant, key, version.ver);
    Query query{connection_, sql::put_version};
    query.bind(tenant, key);
    visit_version(Binder{query}, version);
    query.run();
}

void SqliteTransaction::drop_version(std::string_view tenant, std::string_view key, std::int64_t ver)
{
    note_payload_of_version(tenant, key, ver);
    Query{connection_, sql::drop_version}.bind(tenant, key, ver).run();
}

bool SqliteTransaction::is_named(std::int64_t payload, std::string_view tenant, std::string_view key)
{
    Query of_key{connection_, sql::read_key_names};
    if (of_key.bind(tenant, key).row()) {
        of_key.skip(1);
        if (of_key.next<std::int64_t>() == payload || of_key.next<std::int64_t>() == payload) return true;
    }
    return Query{connection_, sql::version_names_payload}.bind(tenant, key, payload).row();
}

void SqliteTransaction::drop_unnamed_payloads()
{
    // Looked at when all is said: a name may move from a held result to a version in any order of calls.
    for (const auto& [payload, tenant, key] : unnamed_)
        if (!is_named(payload, tenant, key)) writer_.drop_payload(payload);
    unnamed_.clear();
}

void SqliteTransaction::keep_payload(std::int64_t ahead)
{
    Query{connection_, sql::keep_payload}.bind(ahead).run();
    if (sqlite3_changes64(connection_.raw()) == 0)
        refuse(fmt::format("payload {} was not written ahead, or was dropped", ahead));
}

// Jobs.

bool SqliteTransaction::write_job(const char* statement, const Job& job, std::optional<WallTime> timer_at)
{
    Query query{connection_, statement};
    visit_job(Binder{query}, job, timer_at);
    try {
        query.run();
    } catch (const SqliteFailure& failure) {
        if (failure.code() == SQLITE_CONSTRAINT_PRIMARYKEY || failure.code() == SQLITE_CONSTRAINT_ROWID)
            refuse(fmt::format("job {} was put with another tenant, kind, queue or key", to_text(job.id)));
        if (failure.code() != SQLITE_CONSTRAINT_UNIQUE) throw;
        refuse(fmt::format("key {} has a {} refresh already; {} was put beside it", job.key, to_text(job.state),
                           to_text(job.id)));
    }
    return sqlite3_changes64(connection_.raw()) != 0;
}

void SqliteTransaction::put_job(const Job& job, std::optional<WallTime> timer_at)
{
    if (!writer_.is_new_job(job.id) && write_job(sql::update_job, job, timer_at)) return;
    write_job(sql::insert_job, job, timer_at);
}

void SqliteTransaction::put_attempt(const AttemptRecord& attempt)
{
    Query query{connection_, sql::put_attempt};
    visit_attempt(Binder{query}, attempt);
    query.run();
}

void SqliteTransaction::drop_job(JobId id)
{
    Query{connection_, sql::drop_attempts}.bind(id).run();
    Query{connection_, sql::drop_job}.bind(id).run();
}

std::vector<Job> SqliteTransaction::claimable(std::string_view queue, WallTime now, int limit)
{
    std::vector<Job> found;
    for (int priority = 3; priority >= 0 && found.size() < static_cast<std::size_t>(limit); --priority) {
        Query query{connection_, sql::read_claimable};
        query.bind(queue, priority, now, limit - static_cast<int>(found.size()));
        while (query.row()) found.push_back(take_job(query));
    }
    return found;
}

std::vector<Job> SqliteTransaction::timers_due(WallTime now, int limit)
{
    Query query{connection_, sql::read_timers_due};
    return all(query.bind(now, limit), take_job);
}

std::vector<Job> SqliteTransaction::running_jobs(std::string_view worker_prefix, int limit)
{
    std::vector<Job> found;
    Query query{connection_, sql::read_running};
    query.bind(worker_prefix, limit);
    // In byte order the names with the prefix come first, together.
    while (query.row()) {
        Job job = take_job(query);
        if (!job.worker.starts_with(worker_prefix)) break;
        found.push_back(std::move(job));
    }
    return found;
}

std::vector<std::pair<std::string, std::int64_t>> SqliteTransaction::running_counts()
{
    Query query{connection_, sql::count_running};
    return all(query, [](Query& row) {
        std::pair<std::string, std::int64_t> count;
        row.get(count.first);
        row.get(count.second);
        return count;
    });
}

std::vector<KeyRecord> SqliteTransaction::keys_due(WallTime now, int limit)
{
    Query query{connection_, sql::read_keys_due};
    return all(query.bind(now, limit), take_key);
}

std::vector<std::string> SqliteTransaction::ready_queues(WallTime now)
{
    std::vector<std::string> names;
    if (!Query{connection_, sql::any_due}.bind(now).row()) return names;
    // From one queue that has waiting jobs to the next, never over the jobs in between.
    std::optional<std::string> queue = std::string{};
    while (true) {
        {
            Query query{connection_, sql::next_queue};
            queue = first(query.bind(*queue), [](Query& row) { return row.next<std::string>(); });
        }
        if (!queue) return names;
        for (int priority = 3; priority >= 0; --priority)
            if (Query{connection_, sql::is_ready}.bind(*queue, priority, now).row()) {
                names.push_back(*queue);
                break;
            }
    }
}

std::optional<WallTime> SqliteTransaction::next_wake(WallTime now)
{
    std::optional<WallTime> wake;
    for (const char* statement : {sql::next_job_due, sql::next_timer, sql::next_key_due}) {
        Query query{connection_, statement};
        if (!query.bind(now).row() || query.is_null()) continue;
        const auto at = query.next<WallTime>();
        wake = wake ? std::min(*wake, at) : at;
    }
    return wake;
}

std::vector<JobId> SqliteTransaction::ended_jobs(WallTime before, int limit)
{
    Query query{connection_, sql::read_ended};
    return all(query.bind(before, limit), [](Query& row) { return row.next<JobId>(); });
}

JobId SqliteTransaction::last_job_id()
{
    return JobId{connection_.number(sql::last_job_id)};
}

// Small rows.

std::optional<IdempotencyRecord> SqliteTransaction::idempotency(std::string_view tenant, std::string_view caller,
                                                                std::string_view route, std::string_view key)
{
    Query query{connection_, sql::read_idempotency};
    return first(query.bind(tenant, caller, route, key), [](Query& row) {
        IdempotencyRecord record;
        visit_idempotency(Taker{row}, record);
        return record;
    });
}

void SqliteTransaction::put_idempotency(const IdempotencyRecord& record)
{
    Query query{connection_, sql::put_idempotency};
    visit_idempotency(Binder{query}, record);
    query.run();
}

void SqliteTransaction::drop_fires(WallTime before)
{
    Query{connection_, sql::drop_fires}.bind(before).run();
}

void SqliteTransaction::drop_idempotency(WallTime expired_before)
{
    Query{connection_, sql::drop_idempotency}.bind(expired_before).run();
}

std::optional<BreakerRecord> SqliteTransaction::breaker(std::string_view tenant, std::string_view source,
                                                        std::string_view host)
{
    Query query{connection_, sql::read_breaker};
    return first(query.bind(tenant, source, host), [](Query& row) {
        BreakerRecord breaker;
        visit_breaker(Taker{row}, breaker);
        return breaker;
    });
}

void SqliteTransaction::put_breaker(const BreakerRecord& breaker)
{
    Query query{connection_, sql::put_breaker};
    visit_breaker(Binder{query}, breaker);
    query.run();
}

bool SqliteTransaction::put_fire(const FireRecord& fire)
{
    Query query{connection_, sql::put_fire};
    visit_fire(Binder{query}, fire);
    query.run();
    return sqlite3_changes64(connection_.raw()) == 1;
}

void SqliteTransaction::put_audit(const AuditRecord& record)
{
    Query{connection_, sql::put_audit}
        .bind(record.tenant, record.actor, record.action, record.object, record.detail, record.at)
        .run();
}

void SqliteTransaction::put_paused(std::string_view name, bool paused)
{
    Query{connection_, paused ? sql::put_paused : sql::drop_paused}.bind(name).run();
}

} // namespace freshet::sqlite
