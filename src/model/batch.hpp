// SPDX-License-Identifier: Apache-2.0
#pragma once
// A batch: items that are jobs, counted, ended and followed up together (spec "Batches").
//
// Life: open -> sealed -> succeeded | partial | failed | cancelled | aborted, by way of `ending` while items of a batch
// whose end is decided still run. Each change is a pure function; the item's end, the counters, the batch's end, its
// follow-up and the event are one commit (F6).
// Always holds: counts equal the items and only grow within a generation (queued and running aside); a batch is
// terminal exactly when it is sealed or ending and every item is terminal; at most one follow-up.

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
    std::int64_t released = 0; ///< driver caller: items let go by process-next that have not ended
    std::string requested_by;
    WallTime requested_at;
    std::optional<WallTime> sealed_at, seal_by, began_at, finished_at;
    std::optional<WallTime> called_at; ///< driver caller: the last process-next; 30 min later all are released
    std::vector<BatchError> errors;
    std::optional<FollowUp> then;
    std::int64_t cursor = 0; ///< where a change over all items (cancel, retry, release) goes on; 0: none is under way
    Seq seq = 0;
    friend bool operator==(const Batch&, const Batch&) = default;
};

/// Rounded down, never 100 before the end.
int percent_of(const Batch& batch);

} // namespace freshet
