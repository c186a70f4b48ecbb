// SPDX-License-Identifier: Apache-2.0
#pragma once
// What can be asked of the engine, and what it answers. Plain values: they cross threads by move.
//
// A reply is given only after the commit that holds its effect is on disk and every core's inbox has the notice of it.

#include "engine/runner.hpp"
#include "engine/view.hpp"
#include "model/diff_counts.hpp"
#include "store/store.hpp"

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

/// A refusal in words; `retry_at` and `job` where they help.
struct Refused {
    Refusal refusal = Refusal::not_found;
    std::string message;
    std::optional<WallTime> retry_at;
    JobId job;
    std::int64_t limit_count = 0; ///< of `limited`: the policy that was hit
    Millis limit_per{0};
};

/// Asks for a refresh of a key. Attaches to a live job where the rules of uniqueness allow it.
struct AskRefresh {
    std::string tenant, key, source;
    Trigger trigger = Trigger::manual;
    std::string caller;            ///< who, for limits and the receipt
    std::string by_tenant = {};    ///< of a shared source: whose caller that is; empty: `tenant`'s
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
    std::optional<std::string> input; ///< of a task or item: instead of what it had; JSON
};

enum class PurgeMode : std::uint8_t { soft, hard, refresh };
/// Purge of one key; DELETE is `hard`. soft marks stale and refreshes in the background; refresh does so as by a
/// person, and is refused where that can not be.
struct PurgeKey {
    std::string tenant, key, source;
    PurgeMode mode = PurgeMode::soft;
    std::string caller;
};
struct Purged {
    std::shared_ptr<const KeyView> view;
    JobId job; ///< that refreshes it; 0: none does
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
// --- Jobs of queues ---

struct NewJob {
    std::string queue, input; ///< input: JSON, bounded by http
    std::optional<int> priority, attempts_max;
    std::optional<WallTime> due_at, deadline_at, start_by;
    std::optional<UniqueTerms> unique;
    std::vector<std::string> tags;
};
/// Enqueues all of them or none.
struct AddJobs {
    std::string tenant, caller;
    std::vector<NewJob> jobs; ///< at most 1,000
    std::optional<IdempotencyScope> idempotency;
};
struct AddedJob {
    std::shared_ptr<const Job> job;
    bool attached = false; ///< uniqueness led to a job that was there
};
struct Added {
    std::vector<AddedJob> jobs;
    bool replayed = false;
};

/// A queued job becomes due at once.
struct RunJob {
    JobId job;
    std::string tenant, caller;
};
/// Row 15: a late result of a failed or cancelled task, item or worker's refresh, or a held one, is made its result.
struct AdoptJob {
    JobId job;
    std::string tenant, caller;
    std::optional<PreparedResult> result; ///< of a refresh: the late result made ready
};
struct PauseQueue {
    std::string queue;
    bool paused = true;
    std::string tenant, caller;
};
struct LimitQueue {
    std::string queue;
    std::optional<int> concurrency; ///< absent: as configured
    std::optional<RateLimit> rate;
    std::string tenant, caller;
};
/// Row 13. Counts first; then, unless it is a dry run, all live jobs of the tenant (of these queues, in these states)
/// end as failed `reset`: whole queues at once by reset_seq, their rows in chunks.
struct ResetTenant {
    std::string tenant, caller;
    bool dry_run = true;
    std::vector<std::string> queues; ///< empty: all
    std::vector<JobState> states;    ///< empty: queued and running
};
enum class BulkAction : std::uint8_t { retry, cancel, drop };
/// One act on many jobs: the exact count first, then as a job of its own (queue "freshet.bulk") with progress.
struct BulkJobs {
    std::string tenant, caller;
    BulkAction action = BulkAction::cancel;
    JobFilter filter;
    bool dry_run = true;
};
/// The answer to ResetTenant and BulkJobs.
struct Counted {
    std::int64_t count = 0;
    std::vector<JobCount> by_queue;
    std::shared_ptr<const Job> job; ///< of a bulk that runs
};

// --- Schedules ---

/// `name`: of a [schedule.NAME], or the key whose source has a schedule. Fires that a pause swallows are one row.
struct PauseSchedule {
    std::string name;
    bool paused = true;
    std::string tenant, caller;
};
/// Fires now, beside the nominal instants; shares what is under way. Answered with Added, of one job.
struct RunSchedule {
    std::string name, tenant, caller;
};

// --- Batches ---

struct NewItem {
    std::string key, label, input;
};
struct AddBatch {
    std::string tenant, caller, name, queue;
    std::vector<NewItem> items; ///< at most 100,000; taken in chunks, answered after the last
    bool sealed = true;
    int concurrency = 0;
    FailurePolicy policy;
    BatchDriver driver = BatchDriver::workers;
    std::optional<FollowUp> then;
    std::optional<IdempotencyScope> idempotency;
};
struct AddItems {
    BatchId batch;
    std::string tenant, caller;
    std::vector<NewItem> items; ///< a key that is there already with the same input is taken as said before
    std::optional<IdempotencyScope> idempotency;
};
enum class BatchVerb : std::uint8_t { seal, cancel, retry_failed, start_then };
struct ChangeBatch {
    BatchId batch;
    std::string tenant, caller;
    BatchVerb verb = BatchVerb::seal;
    std::optional<int> generation; ///< of retry_failed: the one that is shown
};
/// The answer to AddBatch, AddItems and ChangeBatch.
struct BatchChanged {
    std::shared_ptr<const Batch> batch;
    bool replayed = false;
    JobId job; ///< of start_then: what was started
    BatchId started;
};
/// driver = "caller": lets the next item run. Answered with the item's job, or with none and why.
struct ProcessNext {
    BatchId batch;
    std::string tenant, caller;
};
struct Processed {
    enum class Status : std::uint8_t { released, no_items, job_completed, job_cancelled };
    Status status = Status::no_items;
    std::shared_ptr<const Job> item; ///< of released: whoever asked waits for its end
    std::shared_ptr<const Batch> batch;
};

// --- Access ---

/// Nobody gives more than they have: tenant, role and refresh are bounded by the maker's.
struct PutToken {
    TokenRecord token; ///< made_by and made_at are filled
    std::string tenant, caller;
    Role role = Role::admin; ///< the maker's
    bool may_refresh = true; ///< the maker
};
struct RevokeToken {
    std::string name, tenant, caller; ///< tenant: the caller's, "*" for one of all
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
    int slots = 0; ///< free ones, 1 to 1,000
    // Of remote workers.
    std::string tenant = "*"; ///< whose jobs it may see: its token's tenant, or all
    std::string host, sdk;
    /// What it holds; what the server thinks it holds and is not named goes back at once. Absent: nothing follows.
    std::optional<std::vector<std::pair<JobId, Seq>>> holds;
    std::uint64_t offer = 0; ///< names this claim for WithdrawClaim
};
/// The time to wait is used up, or the worker's connection is gone: the open claim is answered with nothing.
struct WithdrawClaim {
    std::string worker;
    std::uint64_t offer = 0; ///< only this one, not a newer one of the same worker
};
/// No more work for this worker; it is told with its next beat.
struct DrainWorker {
    std::string worker, tenant, caller;
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
    std::string tenant = "*";
};
enum class BeatWord : std::uint8_t { ok, cancel, lost };
struct BeatAnswer {
    JobId job;
    BeatWord word = BeatWord::ok;
    std::optional<WallTime> lease_until;
};
struct Beaten {
    std::vector<BeatAnswer> answers;
    bool drain = false;     ///< take no more
    bool reconnect = false; ///< it was found deaf: claim anew, on a new connection
};

/// The result of a task or item, as its worker sent it.
struct TaskResult {
    std::string json;         ///< empty: in `payload`, or none
    std::int64_t payload = 0; ///< written ahead, through PUT result
    std::int64_t bytes = 0;
};
struct CompleteJob {
    JobId job;
    Seq fence = 0;
    std::variant<PreparedResult, TaskResult> result;
};
struct FailJob {
    JobId job;
    Seq fence = 0;
    FlightFailure failure;
};
struct ReleaseJob {
    JobId job;
    Seq fence = 0;
    HandBack back;
};
/// What a remote worker says of the jobs it was given: each is taken or refused by itself.
struct EndWork {
    std::string worker, tenant = "*"; ///< tenant: whose jobs it may end; a foreign one is `not_found`
    std::vector<std::variant<CompleteJob, FailJob, ReleaseJob>> jobs;
};
struct EndedWork {
    std::vector<std::expected<std::shared_ptr<const Job>, Refused>> jobs; ///< in the order of the request
};
/// A large result of one job, put on disk in chunks; answered with the payload that CompleteJob then names.
struct PutResult {
    JobId job;
    Seq fence = 0;
    std::string tenant = "*";
    std::shared_ptr<const std::string> bytes; ///< JSON, at most 64 MiB
};
struct ResultPut {
    std::int64_t payload = 0, bytes = 0;
};
struct AddLog {
    JobId job;
    Seq fence = 0;
    std::string tenant = "*";
    std::vector<std::pair<std::string, std::string>> lines; ///< level and text; bounded by http
};
struct Reconfigure {
    std::shared_ptr<const Definitions> definitions;
};

using Request =
    std::variant<AskRefresh, CancelJob, RetryJob, PurgeKey, DecideHeld, PauseSource, TouchKey, ClaimWork, BeatWork,
                 CompleteJob, FailJob, ReleaseJob, Reconfigure, AddJobs, RunJob, AdoptJob, PauseQueue, LimitQueue,
                 ResetTenant, BulkJobs, AddBatch, AddItems, ChangeBatch, ProcessNext, PutToken, RevokeToken,
                 WithdrawClaim, DrainWorker, EndWork, PutResult, AddLog, PauseSchedule, RunSchedule>;

using Answer = std::variant<Asked, std::shared_ptr<const Job>, Purged, HeldDecided, Claimed, Beaten, Done, Added,
                            Counted, BatchChanged, Processed, EndedWork, ResultPut>;
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
