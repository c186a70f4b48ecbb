// SPDX-License-Identifier: Apache-2.0
#include "engine/engine_world.hpp"

namespace freshet {
namespace {

struct Refreshing : ::testing::Test, EngineWorld {
    SnapshotState state() { return derive_freshness(key(), *definitions->source("prices"), now).state; }
};

TEST_F(Refreshing, PublishesTheFirstResultInTheCommitThatEndsTheJob)
{
    start();
    const Asked asked = refresh();
    EXPECT_FALSE(asked.joined);
    const auto claimed = claim();
    ASSERT_EQ(claimed.size(), 1u);
    notices.clear();
    complete(claimed[0], "[1,2,3]");
    ASSERT_EQ(notices.size(), 1u);
    ASSERT_EQ(notices[0]->keys.size(), 1u);
    EXPECT_EQ(notices[0]->keys[0]->body->bytes, "[1,2,3]");
    EXPECT_FALSE(notices[0]->keys[0]->flight);
    EXPECT_EQ(job(asked.job->id).state, JobState::succeeded);
    EXPECT_EQ(job(asked.job->id).outcome, Outcome::updated);
    EXPECT_EQ(key().gen, 1);
    EXPECT_EQ(key().ver, 1);
}

TEST_F(Refreshing, RaisesGenButNotVerWhenTheContentIsTheSame)
{
    start();
    refresh();
    complete(claim().at(0), "[1]");
    const Asked again = refresh();
    complete(claim().at(0), "[1]");
    EXPECT_EQ(key().gen, 2);
    EXPECT_EQ(key().ver, 1);
    EXPECT_EQ(job(again.job->id).outcome, Outcome::unchanged);
}

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

TEST_F(Refreshing, F8AFailureKeepsTheLastGood)
{
    start();
    refresh();
    complete(claim().at(0), "[1,2]");
    const Asked asked = refresh();
    for (int i = 0; i < 3; ++i) {
        now += 5min;
        fail(claim().at(0));
    }
    EXPECT_EQ(job(asked.job->id).state, JobState::failed);
    EXPECT_TRUE(key().has_data);
    EXPECT_EQ(key().gen, 1);
    EXPECT_EQ(key().attempts, 3);
    EXPECT_EQ(key().error->code, "http_status");
}

TEST_F(Refreshing, F8AnEmptyResultAfterOneWithRowsIsHeldUntilAPersonDecides)
{
    start();
    refresh();
    complete(claim().at(0), "[1,2]", 2);
    const Asked asked = refresh();
    complete(claim().at(0), "[]", 0);
    EXPECT_EQ(job(asked.job->id).state, JobState::failed);
    EXPECT_EQ(job(asked.job->id).outcome, Outcome::held);
    EXPECT_EQ(key().gen, 1);
    ASSERT_TRUE(key().held.has_value());
    const auto accepted = ask_engine(DecideHeld{"default", "prices", "prices", true, asked.job->id, "somebody"});
    ASSERT_TRUE(accepted.has_value());
    EXPECT_EQ(key().gen, 2);
    EXPECT_EQ(key().ver, 2);
    EXPECT_FALSE(key().held.has_value());
    EXPECT_EQ(job(asked.job->id).state, JobState::succeeded);
}

TEST_F(Refreshing, BelievesTheSameShrunkContentTenMinutesLater)
{
    source("prices").guard.shrink = 0.5;
    start();
    refresh();
    complete(claim().at(0), "[1,2,3,4]", 4);
    refresh();
    complete(claim().at(0), "[1]", 1);
    EXPECT_EQ(key().held->reason, HeldReason::shrunk);
    now += 9min;
    refresh();
    complete(claim().at(0), "[1]", 1);
    EXPECT_TRUE(key().held.has_value());
    now += 1min;
    refresh();
    complete(claim().at(0), "[1]", 1);
    EXPECT_FALSE(key().held.has_value());
    EXPECT_EQ(key().rows, 1);
}

TEST_F(Refreshing, KeepsAsManyVersionsAsTheSourceSays)
{
    source("prices").versions_max = 3;
    start();
    std::vector<std::size_t> counts;
    for (int i = 0; i < 5; ++i) {
        refresh();
        complete(claim().at(0), "[" + std::to_string(i) + "]");
        counts.push_back(store->begin()->versions("default", "prices", 0, 50).size());
    }
    EXPECT_EQ(counts, (std::vector<std::size_t>{1, 2, 3, 3, 3}));
    EXPECT_EQ(store->begin()->versions("default", "prices", 0, 50).front().ver, 5);
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

TEST_F(Refreshing, AHardPurgeRefusesTheFlightThatBeganBeforeIt)
{
    start();
    refresh();
    complete(claim().at(0), "[1]");
    const Asked asked = refresh();
    const auto flight = claim();
    ASSERT_TRUE(ask_engine(PurgeKey{"default", "prices", "prices", PurgeMode::hard, "somebody"}).has_value());
    EXPECT_FALSE(key().has_data);
    complete(flight[0], "[2]");
    EXPECT_EQ(job(asked.job->id).state, JobState::failed);
    EXPECT_EQ(job(asked.job->id).error->code, "purged");
    EXPECT_FALSE(key().has_data);
    refresh();
    complete(claim().at(0), "[3]");
    EXPECT_EQ(key().gen, 2) << "numbers go on where they were";
    EXPECT_EQ(key().ver, 2);
}

TEST_F(Refreshing, ASoftPurgeMarksStaleAndRefreshesInTheBackground)
{
    start();
    refresh();
    complete(claim().at(0), "[1]");
    const auto read_at = key().read_at;
    now += 10s;
    const Reply reply = ask_engine(PurgeKey{"default", "prices", "prices", PurgeMode::soft, "somebody"});
    ASSERT_TRUE(reply.has_value());
    const auto& purged = std::get<Purged>(*reply);
    ASSERT_TRUE(purged.job);
    EXPECT_TRUE(key().has_data) << "shown on until the new one is there";
    EXPECT_EQ(state(), SnapshotState::stale);
    EXPECT_EQ(key().read_at, read_at) << "a purge is no reader";
    EXPECT_EQ(job(purged.job).trigger, Trigger::purge);
    EXPECT_EQ(job(purged.job).priority, 1) << "in the background";
    complete(claim().at(0), "[2]");
    EXPECT_EQ(job(purged.job).outcome, Outcome::updated);
    EXPECT_EQ(state(), SnapshotState::fresh);
}

TEST_F(Refreshing, ASoftPurgeQueuesOneJobBehindAFlightThatBeganBeforeIt)
{
    start();
    refresh();
    complete(claim().at(0), "[1]");
    const Asked asked = refresh();
    const auto flight = claim();
    JobId behind;
    for (int i = 0; i < 2; ++i) {
        const Reply reply = ask_engine(PurgeKey{"default", "prices", "prices", PurgeMode::soft, "somebody"});
        ASSERT_TRUE(reply.has_value());
        behind = std::get<Purged>(*reply).job;
    }
    EXPECT_NE(behind, asked.job->id);
    complete(flight[0], "[2]");
    EXPECT_EQ(state(), SnapshotState::stale) << "it was read before the purge";
    const auto trailing = claim();
    ASSERT_EQ(trailing.size(), 1U);
    EXPECT_EQ(trailing[0].job->id, behind);
    complete(trailing[0], "[3]");
    EXPECT_EQ(state(), SnapshotState::fresh);
    EXPECT_TRUE(claim().empty()) << "one for both";
}

TEST_F(Refreshing, ASoftPurgeMarksStaleWhereNothingCanBeRefreshed)
{
    start();
    refresh();
    complete(claim().at(0), "[1]");
    const PurgeKey soft{"default", "prices", "prices", PurgeMode::soft, "somebody"};
    PurgeKey refreshing = soft;
    refreshing.mode = PurgeMode::refresh;
    no_room = "the disk is full";
    const Reply refused = ask_engine(refreshing);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().refusal, Refusal::storage_full);
    EXPECT_EQ(state(), SnapshotState::fresh) << "what is refused changes nothing";
    const Reply reply = ask_engine(soft);
    ASSERT_TRUE(reply.has_value());
    EXPECT_FALSE(std::get<Purged>(*reply).job);
    EXPECT_EQ(state(), SnapshotState::stale);
}

TEST_F(Refreshing, ASoftPurgeDoesNotTryASourceAgainTooEarly)
{
    source("prices").retry.attempts = 1;
    start();
    refresh();
    complete(claim().at(0), "[1]");
    refresh();
    fail(claim().at(0));
    ASSERT_TRUE(key().retry_at);
    const Reply soft = ask_engine(PurgeKey{"default", "prices", "prices", PurgeMode::soft, "somebody"});
    ASSERT_TRUE(soft.has_value());
    EXPECT_FALSE(std::get<Purged>(*soft).job);
    const Reply refreshing = ask_engine(PurgeKey{"default", "prices", "prices", PurgeMode::refresh, "somebody"});
    ASSERT_TRUE(refreshing.has_value());
    EXPECT_TRUE(std::get<Purged>(*refreshing).job) << "as a person asks";
}

TEST_F(Refreshing, ASoftPurgeLetsNobodyGoOnFromWhatWasReadBeforeIt)
{
    start();
    refresh();
    complete(claim().at(0), "[1]");
    const Asked asked = refresh();
    const auto first = claim();
    Beat beat{.fence = first.at(0).job->fence};
    beat.checkpoint = R"({"page":4})";
    ASSERT_TRUE(ask_engine(BeatWork{worker(), {{asked.job->id, beat}}}));
    fail(first[0]);
    ASSERT_EQ(job(asked.job->id).state, JobState::queued);
    const Reply soft = ask_engine(PurgeKey{"default", "prices", "prices", PurgeMode::soft, "somebody"});
    ASSERT_TRUE(soft.has_value());
    EXPECT_EQ(std::get<Purged>(*soft).job, asked.job->id);
    now += 1min;
    const auto again = claim();
    ASSERT_EQ(again.size(), 1U);
    EXPECT_EQ(again[0].job->checkpoint, "");
    complete(again[0], "[2]");
    EXPECT_EQ(state(), SnapshotState::fresh);
}

TEST_F(Refreshing, AFlightOfAnOldDefinitionMayNotPublish)
{
    start();
    refresh();
    const auto flight = claim();
    source("prices").hash = 99;
    ask_engine(Reconfigure{definitions});
    complete(flight[0], "[1]");
    EXPECT_FALSE(key().has_data);
    now += 1min;
    complete(claim().at(0), "[2]");
    EXPECT_EQ(key().definition, 99u);
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

TEST_F(Refreshing, ALargePayloadIsWrittenAheadAndPublishedWhole)
{
    start();
    refresh();
    const auto flight = claim();
    const std::string json = "[\"" + std::string(1'000'000, 'x') + "\"]";
    std::optional<Reply> got;
    std::vector<Posted> group;
    group.push_back({CompleteJob{flight[0].job->id, flight[0].job->fence, result_of(json, 1)}, -1,
                     [&](Reply reply) { got = std::move(reply); }});
    EXPECT_EQ(step(std::move(group)), now) << "there is more to write";
    EXPECT_FALSE(got.has_value());
    for (int i = 0; i < 10 && !got; ++i) step();
    ASSERT_TRUE(got.has_value());
    const std::int64_t payload = key().payload;
    EXPECT_EQ(store->begin()->payload(payload), json);
}

} // namespace
} // namespace freshet
