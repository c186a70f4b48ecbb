// SPDX-License-Identifier: Apache-2.0
// Who lets the items of a batch run, and what follows its end: gates, drivers, follow-ups.
#include "engine/batch_world.hpp"

#include <algorithm>
#include <set>

namespace freshet {
namespace {

TEST_F(Batches, AGateLetsSoManyThroughAndTheCommitThatEndsOneLiftsTheNext)
{
    start();
    AddBatch narrow = request(5);
    narrow.concurrency = 2;
    const BatchId id = add(narrow);
    EXPECT_EQ(batch(id).gated, 3);
    const auto claimed = claim_items();
    ASSERT_EQ(claimed.size(), 2u);
    // A waiting claim gets the lifted item in the commit that ends the other.
    std::optional<Reply> got;
    std::vector<Posted> group;
    group.push_back({ClaimWork{worker(), {"generate"}, 5}, -1, [&](Reply reply) { got = std::move(reply); }});
    step(std::move(group));
    EXPECT_FALSE(got.has_value());
    notices.clear();
    succeed(claimed[0]);
    ASSERT_TRUE(got.has_value());
    EXPECT_EQ(notices.size(), 1u);
    EXPECT_EQ(std::get<Claimed>(got->value()).jobs.size(), 1u);
    EXPECT_EQ(batch(id).gated, 2);
    fail_item(claimed[1], ErrorClass::retryable);
    EXPECT_EQ(batch(id).gated, 2) << "what is tried again keeps its slot";
    check(id);
    now += 1h;
    settle();
    succeed_all();
    now += 1h;
    settle();
    succeed_all();
    EXPECT_EQ(batch(id).state, BatchState::succeeded);
}

TEST_F(Batches, AnItemAtTheGateDoesNotExpire)
{
    start();
    AddBatch narrow = request(2);
    narrow.concurrency = 1;
    const BatchId id = add(narrow);
    EXPECT_TRUE(items(id)[0].deadline_at.has_value());
    EXPECT_FALSE(items(id)[1].deadline_at.has_value());
    succeed(claim_items().at(0));
    EXPECT_TRUE(items(id)[1].deadline_at.has_value());
}

TEST_F(Batches, ProcessNextReleasesExactlyOneItemAndNeverTheSameTwice)
{
    start();
    AddBatch driven = request(3);
    driven.driver = BatchDriver::caller;
    const BatchId id = add(driven);
    EXPECT_TRUE(claim_items().empty()) << "nothing runs before it is released";
    std::set<std::int64_t> released;
    std::vector<Posted> group;
    for (int tab = 0; tab < 2; ++tab)
        group.push_back({ProcessNext{id, "default", "tab"}, -1, [&](Reply reply) {
                             const auto& processed = std::get<Processed>(reply.value());
                             EXPECT_EQ(processed.status, Processed::Status::released);
                             released.insert(processed.item->id.value);
                         }});
    step(std::move(group));
    EXPECT_EQ(released.size(), 2u);
    const auto claimed = claim_items();
    ASSERT_EQ(claimed.size(), 2u);
    now += 31s;
    settle(); // both leases run out
    EXPECT_EQ(claim_items().size(), 2u) << "a released item stays released through losses";
    EXPECT_EQ(batch(id).gated, 1);
    EXPECT_EQ(next(id).status, Processed::Status::released);
    EXPECT_EQ(next(id).status, Processed::Status::no_items);
    check(id);
}

TEST_F(Batches, ProcessNextSaysHowItEnded)
{
    start();
    AddBatch driven = request(1);
    driven.driver = BatchDriver::caller;
    const BatchId done = add(driven);
    next(done);
    succeed(claim_items().at(0));
    EXPECT_EQ(next(done).status, Processed::Status::job_completed);
    const BatchId stopped = add(driven);
    change(stopped, BatchVerb::cancel);
    EXPECT_EQ(next(stopped).status, Processed::Status::job_cancelled);
    const BatchId workers = add(request(1));
    EXPECT_EQ(ask_engine(ProcessNext{workers, "default", "x"}).error().refusal, Refusal::not_caller_driven);
    succeed_all();
    EXPECT_EQ(next(workers).status, Processed::Status::job_completed);
    EXPECT_EQ(ask_engine(ProcessNext{BatchId{5}, "default", "x"}).error().refusal, Refusal::not_found);
    EXPECT_EQ(ask_engine(ProcessNext{workers, "other", "x"}).error().refusal, Refusal::not_found);
}

TEST_F(Batches, ReleasesAllWhenTheDriverDidNotCallForHalfAnHour)
{
    start();
    AddBatch driven = request(3);
    driven.driver = BatchDriver::caller;
    const BatchId id = add(driven);
    now += 29min;
    next(id);
    succeed(claim_items().at(0));
    now += 29min;
    settle();
    EXPECT_TRUE(claim_items().empty());
    now += 1min;
    settle();
    EXPECT_EQ(batch(id).gated, 0);
    succeed_all();
    EXPECT_EQ(batch(id).state, BatchState::succeeded);
    check(id);
}

TEST_F(Batches, AFollowUpTaskStartsInTheCommitThatEndsTheBatch)
{
    start();
    AddBatch first = request(1);
    first.then = FollowUp{.label = "Report", .start = FollowUp::Start::auto_, .queue = "report", .input = "[1]"};
    const BatchId id = add(first);
    const auto claimed = claim_items();
    notices.clear();
    fail_item(claimed[0]);
    ASSERT_EQ(notices.size(), 1u);
    const Batch ended = batch(id);
    EXPECT_EQ(ended.state, BatchState::failed);
    EXPECT_EQ(ended.then->state, FollowUp::State::started);
    EXPECT_EQ(job(ended.then->job).queue, "report");
    EXPECT_EQ(job(ended.then->job).input, "[1]");
    ASSERT_TRUE(change(id, BatchVerb::retry_failed).has_value());
    succeed_all();
    EXPECT_EQ(batch(id).then->job, ended.then->job) << "once per batch";
    EXPECT_EQ(claim_items(9, "report").size(), 1u);
}

TEST_F(Batches, AFollowUpOverTheSuccessesIsStartedByAPersonOnce)
{
    start();
    AddBatch first = request(3);
    first.then = FollowUp{.label = "Enrich All", .start = FollowUp::Start::person, .queue = "enrich"};
    first.then->per_succeeded = true;
    const BatchId id = add(first);
    EXPECT_EQ(change(id, BatchVerb::start_then).error().refusal, Refusal::batch_live);
    const auto claimed = claim_items();
    succeed(claimed[0], R"({"id":7})");
    fail_item(claimed[1]);
    succeed(claimed[2], R"({"id":9})");
    EXPECT_EQ(batch(id).then->state, FollowUp::State::available);
    const auto started = std::get<BatchChanged>(change(id, BatchVerb::start_then).value());
    ASSERT_TRUE(started.started);
    const auto made = items(started.started);
    ASSERT_EQ(made.size(), 2u);
    EXPECT_EQ(made[0].item, "i0");
    EXPECT_EQ(made[0].input, R"({"item":"i0","result":{"id":7}})");
    EXPECT_EQ(batch(started.started).state, BatchState::sealed);
    EXPECT_EQ(batch(started.started).name, "Enrich All");
    const auto again = std::get<BatchChanged>(change(id, BatchVerb::start_then).value());
    EXPECT_TRUE(again.replayed);
    EXPECT_EQ(again.started, started.started);
    succeed_all("enrich");
    EXPECT_EQ(batch(started.started).state, BatchState::succeeded);
    check(started.started);
}

TEST_F(Batches, ALongFollowUpIsFilledInPartsAlsoAfterARestart)
{
    start();
    std::vector<Posted> group;
    AddBatch first = request(1300);
    first.then = FollowUp{.label = "Next", .start = FollowUp::Start::auto_, .queue = "enrich"};
    first.then->per_succeeded = true;
    group.push_back({first, -1, [](Reply) {}});
    step(std::move(group));
    settle();
    const BatchId id = store->begin()->batches({"default", {}, {}, 1}).at(0).id;
    while (!is_terminal(batch(id).state)) {
        group.clear();
        for (const ClaimedJob& one : claim_items(400))
            group.push_back({CompleteJob{one.job->id, one.job->fence, TaskResult{"1", 0, 1}}, -1, [](Reply) {}});
        step(std::move(group));
    }
    ASSERT_EQ(batch(id).state, BatchState::succeeded);
    const BatchId next = batch(id).then->batch;
    EXPECT_EQ(batch(next).state, BatchState::open);
    EXPECT_EQ(ask_engine(AddItems{next, "default", "x", {{"mine", "", "1"}}, {}}).error().refusal,
              Refusal::batch_sealed);
    start();
    settle();
    EXPECT_EQ(batch(next).counts.total, 1300);
    EXPECT_EQ(batch(next).state, BatchState::sealed);
    EXPECT_EQ(batch(id).cursor, 0);
    check(next);
}

TEST_F(Batches, AFollowUpOfListedItemsIsChecked)
{
    start();
    AddBatch first = request(1);
    first.then = FollowUp{.label = "Next", .start = FollowUp::Start::auto_, .queue = "enrich"};
    first.then->items = R"([{"label":"no key"}])";
    EXPECT_EQ(ask_engine(first).error().refusal, Refusal::bad_request);
    first.then->items = R"([{"key":"a","input":1},{"key":"b","label":"B","input":2}])";
    const BatchId id = add(first);
    succeed_all();
    const auto made = items(batch(id).then->batch);
    ASSERT_EQ(made.size(), 2u);
    EXPECT_EQ(made[1].label, "B");
}

TEST_F(Batches, AFollowUpIsDroppedAfterACancel)
{
    start();
    AddBatch first = request(1);
    first.then = FollowUp{.label = "Report", .start = FollowUp::Start::auto_, .queue = "report", .input = "1"};
    const BatchId id = add(first);
    change(id, BatchVerb::cancel);
    EXPECT_EQ(batch(id).state, BatchState::cancelled);
    EXPECT_EQ(batch(id).then->state, FollowUp::State::dropped);
    EXPECT_EQ(change(id, BatchVerb::start_then).error().refusal, Refusal::batch_over);
    EXPECT_TRUE(claim_items(9, "report").empty());
}

} // namespace
} // namespace freshet
