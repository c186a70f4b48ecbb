// SPDX-License-Identifier: Apache-2.0
// Jobs in other hands: claims, beats, releases, cancels, retries, and leases that run out.
#include "engine/group.hpp"

#include "base/assert.hpp"
#include "model/breaker.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace freshet {

namespace {

// Beats between rows: an unwritten beat is forgotten by a crash, which only makes the lease end sooner.
constexpr Millis progress_written_every = 5s;
constexpr int timers_per_commit = 256;
constexpr int tenants_per_claim = 64;

std::string refusal_words(Refusal refusal)
{
    switch (refusal) {
    case Refusal::not_found: return "there is no such job";
    case Refusal::not_running: return "the job is not running";
    case Refusal::lease_lost: return "the lease was lost: the job was given to somebody else, or it ended";
    case Refusal::already_over: return "the job is over";
    case Refusal::not_terminal: return "the job has not ended in a way that this can change";
    case Refusal::generation_changed: return "the job was retried meanwhile";
    default: return std::string{to_text(refusal)};
    }
}

} // namespace

void Group::offer(const ClaimWork& request, int core, ReplyTo reply)
{
    for (Offer& open : state_.offers) {
        if (open.work.worker != request.worker) continue;
        replies_.emplace_back(std::pair{open.core, std::move(open.reply)}, Answer{Claimed{}});
        open = {request, core, std::move(reply)};
        return;
    }
    state_.offers.push_back({request, core, std::move(reply)});
}

std::optional<WallTime> Group::feed_offers()
{
    std::optional<WallTime> wake;
    if (state_.offers.empty()) return wake;
    std::vector<std::string> ready = tx_->ready_queues(now_);
    std::erase_if(ready, [&](const std::string& queue) { return state_.paused.contains(queue); });
    if (ready.empty()) return wake;
    std::ranges::rotate(ready, ready.begin() + static_cast<std::ptrdiff_t>(++state_.queue_turn % ready.size()));

    std::vector<Offer> still_open;
    for (Offer& offer : state_.offers) {
        Claimed claimed;
        for (const std::string& queue : ready) {
            if (std::ranges::find(offer.work.queues, queue) == offer.work.queues.end()) continue;
            int slots = offer.work.slots - static_cast<int>(claimed.jobs.size());
            RateLimit rate;
            std::int64_t concurrency = 0;
            if (const SourceDefinition* definition = source(queue)) {
                rate = definition->rate;
                concurrency = definition->concurrency;
            } else if (const auto found = definitions_->queues.find(queue); found != definitions_->queues.end()) {
                rate = found->second.rate;
                concurrency = found->second.concurrency;
            }
            if (concurrency > 0)
                slots = static_cast<int>(std::min<std::int64_t>(slots, concurrency - state_.running[queue]));
            if (slots <= 0) continue;
            RateWindow& window = state_.begun[queue];
            if (const auto until = window.blocked_until(rate, now_)) {
                wake = std::min(wake.value_or(*until), *until);
                continue;
            }
            const int got = claim_from(offer, queue, window.left(rate, now_, slots), claimed);
            for (int i = 0; i < got; ++i) window.add(rate, now_);
        }
        if (claimed.jobs.empty()) {
            still_open.push_back(std::move(offer));
            continue;
        }
        replies_.emplace_back(std::pair{offer.core, offer.reply}, Answer{std::move(claimed)});
        fed_.push_back(std::move(offer));
    }
    state_.offers = std::move(still_open);
    return wake;
}

int Group::claim_from(Offer& offer, const std::string& queue, int slots, Claimed& claimed)
{
    int got = 0;
    if (slots <= 0) return got;
    for (const std::string& tenant : tx_->ready_tenants(queue, {}, now_, tenants_per_claim))
        for (const Job& job : tx_->claimable(queue, tenant, now_, slots - got))
            if (claim_one(job, offer.work.worker, claimed)) ++got;
    return got;
}

bool Group::claim_one(const Job& job, const std::string& worker, Claimed& claimed)
{
    const SourceDefinition* definition = nullptr;
    KeyWork* work = nullptr;
    if (job.kind == JobKind::refresh) {
        work = &key_of(job);
        definition = work->source;
        if (definition == nullptr) {
            if (auto ended = expire(job, "source_removed", "the source is no longer configured", now_))
                put_job(&job, std::move(*ended));
            return false;
        }
        const std::string host = host_of(*definition, job.key);
        if (auto breaker = tx_->breaker(job.tenant, job.queue, host)) {
            switch (may_begin(*breaker, job.id, now_)) {
            case BreakerWord::go: break;
            case BreakerWord::probe:
                breaker->probe = job.id;
                tx_->put_breaker(*breaker);
                break;
            case BreakerWord::wait: {
                // Looked at again when the breaker may let a probe through, or soon after one that runs.
                Job later = job;
                later.due_at = *breaker->open_until > now_ ? *breaker->open_until : now_ + 1s;
                put_job(&job, std::move(later));
                return false;
            }
            }
        }
    }
    auto after = claim(job, worker, tx_->next_seq(job.tenant), definition == nullptr ? 0 : definition->hash,
                       policy_of(*definitions_, job), now_);
    FRESHET_ASSERT(after.has_value());
    History& took = state_.took[job.queue];
    after->took_p50 = took.percentile(50);
    after->took_p90 = took.percentile(90);
    after->took_p95 = took.percentile(95);
    const auto running = put_job(&job, std::move(*after));
    FRESHET_ASSERT(running->fence == running->seq);
    state_.meters.began(*running, now_);

    ClaimedJob one{running, nullptr, {}, {}, running->trigger == Trigger::manual || running->trigger == Trigger::purge};
    if (work != nullptr) {
        one.source = definitions_->sources.find(definition->name)->second;
        one.params = params_of(job.key);
        if (work->record.has_data && work->record.definition == definition->hash)
            one.validators = {work->record.etag, work->record.last_modified};
    }
    claimed.jobs.push_back(std::move(one));
    return true;
}

Reply Group::beat(const BeatWork& request)
{
    Beaten beaten;
    for (const BeatJob& one : request.jobs) beaten.answers.push_back(beat_one(request.worker, one));
    return Answer{std::move(beaten)};
}

BeatAnswer Group::beat_one(const std::string& worker, const BeatJob& request)
{
    const auto stored = tx_->job(request.job);
    if (!stored || stored->worker != worker) return {request.job, BeatWord::lost, {}};
    const Job before = with_progress(*stored);
    auto after = freshet::beat(before, request.beat, policy_of(*definitions_, before), now_);
    if (!after) return {request.job, BeatWord::lost, {}};
    const bool moved = !(after->progress == before.progress);
    if (moved) {
        state_.progress[request.job.value] = {after->progress, after->progress_at};
        notice_->progress.push_back(std::make_shared<const Job>(*after));
    }
    // A beat only moves the row, and only when the lease has worn down or progress has not been written for a while.
    const Millis lease = policy_of(*definitions_, before).lease;
    const bool worn = *stored->lease_until - now_ < lease * 3 / 4;
    const bool untold = moved && now_ - stored->beat_at.value_or(now_) >= progress_written_every;
    if (worn || untold || request.beat.checkpoint) {
        tx_->put_job(*after, next_timer(*after, policy_of(*definitions_, *after)));
        wrote_ = true;
    }
    return {request.job, before.cancel_requested_at ? BeatWord::cancel : BeatWord::ok, after->lease_until};
}

Reply Group::release(const ReleaseJob& request)
{
    const auto job = tx_->job(request.job);
    if (!job) return std::unexpected(refused(Refusal::not_found, refusal_words(Refusal::not_found)));
    const Job before = with_progress(*job);
    auto after = freshet::release(before, request.fence, request.back, policy_of(*definitions_, before), now_);
    if (!after) return std::unexpected(refused(after.error(), refusal_words(after.error())));
    return Answer{put_job(&before, std::move(*after), AttemptEnd::released)};
}

Reply Group::cancel(const CancelJob& request)
{
    const auto job = tx_->job(request.job);
    if (!job || job->tenant != request.tenant)
        return std::unexpected(refused(Refusal::not_found, refusal_words(Refusal::not_found)));
    const Job before = with_progress(*job);
    auto after = freshet::cancel(before, now_);
    if (!after) {
        Refused words = refused(after.error(), fmt::format("already {}", to_text(before.state)));
        words.job = before.id;
        return std::unexpected(std::move(words));
    }
    if (after->cancel_requested_at == before.cancel_requested_at && after->state == before.state)
        return Answer{std::make_shared<const Job>(before)};
    audit(request.tenant, request.caller, "cancel", to_text(request.job), {});
    return Answer{put_job(&before, std::move(*after), AttemptEnd::cancelled)};
}

Reply Group::retry(const RetryJob& request)
{
    const auto before = tx_->job(request.job);
    if (!before || before->tenant != request.tenant)
        return std::unexpected(refused(Refusal::not_found, refusal_words(Refusal::not_found)));
    for (const Job& live : tx_->live_jobs(before->tenant, before->key))
        if (before->kind == JobKind::refresh && live.id != before->id && !live.cancel_requested_at) {
            // The key is taken: whoever retries shares what is under way, as any other caller would.
            AskRefresh same{.tenant = before->tenant,
                            .key = before->key,
                            .source = key_of(*before).record.source,
                            .trigger = Trigger::manual,
                            .caller = request.caller};
            auto asked = ask_for(same, true);
            if (!asked) return std::unexpected(std::move(asked.error()));
            return Answer{std::move(asked->job)};
        }
    auto after = freshet::retry(*before, request.generation, tx_->ledger_head(before->tenant).head, now_);
    if (!after) return std::unexpected(refused(after.error(), refusal_words(after.error())));
    audit(request.tenant, request.caller, "retry", to_text(request.job), {});
    if (const auto last = last_attempt(*before)) tx_->put_attempt(*last);
    return Answer{put_job(&*before, std::move(*after))};
}

void Group::end_leases(bool paused)
{
    for (const Job& stored : tx_->timers_due(now_, timers_per_commit)) {
        const Job before = with_progress(stored);
        const QueuePolicy policy = policy_of(*definitions_, before);
        if (before.state == JobState::queued) {
            if (auto after = expire(before, "expired", "its deadline passed while it waited", now_))
                put_job(&before, std::move(*after));
            continue;
        }
        const bool cancel_over =
            before.cancel_requested_at && *before.cancel_requested_at + policy.cancel_grace <= now_;
        const bool ran_out = *before.lease_until <= now_;
        // A server that stood still must not make workers look dead: their beats could not be read.
        if (paused && ran_out && !cancel_over && now_ - before.beat_at.value_or(now_) < policy.lease * 3) {
            Job again = before;
            again.lease_until = now_ + policy.lease;
            tx_->put_job(again, next_timer(again, policy));
            wrote_ = true;
            continue;
        }
        if (cancel_over || ran_out) {
            auto after = lease_ended(before, policy, now_);
            FRESHET_ASSERT(after.has_value());
            if (after->state == JobState::failed && before.kind == JobKind::refresh) {
                note_failure(key_of(before), *after, *after->error, false);
                after->receipt = receipt(key_of(before), {}, std::nullopt, 0, false);
            }
            put_job(&before, std::move(*after), before.cancel_requested_at ? AttemptEnd::cancelled : AttemptEnd::lost);
        } else if (policy.run_limit.count() > 0 && *before.began_at + policy.run_limit <= now_) {
            fail_attempt(before,
                         {{ErrorClass::retryable, "run_limit",
                           fmt::format("ran longer than its limit of {}", to_text(policy.run_limit))},
                          {}},
                         {}, AttemptEnd::limit);
        } else {
            tx_->put_job(before, next_timer(before, policy)); // the policy was changed: the timer moves
            wrote_ = true;
        }
    }
}

} // namespace freshet
