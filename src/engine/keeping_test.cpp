// SPDX-License-Identifier: Apache-2.0
// What a key keeps of what its flights bring: what is published, what is held back, how many versions stay, what a
// purge takes.
#include "engine/engine_world.hpp"

namespace freshet {
namespace {

struct Keeping : ::testing::Test, EngineWorld {
    SnapshotState state() { return derive_freshness(key(), *definitions->source("prices"), now).state; }
};

TEST_F(Keeping, PublishesTheFirstResultInTheCommitThatEndsTheJob)
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

TEST_F(Keeping, RaisesGenButNotVerWhenTheContentIsTheSame)
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

TEST_F(Keeping, F8AFailureKeepsTheLastGood)
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

TEST_F(Keeping, F8AnEmptyResultAfterOneWithRowsIsHeldUntilAPersonDecides)
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

TEST_F(Keeping, BelievesTheSameShrunkContentTenMinutesLater)
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

TEST_F(Keeping, KeepsAsManyVersionsAsTheSourceSays)
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

TEST_F(Keeping, AHardPurgeRefusesTheFlightThatBeganBeforeIt)
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

TEST_F(Keeping, ASoftPurgeMarksStaleAndRefreshesInTheBackground)
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

TEST_F(Keeping, ASoftPurgeQueuesOneJobBehindAFlightThatBeganBeforeIt)
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

TEST_F(Keeping, ASoftPurgeMarksStaleWhereNothingCanBeRefreshed)
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

TEST_F(Keeping, ASoftPurgeDoesNotTryASourceAgainTooEarly)
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

TEST_F(Keeping, ASoftPurgeLetsNobodyGoOnFromWhatWasReadBeforeIt)
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

TEST_F(Keeping, AFlightOfAnOldDefinitionMayNotPublish)
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

TEST_F(Keeping, ALargePayloadIsWrittenAheadAndPublishedWhole)
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
