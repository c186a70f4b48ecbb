// SPDX-License-Identifier: Apache-2.0
#pragma once
// What readers are given of a key, and the notices by which they learn of changes.
//
// A KeyView is an immutable picture of one key after one commit. The ledger tail hands a Notice to every core after the
// commit is on disk; nobody learns of a change by any other way (F10). `position` counts commits of this process.

#include "model/batch.hpp"
#include "model/event.hpp"
#include "model/freshness.hpp"
#include "model/job.hpp"
#include "model/records.hpp"
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

/// A remote worker as the engine knows it since its first call to this process.
struct WorkerView {
    /// alive: beats or claims come; deaf: beats, has free slots and ready work, and does not claim; lost: silent for
    /// longer than its jobs' lease; draining: asked to take no more; gone: forgotten, the last one told of it.
    enum class State : std::uint8_t { alive, deaf, lost, draining, gone };
    struct Holding {
        JobId job;
        Seq fence = 0;
        std::optional<WallTime> lease_until;
        friend bool operator==(const Holding&, const Holding&) = default;
    };
    std::string id, tenant, host, sdk; ///< tenant: its token's, "*" for one of all
    std::vector<std::string> queues;
    int slots = 0; ///< in all, as its last claim said: free ones and those it holds
    State state = State::alive;
    std::optional<WallTime> beat_at, claim_at;
    std::vector<Holding> jobs;
    friend bool operator==(const WorkerView&, const WorkerView&) = default;
};
std::string_view to_text(WorkerView::State);

/// What is set on a queue at run time.
struct QueueView {
    std::string queue;
    bool paused = false;
    QueueLimits limits;
};

/// All that one commit changed, for every core. Shared, immutable.
struct Notice {
    struct TenantEvents {
        std::string tenant;
        std::vector<LedgerEntry> entries;
    };
    std::uint64_t position = 0;
    std::vector<TenantEvents> events;
    std::vector<std::shared_ptr<const KeyView>> keys;  ///< every key whose view changed
    std::vector<std::shared_ptr<const Job>> jobs;      ///< every job that changed, also those that ended
    std::shared_ptr<const Definitions> definitions;    ///< set when the config was reloaded
    std::vector<std::shared_ptr<const Batch>> batches; ///< every batch that changed
    /// Volatile, not in the ledger: progress of running jobs since the last notice, workers and queues as they are now.
    std::vector<std::shared_ptr<const Job>> progress;
    std::vector<std::shared_ptr<const WorkerView>> workers; ///< those whose state or slots changed
    std::vector<std::shared_ptr<const QueueView>> queues;   ///< those that were paused, resumed or given limits
    /// All tokens of the store, when one was made or revoked.
    std::shared_ptr<const std::vector<TokenRecord>> tokens;
};

} // namespace freshet
