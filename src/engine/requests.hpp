// SPDX-License-Identifier: Apache-2.0
#pragma once
// What can be asked of the engine, and what it answers. Plain values: they cross threads by move.
//
// A reply is given only after the commit that holds its effect is on disk and every core's inbox has the notice of it.

#include "engine/runner.hpp"
#include "engine/view.hpp"
#include "model/diff_counts.hpp"

#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace freshet {

struct IdempotencyScope {
    std::string route, key;
    Hash128 request;
};

/// Asks for a refresh of a key. Attaches to a live job where the rules of uniqueness allow it.
struct AskRefresh {
    std::string tenant, key, source;
    Trigger trigger = Trigger::manual;
    std::string caller;            ///< who, for limits and the receipt
    bool read_after_now = true;    ///< false: a flight that runs already will do (stale, cold, schedule)
    std::optional<Millis> max_age; ///< a flight that began within this will do
    bool attach_only = false;      ///< never start a flight (min_gen)
    std::optional<IdempotencyScope> idempotency;
};

/// The answer to AskRefresh: the job that will bring it.
struct Asked {
    std::shared_ptr<const Job> job;
    bool joined = false;   ///< attached to a flight that others began
    bool replayed = false; ///< the same Idempotency-Key came before; this is what it came to
    Seq asked = 0;         ///< the head this caller saw
};

struct CancelJob {
    JobId job;
    std::string tenant, caller;
};
struct RetryJob {
    JobId job;
    std::string tenant, caller;
    std::optional<int> generation;
};

enum class PurgeMode : std::uint8_t { soft, hard, refresh };
/// Purge of one key; DELETE is `hard`.
struct PurgeKey {
    std::string tenant, key, source;
    PurgeMode mode = PurgeMode::soft;
    std::string caller;
};
struct Purged {
    std::shared_ptr<const KeyView> view;
    JobId job;
};

struct DecideHeld {
    std::string tenant, key, source;
    bool accept = false;
    JobId held_job;
    std::string caller;
};
struct HeldDecided {
    std::shared_ptr<const KeyView> view;
};

struct PauseSource {
    std::string source;
    bool paused = true;
    std::string tenant, caller;
};
struct Done {};

/// A key was read: its schedule stays alive. Coarse, a hint.
struct TouchKey {
    std::string tenant, key, source;
};

/// A worker offers free slots; answered with jobs as soon as there are any, in the commit that claims them, or with
/// nothing when another offer of the same worker takes its place. One open offer per worker.
struct ClaimWork {
    std::string worker;
    std::vector<std::string> queues;
    int slots = 0;
};
struct ClaimedJob {
    std::shared_ptr<const Job> job;
    std::shared_ptr<const SourceDefinition> source; ///< of a refresh: the definition it was claimed under
    std::vector<std::string> params;                ///< of a refresh: decoded
    Validators validators;                          ///< of the published snapshot, if it has the same definition
    bool forced = false;                            ///< a person asked: caches on the way are told no-cache
};
struct Claimed {
    std::vector<ClaimedJob> jobs;
};

struct BeatJob {
    JobId job;
    Beat beat;
};
struct BeatWork {
    std::string worker;
    std::vector<BeatJob> jobs;
};
enum class BeatAnswer : std::uint8_t { ok, cancel, lost };
struct Beaten {
    std::vector<std::pair<JobId, BeatAnswer>> answers;
};

/// A result made ready outside of the engine thread: canonical, hashed, counted and compared with `base`.
struct PreparedResult {
    std::shared_ptr<const Body> body; ///< null: unchanged by the source's own word (304)
    std::int64_t written_ahead = 0;   ///< the engine's own: payload whose bytes are on disk already
    std::int64_t base_ver = 0;        ///< the version that `counts` and `diff` are against; 0: none
    DiffCounts counts;
    std::string diff; ///< application/vnd.freshet.diff+json, bounded; may be empty
    bool wrong_shape = false;
    std::string shape_message;
    FlightData data; ///< without json, which became `body`
};
struct CompleteJob {
    JobId job;
    Seq fence = 0;
    PreparedResult result;
};
struct FailJob {
    JobId job;
    Seq fence = 0;
    FlightFailure failure;
};
struct ReleaseJob {
    JobId job;
    Seq fence = 0;
};
struct Reconfigure {
    std::shared_ptr<const Definitions> definitions;
};

using Request = std::variant<AskRefresh, CancelJob, RetryJob, PurgeKey, DecideHeld, PauseSource, TouchKey, ClaimWork,
                             BeatWork, CompleteJob, FailJob, ReleaseJob, Reconfigure>;

/// A refusal in words; `retry_at` and `job` where they help.
struct Refused {
    Refusal refusal = Refusal::not_found;
    std::string message;
    std::optional<WallTime> retry_at;
    JobId job;
    std::int64_t limit_count = 0; ///< of `limited`: the policy that was hit
    Millis limit_per{0};
};

using Answer = std::variant<Asked, std::shared_ptr<const Job>, Purged, HeldDecided, Claimed, Beaten, Done>;
using Reply = std::expected<Answer, Refused>;
using ReplyTo = std::function<void(Reply)>;

/// What the engine stands behind, for http and the runner host. Threads: any.
class EnginePort {
public:
    virtual ~EnginePort() = default;
    /// Queues a request of a person or program. False: the inbox is full (answer 503 busy); `reply` is not called.
    /// `core` >= 0: the reply is delivered in order with that core's notices (on its thread); -1: on the engine thread.
    virtual bool post(Request request, int core, ReplyTo reply) = 0;
    /// Queues a hint (stale read, touch): dropped silently when the inbox is more than half full.
    virtual bool hint(Request request) = 0;
};

} // namespace freshet
