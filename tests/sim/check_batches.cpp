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
    BatchCounts& counts = counted_[after.batch.value];
    if (before == nullptr)
        ++counts.total;
    else
        count(counts, before->state, -1);
    count(counts, after.state, 1);
}

void Checker::batch_moved(const Batch& after)
{
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
    }
    if (before.then && after.then) {
        const bool was = before.then->batch || before.then->job;
        if (was && (before.then->batch != after.then->batch || before.then->job != after.then->job))
            broken("at most one follow-up", name);
    }
    at->second = after;
}

void Checker::batches_add_up(const std::set<std::int64_t>& touched)
{
    for (const std::int64_t id : touched) {
        const auto found = batches_.find(id);
        if (found == batches_.end()) broken("F6: items are told with their batch", to_text(BatchId{id}));
        const Batch& batch = found->second;
        const BatchCounts& counts = counted_[id];
        if (!(batch.counts == counts))
            broken("F6: counters equal the items",
                   fmt::format("{} says {}; its items {}", to_text(batch.id), shown(batch.counts), shown(counts)));
        const bool over = counts.done() == counts.total;
        const bool closed = batch.state != BatchState::open;
        if (is_terminal(batch.state) && !over) broken("F6: a batch ends with its last item", to_text(batch.id));
        if (!is_terminal(batch.state) && closed && over && batch.cursor == 0)
            broken("F6: the last item and the batch end together",
                   fmt::format("{} is {}", to_text(batch.id), to_text(batch.state)));
    }
}

void Checker::batch_told(const Batch& batch)
{
    if (!store_.reader()->batch(batch.id)) broken("F10: a batch that was acknowledged is durable", to_text(batch.id));
}

} // namespace freshet::sim
