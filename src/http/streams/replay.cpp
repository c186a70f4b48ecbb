// SPDX-License-Identifier: Apache-2.0
#include "http/streams/replay.hpp"

#include "wire/views.hpp"

#include <algorithm>
#include <map>
#include <simdjson.h>

namespace freshet::streams {

namespace {

// The key that an event is about: of a refresh's job event the key of its job.
std::string key_of(const Event& event)
{
    if (event.kind == EventKind::change && event.topic.starts_with("data/")) return event.topic.substr(5);
    if (event.kind != EventKind::job) return {};
    if (event.told) return event.told->job->key;
    simdjson::dom::parser parser;
    simdjson::dom::element root;
    std::string_view key;
    if (parser.parse(event.data).get(root) != simdjson::SUCCESS) return {};
    if (root["job"]["key"].get(key) != simdjson::SUCCESS) return {};
    return std::string{key};
}

/// Keys whose meta changed without an event of their own since their last change event, and the first seq at which.
using Touched = std::map<std::string, Seq, std::less<>>;

void touch(Replay& replay, Touched& touched, const LedgerEntry& entry, const TopicFilter& filter)
{
    const std::string key = key_of(entry.event);
    if (key.empty()) return;
    if (filter.freshness()) replay.rows.insert(key);
    // A change event tells the whole meta of its key, and with it all that touched the key before. Were those told
    // again at the end, no entry since the first of them could have an id, and a reader who is cut before the end would
    // begin where it began, again and again.
    if (entry.event.kind == EventKind::change)
        touched.erase(key);
    else if (filter.shows_key(key))
        touched.try_emplace(key, entry.seq);
}

void put_metas(Replay& replay, const Touched& touched)
{
    for (const auto& [key, from] : touched) {
        replay.metas_from = replay.metas.empty() ? from : std::min(replay.metas_from, from);
        replay.metas.insert(key);
    }
}

Replay reset_for(std::string reason)
{
    Replay replay;
    replay.reset_reason = std::move(reason);
    return replay;
}

} // namespace

Replay read_replay(Reads& reads, std::string_view tenant, Cursor cursor, std::uint64_t epoch, const TopicFilter& filter,
                   const ReplayLimits& limits)
{
    if (cursor.epoch != epoch) return reset_for("epoch");
    if (cursor.seq == 0) return reset_for("incomplete");
    Replay replay;
    Touched touched;
    std::size_t scanned = 0, bytes = 0;
    for (Seq after = cursor.seq;;) {
        Reads::LedgerSlice slice = reads.ledger(tenant, after, limits.page);
        if (after > slice.head.head) return reset_for("unknown");
        if (after < slice.head.floor) return reset_for("too_old");
        scanned += slice.entries.size();
        for (LedgerEntry& entry : slice.entries) {
            after = entry.seq;
            touch(replay, touched, entry, filter);
            if (!filter.wants(entry.event)) continue;
            entry.event.data = event_json(entry.event);
            entry.event.told.reset();
            bytes += entry.event.data.size();
            replay.entries.push_back(std::move(entry));
        }
        replay.head = slice.head.head;
        if (scanned > limits.scanned_max || replay.entries.size() > limits.wanted_max ||
            bytes > limits.wanted_bytes_max || replay.rows.size() + touched.size() > limits.keys_max)
            return reset_for("too_far");
        if (after < slice.head.head && !slice.entries.empty()) continue;
        put_metas(replay, touched);
        return replay;
    }
}

} // namespace freshet::streams
