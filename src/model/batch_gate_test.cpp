// SPDX-License-Identifier: Apache-2.0
// Who lets the items of a batch go: the batch itself, so many at a time, or a caller who drives it.
#include "model/batch.hpp"

#include "model/batch_samples.hpp"

#include <gtest/gtest.h>

namespace freshet {
namespace {

using sample::BatchWorld;
using sample::sealed;

Batch driven()
{
    Batch batch;
    batch.driver = BatchDriver::caller;
    return batch;
}

TEST(BatchGate, LetsSoManyThroughAndTheNextWithEachEnd)
{
    Batch batch;
    batch.concurrency = 2;
    BatchWorld world{batch};
    world.add(5);
    EXPECT_EQ(world.batch.gated, 3);
    EXPECT_EQ(gates_to_lift(world.batch), 0);
    world.run(world.items[0]);
    world.fail(world.items[0], ErrorClass::retryable);
    EXPECT_EQ(gates_to_lift(world.batch), 0) << "what is tried again keeps its slot";
    world.succeed(world.items[1]);
    EXPECT_EQ(gates_to_lift(world.batch), 1);
    world.lift();
    EXPECT_EQ(world.batch.gated, 2);
    EXPECT_FALSE(world.items[2].gated);
    EXPECT_TRUE(world.take(cancel(world.batch, world.now)));
    world.succeed(world.items[2]);
    EXPECT_EQ(gates_to_lift(world.batch), 0) << "nothing begins any more";
}

TEST(BatchDriver, LetsItemsGoOneByOne)
{
    BatchWorld world = sealed(driven(), 2);
    EXPECT_EQ(world.batch.gated, 2);
    EXPECT_EQ(gates_to_lift(world.batch), 0);
    EXPECT_EQ(next_item(world.batch), NextItem::release);
    world.let_go(world.items[0]);
    world.let_go(world.items[1]);
    EXPECT_EQ(world.batch.released, 2);
    EXPECT_EQ(next_item(world.batch), NextItem::no_items);
    world.run(world.items[0]);
    world.move(world.items[0], lease_ended(world.items[0], world.policy, world.now));
    EXPECT_EQ(world.batch.released, 2) << "a loss does not lock it up again";
    world.succeed(world.items[0]);
    world.succeed(world.items[1]);
    world.settle();
    EXPECT_EQ(next_item(world.batch), NextItem::job_completed);
}

TEST(BatchDriver, HearsOfACancel)
{
    BatchWorld world = sealed(driven(), 2);
    world.let_go(world.items[0]);
    world.run(world.items[0]);
    EXPECT_TRUE(world.take(cancel(world.batch, world.now)));
    EXPECT_EQ(next_item(world.batch), NextItem::job_cancelled);
    for (Job& job : world.items) world.move(job, cancel(job, world.now));
    world.fail(world.items[0]);
    world.settle();
    EXPECT_EQ(next_item(world.batch), NextItem::job_cancelled);
}

TEST(BatchDriver, ThatDidNotCallForHalfAnHourHasLeft)
{
    BatchWorld world = sealed(driven(), 3);
    world.now += 20min;
    world.batch = driver_called(world.batch, world.now);
    EXPECT_EQ(next_timer(world.batch), world.now + 30min);
    EXPECT_EQ(timer_ended(world.batch, world.now + 30min - 1ms), world.batch);
    world.batch = timer_ended(world.batch, world.now + 30min);
    EXPECT_EQ(gates_to_lift(world.batch), 3);
    EXPECT_LE(next_timer(world.batch), world.now) << "lifting goes on at once";
    world.lift();
    EXPECT_EQ(world.batch.gated, 0);
    EXPECT_EQ(next_timer(world.batch), std::nullopt);
}

TEST(BatchDriver, HasHalfAnHourAgainAfterARetry)
{
    BatchWorld world = sealed(driven(), 1);
    world.let_go(world.items[0]);
    world.fail(world.items[0]);
    world.settle();
    world.now += 2h;
    EXPECT_TRUE(world.take(retry_failed(world.batch, 1, world.now)));
    EXPECT_EQ(world.batch.called_at, world.now);

    BatchWorld workers = sealed({}, 1);
    workers.fail(workers.items[0]);
    workers.settle();
    EXPECT_TRUE(workers.take(retry_failed(workers.batch, 1, workers.now)));
    EXPECT_EQ(workers.batch.called_at, std::nullopt) << "nobody drives it";
}

TEST(BatchDriver, IsNobodyWhereWorkersDrive)
{
    BatchWorld world = sealed({}, 1);
    EXPECT_EQ(next_item(world.batch).error(), Refusal::not_caller_driven);
    world.succeed(world.items[0]);
    world.settle();
    EXPECT_EQ(next_item(world.batch), NextItem::job_completed);
    BatchWorld cancelled = sealed({}, 1);
    cancelled.take(cancel(cancelled.batch, cancelled.now));
    cancelled.move(cancelled.items[0], cancel(cancelled.items[0], cancelled.now));
    cancelled.settle();
    EXPECT_EQ(next_item(cancelled.batch), NextItem::job_cancelled);
}

} // namespace
} // namespace freshet
