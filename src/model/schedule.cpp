// SPDX-License-Identifier: Apache-2.0
#include "model/schedule.hpp"

#include "model/cron.hpp"

#include <algorithm>
#include <deque>
#include <fmt/format.h>

namespace freshet {

namespace {

// More missed fires than this are counted no further: one row tells of a whole missed stretch anyway.
constexpr int missed_max = 10'000;

FireDecision decide_one(const SourceSchedule& schedule, const NominalFire& fire, LiveFlight live)
{
    FireDecision decision{fire.at, fire.shifted ? "shifted" : "ran",
                          fire.shifted ? "its wall-clock time did not exist that day" : "", FireAct::ask};
    if (!live.any) return decision;
    switch (schedule.overlap) {
    case OverlapRule::skip: return {fire.at, "skipped", "the one before it is not over", FireAct::nothing};
    case OverlapRule::replace: decision.act = FireAct::replace; return decision;
    case OverlapRule::queue_one:
        if (live.waiting) return {fire.at, "skipped", "one waits already", FireAct::nothing};
        decision.act = FireAct::ask_after;
        return decision;
    case OverlapRule::allow:
        if (!live.side_by_side) decision.act = FireAct::ask_after;
        return decision;
    }
    return decision;
}

// What is live once the decision was carried out.
void note(LiveFlight& live, const FireDecision& decision)
{
    if (decision.act == FireAct::nothing) return;
    // A task that was just enqueued waits as well; of a key, the next ask shares it.
    live.waiting = live.any || live.side_by_side;
    live.any = true;
}

struct Missed {
    int count = 0;
    WallTime first;
    std::deque<NominalFire> kept; ///< the last ones
    WallTime dropped;             ///< the last that is not kept, if there is one

    bool any_dropped() const { return count > static_cast<int>(kept.size()); }
    std::string words(int of) const
    {
        return fmt::format("{}{} missed since {}", of, count > missed_max ? " or more" : "", to_rfc3339(first));
    }
};

void decide_missed(DueFires& due, const SourceSchedule& schedule, const Missed& missed, bool timely_follows,
                   LiveFlight& live)
{
    const NominalFire& last = missed.kept.back();
    switch (schedule.misfire) {
    case MisfireRule::skip:
        due.fires.push_back({last.at, "skipped", missed.words(missed.count), FireAct::nothing});
        return;
    case MisfireRule::coalesce: {
        FireDecision one = decide_one(schedule, last, live);
        const std::string words = missed.words(missed.count);
        // A timely fire right behind makes up for the missed ones as well.
        if (timely_follows) one.act = FireAct::nothing;
        if (!timely_follows && one.act == FireAct::nothing)
            one.reason = fmt::format("{}; {}", words, one.reason);
        else
            one.decision = "coalesced", one.reason = words;
        note(live, one);
        due.fires.push_back(std::move(one));
        return;
    }
    case MisfireRule::all:
        if (missed.any_dropped())
            due.fires.push_back({missed.dropped, "skipped",
                                 fmt::format("{}; at most {} are made up for",
                                             missed.words(missed.count - static_cast<int>(missed.kept.size())),
                                             schedule.misfire_all_max),
                                 FireAct::nothing});
        for (const NominalFire& one : missed.kept) {
            due.fires.push_back(decide_one(schedule, one, live));
            note(live, due.fires.back());
        }
        return;
    }
}

} // namespace

std::optional<NominalFire> next_fire(const SourceSchedule& schedule, std::uint64_t key_hash, WallTime after)
{
    if (schedule.every.count() > 0) {
        const std::int64_t every = schedule.every.count();
        const auto phase = static_cast<std::int64_t>(key_hash % static_cast<std::uint64_t>(every));
        const std::int64_t since = to_ms(after) - phase;
        const std::int64_t turns = (since >= 0 ? since / every : (since - every + 1) / every) + 1;
        return NominalFire{from_ms(turns * every + phase), false};
    }
    if (schedule.cron.empty()) return std::nullopt;
    const auto cron = parse_cron(schedule.cron);
    if (!cron || !zone_exists(schedule.timezone)) return std::nullopt;
    const auto fire = next_cron_fire(*cron, schedule.timezone, schedule.gap, schedule.fold, after);
    if (!fire) return std::nullopt;
    return NominalFire{fire->at, fire->shifted};
}

std::vector<NominalFire> next_fires(const SourceSchedule& schedule, std::uint64_t key_hash, WallTime after, int count)
{
    std::vector<NominalFire> fires;
    while (static_cast<int>(fires.size()) < count) {
        const auto next = next_fire(schedule, key_hash, after);
        if (!next) break;
        fires.push_back(*next);
        after = next->at;
    }
    return fires;
}

DueFires decide_fires(const SourceSchedule& schedule, std::uint64_t key_hash, WallTime nominal, LiveFlight live,
                      WallTime now)
{
    DueFires due;
    // The nominal one may be shifted; asking for what follows the instant before it tells.
    std::optional<NominalFire> fire = next_fire(schedule, key_hash, nominal - Millis{1});
    if (!fire || fire->at != nominal) fire = NominalFire{nominal, false};
    Missed missed;
    std::vector<NominalFire> timely;
    while (fire && fire->at <= now) {
        if (now - fire->at > schedule.misfire_grace) {
            if (missed.count++ == 0) missed.first = fire->at;
            missed.kept.push_back(*fire);
            if (missed.kept.size() > static_cast<std::size_t>(schedule.misfire_all_max)) {
                missed.dropped = missed.kept.front().at;
                missed.kept.pop_front();
            }
        } else {
            timely.push_back(*fire);
        }
        // A stretch too long to walk is left behind in one step.
        const WallTime timely_from = now - schedule.misfire_grace - Millis{1};
        fire = next_fire(schedule, key_hash, missed.count > missed_max ? std::max(fire->at, timely_from) : fire->at);
    }
    due.next_at = fire ? std::optional{fire->at} : std::nullopt;

    if (missed.count > 0) decide_missed(due, schedule, missed, !timely.empty(), live);
    for (const NominalFire& one : timely) {
        due.fires.push_back(decide_one(schedule, one, live));
        note(live, due.fires.back());
    }
    return due;
}

std::optional<FireDecision> pass_over(const SourceSchedule& schedule, std::uint64_t key_hash,
                                      std::optional<WallTime>& next_at, std::string_view why, WallTime now)
{
    if (!next_at || *next_at > now) return std::nullopt;
    SourceSchedule skipping = schedule;
    skipping.misfire = MisfireRule::skip;
    skipping.misfire_grace = Millis{-1};
    DueFires due = decide_fires(skipping, key_hash, *next_at, {}, now);
    next_at = due.next_at;
    due.fires.front().reason = fmt::format("{}: {}", why, due.fires.front().reason);
    return std::move(due.fires.front());
}

} // namespace freshet
