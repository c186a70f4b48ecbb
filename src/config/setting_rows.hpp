// SPDX-License-Identifier: Apache-2.0
#pragma once
// What rows of several settings tables are written with. Inside of config only.
#include "config/settings.hpp"

#include <array>

namespace freshet::rows {

using enum SettingType;
using Words = std::string_view;
using Source = SourceDefinition;

inline constexpr std::int64_t second = 1000, minute = 60 * second, hour = 60 * minute, day = 24 * hour,
                              year = 365 * day;
inline constexpr std::int64_t kib = 1LL << 10, mib = 1LL << 20, tib = 1LL << 40;
inline constexpr std::int64_t text_max = 64 * kib, name_max = 64, list_max = 1000;

inline constexpr std::array<Words, 2> gap_words{"shift", "skip"};
inline constexpr std::array<Words, 3> fold_words{"first", "last", "both"};
inline constexpr std::array<Words, 3> misfire_words{"coalesce", "skip", "all"};
inline constexpr std::array<Words, 4> overlap_words{"skip", "queue_one", "replace", "allow"};

inline constexpr std::array retry_rows{
    Setting{.name = "attempts",
            .type = count,
            .access = to<&RetryPolicy::attempts>(),
            .min = 1,
            .max = 100,
            .text = "How many times a job is tried before it failed for good."},
    Setting{.name = "wait",
            .type = duration,
            .access = to<&RetryPolicy::wait>(),
            .min = 1,
            .max = day,
            .text = "The wait before the second attempt; it doubles from one attempt to the next."},
    Setting{.name = "max_wait",
            .type = duration,
            .access = to<&RetryPolicy::max_wait>(),
            .min = 1,
            .max = 7 * day,
            .text = "The longest wait between two attempts; also how long a breaker stays open."},
};
inline constexpr SettingTable retry_rows_table{"retry", retry_rows, "How a failed attempt is tried again."};

} // namespace freshet::rows
