// SPDX-License-Identifier: Apache-2.0
#include "times.hpp"

#include <array>
#include <chrono>
#include <cstdio>

namespace metrics {

namespace {

using namespace std::chrono;

sys_days date_of(std::int64_t day)
{
    return sys_days{days{day}};
}

} // namespace

std::int64_t now_ms()
{
    return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

std::optional<std::int64_t> instant_of(const std::string& text)
{
    int year = 0, hour = 0, minute = 0;
    unsigned month_of_year = 0, day_of_month = 0;
    double second = 0;
    int used = 0;
    if (std::sscanf(text.c_str(), "%4d-%2u-%2uT%2d:%2d:%lf%n", &year, &month_of_year, &day_of_month, &hour, &minute,
                    &second, &used) != 6)
        return std::nullopt;
    const year_month_day date{std::chrono::year{year}, month{month_of_year}, day{day_of_month}};
    if (!date.ok()) return std::nullopt;
    const std::string zone = text.substr(static_cast<std::size_t>(used));
    int zone_hour = 0, zone_minute = 0;
    if (zone != "Z" && std::sscanf(zone.c_str(), "%3d:%2d", &zone_hour, &zone_minute) != 2) return std::nullopt;
    const int offset = zone_hour * 60 + (zone.starts_with('-') ? -zone_minute : zone_minute);
    const std::int64_t minutes = hour * 60 + minute - offset;
    return sys_days{date}.time_since_epoch().count() * day_ms + minutes * 60'000 +
           static_cast<std::int64_t>(second * 1000 + 0.5);
}

std::string text_of(std::int64_t ms)
{
    const sys_time<milliseconds> at{milliseconds{ms}};
    const auto midnight = floor<days>(at);
    const year_month_day date{midnight};
    const hh_mm_ss time{at - midnight};
    std::array<char, 64> text{};
    std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                  static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                  static_cast<int>(time.seconds().count()), static_cast<int>(time.subseconds().count()));
    return text.data();
}

std::int64_t week_of(std::int64_t day)
{
    const weekday name{date_of(day)};
    return day - static_cast<std::int64_t>(name.iso_encoding() - 1);
}

std::int64_t month_of(std::int64_t day)
{
    const year_month_day date{date_of(day)};
    return sys_days{date.year() / date.month() / 1}.time_since_epoch().count();
}

} // namespace metrics
