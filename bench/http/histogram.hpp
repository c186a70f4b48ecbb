// SPDX-License-Identifier: Apache-2.0
#pragma once
// Latencies by size: 64 steps to each power of two, so that a quantile is right within 1.6 %. No allocation to record.

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace freshet::bench {

class Histogram {
public:
    void record(std::uint64_t nanoseconds)
    {
        ++counts_[std::min(place_of(nanoseconds), counts_.size() - 1)];
        ++total_;
        max_ = std::max(max_, nanoseconds);
    }
    std::uint64_t total() const { return total_; }
    std::uint64_t max() const { return max_; }
    /// The value that `share` (0 to 1) of the recorded ones do not exceed; 0 if there are none.
    std::uint64_t quantile(double share) const
    {
        const auto wanted = static_cast<std::uint64_t>(share * static_cast<double>(total_));
        std::uint64_t seen = 0;
        for (std::size_t place = 0; place < counts_.size(); ++place) {
            seen += counts_[place];
            if (seen > wanted) return std::min(upper_end(place), max_);
        }
        return max_;
    }

private:
    static constexpr int step_bits = 6;
    static constexpr std::size_t steps = std::size_t{1} << step_bits;

    static std::size_t place_of(std::uint64_t value)
    {
        if (value < steps) return static_cast<std::size_t>(value);
        const int power = std::bit_width(value) - 1 - step_bits;
        return steps * static_cast<std::size_t>(power) + static_cast<std::size_t>(value >> power);
    }
    static std::uint64_t upper_end(std::size_t place)
    {
        if (place < 2 * steps) return place;
        const std::size_t power = place / steps - 1;
        return ((place - power * steps + 1) << power) - 1;
    }

    std::array<std::uint64_t, steps * 36> counts_{}; ///< up to about a minute
    std::uint64_t total_ = 0, max_ = 0;
};

} // namespace freshet::bench
