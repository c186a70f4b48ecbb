// SPDX-License-Identifier: Apache-2.0
#include "base/clock.hpp"

#include <algorithm>

namespace freshet {

WallTime SystemClock::wall() const
{
    return std::chrono::time_point_cast<Millis>(std::chrono::system_clock::now());
}

SteadyTime SystemClock::steady() const
{
    return std::chrono::time_point_cast<Millis>(std::chrono::steady_clock::now());
}

EngineClock::EngineClock(const Clock& source)
    : source_{source}, wall_at_start_{source.wall()}, steady_at_start_{source.steady()}
{
}

WallTime EngineClock::wall() const
{
    const auto uptime = source_.steady() - steady_at_start_;
    const std::int64_t uptime_ms = uptime.count();
    // Slewing happens at most once per 200 ms and moves by 1 ms: 1 part in 200, whatever NTP did.
    std::int64_t slewed_at = slewed_at_ms_.load(std::memory_order_relaxed);
    if (uptime_ms - slewed_at >= 200 && slewed_at_ms_.compare_exchange_strong(slewed_at, uptime_ms)) {
        const std::int64_t off = to_ms(source_.wall()) - (to_ms(wall_at_start_) + uptime_ms + slew_ms_.load());
        const std::int64_t most = (uptime_ms - slewed_at) / 200;
        slew_ms_ += std::clamp(off, -most, most);
    }
    const std::int64_t now = to_ms(wall_at_start_) + uptime_ms + slew_ms_.load(std::memory_order_relaxed);
    std::int64_t last = last_ms_.load(std::memory_order_relaxed);
    while (last < now && !last_ms_.compare_exchange_weak(last, now)) {
    }
    return from_ms(std::max(last, now));
}

Millis EngineClock::drift() const
{
    return source_.wall() - wall();
}

} // namespace freshet
