// SPDX-License-Identifier: Apache-2.0
#pragma once
// How the CLI says things: ages, counts, states with icon and colour, tables, one progress bar. Pure.

#include "base/time.hpp"
#include "cli/json.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace freshet::cli {

/// Foreign text for a terminal: control characters (escapes, line ends) become '?'; valid UTF-8 stays.
std::string safe(std::string_view text);

/// "0.4 s", "41 s", "3 min", "2 h", "5 d": the largest unit that says enough; negative counts as 0.
std::string length_words(Millis length);
/// "35-50 s": the unit once where both ends share it.
std::string range_words(Millis low, Millis high);
/// "3 changed, 1 added, 2 removed"; empty without any.
std::string counts_words(const Json& counts);
/// HH:MM:SS of the machine's zone, with the date in front when `at` is not of the day of `now`.
std::string clock_words(WallTime at, WallTime now);
/// 1 job, 2 jobs.
std::string plural(std::int64_t count, std::string_view one, std::string_view many);

/// The word of a state or outcome, on a terminal with its icon and colour. Never colour alone.
std::string state_words(std::string_view state, bool color);
std::string paint(std::string_view text, std::string_view ansi, bool color);

/// Columns aligned by their widest cell, two blanks between, no blanks at a line's end. Widths count characters (UTF-8)
/// without colour.
std::string table_words(const std::vector<std::vector<std::string>>& rows);

/// "[#######.......]  62 %  fit 310/500  ETA 35-50 s  12 s" in at most `width` characters; without a total no bar.
struct BarState {
    std::optional<double> share; ///< 0..1; nullopt: unknown
    std::string phase, counted, eta;
    Millis elapsed{0};
};
std::string bar_words(const BarState& state, int width);

} // namespace freshet::cli
