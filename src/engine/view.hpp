// SPDX-License-Identifier: Apache-2.0
#pragma once
// What readers are given of a key, and the notices by which they learn of changes.
//
// A KeyView is an immutable picture of one key after one commit. The ledger tail hands a Notice to every core after the
// commit is on disk; nobody learns of a change by any other way (F10). `position` counts commits of this process.

#include "model/event.hpp"
#include "model/freshness.hpp"
#include "model/job.hpp"
#include "model/snapshot.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace freshet {

/// The refresh that runs or waits for a slot on a key (not one that waits for a retry).
struct FlightView {
    JobId id;
    bool running = false;
    Trigger trigger = Trigger::manual;
    WallTime requested_at;
    friend bool operator==(const FlightView&, const FlightView&) = default;
};

struct KeyView {
    KeyRecord record;
    std::shared_ptr<const Body> body; ///< null: empty, or (in a Notice) the same as before: record.ver tells
    std::optional<FlightView> flight;
    bool paused = false;
};

/// All that one commit changed, for every core. Shared, immutable.
struct Notice {
    struct TenantEvents {
        std::string tenant;
        std::vector<LedgerEntry> entries;
    };
    std::uint64_t position = 0;
    std::vector<TenantEvents> events;
    std::vector<std::shared_ptr<const KeyView>> keys; ///< every key whose view changed
    std::vector<std::shared_ptr<const Job>> jobs;     ///< every job that changed, also those that ended
    std::shared_ptr<const Definitions> definitions;   ///< set when the config was reloaded
    /// Volatile, not in the ledger: progress of running jobs since the last notice.
    std::vector<std::shared_ptr<const Job>> progress;
};

} // namespace freshet
