// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the engine keeps in memory between groups. Within the floor `engine`.
//
// All of it follows from the store, the definitions or the requests of this process; nothing true lives only here but
// what may be forgotten: open offers, volatile progress, rate windows. After a failed commit recover() builds anew what
// follows from the store. Threads: the engine's.

#include "engine/engine.hpp"
#include "engine/history.hpp"
#include "engine/meters.hpp"
#include "engine/rate_window.hpp"

#include <deque>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace freshet {

/// A worker's open claim.
struct Offer {
    ClaimWork work;
    int core = -1;
    ReplyTo reply;
};

/// A completion whose bytes are being written ahead of its commit.
struct Ahead {
    Posted posted;
    std::int64_t payload = 0; ///< 0: not begun
    std::size_t written = 0;
};

/// Progress that is not on the job's row yet.
struct LiveProgress {
    Progress progress;
    std::optional<WallTime> moved_at;
};

struct Engine::State {
    State(Store& store_, CommitSink& sink_, Metrics& metrics, EngineOptions options)
        : store{store_}, sink{sink_}, meters{metrics}, definitions{std::move(options.definitions)},
          builtin_worker{"builtin-" + options.boot}
    {
    }

    Store& store;
    CommitSink& sink;
    Meters meters;
    std::shared_ptr<const Definitions> definitions;
    std::string builtin_worker;

    std::uint64_t position = 0; ///< notices published
    IdMaker ids;
    std::vector<Offer> offers;
    std::deque<Ahead> ahead;
    std::unordered_map<std::int64_t, LiveProgress> progress; ///< by job
    std::size_t queue_turn = 0;                              ///< whose queue is served first rotates

    std::map<std::string, std::int64_t, std::less<>> running; ///< jobs by queue
    std::set<std::string, std::less<>> paused;                ///< sources
    std::map<std::string, RateWindow, std::less<>> begun;     ///< flights by queue, for `rate`
    std::map<std::string, RateWindow, std::less<>>
        charged;                                      ///< flights started by hand, by caller and key, and by tenant
    std::map<std::string, History, std::less<>> took; ///< by queue
    /// Keys by (tenant, source), counted once and then kept: a count per new key would cost more with each of them.
    std::map<std::pair<std::string, std::string>, std::int64_t> keys;

    bool stale_memory = true;              ///< running and paused must be read from the store
    std::optional<WallTime> wake_expected; ///< when the last step wanted to be called again
    WallTime upkeep_at;                    ///< the next housekeeping
};

/// Policy of the queue that the job waits in: of a refresh, its source's.
QueuePolicy policy_of(const Definitions& definitions, const Job& job);

/// A built-in runner ends its flights itself at run_limit, with better words; this much later the engine does.
inline constexpr Millis run_limit_grace = 5s;

} // namespace freshet
