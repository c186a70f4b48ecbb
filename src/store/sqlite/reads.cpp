// SPDX-License-Identifier: Apache-2.0
#include "store/sqlite/reads.hpp"

#include "store/packed_events.hpp"
#include "store/sqlite/rows.hpp"
#include "store/sqlite/statements.hpp"

#include <algorithm>

namespace freshet::sqlite {

namespace {

VersionRecord take_version(Query& query)
{
    VersionRecord version;
    visit_version(Taker{query}, version);
    return version;
}

} // namespace

LedgerHead Reads::ledger_head(std::string_view tenant)
{
    Query query{connection_, sql::read_head};
    query.bind(tenant);
    const auto base = static_cast<Seq>(numbers_base_);
    LedgerHead head{base, base};
    if (query.row()) query.get(head.head), query.get(head.floor);
    return head;
}

std::vector<LedgerEntry> Reads::ledger(std::string_view tenant, Seq after, int limit)
{
    std::vector<LedgerEntry> entries;
    Query query{connection_, sql::read_ledger};
    query.bind(tenant, after);
    while (entries.size() < static_cast<std::size_t>(limit) && query.row()) {
        const auto first_seq = query.next<Seq>();
        const auto last_seq = query.next<Seq>();
        const auto checksum = query.next<std::uint64_t>();
        const std::string_view bytes = query.view();
        std::vector<LedgerEntry> row;
        if (hash64(bytes) == checksum) row = unpack_events(bytes, first_seq);
        if (row.empty() || row.back().seq != last_seq)
            throw StoreFailure{
                fmt::format("the ledger row of tenant {} with events {} to {} is damaged. Restore data_dir "
                            "from a backup.",
                            tenant, first_seq, last_seq)};
        for (LedgerEntry& entry : row)
            if (entry.seq > after && entries.size() < static_cast<std::size_t>(limit))
                entries.push_back(std::move(entry));
    }
    return entries;
}

std::optional<KeyRecord> Reads::key(std::string_view tenant, std::string_view key)
{
    Query query{connection_, sql::read_key};
    return first(query.bind(tenant, key), take_key);
}

std::vector<KeyRecord> Reads::keys(std::string_view tenant, std::string_view source, std::string_view after, int limit)
{
    if (source.empty()) {
        Query query{connection_, sql::read_keys};
        return all(query.bind(tenant, after, limit), take_key);
    }
    Query query{connection_, sql::read_keys_of_source};
    return all(query.bind(tenant, source, after, limit), take_key);
}

std::int64_t Reads::keys_count(std::string_view tenant, std::string_view source)
{
    Query query{connection_, source.empty() ? sql::count_keys : sql::count_keys_of_source};
    query.bind(tenant);
    if (!source.empty()) query.bind(source);
    return query.row() ? query.next<std::int64_t>() : 0;
}

std::vector<VersionRecord> Reads::versions(std::string_view tenant, std::string_view key, std::int64_t before_ver,
                                           int limit)
{
    Query query{connection_, sql::read_versions};
    return all(query.bind(tenant, key, below(before_ver), limit), take_version);
}

std::optional<VersionRecord> Reads::version(std::string_view tenant, std::string_view key, std::int64_t ver)
{
    Query query{connection_, sql::read_version};
    return first(query.bind(tenant, key, ver), take_version);
}

std::optional<std::string> Reads::payload(std::int64_t id)
{
    Query row{connection_, sql::read_payload};
    if (!row.bind(id).row() || !row.next<bool>()) return std::nullopt;
    const auto chunks = row.next<std::int64_t>();
    const auto size = row.next<std::int64_t>();

    std::string bytes;
    bytes.reserve(static_cast<std::size_t>(std::clamp<std::int64_t>(size, 0, 64 << 20)));
    Query query{connection_, sql::read_chunks};
    query.bind(id * chunks_max, (id + 1) * chunks_max);
    std::int64_t read = 0;
    for (; query.row(); ++read) {
        const auto checksum = query.next<Hash128>();
        const std::string_view chunk = query.view();
        if (hash128(chunk) != checksum)
            throw StoreFailure{fmt::format("payload {} is damaged: the checksum of its chunk {} does not match its {} "
                                           "bytes. Refresh its key, or restore data_dir from a backup.",
                                           id, read, chunk.size())};
        bytes += chunk;
    }
    if (read != chunks || static_cast<std::int64_t>(bytes.size()) != size)
        throw StoreFailure{fmt::format("payload {} is damaged: it has {} of {} chunks and {} of {} bytes. Refresh its "
                                       "key, or restore data_dir from a backup.",
                                       id, read, chunks, bytes.size(), size)};
    return bytes;
}

namespace {

std::vector<std::string> lines_of(std::string_view text)
{
    std::vector<std::string> lines;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size() - 1);
        lines.emplace_back(text.substr(0, end));
        text.remove_prefix(end + 1);
    }
    return lines;
}

} // namespace

std::vector<TokenRecord> Reads::tokens()
{
    Query query{connection_, sql::read_tokens};
    return all(query, [](Query& row) {
        TokenRecord token;
        std::string sources, queues;
        visit_token(Taker{row}, token, sources, queues);
        token.scope = {lines_of(sources), lines_of(queues)};
        return token;
    });
}

std::vector<QueueLimits> Reads::queue_limits()
{
    Query query{connection_, sql::read_queue_limits};
    return all(query, [](Query& row) {
        QueueLimits limits;
        std::optional<std::int64_t> count;
        std::optional<Millis> per;
        Taker{row}(limits.queue, limits.concurrency, count, per);
        if (count && per) limits.rate = RateLimit{*count, *per};
        return limits;
    });
}

std::vector<ResetRecord> Reads::resets()
{
    Query query{connection_, sql::read_resets};
    return all(query, [](Query& row) {
        ResetRecord reset;
        visit_reset(Taker{row}, reset);
        return reset;
    });
}

std::vector<ScheduleRecord> Reads::schedules(std::string_view tenant)
{
    Query query{connection_, sql::read_schedules};
    return all(query.bind(tenant), [](Query& row) {
        ScheduleRecord schedule;
        visit_schedule(Taker{row}, schedule);
        return schedule;
    });
}

std::vector<AuditRow> Reads::audit(const AuditFilter& filter)
{
    Query query{connection_, filter.oldest_first ? sql::read_audit_up : sql::read_audit};
    return all(query.bind(filter.tenant, below(filter.before), filter.after, filter.limit), [](Query& row) {
        AuditRow found;
        AuditRecord& record = found.record;
        Taker{row}(found.number, record.tenant, record.actor, record.action, record.object, record.detail, record.at);
        return found;
    });
}

std::vector<FireRecord> Reads::fires(std::string_view tenant, std::string_view key, int limit)
{
    Query query{connection_, sql::read_fires};
    return all(query.bind(tenant, key, limit), [](Query& row) {
        FireRecord fire;
        visit_fire(Taker{row}, fire);
        return fire;
    });
}

std::vector<std::string> Reads::paused()
{
    Query query{connection_, sql::read_paused};
    return all(query, [](Query& row) { return row.next<std::string>(); });
}

} // namespace freshet::sqlite
