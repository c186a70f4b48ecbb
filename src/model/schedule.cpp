// SPDX-License-Identifier: Apache-2.0
#include "model/schedule.hpp"

#include "model/cron.hpp"

#include <algorithm>
#include <deque>
#include <fmt/format.h>

namespace freshet {

namespace {

// More missed fires than this are counted no further: one row tells of a whole missed stretch anyway.
constexpr int missed_max = 100'000;

FireDecision decide_one(const SourceSchedule& schedule, const NominalFire& fire, LiveFlight live)
{
    FireDecision decision{fire.at, fire.shifted ? "shifted" : "ran",
                          fire.shifted ? "its wall-clock time did not exist that day" : "", FireAct::ask};
    if (!live.any) return decision;
    switch (schedule.overlap) {
    case OverlapRule::skip: return {fire.at, "skipped", "the refresh before it is not over", FireAct::nothing};
    case OverlapRule::replace: decision.act = FireAct::replace; return decision;
    // A key never has two flights at once (F5), so that `allow` can only mean the next one.
    case OverlapRule::queue_one:
    case OverlapRule::allow: decision.act = FireAct::ask_after; return decision;
    }
    return decision;
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

DueFires decide_fires(const SourceSchedule& schedule, std::uint64_t key_hash, WallTime nominal, LiveFlight live,
                      WallTime now)
{
    DueFires due;
    // The nominal one may be shifted; asking for what follows the instant before it tells.
    std::optional<NominalFire> fire = next_fire(schedule, key_hash, nominal - Millis{1});
    if (!fire || fire->at != nominal) fire = NominalFire{nominal, false};
    std::deque<NominalFire> missed;
    std::vector<NominalFire> timely;
    WallTime first_missed = nominal;
    int missed_count = 0;
    while (fire && fire->at <= now) {
        if (now - fire->at > schedule.misfire_grace) {
            if (missed_count++ == 0) first_missed = fire->at;
            missed.push_back(*fire);
            if (missed.size() > static_cast<std::size_t>(schedule.misfire_all_max)) missed.pop_front();
        } else {
            timely.push_back(*fire);
        }
        // A stretch too long to walk is left behind in one step.
        const WallTime timely_from = now - schedule.misfire_grace - Millis{1};
        fire = next_fire(schedule, key_hash, missed_count > missed_max ? std::max(fire->at, timely_from) : fire->at);
    }
    due.next_at = fire ? std::optional{fire->at} : std::nullopt;

    if (missed_count > 0) {
        const NominalFire& last = missed.back();
        const std::string words = fmt::format("{} missed since {}", missed_count, to_rfc3339(first_missed));
        switch (schedule.misfire) {
        case MisfireRule::skip: due.fires.push_back({last.at, "skipped", words, FireAct::nothing}); break;
        case MisfireRule::coalesce:
            // A timely fire right behind makes up for the missed ones as well.
            due.fires.push_back({last.at, "coalesced", words,
                                 timely.empty() ? decide_one(schedule, last, live).act : FireAct::nothing});
            break;
        case MisfireRule::all:
            for (const NominalFire& one : missed) due.fires.push_back(decide_one(schedule, one, live));
            break;
        }
    }
    for (const NominalFire& one : timely) {
        due.fires.push_back(decide_one(schedule, one, live));
        live.any = live.any || due.fires.back().act != FireAct::nothing;
    }
    return due;
}

} // namespace freshet
