// SPDX-License-Identifier: Apache-2.0
#pragma once
// When a key refreshes by itself, and what becomes of a fire that is due.
//
// The next fire follows from the last nominal one, never from now: `every` is a grid over time whose phase is the hash
// of the key, so that many keys are spread over the interval; cron follows the wall clock of its zone. Pure.

#include "base/time.hpp"
#include "model/definition.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace freshet {

struct NominalFire {
    WallTime at;
    bool shifted = false;
};

/// The first nominal fire after `after`; nullopt if the schedule has none.
std::optional<NominalFire> next_fire(const SourceSchedule& schedule, std::uint64_t key_hash, WallTime after);

/// What is live on the key when a fire is due.
struct LiveFlight {
    bool any = false;
};

enum class FireAct : std::uint8_t {
    nothing,
    ask,       ///< ask with 0: attach to anything
    ask_after, ///< ask for data read from now on: trails behind what runs
    replace,   ///< cancel what runs, then ask
};

/// One row of the fire log.
struct FireDecision {
    WallTime nominal;
    std::string_view decision; ///< ran, skipped, coalesced, shifted
    std::string reason;
    FireAct act = FireAct::nothing;
};

struct DueFires {
    std::vector<FireDecision> fires; ///< in order; at most one of them asks unless misfire is `all`
    std::optional<WallTime> next_at;
};

/// Decides all fires from `nominal` (due at or before `now`) up to now.
DueFires decide_fires(const SourceSchedule& schedule, std::uint64_t key_hash, WallTime nominal, LiveFlight live,
                      WallTime now);

} // namespace freshet
