// SPDX-License-Identifier: Apache-2.0
#include "http/streams/hub_test_world.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace freshet::streams::test {

namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class HubTest : public testing::Test {
protected:
    HubTest() { start(); }

    void start()
    {
        HubOptions options;
        options.epoch = 5;
        options.stream_prefix = "s_test-0";
        options.server = "freshet/test";
        world.hub = std::make_unique<Hub>(std::shared_ptr<HubHost>{std::shared_ptr<void>{}, &world}, options);
    }

    std::shared_ptr<Reader> open(std::vector<std::string> topics, std::optional<std::string> cursor = {},
                                 bool poll = false)
    {
        auto reader = std::make_shared<Reader>();
        OpenStream request{tenant_name, "", std::move(topics), std::move(cursor), poll};
        reader->number =
            world.hub->open(std::move(request), [reader](const StreamRefusal* refusal) -> std::shared_ptr<FrameSink> {
                if (refusal == nullptr) return reader;
                reader->refused = true;
                reader->refusal = *refusal;
                return nullptr;
            });
        return reader;
    }
    std::shared_ptr<Reader> settled(std::vector<std::string> topics, std::optional<std::string> cursor = {},
                                    bool poll = false)
    {
        auto reader = open(std::move(topics), std::move(cursor), poll);
        world.settle();
        return reader;
    }
    std::string id(Seq seq) { return to_text(Cursor{5, seq}); }

    World world;
};

TEST_F(HubTest, BeginsWithHelloThePresentStateAndLive)
{
    world.change("rates");
    world.change("rates");
    const auto reader = settled({"data/rates"});
    EXPECT_THAT(reader->events(), ElementsAre("hello", "snapshot", "live"));
    EXPECT_EQ(reader->got[0].text("/resume"), "new");
    EXPECT_EQ(reader->got[0].number("/beat_ms"), 15000);
    EXPECT_EQ(reader->got[0].id, "5:0");
    EXPECT_EQ(reader->got[1].id, "5:0");
    EXPECT_EQ(reader->got[1].number("/meta/ver"), 2);
    EXPECT_EQ(reader->got[1].number("/data/ver"), 2);
    EXPECT_EQ(reader->got[2].id, "5:2");
    world.change("rates");
    EXPECT_EQ(reader->got.back().event, "change");
    EXPECT_EQ(reader->got.back().id, "5:3");
}

TEST_F(HubTest, TellsNothingOfOtherTopics)
{
    world.change("rates");
    const auto reader = settled({"data/rates"});
    world.change("news");
    world.put_job(a_job(9));
    EXPECT_THAT(reader->events(), ElementsAre("hello", "snapshot", "live"));
}

TEST_F(HubTest, ShowsAnEmptyKeyWithoutStartingWork)
{
    const auto reader = settled({"data/rates"});
    EXPECT_EQ(reader->got[1].text("/meta/state"), "empty");
}

TEST_F(HubTest, NamesLargeDataByItsHref)
{
    world.change("rates", true, inline_bytes_max);
    const auto reader = settled({"data/rates"});
    EXPECT_EQ(reader->got[1].text("/href"), "/v1/data/rates/versions/1");
    EXPECT_LT(reader->got[1].data.size(), 2000u);
}

TEST_F(HubTest, ResumesWithOnlyWhatCameLater)
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
TEST_F(HubTest, F6JoinsTheLedgerToLiveNoticesWithoutGapOrDuplicate)
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

// A commit that is on disk but not yet published to every loop may not be told: a reader who then asks another loop
// would be shown less.
TEST_F(HubTest, F4TellsNothingThatIsNotPublishedYet)
{
    world.change("rates");
    settled({"data/rates"});
    world.change("rates", false);
    const auto reader = open({"data/rates"}, id(1));
    while (world.off_one() || world.back_one()) {
    }
    EXPECT_THAT(reader->events(), ElementsAre("hello"));
    world.publish_all();
    EXPECT_THAT(reader->events(), ElementsAre("hello", "change"));
}

TEST_F(HubTest, F4ShowsNoRowThatIsNotPublishedYet)
{
    world.change("rates");
    settled({"freshness"});
    world.change("rates", false);
    const auto reader = open({"freshness"});
    while (world.off_one() || world.back_one()) {
    }
    EXPECT_THAT(reader->events(), ElementsAre("hello"));
    world.settle();
    EXPECT_EQ(reader->last("snapshot")->number("/items/0/ver"), 2);
}

TEST_F(HubTest, AnswersACursorOfAnotherEpochByAResetAndState)
{
    world.change("rates");
    const auto reader = settled({"data/rates"}, "4:1");
    EXPECT_THAT(reader->events(), ElementsAre("hello", "reset", "snapshot", "live"));
    EXPECT_EQ(reader->got[0].text("/resume"), "reset");
    EXPECT_EQ(reader->got[1].text("/reason"), "epoch");
    EXPECT_EQ(reader->got[1].text("/from"), "4:1");
    EXPECT_EQ(reader->got[1].id, "5:0");
}

TEST_F(HubTest, AnswersACursorBelowTheFloorByAReset)
{
    world.change("rates");
    world.change("rates");
    world.clock.advance(1h);
    world.trim();
    const auto reader = settled({"data/rates"}, id(1));
    EXPECT_EQ(reader->got[0].text("/reason"), "too_old");
    EXPECT_THAT(reader->events(), ElementsAre("hello", "reset", "snapshot", "live"));
}

TEST_F(HubTest, AnswersACursorItNeverGaveByAReset)
{
    world.change("rates");
    EXPECT_EQ(settled({"data/rates"}, "5:99")->got[0].text("/reason"), "unknown");
    EXPECT_EQ(settled({"data/rates"}, "rubbish")->got[0].text("/reason"), "unknown");
    EXPECT_EQ(settled({"data/rates"}, "5:0")->got[0].text("/reason"), "incomplete");
}

TEST_F(HubTest, TellsTheConcreteTopicUnderAStarAndOnceToAReaderOfBoth)
{
    world.change("prices/usd");
    world.change("prices/eur");
    const auto reader = settled({"data/prices/*", "data/prices/usd"});
    EXPECT_THAT(reader->events(), ElementsAre("hello", "snapshot", "snapshot", "snapshot", "live"));
    world.change("prices/usd");
    EXPECT_EQ(reader->got.size(), 6u);
    EXPECT_EQ(reader->got.back().text("/topic"), "data/prices/usd");
}

TEST_F(HubTest, TellsARefreshThatBeganWithoutAnId)
{
    world.change("rates");
    const auto reader = settled({"data/rates"});
    world.flight("rates");
    EXPECT_EQ(reader->got.back().event, "change");
    EXPECT_EQ(reader->got.back().id, "");
    EXPECT_THAT(reader->got.back().data, HasSubstr("\"refreshing\":true"));
}

TEST_F(HubTest, F6TellsTheEndOfAJobAgainOnEveryConnect)
{
    world.put_job(a_job(9, JobState::running));
    world.put_job(a_job(9, JobState::succeeded));
    const std::string topic = "job/" + freshet::to_text(JobId{9});
    const auto first = settled({topic});
    EXPECT_THAT(first->events(), ElementsAre("hello", "snapshot", "live"));
    EXPECT_EQ(first->got[1].text("/job/state"), "succeeded");
    const auto again = settled({topic}, first->last_id);
    EXPECT_THAT(again->events(), ElementsAre("hello", "job"));
    EXPECT_EQ(again->got[1].text("/job/state"), "succeeded");
    EXPECT_EQ(again->got[1].id, "");
}

TEST_F(HubTest, RefusesAJobThatIsNotThereAndTopicsItDoesNotKnow)
{
    EXPECT_EQ(settled({"job/" + freshet::to_text(JobId{77})})->refusal.status, 404);
    EXPECT_EQ(settled({"data/nothing"})->refusal.status, 404);
    EXPECT_EQ(settled({"data/prices"})->refusal.status, 404);
    EXPECT_EQ(settled({"weather"})->refusal.status, 404);
    EXPECT_EQ(settled({})->refusal.status, 400);
    EXPECT_EQ(world.hub->streams(), 0u);
}

TEST_F(HubTest, F9ShowsNoJobOfAnotherTenant)
{
    world.put_job(a_job(9));
    auto reader = std::make_shared<Reader>();
    world.hub->open({"other", "", {"job/" + freshet::to_text(JobId{9})}, {}, false}, [&](const StreamRefusal* refusal) {
        reader->refused = refusal != nullptr;
        return std::shared_ptr<FrameSink>{};
    });
    world.settle();
    EXPECT_TRUE(reader->refused);
}

TEST_F(HubTest, SendsProgressWithoutAnId)
{
    world.put_job(a_job(9));
    const auto reader = settled({"job/" + freshet::to_text(JobId{9})});
    Job job = a_job(9);
    job.tenant = tenant_name;
    job.progress = {1, "fit", 0, 1, 3, 10, "", ""};
    world.notice().progress.push_back(std::make_shared<const Job>(job));
    world.publish_all();
    EXPECT_EQ(reader->got.back().event, "job");
    EXPECT_EQ(reader->got.back().id, "");
    EXPECT_EQ(reader->got.back().number("/job/progress/done"), 3);
}

TEST_F(HubTest, BeatsEvery15SecondsWithTheHeadItHasCaughtUpTo)
{
    world.change("rates");
    const auto reader = settled({"data/rates"});
    world.change("news"); // moves the head without a frame here
    world.pass(15s);
    ASSERT_NE(reader->last("beat"), nullptr);
    EXPECT_EQ(reader->last("beat")->id, "5:1");
    world.change("rates");
    world.pass(30s);
    EXPECT_EQ(reader->last("beat")->id, "5:3");
    EXPECT_EQ(std::ranges::count(reader->events(), "beat"), 3);
}

TEST_F(HubTest, SharesOneEncodedFrameAmongItsReaders)
{
    world.change("rates");
    const auto one = settled({"data/rates"}), two = settled({"data/rates"});
    one->takes_all = two->takes_all = false;
    world.change("rates");
    ASSERT_EQ(one->held.size(), 1u);
    EXPECT_EQ(one->held.front()->text(), two->held.front()->text());
}

// The reader takes nothing: what waits for it stays bounded, and what it gets in the end tells how much it missed.
TEST_F(HubTest, F6ConflatesASlowReaderToTheLatestAndSaysHowManyItMissed)
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
TEST_F(HubTest, F6GivesNoIdInTheMidstOfWhatWasConflated)
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

TEST_F(HubTest, TellsARowThatNoEventSpeaksOf)
{
    world.change("rates");
    const auto reader = settled({"freshness"});
    world.pause("rates");
    world.pass(250ms);
    EXPECT_EQ(reader->got.back().event, "change");
    EXPECT_THAT(reader->got.back().data, HasSubstr("\"paused\":true"));
}

TEST_F(HubTest, F6ResetsAReaderThatIsTooSlowForItsManyTopics)
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

TEST_F(HubTest, SendsAReaderAwayThatTakesNothingForTwoMinutes)
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

TEST_F(HubTest, TellsRowsOfFreshnessAtMostFourTimesASecond)
{
    world.change("rates");
    const auto reader = settled({"freshness"});
    EXPECT_THAT(reader->events(), ElementsAre("hello", "snapshot", "live"));
    EXPECT_EQ(reader->got[1].text("/items/0/key"), "rates");
    for (int i = 0; i < 20; ++i) {
        world.change("rates");
        world.change("news");
        world.pass(50ms);
    }
    world.pass(250ms);
    const auto changes = std::ranges::count(reader->events(), "change");
    EXPECT_GE(changes, 4);
    EXPECT_LE(changes, 6);
    EXPECT_EQ(reader->got.back().id, id(world.head()));
    EXPECT_EQ(reader->got.back().number("/items/1/ver"), 21);
}

TEST_F(HubTest, ShowsTheKeysThatTheListOfFreshnessShows)
{
    world.change("rates");
    world.change("news");
    // The config has another source by now, which nobody read yet, and one less.
    auto other = std::make_shared<Definitions>(*world.definitions_);
    other->sources["quiet"] = other->sources.at("rates");
    other->sources.erase("news");
    world.definitions_ = other;
    const auto reader = settled({"freshness"});
    const auto* shown = reader->last("snapshot");
    EXPECT_EQ(shown->text("/items/0/key"), "rates");
    EXPECT_EQ(shown->text("/items/1/key"), "quiet");
    EXPECT_EQ(shown->text("/items/1/state"), "empty");
    EXPECT_THAT(shown->data, Not(HasSubstr("news")));
}

TEST_F(HubTest, ShowsAKeyThatNobodyReadOnceBehindAllPages)
{
    world.change("news");
    for (int i = 0; i < 120; ++i) world.change("prices/k" + std::to_string(i));
    const auto reader = settled({"freshness"});
    std::string all;
    for (const auto& one : reader->got)
        if (one.event == "snapshot") all += one.data;
    const auto count = [&](std::string_view key) {
        int found = 0;
        for (auto at = all.find(key); at != std::string::npos; at = all.find(key, at + 1)) ++found;
        return found;
    };
    EXPECT_EQ(count("\"key\":\"news\""), 1);
    EXPECT_EQ(count("\"key\":\"rates\""), 1);
    EXPECT_THAT(reader->last("snapshot")->data, HasSubstr("\"key\":\"rates\""));
}

TEST_F(HubTest, GivesNoIdBeforeTheRowsItSpeaksFor)
{
    world.change("rates");
    const auto reader = settled({"freshness", "data/rates"});
    world.change("rates"); // told at once, with its rows
    world.change("rates"); // its rows wait for the next quarter of a second
    EXPECT_EQ(reader->got.back().text("/topic"), "data/rates");
    EXPECT_EQ(reader->got.back().id, "");
    EXPECT_NE(reader->last_id, id(world.head()));
    world.pass(250ms);
    EXPECT_EQ(reader->got.back().text("/topic"), "freshness");
    EXPECT_EQ(reader->got.back().id, id(world.head()));
}

TEST_F(HubTest, ResumesFreshnessWithTheRowsThatChanged)
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

TEST_F(HubTest, TellsTheJobsOfAQueueLatestFirstThenAsTheyChange)
{
    world.put_job(a_job(9));
    const auto reader = settled({"jobs/rates"});
    EXPECT_EQ(reader->got[1].text("/items/0/state"), "running");
    world.put_job(a_job(10, JobState::running, "news"));
    world.put_job(a_job(10, JobState::failed, "news"));
    world.put_job(a_job(9, JobState::succeeded));
    world.pass(250ms);
    std::map<std::string, std::string> last;
    for (const auto& one : reader->got)
        if (one.event == "job") last[one.text("/topic")] = one.text("/job/state");
    EXPECT_EQ(last.size(), 2u);
    EXPECT_EQ(last["job/" + freshet::to_text(JobId{9})], "succeeded");
    EXPECT_EQ(last["job/" + freshet::to_text(JobId{10})], "failed");
    EXPECT_EQ(reader->last_id, id(world.head()));
}

TEST_F(HubTest, AddsAndDropsTopicsOnAnOpenStream)
{
    world.change("rates");
    world.change("news");
    const auto reader = settled({"data/rates"});
    const std::string name = reader->got[0].text("/stream");
    std::vector<std::string> topics;
    world.hub->change(name, tenant_name, {"data/news"}, {"data/rates"}, [&](auto now) { topics = now.value(); });
    world.settle();
    EXPECT_THAT(topics, ElementsAre("data/news"));
    EXPECT_EQ(reader->got.back().event, "snapshot");
    EXPECT_EQ(reader->got.back().id, "");
    const std::size_t before = reader->got.size();
    world.change("rates");
    EXPECT_EQ(reader->got.size(), before);
    world.change("news");
    EXPECT_EQ(reader->got.back().text("/topic"), "data/news");

    int status = 0;
    world.hub->change(name, "other", {"data/news"}, {}, [&](auto now) { status = now.error().status; });
    EXPECT_EQ(status, 404);
}

TEST_F(HubTest, TellsAReloadedConfigByAResetAndState)
{
    world.change("rates");
    const auto reader = settled({"data/rates"});
    world.notice().definitions = world.definitions_;
    world.publish_all();
    world.settle();
    EXPECT_THAT(reader->events(), ElementsAre("hello", "snapshot", "live", "reset", "snapshot", "live"));
    EXPECT_EQ(reader->got[3].text("/reason"), "config");
}

TEST_F(HubTest, SaysGoodbyeWhenTheServerStops)
{
    const auto reader = settled({"freshness"});
    world.hub->stop("stopping");
    EXPECT_TRUE(reader->closed);
    EXPECT_EQ(reader->got.back().event, "goodbye");
    EXPECT_EQ(reader->got.back().text("/reason"), "stopping");
    EXPECT_GE(reader->got.back().number("/retry_ms"), 500);
    EXPECT_EQ(settled({"freshness"})->refusal.status, 503);
}

TEST_F(HubTest, GivesAPollItsCursorAndNotTheSameEndAgain)
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

// One seed is one whole history of commits, cuts, slow takes and late publishing. Whatever happens, a reader who comes
// back with the id it has seen every version in order, or is told how many it missed, or is reset and given the state.
TEST_F(HubTest, F6CutAtRandomSeesEveryVersionOrIsTold)
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
