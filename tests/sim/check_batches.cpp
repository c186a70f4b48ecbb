// SPDX-License-Identifier: Apache-2.0
// Batches: counters equal the items, the end comes with the last item, one follow-up (F6).
#include "sim/checker.hpp"

#include <fmt/format.h>

namespace freshet::sim {

namespace {

void count(BatchCounts& counts, JobState state, int by)
{
    switch (state) {
    case JobState::queued: counts.queued += by; break;
    case JobState::running: counts.running += by; break;
    case JobState::succeeded: counts.succeeded += by; break;
    case JobState::failed: counts.failed += by; break;
    case JobState::cancelled: counts.cancelled += by; break;
    }
}

std::string shown(const BatchCounts& counts)
{
    return fmt::format("{} = {} queued + {} running + {} succeeded + {} failed + {} cancelled", counts.total,
                       counts.queued, counts.running, counts.succeeded, counts.failed, counts.cancelled);
}

} // namespace

void Checker::item_moved(const Job* before, const Job& after)
{
    Counted& counted = counted_[after.batch.value];
    const auto at_gate = [](const Job& job) { return job.state == JobState::queued && job.gated ? 1 : 0; };
    if (before == nullptr) {
        ++counted.counts.total;
    } else {
        freshet::sim::count(counted.counts, before->state, -1);
        counted.gated -= at_gate(*before);
    }
    freshet::sim::count(counted.counts, after.state, 1);
    counted.gated += at_gate(after);
}

void Checker::batch_moved(const Batch& after)
{
    if (is_terminal(after.state))
        live_batches_.erase(after.id.value);
    else
        live_batches_.insert(after.id.value);
    const auto [at, fresh] = batches_.try_emplace(after.id.value, after);
    if (fresh) return;
    const Batch& before = at->second;
    const std::string name = to_text(after.id);
    if (after.generation < before.generation) broken("a batch's generation never falls", name);
    if (after.generation == before.generation) {
        if (is_terminal(before.state) && before.state != after.state)
            broken("an ended batch changes only by a retry", name);
        // While a retry sets its items back they go from the ended to the waiting, a part with each commit.
        const bool set_back = before.state == BatchState::sealed && before.cursor != 0;
        if (after.counts.succeeded < before.counts.succeeded ||
            (!set_back && after.counts.done() < before.counts.done()))
            broken("F6: counters only grow within a generation",
                   fmt::format("{}: {} then {}", name, shown(before.counts), shown(after.counts)));
        if (before.state == BatchState::ending && after.state != BatchState::ending && after.state != before.ends_as)
            broken("F6: a batch ends as it was told to", name);
    } else {
        saw(Seen::batches_retried);
    }
    if (before.then && after.then) {
        const bool was = before.then->batch || before.then->job;
        if (was && (before.then->batch != after.then->batch || before.then->job != after.then->job))
            broken("at most one follow-up", name);
        const bool is = after.then->batch || after.then->job;
        if (is && !was) {
            saw(Seen::follow_ups);
            if (after.state == BatchState::cancelled || after.state == BatchState::aborted)
                broken("no follow-up after a cancel or an abort", name);
        }
    }
    if (after.state != before.state) count_batch(after.state);
    at->second = after;
}

void Checker::count_batch(BatchState state)
{
    switch (state) {
    case BatchState::succeeded: return saw(Seen::batches_succeeded);
    case BatchState::partial: return saw(Seen::batches_partial);
    case BatchState::failed: return saw(Seen::batches_failed);
    case BatchState::cancelled: return saw(Seen::batches_cancelled);
    case BatchState::aborted: return saw(Seen::batches_aborted);
    case BatchState::open:
    case BatchState::sealed:
    case BatchState::ending: return;
    }
}

void Checker::batches_add_up(const std::set<std::int64_t>& touched)
{
    for (const std::int64_t id : touched) {
        const auto found = batches_.find(id);
        if (found == batches_.end()) broken("F6: items are told with their batch", to_text(BatchId{id}));
        const Batch& batch = found->second;
        const auto& [counts, gated] = counted_[id];
        const std::string name = to_text(batch.id);
        if (!(batch.counts == counts))
            broken("F6: counters equal the items",
                   fmt::format("{} says {}; its items {}", name, shown(batch.counts), shown(counts)));
        if (batch.gated != gated)
            broken("F6: counters equal the items", fmt::format("{}: {} gated of {}", name, gated, batch.gated));
        const bool over = counts.done() == counts.total;
        const bool closed = batch.state != BatchState::open;
        if (is_terminal(batch.state) && !over) broken("F6: a batch ends with its last item", name);
        if (!is_terminal(batch.state) && closed && over && batch.cursor == 0)
            broken("F6: the last item and the batch end together", fmt::format("{} is {}", name, to_text(batch.state)));
        const std::int64_t past = counts.queued + counts.running - gated;
        const bool driven = batch.driver == BatchDriver::caller && batch.called_at;
        if (!driven && batch.concurrency > 0 && past > batch.concurrency)
            broken("no more items pass the gate than the batch's concurrency", name);
        if (!driven && gated > 0 && past == 0 && !is_terminal(batch.state) && batch.cursor == 0)
            broken("every live job has a next action", fmt::format("items of {} are gated, and none lifts them", name));
        judge_end(batch);
    }
}

// What a batch ends as is told by its items, unless it was ended before them.
void Checker::judge_end(const Batch& batch)
{
    const BatchCounts& counts = batch.counts;
    if (batch.state == BatchState::succeeded && counts.succeeded != counts.total)
        broken("F6: succeeded means all items", to_text(batch.id));
    if (batch.state == BatchState::partial && (counts.succeeded == 0 || counts.succeeded == counts.total))
        broken("F6: partial means some items", to_text(batch.id));
}

void Checker::batch_told(const Batch& batch)
{
    if (!disk_.store().reader()->batch(batch.id))
        broken("F10: a batch that was acknowledged is durable", to_text(batch.id));
}

} // namespace freshet::sim
