// SPDX-License-Identifier: Apache-2.0
#include "base/time.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace freshet {

namespace {

using std::chrono::days;
using std::chrono::sys_days;
using std::chrono::year_month_day;

constexpr std::array<std::string_view, 7> weekday_names{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<std::string_view, 12> month_names{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

struct Civil {
    year_month_day date;
    int hour, minute, second, ms;
    unsigned weekday;
};

Civil civil(WallTime at)
{
    const auto day = std::chrono::floor<days>(at);
    const auto rest = static_cast<int>((at - day).count());
    return {year_month_day{day}, rest / 3'600'000, rest / 60'000 % 60,
            rest / 1000 % 60,    rest % 1000,      std::chrono::weekday{day}.c_encoding()};
}

// Reads exactly `count` digits at `text`'s front and cuts them off; -1 where there are fewer.
int take_digits(std::string_view& text, std::size_t count)
{
    if (text.size() < count) return -1;
    int value = 0;
    for (std::size_t i = 0; i < count; ++i) {
        if (text[i] < '0' || text[i] > '9') return -1;
        value = value * 10 + (text[i] - '0');
    }
    text.remove_prefix(count);
    return value;
}

bool take(std::string_view& text, char c)
{
    if (text.empty() || text.front() != c) return false;
    text.remove_prefix(1);
    return true;
}

std::optional<WallTime> instant(int year, int month, int day, int hour, int minute, int second, int ms)
{
    const year_month_day date{std::chrono::year{year}, std::chrono::month{static_cast<unsigned>(month)},
                              std::chrono::day{static_cast<unsigned>(day)}};
    if (year < 0 || month < 1 || day < 1 || !date.ok() || hour < 0 || hour > 23 || minute < 0 || minute > 59 ||
        second < 0 || second > 60)
        return std::nullopt;
    return sys_days{date} + Millis{((hour * 60LL + minute) * 60 + second) * 1000 + ms};
}

} // namespace

std::string to_rfc3339(WallTime at)
{
    // Digit by digit: an event of a job holds half a dozen of these, and a formatter takes ten times as long.
    const Civil c = civil(at);
    const int year = static_cast<int>(c.date.year());
    if (year < 0 || year > 9999)
        return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", year, static_cast<unsigned>(c.date.month()),
                           static_cast<unsigned>(c.date.day()), c.hour, c.minute, c.second, c.ms);
    std::string text = "0000-00-00T00:00:00.000Z";
    const auto put = [&](std::size_t last, unsigned value, int digits) {
        for (; digits > 0; --digits, --last, value /= 10) text[last] = static_cast<char>('0' + value % 10);
    };
    put(3, static_cast<unsigned>(year), 4);
    put(6, static_cast<unsigned>(c.date.month()), 2);
    put(9, static_cast<unsigned>(c.date.day()), 2);
    put(12, static_cast<unsigned>(c.hour), 2);
    put(15, static_cast<unsigned>(c.minute), 2);
    put(18, static_cast<unsigned>(c.second), 2);
    put(22, static_cast<unsigned>(c.ms), 3);
    return text;
}

std::optional<WallTime> from_rfc3339(std::string_view text)
{
    const int year = take_digits(text, 4);
    if (!take(text, '-')) return std::nullopt;
    const int month = take_digits(text, 2);
    if (!take(text, '-')) return std::nullopt;
    const int day = take_digits(text, 2);
    if (text.empty()) return instant(year, month, day, 0, 0, 0, 0);
    if (!take(text, 'T') && !take(text, 't') && !take(text, ' ')) return std::nullopt;
    const int hour = take_digits(text, 2);
    if (!take(text, ':')) return std::nullopt;
    const int minute = take_digits(text, 2);
    if (!take(text, ':')) return std::nullopt;
    const int second = take_digits(text, 2);
    int ms = 0;
    if (take(text, '.')) {
        int scale = 100, count = 0;
        for (int digit = take_digits(text, 1); digit >= 0; digit = take_digits(text, 1), ++count)
            ms += digit * scale, scale /= 10;
        if (count == 0) return std::nullopt;
    }
    const auto local = instant(year, month, day, hour, minute, second, ms);
    if (!local) return std::nullopt;
    if ((take(text, 'Z') || take(text, 'z')) && text.empty()) return local;
    const bool east = take(text, '+');
    if (!east && !take(text, '-')) return std::nullopt;
    const int offset_hours = take_digits(text, 2);
    take(text, ':');
    const int offset_minutes = take_digits(text, 2);
    if (offset_hours < 0 || offset_hours > 23 || offset_minutes < 0 || offset_minutes > 59 || !text.empty())
        return std::nullopt;
    const Millis offset = std::chrono::minutes{offset_hours * 60 + offset_minutes};
    return east ? *local - offset : *local + offset;
}

std::string to_http_date(WallTime at)
{
    const Civil c = civil(at);
    return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", weekday_names[c.weekday],
                       static_cast<unsigned>(c.date.day()), month_names[static_cast<unsigned>(c.date.month()) - 1],
                       static_cast<int>(c.date.year()), c.hour, c.minute, c.second);
}

std::optional<WallTime> from_http_date(std::string_view text)
{
    if (text.size() != 29 || text.substr(3, 2) != ", " || !text.ends_with(" GMT")) return std::nullopt;
    // That the weekday is the date's own is not asked: servers that err there still mean the date.
    if (std::ranges::find(weekday_names, text.substr(0, 3)) == weekday_names.end()) return std::nullopt;
    text.remove_prefix(5);
    const int day = take_digits(text, 2);
    if (!take(text, ' ')) return std::nullopt;
    int month = 0;
    for (int i = 0; i < 12; ++i)
        if (text.starts_with(month_names[static_cast<std::size_t>(i)])) month = i + 1;
    text.remove_prefix(3);
    if (!take(text, ' ')) return std::nullopt;
    const int year = take_digits(text, 4);
    if (!take(text, ' ')) return std::nullopt;
    const int hour = take_digits(text, 2);
    if (!take(text, ':')) return std::nullopt;
    const int minute = take_digits(text, 2);
    if (!take(text, ':')) return std::nullopt;
    const int second = take_digits(text, 2);
    return instant(year, month, day, hour, minute, second, 0);
}

namespace {

struct Unit {
    std::string_view name;
    std::int64_t ms;
};
constexpr std::array<Unit, 6> units{
    {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}, {"w", 604'800'000}}};
constexpr std::int64_t length_ms_max = 100LL * 366 * 86'400'000;

} // namespace

std::optional<Millis> parse_duration(std::string_view text)
{
    std::int64_t total = 0, last_unit = length_ms_max;
    if (text.empty()) return std::nullopt;
    while (!text.empty()) {
        std::int64_t count = 0;
        std::size_t n = 0;
        for (; n < text.size() && text[n] >= '0' && text[n] <= '9'; ++n) {
            count = count * 10 + (text[n] - '0');
            if (count > length_ms_max) return std::nullopt;
        }
        if (n == 0) return std::nullopt;
        text.remove_prefix(n);
        std::size_t letters = 0;
        while (letters < text.size() && text[letters] >= 'a' && text[letters] <= 'z') ++letters;
        const std::string_view name = text.substr(0, letters);
        text.remove_prefix(letters);
        std::int64_t unit = 0;
        for (const Unit& u : units)
            if (u.name == name) unit = u.ms;
        if (unit == 0 || unit >= last_unit || count > length_ms_max / unit) return std::nullopt;
        last_unit = unit;
        total += count * unit;
        if (total > length_ms_max) return std::nullopt;
    }
    return Millis{total};
}

std::string to_text(Millis length)
{
    std::int64_t rest = length.count();
    if (rest <= 0) return "0s";
    std::string text;
    for (std::size_t i = 0; i < 5; ++i) { // weeks are read, never written
        if (const auto count = rest / units[i].ms; count > 0) {
            text += fmt::format("{}{}", count, units[i].name);
            rest -= count * units[i].ms;
        }
    }
    return text;
}

} // namespace freshet
