// SPDX-License-Identifier: Apache-2.0
#include "model/cron.hpp"

#include "base/assert.hpp"
#include "model/zone.hpp"

#include <array>
#include <charconv>
#include <fmt/format.h>
#include <vector>

namespace freshet {

namespace {

using std::chrono::days;
using std::chrono::seconds;
using std::chrono::sys_days;
using std::chrono::sys_seconds;
using std::chrono::year_month_day;

struct FieldRule {
    std::string_view name;
    int min, max;
    std::string_view names; ///< three letters each, the first is that of `names_from`
    int names_from = 0;
};
constexpr FieldRule second_rule{"second", 0, 59, "", 0}, minute_rule{"minute", 0, 59, "", 0},
    hour_rule{"hour", 0, 23, "", 0}, day_rule{"day", 1, 31, "", 0},
    month_rule{"month", 1, 12, "janfebmaraprmayjunjulaugsepoctnovdec", 1},
    weekday_rule{"weekday", 0, 7, "sunmontuewedthufrisat", 0};

std::vector<std::string_view> split(std::string_view text, char separator)
{
    std::vector<std::string_view> parts;
    for (;;) {
        const auto at = text.find(separator);
        parts.push_back(text.substr(0, at));
        if (at == std::string_view::npos) return parts;
        text.remove_prefix(at + 1);
    }
}

std::optional<int> number(std::string_view text, const FieldRule& rule)
{
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc{} && end == text.data() + text.size()) return value;
    if (text.size() != 3) return std::nullopt;
    std::string lower{text};
    for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    for (std::size_t i = 0; i + 3 <= rule.names.size(); i += 3)
        if (rule.names.substr(i, 3) == lower) return rule.names_from + static_cast<int>(i / 3);
    return std::nullopt;
}

// One field as the numbers it names; words otherwise.
std::expected<std::vector<int>, std::string> parse_field(std::string_view text, const FieldRule& rule)
{
    std::vector<int> values;
    for (const std::string_view part : split(text, ',')) {
        const auto slash = part.find('/');
        const std::string_view span = part.substr(0, slash);
        int step = 1, from = rule.min, to = rule.max;
        if (slash != std::string_view::npos) {
            const auto given = number(part.substr(slash + 1), {rule.name, 1, rule.max, "", 0});
            if (!given || *given < 1 || *given > rule.max)
                return std::unexpected(fmt::format("{} \"{}\" has a bad step", rule.name, part));
            step = *given;
        }
        if (span != "*") {
            const auto dash = span.find('-');
            const auto first = number(span.substr(0, dash), rule);
            const auto last = dash == std::string_view::npos
                                  ? (slash == std::string_view::npos ? first : std::optional{rule.max})
                                  : number(span.substr(dash + 1), rule);
            if (!first || !last)
                return std::unexpected(fmt::format("{} \"{}\" is no number, range, list or *", rule.name, part));
            from = *first, to = *last;
            if (rule.max == 7 && to < from && to == 0) to = 7; // FRI-SUN
            if (from < rule.min || to > rule.max || from > to)
                return std::unexpected(
                    fmt::format("{} \"{}\" must lie between {} and {}", rule.name, part, rule.min, rule.max));
        }
        for (int value = from; value <= to; value += step) values.push_back(value);
    }
    return values;
}

template <std::size_t N>
std::optional<std::string> fill(std::bitset<N>& bits, std::string_view text, const FieldRule& rule)
{
    auto values = parse_field(text, rule);
    if (!values) return values.error();
    for (const int value : *values) bits.set(static_cast<std::size_t>(rule.max == 7 ? value % 7 : value));
    return std::nullopt;
}

bool day_matches(const Cron& cron, sys_days day)
{
    const year_month_day date{day};
    if (!cron.months[static_cast<unsigned>(date.month())]) return false;
    const bool by_day = cron.days[static_cast<unsigned>(date.day())];
    const bool by_weekday = cron.weekdays[std::chrono::weekday{day}.c_encoding()];
    if (cron.any_day || cron.any_weekday) return by_day && by_weekday;
    return by_day || by_weekday;
}

template <std::size_t N>
std::optional<int> next_bit(const std::bitset<N>& bits, int from)
{
    for (std::size_t i = static_cast<std::size_t>(from); i < N; ++i)
        if (bits[i]) return static_cast<int>(i);
    return std::nullopt;
}

// The first matching second of the day at or after `from`.
std::optional<seconds> time_of_day(const Cron& cron, seconds from)
{
    const int start = static_cast<int>(from.count());
    int hour = start / 3600, minute = start / 60 % 60, second = start % 60;
    while (const auto h = next_bit(cron.hours, hour)) {
        if (*h > hour) minute = second = 0;
        hour = *h;
        while (const auto m = next_bit(cron.minutes, minute)) {
            if (*m > minute) second = 0;
            minute = *m;
            if (const auto s = next_bit(cron.seconds, second)) return seconds{hour * 3600 + minute * 60 + *s};
            if (++minute == 60) break;
            second = 0;
        }
        if (++hour == 24) break;
        minute = second = 0;
    }
    return std::nullopt;
}

// The first matching local time in [from, to), both read as if local time were UTC.
std::optional<sys_seconds> next_local(const Cron& cron, sys_seconds from, sys_seconds to)
{
    for (sys_days day = std::chrono::floor<days>(from); day < to; day += days{1}) {
        if (!day_matches(cron, day)) continue;
        const seconds start = day < from ? std::chrono::duration_cast<seconds>(from - day) : seconds{0};
        if (const auto time = time_of_day(cron, start))
            return day + *time < to ? std::optional{day + *time} : std::nullopt;
    }
    return std::nullopt;
}

} // namespace

std::expected<Cron, std::string> parse_cron(std::string_view text)
{
    std::vector<std::string_view> fields;
    for (const std::string_view field : split(text, ' '))
        if (!field.empty()) fields.push_back(field);
    if (fields.size() != 5 && fields.size() != 6)
        return std::unexpected(fmt::format(
            "has {} fields; cron has 5 (minute hour day month weekday), or 6 with seconds first", fields.size()));
    Cron cron;
    if (fields.size() == 5) fields.insert(fields.begin(), "0");
    for (const auto& problem : {fill(cron.seconds, fields[0], second_rule), fill(cron.minutes, fields[1], minute_rule),
                                fill(cron.hours, fields[2], hour_rule), fill(cron.days, fields[3], day_rule),
                                fill(cron.months, fields[4], month_rule), fill(cron.weekdays, fields[5], weekday_rule)})
        if (problem) return std::unexpected(*problem);
    cron.any_day = fields[3] == "*";
    cron.any_weekday = fields[5] == "*";
    return cron;
}

bool zone_exists(std::string_view name)
{
    return find_zone(name) != nullptr;
}

std::optional<CronFire> next_cron_fire(const Cron& cron, std::string_view zone_name, GapRule gap, FoldRule fold,
                                       WallTime after)
{
    const Zone* zone = find_zone(zone_name);
    FRESHET_ASSERT(zone != nullptr);
    const bool fixed = !cron.hours.all();
    const sys_seconds since = std::chrono::floor<seconds>(after);
    const sys_seconds horizon = since + days{50 * 366};
    ZoneRange range = zone->range(since);
    // What came before the range decides what its beginning repeats or left out.
    seconds offset_before = zone->range(range.begin - seconds{1}).offset;
    while (range.begin < horizon) {
        const ZoneRange next = zone->range(range.end);
        if (range.begin > since && fixed && gap == GapRule::shift && offset_before < range.offset &&
            next_local(cron, range.begin + offset_before, range.begin + range.offset))
            return CronFire{range.begin, true};
        sys_seconds from = std::max(since + seconds{1}, range.begin) + range.offset;
        sys_seconds to = std::min(range.end, horizon) + range.offset;
        if (fixed && fold == FoldRule::first)
            from = std::max(from, range.begin + std::max(offset_before, range.offset));
        if (fixed && fold == FoldRule::last && range.end < horizon)
            to = std::min(to, range.end + std::min(next.offset, range.offset));
        if (const auto local = next_local(cron, from, to)) return CronFire{*local - range.offset, false};
        if (range.end >= horizon) return std::nullopt; // the last range of a zone ends at the end of time
        offset_before = range.offset;
        range = next;
    }
    return std::nullopt;
}

} // namespace freshet
