// SPDX-License-Identifier: Apache-2.0
// What each topic tells of data, freshness and jobs: first the present state, then what changes.
#include "http/streams/hub_test_world.hpp"

#include <gmock/gmock.h>

namespace freshet::streams::test {

namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class HubTest : public HubFixture {};

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

TEST_F(HubTest, AnswersAReaderWhoseStreamEndedBeforeItBegan)
{
    const auto reader = open({"data/prices/eu"});
    world.hub->stop("stopping");
    EXPECT_FALSE(reader->refused);
    world.settle();
    EXPECT_TRUE(reader->refused);
    EXPECT_EQ(reader->refusal.status, 503);
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

TEST_F(HubTest, TellsARowThatNoEventSpeaksOf)
{
    world.change("rates");
    const auto reader = settled({"freshness"});
    world.pause("rates");
    world.pass(250ms);
    EXPECT_EQ(reader->got.back().event, "change");
    EXPECT_THAT(reader->got.back().data, HasSubstr("\"paused\":true"));
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

} // namespace
} // namespace freshet::streams::test
