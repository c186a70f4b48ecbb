// SPDX-License-Identifier: Apache-2.0
#include "store/memory_transaction.hpp"

#include "store/packed_events.hpp"

#include <algorithm>

namespace freshet {

namespace {

template <class Table, class Row>
void drop_oldest(Table& table, WallTime Row::* at, WallTime before)
{
    std::vector<std::pair<WallTime, typename Table::Rows::key_type>> old;
    for (const auto& [id, row] : table.rows(Side::working))
        if (row.*at < before) old.emplace_back(row.*at, id);
    std::ranges::sort(old);
    if (old.size() > static_cast<std::size_t>(rows_per_trim)) old.resize(rows_per_trim);
    for (const auto& [when, id] : old) table.drop(id);
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
    if (tables_.refuses_commit && tables_.refuses_commit()) refuse("no room on the disk");
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

Seq MemoryTransaction::append(std::string_view tenant, const Event& event, WallTime now)
{
    LedgerHead head = ledger_head(tenant);
    LedgerRow& row = told_[std::string{tenant}];
    if (row.entries.empty()) row.at = now;
    row.bytes += static_cast<std::int64_t>(packed_bytes(event));
    row.entries.push_back({++head.head, event});
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
    int left = rows_per_trim;
    const auto& rows = tables_.ledger.rows(Side::working);
    const std::string name{tenant};
    std::int64_t bytes = 0;
    for (auto row = rows.lower_bound({name, 0}); row != rows.end() && row->first.first == name; ++row)
        bytes += row->second.bytes;
    LedgerHead head = ledger_head(tenant);
    for (auto row = rows.lower_bound({name, 0}); row != rows.end() && row->first.first == name;) {
        if (row->second.at >= before && bytes <= bytes_max) break;
        if (left-- == 0) break;
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
    drop_oldest(tables_.idempotency, &IdempotencyRecord::expires_at, expired_before);
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
    drop_oldest(tables_.fires, &FireRecord::fired_at, before);
}

void MemoryTransaction::put_audit(const AuditRecord& record)
{
    const auto& rows = tables_.audit.rows(Side::working);
    tables_.audit.put(rows.empty() ? 1 : rows.rbegin()->first + 1, record);
}

void MemoryTransaction::drop_audit(WallTime before)
{
    drop_oldest(tables_.audit, &AuditRecord::at, before);
}

void MemoryTransaction::trim_audit(std::string_view tenant, std::int64_t rows_max)
{
    std::vector<std::int64_t> own;
    for (const auto& [number, record] : tables_.audit.rows(Side::working))
        if (record.tenant == tenant) own.push_back(number);
    const auto beyond = std::max<std::int64_t>(0, static_cast<std::int64_t>(own.size()) - rows_max);
    for (std::int64_t i = 0; i < std::min<std::int64_t>(beyond, rows_per_trim); ++i)
        tables_.audit.drop(own[static_cast<std::size_t>(i)]);
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

std::vector<RemovedSource> MemoryTransaction::removed_sources()
{
    std::vector<RemovedSource> sources;
    for (const auto& [name, source] : tables_.removed_sources.rows(Side::working)) sources.push_back(source);
    return sources;
}

void MemoryTransaction::put_removed_source(std::string_view name, std::optional<WallTime> removed_at)
{
    if (removed_at)
        tables_.removed_sources.put(std::string{name}, {std::string{name}, *removed_at});
    else
        tables_.removed_sources.drop(std::string{name});
}

} // namespace freshet
