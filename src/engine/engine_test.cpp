// SPDX-License-Identifier: Apache-2.0
// Flights of keys from the ask to their end: who joins which, who may start one and when, leases, retries, limits.
#include "engine/engine_world.hpp"

namespace freshet {
namespace {

struct Refreshing : ::testing::Test, EngineWorld {};

TEST_F(Refreshing, F3NeverJoinsAFlightThatBeganBeforeTheAsk)
{
    start();
    const Asked first = refresh();
    const auto flight = claim();
    ASSERT_EQ(flight.size(), 1u);
    const Asked second = refresh();
    EXPECT_NE(second.job->id, first.job->id);
    EXPECT_FALSE(second.joined);
    complete(flight[0], "[\"old\"]");
    EXPECT_FALSE(is_terminal(job(second.job->id).state)) << "the old data is no answer";
    const auto trailing = claim();
    ASSERT_EQ(trailing.size(), 1u);
    EXPECT_EQ(trailing[0].job->id, second.job->id);
    EXPECT_GT(trailing[0].job->data_fence, second.asked);
    complete(trailing[0], "[\"new\"]");
    EXPECT_EQ(job(second.job->id).outcome, Outcome::updated);
}

TEST_F(Refreshing, F5HasOneRunningAndOneTrailingJobHoweverManyAsk)
{
    start();
    refresh();
    const auto flight = claim();
    const Asked trailing = refresh();
    for (int i = 0; i < 20; ++i) {
        const Asked more = refresh();
        EXPECT_TRUE(more.joined);
        EXPECT_EQ(more.job->id, trailing.job->id);
    }
    EXPECT_EQ(live().size(), 2u);
    EXPECT_TRUE(claim().empty()) << "the trailing job waits for the first to end";
    EXPECT_EQ(job(trailing.job->id).callers, 21);
}

TEST_F(Refreshing, F5JoinsAQueuedJobThatNobodyBeganYet)
{
    start();
    const Asked first = refresh();
    const Asked second = refresh();
    EXPECT_EQ(second.job->id, first.job->id);
    EXPECT_GT(claim().at(0).job->fence, second.asked);
}

TEST_F(Refreshing, AStaleReadJoinsWhateverRuns)
{
    start();
    refresh();
    const auto flight = claim();
    AskRefresh stale = refresh_of();
    stale.trigger = Trigger::stale;
    stale.read_after_now = false;
    const auto asked = ask(stale);
    ASSERT_TRUE(asked.has_value());
    EXPECT_EQ(asked->job->id, flight[0].job->id);
}

TEST_F(Refreshing, F7ALeaseThatRanOutGivesTheJobToTheNextAndFencesTheLostWorker)
{
    start();
    const Asked asked = refresh();
    const auto lost = claim();
    now += 31s;
    step();
    EXPECT_EQ(job(asked.job->id).state, JobState::queued);
    EXPECT_EQ(job(asked.job->id).lost, 1);
    const auto next = claim();
    ASSERT_EQ(next.size(), 1u);
    EXPECT_GT(next[0].job->fence, lost[0].job->fence);
    EXPECT_FALSE(complete(lost[0], "[\"late\"]").has_value());
    EXPECT_EQ(key().gen, 0);
}

TEST_F(Refreshing, TakesALateResultWhileNobodyElseWasGivenTheJob)
{
    start();
    refresh();
    const auto lost = claim();
    now += 31s;
    step();
    EXPECT_TRUE(complete(lost[0], "[\"late\"]").has_value());
    EXPECT_EQ(key().gen, 1);
}

TEST_F(Refreshing, F3ALateResultDoesNotAnswerWhoAskedAfterItWasRead)
{
    start();
    refresh();
    const auto lost = claim();
    now += 31s;
    step();
    const Asked second = refresh();
    EXPECT_FALSE(complete(lost[0], "[\"late\"]").has_value());
    complete(claim().at(0), "[\"new\"]");
    EXPECT_EQ(job(second.job->id).outcome, Outcome::updated);
}

TEST_F(Refreshing, ATrailingJobTakesThePlaceOfOneThatWouldBeTriedAgain)
{
    start();
    const Asked first = refresh();
    const auto flight = claim();
    const Asked second = refresh();
    fail(flight[0]);
    EXPECT_EQ(job(first.job->id).state, JobState::cancelled);
    EXPECT_EQ(job(first.job->id).superseded_by, second.job->id);
    const auto next = claim();
    ASSERT_EQ(next.size(), 1u);
    EXPECT_EQ(next[0].job->id, second.job->id);
    EXPECT_EQ(next[0].job->attempt, 2) << "it inherits the attempts";
}

TEST_F(Refreshing, AfterARestartTheJobsOfBuiltInRunnersAreTakenUpAtOnce)
{
    start();
    const Asked asked = refresh();
    claim();
    start();
    EXPECT_EQ(job(asked.job->id).state, JobState::queued);
    const auto again = claim();
    ASSERT_EQ(again.size(), 1u);
    complete(again[0], "[1]");
    EXPECT_EQ(job(asked.job->id).outcome, Outcome::updated);
}

TEST_F(Refreshing, BackgroundAsksBeforeTheRetryTimeOfAKeyEnqueueNothing)
{
    source("prices").retry.attempts = 1;
    start();
    refresh();
    fail(claim().at(0));
    AskRefresh stale = refresh_of();
    stale.trigger = Trigger::stale;
    stale.read_after_now = false;
    EXPECT_EQ(ask(stale).error().refusal, Refusal::limited);
    EXPECT_TRUE(live().empty());
    EXPECT_FALSE(refresh().joined) << "a person may ask";
}

TEST_F(Refreshing, APersonIsToldToWaitWhereTheSourceAskedToBeLeftAlone)
{
    start();
    refresh();
    fail(claim().at(0), ErrorClass::rate_limited, 90s);
    const auto asked = ask(refresh_of());
    ASSERT_FALSE(asked.has_value());
    EXPECT_EQ(asked.error().refusal, Refusal::limited);
    EXPECT_GE(asked.error().retry_at, now + 90s);
}

TEST_F(Refreshing, ABreakerOpensAfterFiveFailuresAndOneProbeClosesIt)
{
    auto& prices = source("prices");
    prices.params = {{"city", {"a", "b"}, ""}};
    prices.retry.attempts = 1;
    start();
    for (int i = 0; i < 5; ++i) {
        refresh("prices/a");
        fail(claim().at(0));
    }
    EXPECT_EQ(ask(refresh_of("prices/b")).error().refusal, Refusal::limited) << "one origin, one breaker";
    now += 61s;
    refresh("prices/a");
    refresh("prices/b");
    const auto probe = claim();
    ASSERT_EQ(probe.size(), 1u) << "half open: one job tries";
    complete(probe[0], "[1]");
    now += 2s;
    EXPECT_EQ(claim().size(), 1u);
}

TEST_F(Refreshing, AProbeThatWentWithItsSourceKeepsNobodyBackOnceTheSourceIsThereAgain)
{
    source("prices").retry.attempts = 1;
    start();
    for (int i = 0; i < 5; ++i) {
        refresh();
        fail(claim().at(0));
    }
    now += 61s;
    refresh();
    const auto probe = claim();
    ASSERT_EQ(probe.size(), 1u);
    auto without = std::make_shared<Definitions>(*definitions);
    without->sources.erase("prices");
    ask_engine(Reconfigure{without});
    step();
    EXPECT_EQ(job(probe[0].job->id).error->code, "source_removed");
    ask_engine(Reconfigure{definitions});
    now += 61s;
    refresh();
    EXPECT_EQ(claim().size(), 1u);
}

TEST_F(Refreshing, ChargesOnlyWhoStartsAFlight)
{
    source("prices").manual_limit = {1, 1min};
    start();
    refresh();
    refresh();
    refresh();
    complete(claim().at(0), "[1]");
    const auto fourth = ask(refresh_of());
    ASSERT_FALSE(fourth.has_value());
    EXPECT_EQ(fourth.error().refusal, Refusal::limited);
    EXPECT_EQ(fourth.error().retry_at, now + 1min);
    now += 1min;
    EXPECT_TRUE(ask(refresh_of()).has_value());
}

TEST_F(Refreshing, ReplaysARequestWithTheSameIdempotencyKey)
{
    start();
    AskRefresh request = refresh_of();
    request.idempotency = IdempotencyScope{"refresh", "k1", hash128("a")};
    const auto first = ask(request);
    complete(claim().at(0), "[1]");
    const auto second = ask(request);
    ASSERT_TRUE(second.has_value());
    EXPECT_TRUE(second->replayed);
    EXPECT_EQ(second->job->id, first->job->id);
    request.idempotency->request = hash128("b");
    EXPECT_EQ(ask(request).error().refusal, Refusal::idempotency_reused);
}

TEST_F(Refreshing, ARemovedSourceEndsItsJobs)
{
    start();
    const Asked asked = refresh();
    definitions = std::make_shared<Definitions>();
    ask_engine(Reconfigure{definitions});
    EXPECT_EQ(job(asked.job->id).state, JobState::failed);
    EXPECT_EQ(job(asked.job->id).error->code, "source_removed");
}

TEST_F(Refreshing, WarmsWhatComesAfterASourceThatPublishedSomethingNew)
{
    source("totals").after = {"prices"};
    start();
    refresh("totals");
    complete(claim().at(0), "[0]");
    refresh();
    auto flights = claim();
    ASSERT_EQ(flights.size(), 1u);
    complete(flights[0], "[1]");
    flights = claim();
    ASSERT_EQ(flights.size(), 1u);
    EXPECT_EQ(flights[0].job->key, "totals");
    EXPECT_EQ(flights[0].job->trigger, Trigger::after);
    complete(flights[0], "[7]");
    refresh();
    complete(claim().at(0), "[1]");
    EXPECT_TRUE(claim().empty()) << "nothing new, nothing to warm";
}

TEST_F(Refreshing, AScheduleFiresByItself)
{
    source("prices").schedule.every = 1min;
    start();
    auto flights = claim();
    ASSERT_EQ(flights.size(), 1u) << "the first data does not wait for the first fire";
    complete(flights[0], "[1]");
    const auto wake = step();
    ASSERT_TRUE(wake.has_value());
    EXPECT_LE(*wake, now + 1min);
    now += 1min;
    flights = claim();
    ASSERT_EQ(flights.size(), 1u);
    EXPECT_EQ(flights[0].job->trigger, Trigger::schedule);
}

TEST_F(Refreshing, ACancelledJobNeverComesBack)
{
    start();
    const Asked asked = refresh();
    const auto flight = claim();
    ask_engine(CancelJob{asked.job->id, "default", "somebody"});
    EXPECT_EQ(job(asked.job->id).state, JobState::running);
    const Reply beaten = ask_engine(BeatWork{worker(), {{asked.job->id, {.fence = flight[0].job->fence}}}});
    EXPECT_EQ(std::get<Beaten>(*beaten).answers.at(0).word, BeatWord::cancel);
    now += 31s;
    step();
    EXPECT_EQ(job(asked.job->id).state, JobState::cancelled);
    EXPECT_TRUE(job(asked.job->id).forced);
    now += 24h;
    EXPECT_TRUE(claim().empty());
}

TEST_F(Refreshing, BeatsKeepALeaseAndProgressNeverGoesBack)
{
    start();
    const Asked asked = refresh();
    const auto flight = claim();
    const auto beat = [&](std::int64_t done) {
        Progress progress;
        progress.done = done;
        progress.total = 3;
        ask_engine(BeatWork{worker(), {{asked.job->id, {.fence = flight[0].job->fence, .progress = progress}}}});
    };
    for (int i = 0; i < 3; ++i) {
        now += 10s;
        beat(2 - i);
    }
    EXPECT_EQ(job(asked.job->id).state, JobState::running);
    complete(flight[0], "[1]");
    EXPECT_EQ(job(asked.job->id).progress.done, 2);
}

TEST_F(Refreshing, ASourceAtItsConcurrencyMakesOthersWait)
{
    auto& prices = source("prices");
    prices.params = {{"city", {"a", "b", "c"}, ""}};
    prices.concurrency = 2;
    start();
    for (const char* one : {"prices/a", "prices/b", "prices/c"}) refresh(one);
    const auto first = claim();
    ASSERT_EQ(first.size(), 2u);
    EXPECT_TRUE(claim().empty());
    complete(first[0], "[1]");
    EXPECT_EQ(claim().size(), 1u);
}

TEST_F(Refreshing, ASourceHandsOutNoMoreThanItsRate)
{
    auto& prices = source("prices");
    prices.params = {{"city", {"a", "b"}, ""}};
    prices.rate = {1, 10s};
    start();
    for (const char* one : {"prices/a", "prices/b"}) refresh(one);
    ASSERT_EQ(claim().size(), 1u);
    EXPECT_TRUE(claim().empty());
    now += 10s;
    EXPECT_EQ(claim().size(), 1u);
}

TEST_F(Refreshing, RefusesANewKeyWhereTheSourceHasAsManyAsItMay)
{
    auto& prices = source("prices");
    prices.params = {{"city", {"a", "b", "c"}, ""}};
    prices.keys_max = 2;
    start();
    refresh("prices/a");
    refresh("prices/b");
    EXPECT_EQ(ask(refresh_of("prices/c")).error().refusal, Refusal::keys_full);
    EXPECT_TRUE(refresh("prices/b").joined) << "keys that are there are asked for as before";
    start();
    EXPECT_EQ(ask(refresh_of("prices/c")).error().refusal, Refusal::keys_full);
}

TEST_F(Refreshing, APausedSourceHandsNothingOut)
{
    start();
    refresh();
    ask_engine(PauseSource{"prices", true, "default", "somebody"});
    EXPECT_TRUE(claim().empty());
    ask_engine(PauseSource{"prices", false, "default", "somebody"});
    EXPECT_EQ(claim().size(), 1u);
}

} // namespace
} // namespace freshet
