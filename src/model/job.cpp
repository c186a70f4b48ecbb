// SPDX-License-Identifier: Apache-2.0
#include "model/job.hpp"

#include "base/assert.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <utility>

namespace freshet {

std::string_view to_text(Refusal refusal)
{
    switch (refusal) {
    case Refusal::not_found: return "not_found";
    case Refusal::not_running: return "not_running";
    case Refusal::lease_lost: return "lease_lost";
    case Refusal::already_over: return "already_over";
    case Refusal::not_terminal: return "not_terminal";
    case Refusal::generation_changed: return "generation_changed";
    case Refusal::limited: return "limited";
    case Refusal::busy: return "busy";
    case Refusal::keys_full: return "keys_full";
    case Refusal::no_held: return "no_held";
    case Refusal::held_changed: return "held_changed";
    case Refusal::source_removed: return "source_removed";
    case Refusal::unprepared: return "unprepared";
    case Refusal::unique_taken: return "unique_taken";
    case Refusal::batch_over: return "batch_over";
    case Refusal::batch_sealed: return "batch_sealed";
    case Refusal::batch_live: return "batch_live";
    case Refusal::item_taken: return "item_taken";
    case Refusal::not_caller_driven: return "not_caller_driven";
    case Refusal::queue_full: return "queue_full";
    case Refusal::storage_full: return "storage_full";
    case Refusal::token_taken: return "token_taken";
    case Refusal::token_in_file: return "token_in_file";
    case Refusal::tokens_full: return "tokens_full";
    case Refusal::bad_request: return "bad_request";
    case Refusal::idempotency_reused: return "idempotency_reused";
    case Refusal::store_failed: return "store_failed";
    case Refusal::stopping: return "stopping";
    }
    return "unknown";
}

std::string_view unique_slot(const Job& job)
{
    if (!job.unique) return {};
    switch (job.unique->scope) {
    case UniqueScope::queued:
        if (job.state == JobState::queued && job.attempt == 0) return job.unique->key;
        return {};
    case UniqueScope::window:
        if (job.state == JobState::succeeded) return job.unique->key;
        [[fallthrough]];
    case UniqueScope::live:
    case UniqueScope::debounce: return is_terminal(job.state) ? std::string_view{} : job.unique->key;
    }
    std::unreachable();
}

bool window_open(const Job& job, WallTime now)
{
    return job.state == JobState::succeeded && !unique_slot(job).empty() && now < job.requested_at + job.unique->ttl;
}

std::string_view reported_state(const Job& job, WallTime now, bool paused)
{
    if (job.state == JobState::running) return job.cancel_requested_at ? "cancelling" : "running";
    if (job.state != JobState::queued) return to_text(job.state);
    if (paused || (!job.wait_reason.empty() && job.due_at > now)) return "paused";
    if (job.due_at > now) return job.attempt > 0 ? "retrying" : "scheduled";
    return "queued";
}

namespace {

// Every exit from running spends the fence's right and clears what belongs to the hand-out.
Job left_running(const Job& job)
{
    Job after = job;
    after.lease_until.reset();
    after.beat_at.reset();
    return after;
}

Job ended(const Job& job, JobState state, WallTime now)
{
    Job after = left_running(job);
    after.state = state;
    after.finished_at = now;
    after.behind = {};
    after.gated = false;
    after.wait_reason.clear();
    after.checkpoint.clear();
    after.checkpoint_fence = 0;
    return after;
}

Job ended_failed(const Job& job, ErrorInfo error, WallTime now)
{
    Job after = ended(job, JobState::failed, now);
    after.outcome = Outcome::failed;
    after.error = std::move(error);
    return after;
}

Job ended_cancelled(const Job& job, bool confirmed, WallTime now)
{
    Job after = ended(job, JobState::cancelled, now);
    after.forced = !confirmed;
    after.outcome = Outcome::failed;
    after.error = ErrorInfo{ErrorClass::cancelled, "cancelled",
                            confirmed ? "cancelled" : "cancelled; the worker did not confirm"};
    return after;
}

Job requeued(const Job& job, WallTime due_at)
{
    FRESHET_ASSERT(!job.cancel_requested_at);
    Job after = left_running(job);
    after.state = JobState::queued;
    after.due_at = due_at;
    return after;
}

std::optional<Refusal> refuse_fence(const Job& job, Seq fence)
{
    if (job.fence != fence) return Refusal::lease_lost;
    if (job.state != JobState::running) return Refusal::not_running;
    return std::nullopt;
}

// Only a checkpoint that says something new shows that the job got on.
void put_checkpoint(Job& job, const std::optional<std::string>& checkpoint)
{
    if (!checkpoint || *checkpoint == job.checkpoint) return;
    job.checkpoint = *checkpoint;
    job.checkpoint_fence = job.fence;
}

Millis doubled(Millis wait, int times)
{
    return wait * (1LL << std::min(times, 20));
}

// Rows 5 and 6: what a failed attempt leads to, once it is known that nobody asked for a cancel.
Job after_failure(const Job& job, const AttemptFailure& failure, const QueuePolicy& policy, WallTime now)
{
    Job after = job;
    after.error = failure.error;
    int spent = 0, budget = 0;
    switch (failure.error.error_class) {
    case ErrorClass::fatal: return ended_failed(job, failure.error, now);
    case ErrorClass::rate_limited:
        spent = ++after.rate_limited;
        budget = policy.rate_limited_max;
        break;
    case ErrorClass::retryable:
    case ErrorClass::lost:
    case ErrorClass::cancelled:
        spent = ++after.failed;
        budget = job.attempts_max > 0 ? job.attempts_max : policy.retry.attempts;
        break;
    }
    if (spent >= budget) return ended_failed(after, failure.error, now);
    const WallTime due =
        now + std::max(retry_delay(after, spent, policy.retry), failure.retry_after.value_or(Millis{0}));
    if (after.deadline_at && due > *after.deadline_at) return ended_failed(after, failure.error, now);
    return requeued(after, due);
}

} // namespace

Millis retry_delay(const Job& job, int n, const RetryPolicy& policy)
{
    const Millis x = std::min(policy.max_wait, doubled(policy.wait, n - 1));
    const std::array<std::int64_t, 3> seed{job.id.value, job.generation, n};
    const std::uint64_t hash = hash64({reinterpret_cast<const char*>(seed.data()), sizeof seed});
    return x / 2 + Millis{static_cast<std::int64_t>(static_cast<double>(x.count() / 2) *
                                                    (static_cast<double>(hash >> 11) * 0x1.0p-53))};
}

Changed claim(const Job& job, std::string_view worker, Seq fence, std::uint64_t definition, const QueuePolicy& policy,
              WallTime now)
{
    if (job.state != JobState::queued) return std::unexpected(Refusal::not_running);
    FRESHET_ASSERT(fence > job.fence && !job.cancel_requested_at && !job.behind && !job.gated);
    Job after = job;
    after.state = JobState::running;
    after.wait_reason.clear();
    ++after.attempt;
    after.fence = fence;
    after.worker = worker;
    after.began_at = now;
    after.lease_until = now + policy.lease;
    after.beat_at = now;
    after.progress_at = now;
    after.progress = Progress{.attempt = after.attempt};
    after.definition = definition;
    // Data read under an older hand-out does not answer whoever asked since: the checkpoint goes.
    if (after.asked >= after.data_fence) after.checkpoint.clear();
    if (after.checkpoint.empty()) {
        after.data_fence = fence;
        after.checkpoint_fence = 0;
    }
    return after;
}

Changed beat(const Job& job, const Beat& request, const QueuePolicy& policy, WallTime now)
{
    if (const auto refusal = refuse_fence(job, request.fence)) return std::unexpected(*refusal);
    Job after = job;
    after.beat_at = now;
    after.lease_until = std::max(*job.lease_until, now + policy.lease);
    put_checkpoint(after, request.checkpoint);
    if (request.progress) {
        Progress next = *request.progress;
        next.attempt = job.attempt;
        if (moves_forward(job.progress, next)) {
            if (!(next == job.progress)) after.progress_at = now;
            after.progress = std::move(next);
        }
    }
    return after;
}

std::optional<WallTime> stall_at(const Job& job, const QueuePolicy& policy)
{
    if (job.state != JobState::running || policy.progress_deadline.count() <= 0) return std::nullopt;
    return job.progress_at.value_or(*job.began_at) + policy.progress_deadline;
}

std::optional<AttemptRecord> last_attempt(const Job& job)
{
    if (job.attempt == 0 || job.state == JobState::queued) return std::nullopt;
    AttemptRecord record{job.id,        job.generation,  job.attempt,         job.fence, job.worker,
                         *job.began_at, job.finished_at, AttemptEnd::running, {}};
    if (job.state == JobState::running) return record;
    record.error = job.error;
    if (job.state == JobState::succeeded)
        record.end = AttemptEnd::succeeded;
    else if (job.state == JobState::cancelled)
        record.end = AttemptEnd::cancelled;
    else if (job.error && job.error->error_class == ErrorClass::lost)
        record.end = AttemptEnd::lost;
    else if (job.error && job.error->code == "run_limit")
        record.end = AttemptEnd::limit;
    else
        record.end = AttemptEnd::failed;
    return record;
}

Changed complete(const Job& job, Seq fence, Outcome outcome, WallTime now)
{
    if (job.fence != fence) return std::unexpected(Refusal::lease_lost);
    // Row 4b: after a lost lease, which alone leaves a sign of life on a queued job, a late answer counts while nobody
    // else was given the job; refusing it would run the same work twice.
    // Not for a caller who asked after that data was read, though: he would hear of older data as his success (F3).
    const bool late = job.state == JobState::queued && job.beat_at && !job.behind && job.data_fence > job.asked;
    if (job.state != JobState::running && !late) return std::unexpected(Refusal::lease_lost);
    Job after = ended(job, JobState::succeeded, now);
    after.outcome = outcome;
    after.finished_before_cancel = job.cancel_requested_at.has_value();
    after.error.reset();
    return after;
}

Changed hold(const Job& job, Seq fence, std::string_view message, WallTime now)
{
    auto changed = complete(job, fence, Outcome::held, now);
    if (!changed) return changed;
    changed->state = JobState::failed;
    changed->error = ErrorInfo{ErrorClass::fatal, "held", std::string{message}};
    return changed;
}

Changed keep_late(const Job& job, LateResult late)
{
    if (job.state == JobState::succeeded) return std::unexpected(Refusal::already_over);
    // Fences that were never given to this job prove nothing; of several answers the newest hand-out's counts.
    if (late.fence == 0 || late.fence > job.fence || (job.late && job.late->fence >= late.fence) ||
        late.result.size() > late_result_max)
        return std::unexpected(Refusal::lease_lost);
    Job after = job;
    after.late = std::move(late);
    return after;
}

Changed adopt(const Job& job, Outcome outcome, WallTime now)
{
    const bool held = job.outcome == Outcome::held;
    if (job.state != JobState::failed || (!held && !job.late)) return std::unexpected(Refusal::not_terminal);
    Job after = ended(job, JobState::succeeded, now);
    after.outcome = outcome;
    after.error.reset();
    if (!held) {
        after.result = std::move(after.late->result);
        after.result_bytes = static_cast<std::int64_t>(after.result.size());
    }
    after.late.reset();
    return after;
}

Superseded supersede(const Job& requeued, const Job& trailing, WallTime now)
{
    FRESHET_ASSERT(requeued.state == JobState::queued && trailing.behind == requeued.id);
    Superseded both{ended_cancelled(requeued, true, now), trailing};
    both.ended.superseded_by = trailing.id;
    both.ended.error = ErrorInfo{ErrorClass::cancelled, "superseded", "the refresh behind it goes on in its place"};
    Job& next = both.trailing;
    next.behind = {};
    next.attempt = requeued.attempt;
    next.failed = requeued.failed;
    next.lost = requeued.lost;
    next.rate_limited = requeued.rate_limited;
    next.released = requeued.released;
    next.error = requeued.error;
    next.due_at = std::min(requeued.due_at, std::max(trailing.due_at, now));
    return both;
}

Job lifted(const Job& trailing, WallTime now)
{
    Job after = trailing;
    after.behind = {};
    after.due_at = std::max(after.due_at, now);
    return after;
}

Changed fail(const Job& job, Seq fence, const AttemptFailure& failure, const QueuePolicy& policy, WallTime now)
{
    if (const auto refusal = refuse_fence(job, fence)) return std::unexpected(*refusal);
    if (job.cancel_requested_at) return ended_cancelled(job, true, now);
    return after_failure(job, failure, policy, now);
}

Changed release(const Job& job, Seq fence, const HandBack& back, const QueuePolicy& policy, WallTime now)
{
    if (const auto refusal = refuse_fence(job, fence)) return std::unexpected(*refusal);
    if (job.cancel_requested_at) return ended_cancelled(job, true, now);
    Job after = job;
    put_checkpoint(after, back.checkpoint);
    const bool got_on = after.checkpoint_fence == job.fence;
    if (got_on) {
        after.released = 0;
    } else if (after.released + 1 >= policy.released_max) {
        return after_failure(
            after, {{ErrorClass::retryable, "released", "handed back too often without a newer checkpoint"}, {}},
            policy, now);
    } else {
        ++after.released;
    }
    after.wait_reason = back.reason;
    return requeued(after, now + std::max(back.wait, got_on ? Millis{0} : doubled(1s, after.released)));
}

Changed lease_ended(const Job& job, const QueuePolicy& policy, WallTime now, std::string_view why)
{
    if (job.state != JobState::running) return std::unexpected(Refusal::not_running);
    if (job.cancel_requested_at) return ended_cancelled(job, false, now);
    const auto silent = std::chrono::duration_cast<std::chrono::seconds>(now - job.beat_at.value_or(now)).count();
    const ErrorInfo error{ErrorClass::lost, "worker_lost",
                          why.empty() ? fmt::format("worker {} was lost: no sign of life for {} s", job.worker, silent)
                                      : std::string{why}};
    Job after = job;
    after.error = error;
    ++after.lost;
    if (!policy.on_lost_retry || after.lost >= policy.lost_max) return ended_failed(after, error, now);
    after = requeued(after, after.lost == 1 ? now : now + doubled(1s, after.lost));
    after.beat_at = job.beat_at; // the worker may be alive after all: row 4b
    return after;
}

Changed run_limit_ended(const Job& job, const QueuePolicy& policy, WallTime now)
{
    if (job.state != JobState::running) return std::unexpected(Refusal::not_running);
    if (job.cancel_requested_at) return ended_cancelled(job, false, now);
    return after_failure(job,
                         {{ErrorClass::retryable, "run_limit",
                           fmt::format("ran longer than its limit of {}", to_text(policy.run_limit))},
                          {}},
                         policy, now);
}

Changed cancel(const Job& job, WallTime now)
{
    if (is_terminal(job.state)) return std::unexpected(Refusal::already_over);
    if (job.state == JobState::queued) return ended_cancelled(job, true, now);
    Job after = job;
    if (!after.cancel_requested_at) after.cancel_requested_at = now;
    return after;
}

Changed run_now(const Job& job, WallTime now)
{
    if (is_terminal(job.state)) return std::unexpected(Refusal::already_over);
    Job after = job;
    if (job.state == JobState::running) return after;
    after.due_at = std::min(job.due_at, now);
    after.wait_reason.clear();
    return after;
}

Changed reset(const Job& job, WallTime now)
{
    return expire(job, "reset", "ended by a reset of its tenant", now);
}

Changed waited_too_long(const Job& job, WallTime now)
{
    if (job.state != JobState::queued) return std::unexpected(Refusal::not_running);
    const auto waited = std::chrono::duration_cast<Millis>(now - job.requested_at);
    if (job.start_by && job.attempt == 0 && *job.start_by <= now)
        return expire(job, "expired",
                      fmt::format("no attempt began within {}: its start deadline passed", to_text(waited)), now);
    if (job.deadline_at && *job.deadline_at <= now)
        return expire(job, "expired", fmt::format("not done within {}: its deadline passed", to_text(waited)), now);
    return std::unexpected(Refusal::limited);
}

Changed expire(const Job& job, std::string_view code, std::string_view message, WallTime now)
{
    if (is_terminal(job.state)) return std::unexpected(Refusal::already_over);
    return ended_failed(job, {ErrorClass::fatal, std::string{code}, std::string{message}}, now);
}

Changed retry(const Job& job, std::optional<int> generation, Seq asked, WallTime now)
{
    if (job.state != JobState::failed && job.state != JobState::cancelled)
        return std::unexpected(Refusal::not_terminal);
    if (generation && *generation != job.generation) return std::unexpected(Refusal::generation_changed);
    Job after = job;
    ++after.generation;
    after.state = JobState::queued;
    after.due_at = now;
    after.asked = std::max(job.asked, asked);
    after.attempt = after.failed = after.lost = after.rate_limited = after.released = 0;
    after.cancel_requested_at.reset();
    after.finished_at.reset();
    after.deadline_at.reset();
    after.start_by.reset();
    after.outcome.reset();
    after.superseded_by = {};
    after.forced = after.finished_before_cancel = false;
    after.receipt.clear();
    after.result.clear();
    after.result_payload = after.result_bytes = 0;
    after.progress = {};
    return after;
}

std::optional<WallTime> next_timer(const Job& job, const QueuePolicy& policy)
{
    if (job.state == JobState::queued) {
        std::optional<WallTime> at = job.deadline_at;
        if (job.attempt == 0 && job.start_by && (!at || *job.start_by < *at)) at = job.start_by;
        return at;
    }
    if (job.state != JobState::running) return std::nullopt;
    FRESHET_ASSERT(job.lease_until && job.began_at);
    WallTime at = *job.lease_until;
    if (policy.run_limit.count() > 0) at = std::min(at, *job.began_at + policy.run_limit);
    if (job.cancel_requested_at) at = std::min(at, *job.cancel_requested_at + policy.cancel_grace);
    return at;
}

} // namespace freshet
