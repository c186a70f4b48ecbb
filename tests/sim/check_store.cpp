// SPDX-License-Identifier: Apache-2.0
// The store against what was told: at any cut, snapshot + events = store; and that every live job has a next action.
#include "sim/checker.hpp"

#include <fmt/format.h>

namespace freshet::sim {

namespace {

constexpr Millis far_off = 24h * 30;

std::string shown(const Job& job)
{
    return fmt::format("{} at {}, fence {}, generation {}", to_text(job.state), job.seq, job.fence, job.generation);
}

bool same_but_for_beats(const Job& told, const Job& stored)
{
    return told.state == stored.state && told.seq == stored.seq && told.fence == stored.fence &&
           told.generation == stored.generation && told.attempt == stored.attempt && told.failed == stored.failed &&
           told.lost == stored.lost && told.due_at == stored.due_at && told.behind == stored.behind &&
           told.gated == stored.gated && told.result == stored.result && told.outcome == stored.outcome;
}

} // namespace

void Checker::after_step(WallTime now, bool kept)
{
    if (!kept) return;
    const auto reader = disk_.store().reader();
    for (const std::int64_t id : touched_) {
        const auto stored = reader->job(JobId{id});
        const Job& told = jobs_.at(id).job;
        if (!stored && is_terminal(told.state)) continue; // dropped in the same commit
        if (!stored || !same_but_for_beats(told, *stored))
            broken("what was told is what is stored", fmt::format("{}: told {}, stored {}", to_text(JobId{id}),
                                                                  shown(told), stored ? shown(*stored) : "nothing"));
    }
    touched_.clear();
    for (const auto& [tenant, head] : heads_)
        if (reader->ledger_head(tenant).head != head) broken("F10: every event was told", tenant);
    breakers_sound(now);
}

void Checker::has_next_action(const Job& job, WallTime now)
{
    const std::string name = to_text(job.id);
    if (is_terminal(job.state)) {
        if (const auto waiting = behind_.find(job.id.value); waiting != behind_.end() && !waiting->second.empty())
            broken("every live job has a next action",
                   fmt::format("{} is behind {}, which has ended", to_text(JobId{*waiting->second.begin()}), name));
        return;
    }
    if (job.behind)
        if (const Job* first = this->job(job.behind); first == nullptr || is_terminal(first->state))
            broken("every live job has a next action", fmt::format("{} is behind an ended one", name));
    if (job.gated) {
        const auto batch = batches_.find(job.batch.value);
        if (batch == batches_.end() || is_terminal(batch->second.state))
            broken("every live job has a next action", fmt::format("{} is gated for ever", name));
    }
    if (job.state == JobState::queued && job.due_at > now + far_off)
        broken("every live job has a next action", fmt::format("{} is due too far off", name));
}

void Checker::queues_within_limits(const Notice& notice)
{
    for (const std::string& queue : went_out_) {
        const auto set = queues_.find(queue);
        if (set != queues_.end() && set->second.paused) broken("a paused queue hands out nothing", queue);
        std::int64_t most = 0;
        if (const auto source = definitions_.sources.find(queue);
            source != definitions_.sources.end() && source->second->kind != SourceKind::worker)
            most = source->second->concurrency;
        else if (const auto defined = definitions_.queues.find(queue); defined != definitions_.queues.end())
            most = defined->second.concurrency;
        if (set != queues_.end() && set->second.limits.concurrency) most = *set->second.limits.concurrency;
        if (most > 0 && running_[queue] > most)
            broken("no more run than the queue's concurrency",
                   fmt::format("{}: {} of {} at notice {}", queue, running_[queue], most, notice.position));
    }
}

void Checker::breakers_sound(WallTime now)
{
    const auto tx = disk_.store().begin();
    for (const auto& [tenant, definition] : definitions_.tenants)
        for (const auto& [name, source] : definitions_.sources) {
            if (source->kind != SourceKind::http) continue;
            const auto breaker = tx->breaker(tenant, name, name + ".example");
            if (!breaker) continue;
            auto& open = open_[tenant + '/' + name];
            if (breaker->open_until && open != breaker->open_until) saw(Seen::breakers_opened);
            open = breaker->open_until;
            if (breaker->open_until && *breaker->open_until > now + source->retry.max_wait)
                broken("what is parked has an end", fmt::format("{} of {} is left alone too long", name, tenant));
            if (!breaker->probe) continue;
            saw(Seen::breaker_probes);
            const Job* probe = job(breaker->probe);
            // Of a source that was taken out of the config nobody knows the host; the next claim sees that its probe is
            // over.
            const bool went = probe != nullptr && probe->error && probe->error->code == "source_removed";
            if (!went && (probe == nullptr || probe->state != JobState::running))
                broken("half-open has a live probe",
                       fmt::format("{} of {}: {} is {}", name, tenant, to_text(breaker->probe),
                                   probe == nullptr ? "nowhere" : to_text(probe->state)));
        }
}

void Checker::whole(WallTime)
{
    const auto reader = disk_.store().reader();
    for (const auto& [id, known] : jobs_) {
        const auto stored = reader->job(JobId{id});
        if (!stored) {
            if (!is_terminal(known.job.state)) broken("F10: a live job is there after a restart", to_text(JobId{id}));
            continue;
        }
        if (!same_but_for_beats(known.job, *stored))
            broken("what was told is what is stored",
                   fmt::format("{}: told {}, stored {}", to_text(JobId{id}), shown(known.job), shown(*stored)));
    }
    for (const auto& [id, told] : batches_) {
        const auto stored = reader->batch(BatchId{id});
        if (stored ? !(*stored == told) : !is_terminal(told.state))
            broken("what was told is what is stored", to_text(BatchId{id}));
    }
    for (const auto& [key, known] : keys_) {
        const auto stored = reader->key(key.first, key.second);
        if (!stored || stored->gen != known.gen || stored->ver != known.ver || stored->has_data != known.has_data)
            broken("what was told is what is stored", key.second);
    }
    for (const auto& [tenant, head] : heads_)
        if (reader->ledger_head(tenant).head != head) broken("F10: every event was told", tenant);
}

} // namespace freshet::sim
