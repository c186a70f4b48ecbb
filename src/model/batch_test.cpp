// SPDX-License-Identifier: Apache-2.0
// What a batch does when its items move and when people change it, case by case.
#include "model/batch.hpp"

#include "model/batch_samples.hpp"

#include <gtest/gtest.h>

namespace freshet {
namespace {

using sample::BatchWorld;
using sample::sealed;
using sample::with_follow_up;

Batch with_policy(FailurePolicy policy)
{
    Batch batch;
    batch.policy = policy;
    return batch;
}

TEST(Batch, F6CountsWhatItsItemsDo)
{
    BatchWorld world;
    world.add(4);
    EXPECT_EQ(world.batch.counts, (BatchCounts{.total = 4, .queued = 4}));
    EXPECT_FALSE(world.batch.began_at.has_value());
    world.run(world.items[0]);
    EXPECT_EQ(world.batch.began_at, world.now);
    world.succeed(world.items[1]);
    world.fail(world.items[2]);
    world.move(world.items[3], cancel(world.items[3], world.now));
    EXPECT_EQ(world.batch.counts,
              (BatchCounts{.total = 4, .queued = 0, .running = 1, .succeeded = 1, .failed = 1, .cancelled = 1}));
    EXPECT_EQ(world.batch.released, 1) << "the one that runs";
}

TEST(Batch, EndsOnlyOnceItIsSealedAndNothingIsLeft)
{
    BatchWorld world;
    world.succeed(world.add());
    world.settle();
    EXPECT_EQ(world.batch.state, BatchState::open) << "more may come";
    EXPECT_TRUE(world.take(seal(world.batch, world.now)));
    EXPECT_EQ(world.batch.state, BatchState::succeeded) << "sealing decides it in its own commit";
    EXPECT_EQ(world.batch.finished_at, world.now);
}

TEST(Batch, OfNoItemsSucceedsWhenItIsSealed)
{
    EXPECT_EQ(sealed({}, 0).batch.state, BatchState::succeeded);
}

TEST(Batch, AllFailedIsFailedAndSomeFailedIsPartial)
{
    struct Case {
        int succeeded, failed, cancelled;
        BatchState ends;
    };
    for (const Case& one :
         {Case{2, 0, 0, BatchState::succeeded}, Case{0, 2, 0, BatchState::failed}, Case{1, 1, 0, BatchState::partial},
          Case{1, 99, 0, BatchState::partial}, Case{1, 0, 1, BatchState::partial}, Case{0, 1, 1, BatchState::failed},
          Case{0, 0, 2, BatchState::cancelled}}) {
        BatchWorld world = sealed({}, one.succeeded + one.failed + one.cancelled);
        std::size_t at = 0;
        for (int i = 0; i < one.succeeded; ++i) world.succeed(world.items[at++]);
        for (int i = 0; i < one.failed; ++i) world.fail(world.items[at++]);
        for (int i = 0; i < one.cancelled; ++i, ++at) world.move(world.items[at], cancel(world.items[at], world.now));
        world.settle();
        EXPECT_EQ(world.batch.state, one.ends) << one.succeeded << one.failed << one.cancelled;
    }
}

TEST(Batch, SealingTwiceChangesNothingAndNoItemsComeAfterIt)
{
    BatchWorld world = sealed({}, 1);
    const Batch once = world.batch;
    EXPECT_EQ(seal(once, world.now + 1h).value(), once);
    EXPECT_EQ(refuse_items(once), Refusal::batch_sealed);
    world.succeed(world.items[0]);
    world.settle();
    EXPECT_EQ(refuse_items(world.batch), Refusal::batch_over);
    EXPECT_TRUE(seal(world.batch, world.now).has_value()) << "an answer that was lost may be asked for again";
}

TEST(Batch, IsAbortedWhenNobodySealsItInTime)
{
    BatchWorld world;
    world.add(2);
    world.succeed(world.items[0]);
    EXPECT_EQ(next_timer(world.batch), world.now + 10min);
    EXPECT_EQ(timer_ended(world.batch, world.now + 10min - 1ms), world.batch);
    world.batch = timer_ended(world.batch, world.now + 10min);
    EXPECT_EQ(world.batch.state, BatchState::ending);
    EXPECT_EQ(world.batch.why, "nobody sealed it within 10m of its last items");
    EXPECT_NE(world.batch.cursor, 0) << "its items have to be ended";
    world.move(world.items[1], cancel(world.items[1], world.now));
    world.settle();
    EXPECT_EQ(world.batch.state, BatchState::aborted);
    EXPECT_EQ(seal(world.batch, world.now).error(), Refusal::batch_over);
}

TEST(Batch, ACancelWinsWhateverHadSucceededBefore)
{
    BatchWorld world = sealed({}, 3);
    world.succeed(world.items[0]);
    world.run(world.items[1]);
    EXPECT_TRUE(world.take(cancel(world.batch, world.now)));
    EXPECT_EQ(world.batch.state, BatchState::ending);
    world.move(world.items[2], cancel(world.items[2], world.now));
    world.move(world.items[1], cancel(world.items[1], world.now));
    world.settle();
    EXPECT_EQ(world.batch.state, BatchState::ending) << "one still runs";
    world.succeed(world.items[1]); // row 10
    world.settle();
    EXPECT_EQ(world.batch.state, BatchState::cancelled);
    EXPECT_EQ(world.batch.counts.succeeded, 2);
    EXPECT_EQ(cancel(world.batch, world.now).error(), Refusal::already_over);
}

TEST(Batch, AnEndingOneEndsAlsoWhatComesBackFromItsWorker)
{
    BatchWorld world = sealed({}, 1);
    world.run(world.items[0]);
    EXPECT_TRUE(world.take(cancel(world.batch, world.now)));
    world.batch.cursor = 0; // the change went past it
    world.move(world.items[0], lease_ended(world.items[0], world.policy, world.now));
    ASSERT_EQ(world.items[0].state, JobState::queued);
    world.settle();
    EXPECT_NE(world.batch.cursor, 0);
}

TEST(Batch, ACancelOverridesAnotherEndButAnAbortDoesNot)
{
    BatchWorld world = sealed(with_policy({FailureRule::fail_fast, 0, 0}), 2);
    world.fail(world.items[0]);
    EXPECT_EQ(world.batch.ends_as, BatchState::failed);
    EXPECT_EQ(abort(world.batch, "x", world.now)->ends_as, BatchState::failed);
    EXPECT_EQ(cancel(world.batch, world.now)->ends_as, BatchState::cancelled);
}

TEST(BatchPolicy, FailFastEndsItWithTheFirstFailure)
{
    BatchWorld world = sealed(with_policy({FailureRule::fail_fast, 0, 0}), 3);
    world.succeed(world.items[0]);
    EXPECT_EQ(world.batch.state, BatchState::sealed);
    world.fail(world.items[1], ErrorClass::retryable);
    EXPECT_EQ(world.batch.state, BatchState::sealed) << "it is tried again";
    world.fail(world.items[1]);
    EXPECT_EQ(world.batch.state, BatchState::ending);
    EXPECT_FALSE(world.batch.why.empty());
    world.move(world.items[2], cancel(world.items[2], world.now));
    world.settle();
    EXPECT_EQ(world.batch.state, BatchState::failed);
}

TEST(BatchPolicy, AThresholdOfItemsIsPassedByOneMore)
{
    BatchWorld world = sealed(with_policy({FailureRule::threshold, 2, 0}), 5);
    world.fail(world.items[0]);
    world.fail(world.items[1]);
    EXPECT_EQ(world.batch.state, BatchState::sealed);
    world.fail(world.items[2]);
    EXPECT_EQ(world.batch.state, BatchState::ending);
    EXPECT_EQ(world.batch.why, "more than 2 items failed");
}

TEST(BatchPolicy, AShareIsJudgedOnceAllItemsAreKnown)
{
    BatchWorld world{with_policy({FailureRule::threshold, 0, 50})};
    world.add(1);
    world.fail(world.items[0]);
    EXPECT_EQ(world.batch.state, BatchState::open) << "all of one, but nine more come";
    world.add(9);
    EXPECT_TRUE(world.take(seal(world.batch, world.now)));
    for (std::size_t i = 1; i < 5; ++i) world.fail(world.items[i]);
    EXPECT_EQ(world.batch.state, BatchState::sealed) << "half is not more than half";
    world.fail(world.items[5]);
    EXPECT_EQ(world.batch.state, BatchState::ending);

    BatchWorld late{with_policy({FailureRule::threshold, 0, 50})};
    late.add(2);
    late.fail(late.items[0]);
    late.fail(late.items[1]);
    EXPECT_TRUE(late.take(seal(late.batch, late.now)));
    EXPECT_EQ(late.batch.state, BatchState::failed) << "sealing judges what failed before";
}

TEST(BatchErrors, AreCountedByCodeAndGoWhenAnItemIsRetried)
{
    BatchWorld world = sealed({}, 3);
    world.fail(world.items[0], ErrorClass::fatal, "http_403");
    world.fail(world.items[1], ErrorClass::fatal, "quota");
    world.fail(world.items[2], ErrorClass::fatal, "quota");
    world.settle();
    EXPECT_EQ(world.batch.errors,
              (std::vector<BatchError>{{"quota", "it went badly", 2}, {"http_403", "it went badly", 1}}));
    EXPECT_TRUE(world.take(retry_failed(world.batch, 1, world.now)));
    for (Job& job : world.items) world.move(job, retry(job, {}, 0, world.now));
    EXPECT_TRUE(world.batch.errors.empty());
}

TEST(BatchErrors, KeepTheMostFrequentOnesOnly)
{
    BatchWorld world = sealed({}, 40);
    for (std::size_t i = 0; i < 20; ++i) world.fail(world.items[i], ErrorClass::fatal, "often");
    for (std::size_t i = 20; i < 40; ++i) world.fail(world.items[i], ErrorClass::fatal, "code" + std::to_string(i));
    EXPECT_EQ(world.batch.errors.size(), batch_errors_max);
    EXPECT_EQ(world.batch.errors.front().code, "often");
    EXPECT_EQ(world.batch.errors.front().count, 20);
}

TEST(BatchErrors, OfTwoCodesThatCameOnceTheLaterStaysAndOneThatCameTwiceIsNotDriven)
{
    BatchWorld world = sealed({}, 2 * static_cast<int>(batch_errors_max) + 2);
    std::size_t item = 0;
    const auto fail = [&](const std::string& code) { world.fail(world.items[item++], ErrorClass::fatal, code); };
    const auto last = [&] { return world.batch.errors.back().code; };
    for (std::size_t i = 0; i < batch_errors_max; ++i) fail("code" + std::to_string(i));
    fail("later");
    EXPECT_EQ(last(), "later");
    for (std::size_t i = 0; i + 1 < batch_errors_max; ++i) fail("code" + std::to_string(i));
    fail("later");
    fail("latest");
    EXPECT_EQ(last(), "later") << "all came twice";
}

TEST(BatchRetry, NamesTheGenerationAndTakesEndedBatchesOnly)
{
    BatchWorld world = sealed({}, 2);
    EXPECT_EQ(retry_failed(world.batch, 1, world.now).error(), Refusal::batch_live);
    world.succeed(world.items[0]);
    world.fail(world.items[1]);
    world.settle();
    EXPECT_EQ(retry_failed(world.batch, 2, world.now).error(), Refusal::generation_changed);
    EXPECT_TRUE(world.take(retry_failed(world.batch, 1, world.now)));
    EXPECT_EQ(world.batch.generation, 2);
    EXPECT_EQ(world.batch.state, BatchState::sealed);
    EXPECT_EQ(retry_failed(world.batch, 1, world.now).error(), Refusal::generation_changed)
        << "a second click on what was shown";
    world.settle();
    EXPECT_EQ(world.batch.state, BatchState::sealed) << "its items are being set back";
    world.move(world.items[1], retry(world.items[1], {}, 0, world.now));
    world.batch = items_set_back(world.batch, world.now);
    EXPECT_EQ(world.batch.state, BatchState::sealed);
    world.succeed(world.items[1]);
    world.settle();
    EXPECT_EQ(world.batch.state, BatchState::succeeded);
    EXPECT_EQ(retry_failed(world.batch, {}, world.now).error(), Refusal::already_over) << "nothing failed";
}

TEST(BatchRetry, DoesNotTakeTheFailuresOfTheLastGenerationForNewOnes)
{
    BatchWorld world = sealed(with_policy({FailureRule::threshold, 1, 0}), 3);
    for (Job& job : world.items) world.fail(job);
    world.settle();
    EXPECT_EQ(world.batch.state, BatchState::failed);
    EXPECT_TRUE(world.take(retry_failed(world.batch, 1, world.now)));
    world.move(world.items[0], retry(world.items[0], {}, 0, world.now));
    world.fail(world.items[0]);
    EXPECT_EQ(world.batch.state, BatchState::sealed) << "two of the three failures are the old ones";
    world.move(world.items[1], retry(world.items[1], {}, 0, world.now));
    world.move(world.items[2], retry(world.items[2], {}, 0, world.now));
    world.batch = items_set_back(world.batch, world.now);
    EXPECT_EQ(world.batch.state, BatchState::sealed);
    world.fail(world.items[1]);
    EXPECT_EQ(world.batch.state, BatchState::ending);
}

TEST(BatchRetry, OfOneItemOpensAGenerationOfItsOwn)
{
    BatchWorld world = sealed({}, 2);
    world.fail(world.items[0]);
    EXPECT_EQ(reopened(world.batch, world.now).error(), Refusal::batch_live);
    world.fail(world.items[1]);
    world.settle();
    EXPECT_TRUE(world.take(reopened(world.batch, world.now)));
    world.move(world.items[0], retry(world.items[0], {}, 0, world.now));
    world.settle();
    EXPECT_EQ(world.batch.state, BatchState::sealed);
    EXPECT_EQ(world.batch.generation, 2);
    world.succeed(world.items[0]);
    world.settle();
    EXPECT_EQ(world.batch.state, BatchState::partial);
}

TEST(Batch, AnAdoptedResultChangesTheWordOfAnEndedBatchInANewGeneration)
{
    BatchWorld world = sealed(with_follow_up(FollowUp::Start::person, true), 1);
    world.run(world.items[0]);
    world.fail(world.items[0]);
    world.settle();
    EXPECT_EQ(world.batch.state, BatchState::failed);
    EXPECT_EQ(world.batch.then->state, FollowUp::State::waiting) << "there is no success to go on with";
    world.move(world.items[0], keep_late(world.items[0], {world.items[0].fence, "w", "1", world.now}));
    EXPECT_EQ(world.batch.generation, 1);
    world.move(world.items[0], adopt(world.items[0], Outcome::updated, world.now));
    EXPECT_EQ(world.batch.state, BatchState::succeeded);
    EXPECT_EQ(world.batch.generation, 2);
    EXPECT_TRUE(world.batch.errors.empty());
    EXPECT_EQ(world.batch.then->state, FollowUp::State::available);
}

TEST(BatchPercent, IsRoundedDownAndNever100BeforeTheEnd)
{
    BatchWorld world = sealed({}, 3);
    EXPECT_EQ(percent_of(world.batch), 0);
    world.succeed(world.items[0]);
    world.succeed(world.items[1]);
    EXPECT_EQ(percent_of(world.batch), 66);
    world.succeed(world.items[2]);
    EXPECT_EQ(percent_of(world.batch), 99);
    world.settle();
    EXPECT_EQ(percent_of(world.batch), 100);
}

} // namespace
} // namespace freshet
