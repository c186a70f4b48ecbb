// SPDX-License-Identifier: Apache-2.0
#pragma once
// How far an attempt is. Volatile between transitions; monotonic within (attempt, phase).

#include <cstdint>
#include <optional>
#include <string>

namespace freshet {

struct Progress {
    int attempt = 0;
    std::string phase;
    int phase_index = 0, phases = 0;
    std::int64_t done = 0;
    std::optional<std::int64_t> total;
    std::string unit, message;

    /// Rounded down, and never 100 before the job has succeeded; nullopt without a total.
    std::optional<int> percent() const
    {
        if (!total || *total <= 0) return std::nullopt;
        const std::int64_t value = done * 100 / *total;
        return static_cast<int>(value > 99 ? 99 : value < 0 ? 0 : value);
    }
    friend bool operator==(const Progress&, const Progress&) = default;
};

/// True if `next` may replace `before` on a screen: later attempt, later phase, or more done within the same.
constexpr bool moves_forward(const Progress& before, const Progress& next)
{
    if (next.attempt != before.attempt) return next.attempt > before.attempt;
    if (next.phase_index != before.phase_index) return next.phase_index > before.phase_index;
    return next.done >= before.done;
}

} // namespace freshet
