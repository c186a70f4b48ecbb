// SPDX-License-Identifier: Apache-2.0
// Questions to the store beside the engine: what is answered of a key, and the connections that are used for it.
#include "engine/engine_world.hpp"
#include "engine/reads.hpp"

#include <gmock/gmock.h>

namespace freshet {
namespace {

struct Reading : ::testing::Test, EngineWorld {
    Reading() { start(); }
    void publish_prices(const std::string& json, std::int64_t rows)
    {
        refresh();
        EXPECT_TRUE(complete(claim().at(0), json, rows));
    }

    int opened = 0;
    Reads reads{[this] {
        ++opened;
        return store->reader();
    }};
};

TEST_F(Reading, AKeyThatNobodyAskedForIsAnEmptyOneOfThatName)
{
    for (const auto& view : {reads.view("default", "prices"), reads.meta("default", "prices")}) {
        EXPECT_EQ(view->record.tenant, "default");
        EXPECT_EQ(view->record.key, "prices");
        EXPECT_FALSE(view->record.has_data);
        EXPECT_EQ(view->body, nullptr);
        EXPECT_FALSE(view->flight);
    }
}

TEST_F(Reading, AKeyComesWithItsBytesWhereTheyAreWanted)
{
    publish_prices("[1,2]", 2);
    const auto view = reads.view("default", "prices");
    EXPECT_EQ(view->record.gen, 1);
    ASSERT_TRUE(view->body);
    EXPECT_EQ(view->body->bytes, "[1,2]");
    EXPECT_EQ(view->body->rows, 2);
    EXPECT_EQ(view->body->hash, view->record.hash);
    const auto meta = reads.meta("default", "prices");
    EXPECT_EQ(meta->record, view->record);
    EXPECT_EQ(meta->body, nullptr);
}

TEST_F(Reading, BytesThatAreNotThereAreAFailureThatNamesThemAndNoEmptyAnswer)
{
    publish_prices("[1]", 1);
    auto t = store->begin();
    KeyRecord record = t->key("default", "prices").value();
    record.payload = 4711;
    t->put_key(record);
    t->commit();
    try {
        reads.view("default", "prices");
        FAIL() << "an answer without its bytes";
    } catch (const StoreFailure& failure) {
        EXPECT_THAT(failure.what(), testing::HasSubstr("payload 4711 is missing"));
    }
    EXPECT_TRUE(reads.meta("default", "prices")->record.has_data);
}

TEST_F(Reading, AVersionComesWithItsBytesAndOneThatIsGoneIsNone)
{
    publish_prices("[1]", 1);
    publish_prices("[1,2]", 2);
    const auto first = reads.version("default", "prices", 1);
    ASSERT_TRUE(first);
    EXPECT_EQ(first->body->bytes, "[1]");
    EXPECT_EQ(first->version.rows, 1);
    EXPECT_FALSE(reads.version("default", "prices", 3));
    EXPECT_FALSE(reads.version("default", "rates", 1));
}

TEST_F(Reading, KeysComeInTheirOrderEachWithItsFlightAndItsPause)
{
    source("rates");
    start();
    publish_prices("[1]", 1);
    refresh("rates");
    ASSERT_TRUE(ask_engine(PauseSource{"prices", true, "default", "somebody"}));
    const auto all = reads.keys("default", {}, {}, 10);
    ASSERT_EQ(all.size(), 2U);
    EXPECT_EQ(all[0]->record.key, "prices");
    EXPECT_TRUE(all[0]->paused);
    EXPECT_FALSE(all[0]->flight);
    EXPECT_EQ(all[1]->record.key, "rates");
    EXPECT_FALSE(all[1]->paused);
    ASSERT_TRUE(all[1]->flight);
    EXPECT_FALSE(all[1]->flight->running);
    EXPECT_EQ(reads.keys("default", {}, "prices", 10).size(), 1U);
}

TEST_F(Reading, TheFlightOfAKeyIsWhatRunsElseWhatWaitsForASlotAndNotWhatWaitsForARetry)
{
    EXPECT_FALSE(flight_of({}));
    Job queued;
    queued.id = JobId{3}, queued.trigger = Trigger::stale, queued.requested_at = now;
    Job running;
    running.id = JobId{2}, running.state = JobState::running;
    EXPECT_EQ(flight_of({queued}), (FlightView{JobId{3}, false, Trigger::stale, now}));
    EXPECT_EQ(flight_of({running, queued})->id, running.id);
    EXPECT_EQ(flight_of({queued, running})->id, running.id);
    EXPECT_TRUE(flight_of({queued, running})->running);
    queued.attempt = 1;
    EXPECT_FALSE(flight_of({queued})) << "it failed and is tried again later";
    EXPECT_EQ(flight_of({queued, running})->id, running.id);
}

TEST_F(Reading, OneConnectionServesAllQuestionsThatComeOneAfterAnother)
{
    for (int i = 0; i < 3; ++i) reads.meta("default", "prices");
    EXPECT_EQ(reads.epoch(), 1U);
    EXPECT_EQ(opened, 1);
}

TEST_F(Reading, AConnectionThatFailedIsNotUsedAgain)
{
    EXPECT_THROW(reads.in_one_view([](StoreReads&) { throw StoreFailure{"the disk is gone"}; }), StoreFailure);
    reads.meta("default", "prices");
    EXPECT_EQ(opened, 2);
}

} // namespace
} // namespace freshet
