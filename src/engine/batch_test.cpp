// SPDX-License-Identifier: Apache-2.0
// Batches through the engine: what is in one commit, what goes on over several, and what survives a crash.
#include "engine/batch_world.hpp"

#include <algorithm>
#include <set>

namespace freshet {
namespace {

TEST_F(Batches, F6TheLastItemItsCountersTheEndAndTheEventAreOneCommit)
{
    start();
    const BatchId id = add(request(2));
    const auto claimed = claim_items();
    ASSERT_EQ(claimed.size(), 2u);
    EXPECT_EQ(claimed[0].job->kind, JobKind::item);
    EXPECT_EQ(claimed[0].job->item, "i0");
    succeed(claimed[0]);
    EXPECT_EQ(batch(id).state, BatchState::sealed);
    notices.clear();
    succeed(claimed[1]);
    ASSERT_EQ(notices.size(), 1u);
    ASSERT_EQ(notices[0]->batches.size(), 1u);
    EXPECT_EQ(notices[0]->batches[0]->state, BatchState::succeeded);
    EXPECT_EQ(notices[0]->batches[0]->counts, (BatchCounts{.total = 2, .succeeded = 2}));
    EXPECT_EQ(batch(id), *notices[0]->batches[0]);
    const auto events = batch_events();
    ASSERT_EQ(events.size(), 1u);
    EXPECT_EQ(events[0].topic, "batch/" + to_text(id));
    EXPECT_EQ(events[0].also, "batches");
    EXPECT_TRUE(events[0].terminal);
    check(id);
}

TEST_F(Batches, TellsOneEventPerCommitHoweverManyItemsMoved)
{
    start();
    const BatchId id = add(request(300));
    notices.clear();
    ASSERT_EQ(claim_items(300).size(), 300u);
    EXPECT_EQ(batch_events().size(), 1u);
    EXPECT_EQ(batch(id).counts.running, 300);
    check(id);
}

TEST_F(Batches, TakesALongListInPartsAndServesOthersInBetween)
{
    start();
    bool answered = false;
    std::vector<Posted> group;
    group.push_back({request(1800), -1, [&](Reply reply) {
                         answered = true;
                         EXPECT_EQ(std::get<BatchChanged>(reply.value()).batch->counts.total, 1800);
                         EXPECT_EQ(std::get<BatchChanged>(reply.value()).batch->state, BatchState::sealed);
                     }});
    const auto wake = step(std::move(group));
    EXPECT_FALSE(answered);
    EXPECT_EQ(wake, now) << "there is more to do";
    const BatchId id = store->begin()->batches({"default", {}, {}, 1}).at(0).id;
    EXPECT_EQ(batch(id).counts.total, 500);
    EXPECT_EQ(batch(id).state, BatchState::open);
    refresh(); // others are served, and items begin
    EXPECT_EQ(claim_items(4).size(), 4u);
    settle();
    EXPECT_TRUE(answered);
    check(id);
}

TEST_F(Batches, ACrashInTheMiddleOfAListLeavesABatchThatIsAborted)
{
    start();
    std::vector<Posted> group;
    group.push_back({request(1200), -1, [](Reply) { FAIL() << "nothing was promised"; }});
    step(std::move(group));
    start();
    settle();
    const BatchId id = store->begin()->batches({"default", {}, {}, 1}).at(0).id;
    EXPECT_EQ(batch(id).state, BatchState::open);
    EXPECT_EQ(batch(id).counts.total, 500);
    now += 10min;
    settle();
    EXPECT_EQ(batch(id).state, BatchState::aborted);
    EXPECT_FALSE(batch(id).why.empty());
    EXPECT_EQ(batch(id).counts.cancelled, 500);
    check(id);
}

TEST_F(Batches, TakesTheSameItemSaidAgainAndRefusesItWithAnotherInput)
{
    start();
    AddBatch open = request(2);
    open.sealed = false;
    const BatchId id = add(open);
    const Reply again = ask_engine(AddItems{id, "default", "somebody", {{"i1", "", "1"}, {"new", "", "7"}}, {}});
    ASSERT_TRUE(again.has_value());
    EXPECT_EQ(batch(id).counts.total, 3);
    const Reply other = ask_engine(AddItems{id, "default", "somebody", {{"new2", "", "1"}, {"i1", "", "8"}}, {}});
    ASSERT_FALSE(other.has_value());
    EXPECT_EQ(other.error().refusal, Refusal::item_taken);
    EXPECT_EQ(batch(id).counts.total, 3) << "a part is taken whole or not at all";
    EXPECT_TRUE(change(id, BatchVerb::seal).has_value());
    EXPECT_EQ(ask_engine(AddItems{id, "default", "somebody", {{"x", "", "1"}}, {}}).error().refusal,
              Refusal::batch_sealed);
    check(id);
}

TEST_F(Batches, ABatchThatNamesAnItemTwiceDifferentlyIsNotMade)
{
    start();
    AddBatch twice = request(1);
    twice.items.push_back({"i0", "", "9"});
    EXPECT_EQ(ask_engine(twice).error().refusal, Refusal::item_taken);
    EXPECT_EQ(store->begin()->batches({"default", {}, {}, 1}).at(0).state, BatchState::aborted);
}

TEST_F(Batches, IsAbortedWhenNobodySealsItAndItsItemsEnd)
{
    start();
    AddBatch open = request(2);
    open.sealed = false;
    const BatchId id = add(open);
    const auto wake = step();
    ASSERT_TRUE(wake.has_value());
    EXPECT_LE(*wake, now + 10min) << "the server looks by itself";
    const auto claimed = claim_items(1);
    now += 10min;
    ask_engine(
        BeatWork{worker(), {{claimed[0].job->id, {.fence = claimed[0].job->fence, .progress = {}, .checkpoint = {}}}}});
    settle();
    EXPECT_EQ(batch(id).state, BatchState::ending);
    EXPECT_TRUE(job(claimed[0].job->id).cancel_requested_at.has_value());
    fail_item(claimed[0]);
    EXPECT_EQ(batch(id).state, BatchState::aborted);
    check(id);
}

TEST_F(Batches, CancelEndsWhatWaitsAtOnceAndAsksWhatRuns)
{
    start();
    const BatchId id = add(request(5));
    const auto claimed = claim_items(2);
    succeed(claimed[0]);
    ASSERT_TRUE(change(id, BatchVerb::cancel).has_value());
    EXPECT_EQ(batch(id).state, BatchState::ending);
    EXPECT_EQ(batch(id).counts.cancelled, 3);
    EXPECT_TRUE(claim_items().empty());
    succeed(claimed[1]); // row 10: it came before the cancel took effect
    EXPECT_EQ(batch(id).state, BatchState::cancelled) << "whatever had succeeded before";
    EXPECT_EQ(batch(id).counts, (BatchCounts{.total = 5, .succeeded = 2, .cancelled = 3}));
    EXPECT_EQ(change(id, BatchVerb::cancel).error().refusal, Refusal::already_over);
    check(id);
}

TEST_F(Batches, ACancelThatNobodyConfirmsIsForcedAfterItsGrace)
{
    start();
    const BatchId id = add(request(1));
    const auto claimed = claim_items();
    change(id, BatchVerb::cancel);
    now += 30s;
    settle();
    EXPECT_EQ(batch(id).state, BatchState::cancelled);
    EXPECT_FALSE(succeed(claimed[0]).has_value()) << "late completions of cancelled items flip nothing";
    EXPECT_EQ(batch(id).counts.cancelled, 1);
    check(id);
}

TEST_F(Batches, ACancelOfManyItemsGoesOnInPartsAlsoAfterARestart)
{
    start();
    const BatchId id = [&] {
        std::optional<BatchId> made;
        std::vector<Posted> group;
        group.push_back(
            {request(1600), -1, [&](Reply reply) { made = std::get<BatchChanged>(reply.value()).batch->id; }});
        step(std::move(group));
        settle();
        return made.value();
    }();
    claim_items(700);
    ASSERT_TRUE(change(id, BatchVerb::cancel).has_value());
    EXPECT_EQ(batch(id).state, BatchState::ending);
    EXPECT_EQ(batch(id).counts.cancelled, 500) << "a part in the commit of the request";
    EXPECT_TRUE(claim_items().empty()) << "what is not reached yet may not begin either";
    start(); // built-in runners are gone with the process: their items come back and end
    settle();
    EXPECT_EQ(batch(id).state, BatchState::cancelled);
    EXPECT_EQ(batch(id).counts.cancelled, 1600);
    check(id);
}

TEST_F(Batches, RetryFailedSetsBackTheFailedAndCancelledOnesInANewGeneration)
{
    start();
    const BatchId id = add(request(4));
    const auto claimed = claim_items();
    succeed(claimed[0]);
    fail_item(claimed[1]);
    fail_item(claimed[2]);
    EXPECT_EQ(change(id, BatchVerb::retry_failed).error().refusal, Refusal::batch_live);
    ask_engine(CancelJob{claimed[3].job->id, "default", "somebody"});
    fail_item(claimed[3]);
    EXPECT_EQ(batch(id).state, BatchState::partial);
    EXPECT_EQ(batch(id).errors, (std::vector<BatchError>{{"http_403", "refused", 2}}));
    EXPECT_EQ(change(id, BatchVerb::retry_failed, 7).error().refusal, Refusal::generation_changed);
    ASSERT_TRUE(change(id, BatchVerb::retry_failed, 1).has_value());
    EXPECT_EQ(batch(id).generation, 2);
    EXPECT_EQ(batch(id).counts, (BatchCounts{.total = 4, .queued = 3, .succeeded = 1}));
    EXPECT_TRUE(batch(id).errors.empty());
    EXPECT_EQ(change(id, BatchVerb::retry_failed, 1).error().refusal, Refusal::generation_changed) << "a second click";
    succeed_all();
    EXPECT_EQ(batch(id).state, BatchState::succeeded);
    check(id);
}

TEST_F(Batches, ARetryOfManyItemsGoesOnInParts)
{
    start();
    const BatchId id = add_in_parts(1200);
    change(id, BatchVerb::cancel);
    settle();
    ASSERT_EQ(batch(id).state, BatchState::cancelled);
    ASSERT_TRUE(change(id, BatchVerb::retry_failed, 1).has_value());
    EXPECT_EQ(batch(id).counts.queued, 500);
    for (const ClaimedJob& one : claim_items(500)) succeed(one);
    EXPECT_FALSE(is_terminal(batch(id).state));
    start();
    settle();
    EXPECT_EQ(batch(id).counts.cancelled, 0);
    succeed_all();
    EXPECT_EQ(batch(id).state, BatchState::succeeded);
    check(id);
}

TEST_F(Batches, OneItemIsRetriedOnceItsBatchIsOverAndReopensIt)
{
    start();
    const BatchId id = add(request(2));
    const auto claimed = claim_items();
    fail_item(claimed[0]);
    EXPECT_EQ(ask_engine(RetryJob{claimed[0].job->id, "default", "somebody", {}}).error().refusal, Refusal::batch_live);
    fail_item(claimed[1]);
    EXPECT_EQ(batch(id).state, BatchState::failed);
    ASSERT_TRUE(ask_engine(RetryJob{claimed[0].job->id, "default", "somebody", {}}).has_value());
    EXPECT_EQ(batch(id).state, BatchState::sealed);
    EXPECT_EQ(batch(id).generation, 2);
    succeed_all();
    EXPECT_EQ(batch(id).state, BatchState::partial);
    check(id);
}

TEST_F(Batches, FailFastEndsTheRestWithTheFirstFailure)
{
    start();
    AddBatch strict = request(4);
    strict.policy.rule = FailureRule::fail_fast;
    const BatchId id = add(strict);
    const auto claimed = claim_items(2);
    fail_item(claimed[0]);
    settle();
    EXPECT_EQ(batch(id).state, BatchState::ending);
    EXPECT_TRUE(job(claimed[1].job->id).cancel_requested_at.has_value());
    EXPECT_EQ(batch(id).counts.cancelled, 2);
    fail_item(claimed[1]);
    EXPECT_EQ(batch(id).state, BatchState::failed);
    EXPECT_FALSE(batch(id).why.empty());
    check(id);
}

TEST_F(Batches, ItemsAndFollowUpsCountAgainstTheQuota)
{
    auto changed = std::make_shared<Definitions>(*definitions);
    changed->queues["generate"].waiting_max = 5;
    changed->queues["enrich"].waiting_max = 3;
    definitions = changed;
    start();
    EXPECT_EQ(ask_engine(request(6)).error().refusal, Refusal::queue_full);
    AddBatch with_next = request(4);
    with_next.then = FollowUp{.label = "Next", .start = FollowUp::Start::auto_, .queue = "enrich"};
    with_next.then->per_succeeded = true;
    EXPECT_EQ(ask_engine(with_next).error().refusal, Refusal::queue_full) << "the follow-up would not fit";
    with_next.items.resize(3);
    const BatchId id = add(with_next);
    AddJobs task{"default", "somebody", {NewJob{.queue = "enrich"}}, {}};
    EXPECT_EQ(ask_engine(task).error().refusal, Refusal::queue_full) << "the room is the follow-up's";
    start();
    EXPECT_EQ(ask_engine(task).error().refusal, Refusal::queue_full) << "also after a restart";
    succeed_all();
    EXPECT_EQ(batch(batch(id).then->batch).counts.total, 3);
}

TEST_F(Batches, TheSameIdempotencyKeyAnswersTheSameBatch)
{
    start();
    AddBatch once = request(2);
    once.idempotency = IdempotencyScope{"batches", "k", hash128("a")};
    const BatchId id = add(once);
    const auto again = std::get<BatchChanged>(ask_engine(once).value());
    EXPECT_TRUE(again.replayed);
    EXPECT_EQ(again.batch->id, id);
    once.idempotency->request = hash128("b");
    EXPECT_EQ(ask_engine(once).error().refusal, Refusal::idempotency_reused);
    EXPECT_EQ(store->begin()->batches({"default", {}, {}, 9}).size(), 1u);
}

TEST_F(Batches, ATenantsResetEndsItsBatchesAndDropsTheirFollowUps)
{
    start();
    AddBatch narrow = request(4);
    narrow.concurrency = 1;
    narrow.then = FollowUp{.label = "Report", .start = FollowUp::Start::auto_, .queue = "report", .input = "1"};
    const BatchId id = add(narrow);
    claim_items();
    ResetTenant reset;
    reset.tenant = "default", reset.caller = "admin", reset.dry_run = false;
    ASSERT_TRUE(ask_engine(reset).has_value());
    settle();
    EXPECT_EQ(batch(id).state, BatchState::failed);
    EXPECT_EQ(batch(id).counts.failed, 4);
    EXPECT_EQ(batch(id).errors.at(0).code, "reset");
    EXPECT_EQ(batch(id).then->state, FollowUp::State::dropped);
    check(id);
}

TEST_F(Batches, AnEndedBatchGoesWithItsItemsAfterTwoDays)
{
    start();
    const BatchId id = add(request(3));
    succeed_all();
    now += 47h;
    settle();
    EXPECT_EQ(items(id).size(), 3u);
    now += 2h;
    settle();
    EXPECT_TRUE(items(id).empty());
    EXPECT_FALSE(store->begin()->batch(id).has_value());
}

TEST_F(Batches, OfAnotherTenantIsNotThere)
{
    start();
    const BatchId id = add(request(1));
    for (const BatchVerb verb : {BatchVerb::seal, BatchVerb::cancel, BatchVerb::retry_failed, BatchVerb::start_then})
        EXPECT_EQ(ask_engine(ChangeBatch{id, "other", "x", verb, {}}).error().refusal, Refusal::not_found);
    EXPECT_EQ(ask_engine(AddItems{id, "other", "x", {}, {}}).error().refusal, Refusal::not_found);
}

TEST_F(Batches, RefusesWhatContradictsItself)
{
    start();
    const auto refused = [&](auto&& spoil) {
        AddBatch bad = request(1);
        spoil(bad);
        const Reply reply = ask_engine(bad);
        return !reply && reply.error().refusal == Refusal::bad_request && !reply.error().message.empty();
    };
    EXPECT_TRUE(refused([](AddBatch& bad) { bad.queue = ""; }));
    EXPECT_TRUE(refused([](AddBatch& bad) { bad.queue = "prices"; })) << "a source's flights are no items";
    EXPECT_TRUE(refused([](AddBatch& bad) { bad.concurrency = -1; }));
    EXPECT_TRUE(refused([](AddBatch& bad) { bad.policy.rule = FailureRule::threshold; }));
    EXPECT_TRUE(refused([](AddBatch& bad) { bad.items[0].key = ""; }));
    EXPECT_TRUE(refused([](AddBatch& bad) { bad.items.resize(batch_items_max + 1, {"x", "", ""}); }));
    EXPECT_TRUE(refused([](AddBatch& bad) { bad.then = FollowUp{.label = "x"}; }));
    EXPECT_TRUE(store->begin()->batches({"default", {}, {}, 9}).empty());
}

} // namespace
} // namespace freshet
