// SPDX-License-Identifier: Apache-2.0
#include "stores.hpp"

#include <gmock/gmock.h>

namespace freshet::contract {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Batch a_batch(std::int64_t id, BatchState state = BatchState::open)
{
    Batch batch;
    batch.id = BatchId{id}, batch.tenant = "acme", batch.queue = "prices", batch.state = state;
    batch.requested_at = t0;
    if (is_terminal(state)) batch.finished_at = t0 + Millis{id};
    return batch;
}

Job an_item(std::int64_t id, std::int64_t batch, std::string item, bool gated = false)
{
    Job job = a_job(id);
    job.kind = JobKind::item, job.batch = BatchId{batch}, job.item = std::move(item), job.gated = gated;
    return job;
}

/// Each field has a value of its own.
Batch a_full_batch()
{
    Batch batch;
    batch.id = BatchId{1}, batch.tenant = "acme", batch.queue = "prices", batch.name = "2";
    batch.state = BatchState::ending, batch.ends_as = BatchState::aborted, batch.why = "3", batch.generation = 4;
    batch.driver = BatchDriver::caller, batch.concurrency = 5, batch.policy = {FailureRule::threshold, 6, 7};
    batch.counts = {8, 9, 10, 11, 12, 13}, batch.gated = 14, batch.released = 15, batch.requested_by = "16";
    batch.requested_at = t0, batch.sealed_at = t0 + 17ms, batch.seal_by = t0 + 18ms, batch.began_at = t0 + 19ms;
    batch.finished_at = t0 + 20ms, batch.called_at = t0 + 21ms;
    batch.errors = {{"22", "23", 24}, {"25", "26", 27}};
    batch.then = FollowUp{"28", FollowUp::Start::auto_,   "29",        "30",     "31",
                          true, FollowUp::State::started, BatchId{32}, JobId{33}};
    batch.cursor = 34, batch.seq = 35;
    return batch;
}

class Batches : public StoreContract {
protected:
    void put(const std::vector<Batch>& batches, const std::vector<Job>& items = {})
    {
        commit([&](Transaction& t) {
            for (const Batch& batch : batches) t.put_batch(batch, {});
            for (const Job& item : items) t.put_job(item, {});
        });
    }
    std::vector<std::int64_t> list(BatchFilter filter)
    {
        std::vector<std::int64_t> found;
        for (const Batch& batch : store().reader()->batches(filter)) found.push_back(batch.id.value);
        return found;
    }
};
FRESHET_CONTRACT(Batches);

TEST_P(Batches, AreGivenBackAsTheyWere)
{
    Batch bare = a_batch(2);
    put({a_full_batch(), bare});
    reopen();
    EXPECT_EQ(store().reader()->batch(BatchId{1}), a_full_batch());
    EXPECT_EQ(store().reader()->batch(BatchId{2}), bare);
    EXPECT_EQ(store().reader()->batch(BatchId{3}), std::nullopt);
    EXPECT_EQ(store().begin()->last_job_id(), JobId{2}) << "ids of jobs and batches come from one maker";
}

TEST_P(Batches, AreReplacedInAllButWhatTheyAre)
{
    Batch before = a_full_batch(), after = a_batch(1);
    before.id = BatchId{1};
    put({before});
    put({after});
    EXPECT_EQ(store().reader()->batch(BatchId{1}), after);
    after.then = FollowUp{.label = "next", .input = "{\"n\":2}"};
    put({after});
    after.then->state = FollowUp::State::available;
    put({after});
    EXPECT_EQ(store().reader()->batch(BatchId{1}), after);
    Batch moved = after;
    moved.tenant = "globex";
    const auto dead = store().begin();
    EXPECT_THROW(dead->put_batch(moved, {}), StoreFailure);
    EXPECT_THROW(dead->commit(), StoreFailure);
}

TEST_P(Batches, AreListedNewestFirstAndByState)
{
    Batch foreign = a_batch(5);
    foreign.tenant = "globex";
    put({a_batch(1), a_batch(2, BatchState::succeeded), a_batch(3), a_batch(4, BatchState::aborted), foreign});
    EXPECT_THAT(list({.tenant = "acme"}), ElementsAre(4, 3, 2, 1));
    EXPECT_THAT(list({.tenant = "acme", .limit = 2}), ElementsAre(4, 3));
    EXPECT_THAT(list({.tenant = "acme", .before = BatchId{3}}), ElementsAre(2, 1));
    EXPECT_THAT(list({.tenant = "acme", .state = BatchState::open}), ElementsAre(3, 1));
    EXPECT_THAT(list({.tenant = "acme", .state = BatchState::sealed}), IsEmpty());
}

TEST_P(Batches, HaveTimersThatAreFoundEarliestFirst)
{
    commit([](Transaction& t) {
        t.put_batch(a_batch(1), t0 + 2s);
        t.put_batch(a_batch(2), t0 + 1s);
        t.put_batch(a_batch(3), t0 + 1s);
        t.put_batch(a_batch(3), {});
    });
    const auto t = store().begin();
    EXPECT_EQ(t->next_wake(t0), t0 + 1s);
    EXPECT_EQ(t->next_wake(t0 + 1s), t0 + 2s);
    EXPECT_THAT(t->batch_timers_due(t0 + 2s, 10), ElementsAre(a_batch(2), a_batch(1)));
    EXPECT_THAT(t->batch_timers_due(t0 + 2s, 1), ElementsAre(a_batch(2)));
    EXPECT_THAT(t->batch_timers_due(t0, 10), IsEmpty());
}

TEST_P(Batches, ShowTheirItemsInOrderPageByPage)
{
    put({a_batch(100), a_batch(101)}, {an_item(1, 100, "b"), ended(an_item(2, 100, "a"), t0, JobState::failed),
                                       running(an_item(3, 100, "c")), an_item(4, 101, "a"), an_item(5, 100, "d")});
    const auto reader = store().reader();
    const auto items = [&](ItemFilter filter) {
        filter.batch = BatchId{100};
        return ids(reader->items(filter));
    };
    EXPECT_THAT(items({}), ElementsAre(1, 2, 3, 5));
    EXPECT_THAT(items({.limit = 2}), ElementsAre(1, 2));
    EXPECT_THAT(items({.after = JobId{2}, .limit = 2}), ElementsAre(3, 5));
    EXPECT_THAT(items({.state = JobState::queued}), ElementsAre(1, 5));
    EXPECT_THAT(items({.state = JobState::queued, .after = JobId{1}}), ElementsAre(5));
    EXPECT_THAT(items({.state = JobState::failed}), ElementsAre(2));
    EXPECT_EQ(reader->item(BatchId{100}, "a")->id, JobId{2});
    EXPECT_EQ(reader->item(BatchId{100}, "zz"), std::nullopt);
    EXPECT_THAT(ids(reader->jobs({.tenant = "acme", .kind = JobKind::item})), ElementsAre(5, 4, 3, 2, 1));
}

TEST_P(Batches, HaveEachItemOnce)
{
    put({a_batch(100)}, {an_item(1, 100, "a"), an_item(2, 101, "a")});
    const auto dead = store().begin();
    EXPECT_THROW(dead->put_job(an_item(3, 100, "a"), {}), StoreFailure);
    EXPECT_THROW(dead->commit(), StoreFailure);
}

TEST_P(Batches, KeepGatedItemsApartInOrder)
{
    put({a_batch(100)}, {an_item(1, 100, "a"), an_item(2, 100, "b", true), an_item(3, 100, "c", true),
                         an_item(4, 101, "a", true), ended(an_item(5, 100, "d", true), t0, JobState::cancelled)});
    commit([](Transaction& t) {
        EXPECT_THAT(ids(t.gated_items(BatchId{100}, 10)), ElementsAre(2, 3));
        EXPECT_THAT(ids(t.gated_items(BatchId{100}, 1)), ElementsAre(2));
        EXPECT_THAT(ids(t.claimable("prices", "acme", t0, 10)), ElementsAre(1));
        t.put_job(an_item(2, 100, "b"), {});
        EXPECT_THAT(ids(t.gated_items(BatchId{100}, 10)), ElementsAre(3));
        EXPECT_THAT(ids(t.claimable("prices", "acme", t0, 10)), ElementsAre(1, 2));
    });
}

TEST_P(Batches, GoTogetherWithTheirItemsAndNotBefore)
{
    put({a_batch(100), a_batch(101, BatchState::partial), a_batch(102, BatchState::failed)},
        {ended(an_item(1, 100, "a"), t0), ended(an_item(2, 101, "a"), t0), ended(a_job(3), t0)});
    commit([](Transaction& t) {
        EXPECT_THAT(ended_ids(t.ended_jobs("acme", t0 + 1h, 10)), ElementsAre(3)) << "items wait for their batch";
        EXPECT_THAT(ended_ids(t.ended_batches("acme", t0 + 1h, 10)), ElementsAre(101, 102));
        EXPECT_THAT(ended_ids(t.ended_batches("acme", t0 + 1h, 1)), ElementsAre(101));
        EXPECT_THAT(t.ended_batches("acme", t0 + 101ms, 10), IsEmpty());
        EXPECT_THAT(t.ended_batches("globex", t0 + 1h, 10), IsEmpty());
        t.drop_job(JobId{2});
        t.drop_batch(BatchId{101});
    });
    EXPECT_EQ(store().reader()->batch(BatchId{101}), std::nullopt);
    EXPECT_THAT(list({.tenant = "acme"}), ElementsAre(102, 100));
    const auto dead = store().begin();
    EXPECT_THROW(dead->drop_batch(BatchId{100}), StoreFailure);
    EXPECT_THROW(dead->commit(), StoreFailure);
}

} // namespace
} // namespace freshet::contract
