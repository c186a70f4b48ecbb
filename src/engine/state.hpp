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
#include "engine/workers.hpp"
#include "model/pauses.hpp"
#include "model/queue_policy.hpp"
#include "wire/bulk.hpp"

#include <array>
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

/// A request whose bytes are being written ahead of its commit: a large completion, or a result put by a worker.
struct Ahead {
    Posted posted;
    std::int64_t payload = 0; ///< 0: not begun
    std::size_t written = 0;
};

/// Progress that is not on the job's row yet.
struct LiveProgress {
    Progress progress;
    std::optional<WallTime> moved_at;
    std::vector<PhaseTime> phases;       ///< those of this attempt that are over
    std::optional<WallTime> phase_began; ///< of the one that is under way
};

/// Jobs of one tenant in one queue.
struct LiveCount {
    std::int64_t queued = 0, running = 0;
};

/// A result that a worker put and no completion has named yet.
struct PutPayload {
    JobId job;
    Seq fence = 0;
    std::int64_t bytes = 0;
    WallTime at;
};

/// A reset whose rows are being ended: what has job.seq <= record.seq is over, whatever its row still says.
struct ResetWork {
    ResetRecord record;
    std::array<JobId, 2> before; ///< of running and of queued rows: those from this one on are done
};

/// A bulk act that is being counted, page by page, before it is answered.
struct BulkCount {
    BulkJobs request;
    int core = -1;
    ReplyTo reply;
    JobId before;
    std::int64_t count = 0;
    std::map<std::pair<std::string, JobState>, std::int64_t> by_queue;
};

/// A request that adds more items to a batch than one commit takes.
struct Fill {
    Posted posted; ///< AddBatch or AddItems
    BatchId batch;
    std::size_t next = 0; ///< the first item that is not taken yet
};

/// Where the walk over all keys, for what got too old, stands.
struct KeysWalk {
    std::string tenant, key; ///< it goes on behind this key
    WallTime next_at;
    bool dropped_beyond = false; ///< it dropped versions of a tenant that keeps too many bytes
};

/// Room in a queue for a follow-up that starts by itself.
struct Reserve {
    std::string tenant, queue;
    std::int64_t count = 0;
};

/// Items that changes over many of them take in one commit, and bytes of input that go with them.
inline constexpr std::int64_t batch_items_per_commit = 500;
inline constexpr std::size_t batch_bytes_per_commit = 2 << 20;

struct Engine::State {
    State(Store& store_, CommitSink& sink_, Metrics& metrics, EngineOptions options)
        : store{store_}, sink{sink_}, meters{metrics}, definitions{std::move(options.definitions)},
          wall_ahead{std::move(options.wall_ahead)}, disk_full{std::move(options.disk_full)},
          builtin_worker{"builtin-" + options.boot}
    {
    }

    Store& store;
    CommitSink& sink;
    Meters meters;
    std::shared_ptr<const Definitions> definitions;
    std::function<Millis()> wall_ahead;
    const std::function<std::string()> disk_full;
    std::string no_room;                   ///< what disk_full said at this step
    std::optional<WallTime> failing_since; ///< no commit has succeeded since
    std::string builtin_worker;

    std::uint64_t position = 0; ///< notices published
    IdMaker ids;
    std::vector<Offer> offers;
    std::deque<Ahead> ahead;
    std::unordered_map<std::int64_t, LiveProgress> progress; ///< by job
    std::size_t queue_turn = 0;                              ///< whose queue is served first rotates

    std::map<std::string, std::int64_t, std::less<>> running;      ///< jobs by queue
    std::map<std::pair<std::string, std::string>, LiveCount> live; ///< jobs by (tenant, queue)
    Pauses paused;                                                 ///< sources and queues
    std::map<std::string, QueueLimits, std::less<>> limits;        ///< set at run time, by queue
    std::map<std::string, std::string, std::less<>> turns;         ///< by queue: the tenant that was served last
    std::vector<ResetWork> resets;
    Workers workers;
    std::map<std::int64_t, PutPayload> put_results;           ///< by payload
    std::unordered_map<std::int64_t, std::int64_t> log_lines; ///< by job: the number of its last line
    std::deque<BulkCount> bulks;
    std::int64_t bulk_live = 0; ///< bulk jobs that wait or run
    JobId bulk_now;             ///< the one that is worked on
    WallTime started_at;        ///< of the process, or of the store's return: leases of before get their length again
    std::map<std::string, RateWindow, std::less<>> begun; ///< flights by queue, for `rate`
    std::map<std::string, RateWindow, std::less<>>
        charged;                                      ///< flights started by hand, by caller and key, and by tenant
    std::map<std::string, History, std::less<>> took; ///< by queue
    /// Keys by (tenant, source), and by (tenant, "") over all sources, counted once and then kept: a count per new key
    /// would cost more with each of them.
    std::map<std::pair<std::string, std::string>, std::int64_t> keys;

    std::deque<Fill> fills;
    std::map<std::int64_t, Reserve> reserves; ///< by batch
    /// Bytes of versions and held results, of tenants that were asked about; counted once and then kept.
    std::map<std::string, std::int64_t, std::less<>> stored;

    std::set<std::pair<std::string, std::string>> paused_schedules; ///< (tenant, name)
    std::optional<WallTime> wall_seen;                              ///< by the last step

    bool stale_memory = true;              ///< running and paused must be read from the store
    std::optional<WallTime> wake_expected; ///< when the last step wanted to be called again
    WallTime upkeep_at;                    ///< the next housekeeping
    std::string upkeep_tenant;             ///< it goes on with this one
    KeysWalk walk;
    std::map<std::string, WallTime, std::less<>> removed_sources; ///< since when they are not configured
};

/// By how much the wall clock is ahead of engine time; 0 below wall_step_noticed.
Millis wall_ahead(const Engine::State& state);
/// A wall clock that is off by less was not set, it drifts.
inline constexpr Millis wall_step_noticed = 1s;

} // namespace freshet
