// SPDX-License-Identifier: Apache-2.0
// What runs out by itself, and what a process takes up from the one before it.
#include "engine/engine_world.hpp"

#include <gmock/gmock.h>

namespace freshet {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

struct Timers : ::testing::Test, EngineWorld {
    /// A source that workers of queue "reporting" fetch.
    void add_reports()
    {
        auto& reports = source("reports");
        reports.kind = SourceKind::worker, reports.queue = "reporting";
    }
};

TEST_F(Timers, F7ACancelThatNobodyConfirmedSaysSoAlsoWhereTheRunLimitEndsIt)
{
    queue("mails").run_limit = 1min;
    start();
    const JobId id = add_one("mails");
    const auto held = claim_from("mails");
    now += 25s;
    beat(held);
    now += 25s;
    ASSERT_TRUE(ask_engine(CancelJob{id, "default", "somebody"}));
    EXPECT_EQ(beat(held).answers.at(0).word, BeatWord::cancel);
    now += 10s;
    step();
    EXPECT_EQ(job(id).state, JobState::cancelled);
    EXPECT_TRUE(job(id).forced);
    EXPECT_THAT(job(id).error->message, HasSubstr("did not confirm"));
}

TEST_F(Timers, F8ARefreshWhoseWorkerWasLostForGoodIsAFailureOfItsKeyAndKeepsTheLastGood)
{
    add_reports();
    queue("reporting").on_lost = LostRule::fail;
    start();
    refresh("reports");
    const auto first = claim_from("reporting");
    ASSERT_TRUE(end(CompleteJob{first.at(0).job->id, first[0].job->fence, result_of("[1]", 1)}));
    const JobId id = refresh("reports").job->id;
    ASSERT_EQ(claim_from("reporting").size(), 1U);
    for (int i = 0; i < 31; ++i) now += 1s, step(); // the server is there all the time
    ASSERT_EQ(job(id).state, JobState::failed);
    const KeyRecord record = key("reports");
    EXPECT_TRUE(record.has_data);
    EXPECT_EQ(record.attempts, 1);
    ASSERT_TRUE(record.error);
    EXPECT_EQ(record.error->code, "worker_lost");
    EXPECT_EQ(record.last_outcome, Outcome::failed);
    EXPECT_THAT(job(id).receipt, HasSubstr("last_good"));
}

TEST_F(Timers, F8ARefreshThatIsGivenToAnotherWorkerIsNoFailureYet)
{
    add_reports();
    start();
    const JobId id = refresh("reports").job->id;
    ASSERT_EQ(claim_from("reporting").size(), 1U);
    now += 31s;
    step();
    EXPECT_EQ(job(id).state, JobState::queued);
    EXPECT_EQ(key("reports").attempts, 0);
    EXPECT_EQ(job(id).receipt, "");
}

TEST_F(Timers, ARunLimitThatWasTakenAwayEndsNothing)
{
    queue("mails").run_limit = 20s;
    start();
    const JobId id = add_one("mails");
    const auto held = claim_from("mails");
    queue("mails").run_limit = 0s;
    ask_engine(Reconfigure{definitions});
    now += 21s;
    const auto wake = step();
    EXPECT_EQ(job(id).state, JobState::running);
    ASSERT_TRUE(wake);
    EXPECT_GT(*wake, now) << "looked at again when its lease ends";
    EXPECT_EQ(beat(held).answers.at(0).word, BeatWord::ok);
}

TEST_F(Timers, WhatWasSetOnQueuesIsToldAnewByEachProcess)
{
    start();
    ASSERT_TRUE(ask_engine(LimitQueue{"mails", 2, {}, "default", "somebody"}));
    ASSERT_TRUE(ask_engine(LimitQueue{"letters", 3, {}, "default", "somebody"}));
    ASSERT_TRUE(ask_engine(PauseQueue{"letters", true, "default", "somebody"}));
    ASSERT_TRUE(ask_engine(PauseSource{"prices", true, "default", "somebody"}));
    notices.clear();
    start();
    ASSERT_FALSE(notices.empty());
    std::map<std::string, QueueView> told;
    for (const auto& view : notices[0]->queues) EXPECT_TRUE(told.emplace(view->queue, *view).second) << view->queue;
    EXPECT_EQ(told.size(), 2U) << "a source is told by its keys";
    EXPECT_EQ(told["mails"].limits.concurrency, 2);
    EXPECT_FALSE(told["mails"].paused);
    EXPECT_EQ(told["letters"].limits.concurrency, 3);
    EXPECT_TRUE(told["letters"].paused);
}

TEST_F(Timers, RoomAndConcurrencyAreKnownFromTheStoreAfterARestart)
{
    queue("mails").waiting_max = 2;
    queue("mails").concurrency = 1;
    start();
    add_one("mails"), add_one("mails");
    ASSERT_EQ(claim_from("mails").size(), 1U);
    start();
    EXPECT_THAT(claim_from("mails", "w2"), IsEmpty()) << "one runs, and no more may";
    add_one("mails");
    const auto full = add({task("mails")});
    ASSERT_FALSE(full);
    EXPECT_EQ(full.error().refusal, Refusal::queue_full);
}

} // namespace
} // namespace freshet
