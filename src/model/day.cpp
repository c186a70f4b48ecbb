// SPDX-License-Identifier: Apache-2.0
#include "model/day.hpp"

#include <array>
#include <charconv>
#include <chrono>
#include <fmt/format.h>
#include <iterator>

namespace freshet {

namespace {

// Takes a number that is not below zero and the mark behind it, if there is one to be; false: the text is another.
bool take(std::string_view& text, std::int64_t& into, char mark)
{
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), into);
    if (error != std::errc{} || into < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (mark == '\0') return true;
    if (text.empty() || text.front() != mark) return false;
    text.remove_prefix(1);
    return true;
}

std::string to_day(const std::vector<HourTally>& tallies)
{
    std::string day;
    std::int64_t before = 0;
    for (const HourTally& tally : tallies) {
        fmt::format_to(std::back_inserter(day), "{}{}:{},{},{},{}", day.empty() ? "" : ";", tally.hour - before,
                       tally.updated, tally.unchanged, tally.held, tally.failed);
        before = tally.hour;
    }
    return day;
}

} // namespace

std::int64_t hour_of(WallTime at)
{
    return std::chrono::floor<std::chrono::hours>(at).time_since_epoch().count();
}

std::vector<HourTally> tallies_of(std::string_view day)
{
    std::vector<HourTally> tallies;
    std::int64_t before = 0;
    while (!day.empty()) {
        HourTally tally;
        if (!take(day, tally.hour, ':') || !take(day, tally.updated, ',') || !take(day, tally.unchanged, ',') ||
            !take(day, tally.held, ',') || !take(day, tally.failed, '\0'))
            return {};
        if (!day.empty()) {
            if (day.front() != ';') return {};
            day.remove_prefix(1);
        }
        // More than a day's hours are none of ours, nor is one that does not follow the one before.
        if ((!tallies.empty() && tally.hour == 0) || tallies.size() == day_hours) return {};
        tally.hour += before;
        before = tally.hour;
        tallies.push_back(tally);
    }
    return tallies;
}

std::string day_with(std::string_view day, Outcome outcome, WallTime now)
{
    // Neither is a try of the source.
    if (outcome == Outcome::limited || outcome == Outcome::pending) return std::string{day};
    std::vector<HourTally> tallies = tallies_of(day);
    const std::int64_t hour = hour_of(now);
    // A clock that was set back leaves no hours that are yet to come.
    std::erase_if(tallies, [&](const HourTally& tally) { return tally.hour <= hour - day_hours || tally.hour > hour; });
    if (tallies.empty() || tallies.back().hour != hour) tallies.push_back({.hour = hour});
    HourTally& tally = tallies.back();
    switch (outcome) {
    case Outcome::updated: ++tally.updated; break;
    case Outcome::unchanged: ++tally.unchanged; break;
    case Outcome::held: ++tally.held; break;
    case Outcome::failed: ++tally.failed; break;
    case Outcome::limited:
    case Outcome::pending: break;
    }
    return to_day(tallies);
}

} // namespace freshet
