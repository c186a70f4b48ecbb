// SPDX-License-Identifier: Apache-2.0
// What is asked of batches and refused, in words; what is answered again; what is told and kept of what changed.
#include "engine/batch_world.hpp"

#include <gmock/gmock.h>

namespace freshet {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class BatchRequests : public Batches {
protected:
    std::string words_of(Request asked)
    {
        const Reply reply = ask_engine(std::move(asked));
        return reply ? "taken" : reply.error().message;
    }
    static AddBatch with_then(const std::function<void(FollowUp&)>& change)
    {
        AddBatch made = request(1);
        made.then = FollowUp{.label = "Next", .queue = "enrich", .input = "1"};
        change(*made.then);
        return made;
    }
    static AddItems more(BatchId id, int items, const std::string& prefix = "more")
    {
        return {id, "default", "somebody", request(items, prefix).items, {}};
    }
};

TEST_F(BatchRequests, AreRefusedInWordsThatSayWhatIsTaken)
{
    start();
    struct Row {
        const char* words;
        std::function<void(AddBatch&)> change;
    };
    const Row rows[] = {
        {"a batch's name has at most 256 bytes", [](AddBatch& made) { made.name.assign(257, 'n'); }},
        {"taken", [](AddBatch& made) { made.name.assign(256, 'n'); }},
        {"concurrency is 0 (no limit) to 100000", [](AddBatch& made) { made.concurrency = 100'001; }},
        {"concurrency is 0 (no limit) to 100000", [](AddBatch& made) { made.concurrency = -1; }},
        {"taken", [](AddBatch& made) { made.concurrency = 100'000; }},
        {"a threshold is", [](AddBatch& made) { made.policy = {FailureRule::threshold, 0, 0}; }},
        {"a threshold is", [](AddBatch& made) { made.policy = {FailureRule::threshold, 0, 101}; }},
        {"a threshold is", [](AddBatch& made) { made.policy = {FailureRule::threshold, -1, 5}; }},
        {"taken", [](AddBatch& made) { made.policy = {FailureRule::threshold, 0, 100}; }},
        {"taken", [](AddBatch& made) { made.policy = {FailureRule::fail_fast, 0, 0}; }},
        {"a queue's name has", [](AddBatch& made) { made.queue = "no such/name"; }},
        {"an item's key has 1 to 256 bytes", [](AddBatch& made) { made.items[0].key.assign(257, 'k'); }},
        {"taken", [](AddBatch& made) { made.items[0].key.assign(256, 'k'); }},
        {"a label has at most 1024 bytes", [](AddBatch& made) { made.items[0].label.assign(1025, 'l'); }},
        {"taken", [](AddBatch& made) { made.items[0].label.assign(1024, 'l'); }},
        {"a queue's name has", [](AddBatch& made) { made = with_then([](FollowUp& then) { then.queue = ""; }); }},
        {"a follow-up's label has", [](AddBatch& made) { made = with_then([](FollowUp& then) { then.label = ""; }); }},
        {"a follow-up's label has",
         [](AddBatch& made) { made = with_then([](FollowUp& then) { then.label.assign(1025, 'l'); }); }},
        {"listed items or one per success",
         [](AddBatch& made) {
             made = with_then([](FollowUp& then) { then.per_succeeded = true, then.items = R"([{"key":"a"}])"; });
         }},
        {"a follow-up's items may have",
         [](AddBatch& made) {
             made = with_then([](FollowUp& then) {
                 then.items = R"([{"key":"a","input":")" + std::string(256 << 10, 'x') + "\"}]";
             });
         }},
        {"then: ", [](AddBatch& made) { made = with_then([](FollowUp& then) { then.items = "[1]"; }); }},
        {"then: a label has",
         [](AddBatch& made) {
             made = with_then(
                 [](FollowUp& then) { then.items = R"([{"key":"a","label":")" + std::string(1025, 'l') + "\"}]"; });
         }},
        {"taken", [](AddBatch& made) { made = with_then([](FollowUp& then) { then.items = R"([{"key":"a"}])"; }); }},
        {"taken", [](AddBatch& made) { made = with_then([](FollowUp& then) { then.per_succeeded = true; }); }},
    };
    for (const Row& row : rows) {
        AddBatch made = request(1);
        row.change(made);
        EXPECT_THAT(words_of(std::move(made)), HasSubstr(row.words)) << &row - rows;
    }
}

TEST_F(BatchRequests, ItemsThatComeLaterAreCheckedLikeTheFirst)
{
    queue("generate").waiting_max = 5;
    start();
    AddBatch open = request(2);
    open.sealed = false;
    const BatchId id = add(open);
    AddItems bad = more(id, 1);
    bad.items[0].key = "";
    EXPECT_THAT(words_of(bad), HasSubstr("item \"\": an item's key has"));
    AddItems many = more(id, 1);
    many.items.resize(batch_items_max + 1, {"x", "", ""});
    EXPECT_THAT(words_of(many), HasSubstr("a request holds at most"));
    EXPECT_THAT(words_of(more(id, 4)), HasSubstr("waiting_max"));
    EXPECT_EQ(words_of(more(id, 3)), "taken");
    change(id, BatchVerb::seal);
    EXPECT_EQ(words_of(more(id, 1, "late")), "the batch is sealed: it takes no more items");
    EXPECT_EQ(items(id).size(), 5u);
    change(id, BatchVerb::cancel);
    settle();
    EXPECT_EQ(words_of(more(id, 1, "late")), "the batch is over: cancelled");
}

TEST_F(BatchRequests, ABatchNeedsRoomForItsItemsAndForAFollowUpThatStartsByItself)
{
    queue("generate").waiting_max = 3;
    queue("enrich").waiting_max = 2;
    start();
    EXPECT_THAT(words_of(request(4)), HasSubstr("queue generate holds at most 3"));
    AddBatch follows = request(3);
    follows.then = FollowUp{.label = "Next", .start = FollowUp::Start::auto_, .queue = "enrich"};
    follows.then->per_succeeded = true;
    EXPECT_THAT(words_of(follows), HasSubstr("queue enrich holds at most 2"));
    follows.then->start = FollowUp::Start::person;
    EXPECT_EQ(words_of(follows), "taken") << "a person is told then";
}

TEST_F(BatchRequests, ItemsSaidAgainUnderTheirIdempotencyKeyAreAnsweredForADay)
{
    start();
    AddBatch open = request(1);
    open.sealed = false;
    const BatchId id = add(open);
    AddItems twice = more(id, 1);
    twice.idempotency = IdempotencyScope{"items", "k", hash128("a")};
    const auto replayed = [&] { return std::get<BatchChanged>(ask_engine(twice).value()).replayed; };
    EXPECT_FALSE(replayed());
    EXPECT_TRUE(replayed());
    AddItems other = twice;
    other.idempotency->request = hash128("b");
    EXPECT_EQ(ask_engine(other).error().refusal, Refusal::idempotency_reused);
    change(id, BatchVerb::seal);
    EXPECT_TRUE(replayed()) << "though the batch takes no more";
    AddItems without = twice;
    without.idempotency.reset();
    EXPECT_EQ(ask_engine(without).error().refusal, Refusal::batch_sealed);
    now += 24h;
    EXPECT_EQ(ask_engine(twice).error().refusal, Refusal::batch_sealed) << "the key is forgotten";
}

TEST_F(BatchRequests, TheSameKeyOfABatchThatIsGoneIsNotFound)
{
    start();
    AddBatch made = request(1);
    made.idempotency = IdempotencyScope{"batches", "k", hash128("a")};
    const BatchId id = add(made);
    auto tx = store->begin();
    tx->put_idempotency({"default", "somebody", "batches", "gone", hash128("a"), "b_nonsense", now + 1h});
    tx->commit();
    tx.reset();
    made.idempotency->key = "gone";
    EXPECT_EQ(ask_engine(made).error().refusal, Refusal::not_found);
    EXPECT_EQ(items(id).size(), 1u);
}

TEST_F(BatchRequests, WhatPeopleChangedIsAuditedAndWhatChangedNothingIsNot)
{
    start();
    AddBatch open = request(2);
    open.sealed = false;
    open.then = FollowUp{.label = "Next", .queue = "enrich", .input = "1"};
    const BatchId id = add(open);
    change(id, BatchVerb::seal);
    change(id, BatchVerb::seal);
    const auto claimed = claim_items();
    succeed(claimed.at(0));
    fail_item(claimed.at(1));
    settle();
    EXPECT_FALSE(std::get<BatchChanged>(change(id, BatchVerb::start_then).value()).replayed);
    EXPECT_TRUE(std::get<BatchChanged>(change(id, BatchVerb::start_then).value()).replayed);
    change(id, BatchVerb::retry_failed, 1);
    change(id, BatchVerb::cancel);
    std::vector<std::string> acts;
    for (const auto& one : store->begin()->audit({.tenant = "default"})) acts.push_back(one.record.action);
    EXPECT_THAT(acts, ElementsAre("batch.cancel", "batch.retry_failed", "batch.then", "batch.seal"));
}

TEST_F(BatchRequests, AFollowUpThatCannotStartSaysWhy)
{
    queue("enrich").waiting_max = 1;
    start();
    const auto asked = [&](BatchId id) { return words_of(ChangeBatch{id, "default", "x", BatchVerb::start_then, {}}); };
    const BatchId plain = add(request(1));
    EXPECT_EQ(asked(plain), "the batch has no follow-up");
    succeed_all();
    AddBatch follows = request(2, "j");
    follows.then = FollowUp{.label = "Next", .queue = "enrich"};
    follows.then->per_succeeded = true;
    const BatchId id = add(follows);
    EXPECT_EQ(asked(id), "the batch is not over yet: sealed");
    for (const ClaimedJob& one : claim_items()) fail_item(one);
    settle();
    EXPECT_EQ(asked(id), "the follow-up has nothing to run: no item succeeded");
    const BatchId second = add(follows);
    succeed_all();
    settle();
    EXPECT_THAT(asked(second), HasSubstr("queue enrich holds at most 1"));
}

TEST_F(BatchRequests, ARetryNeedsRoomForWhatFailed)
{
    queue("generate").waiting_max = 2;
    start();
    const BatchId id = add(request(2));
    for (const ClaimedJob& one : claim_items()) fail_item(one);
    settle();
    const BatchId other = add(request(1, "j"));
    EXPECT_EQ(change(id, BatchVerb::retry_failed).error().refusal, Refusal::queue_full);
    EXPECT_EQ(batch(id).generation, 1);
    change(other, BatchVerb::cancel);
    settle();
    EXPECT_TRUE(change(id, BatchVerb::retry_failed));
}

TEST_F(BatchRequests, ABatchWithoutFailuresHasNothingToRetry)
{
    start();
    const BatchId id = add(request(1));
    EXPECT_EQ(words_of(ChangeBatch{id, "default", "x", BatchVerb::retry_failed, {}}),
              "the batch is not over yet: sealed");
    succeed_all();
    settle();
    EXPECT_EQ(words_of(ChangeBatch{id, "default", "x", BatchVerb::retry_failed, {}}), "already succeeded");
    EXPECT_EQ(words_of(ChangeBatch{id, "default", "x", BatchVerb::retry_failed, 7}),
              "the batch was retried meanwhile: it is at generation 1");
    EXPECT_EQ(words_of(ChangeBatch{id, "default", "x", BatchVerb::cancel, {}}), "already succeeded");
}

TEST_F(BatchRequests, EachNewPartOfAnOpenBatchGivesItsSealTimeAgain)
{
    start();
    AddBatch open = request(1);
    open.sealed = false;
    const BatchId id = add(open);
    now += 3min;
    ask_engine(more(id, 1));
    EXPECT_EQ(batch(id).seal_by, now + batch_seal_within);
    now += 3min;
    ask_engine(more(id, 1));
    EXPECT_EQ(batch(id).seal_by, now - 3min + batch_seal_within) << "said before: nothing new came";
}

TEST_F(BatchRequests, ALongRequestSaysHowManyOfItsItemsWereTakenBeforeItsBatchWasSealed)
{
    start();
    AddBatch open = request(1);
    open.sealed = false;
    const BatchId id = add(open);
    std::optional<Reply> got;
    std::vector<Posted> group;
    group.push_back({more(id, 1200), -1, [&](Reply reply) { got = std::move(reply); }});
    step(std::move(group));
    ASSERT_FALSE(got) << "it goes on";
    change(id, BatchVerb::seal);
    settle();
    ASSERT_TRUE(got && !*got);
    EXPECT_EQ(got->error().refusal, Refusal::batch_sealed);
    EXPECT_THAT(got->error().message, HasSubstr("of 1200 items were taken"));
    EXPECT_LT(items(id).size(), 1201u);
}

TEST_F(BatchRequests, AnItemThatIsThereWithAnotherInputIsNamed)
{
    start();
    AddBatch open = request(1);
    open.sealed = false;
    const BatchId id = add(open);
    AddItems other = more(id, 1, "i");
    other.items[0].input = "7";
    const Reply reply = ask_engine(other);
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().refusal, Refusal::item_taken);
    EXPECT_EQ(reply.error().job, items(id).at(0).id);
}

TEST_F(BatchRequests, ABatchThatIsBeingCancelledHandsNothingOut)
{
    start();
    const BatchId id = add_in_parts(1200);
    std::vector<Posted> group;
    std::optional<Reply> got;
    group.push_back({ChangeBatch{id, "default", "x", BatchVerb::cancel, {}}, -1, [](Reply) {}});
    group.push_back({ClaimWork{worker(), {"generate"}, 16}, -1, [&](Reply reply) { got = std::move(reply); }});
    step(std::move(group));
    EXPECT_FALSE(got);
    EXPECT_EQ(items(id, JobState::running).size(), 0u);
    settle();
    EXPECT_EQ(batch(id).state, BatchState::cancelled);
    EXPECT_EQ(batch(id).counts.cancelled, 1200);
}

TEST_F(BatchRequests, AnEventOfABatchHoldsTheItemsThatMoved)
{
    start();
    add(request(2));
    const auto claimed = claim_items(1);
    notices.clear();
    succeed(claimed.at(0));
    ASSERT_FALSE(batch_events().empty());
    EXPECT_THAT(batch_events().back().data, HasSubstr(to_text(claimed[0].job->id)));
}

TEST_F(BatchRequests, AFollowUpThatStartsByItselfHasItsRoomWhoeverElseComes)
{
    queue("enrich").waiting_max = 4;
    start();
    AddBatch listed = request(1);
    listed.then = FollowUp{.label = "Next", .start = FollowUp::Start::auto_, .queue = "enrich"};
    listed.then->items = R"([{"key":"a","input":1},{"key":"b","input":2},{"key":"c","input":3}])";
    add(listed);
    EXPECT_FALSE(EngineWorld::add({task("enrich"), task("enrich")})) << "three places of four are taken";
    AddBatch one = request(1, "k");
    one.then = FollowUp{.label = "Then", .start = FollowUp::Start::auto_, .queue = "enrich"};
    one.then->input = "1";
    EXPECT_EQ(words_of(one), "taken") << "a task needs one";
    EXPECT_FALSE(EngineWorld::add({task("enrich")}));
    succeed_all();
    EXPECT_EQ(store->begin()->jobs({.tenant = "default", .state = JobState::queued, .queue = "enrich"}).size(), 4u);
}

TEST_F(BatchRequests, ALongListThatIsBeingTakenHasItsRoomWhoeverElseComes)
{
    queue("generate").waiting_max = 1300;
    start();
    bool answered = false;
    std::vector<Posted> group;
    group.push_back({request(1200), -1, [&](Reply reply) { answered = reply.has_value(); }});
    step(std::move(group));
    ASSERT_FALSE(answered);
    EXPECT_FALSE(EngineWorld::add(std::vector<NewJob>(101, task("generate")))) << "of 1,300 a hundred are free";
    EXPECT_TRUE(EngineWorld::add(std::vector<NewJob>(100, task("letters")))) << "another queue";
    settle();
    EXPECT_TRUE(answered);
    EXPECT_TRUE(EngineWorld::add(std::vector<NewJob>(100, task("generate"))));
}

TEST_F(BatchRequests, ARetryGivesEachItemThatMayRunItsDeadlineAnew)
{
    queue("generate").deadline = 1h;
    start();
    AddBatch gated = request(2);
    gated.concurrency = 1;
    const BatchId id = add(gated);
    for (int i = 0; i < 2; ++i) fail_item(claim_items(1).at(0));
    now += 3h;
    ASSERT_TRUE(change(id, BatchVerb::retry_failed).has_value());
    settle();
    const auto again = items(id);
    ASSERT_EQ(again.size(), 2u);
    EXPECT_EQ(again[0].deadline_at, now + 1h);
    EXPECT_TRUE(again[1].gated);
    EXPECT_EQ(again[1].deadline_at, std::nullopt) << "it waits by its batch's wish";
}

} // namespace
} // namespace freshet
