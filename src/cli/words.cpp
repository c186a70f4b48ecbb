// SPDX-License-Identifier: Apache-2.0
#include "cli/words.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <ctime>
#include <fmt/format.h>

namespace freshet::cli {

namespace {

struct StateLook {
    std::string_view word, icon, ansi;
};
// One look per word; icons differ in shape, so that colour is never alone.
constexpr std::array<StateLook, 17> looks{{{"fresh", "●", "32"},
                                           {"stale", "◐", "33"},
                                           {"overdue", "◔", "35"},
                                           {"failing", "✖", "31"},
                                           {"empty", "○", "90"},
                                           {"updated", "✔", "32"},
                                           {"unchanged", "=", "32"},
                                           {"limited", "◦", "33"},
                                           {"pending", "…", "33"},
                                           {"failed", "✖", "31"},
                                           {"held", "◫", "35"},
                                           {"succeeded", "✔", "32"},
                                           {"running", "▶", "36"},
                                           {"queued", "…", "90"},
                                           {"cancelled", "⊘", "90"},
                                           {"retrying", "↻", "33"},
                                           {"scheduled", "◷", "90"}}};

// Characters that a terminal shows: bytes that begin one, outside of colour codes.
std::size_t shown_width(std::string_view text)
{
    std::size_t width = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\x1b') {
            i = std::min(text.find('m', i), text.size());
            continue;
        }
        width += (static_cast<unsigned char>(text[i]) & 0xC0) != 0x80;
    }
    return width;
}

// How many bytes of a character that may be shown begin here, 0 for none: what is no UTF-8, C1 controls and bidi
// overrides.
std::size_t utf8_length(std::string_view text)
{
    const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
    const auto follows = [&](std::size_t i) { return (byte(i) & 0xC0) == 0x80; };
    if (byte(0) >= 0xC2 && byte(0) <= 0xDF && follows(1)) return byte(0) == 0xC2 && byte(1) < 0xA0 ? 0 : 2;
    if (byte(0) >= 0xE0 && byte(0) <= 0xEF && follows(1) && follows(2)) {
        const unsigned code = (byte(0) & 0x0FU) << 12 | (byte(1) & 0x3FU) << 6 | (byte(2) & 0x3FU);
        const bool bidi = (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
        return code < 0x800 || (code >= 0xD800 && code <= 0xDFFF) || bidi || code == 0x2028 || code == 0x2029 ? 0 : 3;
    }
    if (byte(0) >= 0xF0 && byte(0) <= 0xF4 && follows(1) && follows(2) && follows(3)) return 4;
    return 0;
}

struct Amount {
    std::string number;
    std::string_view unit;
};

Amount amount_of(Millis length)
{
    const double seconds = std::max(0.0, static_cast<double>(length.count()) / 1000);
    if (seconds < 9.95) {
        std::string number = fmt::format("{:.1f}", seconds);
        if (number.ends_with(".0")) number.resize(number.size() - 2);
        return {std::move(number), "s"};
    }
    if (seconds < 120) return {fmt::format("{:.0f}", std::floor(seconds)), "s"};
    if (seconds < 2 * 3600) return {fmt::format("{:.0f}", std::floor(seconds / 60)), "min"};
    if (seconds < 48 * 3600) return {fmt::format("{:.0f}", std::floor(seconds / 3600)), "h"};
    return {fmt::format("{:.0f}", std::floor(seconds / 86400)), "d"};
}

} // namespace

std::string safe(std::string_view text)
{
    std::string out;
    for (std::size_t i = 0; i < text.size();) {
        if (text[i] >= ' ' && text[i] <= '~') {
            out += text[i++];
            continue;
        }
        const std::size_t length = utf8_length(text.substr(i));
        if (length == 0)
            out += '?';
        else
            out += text.substr(i, length);
        i += std::max<std::size_t>(length, 1);
    }
    return out;
}

std::string length_words(Millis length)
{
    const Amount amount = amount_of(length);
    return fmt::format("{} {}", amount.number, amount.unit);
}

std::string range_words(Millis low, Millis high)
{
    const Amount from = amount_of(low), to = amount_of(high);
    if (from.number == to.number && from.unit == to.unit) return length_words(high);
    if (from.unit == to.unit) return fmt::format("{}-{} {}", from.number, to.number, to.unit);
    return fmt::format("{}-{}", length_words(low), length_words(high));
}

std::string counts_words(const Json& counts)
{
    std::string words;
    for (const std::string_view what : {"changed", "added", "removed"})
        if (const std::int64_t count = counts[what].whole(); count > 0)
            words += fmt::format("{}{} {}", words.empty() ? "" : ", ", count, what);
    return words;
}

std::string clock_words(WallTime at, WallTime now)
{
    const auto local = [](WallTime instant) {
        const std::time_t seconds = std::chrono::system_clock::to_time_t(instant);
        std::tm parts{};
        localtime_r(&seconds, &parts);
        return parts;
    };
    const std::tm then = local(at), today = local(now);
    const std::string time = fmt::format("{:02}:{:02}:{:02}", then.tm_hour, then.tm_min, then.tm_sec);
    if (then.tm_year == today.tm_year && then.tm_yday == today.tm_yday) return time;
    return fmt::format("{}-{:02}-{:02} {}", then.tm_year + 1900, then.tm_mon + 1, then.tm_mday, time);
}

std::string plural(std::int64_t count, std::string_view one, std::string_view many)
{
    return fmt::format("{} {}", count, count == 1 ? one : many);
}

std::string paint(std::string_view text, std::string_view ansi, bool color)
{
    return color ? fmt::format("\x1b[{}m{}\x1b[0m", ansi, text) : std::string{text};
}

std::string state_words(std::string_view state, bool color)
{
    const auto look = std::ranges::find(looks, state, &StateLook::word);
    if (!color || look == looks.end()) return safe(state);
    return paint(fmt::format("{} {}", look->icon, state), look->ansi, true);
}

std::string table_words(const std::vector<std::vector<std::string>>& rows)
{
    std::vector<std::size_t> widths;
    for (const auto& row : rows) {
        widths.resize(std::max(widths.size(), row.size()));
        for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], shown_width(row[i]));
    }
    std::string out;
    for (const auto& row : rows) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i) {
            line += row[i];
            if (i + 1 < row.size()) line.append(widths[i] - shown_width(row[i]) + 2, ' ');
        }
        line.resize(line.find_last_not_of(' ') + 1);
        out += line + '\n';
    }
    return out;
}

std::string bar_words(const BarState& state, int width)
{
    std::string words;
    const auto add = [&](const std::string& part) {
        if (!part.empty()) words += "  " + part;
    };
    // Rounded down: 100 % is said by the end alone.
    if (state.share) add(fmt::format("{} %", static_cast<int>(std::clamp(*state.share, 0.0, 1.0) * 100)));
    add(safe(state.phase + (state.phase.empty() || state.counted.empty() ? "" : " ") + state.counted));
    if (!state.eta.empty()) add("ETA " + state.eta);
    add(length_words(state.elapsed));
    const int room = std::min(30, width - static_cast<int>(shown_width(words)) - 3);
    if (!state.share || room < 8) return words.substr(std::min<std::size_t>(2, words.size()));
    const auto full = static_cast<std::size_t>(std::clamp(*state.share, 0.0, 1.0) * room);
    return "[" + std::string(full, '#') + std::string(static_cast<std::size_t>(room) - full, '.') + "]" + words;
}

} // namespace freshet::cli
