// SPDX-License-Identifier: Apache-2.0
#pragma once
// Counts events in a sliding window: "6/min". A value; one thread.

#include "base/time.hpp"
#include "model/definition.hpp"

#include <deque>
#include <optional>

namespace freshet {

class RateWindow {
public:
    /// When the next event is allowed; nullopt: now. A limit of count 0 allows all.
    std::optional<WallTime> blocked_until(const RateLimit& limit, WallTime now)
    {
        if (limit.count <= 0) return std::nullopt;
        while (!events_.empty() && events_.front() + limit.per <= now) events_.pop_front();
        if (events_.size() < static_cast<std::size_t>(limit.count)) return std::nullopt;
        return events_[events_.size() - static_cast<std::size_t>(limit.count)] + limit.per;
    }
    /// How many events are allowed now, at most `most`.
    int left(const RateLimit& limit, WallTime now, int most)
    {
        if (limit.count <= 0) return most;
        if (blocked_until(limit, now)) return 0;
        const auto left = limit.count - static_cast<std::int64_t>(events_.size());
        return static_cast<int>(std::min<std::int64_t>(left, most));
    }
    void add(const RateLimit& limit, WallTime now)
    {
        if (limit.count > 0) events_.push_back(now);
    }
    bool idle(WallTime since) const { return events_.empty() || events_.back() < since; }

private:
    std::deque<WallTime> events_;
};

} // namespace freshet
