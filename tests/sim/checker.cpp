// SPDX-License-Identifier: Apache-2.0
// Jobs: fences, leases, edges, completions, and that what is acknowledged is there.
#include "sim/checker.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace freshet::sim {

namespace {

bool same_generation(const Job& before, const Job& after)
{
    return before.generation == after.generation;
}

} // namespace

Checker::Checker(Disk& disk, const Definitions& definitions) : disk_{disk}, definitions_{definitions} {}

void Checker::broken(std::string rule, const std::string& words) const
{
    throw Broken{rule + ": " + words};
}

const Job* Checker::job(JobId id) const
{
    const auto found = jobs_.find(id.value);
    return found == jobs_.end() ? nullptr : &found->second.job;
}

void Checker::process_began(WallTime now)
{
    touched_.clear();
    queues_.clear(); // told anew
    // Each process gives those that it finds at work their time again.
    give_time_again();
    whole(now);
}

void Checker::give_time_again()
{
    for (const std::int64_t id : live_) jobs_.at(id).sign = uptime_;
}

void Checker::noticed(const Notice& notice, WallTime now)
{
    for (const auto& told : notice.events)
        for (const LedgerEntry& entry : told.entries) {
            Seq& head = heads_[told.tenant];
            if (entry.seq != head + 1) broken("the ledger has no holes", fmt::format("{} after {}", entry.seq, head));
            head = entry.seq;
            if (entry.event.kind == EventKind::fire) saw(Seen::fires);
        }
    if (notice.definitions) now_defined_ = notice.definitions;
    for (const auto& queue : notice.queues) queues_[queue->queue] = *queue;
    std::set<std::int64_t> batches;
    std::map<std::string, Seq> fences = fences_; // those of one commit come in no order
    for (const auto& job : notice.jobs) {
        // The one that goes on in another's place goes on with its budget.
        const Job* before = this->job(job->id);
        if (job->superseded_by && (before == nullptr || before->superseded_by != job->superseded_by))
            inherited_[job->superseded_by.value] = job->failed;
    }
    went_out_.clear();
    for (const auto& job : notice.jobs) {
        fences[job->tenant] = std::max(fences[job->tenant], job->fence);
        if (job->batch) batches.insert(job->batch.value);
        job_moved(*job, now);
        touched_.push_back(job->id.value);
    }
    fences_ = std::move(fences);
    queues_within_limits(notice);
    for (const auto& view : notice.keys) key_moved(*view);
    for (const auto& batch : notice.batches) {
        batches.insert(batch->id.value);
        batch_moved(*batch);
    }
    batches_add_up(batches);
    for (const auto& job : notice.jobs) has_next_action(*job, now);
}

void Checker::job_moved(const Job& after, WallTime now)
{
    const auto [at, fresh] = jobs_.try_emplace(after.id.value);
    Known& known = at->second;
    const Job before = known.job;
    const std::string name = to_text(after.id);
    const Seq highest = fences_[after.tenant];
    if (after.fence != before.fence && after.fence <= highest)
        broken("each fence is above all ever issued", fmt::format("{}: {} after {}", name, after.fence, highest));
    if (after.state == JobState::running && !after.lease_until) broken("F7: running means a lease", name);
    if (!fresh) {
        const bool same = after.generation == before.generation;
        if (after.seq < before.seq) broken("seq of an object grows", name);
        if (after.generation < before.generation) broken("a generation never falls", name);
        if (same && is_terminal(before.state) && after.state != before.state) {
            const bool adopted = before.state == JobState::failed && after.state == JobState::succeeded &&
                                 (adoptable_.contains(after.id.value) || before.outcome == Outcome::held);
            if (!adopted)
                broken("an ended job changes only by retry and adopt",
                       fmt::format("{}: {} to {}", name, to_text(before.state), to_text(after.state)));
        }
        if (same && before.cancel_requested_at && before.state == JobState::running && !is_terminal(after.state) &&
            after.state != JobState::running)
            broken("no way from cancel requested back to the queue", name);
        if (same && before.state == JobState::cancelled && !is_terminal(after.state))
            broken("a cancelled job stays ended", name);
        if (before.state == JobState::running && after.state == JobState::running && before.fence != after.fence &&
            before.lease_until > now && !given_up_.contains({after.id.value, before.fence}))
            broken("at most one live lease per job", fmt::format("{} was handed out again", name));
        if (!same && !is_terminal(before.state)) broken("only what has ended is retried", name);
    }
    if (after.state == JobState::succeeded && (fresh || before.state != JobState::succeeded)) {
        if (known.generation_of_success == after.generation)
            broken("at most one accepted completion per generation", name);
        known.generation_of_success = after.generation;
        known.fence_of_success = after.fence;
    }
    if (after.kind != JobKind::refresh) budget_spent(known, before, after, now);
    if (after.kind == JobKind::refresh) refresh_counts(before, after);
    if (after.fence != before.fence) went_out(before, after, now);
    if (!fresh && same_generation(before, after)) waits_its_turn(before, after, now);
    if (before.id && before.state == JobState::running) --running_[before.queue];
    if (after.state == JobState::running) ++running_[after.queue];
    if (before.behind) behind_[before.behind.value].erase(after.id.value);
    if (after.behind) behind_[after.behind.value].insert(after.id.value);
    count(before, after, fresh);
    if (after.batch) item_moved(fresh ? nullptr : &before, after);
    known.job = after;
    if (is_terminal(after.state)) {
        live_.erase(after.id.value);
        if (after.kind == JobKind::refresh) refresh_ended(after);
    } else {
        live_.insert(after.id.value);
    }
}

void Checker::budget_spent(Known& known, const Job& before, const Job& after, WallTime now)
{
    int& failures = known.failures[after.generation];
    const auto queue = definitions_.queues.find(after.queue);
    const Millis limit = queue == definitions_.queues.end() ? Millis{0} : queue->second.run_limit;
    const bool left = before.state == JobState::running && after.state != JobState::running;
    if (left && limit.count() > 0 && *before.began_at + limit <= now) ++failures;
    if (const auto from = inherited_.find(after.id.value); from != inherited_.end()) {
        failures += from->second;
        inherited_.erase(from);
    }
    if (after.failed > failures)
        broken("only failures spend the retry budget",
               fmt::format("{}: {} spent, {} failed", to_text(after.id), after.failed, failures));
}

void Checker::refresh_counts(const Job& before, const Job& after)
{
    auto& [running, queued] = flights_[{after.tenant, after.key}];
    const bool known = static_cast<bool>(before.id);
    if (known && before.state == JobState::running) --running;
    if (known && before.state == JobState::queued) --queued;
    if (after.state == JobState::running) ++running;
    if (after.state == JobState::queued) ++queued;
}

void Checker::added(const Added& added)
{
    const auto reader = disk_.store().reader();
    for (const AddedJob& one : added.jobs)
        if (!reader->job(one.job->id)) broken("F10: acknowledged is durable", to_text(one.job->id));
}

void Checker::handed_out(const std::string& worker, const ClaimedJob& claimed, std::int64_t source_version, WallTime)
{
    const Job& job = *claimed.job;
    const auto stored = disk_.store().reader()->job(job.id);
    if (!stored || stored->fence < job.fence)
        broken("F10: a claim that was answered is durable", fmt::format("{} of {}", to_text(job.id), worker));
    if (job.state != JobState::running || job.worker != worker)
        broken("a claim gives what is the worker's", to_text(job.id));
    read_.emplace(std::pair{job.tenant, job.fence}, source_version);
}

void Checker::completion_taken(JobId id, Seq fence)
{
    const auto found = jobs_.find(id.value);
    if (found == jobs_.end()) broken("F10: an end is told before it is acknowledged", to_text(id));
    const Known& known = found->second;
    const auto stored = disk_.store().reader()->job(id);
    if (!stored || (!is_terminal(stored->state) && stored->generation == known.job.generation))
        broken("F10: an end that was acknowledged is durable", to_text(id));
    if (known.job.state == JobState::succeeded && known.fence_of_success != fence &&
        known.generation_of_success == known.job.generation)
        broken("F7: a completion counts under the last fence only",
               fmt::format("{}: {} taken, {} was the last", to_text(id), fence, known.fence_of_success));
    if (known.job.fence > fence && known.job.generation == known.generation_of_success)
        broken("F7: no late completion after a new claim", to_text(id));
}

void Checker::holds_named(const std::string& worker, const std::vector<std::pair<JobId, Seq>>& holds)
{
    for (const std::int64_t id : live_) {
        const Job& job = jobs_.at(id).job;
        if (job.worker == worker && std::ranges::find(holds, std::pair{job.id, job.fence}) == holds.end())
            given_up_.insert({id, job.fence});
    }
}

void Checker::failure_sent(JobId id, Seq fence)
{
    given_up_.insert({id.value, fence});
    const auto found = jobs_.find(id.value);
    if (found != jobs_.end()) ++found->second.failures[found->second.job.generation];
}

void Checker::beat_taken(JobId id, Seq fence)
{
    const auto found = jobs_.find(id.value);
    if (found != jobs_.end() && found->second.job.fence == fence) found->second.sign = uptime_;
}

void Checker::idempotent(const std::string& key, const std::vector<JobId>& made)
{
    const auto [at, fresh] = made_.try_emplace(key, made);
    if (fresh) return;
    saw(Seen::idempotent_repeats);
    if (at->second != made) broken("an Idempotency-Key makes its jobs once", key);
}

void Checker::foreign_answered(const Reply& reply)
{
    if (reply || (reply.error().refusal != Refusal::not_found && reply.error().refusal != Refusal::store_failed))
        broken("F9: tenants apart", "a verb on another tenant's object was not answered not_found");
    if (reply.error().refusal == Refusal::not_found) saw(Seen::foreign_refused);
}

QueuePolicy Checker::policy_of(const Job& job) const
{
    QueuePolicy policy;
    policy.run_limit = 0ms;
    if (const auto source = definitions_.sources.find(job.queue);
        source != definitions_.sources.end() && source->second->kind != SourceKind::worker) {
        policy.lease = source->second->lease;
        policy.retry = source->second->retry;
        return policy;
    }
    const auto queue = definitions_.queues.find(job.queue);
    if (queue == definitions_.queues.end()) return policy;
    policy.lease = queue->second.lease;
    policy.retry = queue->second.retry;
    policy.run_limit = queue->second.run_limit;
    policy.cancel_grace = queue->second.cancel_grace;
    policy.on_lost_retry = queue->second.on_lost == LostRule::retry;
    return policy;
}

bool Checker::all_over() const
{
    return live_.empty() &&
           std::ranges::all_of(batches_, [](const auto& batch) { return is_terminal(batch.second.state); });
}

void Checker::settled_but_for_batches(WallTime asked_before) const
{
    for (const std::int64_t id : live_) {
        const Job& job = jobs_.at(id).job;
        if (job.requested_at < asked_before && !job.batch)
            broken("F7: what is left ends soon after faults stop",
                   fmt::format("{} {} of {} is {}", to_text(job.kind), to_text(job.id), job.queue, to_text(job.state)));
    }
}

void Checker::settled(WallTime now)
{
    whole(now);
    for (const std::int64_t id : live_) {
        const Job& job = jobs_.at(id).job;
        broken("F7: nothing runs or waits for ever",
               fmt::format("{} {} of {} due in {} ms behind {}{}", to_text(job.kind), to_text(job.id), job.queue,
                           (job.due_at - now).count(), to_text(job.behind), job.gated ? ", gated" : ""));
    }
    for (const auto& [id, batch] : batches_)
        if (!is_terminal(batch.state))
            broken("F6: every batch ends", fmt::format("{} is {}", to_text(batch.id), to_text(batch.state)));
    for (const auto& [id, promises] : promises_)
        if (!promises.empty()) broken("every acknowledged click has an answer", to_text(JobId{id}));
}

} // namespace freshet::sim
