// SPDX-License-Identifier: Apache-2.0
// Time that runs out: leases, run limits, cancel graces, deadlines; and what a process takes up at its start.
#include "engine/group.hpp"

#include "base/assert.hpp"
#include "base/log.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace freshet {

namespace {

constexpr int timers_per_commit = 256;
constexpr int running_most = 200'000;

} // namespace

void Group::end_timers(bool paused)
{
    const std::vector<Job> due = tx_->timers_due(now_, timers_per_commit);
    for (const Job& stored : due)
        if (const auto job = job_of(stored.id, "*"); job && !is_terminal(job->state)) end_timer(*job, paused);
    more_ = more_ || due.size() == static_cast<std::size_t>(timers_per_commit);
}

void Group::end_timer(const Job& before, bool paused)
{
    const QueuePolicy policy = policy_of(*definitions_, before);
    if (before.state == JobState::queued) {
        if (auto after = waited_too_long(before, now_)) {
            put_job(&before, std::move(*after)); // a task or an item: refreshes have no deadline
        } else {
            put_quietly(before); // the policy was changed: the timer moves
        }
        return;
    }
    const bool cancel_over = before.cancel_requested_at && *before.cancel_requested_at + policy.cancel_grace <= now_;
    const bool ran_out = *before.lease_until <= now_;
    // A server that stood still, or was away, must not make workers look dead: their beats could not be read. A worker
    // that is silent for three leases of uptime is dead all the same.
    const WallTime sign = std::max(before.beat_at.value_or(now_), state_.started_at);
    const bool unheard = paused && now_ - sign < policy.lease * 3;
    const bool away = sign == state_.started_at && now_ < state_.started_at + policy.lease;
    const bool of_another_life = *before.lease_until == lease_of_another_life;
    const bool keeps = ran_out && !of_another_life && (unheard || away);
    const bool limit_over = policy.run_limit.count() > 0 && *before.began_at + policy.run_limit <= now_;
    if (keeps && !cancel_over && !limit_over) {
        Job again = before;
        again.lease_until = away && !unheard ? state_.started_at + policy.lease
                                             : std::min(now_ + policy.lease, sign + policy.lease * 3);
        put_quietly(again);
        return;
    }
    if (cancel_over || (ran_out && !keeps)) {
        auto after = lease_ended(before, policy, now_);
        FRESHET_ASSERT(after.has_value());
        if (!before.cancel_requested_at)
            log::warn(
                "worker lost",
                {{"job", to_text(before.id)},
                 {"queue", before.queue},
                 {"tenant", before.tenant},
                 {"worker", before.worker},
                 {"silent_s", std::chrono::floor<std::chrono::seconds>(now_ - before.beat_at.value_or(now_)).count()},
                 {"state", to_text(after->state)}});
        if (after->state == JobState::failed && before.kind == JobKind::refresh) {
            note_failure(key_of(before), *after, *after->error, false);
            after->receipt = receipt(key_of(before), {}, std::nullopt, 0, false);
        }
        put_job(&before, std::move(*after), before.cancel_requested_at ? AttemptEnd::cancelled : AttemptEnd::lost);
        close_claim_of_lost(before);
    } else if (limit_over) {
        fail_attempt(before,
                     {{ErrorClass::retryable, "run_limit",
                       fmt::format("ran longer than its limit of {}", to_text(policy.run_limit))},
                      {}},
                     {}, AttemptEnd::limit);
    } else {
        put_quietly(before); // the policy was changed: the timer moves
    }
}

// What follows from the store, read anew at the start and after a group that was not kept.
void Group::read_memory()
{
    state_.running.clear();
    for (auto& [queue, count] : tx_->running_counts()) state_.running[queue] = count;
    state_.live.clear();
    state_.bulk_live = 0;
    for (const std::string& tenant : tx_->tenants())
        for (const JobCount& count : tx_->job_counts(tenant)) {
            if (count.state == JobState::queued) state_.live[{tenant, count.queue}].queued = count.count;
            if (count.state == JobState::running) state_.live[{tenant, count.queue}].running = count.count;
            if (count.queue == bulk_queue && !is_terminal(count.state)) state_.bulk_live += count.count;
        }
    state_.keys.clear();
    state_.stored.clear();
    state_.paused = Pauses{tx_->paused()};
    state_.removed_sources.clear();
    for (RemovedSource& source : tx_->removed_sources()) state_.removed_sources[source.name] = source.removed_at;
    state_.paused_schedules.clear();
    for (const std::string& tenant : tx_->tenants())
        for (const ScheduleRecord& schedule : tx_->schedules(tenant))
            if (schedule.paused) state_.paused_schedules.insert({tenant, schedule.name});
    state_.limits.clear();
    for (QueueLimits& limits : tx_->queue_limits()) {
        std::string queue = limits.queue;
        state_.limits[std::move(queue)] = std::move(limits);
    }
    state_.resets.clear();
    for (ResetRecord& record : tx_->resets()) state_.resets.push_back({std::move(record), {}});
    state_.workers.drop_holdings();
    for (const Job& job : tx_->running_jobs("", running_most))
        if (!is_builtin(job.worker)) state_.workers.hold(job);
    state_.log_lines.clear();
    read_reserves();
    state_.ids.not_below(tx_->last_job_id());
    state_.stale_memory = false;
}

// Remote leases need no row of theirs touched: end_timer() gives them their length again when they run out, so that
// a start costs the same with many live jobs.
void Group::take_up()
{
    state_.started_at = now_;
    for (std::vector<Job> jobs = tx_->running_jobs("builtin-", timers_per_commit); !jobs.empty();
         jobs = tx_->running_jobs("builtin-", timers_per_commit))
        for (const Job& job : jobs) {
            auto after = lease_ended(job, policy_of(*definitions_, job), now_);
            put_job(&job, std::move(*after), job.cancel_requested_at ? AttemptEnd::cancelled : AttemptEnd::lost);
        }
    for (const std::string& row : state_.paused.rows())
        if (source(Pauses::name_of(row)) == nullptr) tell_queue(row);
    for (const auto& [queue, limits] : state_.limits)
        if (!state_.paused.has_row(queue)) tell_queue(queue);
    set_schedules();
    end_removed_sources();
}

} // namespace freshet
