// SPDX-License-Identifier: Apache-2.0
#pragma once
// How long the last good attempts of a queue took: what time left is reckoned from. A value; one thread.

#include "base/time.hpp"

#include <algorithm>
#include <cstddef>
#include <deque>
#include <optional>
#include <vector>

namespace freshet {

class History {
public:
    void add(Millis took)
    {
        last_.push_back(took);
        if (last_.size() > kept_max) last_.pop_front();
    }
    /// Nothing below three attempts: a range from one is a guess.
    std::optional<Millis> percentile(int percent) const
    {
        if (last_.size() < 3) return std::nullopt;
        std::vector<Millis> sorted{last_.begin(), last_.end()};
        std::ranges::sort(sorted);
        return sorted[std::min(sorted.size() - 1, sorted.size() * static_cast<std::size_t>(percent) / 100)];
    }
    static constexpr std::size_t kept_max = 50;

private:
    std::deque<Millis> last_;
};

} // namespace freshet
