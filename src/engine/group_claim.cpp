// SPDX-License-Identifier: Apache-2.0
// Claims: open offers of workers, and the turns in which queues and tenants are served.
//
// Within a queue tenants take turns: each gets an equal share of an offer's slots, beginning behind the one that was
// served last; while several wait, none holds more than half of the queue's concurrency.
#include "engine/group.hpp"

#include "base/assert.hpp"
#include "model/breaker.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <ranges>

namespace freshet {

namespace {

constexpr int tenants_per_claim = 64;
/// Pages of tenants that are looked through for one that has not paused the queue.
constexpr int paused_pages_max = 16;
constexpr int slots_max = 1000;
constexpr int put_aside_max = 256;
constexpr std::size_t queues_per_claim = 200, worker_bytes_max = 200;
/// A refresh whose source is paused leaves the queue of its workers to others for so long.
constexpr Millis paused_looked_at = 1min;

} // namespace

std::optional<Refused> Group::meet_worker(const ClaimWork& request)
{
    if (request.worker.empty() || request.worker.size() > worker_bytes_max || is_builtin(request.worker))
        return refused(
            Refusal::bad_request,
            fmt::format("a worker's id has 1 to {} bytes and does not begin with \"builtin-\"", worker_bytes_max));
    if (request.slots < 1 || request.slots > slots_max)
        return refused(Refusal::bad_request, fmt::format("slots are 1 to {}", slots_max));
    if (request.queues.empty() || request.queues.size() > queues_per_claim)
        return refused(Refusal::bad_request, fmt::format("a claim names 1 to {} queues", queues_per_claim));
    Millis lease{0};
    for (const std::string& queue : request.queues) lease = std::max(lease, queue_of(*definitions_, queue).lease);
    if (!state_.workers.claim(request, lease, now_))
        return refused(Refusal::limited, fmt::format("{} workers are known already", Workers::workers_max));
    give_back(request);
    return std::nullopt;
}

// What we think it holds and it does not name: a claim whose answer was lost, or a life that ended.
void Group::give_back(const ClaimWork& request)
{
    if (!request.holds) return;
    for (const auto& [id, fence] : state_.workers.held(request.worker, request.tenant)) {
        if (std::ranges::find(*request.holds, std::pair{id, fence}) != request.holds->end()) continue;
        const auto job = job_of(id, request.tenant);
        if (!job || job->state != JobState::running || job->fence != fence || job->worker != request.worker) continue;
        auto after = lease_ended(*job, policy_of(*definitions_, *job), now_,
                                 fmt::format("worker {} no longer holds it", job->worker));
        put_job(&*job, std::move(*after), job->cancel_requested_at ? AttemptEnd::cancelled : AttemptEnd::lost);
    }
}

void Group::offer(ClaimWork& request, int core, ReplyTo reply)
{
    if (request.offer != 0 || !is_builtin(request.worker)) {
        if (auto bad = meet_worker(request)) {
            replies_.emplace_back(std::pair{core, std::move(reply)}, std::unexpected(std::move(*bad)));
            return;
        }
    }
    state_.workers.set_open(request.worker, request.tenant, true, now_);
    for (Offer& open : state_.offers) {
        if (open.work.worker != request.worker || open.work.tenant != request.tenant) continue;
        replies_.emplace_back(std::pair{open.core, std::move(open.reply)}, Answer{Claimed{}});
        open = {std::move(request), core, std::move(reply)};
        return;
    }
    state_.offers.push_back({std::move(request), core, std::move(reply)});
}

// Answers open claims with nothing.
void Group::close_claims(const std::function<bool(const ClaimWork&)>& which)
{
    std::erase_if(state_.offers, [&](Offer& open) {
        if (!which(open.work)) return false;
        state_.workers.set_open(open.work.worker, open.work.tenant, false, now_);
        replies_.emplace_back(std::pair{open.core, std::move(open.reply)}, Answer{Claimed{}});
        return true;
    });
}

void Group::withdraw(const WithdrawClaim& request)
{
    close_claims([&](const ClaimWork& open) { return open.worker == request.worker && open.offer == request.offer; });
}

// A worker that fell silent is not given more: the claim that a stopped process left open would feed it for ever.
void Group::close_claim_of_lost(const Job& job)
{
    if (is_builtin(job.worker)) return;
    close_claims([&](const ClaimWork& open) {
        return open.worker == job.worker && (open.tenant == "*" || open.tenant == job.tenant);
    });
}

QueueLimits Group::limits_of(const std::string& queue) const
{
    QueueLimits limits;
    if (const auto set = state_.limits.find(queue); set != state_.limits.end()) limits = set->second;
    const SourceDefinition* of = source(queue);
    if (of != nullptr && of->kind != SourceKind::worker) {
        if (!limits.concurrency) limits.concurrency = of->concurrency;
        if (!limits.rate) limits.rate = of->rate;
    } else {
        const QueueDefinition definition = queue_of(*definitions_, queue);
        if (!limits.concurrency) limits.concurrency = definition.concurrency;
        if (!limits.rate) limits.rate = definition.rate;
    }
    return limits;
}

std::optional<WallTime> Group::feed_offers()
{
    std::optional<WallTime> wake;
    if (state_.offers.empty() || !state_.no_room.empty()) return wake;
    std::vector<std::string> ready = tx_->ready_queues(now_);
    std::erase_if(ready, [&](const std::string& queue) { return state_.paused.for_all(queue); });
    if (ready.empty()) return wake;
    std::ranges::rotate(ready, ready.begin() + static_cast<std::ptrdiff_t>(++state_.queue_turn % ready.size()));

    std::vector<Offer> still_open;
    for (Offer& offer : state_.offers) {
        Claimed claimed;
        const bool draining = state_.workers.draining(offer.work.worker, offer.work.tenant);
        for (const std::string& queue : ready) {
            if (draining || std::ranges::find(offer.work.queues, queue) == offer.work.queues.end()) continue;
            int slots = offer.work.slots - static_cast<int>(claimed.jobs.size());
            const QueueLimits limits = limits_of(queue);
            const std::int64_t concurrency = *limits.concurrency;
            if (concurrency > 0)
                slots = static_cast<int>(std::min<std::int64_t>(slots, concurrency - state_.running[queue]));
            if (slots <= 0) continue;
            RateWindow& window = state_.begun[queue];
            if (const auto until = window.blocked_until(*limits.rate, now_)) {
                wake = std::min(wake.value_or(*until), *until);
                continue;
            }
            const int got = claim_from(offer, queue, window.left(*limits.rate, now_, slots), concurrency, claimed);
            for (int i = 0; i < got; ++i) window.add(*limits.rate, now_);
        }
        if (claimed.jobs.empty()) {
            still_open.push_back(std::move(offer));
            continue;
        }
        state_.workers.set_open(offer.work.worker, offer.work.tenant, false, now_);
        replies_.emplace_back(std::pair{offer.core, offer.reply}, Answer{std::move(claimed)});
        fed_.push_back(std::move(offer));
    }
    state_.offers = std::move(still_open);
    return wake;
}

bool Group::is_at_rest(const std::string& tenant, const std::string& queue) const
{
    return state_.paused.contains(tenant, queue) || !is_tenant(*definitions_, tenant);
}

// Tenants with work for the queue that may be given out, beginning behind the one whose turn it was.
std::vector<std::string> Group::next_tenants(const std::string& queue, std::string_view turn)
{
    std::string after{turn};
    std::vector<std::string> tenants;
    for (int page = 0; page < paused_pages_max; ++page) {
        tenants = tx_->ready_tenants(queue, after, now_, tenants_per_claim);
        const bool more = tenants.size() == static_cast<std::size_t>(tenants_per_claim);
        if (more) after = tenants.back();
        std::erase_if(tenants, [&](const std::string& tenant) { return is_at_rest(tenant, queue); });
        if (!tenants.empty() || !more) break;
    }
    return tenants;
}

int Group::claim_from(Offer& offer, const std::string& queue, int slots, std::int64_t concurrency, Claimed& claimed)
{
    std::string& turn = state_.turns[queue];
    std::vector<std::string> tenants = next_tenants(queue, turn);
    const bool contended = tenants.size() > 1;
    if (offer.work.tenant != "*") {
        if (is_at_rest(offer.work.tenant, queue)) return 0;
        tenants.assign(1, offer.work.tenant);
    }
    const std::int64_t half = std::max<std::int64_t>(1, (concurrency + 1) / 2);

    int got = 0, looked_at = 0;
    while (got < slots && !tenants.empty()) {
        // What a reset ended, or must wait, is put aside row by row; the rest of it can wait for the next commit.
        if (looked_at - got > put_aside_max) {
            more_ = true;
            break;
        }
        const int share = std::max(1, (slots - got) / static_cast<int>(tenants.size()));
        std::erase_if(tenants, [&](const std::string& tenant) {
            std::int64_t take = std::min(share, slots - got);
            if (contended && concurrency > 0)
                take = std::min<std::int64_t>(take, half - state_.live[{tenant, queue}].running);
            if (take <= 0) return true;
            const std::vector<Job> jobs = tx_->claimable(queue, tenant, now_, static_cast<int>(take));
            for (const Job& job : jobs)
                if (claim_one(job, offer.work.worker, claimed)) ++got;
            looked_at += static_cast<int>(jobs.size());
            if (!jobs.empty()) turn = tenant;
            return static_cast<std::int64_t>(jobs.size()) < take;
        });
    }
    return got;
}

// A refresh waits while its source is gone, paused, or left alone by its breaker.
bool Group::may_claim_refresh(const Job& job, const KeyWork& work)
{
    const auto wait_until = [&](WallTime at) {
        Job later = job;
        later.due_at = at;
        put_job(&job, std::move(later));
        return false;
    };
    if (work.source == nullptr) {
        if (auto ended = expire(job, "source_removed", removed_words(job), now_)) put_job(&job, std::move(*ended));
        return false;
    }
    const SourceDefinition& definition = *work.source;
    if (state_.paused.contains(job.tenant, definition.name)) return wait_until(now_ + paused_looked_at);
    auto breaker = tx_->breaker(job.tenant, definition.name, host_of(definition, job.key));
    if (!breaker) return true;
    // A probe that ended while its source was gone from the config could not say so: nobody knew its host.
    if (breaker->probe) {
        const auto probe = tx_->job(breaker->probe);
        if (!probe || probe->state != JobState::running) breaker->probe = {};
    }
    switch (may_begin(*breaker, job.id, now_)) {
    case BreakerWord::go: break;
    case BreakerWord::probe:
        breaker->probe = job.id;
        tx_->put_breaker(*breaker);
        break;
    case BreakerWord::wait:
        // Looked at again when the breaker may let a probe through, or soon after one that runs.
        return wait_until(*breaker->open_until > now_ ? *breaker->open_until : now_ + 1s);
    }
    return true;
}

History& Group::took_by(const Job& job)
{
    const auto [at, fresh] = state_.took.try_emplace(job.queue);
    if (fresh) {
        const std::vector<Job> newest_first = tx_->jobs({.tenant = job.tenant,
                                                         .state = JobState::succeeded,
                                                         .queue = job.queue,
                                                         .key = {},
                                                         .tag = {},
                                                         .kind = {},
                                                         .before = {},
                                                         .limit = static_cast<int>(History::kept_max)});
        for (const Job& done : newest_first | std::views::reverse)
            if (done.began_at && done.finished_at) at->second.add(*done.finished_at - *done.began_at);
    }
    return at->second;
}

bool Group::claim_one(const Job& job, const std::string& worker, Claimed& claimed)
{
    if (is_reset(job)) {
        end_reset(job);
        return false;
    }
    if (must_end(job)) {
        end_item(job);
        return false;
    }
    KeyWork* work = nullptr;
    if (job.kind == JobKind::refresh) {
        work = &key_of(job);
        if (!may_claim_refresh(job, *work)) return false;
    }
    const SourceDefinition* definition = work == nullptr ? nullptr : work->source;
    auto after = claim(job, worker, tx_->next_seq(job.tenant), definition == nullptr ? 0 : definition->hash,
                       policy_of(*definitions_, job), now_);
    FRESHET_ASSERT(after.has_value());
    const History& took = took_by(job);
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

} // namespace freshet
