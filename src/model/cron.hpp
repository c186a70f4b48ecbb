// SPDX-License-Identifier: Apache-2.0
#pragma once
// Cron expressions and the instants at which they fire in a time zone.
//
// Five fields (minute hour day month weekday), or six with seconds first. Where day of month and weekday are both
// given, either one is enough. Fields take lists, ranges, steps and the English names of months and weekdays; 0 and 7
// are Sunday. A zone is read as ranges of constant offset. A fixed time that a day has twice fires by the FoldRule, one
// that a day does not have by the GapRule; an expression whose hours are "*" fires in each real hour instead. Beyond
// the last transition that a zone lists, the rule in the footer of its file holds. Source: POSIX crontab(5), RFC 8536.
// Pure but for the machine's time zone files. Threads: any.

#include "base/time.hpp"
#include "model/definition.hpp"

#include <bitset>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace freshet {

struct Cron {
    std::bitset<60> seconds, minutes;
    std::bitset<24> hours;
    std::bitset<32> days;                    ///< 1 to 31
    std::bitset<13> months;                  ///< 1 to 12
    std::bitset<7> weekdays;                 ///< 0 is Sunday
    bool any_day = true, any_weekday = true; ///< the field was "*"
};

/// Words that say what is wrong and where, otherwise.
std::expected<Cron, std::string> parse_cron(std::string_view text);

/// Whether the machine knows the zone.
bool zone_exists(std::string_view name);

struct CronFire {
    WallTime at;
    bool shifted = false; ///< its wall-clock time did not exist that day
};

/// The first fire after `after`, at most 50 years on; nullopt if there is none (30 February).
/// @param zone  one that zone_exists().
std::optional<CronFire> next_cron_fire(const Cron& cron, std::string_view zone, GapRule gap, FoldRule fold,
                                       WallTime after);

} // namespace freshet
