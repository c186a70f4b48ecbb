// SPDX-License-Identifier: Apache-2.0
#pragma once
// A batch: items that are jobs, counted, ended and followed up together (spec "Batches").
//
// Life: open -> sealed -> succeeded | partial | failed | cancelled | aborted, by way of `ending` while items of a batch
// whose end is decided still run. Each change is a pure function; the item's end, the counters, the batch's end, its
// follow-up and the event are one commit (F6).
// Always holds: counts equal the items, and within a generation those of ended items only grow (an opening generation
// sets its items back first); a batch is terminal exactly when it is sealed or ending and every item is terminal; at
// most one follow-up. A change over more items than one commit takes goes on from `cursor`, and a batch does not end
// before it is through.

#include "model/job.hpp"
#include "model/names.hpp"

#include <expected>
#include <optional>
#include <string>
#include <vector>

namespace freshet {

struct BatchCounts {
    std::int64_t total = 0, queued = 0, running = 0, succeeded = 0, failed = 0, cancelled = 0;
    std::int64_t done() const { return succeeded + failed + cancelled; }
    friend bool operator==(const BatchCounts&, const BatchCounts&) = default;
};

struct FailurePolicy {
    FailureRule rule = FailureRule::continue_;
    std::int64_t failures = 0; ///< of threshold: ends when more than so many failed; 0: see percent
    int percent = 0;           ///< of threshold: ends when more than this share of total failed
    friend bool operator==(const FailurePolicy&, const FailurePolicy&) = default;
};

/// What a batch offers or starts in the commit that ends it.
struct FollowUp {
    enum class Start : std::uint8_t { auto_, person };
    /// waiting: the batch runs; available: a person may start it; started; dropped: after cancel, abort or reset.
    enum class State : std::uint8_t { waiting, available, started, dropped };
    std::string label;
    Start start = Start::person;
    std::string queue;
    std::string input; ///< JSON of the one task; unused with items
    std::string items; ///< JSON list of {key, label?, input}; "" : none
    bool per_succeeded =
        false; ///< items = "succeeded": one item per success of this batch, its input {"item", "result"}
    State state = State::waiting;
    BatchId batch; ///< what was started
    JobId job;
    friend bool operator==(const FollowUp&, const FollowUp&) = default;
};
std::string_view to_text(FollowUp::Start);
std::string_view to_text(FollowUp::State);
std::optional<FollowUp::Start> parse_follow_up_start(std::string_view text);
std::optional<FollowUp::State> parse_follow_up_state(std::string_view text);

/// Errors of failed items by code, the most frequent ones.
struct BatchError {
    std::string code, message;
    std::int64_t count = 0;
    friend bool operator==(const BatchError&, const BatchError&) = default;
};
inline constexpr std::size_t batch_errors_max = 16;

struct Batch {
    BatchId id;
    std::string tenant, queue, name;
    BatchState state = BatchState::open;
    BatchState ends_as =
        BatchState::ending; ///< of ending: what it will be (cancelled, aborted, failed), once items ended
    std::string why;        ///< of an abort or a failure policy: the reason, in words
    int generation = 1;
    BatchDriver driver = BatchDriver::workers;
    int concurrency = 0; ///< 0: no limit
    FailurePolicy policy;
    BatchCounts counts;
    std::int64_t gated = 0;    ///< items that wait for the gate
    std::int64_t released = 0; ///< live items that are past the gate: they run, wait for a worker or a retry
    std::string requested_by;
    WallTime requested_at;
    std::optional<WallTime> sealed_at, seal_by, began_at, finished_at;
    std::optional<WallTime> called_at; ///< driver caller: the last process-next; absent: the driver has left
    std::vector<BatchError> errors;
    std::optional<FollowUp> then;
    /// Where a change over all items goes on; 0: none is under way. Ending: they are cancelled; sealed: set back by a
    /// retry; ended: the follow-up is filled.
    std::int64_t cursor = 0;
    Seq seq = 0;
    friend bool operator==(const Batch&, const Batch&) = default;
};

/// An open batch that nobody seals is aborted so long after its last items came.
inline constexpr Millis batch_seal_within = 10min;
/// A driver that did not call for so long has left: its items run without it, since nothing waits for ever on a closed
/// tab.
inline constexpr Millis batch_driver_left_after = 30min;
inline constexpr std::size_t batch_items_max = 100'000;
/// Where a change over all items begins.
inline constexpr std::int64_t batch_cursor_start = 1;

using ChangedBatch = std::expected<Batch, Refusal>;

/// The batch after an item was added (`before` null) or moved. Counters, errors, the first beginning and the failure
/// policy; whether it ends is decided by settled(), once all that moves in a commit has moved. An ended batch only
/// takes the adoption of a late result, which opens a generation of its own.
Batch item_moved(Batch batch, const Job* before, const Job& after, WallTime now);

/// Ends the batch if it is time for that, and says with it what becomes of the follow-up. Changes nothing otherwise.
Batch settled(Batch batch, WallTime now);

/// No more items. Sealing what was sealed before changes nothing. Refusal: batch_over of one that was never sealed.
ChangedBatch seal(Batch batch, WallTime now);

/// A follow-up's batch has all its items. What was cancelled meanwhile stays so.
Batch filled(Batch batch, WallTime now);

/// A person's end, whatever had succeeded. Refusal: already_over.
ChangedBatch cancel(Batch batch, WallTime now);

/// The server's end of a batch that can not be completed. Refusal: already_over.
ChangedBatch abort(Batch batch, std::string why, WallTime now);

/// Opens the next generation with the items that failed or were cancelled; they are set back one by one from `cursor`
/// on, and items_set_back() ends that. Refusals: batch_live, generation_changed, already_over when all succeeded.
ChangedBatch retry_failed(Batch batch, std::optional<int> generation, WallTime now);

/// Row 12 of one item: opens the next generation with it alone. Refusal: batch_live.
ChangedBatch reopened(Batch batch, WallTime now);

/// The last item of a retry was set back: from here on failures count again.
Batch items_set_back(Batch batch, WallTime now);

/// The refusal of further items: batch_over, batch_sealed (also while the server fills a follow-up).
std::optional<Refusal> refuse_items(const Batch& batch);

/// A follow-up's batch, which the server fills and then seals by itself.
bool is_being_filled(const Batch& batch);

/// The driver lets items go one by one: it called not long ago.
bool is_driven(const Batch& batch);

/// Whether an item that is added or retried now waits at the gate.
bool gates_next(const Batch& batch);

/// How many items may pass the gate now without anybody asking.
std::int64_t gates_to_lift(const Batch& batch);

/// What a call of process-next comes to, as far as the batch decides it.
enum class NextItem : std::uint8_t { release, no_items, job_completed, job_cancelled };
/// Refusal: not_caller_driven of a live batch that workers drive.
std::expected<NextItem, Refusal> next_item(const Batch& batch);
/// The driver called. The released item is told by item_moved().
Batch driver_called(Batch batch, WallTime now);

/// What a person's start of the follow-up comes to. Refusals: bad_request (there is none, or it has nothing to run),
/// batch_live, batch_over (it was dropped).
enum class StartThen : std::uint8_t { start, started_before };
std::expected<StartThen, Refusal> start_then(const Batch& batch);
/// The follow-up starts by itself in this commit.
bool starts_by_itself(const Batch& batch);

/// What the server's timer finds at `now`: an unsealed batch is aborted, a driver has left.
Batch timer_ended(Batch batch, WallTime now);

/// When a batch next needs the server, if nobody speaks; nullopt: never. A change that goes on is due at once, which is
/// told as the time of its request.
std::optional<WallTime> next_timer(const Batch& batch);

/// Rounded down, never 100 before the end.
int percent_of(const Batch& batch);

} // namespace freshet
