// SPDX-License-Identifier: Apache-2.0
#include "store/packed_events.hpp"

#include "store/packed_job.hpp"
#include "store/store.hpp"

#include <array>

namespace freshet {

namespace {

constexpr unsigned flag_terminal = 1, flag_told = 2;
constexpr std::size_t head_bytes = 2 + 3 * 4;

void put_length(std::string& row, std::size_t length)
{
    if (length > 0xffff'ffffU) throw StoreFailure{"an event of more than 4 GiB cannot be kept in the ledger"};
    for (int shift = 0; shift < 32; shift += 8) row.push_back(static_cast<char>(length >> shift & 0xff));
}

[[noreturn]] void broken(Seq seq)
{
    throw StoreFailure{"the ledger row of event " + std::to_string(seq) +
                       " cannot be read: its bytes are damaged. Restore the data directory from a backup."};
}

/// Takes texts from the front of a row, never past its end.
struct Cursor {
    std::string_view left;
    Seq seq;

    std::string_view take(std::size_t length)
    {
        if (length > left.size()) broken(seq);
        const std::string_view taken = left.substr(0, length);
        left.remove_prefix(length);
        return taken;
    }
    std::size_t take_byte() { return static_cast<unsigned char>(take(1)[0]); }
    std::size_t take_length()
    {
        std::size_t length = 0;
        const std::string_view bytes = take(4);
        for (int i = 0; i < 4; ++i)
            length |= std::size_t{static_cast<unsigned char>(bytes[static_cast<std::size_t>(i)])} << 8 * i;
        return length;
    }
};

} // namespace

std::size_t packed_bytes(const Event& event)
{
    if (event.told) {
        const PackedTold packed = pack_told(*event.told);
        return head_bytes + packed.place.size() + packed.job.size();
    }
    return head_bytes + event.topic.size() + event.data.size() + event.also.size();
}

void pack_event(std::string& row, const Event& event)
{
    const auto put = [&](unsigned flags, std::string_view a, std::string_view b, std::string_view c) {
        row.push_back(static_cast<char>(event.kind));
        row.push_back(static_cast<char>(flags | (event.terminal ? flag_terminal : 0U)));
        for (const std::string_view text : {a, b, c}) put_length(row, text.size());
        for (const std::string_view text : {a, b, c}) row += text;
    };
    if (!event.told) return put(0, event.topic, event.data, event.also);
    const PackedTold packed = pack_told(*event.told);
    put(flag_told, packed.place, packed.job, {});
}

std::vector<LedgerEntry> unpack_events(std::string_view row, Seq first)
{
    std::vector<LedgerEntry> entries;
    Cursor cursor{row, first};
    for (; !cursor.left.empty(); ++cursor.seq) {
        LedgerEntry entry{cursor.seq, {}};
        const std::size_t kind = cursor.take_byte();
        if (kind > static_cast<std::size_t>(EventKind::batch)) broken(cursor.seq);
        entry.event.kind = static_cast<EventKind>(kind);
        const std::size_t flags = cursor.take_byte();
        if ((flags & ~std::size_t{flag_terminal | flag_told}) != 0) broken(cursor.seq);
        entry.event.terminal = (flags & flag_terminal) != 0;
        const std::array lengths{cursor.take_length(), cursor.take_length(), cursor.take_length()};
        if ((flags & flag_told) != 0) {
            const std::string_view place = cursor.take(lengths[0]), job = cursor.take(lengths[1]);
            if (lengths[2] != 0 || entry.event.kind != EventKind::job) broken(cursor.seq);
            entry.event = job_event(unpack_told(place, job), entry.event.terminal);
            entries.push_back(std::move(entry));
            continue;
        }
        entry.event.topic = cursor.take(lengths[0]);
        entry.event.data = cursor.take(lengths[1]);
        entry.event.also = cursor.take(lengths[2]);
        entries.push_back(std::move(entry));
    }
    return entries;
}

} // namespace freshet
