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
std::string_view to_text(Trigger);
std::string_view to_text(Outcome);
std::string_view to_text(ErrorClass);
std::string_view to_text(AttemptEnd);
std::string_view to_text(AsOfBy);
std::string_view to_text(HeldReason);

std::optional<JobState> parse_job_state(std::string_view);
std::optional<JobKind> parse_job_kind(std::string_view);
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

} // namespace freshet
