// SPDX-License-Identifier: Apache-2.0
// Batches through the engine: what is in one commit, what goes on over several, and what survives a crash.
#include "engine/engine_world.hpp"

#include <algorithm>
#include <set>

namespace freshet {
namespace {

class Batches : public ::testing::Test, public EngineWorld {
protected:
    static AddBatch request(int items, const std::string& prefix = "i")
    {
        AddBatch request;
        request.tenant = "default", request.caller = "somebody", request.queue = "generate", request.name = "Topics";
        for (int i = 0; i < items; ++i) request.items.push_back({prefix + std::to_string(i), {}, std::to_string(i)});
        return request;
    }
    BatchId add(AddBatch request)
    {
        Reply reply = ask_engine(std::move(request));
        EXPECT_TRUE(reply.has_value()) << (reply ? "" : reply.error().message);
        return std::get<BatchChanged>(reply.value()).batch->id;
    }
    Reply change(BatchId id, BatchVerb verb, std::optional<int> generation = {})
    {
        return ask_engine(ChangeBatch{id, "default", "somebody", verb, generation});
    }
    Processed next(BatchId id)
    {
        Reply reply = ask_engine(ProcessNext{id, "default", "somebody"});
        EXPECT_TRUE(reply.has_value()) << (reply ? "" : reply.error().message);
        return std::get<Processed>(reply.value());
    }
    std::vector<ClaimedJob> claim_items(int slots = 16, const std::string& queue = "generate")
    {
        std::optional<Reply> got;
        std::vector<Posted> group;
        group.push_back({ClaimWork{worker(), {queue}, slots}, -1, [&](Reply reply) { got = std::move(reply); }});
        step(std::move(group));
        if (!got) { // the offer goes, so that it does not take what a later step brings
            group.clear();
            group.push_back({ClaimWork{worker(), {}, slots}, -1, [](Reply) {}});
            step(std::move(group));
            return {};
        }
        return std::get<Claimed>(got->value()).jobs;
    }
    Reply succeed(const ClaimedJob& claimed, const std::string& json = "1")
    {
        return ask_engine(CompleteJob{claimed.job->id, claimed.job->fence,
                                      TaskResult{json, 0, static_cast<std::int64_t>(json.size())}});
    }
    Reply fail_item(const ClaimedJob& claimed, ErrorClass error_class = ErrorClass::fatal)
    {
        return ask_engine(FailJob{claimed.job->id, claimed.job->fence, {error_class, "http_403", "refused", {}, {}}});
    }
    void succeed_all(const std::string& queue = "generate")
    {
        for (auto claimed = claim_items(100, queue); !claimed.empty(); claimed = claim_items(100, queue))
            for (const ClaimedJob& one : claimed) succeed(one);
    }

    Batch batch(BatchId id) { return store->begin()->batch(id).value_or(Batch{}); }
    std::vector<Job> items(BatchId id, std::optional<JobState> state = {})
    {
        return store->begin()->items({id, state, {}, 100'000});
    }
    /// Steps until nothing is due at once; how many it took.
    int settle(int most = 2000)
    {
        int steps = 1;
        for (auto wake = step(); wake && *wake <= now && steps < most; wake = step()) ++steps;
        return steps;
    }
    /// What must hold after every commit.
    void check(BatchId id)
    {
        const Batch batch = this->batch(id);
        BatchCounts counts;
        std::int64_t gated = 0;
        for (const Job& job : items(id)) {
            ++counts.total;
            gated += job.state == JobState::queued && job.gated ? 1 : 0;
            switch (job.state) {
            case JobState::queued: ++counts.queued; break;
            case JobState::running: ++counts.running; break;
            case JobState::succeeded: ++counts.succeeded; break;
            case JobState::failed: ++counts.failed; break;
            case JobState::cancelled: ++counts.cancelled; break;
            }
        }
        EXPECT_EQ(batch.counts, counts);
        EXPECT_EQ(batch.gated, gated);
        if (batch.state != BatchState::open && batch.cursor == 0) {
            EXPECT_EQ(is_terminal(batch.state), counts.done() == counts.total);
        }
    }
    std::vector<Event> batch_events() const
    {
        std::vector<Event> events;
        for (const auto& notice : notices)
            for (const auto& told : notice->events)
                for (const LedgerEntry& entry : told.entries)
                    if (entry.event.kind == EventKind::batch) events.push_back(entry.event);
        return events;
    }
};

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
    std::vector<Posted> group;
    group.push_back({request(1200), -1, [](Reply) {}});
    step(std::move(group));
    settle();
    const BatchId id = store->begin()->batches({"default", {}, {}, 1}).at(0).id;
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
