// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the tries of a key's last 24 hours came to, hour by hour: the strip that a list of keys shows.
//
// It lies with the key as a short text, so that it costs a list nothing, survives the jobs that it counts, and takes a
// few bytes for each hour in which something ended. Hours are those of UTC, numbered since 1970. The text is
// "495210:3,40,0,1;1:0,1,0,0": the first hour, and of each later one how many hours behind the one before; then what
// was updated, unchanged, held and failed. A text that is not of this form reads as an empty day: it is a picture of
// the past, by which nothing is decided.

#include "base/time.hpp"
#include "model/names.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace freshet {

inline constexpr int day_hours = 24;

struct HourTally {
    std::int64_t hour = 0;
    std::int64_t updated = 0, unchanged = 0, held = 0, failed = 0;
    friend bool operator==(const HourTally&, const HourTally&) = default;
};

std::int64_t hour_of(WallTime at);

/// Oldest first, only hours in which a try ended.
std::vector<HourTally> tallies_of(std::string_view day);

/// The day with one more try that ended now; what is older than 24 hours is gone from it. An outcome that ends nothing
/// (limited, pending) changes nothing but that.
std::string day_with(std::string_view day, Outcome outcome, WallTime now);

} // namespace freshet
