// SPDX-License-Identifier: Apache-2.0
// A reader who comes back, and one who is slow: what is joined, what is left out and told, when it is reset.
#include "http/streams/hub_test_world.hpp"

#include <gmock/gmock.h>

namespace freshet::streams::test {

namespace {

using testing::ElementsAre;

class HubResume : public HubFixture {};

TEST_F(HubResume, ResumesWithOnlyWhatCameLater)
{
    for (int i = 0; i < 4; ++i) world.change("rates");
    const auto reader = settled({"data/rates"}, id(2));
    EXPECT_THAT(reader->events(), ElementsAre("hello", "change", "change"));
    EXPECT_EQ(reader->got[0].text("/resume"), "ok");
    EXPECT_EQ(reader->got[0].id, "5:2");
    EXPECT_EQ(reader->got[1].number("/meta/ver"), 3);
    EXPECT_EQ(reader->got[2].id, "5:4");
}

// What is committed between the registration and the reading, or while what was read is on its way, is told once.
TEST_F(HubResume, F6JoinsTheLedgerToLiveNoticesWithoutGapOrDuplicate)
{
    world.change("rates");
    for (int published_before_read = 0; published_before_read < 2; ++published_before_read) {
        const std::int64_t from = world.ver("rates");
        const auto reader = open({"data/rates"}, id(world.head()));
        world.change("rates",
                     published_before_read == 1); // committed before the ledger is read, published before or after
        while (world.off_one()) {
        }
        world.change("rates"); // behind what was read
        world.settle();
        world.change("rates");
        std::vector<std::int64_t> vers;
        for (const auto& one : reader->got)
            if (one.event == "change") vers.push_back(one.number("/meta/ver"));
        EXPECT_THAT(vers, ElementsAre(from + 1, from + 2, from + 3));
    }
}

TEST_F(HubResume, AnswersACursorOfAnotherEpochByAResetAndState)
{
    world.change("rates");
    const auto reader = settled({"data/rates"}, "4:1");
    EXPECT_THAT(reader->events(), ElementsAre("hello", "reset", "snapshot", "live"));
    EXPECT_EQ(reader->got[0].text("/resume"), "reset");
    EXPECT_EQ(reader->got[1].text("/reason"), "epoch");
    EXPECT_EQ(reader->got[1].text("/from"), "4:1");
    EXPECT_EQ(reader->got[1].id, "5:0");
}

TEST_F(HubResume, AnswersACursorBelowTheFloorByAReset)
{
    world.change("rates");
    world.change("rates");
    world.clock.advance(1h);
    world.trim();
    const auto reader = settled({"data/rates"}, id(1));
    EXPECT_EQ(reader->got[0].text("/reason"), "too_old");
    EXPECT_THAT(reader->events(), ElementsAre("hello", "reset", "snapshot", "live"));
}

TEST_F(HubResume, AnswersACursorItNeverGaveByAReset)
{
    world.change("rates");
    EXPECT_EQ(settled({"data/rates"}, "5:99")->got[0].text("/reason"), "unknown");
    EXPECT_EQ(settled({"data/rates"}, "rubbish")->got[0].text("/reason"), "unknown");
    EXPECT_EQ(settled({"data/rates"}, "5:0")->got[0].text("/reason"), "incomplete");
}

TEST_F(HubResume, ResumesFreshnessWithTheRowsThatChanged)
{
    world.change("rates");
    world.change("news");
    const Seq seen = world.head();
    world.put_job(a_job(9)); // about key rates
    const auto reader = settled({"freshness"}, id(seen));
    EXPECT_THAT(reader->events(), ElementsAre("hello", "change"));
    EXPECT_EQ(reader->got[1].text("/items/0/key"), "rates");
    EXPECT_EQ(reader->got[1].text("/items/1/key"), "");
}

TEST_F(HubResume, GivesAPollItsCursorAndNotTheSameEndAgain)
{
    world.put_job(a_job(9, JobState::succeeded));
    const std::string topic = "job/" + freshet::to_text(JobId{9});
    const auto first = settled({topic}, {}, true);
    EXPECT_EQ(first->at, (Cursor{5, 1}));
    const auto next = settled({topic}, to_text(first->at), true);
    EXPECT_THAT(next->events(), ElementsAre("hello"));
    world.put_job(a_job(9, JobState::queued));
    EXPECT_THAT(next->events(), ElementsAre("hello", "job"));
    EXPECT_EQ(next->at, (Cursor{5, 2}));
}

// The reader takes nothing: what waits for it stays bounded, and what it gets in the end tells how much it missed.
TEST_F(HubResume, F6ConflatesASlowReaderToTheLatestAndSaysHowManyItMissed)
{
    world.change("rates");
    const auto reader = settled({"data/rates", "data/news"});
    reader->takes_all = false;
    for (int i = 0; i < 1000; ++i) world.change("rates", true, 4000);
    world.change("news");
    EXPECT_LT(reader->held_bytes, stream_backlog_max + 10'000);
    std::int64_t seen = 1, missed = 0;
    const std::size_t before = reader->got.size();
    while (!reader->held.empty()) {
        reader->take_all();
        world.hub->drained(reader->number);
    }
    for (std::size_t i = before; i < reader->got.size(); ++i) {
        const auto& one = reader->got[i];
        if (one.text("/topic") != "data/rates") continue;
        const std::int64_t ver = one.number("/meta/ver");
        const std::int64_t told = std::max<std::int64_t>(one.number("/missed"), 0);
        EXPECT_EQ(ver, seen + 1 + told);
        EXPECT_TRUE(told == 0 || one.data.find("\"diff\"") == std::string::npos);
        missed += told;
        seen = ver;
    }
    EXPECT_EQ(seen, 1001);
    EXPECT_GT(missed, 500);
    EXPECT_EQ(reader->last("change")->text("/topic"), "data/news");
    EXPECT_EQ(reader->last_id, id(world.head()));
}

// What was left out of the queue may not be covered by the id of something that is told before its successor.
TEST_F(HubResume, F6GivesNoIdInTheMidstOfWhatWasConflated)
{
    world.change("rates");
    const auto reader = settled({"data/rates", "data/news"});
    reader->takes_all = false;
    for (int i = 0; i < 120; ++i) world.change("rates", true, 4000);
    world.change("news");
    for (int i = 0; i < 300; ++i) world.change("rates", true, 4000);
    std::int64_t seen = 1;
    const auto take = [&](Reader& from) {
        const auto& one = from.got.back();
        if (one.text("/topic") != "data/rates") return;
        EXPECT_LE(one.number("/meta/ver"), seen + 1 + std::max<std::int64_t>(one.number("/missed"), 0));
        seen = std::max(seen, one.number("/meta/ver"));
    };
    const auto at_news = [&] { return reader->got.back().text("/topic") == "data/news"; };
    while (!at_news()) {
        if (reader->held.empty()) world.hub->drained(reader->number);
        ASSERT_TRUE(reader->take_one());
        take(*reader);
    }
    const std::string last_id = reader->last_id;
    world.hub->leave(reader->number); // cut right behind the news
    const auto again = settled({"data/rates", "data/news"}, last_id);
    Reader replayed;
    for (const auto& one : again->got) {
        replayed.got = {one};
        take(replayed);
    }
    EXPECT_EQ(seen, world.ver("rates"));
}

TEST_F(HubResume, F6ResetsAReaderThatIsTooSlowForItsManyTopics)
{
    const auto reader = settled({"data/prices/*"});
    reader->takes_all = false;
    for (int i = 0; i < 600; ++i) world.change("prices/k" + std::to_string(i), true, 2000);
    while (!reader->held.empty()) {
        reader->take_all();
        world.hub->drained(reader->number);
        world.settle();
    }
    ASSERT_NE(reader->last("reset"), nullptr);
    EXPECT_EQ(reader->last("reset")->text("/reason"), "slow");
    EXPECT_LT(reader->most_bytes, stream_backlog_max + 70'000);
    std::set<std::string> shown;
    bool after_reset = false;
    for (const auto& one : reader->got) {
        if (one.event == "reset") after_reset = true, shown.clear();
        if (after_reset && one.event == "snapshot") shown.insert(one.text("/topic"));
    }
    EXPECT_EQ(shown.size(), 600u);
    EXPECT_EQ(reader->got.back().event, "live");
}

TEST_F(HubResume, SendsAReaderAwayThatTakesNothingForTwoMinutes)
{
    world.change("rates");
    const auto reader = settled({"data/rates"});
    reader->takes_all = false;
    for (int i = 0; i < 80; ++i) world.change("rates", true, 4000);
    world.pass(3min);
    EXPECT_TRUE(reader->closed);
    EXPECT_EQ(reader->held.back()->event(), "goodbye");
    EXPECT_EQ(world.hub->streams(), 0u);
}

// One seed is one whole history of commits, cuts, slow takes and late publishing. Whatever happens, a reader who comes
// back with the id it has seen every version in order, or is told how many it missed, or is reset and given the state.
TEST_F(HubResume, F6CutAtRandomSeesEveryVersionOrIsTold)
{
    int resumed = 0, told_missed = 0, was_reset = 0;
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
        const auto keep = std::make_unique<World>();
        World& w = *keep;
        HubOptions options;
        options.epoch = 5;
        options.seed = seed;
        w.hub = std::make_unique<Hub>(std::shared_ptr<HubHost>{std::shared_ptr<void>{}, &w}, options);
        Rng rng{seed};
        std::shared_ptr<Reader> reader;
        std::string last_id;
        std::int64_t seen = 0;
        const auto connect = [&] {
            reader = std::make_shared<Reader>();
            reader->takes_all = false;
            OpenStream request{tenant_name, "", {"data/rates", "freshness"}, {}, false};
            if (!last_id.empty()) request.cursor = last_id;
            reader->number = w.hub->open(
                std::move(request), [reader](const StreamRefusal*) -> std::shared_ptr<FrameSink> { return reader; });
        };
        const auto take = [&] {
            if (!reader->take_one()) return;
            const auto& one = reader->got.back();
            if (!one.id.empty()) last_id = one.id;
            if (one.event == "hello" && one.text("/resume") == "ok") ++resumed;
            if (one.event == "reset") ++was_reset;
            if (one.text("/topic") != "data/rates") return;
            const std::int64_t ver = one.number("/meta/ver");
            if (one.event == "snapshot") {
                ASSERT_GE(ver, seen) << "seed " << seed;
            } else {
                const std::int64_t missed = std::max<std::int64_t>(one.number("/missed"), 0);
                told_missed += missed > 0;
                ASSERT_LE(ver, seen + 1 + missed) << "a version is missing, seed " << seed;
            }
            seen = std::max(seen, ver);
            if (reader->held.empty()) w.hub->drained(reader->number);
        };
        w.change("rates");
        connect();
        for (int step = 0; step < 400; ++step) {
            switch (rng.below(10)) {
            case 0:
            case 1:
            case 2: w.change("rates", rng.below(2) == 0, rng.below(3) == 0 ? 30'000 : 10); break;
            case 3: w.change(rng.below(2) == 0 ? "news" : "prices/usd", rng.below(2) == 0); break;
            case 4: w.publish_all(); break;
            case 5: w.off_one(); break;
            case 6: w.back_one(); break;
            case 7:
                for (std::uint64_t n = rng.below(8); n > 0; --n) take();
                break;
            case 8: w.pass(Millis{static_cast<std::int64_t>(rng.below(300))}); break;
            case 9:
                if (rng.below(3) != 0) break;
                w.hub->leave(reader->number); // what it had not taken is lost with the connection
                connect();
                break;
            }
            if (rng.below(100) == 0)
                for (int burst = 0; burst < 300; ++burst) w.change("rates", true, 2000);
            if (HasFatalFailure()) return;
        }
        w.settle();
        w.pass(1s);
        for (int round = 0; round < 200; ++round) {
            while (!reader->held.empty()) take();
            if (reader->closed) connect(); // it was sent away as too slow, and comes back
            w.hub->drained(reader->number);
            w.settle();
        }
        ASSERT_EQ(seen, w.ver("rates")) << "the last version never came, seed " << seed;
    }
    EXPECT_GT(resumed, 50);
    EXPECT_GT(told_missed, 0);
    EXPECT_GT(was_reset, 0);
}

} // namespace
} // namespace freshet::streams::test
