// SPDX-License-Identifier: Apache-2.0
#include "model/names.hpp"

#include <array>
#include <cstddef>

namespace freshet {

namespace {

template <std::size_t N>
using Words = std::array<std::string_view, N>;

constexpr Words<5> snapshot_states{"fresh", "stale", "overdue", "failing", "empty"};
constexpr Words<5> job_states{"queued", "running", "succeeded", "failed", "cancelled"};
constexpr Words<3> job_kinds{"refresh", "task", "item"};
constexpr Words<8> batch_states{"open", "sealed", "ending", "succeeded", "partial", "failed", "cancelled", "aborted"};
constexpr Words<2> batch_drivers{"workers", "caller"};
constexpr Words<3> failure_rules{"continue", "fail_fast", "threshold"};
constexpr Words<4> unique_scopes{"queued", "live", "window", "debounce"};
constexpr Words<3> unique_conflicts{"attach", "rerun_after", "reject"};
constexpr Words<6> triggers{"manual", "schedule", "stale", "after", "purge", "cold"};
constexpr Words<6> outcomes{"updated", "unchanged", "limited", "pending", "failed", "held"};
constexpr Words<5> error_classes{"retryable", "fatal", "rate_limited", "lost", "cancelled"};
constexpr Words<7> attempt_ends{"running", "succeeded", "failed", "lost", "released", "cancelled", "limit"};
constexpr Words<2> as_of_bys{"source", "fetch"};
constexpr Words<5> held_reasons{"empty", "shrunk", "wrong_shape", "as_of_back", "as_of_future"};

template <class E, std::size_t N>
std::string_view word(const Words<N>& words, E value)
{
    return words.at(static_cast<std::size_t>(value));
}

template <class E, std::size_t N>
std::optional<E> find(const Words<N>& words, std::string_view text)
{
    for (std::size_t i = 0; i < N; ++i)
        if (words[i] == text) return static_cast<E>(i);
    return std::nullopt;
}

} // namespace

std::string_view to_text(SnapshotState v)
{
    return word(snapshot_states, v);
}
std::string_view to_text(JobState v)
{
    return word(job_states, v);
}
std::string_view to_text(JobKind v)
{
    return word(job_kinds, v);
}
std::string_view to_text(BatchState v)
{
    return word(batch_states, v);
}
std::string_view to_text(BatchDriver v)
{
    return word(batch_drivers, v);
}
std::string_view to_text(FailureRule v)
{
    return word(failure_rules, v);
}
std::string_view to_text(UniqueScope v)
{
    return word(unique_scopes, v);
}
std::string_view to_text(UniqueConflict v)
{
    return word(unique_conflicts, v);
}
std::string_view to_text(Trigger v)
{
    return word(triggers, v);
}
std::string_view to_text(Outcome v)
{
    return word(outcomes, v);
}
std::string_view to_text(ErrorClass v)
{
    return word(error_classes, v);
}
std::string_view to_text(AttemptEnd v)
{
    return word(attempt_ends, v);
}
std::string_view to_text(AsOfBy v)
{
    return word(as_of_bys, v);
}
std::string_view to_text(HeldReason v)
{
    return word(held_reasons, v);
}

std::optional<JobState> parse_job_state(std::string_view t)
{
    return find<JobState>(job_states, t);
}
std::optional<JobKind> parse_job_kind(std::string_view t)
{
    return find<JobKind>(job_kinds, t);
}
std::optional<BatchState> parse_batch_state(std::string_view text)
{
    return find<BatchState>(batch_states, text);
}
std::optional<BatchDriver> parse_batch_driver(std::string_view text)
{
    return find<BatchDriver>(batch_drivers, text);
}
std::optional<FailureRule> parse_failure_rule(std::string_view text)
{
    return find<FailureRule>(failure_rules, text);
}
std::optional<UniqueScope> parse_unique_scope(std::string_view text)
{
    return find<UniqueScope>(unique_scopes, text);
}
std::optional<UniqueConflict> parse_unique_conflict(std::string_view text)
{
    return find<UniqueConflict>(unique_conflicts, text);
}
std::optional<Trigger> parse_trigger(std::string_view t)
{
    return find<Trigger>(triggers, t);
}
std::optional<Outcome> parse_outcome(std::string_view t)
{
    return find<Outcome>(outcomes, t);
}
std::optional<ErrorClass> parse_error_class(std::string_view t)
{
    return find<ErrorClass>(error_classes, t);
}
std::optional<AttemptEnd> parse_attempt_end(std::string_view t)
{
    return find<AttemptEnd>(attempt_ends, t);
}
std::optional<AsOfBy> parse_as_of_by(std::string_view t)
{
    return find<AsOfBy>(as_of_bys, t);
}
std::optional<HeldReason> parse_held_reason(std::string_view t)
{
    return find<HeldReason>(held_reasons, t);
}

} // namespace freshet
