// SPDX-License-Identifier: Apache-2.0
// A tenant's reset and bulk acts: many jobs, in chunks, while everything else goes on.
#include "engine/engine_world.hpp"

#include "wire/bulk.hpp"

#include <gmock/gmock.h>

namespace freshet {
namespace {

using testing::HasSubstr;

struct Resetting : ::testing::Test, EngineWorld {
    Resetting() { start(); }
    std::vector<JobId> fill(const std::string& queue, int count, const std::string& tenant = "default",
                            const std::string& tag = "")
    {
        std::vector<JobId> ids;
        while (count > 0) {
            std::vector<NewJob> jobs(static_cast<std::size_t>(std::min(count, 500)), task(queue));
            if (!tag.empty())
                for (NewJob& job : jobs) job.tags = {tag};
            count -= static_cast<int>(jobs.size());
            const auto added = add(std::move(jobs), tenant);
            for (const AddedJob& one : added.value().jobs) ids.push_back(one.job->id);
        }
        return ids;
    }
    Counted reset(bool dry_run, std::vector<std::string> queues = {}, std::vector<JobState> states = {})
    {
        const Reply reply =
            ask_engine(ResetTenant{"default", "somebody", dry_run, std::move(queues), std::move(states)});
        EXPECT_TRUE(reply.has_value());
        return reply ? std::get<Counted>(*reply) : Counted{};
    }
    /// Steps while the engine says that there is more to do at once.
    int work()
    {
        int steps = 0;
        for (auto wake = step(); wake && *wake <= now && steps < 100; wake = step()) ++steps;
        return steps;
    }
    std::int64_t live()
    {
        std::int64_t live = 0;
        for (const JobCount& count : store->begin()->job_counts("default"))
            if (!is_terminal(count.state)) live += count.count;
        return live;
    }
};

TEST_F(Resetting, CountsFirstAndTouchesNothing)
{
    fill("mails", 3), fill("other", 2);
    claim_from("mails");
    const Counted all = reset(true);
    EXPECT_EQ(all.count, 5);
    EXPECT_EQ(all.by_queue.size(), 3u) << "by queue and state";
    EXPECT_EQ(reset(true, {"other"}).count, 2);
    EXPECT_EQ(reset(true, {}, {JobState::running}).count, 1);
    work();
    EXPECT_EQ(live(), 5);
}

TEST_F(Resetting, F7FencesWorkersAtOnceAndEndsTheRowsInChunks)
{
    const auto ids = fill("mails", 1000);
    const JobId foreign = fill("mails", 1, "another").at(0);
    const auto held = claim_from("mails", "w1", 900);
    ASSERT_GE(held.size(), 900u);
    EXPECT_EQ(reset(false).count, 1000);
    EXPECT_GT(live(), 0) << "rows follow";
    // Whoever asks meanwhile is told what is true already.
    EXPECT_EQ(end(done(held.back())).error().refusal, Refusal::lease_lost);
    EXPECT_EQ(job(held.back().job->id).error->code, "reset");
    const JobId later = add_one("mails");
    EXPECT_GT(live(), 1);
    start(); // a crash in the midst
    const auto next = claim_from("mails", "w2", 99);
    ASSERT_EQ(next.size(), 1u);
    EXPECT_EQ(next[0].job->id, later) << "what was asked afterwards";
    work();
    EXPECT_EQ(live(), 1) << "what was asked afterwards stays";
    EXPECT_EQ(job(later).state, JobState::running);
    EXPECT_FALSE(is_terminal(job(foreign).state)) << "F9";
    for (const JobId id : ids) EXPECT_EQ(job(id).state, JobState::failed);
    EXPECT_TRUE(store->begin()->resets().empty());
    EXPECT_EQ(store->begin()->audit({"default", 0, 9}).at(0).record.action, "reset");
}

TEST_F(Resetting, OfOneQueueLeavesTheOthers)
{
    fill("mails", 2), fill("other", 2);
    reset(false, {"other"});
    work();
    EXPECT_EQ(live(), 2);
}

TEST_F(Resetting, OfStatesEndsEachRowByItself)
{
    fill("mails", 3);
    const auto held = claim_from("mails");
    EXPECT_TRUE(reset(false, {}, {JobState::queued}).job);
    work();
    EXPECT_EQ(live(), 1);
    EXPECT_TRUE(end(done(held.at(0)))) << "what ran goes on";
}

TEST_F(Resetting, ATrailingJobDoesNotEscape)
{
    NewJob rerun = task("mails");
    rerun.unique = UniqueTerms{.key = "k", .on_conflict = UniqueConflict::rerun_after};
    const JobId first = add_one(rerun);
    const auto held = claim_from("mails");
    const JobId trailing = add_one(rerun);
    reset(false);
    work();
    EXPECT_EQ(job(first).error->code, "reset");
    EXPECT_EQ(job(trailing).error->code, "reset");
    EXPECT_NE(add_one(rerun), trailing) << "the key is free";
}

TEST_F(Resetting, ABulkActCountsThenWorksAsAJobOfItsOwn)
{
    fill("mails", 450, "default", "nightly");
    const auto kept = fill("mails", 2);
    BulkJobs bulk{.tenant = "default", .caller = "somebody", .action = BulkAction::cancel, .filter = {}};
    bulk.filter.tag = "nightly";
    EXPECT_EQ(std::get<Counted>(ask_engine(bulk).value()).count, 450);
    EXPECT_EQ(live(), 452) << "a dry run";
    bulk.dry_run = false;
    const auto counted = std::get<Counted>(ask_engine(bulk).value());
    EXPECT_EQ(counted.count, 450);
    ASSERT_TRUE(counted.job);
    EXPECT_EQ(counted.job->queue, bulk_queue);
    work();
    const Job ended = job(counted.job->id);
    EXPECT_EQ(ended.state, JobState::succeeded);
    EXPECT_THAT(ended.result, HasSubstr(R"("done":450)"));
    EXPECT_EQ(live(), 2);
    EXPECT_EQ(job(kept[0]).state, JobState::queued);

    bulk.action = BulkAction::retry;
    bulk.filter.state = JobState::cancelled;
    ask_engine(bulk);
    work();
    EXPECT_EQ(live(), 452);
    bulk.action = BulkAction::drop, bulk.filter.state = JobState::queued;
    const auto none = std::get<Counted>(ask_engine(bulk).value());
    work();
    EXPECT_THAT(job(none.job->id).result, HasSubstr(R"("done":0)")) << "what lives is not dropped";
}

TEST_F(Resetting, ABulkActCountsWhatItsFilterNamesHoweverManyThereAre)
{
    fill("mails", 3);
    fill("letters", 2);
    fill("post", 1500, "default", "nightly");
    ASSERT_EQ(claim_from("mails").size(), 1U);
    BulkJobs bulk{.tenant = "default", .caller = "x", .action = BulkAction::cancel, .filter = {}};
    const auto count = [&] {
        std::optional<Reply> got;
        std::vector<Posted> group;
        group.push_back({bulk, -1, [&](Reply reply) { got = std::move(reply); }});
        step(std::move(group));
        for (int i = 0; i < 10 && !got; ++i) step();
        return std::get<Counted>(got.value().value()).count;
    };
    EXPECT_EQ(count(), 1505);
    bulk.filter.queue = "mails";
    EXPECT_EQ(count(), 3);
    bulk.filter.state = JobState::running;
    EXPECT_EQ(count(), 1);
    bulk.filter = {};
    bulk.filter.tag = "nightly";
    EXPECT_EQ(count(), 1500) << "over several pages";
}

TEST_F(Resetting, ABulkActGoesOnAfterARestartAndCanBeCancelled)
{
    fill("mails", 900);
    BulkJobs bulk{.tenant = "default", .caller = "x", .action = BulkAction::cancel, .filter = {}, .dry_run = false};
    bulk.filter.queue = "mails";
    const JobId id = std::get<Counted>(ask_engine(bulk).value()).job->id;
    step();
    EXPECT_EQ(job(id).state, JobState::running);
    EXPECT_GT(job(id).progress.done, 0);
    start();
    work();
    EXPECT_EQ(job(id).state, JobState::succeeded);
    EXPECT_EQ(live(), 0);

    fill("mails", 900);
    const JobId second = std::get<Counted>(ask_engine(bulk).value()).job->id;
    step();
    ask_engine(CancelJob{second, "default", "x"});
    work();
    EXPECT_EQ(job(second).state, JobState::cancelled);
    EXPECT_GT(live(), 0);
}

TEST_F(Resetting, ABulkDropTakesWhatEndedAndLeavesItemsToTheirBatches)
{
    const auto ids = fill("mails", 2);
    for (const ClaimedJob& one : claim_from("mails", "w1", 2)) ASSERT_TRUE(end(EngineWorld::done(one)));
    AddBatch made;
    made.tenant = "default", made.caller = "somebody", made.queue = "mails";
    made.items.push_back({"a", {}, "1"});
    const auto batch = std::get<BatchChanged>(ask_engine(made).value()).batch->id;
    for (const ClaimedJob& one : claim_from("mails", "w1", 2)) ASSERT_TRUE(end(EngineWorld::done(one)));
    BulkJobs drop{.tenant = "default", .caller = "x", .action = BulkAction::drop, .filter = {}, .dry_run = false};
    drop.filter.queue = "mails";
    const auto counted = std::get<Counted>(ask_engine(drop).value());
    work();
    EXPECT_THAT(job(counted.job->id).result, HasSubstr(R"("done":2)"));
    EXPECT_FALSE(store->begin()->job(ids[0]));
    EXPECT_EQ(store->begin()->items({batch, {}, {}, 10}).size(), 1U);
}

TEST_F(Resetting, ABulkActGoesOnAfterARestartThoughNothingElseIsThere)
{
    fill("mails", 200);
    for (const ClaimedJob& one : claim_from("mails", "w1", 200)) ASSERT_TRUE(end(EngineWorld::done(one)));
    BulkJobs drop{.tenant = "default", .caller = "x", .action = BulkAction::drop, .filter = {}, .dry_run = false};
    drop.filter.queue = "mails";
    const JobId id = std::get<Counted>(ask_engine(drop).value()).job->id;
    ASSERT_TRUE(store->begin()->jobs({.tenant = "default", .queue = "mails"}).empty());
    ASSERT_EQ(job(id).state, JobState::running);
    start();
    work();
    EXPECT_EQ(job(id).state, JobState::succeeded);
}

TEST_F(Resetting, ARefreshThatAResetEndedTellsOfTheLastGoodData)
{
    refresh();
    complete(claim().at(0), "[1,2]");
    const JobId id = refresh().job->id;
    reset(false);
    work();
    ASSERT_EQ(job(id).state, JobState::failed);
    EXPECT_EQ(job(id).error->code, "reset");
    EXPECT_THAT(job(id).receipt, HasSubstr("/v1/data/prices"));
    EXPECT_TRUE(key().has_data);
    EXPECT_FALSE(refresh().joined) << "the key may be asked for again";
}

TEST_F(Resetting, AnAskEndsWhatAResetReachedAndSharesNothingWithIt)
{
    const JobId before = refresh().job->id;
    std::vector<Posted> group;
    std::optional<Reply> asked;
    group.push_back({ResetTenant{"default", "somebody", false, {}, {}}, -1, [](Reply) {}});
    group.push_back({refresh_of(), -1, [&](Reply reply) { asked = std::move(reply); }});
    step(std::move(group));
    ASSERT_TRUE(asked && *asked);
    EXPECT_NE(std::get<Asked>(**asked).job->id, before);
    work();
    EXPECT_EQ(job(before).state, JobState::failed);
    EXPECT_EQ(job(std::get<Asked>(**asked).job->id).state, JobState::queued);
}

} // namespace
} // namespace freshet
