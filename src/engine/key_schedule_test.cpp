// SPDX-License-Identifier: Apache-2.0
// Schedules of keys: what fires, what is left out and why, and what reloads, tenants and a stepped clock change.
#include "engine/engine_world.hpp"

#include <gmock/gmock.h>

namespace freshet {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

class KeySchedules : public ::testing::Test, public EngineWorld {
protected:
    SourceSchedule& schedule(const std::string& name = "prices") { return source(name).schedule; }
    /// Begins, and gives the key its first data, which does not wait for the first fire.
    void begin(const std::string& text = "prices")
    {
        start();
        complete(claim().at(0), "[1]");
        ASSERT_TRUE(key(text).next_at);
    }
    void reload() { ASSERT_TRUE(ask_engine(Reconfigure{definitions})); }
    /// On to the key's next nominal fire, and `late` beyond it.
    void go_to_fire(const std::string& text = "prices", Millis late = 0ms)
    {
        now = *key(text).next_at + late;
        step();
    }
    /// The last first.
    std::vector<FireRecord> rows(const std::string& text = "prices")
    {
        return store->begin()->fires("default", text, 50);
    }
    bool clock_told()
    {
        return std::ranges::any_of(
            rows(), [](const FireRecord& row) { return row.reason.starts_with("the wall clock went back"); });
    }
    std::size_t asked(const std::string& tenant, const std::string& text = "prices")
    {
        return store->begin()->live_jobs(tenant, text).size();
    }
    Reply run(const std::string& name = "prices") { return ask_engine(RunSchedule{name, "default", "somebody"}); }
    Reply pause(bool paused, const std::string& name = "prices")
    {
        return ask_engine(PauseSchedule{name, paused, "default", "somebody"});
    }
};

TEST_F(KeySchedules, F8DataOfARemovedSourceIsKeptForSevenDaysWhateverItsScheduleWas)
{
    schedule().every = 1min;
    begin();
    const auto with = definitions;
    auto without = std::make_shared<Definitions>(*definitions);
    without->sources.clear();
    definitions = without;
    reload();
    for (int day = 1; day <= 6; ++day) {
        now += 24h;
        step();
        EXPECT_TRUE(key().has_data) << "day " << day;
    }
    EXPECT_FALSE(key().next_at) << "nobody asks a source that is gone";
    definitions = with;
    reload();
    EXPECT_TRUE(key().has_data);
    ASSERT_TRUE(key().next_at);
    go_to_fire();
    EXPECT_EQ(live().size(), 1U) << "it came back to its schedule";
}

TEST_F(KeySchedules, AReloadMovesTheKeysThatAreThereToTheirNewSchedule)
{
    start();
    refresh();
    complete(claim().at(0), "[1]");
    EXPECT_FALSE(key().next_at);
    schedule().every = 1h;
    reload();
    go_to_fire();
    const WallTime first = rows().at(0).nominal;
    complete(claim().at(0), "[1]");
    go_to_fire();
    EXPECT_EQ(rows().at(0).nominal - first, 1h);
    complete(claim().at(0), "[1]");
    schedule().every = 1min; // sooner, and not for a clock that was set
    reload();
    EXPECT_LE(*key().next_at, now + 1min);
    EXPECT_FALSE(clock_told());
    schedule().every = 0min;
    reload();
    EXPECT_FALSE(key().next_at);
    now += 2h;
    step();
    EXPECT_TRUE(live().empty());
}

TEST_F(KeySchedules, AFireThatWasMissedWhileNoServerRanIsDecidedAndNotForgotten)
{
    schedule().every = 1min;
    begin();
    now = *key().next_at + 10min + 30s;
    start();
    step();
    EXPECT_EQ(live().size(), 1U);
    EXPECT_EQ(rows().at(0).decision, "ran");
    EXPECT_EQ(rows().at(1).decision, "coalesced");
}

TEST_F(KeySchedules, ASourceWithoutParametersBeginsForEachTenantThatMayReadIt)
{
    schedule().every = 1min;
    source("rates");
    auto changed = std::make_shared<Definitions>(*definitions);
    changed->tenants["acme"] = {"acme", {"prices"}, {}};
    changed->tenants["globex"] = {"globex", {"rates"}, {}};
    changed->tenants["umbrella"] = {"umbrella", {}, {}};
    definitions = changed;
    start();
    EXPECT_EQ(asked("acme"), 1U);
    EXPECT_EQ(asked("globex"), 0U);
    EXPECT_EQ(asked("umbrella"), 1U);
    EXPECT_EQ(asked("default"), 0U);
    EXPECT_EQ(asked("umbrella", "rates"), 0U) << "it has no schedule";
    reload();
    EXPECT_EQ(asked("acme"), 1U) << "once";
}

TEST_F(KeySchedules, OfASourceWithParametersBeginWithItsReaders)
{
    source("prices").params = {{"city", {"a"}, ""}};
    schedule().every = 1min;
    start();
    step();
    EXPECT_THAT(store->begin()->keys("default", {}, {}, 10), IsEmpty());
}

TEST_F(KeySchedules, AKeyThatNobodyReadsLeavesItsScheduleUntilItIsReadAgain)
{
    SourceDefinition& prices = source("prices");
    prices.params = {{"city", {"a"}, ""}};
    prices.schedule.every = 1h;
    prices.keep_warm = 3h;
    start();
    refresh("prices/a");
    complete(claim().at(0), "[1]");
    int fires = 0;
    for (; key("prices/a").next_at && fires < 10; ++fires) {
        go_to_fire("prices/a");
        for (const ClaimedJob& one : claim()) complete(one, "[1]");
    }
    EXPECT_EQ(rows("prices/a").size(), 3U) << "three in three hours";
    EXPECT_FALSE(key("prices/a").next_at);
    refresh("prices/a");
    ASSERT_TRUE(key("prices/a").next_at);
    go_to_fire("prices/a");
    EXPECT_EQ(rows("prices/a").size(), 4U);
}

TEST_F(KeySchedules, AKeyOfASourceWithoutParametersNeedsNoReader)
{
    SourceDefinition& prices = source("prices");
    prices.schedule.every = 1h;
    prices.keep_warm = 3h;
    begin();
    refresh();
    complete(claim().at(0), "[1]");
    for (int i = 0; i < 6; ++i) {
        ASSERT_TRUE(key().next_at) << i;
        go_to_fire();
        complete(claim().at(0), "[1]");
    }
}

TEST_F(KeySchedules, FireNoInstantTwiceWhenTheWallClockGoesBackAndSaySo)
{
    schedule().every = 1min;
    begin();
    go_to_fire();
    complete(claim().at(0), "[1]");
    const WallTime fired = rows().at(0).nominal;
    wall_ahead = -30s;
    now += 1s;
    step();
    EXPECT_EQ(key().next_at, fired) << "an instant of the time that comes again";
    EXPECT_TRUE(clock_told());
    now = fired + 31s; // by the wall clock a second after it
    step();
    EXPECT_TRUE(live().empty());
    EXPECT_EQ(key().next_at, fired + 1min);
    go_to_fire("prices", 30s);
    EXPECT_EQ(live().size(), 1U);
}

TEST_F(KeySchedules, ReplaceWhatIsLive)
{
    schedule().every = 10s;
    schedule().overlap = OverlapRule::replace;
    start();
    const auto running = claim();
    ASSERT_EQ(running.size(), 1U);
    go_to_fire();
    EXPECT_TRUE(job(running[0].job->id).cancel_requested_at);
    const JobId second = rows().at(0).job;
    EXPECT_EQ(job(second).behind, running[0].job->id);
    go_to_fire();
    EXPECT_EQ(job(second).state, JobState::cancelled);
    EXPECT_EQ(rows().at(0).decision, "ran");
    EXPECT_EQ(live().size(), 2U);
}

TEST_F(KeySchedules, LeaveAFireOutWhileTheSourceIsPausedAndSayWhy)
{
    schedule().every = 1min;
    begin();
    ASSERT_TRUE(ask_engine(PauseSource{"prices", true, "default", "somebody"}));
    go_to_fire();
    EXPECT_TRUE(live().empty());
    EXPECT_EQ(rows().at(0).decision, "skipped");
    EXPECT_EQ(rows().at(0).reason, "the source is paused");
    EXPECT_FALSE(rows().at(0).job);
}

TEST_F(KeySchedules, LeaveAFireOutWhereTheSourceMayNotBeAskedYetAndSayWhy)
{
    schedule().every = 10s;
    begin();
    refresh();
    fail(claim().at(0), ErrorClass::fatal);
    go_to_fire();
    EXPECT_TRUE(live().empty());
    EXPECT_EQ(rows().at(0).decision, "skipped");
    EXPECT_THAT(rows().at(0).reason, HasSubstr("too early to try again"));
    now += 1min; // the longest wait is over
    step();
    EXPECT_EQ(live().size(), 1U);
    EXPECT_EQ(std::ranges::count(rows(), live().at(0).id, &FireRecord::job), 1);
}

TEST_F(KeySchedules, ARunByAPersonSharesWhatIsUnderWayAndSaysSo)
{
    schedule().every = 1min;
    begin();
    ASSERT_TRUE(run());
    ASSERT_EQ(claim().size(), 1U);
    const Reply second = run();
    ASSERT_TRUE(second);
    EXPECT_FALSE(std::get<Added>(*second).jobs.at(0).attached) << "what runs has read before the ask";
    const Reply third = run();
    ASSERT_TRUE(third);
    EXPECT_TRUE(std::get<Added>(*third).jobs.at(0).attached);
    EXPECT_THAT(rows().at(2).reason, StartsWith("asked for by somebody, joined what was under way"));
}

TEST_F(KeySchedules, ARunByAPersonIsRefusedWhileTheSourceWantsToBeLeftAlone)
{
    schedule().every = 1min;
    begin();
    refresh();
    fail(claim().at(0), ErrorClass::retryable, 10min);
    const Reply refused = run();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().refusal, Refusal::limited);
    EXPECT_THAT(rows(), IsEmpty());
}

TEST_F(KeySchedules, AreThoseOfKeysThatAreThereAndHaveOne)
{
    schedule().every = 1min;
    source("prices").params = {{"city", {"a"}, ""}};
    source("rates");
    start();
    refresh("rates");
    for (const char* none : {"rates", "prices/a", "nothing"}) {
        EXPECT_EQ(run(none).error().refusal, Refusal::not_found) << none;
        EXPECT_EQ(pause(true, none).error().refusal, Refusal::not_found) << none;
    }
    refresh("prices/a");
    EXPECT_TRUE(run("prices/a"));
}

TEST_F(KeySchedules, APauseIsSaidOnceAndIsThatKeysAlone)
{
    source("prices").params = {{"city", {"a", "b"}, ""}};
    schedule().every = 1min;
    start();
    for (const char* text : {"prices/a", "prices/b"}) {
        refresh(text);
        complete(claim().at(0), "[1]");
    }
    for (int i = 0; i < 2; ++i) ASSERT_TRUE(pause(true, "prices/a"));
    start();
    now += 1min;
    step();
    EXPECT_EQ(rows("prices/a").at(0).reason, "the schedule is paused");
    EXPECT_EQ(asked("default", "prices/a"), 0U);
    EXPECT_EQ(asked("default", "prices/b"), 1U);
    for (int i = 0; i < 2; ++i) ASSERT_TRUE(pause(false, "prices/a"));
    now += 1min;
    step();
    EXPECT_EQ(asked("default", "prices/a"), 1U);
    EXPECT_EQ(store->begin()->audit({.tenant = "default"}).size(), 2U) << "a pause and a resume";
}

TEST_F(KeySchedules, AReadBringsAKeyBackToItsScheduleAndSwallowsNoFire)
{
    SourceDefinition& prices = source("prices");
    prices.params = {{"city", {"a"}, ""}};
    prices.schedule.every = 2h;
    prices.keep_warm = 5h;
    start();
    refresh("prices/a");
    complete(claim().at(0), "[1]");
    const auto read = [&] {
        std::vector<Posted> group;
        group.push_back({TouchKey{"default", "prices/a", "prices"}, -1, [](Reply) {}});
        step(std::move(group));
    };
    go_to_fire("prices/a");
    complete(claim().at(0), "[1]");
    now = *key("prices/a").next_at; // more than an hour after the ask: the read is noted
    read();
    EXPECT_EQ(rows("prices/a").size(), 2U);
    EXPECT_EQ(key("prices/a").read_at, now);
    complete(claim().at(0), "[1]");
    while (key("prices/a").next_at) {
        go_to_fire("prices/a");
        for (const ClaimedJob& one : claim()) complete(one, "[1]");
    }
    now += 1h;
    read();
    EXPECT_TRUE(key("prices/a").next_at);
}

} // namespace
} // namespace freshet
