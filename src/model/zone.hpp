// SPDX-License-Identifier: Apache-2.0
#pragma once
// A time zone as ranges of constant offset from UTC. Within the floor `model`; cron is its one user.
// This header and its source are C++17: date/ptz.h, whose `using namespace` meets std::chrono's own calendar, is no
// more.

#include <chrono>
#include <memory>
#include <string_view>

namespace freshet {

using ZoneInstant = std::chrono::time_point<std::chrono::system_clock, std::chrono::seconds>;

struct ZoneRange {
    ZoneInstant begin, end;         ///< [begin, end)
    std::chrono::seconds offset{0}; ///< local = UTC + offset
};

class Zone {
public:
    virtual ~Zone() = default;
    virtual ZoneRange range(ZoneInstant at) const = 0;
};

/// The machine's zone of that name, kept for the life of the process; null if there is none.
const Zone* find_zone(std::string_view name);

} // namespace freshet
