// SPDX-License-Identifier: Apache-2.0
// What comes after a batch: when a follow-up may start, starts by itself, is withdrawn or dropped.
#include "model/batch.hpp"

#include "model/batch_samples.hpp"

#include <gtest/gtest.h>

namespace freshet {
namespace {

using sample::BatchWorld;
using sample::sealed;
using sample::with_follow_up;

TEST(FollowUp, BecomesAvailableWithTheEndAndStartsOnce)
{
    BatchWorld world = sealed(with_follow_up(FollowUp::Start::person), 1);
    EXPECT_EQ(start_then(world.batch).error(), Refusal::batch_live);
    world.fail(world.items[0]);
    world.settle();
    EXPECT_EQ(world.batch.then->state, FollowUp::State::available);
    EXPECT_FALSE(starts_by_itself(world.batch));
    EXPECT_EQ(start_then(world.batch), StartThen::start);
    world.batch.then->state = FollowUp::State::started;
    EXPECT_EQ(start_then(world.batch), StartThen::started_before);
    EXPECT_TRUE(world.take(retry_failed(world.batch, 1, world.now)));
    EXPECT_EQ(world.batch.then->state, FollowUp::State::started) << "once per batch";
    EXPECT_EQ(start_then(sealed({}, 0).batch).error(), Refusal::bad_request);
}

TEST(FollowUp, ThatIsAutomaticStartsByItself)
{
    BatchWorld world = sealed(with_follow_up(FollowUp::Start::auto_), 1);
    EXPECT_FALSE(starts_by_itself(world.batch));
    world.succeed(world.items[0]);
    world.settle();
    EXPECT_TRUE(starts_by_itself(world.batch));
}

TEST(FollowUp, IsDroppedAfterCancelAbortAndReset)
{
    BatchWorld cancelled = sealed(with_follow_up(FollowUp::Start::auto_), 0);
    cancelled = sealed(with_follow_up(FollowUp::Start::auto_), 1);
    cancelled.take(cancel(cancelled.batch, cancelled.now));
    EXPECT_EQ(cancelled.batch.then->state, FollowUp::State::dropped);
    EXPECT_EQ(start_then(cancelled.batch).error(), Refusal::batch_over);

    BatchWorld aborted{with_follow_up(FollowUp::Start::auto_)};
    aborted.batch = timer_ended(aborted.batch, aborted.now + 10min);
    EXPECT_EQ(aborted.batch.state, BatchState::aborted);
    EXPECT_EQ(aborted.batch.then->state, FollowUp::State::dropped);

    BatchWorld reset = sealed(with_follow_up(FollowUp::Start::auto_), 2);
    reset.succeed(reset.items[0]);
    reset.move(reset.items[1], expire(reset.items[1], "reset", "the tenant was reset", reset.now));
    reset.settle();
    EXPECT_EQ(reset.batch.state, BatchState::partial);
    EXPECT_EQ(reset.batch.then->state, FollowUp::State::dropped);
}

TEST(FollowUp, DoesNotComeWhenAllItemsWereCancelledButMayAfterARetry)
{
    BatchWorld world = sealed(with_follow_up(FollowUp::Start::auto_), 1);
    world.move(world.items[0], cancel(world.items[0], world.now));
    world.settle();
    EXPECT_EQ(world.batch.state, BatchState::cancelled);
    EXPECT_EQ(world.batch.then->state, FollowUp::State::waiting);
    EXPECT_FALSE(starts_by_itself(world.batch));
    ASSERT_TRUE(world.take(retry_failed(world.batch, {}, world.now)));
    world.move(world.items[0], retry(world.items[0], {}, 0, world.now));
    world.take(items_set_back(world.batch, world.now));
    world.succeed(world.items[0]);
    world.settle();
    EXPECT_TRUE(starts_by_itself(world.batch));
}

TEST(FollowUp, IsWithdrawnWhileARetryRuns)
{
    BatchWorld world = sealed(with_follow_up(FollowUp::Start::person, true), 2);
    world.succeed(world.items[0]);
    world.fail(world.items[1]);
    world.settle();
    EXPECT_EQ(world.batch.then->state, FollowUp::State::available);
    EXPECT_TRUE(world.take(retry_failed(world.batch, 1, world.now)));
    EXPECT_EQ(world.batch.then->state, FollowUp::State::waiting);
}

TEST(FollowUp, ABatchThatTheServerFillsTakesNoItemsOfOthersAndIsSealedByItself)
{
    BatchWorld world;
    world.batch.seal_by.reset();
    EXPECT_EQ(refuse_items(world.batch), Refusal::batch_sealed);
    EXPECT_EQ(seal(world.batch, world.now).value(), world.batch) << "it is sealed with its last item";
    EXPECT_EQ(next_timer(world.batch), std::nullopt) << "the batch before it looks after it";
    world.add(1);
    world.batch = filled(world.batch, world.now);
    EXPECT_EQ(world.batch.state, BatchState::sealed);
}

TEST(FollowUp, HasWordsThatReadBack)
{
    using enum FollowUp::State;
    for (const auto state : {waiting, available, started, dropped})
        EXPECT_EQ(parse_follow_up_state(to_text(state)), state);
    for (const auto start : {FollowUp::Start::auto_, FollowUp::Start::person})
        EXPECT_EQ(parse_follow_up_start(to_text(start)), start);
    EXPECT_EQ(to_text(FollowUp::Start::auto_), "auto");
    EXPECT_EQ(parse_follow_up_start("later"), std::nullopt);
}

} // namespace
} // namespace freshet
