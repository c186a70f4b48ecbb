// SPDX-License-Identifier: Apache-2.0
#pragma once
// The word to end a flight early, and why: one side says it once, the other looks, waits or polls for it.
//
// Threads: any. Always holds: the first reason stands; from then on fd() is readable for ever.

#include "base/time.hpp"

#include <atomic>
#include <cstdint>

namespace freshet {

enum class StopReason : std::uint8_t { none, timeout, cancelled, stopping };

class FlightStop {
public:
    FlightStop();
    ~FlightStop();
    FlightStop(const FlightStop&) = delete;
    FlightStop& operator=(const FlightStop&) = delete;

    /// False when there was no descriptor left: the flight must not begin.
    bool usable() const { return fd_ >= 0; }
    void set(StopReason reason);
    StopReason reason() const { return reason_.load(); }
    explicit operator bool() const { return reason() != StopReason::none; }

    int fd() const { return fd_; }
    /// Waits for at most `length`. @return whether it was said.
    bool wait(Millis length) const;
    /// Waits until `events` of poll(2) come from `socket`. @return false if the word came first.
    bool wait_for(int socket, short events) const;

private:
    const int fd_;
    std::atomic<StopReason> reason_{StopReason::none};
};

} // namespace freshet
