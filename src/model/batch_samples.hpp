// SPDX-License-Identifier: Apache-2.0
#pragma once
// For tests only: a batch beside its items, moved together as the engine does it, one item at a time.

#include "model/batch.hpp"

#include <gtest/gtest.h>
#include <utility>
#include <vector>

namespace freshet::sample {

class BatchWorld {
public:
    explicit BatchWorld(Batch given = {}) : batch{std::move(given)}
    {
        batch.id = BatchId{7};
        batch.requested_at = now;
        batch.seal_by = now + batch_seal_within;
        if (batch.driver == BatchDriver::caller) batch.called_at = now;
    }

    Job& add(int count = 1)
    {
        for (int i = 0; i < count; ++i) {
            Job job;
            job.id = JobId{static_cast<std::int64_t>(items.size()) + 100};
            job.kind = JobKind::item;
            job.batch = batch.id;
            job.requested_at = job.due_at = now;
            job.gated = gates_next(batch);
            items.push_back(job);
            batch = item_moved(std::move(batch), nullptr, items.back(), now);
        }
        return items.back();
    }
    /// One transition of a job; false: it was refused.
    bool move(Job& job, const Changed& after)
    {
        if (!after) return false;
        const Job before = std::exchange(job, *after);
        batch = item_moved(std::move(batch), &before, job, now);
        return true;
    }
    void settle() { batch = settled(std::move(batch), now); }
    bool run(Job& job) { return !job.gated && move(job, claim(job, "w", ++fence, 0, policy, now)); }
    void succeed(Job& job)
    {
        if (job.state == JobState::queued) run(job);
        move(job, complete(job, job.fence, Outcome::updated, now));
    }
    void fail(Job& job, ErrorClass error_class = ErrorClass::fatal, const std::string& code = "bad")
    {
        if (job.state == JobState::queued) run(job);
        move(job, freshet::fail(job, job.fence, {{error_class, code, "it went badly"}, {}}, policy, now));
    }
    /// As the commit's end does it.
    void lift()
    {
        for (Job& job : items) {
            if (gates_to_lift(batch) == 0) return;
            let_go(job);
        }
    }
    void let_go(Job& job)
    {
        if (job.state != JobState::queued || !job.gated) return;
        Job after = job;
        after.gated = false;
        move(job, after);
    }
    bool take(ChangedBatch changed)
    {
        if (!changed) return false;
        batch = std::move(*changed);
        return true;
    }

    Batch batch;
    std::vector<Job> items;
    WallTime now = from_ms(1'790'000'000'000);
    Seq fence = 10;
    QueuePolicy policy{.lease = 30s, .retry = {.attempts = 2, .wait = 2s, .max_wait = 1min}, .cancel_grace = 20s};
};

/// What a batch must say of these items.
struct Counted {
    BatchCounts counts;
    std::int64_t gated = 0, past = 0; ///< queued before the gate; live beyond it
};
inline Counted counted(const std::vector<Job>& items)
{
    Counted found;
    for (const Job& job : items) {
        ++found.counts.total;
        const bool waits = job.state == JobState::queued && job.gated;
        found.gated += waits ? 1 : 0;
        found.past += !is_terminal(job.state) && !waits ? 1 : 0;
        switch (job.state) {
        case JobState::queued: ++found.counts.queued; break;
        case JobState::running: ++found.counts.running; break;
        case JobState::succeeded: ++found.counts.succeeded; break;
        case JobState::failed: ++found.counts.failed; break;
        case JobState::cancelled: ++found.counts.cancelled; break;
        }
    }
    return found;
}

/// A batch of so many items that nobody adds to any more.
inline BatchWorld sealed(Batch given, int items)
{
    BatchWorld world{std::move(given)};
    world.add(items);
    EXPECT_TRUE(world.take(seal(world.batch, world.now)));
    return world;
}
inline Batch with_follow_up(FollowUp::Start start, bool per_succeeded = false)
{
    Batch batch;
    batch.then = FollowUp{.label = "Enrich all", .start = start, .queue = "enrich"};
    batch.then->per_succeeded = per_succeeded;
    return batch;
}

} // namespace freshet::sample
