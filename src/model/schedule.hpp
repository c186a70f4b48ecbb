// SPDX-License-Identifier: Apache-2.0
#pragma once
// When a key refreshes or a task is enqueued by itself, and what becomes of a fire that is due.
//
// The next fire follows from the last nominal one, never from now: `every` is a grid over time whose phase is a hash
// (of the key, or of the schedule's tenant and name), so that many are spread over the interval; cron follows the wall
// clock of its zone. Whatever is decided is a row of the fire log, and a stretch of missed fires is one row. Pure.

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
/// The first `count` of them, fewer if there are no more.
std::vector<NominalFire> next_fires(const SourceSchedule& schedule, std::uint64_t key_hash, WallTime after, int count);

/// What is live of the schedule (or on the key) when a fire is due.
struct LiveFlight {
    bool any = false;
    bool waiting = false;      ///< of a task: one waits already, so that `queue_one` adds none
    bool side_by_side = false; ///< of a task: `allow` means beside what runs; a key never has two flights (F5)
};

enum class FireAct : std::uint8_t {
    nothing,
    ask,       ///< ask with 0: attach to anything
    ask_after, ///< follow what runs: of a key, ask for data read from now on
    replace,   ///< cancel what is live, then ask
};

/// One row of the fire log.
struct FireDecision {
    WallTime nominal;
    std::string_view decision; ///< ran, skipped, coalesced, shifted
    std::string reason;
    FireAct act = FireAct::nothing;
};

struct DueFires {
    std::vector<FireDecision> fires; ///< in order
    std::optional<WallTime> next_at;
};

/// Decides all fires from `nominal` (due at or before `now`) up to now.
DueFires decide_fires(const SourceSchedule& schedule, std::uint64_t key_hash, WallTime nominal, LiveFlight live,
                      WallTime now);

/// The row of fires that a pause swallowed, from `nominal` up to now; nullopt if there was none. `next_at` moves on.
std::optional<FireDecision> pass_over(const SourceSchedule& schedule, std::uint64_t key_hash,
                                      std::optional<WallTime>& next_at, std::string_view why, WallTime now);

} // namespace freshet
