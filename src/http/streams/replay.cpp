// SPDX-License-Identifier: Apache-2.0
#include "http/streams/replay.hpp"

#include "model/shared.hpp"
#include "wire/views.hpp"

#include <algorithm>
#include <map>
#include <simdjson.h>

namespace freshet::streams {

std::string key_told_of(const Event& event)
{
    if (event.kind == EventKind::change && event.topic.starts_with("data/")) return event.topic.substr(5);
    if (event.kind != EventKind::job && event.kind != EventKind::fire) return {};
    if (event.told) return event.told->job ? event.told->job->key : std::string{};
    simdjson::dom::parser parser;
    simdjson::dom::element root, named;
    std::string_view key;
    if (parser.parse(event.data).get(root) != simdjson::SUCCESS) return {};
    const bool is_job = event.kind == EventKind::job;
    if (root[is_job ? "job" : "schedule"].get(named) != simdjson::SUCCESS) return {};
    if (named[is_job ? "key" : "id"].get(key) != simdjson::SUCCESS) return {};
    return std::string{key};
}

namespace {

/// Keys whose meta changed without an event of their own since their last change event, and the first seq at which.
using Touched = std::map<std::string, Seq, std::less<>>;

void touch(Replay& replay, Touched& touched, const LedgerEntry& entry, const TopicFilter& filter)
{
    const std::string key = entry.event.kind == EventKind::fire ? std::string{} : key_told_of(entry.event);
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

// One ledger after the other; what one reader can be told at once is bounded over both.
class ReplayRead {
public:
    ReplayRead(Reads& reads, const ReplayLimits& limits) : reads_{reads}, limits_{limits} {}

    /// @return why not, or nothing
    std::string_view read(std::string_view tenant, Seq after, const TopicFilter& filter,
                          std::vector<LedgerEntry>& entries, Seq& head, Seq& metas_from)
    {
        Touched touched;
        for (;;) {
            Reads::LedgerSlice slice = reads_.ledger(tenant, after, limits_.page);
            if (after > slice.head.head) return "unknown";
            if (after < slice.head.floor) return "too_old";
            scanned_ += slice.entries.size();
            for (LedgerEntry& entry : slice.entries) {
                after = entry.seq;
                if (!filter.may_see(key_told_of(entry.event))) continue;
                touch(replay, touched, entry, filter);
                if (!filter.wants(entry.event)) continue;
                entry.event.data = event_json(entry.event);
                entry.event.told.reset();
                bytes_ += entry.event.data.size();
                entries.push_back(std::move(entry));
                ++wanted_;
            }
            head = slice.head.head;
            if (scanned_ > limits_.scanned_max || wanted_ > limits_.wanted_max || bytes_ > limits_.wanted_bytes_max ||
                replay.rows.size() + replay.metas.size() + touched.size() > limits_.keys_max)
                return "too_far";
            if (after < slice.head.head && !slice.entries.empty()) continue;
            for (const auto& [key, from] : touched) {
                metas_from = metas_from == 0 ? from : std::min(metas_from, from);
                replay.metas.insert(key);
            }
            return {};
        }
    }

    Replay replay;

private:
    Reads& reads_;
    const ReplayLimits& limits_;
    std::size_t scanned_ = 0, bytes_ = 0, wanted_ = 0;
};

Replay reset_for(std::string_view reason)
{
    Replay replay;
    replay.reset_reason = reason;
    return replay;
}

} // namespace

Replay read_replay(Reads& reads, std::string_view tenant, Cursor cursor, std::uint64_t epoch,
                   const LedgerFilters& filters, const ReplayLimits& limits)
{
    if (cursor.epoch != epoch) return reset_for("epoch");
    if (cursor.seq == 0 && cursor.shared == 0) return reset_for("incomplete");
    ReplayRead both{reads, limits};
    Replay& replay = both.replay;
    std::string_view reason;
    if (tenant != shared_tenant)
        reason = both.read(tenant, cursor.seq, filters.own, replay.entries, replay.head, replay.metas_from.seq);
    if (reason.empty() && filters.shared)
        reason = both.read(shared_tenant, cursor.shared, *filters.shared, replay.shared, replay.shared_head,
                           replay.metas_from.shared);
    return reason.empty() ? std::move(replay) : reset_for(reason);
}

} // namespace freshet::streams
