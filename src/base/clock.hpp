// SPDX-License-Identifier: Apache-2.0
#pragma once
// Where time comes in. Decisions take instants as arguments; only the runtime and the app hold a Clock.
//
// EngineClock is wall clock at start + steady clock, slewed towards the wall clock by at most 1 part in 200, and never
// goes back: a wall clock that steps changes nothing but what schedules show (spec: one threshold, one time).
// Threads: SystemClock and EngineClock may be read from any thread; ManualClock too, and set() from the test's.

#include "base/time.hpp"

#include <atomic>

namespace freshet {

class Clock {
public:
    virtual ~Clock() = default;
    virtual WallTime wall() const = 0;
    virtual SteadyTime steady() const = 0;
};

/// The operating system's clocks. The only place that asks them.
class SystemClock final : public Clock {
public:
    WallTime wall() const override;
    SteadyTime steady() const override;
};

/// Engine time over another clock; wall() never goes back while the process lives.
class EngineClock final : public Clock {
public:
    explicit EngineClock(const Clock& source);
    WallTime wall() const override;
    SteadyTime steady() const override { return source_.steady(); }
    /// How far the source's wall clock is from engine time: above 2 s the doctor speaks of it.
    Millis drift() const;

private:
    const Clock& source_;
    WallTime wall_at_start_;
    SteadyTime steady_at_start_;
    mutable std::atomic<std::int64_t> slew_ms_{0};
    mutable std::atomic<std::int64_t> slewed_at_ms_{0};
    mutable std::atomic<std::int64_t> last_ms_{0};
};

/// A clock that stands still until it is told.
class ManualClock final : public Clock {
public:
    explicit ManualClock(WallTime start = WallTime{Millis{1'790'000'000'000}}) : wall_ms_{to_ms(start)} {}
    WallTime wall() const override { return from_ms(wall_ms_.load()); }
    SteadyTime steady() const override { return SteadyTime{Millis{steady_ms_.load()}}; }
    void advance(Millis by) { wall_ms_ += by.count(), steady_ms_ += by.count(); }
    /// Steps the wall clock only, as an administrator or NTP would.
    void step_wall(Millis by) { wall_ms_ += by.count(); }

private:
    std::atomic<std::int64_t> wall_ms_;
    std::atomic<std::int64_t> steady_ms_{1'000'000};
};

} // namespace freshet
