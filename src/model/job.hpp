// SPDX-License-Identifier: Apache-2.0
#pragma once
// A job: what was asked, and every legal change of it (spec: docs/design/jobs.md, rows 1 to 15).
//
// Life: queued -> running -> succeeded | failed | cancelled, with running -> queued for another try. Each change is a
// pure function from the old value, the request and `now` to the new value, or a refusal; stores only compare and
// write. Fences and `asked` are ledger seqs: what came first is decided by them, never by a clock (F3, F7).
// Always holds: a fence is spent by every exit from running; a job with cancel_requested_at never goes back to queued;
// terminal states change only by retry() and adopt().

#include "base/ids.hpp"
#include "model/definition.hpp"
#include "model/names.hpp"
#include "model/progress.hpp"
#include "model/records.hpp"
#include "model/snapshot.hpp"

#include <expected>
#include <optional>
#include <string>
#include <vector>

namespace freshet {

/// Why a request changes nothing. Closed: http maps each to one status and one problem code.
enum class Refusal : std::uint8_t {
    not_found,
    not_running,  ///< the job is not running (any more)
    lease_lost,   ///< the fence is not the job's: somebody else was given it, or it ended
    already_over, ///< terminal: cancel and the like change nothing
    not_terminal, ///< retry and adopt need an ended job
    generation_changed,
    limited,      ///< too soon or too often; retry_at says when
    busy,         ///< an inbox is full
    keys_full,    ///< the source's keys_max is reached
    no_held,      ///< nothing is held on this key
    held_changed, ///< the held result is not the one that was shown
    source_removed,
    unprepared,   ///< a refresh's result must be made ready (hashed, compared) before it is completed
    unique_taken, ///< the unique key is taken, and the caller asked not to attach
    batch_over,
    batch_sealed,
    batch_live,
    item_taken,
    not_caller_driven,
    queue_full,         ///< a limit on waiting jobs
    storage_full,       ///< the tenant keeps as many bytes as it may
    token_taken,        ///< a token of that name exists
    token_in_file,      ///< the config file declares it: it can not be changed here
    tokens_full,        ///< there are as many tokens as there may be
    bad_request,        ///< the request contradicts itself or the configuration; the message says how
    idempotency_reused, ///< the same Idempotency-Key came with another request
    store_failed,
    stopping,
};

std::string_view to_text(Refusal);

/// Policy of the queue a job waits in, as far as transitions need it. Of a refresh: from its source.
struct QueuePolicy {
    Millis lease = 30s;
    RetryPolicy retry;
    Millis run_limit = 30s;      ///< 0: none
    Millis progress_deadline{0}; ///< running and beating, but no progress for so long: stalled; 0: never
    Millis cancel_grace = 30s;
    bool on_lost_retry = true;
    int lost_max = 3;          ///< the lost budget
    int rate_limited_max = 20; ///< the budget of rate_limited ends
    int released_max = 20;
};

/// What a caller wants to be the only one of its kind in a queue (spec "Uniqueness and Refresh").
struct UniqueTerms {
    std::string key; ///< 1 to 256 bytes
    UniqueScope scope = UniqueScope::live;
    UniqueConflict on_conflict = UniqueConflict::attach;
    Millis ttl{0}; ///< of window
    Millis quiet{0},
        most{0}; ///< of debounce: due after so long without another ask, but at most so long after the first
    friend bool operator==(const UniqueTerms&, const UniqueTerms&) = default;
};

/// A result that came after its fence was spent: kept for a person to adopt (one per job, bounded, 24 h).
struct LateResult {
    Seq fence = 0;
    std::string worker;
    std::string result; ///< JSON
    WallTime at;
    friend bool operator==(const LateResult&, const LateResult&) = default;
};

/// Results up to this stay on the job's row; larger ones are payloads.
inline constexpr std::size_t result_inline_max = 64 << 10;
/// A late result above this is refused and not kept.
inline constexpr std::size_t late_result_max = 256 << 10;
/// How long a late result waits for a person to adopt it.
inline constexpr Millis late_result_keep = 24h;

struct Job {
    JobId id;
    JobKind kind = JobKind::refresh;
    std::string tenant, queue;
    std::string key;         ///< of a refresh
    std::string input;       ///< JSON, as given
    BatchId batch;           ///< of an item
    std::string item, label; ///< of an item: the key its caller chose, unique in the batch, and words for people
    std::vector<std::string> tags;
    std::optional<UniqueTerms> unique;
    bool gated = false; ///< beyond its batch's concurrency, or not released by its driver yet: not claimable
    int priority = 1;   ///< 0 to 3; 3 first
    JobState state = JobState::queued;
    Trigger trigger = Trigger::manual;
    JobId behind;        ///< not claimable until that job's attempt ended
    JobId superseded_by; ///< of a cancelled one: the trailing job that took its place; who waits goes on with that

    WallTime requested_at;
    std::string requested_by;
    WallTime due_at;
    std::optional<WallTime> began_at; ///< of the current or last attempt
    std::optional<WallTime> finished_at;
    std::optional<WallTime> deadline_at; ///< overall: not tried again after it, and ended while it waits
    std::optional<WallTime> start_by;    ///< ends as expired if no attempt began by then
    int attempts_max = 0;                ///< 0: the queue's

    int generation = 1;
    int attempt = 0;
    int failed = 0; ///< attempts that failed: the retry budget spent
    int lost = 0, rate_limited = 0;
    int released = 0;        ///< hand-backs in a row without a newer checkpoint
    std::string wait_reason; ///< of a job that its worker handed back to go on later: why, in its words
    Seq asked = 0;           ///< the highest head any caller saw when asking for data read after it
    Seq fence = 0;           ///< of the last hand-out
    Seq data_fence = 0;      ///< first fence since the checkpoint was last empty
    std::string worker;
    std::optional<WallTime> lease_until;
    std::optional<WallTime> beat_at; ///< while running, and while queued after a lost lease: row 4b is open
    std::optional<WallTime> progress_at;
    std::optional<WallTime> cancel_requested_at;
    std::string checkpoint;   ///< JSON, the worker's own
    Seq checkpoint_fence = 0; ///< of the hand-out that wrote it
    Progress progress;
    std::int64_t callers = 1;
    std::uint64_t definition = 0; ///< hash of the source under which the last attempt was claimed

    /// What the last good attempts of this queue took (p50, p90, p95), as known at the claim; absent without history.
    /// Time left is derived from it and began_at when read.
    std::optional<Millis> took_p50, took_p90, took_p95;

    std::optional<Outcome> outcome;
    bool forced = false; ///< the cancel was not confirmed
    bool finished_before_cancel = false;
    std::optional<ErrorInfo> error; ///< of the last failed attempt
    std::string receipt;            ///< JSON of what a refresh's end adds (gen, ver, counts, phases ...)
    std::string result;             ///< JSON, of a task or item; empty: none, or in `result_payload`
    std::int64_t result_payload = 0, result_bytes = 0;
    std::optional<LateResult> late;
    Seq seq = 0;

    friend bool operator==(const Job&, const Job&) = default;
};

/// The slot of uniqueness that the job holds in its (tenant, queue): its key while it is live (scope queued: while it
/// waits for its first attempt), of scope window also after a success; empty: none. Whether a window is over is asked
/// of window_open().
std::string_view unique_slot(const Job& job);

/// Whether a succeeded job of scope window still takes its key: until `ttl` after it was asked for.
bool window_open(const Job& job, WallTime now);

using Changed = std::expected<Job, Refusal>;

/// The word that people and programs are told; derived from what is stored.
std::string_view reported_state(const Job& job, WallTime now, bool paused);

/// Row 2. `fence` is the seq of the claim's event; the caller has checked that the job is due, ungated and not paused.
Changed claim(const Job& job, std::string_view worker, Seq fence, std::uint64_t definition, const QueuePolicy& policy,
              WallTime now);

struct Beat {
    Seq fence = 0;
    std::optional<Progress> progress;
    std::optional<std::string> checkpoint;
};
/// Row 3. Progress that would go backwards is dropped, the beat still counts.
Changed beat(const Job& job, const Beat& beat, const QueuePolicy& policy, WallTime now);

/// When a running job that does not get on is called stalled; nullopt: never.
std::optional<WallTime> stall_at(const Job& job, const QueuePolicy& policy);

/// The last hand-out of a job that runs or ended, as the job itself tells it; nullopt while it waits: all its attempts
/// have rows then.
std::optional<AttemptRecord> last_attempt(const Job& job);

/// Rows 4, 4b and 10. What is published with it is decided by decide_publish().
Changed complete(const Job& job, Seq fence, Outcome outcome, WallTime now);

/// Row 4 for a result that the guard did not let through: the job failed as `held`, and adopt() can still make it good.
Changed hold(const Job& job, Seq fence, std::string_view message, WallTime now);

/// A result that came too late to count, kept for a person: the newest one by fence, of a job that did not succeed.
Changed keep_late(const Job& job, LateResult late);

/// Row 15: a person accepts what was held, or what came too late. A cancelled job stays cancelled.
Changed adopt(const Job& job, Outcome outcome, WallTime now);

/// A job whose attempt is over and would be tried again, while another waits behind it: that one goes on instead and
/// inherits attempts, losses and the earlier due time (spec "Uniqueness and Refresh").
struct Superseded {
    Job ended, trailing;
};
Superseded supersede(const Job& requeued, const Job& trailing, WallTime now);

/// The trailing job, once the one before it has ended for good.
Job lifted(const Job& trailing, WallTime now);

struct AttemptFailure {
    ErrorInfo error;
    std::optional<Millis> retry_after; ///< a floor for the next try
};
/// Rows 5, 6 and 9.
Changed fail(const Job& job, Seq fence, const AttemptFailure& failure, const QueuePolicy& policy, WallTime now);

struct HandBack {
    Millis wait{0};                        ///< due again after it
    std::string reason;                    ///< of a pause of its own: shown while it waits; empty: a shutdown
    std::optional<std::string> checkpoint; ///< replaces the last one
};
/// Row 8: the worker hands the job back (shutdown, or a pause of its own).
Changed release(const Job& job, Seq fence, const HandBack& back, const QueuePolicy& policy, WallTime now);

/// Rows 7, 7b and 9: the server's timer, or a restart that ended a built-in runner's life.
/// @param why  what was seen, where it was not silence: "worker w-1 no longer holds it"
Changed lease_ended(const Job& job, const QueuePolicy& policy, WallTime now, std::string_view why = {});

/// Rows 5 and 6 for an attempt that ran longer than run_limit, whatever its beats say.
Changed run_limit_ended(const Job& job, const QueuePolicy& policy, WallTime now);

/// Rows 9 (request) and 11. A running job is only marked; its worker is told with the next beat.
Changed cancel(const Job& job, WallTime now);

/// A person wants a waiting job to be due now, whatever it waited for in time.
Changed run_now(const Job& job, WallTime now);

/// Row 13: a tenant's reset.
Changed reset(const Job& job, WallTime now);

/// Row 6b for a waiting job: no attempt began by start_by, or the overall deadline passed. Refuses what has time left.
Changed waited_too_long(const Job& job, WallTime now);

/// Row 6b: the source was removed, a deadline passed.
Changed expire(const Job& job, std::string_view code, std::string_view message, WallTime now);

/// Row 12. Deadlines of the ended generation go; the caller sets those of its queue anew.
Changed retry(const Job& job, std::optional<int> generation, Seq asked, WallTime now);

/// When a live job next needs the server, if nobody speaks. Running: lease end, run limit or cancel grace. Queued:
/// start_by or deadline; nullopt: never.
std::optional<WallTime> next_timer(const Job& job, const QueuePolicy& policy);

/// delay = x/2 + U·x/2 with x = min(max_wait, wait·2^(n-1)); U from hash(job, generation, n): exact when shown, the
/// same after a restart.
Millis retry_delay(const Job& job, int n, const RetryPolicy& policy);

} // namespace freshet
