// SPDX-License-Identifier: Apache-2.0
#include "store/sqlite/transaction.hpp"

#include "store/packed_events.hpp"
#include "store/sqlite/rows.hpp"
#include "store/sqlite/statements.hpp"

#include <algorithm>

namespace freshet::sqlite {

SqliteTransaction::SqliteTransaction(Writer& writer)
    : AnsweredByReads{writer.connection(), writer.life()}, writer_{writer}, connection_{writer.connection()}
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
    put_counts();
    put_kept();
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
    const auto base = static_cast<Seq>(writer_.life().numbers_base);
    Tail read{.head = {base, base}};
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

Seq SqliteTransaction::append(std::string_view tenant, const Event& event, WallTime now)
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
    int left = rows_per_trim;
    {
        Query query{connection_, sql::oldest_ledger_rows};
        query.bind(tenant);
        while (query.row()) {
            const auto last_seq = query.next<Seq>();
            if (query.next<WallTime>() >= before && own.bytes <= bytes_max) break;
            if (left-- == 0) break;
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

std::vector<KeyRecord> SqliteTransaction::keys_due(WallTime now, int limit)
{
    Query query{connection_, sql::read_keys_due};
    return all(query.bind(now, limit), take_key);
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
    Query{connection_, sql::drop_fires}.bind(before, rows_per_trim).run();
}

void SqliteTransaction::drop_idempotency(WallTime expired_before)
{
    Query{connection_, sql::drop_idempotency}.bind(expired_before, rows_per_trim).run();
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

void SqliteTransaction::drop_audit(WallTime before)
{
    Query{connection_, sql::drop_audit}.bind(before, rows_per_trim).run();
}

void SqliteTransaction::trim_audit(std::string_view tenant, std::int64_t rows_max)
{
    std::int64_t last = 0;
    {
        Query query{connection_, sql::newest_audit_beyond};
        if (!query.bind(tenant, rows_max).row()) return;
        last = query.next<std::int64_t>();
    }
    Query{connection_, sql::drop_audit_to}.bind(tenant, last, rows_per_trim).run();
}

void SqliteTransaction::put_token(const TokenRecord& token)
{
    const auto lines = [](const std::vector<std::string>& names) {
        std::string text;
        for (const std::string& name : names) text += name + "\n";
        return text;
    };
    const std::string sources = lines(token.scope.sources), queues = lines(token.scope.queues);
    Query query{connection_, sql::put_token};
    visit_token(Binder{query}, token, sources, queues);
    query.run();
}

bool SqliteTransaction::drop_token(std::string_view name)
{
    Query{connection_, sql::drop_token}.bind(name).run();
    return sqlite3_changes64(connection_.raw()) == 1;
}

void SqliteTransaction::put_queue_limits(const QueueLimits& limits)
{
    if (!limits.concurrency && !limits.rate) {
        Query{connection_, sql::drop_queue_limits}.bind(limits.queue).run();
        return;
    }
    std::optional<std::int64_t> count;
    std::optional<Millis> per;
    if (limits.rate) count = limits.rate->count, per = limits.rate->per;
    Query query{connection_, sql::put_queue_limits};
    Binder{query}(limits.queue, limits.concurrency, count, per);
    query.run();
}

void SqliteTransaction::put_reset(const ResetRecord& reset)
{
    Query query{connection_, sql::put_reset};
    visit_reset(Binder{query}, reset);
    query.run();
}

void SqliteTransaction::drop_reset(std::string_view tenant, std::string_view queue)
{
    Query{connection_, sql::drop_reset}.bind(tenant, queue).run();
}

void SqliteTransaction::put_schedule(const ScheduleRecord& schedule)
{
    Query query{connection_, sql::put_schedule};
    visit_schedule(Binder{query}, schedule);
    query.run();
}

std::vector<ScheduleRecord> SqliteTransaction::schedules_due(WallTime now, int limit)
{
    Query query{connection_, sql::read_schedules_due};
    return all(query.bind(now, limit), [](Query& row) {
        ScheduleRecord schedule;
        visit_schedule(Taker{row}, schedule);
        return schedule;
    });
}

void SqliteTransaction::put_paused(std::string_view name, bool paused)
{
    Query{connection_, paused ? sql::put_paused : sql::drop_paused}.bind(name).run();
}

std::vector<RemovedSource> SqliteTransaction::removed_sources()
{
    Query query{connection_, sql::read_removed_sources};
    return all(query, [](Query& row) {
        RemovedSource source;
        Taker{row}(source.name, source.removed_at);
        return source;
    });
}

void SqliteTransaction::put_removed_source(std::string_view name, std::optional<WallTime> removed_at)
{
    if (removed_at)
        Query{connection_, sql::put_removed_source}.bind(name, *removed_at).run();
    else
        Query{connection_, sql::drop_removed_source}.bind(name).run();
}

} // namespace freshet::sqlite
