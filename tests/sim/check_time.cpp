// SPDX-License-Identifier: Apache-2.0
// Time: nothing is over its time though nobody looks (F7), and what is tried again is tried when it should be.
#include "sim/checker.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace freshet::sim {

namespace {

constexpr Millis noticed_within = 1s;
constexpr Millis retry_after_most = 30s; ///< of what workers of these worlds say
constexpr Millis driver_left_after = 30min;

} // namespace

void Checker::count_uptime(WallTime now, bool serving)
{
    if (serving && seen_up_at_ && now > *seen_up_at_) uptime_ += now - *seen_up_at_;
    seen_up_at_ = serving ? std::optional{now} : std::nullopt;
}

void Checker::time_passed(WallTime now, std::optional<WallTime> serving_since)
{
    count_uptime(now, serving_since.has_value());
    if (!serving_since) return;
    const auto over = [&](std::optional<WallTime> at) {
        return at && std::max(*at, *serving_since) + noticed_within < now;
    };
    for (const std::int64_t id : live_) {
        Known& known = jobs_.at(id);
        const Job& job = known.job;
        if (job.state == JobState::running) {
            lease_in_time(known, now, *serving_since);
            const QueuePolicy policy = policy_of(job);
            if (job.cancel_requested_at && over(*job.cancel_requested_at + policy.cancel_grace))
                broken("F7: a cancel takes effect within its grace", to_text(job.id));
            if (policy.run_limit.count() > 0 && over(*job.began_at + policy.run_limit))
                broken("F7: nothing runs longer than its limit", to_text(job.id));
        } else if (over(job.deadline_at) || (job.attempt == 0 && over(job.start_by))) {
            broken("F7: nothing waits longer than its deadline", to_text(job.id));
        }
    }
    batches_in_time(now, *serving_since);
}

void Checker::lease_in_time(Known& known, WallTime now, WallTime since)
{
    Job& job = known.job;
    if (std::max(*job.lease_until, since) + noticed_within < now) {
        const auto stored = disk_.store().reader()->job(job.id); // beats move the row without an event
        if (stored && stored->fence == job.fence && stored->lease_until) job.lease_until = stored->lease_until;
        if (std::max(*job.lease_until, since) + noticed_within < now)
            broken("F7: the end of a lease is found though nobody looks",
                   fmt::format("{} is {} ms over", to_text(job.id), (now - *job.lease_until).count()));
    }
    if (job.queue != "freshet.bulk" && uptime_ - known.sign > policy_of(job).lease * 3 + noticed_within)
        broken("F7: a lease ends within three of its lengths after the last sign of life", to_text(job.id));
}

void Checker::batches_in_time(WallTime now, WallTime since) const
{
    for (const std::int64_t id : live_batches_) {
        const Batch& batch = batches_.at(id);
        if (batch.state == BatchState::open && batch.seal_by && std::max(*batch.seal_by, since) + noticed_within < now)
            broken("F6: what nobody seals is aborted", to_text(batch.id));
        if (batch.gated > 0 && batch.called_at &&
            std::max(*batch.called_at + driver_left_after, since) + noticed_within < now)
            broken("F6: nothing waits for ever on a driver that left", to_text(batch.id));
    }
}

void Checker::waits_its_turn(const Job& before, const Job& after, WallTime now)
{
    if (before.state != JobState::running || after.state != JobState::queued) return;
    const QueuePolicy policy = policy_of(after);
    if (after.lost > before.lost && (!policy.on_lost_retry || after.lost >= policy.lost_max))
        broken("a worker lost too often, or where it may not be, ends the job", to_text(after.id));
    if (after.failed >= (after.attempts_max > 0 ? after.attempts_max : policy.retry.attempts))
        broken("no try beyond the retry budget", to_text(after.id));
    // An ask of the same commit may have made it due at once.
    if (after.kind == JobKind::refresh || after.unique || run_asked_.contains(after.id.value)) return;
    int times = 0;
    if (after.failed == before.failed + 1 && after.lost == before.lost) times = after.failed;
    if (after.rate_limited == before.rate_limited + 1 && after.lost == before.lost) times = after.rate_limited;
    const Millis waits = after.due_at - now;
    if (times > 0) {
        const Millis full = std::min<Millis>(policy.retry.max_wait, policy.retry.wait * (1LL << (times - 1)));
        if (waits < full / 2 || waits > std::max(full, retry_after_most))
            broken("a retry waits its time", fmt::format("{} waits {} ms", to_text(after.id), waits.count()));
    } else if (after.lost == before.lost + 1 && after.failed == before.failed) {
        const Millis expected = after.lost == 1 ? 0ms : 1s * (1LL << after.lost);
        if (waits != expected)
            broken("a lost job waits its time", fmt::format("{} waits {} ms", to_text(after.id), waits.count()));
    }
}

void Checker::went_out(const Job& before, const Job& after, WallTime now)
{
    if (after.state != JobState::running) return; // it came back in the same commit
    jobs_.at(after.id.value).sign = uptime_;
    went_out_.insert(after.queue);
    const std::string name = to_text(after.id);
    if (after.due_at > now) broken("a claim gives what is due", name);
    if (after.behind || after.gated) broken("a claim gives what may run", name);
    if (before.id && before.cancel_requested_at && before.generation == after.generation)
        broken("a job that was to be cancelled goes out no more", name);
    if (after.asked >= after.data_fence) broken("a claim drops data that is older than an ask", name);
}

} // namespace freshet::sim
