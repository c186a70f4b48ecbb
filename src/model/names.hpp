// SPDX-License-Identifier: Apache-2.0
#pragma once
// The words of freshet as closed lists. Enumerators are spelled as on the wire, in SQL and in the console; to_text()
// and parse_*() are the only way between the two, so that one idea has one word everywhere.

#include <cstdint>
#include <optional>
#include <string_view>

namespace freshet {

/// What a reader is told of a key. Derived when read, never stored.
enum class SnapshotState : std::uint8_t { fresh, stale, overdue, failing, empty };
/// What is stored of a job; every other word is derived.
enum class JobState : std::uint8_t { queued, running, succeeded, failed, cancelled };
enum class JobKind : std::uint8_t { refresh, task, item };
/// What is stored of a batch. `ending`: its end is decided (seal with nothing left, cancel, abort, a failure policy)
/// and items still run.
enum class BatchState : std::uint8_t { open, sealed, ending, succeeded, partial, failed, cancelled, aborted };
/// Who lets a batch's items run: any worker, or whoever calls process-next.
enum class BatchDriver : std::uint8_t { workers, caller };
/// What a batch does when items fail.
enum class FailureRule : std::uint8_t { continue_, fail_fast, threshold };
/// How long a unique key is taken: while one waits; until it ended; for a time; while asks keep coming.
enum class UniqueScope : std::uint8_t { queued, live, window, debounce };
/// What becomes of an enqueue whose unique key is taken.
enum class UniqueConflict : std::uint8_t { attach, rerun_after, reject };
/// Why a refresh was asked for.
enum class Trigger : std::uint8_t { manual, schedule, stale, after, purge, cold };
/// How a refresh ended, as its asker hears it.
enum class Outcome : std::uint8_t { updated, unchanged, limited, pending, failed, held };
/// What kind of end an attempt came to, which decides whether another one follows.
enum class ErrorClass : std::uint8_t { retryable, fatal, rate_limited, lost, cancelled };
enum class AttemptEnd : std::uint8_t { running, succeeded, failed, lost, released, cancelled, limit };
/// Who said when the data was true: the source itself, or the start of the fetch.
enum class AsOfBy : std::uint8_t { source, fetch };
/// Why a result was held back instead of published.
enum class HeldReason : std::uint8_t { empty, shrunk, wrong_shape, as_of_back, as_of_future };

std::string_view to_text(SnapshotState);
std::string_view to_text(JobState);
std::string_view to_text(JobKind);
std::string_view to_text(BatchState);
std::string_view to_text(BatchDriver);
std::string_view to_text(FailureRule); ///< "continue", "fail_fast", "threshold"
std::string_view to_text(UniqueScope);
std::string_view to_text(UniqueConflict);
std::string_view to_text(Trigger);
std::string_view to_text(Outcome);
std::string_view to_text(ErrorClass);
std::string_view to_text(AttemptEnd);
std::string_view to_text(AsOfBy);
std::string_view to_text(HeldReason);

std::optional<JobState> parse_job_state(std::string_view);
std::optional<JobKind> parse_job_kind(std::string_view);
std::optional<BatchState> parse_batch_state(std::string_view);
std::optional<BatchDriver> parse_batch_driver(std::string_view);
std::optional<FailureRule> parse_failure_rule(std::string_view);
std::optional<UniqueScope> parse_unique_scope(std::string_view);
std::optional<UniqueConflict> parse_unique_conflict(std::string_view);
std::optional<Trigger> parse_trigger(std::string_view);
std::optional<Outcome> parse_outcome(std::string_view);
std::optional<ErrorClass> parse_error_class(std::string_view);
std::optional<AttemptEnd> parse_attempt_end(std::string_view);
std::optional<AsOfBy> parse_as_of_by(std::string_view);
std::optional<HeldReason> parse_held_reason(std::string_view);

/// True for the three states that only a person's act can change.
constexpr bool is_terminal(JobState state)
{
    return state != JobState::queued && state != JobState::running;
}
constexpr bool is_terminal(BatchState state)
{
    return state != BatchState::open && state != BatchState::sealed && state != BatchState::ending;
}

} // namespace freshet
