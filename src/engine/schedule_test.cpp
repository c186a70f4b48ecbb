// SPDX-License-Identifier: Apache-2.0
// Schedules of tasks and keys as the engine carries them out: fires, their rows, what a stepped clock changes.
#include "engine/engine_world.hpp"

#include <gtest/gtest.h>

namespace freshet {
namespace {

class Schedules : public EngineWorld, public ::testing::Test {
protected:
    TaskSchedule& task(const std::string& name = "nightly")
    {
        auto changed = std::make_shared<Definitions>(*definitions);
        TaskSchedule& schedule = changed->schedules[name];
        schedule.name = name;
        schedule.queue = "reports";
        schedule.input = R"({"day":"today"})";
        schedule.when.every = 1min;
        definitions = changed;
        return schedule;
    }
    void begin()
    {
        start();
        step();
    }
    ScheduleRecord record(const std::string& name = "nightly")
    {
        for (const ScheduleRecord& one : store->begin()->schedules("default"))
            if (one.name == name) return one;
        return {};
    }
    /// On to the schedule's next nominal fire, and `late` beyond it.
    void go_to_fire(Millis late = 0ms)
    {
        now = *record().next_at + late;
        step();
    }
    std::vector<FireRecord> rows(const std::string& name = "nightly")
    {
        return store->begin()->fires("default", name, 50);
    }
    std::vector<Job> tasks(std::optional<JobState> state = {})
    {
        return store->begin()->jobs({.tenant = "default", .state = state, .queue = "reports"});
    }
    std::vector<ClaimedJob> claim_tasks(int slots = 1)
    {
        ClaimWork work{.worker = "w1", .queues = {"reports"}, .slots = slots};
        std::optional<Reply> got;
        std::vector<Posted> group;
        group.push_back({work, -1, [&](Reply reply) { got = std::move(reply); }});
        step(std::move(group));
        return got && *got ? std::get<Claimed>(**got).jobs : std::vector<ClaimedJob>{};
    }
    int fire_events() const
    {
        int count = 0;
        for (const auto& notice : notices)
            for (const auto& of : notice->events)
                for (const LedgerEntry& entry : of.entries)
                    count += entry.event.kind == EventKind::fire && entry.event.also == "schedules";
        return count;
    }
};

TEST_F(Schedules, EnqueueTheirTaskInTheCommitOfTheFiresRow)
{
    task().priority = 3;
    begin();
    EXPECT_TRUE(tasks().empty());
    const WallTime nominal = *record().next_at;
    go_to_fire(2s);
    ASSERT_EQ(tasks().size(), 1u);
    const Job job = tasks()[0];
    EXPECT_EQ(job.input, R"({"day":"today"})");
    EXPECT_EQ(job.priority, 3);
    EXPECT_EQ(job.requested_by, "schedule");
    ASSERT_EQ(rows().size(), 1u);
    EXPECT_EQ(rows()[0].nominal, nominal);
    EXPECT_EQ(rows()[0].decision, "ran");
    EXPECT_EQ(rows()[0].job, job.id);
    EXPECT_EQ(record().next_at, nominal + 1min) << "from the nominal fire, not from now";
    EXPECT_EQ(fire_events(), 1);
}

TEST_F(Schedules, LeaveAFireOutWhileTheTaskBeforeIsNotOver)
{
    task();
    begin();
    go_to_fire();
    go_to_fire();
    EXPECT_EQ(tasks().size(), 1u);
    EXPECT_EQ(rows()[0].decision, "skipped");
    EXPECT_EQ(rows()[0].reason, "the one before it is not over");
}

TEST_F(Schedules, LetOneWaitBehindTheOneThatRuns)
{
    TaskSchedule& schedule = task();
    schedule.when.overlap = OverlapRule::queue_one;
    schedule.when.every = 10s; // the lease of what runs is longer
    begin();
    go_to_fire();
    const auto first = claim_tasks();
    ASSERT_EQ(first.size(), 1u);
    go_to_fire(0ms);
    go_to_fire(0ms);
    ASSERT_EQ(tasks(JobState::queued).size(), 1u);
    EXPECT_EQ(tasks(JobState::queued)[0].behind, first[0].job->id);
    EXPECT_EQ(rows()[0].reason, "one waits already");
    EXPECT_EQ(rows()[1].decision, "ran");
}

TEST_F(Schedules, LetOneWaitWhenSeveralFiresComeTogether)
{
    TaskSchedule& schedule = task();
    schedule.when.overlap = OverlapRule::queue_one;
    schedule.when.every = 10s;
    begin();
    go_to_fire(25s); // as after a while without a server, within the misfire grace
    EXPECT_EQ(tasks(JobState::queued).size(), 1u);
    ASSERT_EQ(rows().size(), 3u);
    EXPECT_EQ(rows()[0].reason, "one waits already");
    EXPECT_EQ(rows()[2].decision, "ran");
}

TEST_F(Schedules, ReplaceWhatIsLive)
{
    TaskSchedule& schedule = task();
    schedule.when.overlap = OverlapRule::replace;
    schedule.when.every = 10s; // the lease of what runs is longer
    begin();
    go_to_fire();
    const JobId waiting = tasks()[0].id;
    go_to_fire();
    EXPECT_EQ(job(waiting).state, JobState::cancelled);
    const auto running = claim_tasks();
    ASSERT_EQ(running.size(), 1u);
    go_to_fire();
    EXPECT_TRUE(job(running[0].job->id).cancel_requested_at);
    ASSERT_EQ(tasks(JobState::queued).size(), 1u);
    EXPECT_EQ(tasks(JobState::queued)[0].behind, running[0].job->id);
}

TEST_F(Schedules, RunSideBySideWhereTheyMay)
{
    task().when.overlap = OverlapRule::allow;
    begin();
    go_to_fire();
    go_to_fire();
    EXPECT_EQ(tasks(JobState::queued).size(), 2u);
}

TEST_F(Schedules, TellAMissedStretchInOneRowAfterARestart)
{
    task();
    begin();
    now = *record().next_at + 10min + 30s;
    start();
    step();
    EXPECT_EQ(tasks().size(), 1u);
    ASSERT_EQ(rows().size(), 2u);
    EXPECT_EQ(rows()[1].decision, "coalesced");
    EXPECT_EQ(rows()[0].decision, "ran");
}

TEST_F(Schedules, MakeUpForAllThatTheRuleAllows)
{
    TaskSchedule& schedule = task();
    schedule.when.every = 1h;
    schedule.when.misfire = MisfireRule::all;
    schedule.when.misfire_all_max = 2;
    schedule.when.overlap = OverlapRule::allow;
    begin();
    now = *record().next_at + 3h + 5min;
    step();
    EXPECT_EQ(tasks().size(), 2u);
    ASSERT_EQ(rows().size(), 3u);
    EXPECT_EQ(rows()[2].decision, "skipped");
}

TEST_F(Schedules, StandStillWhilePausedAndTellWhatThePauseSwallowed)
{
    task();
    begin();
    ASSERT_TRUE(ask_engine(PauseSchedule{"nightly", true, "default", "somebody"}));
    const WallTime nominal = *record().next_at;
    now = nominal + 5min;
    step();
    EXPECT_TRUE(tasks().empty());
    EXPECT_TRUE(rows().empty());
    start(); // a pause outlives the process
    step();
    EXPECT_TRUE(tasks().empty());
    ASSERT_TRUE(ask_engine(PauseSchedule{"nightly", false, "default", "somebody"}));
    EXPECT_TRUE(tasks().empty());
    ASSERT_EQ(rows().size(), 1u);
    EXPECT_EQ(rows()[0].reason, "the schedule was paused: 6 missed since " + to_rfc3339(nominal));
    EXPECT_EQ(record().next_at, nominal + 6min);
    go_to_fire();
    EXPECT_EQ(tasks().size(), 1u);
}

TEST_F(Schedules, RunNowAtAPersonsAskAndShareWhatIsUnderWay)
{
    task();
    begin();
    const auto next = record().next_at;
    const auto first = ask_engine(RunSchedule{"nightly", "default", "somebody"});
    ASSERT_TRUE(first);
    const AddedJob ran = std::get<Added>(*first).jobs.at(0);
    EXPECT_FALSE(ran.attached);
    EXPECT_EQ(ran.job->requested_by, "somebody");
    const auto second = ask_engine(RunSchedule{"nightly", "default", "somebody"});
    ASSERT_TRUE(second);
    EXPECT_TRUE(std::get<Added>(*second).jobs.at(0).attached);
    EXPECT_EQ(std::get<Added>(*second).jobs.at(0).job->id, ran.job->id);
    ASSERT_EQ(claim_tasks().size(), 1u);
    const auto third = ask_engine(RunSchedule{"nightly", "default", "somebody"});
    ASSERT_TRUE(third);
    EXPECT_EQ(std::get<Added>(*third).jobs.at(0).job->id, ran.job->id) << "what runs is shared as well";
    EXPECT_EQ(rows().size(), 3u);
    EXPECT_EQ(record().next_at, next) << "the schedule's own fires are not moved";
    EXPECT_EQ(ask_engine(RunSchedule{"weekly", "default", "somebody"}).error().refusal, Refusal::not_found);
}

TEST_F(Schedules, OfEachTenantFireByThemselves)
{
    TaskSchedule& schedule = task();
    schedule.tenants = {"acme"};
    auto changed = std::make_shared<Definitions>(*definitions);
    changed->tenants["acme"] = {"acme", {}, {}};
    changed->tenants["umbrella"] = {"umbrella", {}, {}};
    definitions = changed;
    begin();
    now += 1min;
    step();
    EXPECT_EQ(store->begin()->jobs({.tenant = "acme", .queue = "reports"}).size(), 1u);
    EXPECT_TRUE(store->begin()->jobs({.tenant = "umbrella", .queue = "reports"}).empty());
    EXPECT_EQ(ask_engine(RunSchedule{"nightly", "umbrella", "somebody"}).error().refusal, Refusal::not_found);
}

TEST_F(Schedules, GoWhenTheyLeaveTheConfigAndComeBack)
{
    task();
    begin();
    auto without = std::make_shared<Definitions>(*definitions);
    without->schedules.clear();
    ask_engine(Reconfigure{without});
    EXPECT_FALSE(record().next_at);
    now += 10min;
    step();
    EXPECT_TRUE(rows().empty());
    ask_engine(Reconfigure{definitions});
    EXPECT_GT(record().next_at, now);
}

TEST_F(Schedules, FollowAWallClockThatWasSetAndFireNoInstantTwice)
{
    task().when.overlap = OverlapRule::allow;
    wall_ahead = 0ms;
    begin();
    go_to_fire();
    const WallTime fired = rows()[0].nominal;
    wall_ahead = 30min; // forward: what was passed over is one row
    now += 1s;
    step();
    EXPECT_EQ(rows()[1].decision, "coalesced");
    const std::size_t before = tasks().size();
    wall_ahead = -30s; // back: anchored anew, with a row that says so
    now += 1s;
    step();
    EXPECT_EQ(record().next_at, fired) << "nominal instants of the time that came again";
    EXPECT_EQ(tasks().size(), before);
    bool told = false;
    for (const FireRecord& row : rows()) told = told || row.reason.starts_with("the wall clock went back");
    EXPECT_TRUE(told);
    now += 28s; // the instant that fired already comes again
    step();
    EXPECT_EQ(tasks().size(), before);
    EXPECT_EQ(record().next_at, fired + 1min);
    now += 1min;
    step();
    EXPECT_EQ(tasks().size(), before + 1);
}

TEST_F(Schedules, OfKeysCanBePausedAndRunByThemselves)
{
    source("prices").schedule.every = 1min;
    begin();
    complete(claim().at(0), "[1,2,3]");
    ASSERT_TRUE(ask_engine(PauseSchedule{"prices", true, "default", "somebody"}));
    now = *key().next_at;
    step();
    EXPECT_EQ(rows("prices").at(0).reason, "the schedule is paused");
    EXPECT_TRUE(live().empty());
    ASSERT_TRUE(ask_engine(RunSchedule{"prices", "default", "somebody"}));
    EXPECT_EQ(live().size(), 1u);
}

TEST_F(Schedules, SayWhyAFireWasLeftOutAlsoWhereTheQueueIsFull)
{
    task();
    queue("reports").waiting_max = 1;
    begin();
    go_to_fire();
    go_to_fire();
    EXPECT_EQ(rows()[0].reason, "the one before it is not over");
    task().when.overlap = OverlapRule::allow;
    ask_engine(Reconfigure{definitions});
    go_to_fire();
    EXPECT_EQ(tasks().size(), 1u);
    EXPECT_EQ(rows()[0].decision, "skipped");
    EXPECT_TRUE(rows()[0].reason.starts_with("queue reports holds at most 1 waiting jobs")) << rows()[0].reason;
    EXPECT_FALSE(rows()[0].job);
    const auto refused = ask_engine(RunSchedule{"nightly", "default", "somebody"});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().refusal, Refusal::queue_full);
}

TEST_F(Schedules, WhoseTasksMayRunSideBySideHaveANewOneForEachAsk)
{
    task().when.overlap = OverlapRule::allow;
    begin();
    for (int i = 0; i < 2; ++i) {
        const auto run = ask_engine(RunSchedule{"nightly", "default", "somebody"});
        ASSERT_TRUE(run);
        EXPECT_FALSE(std::get<Added>(*run).jobs.at(0).attached);
    }
    EXPECT_EQ(tasks().size(), 2u);
}

TEST_F(Schedules, ArePausedOneByOneAndOncePerAsk)
{
    task();
    task("weekly").when.every = 1min;
    begin();
    const auto pause = [&](bool paused) {
        ASSERT_TRUE(ask_engine(PauseSchedule{"nightly", paused, "default", "somebody"}));
    };
    pause(true), pause(true);
    now += 1min;
    step();
    EXPECT_TRUE(rows("nightly").empty());
    EXPECT_EQ(rows("weekly").size(), 1u);
    EXPECT_FALSE(record("weekly").paused);
    pause(false), pause(false);
    EXPECT_EQ(store->begin()->audit({.tenant = "default"}).size(), 2u) << "a pause and a resume";
    EXPECT_EQ(rows("nightly").size(), 1u) << "what the pause swallowed";
    pause(true), pause(false);
    EXPECT_EQ(rows("nightly").size(), 1u) << "nothing";
}

TEST_F(Schedules, ARunTellsWhenTheScheduleFiresNext)
{
    task();
    task("weekly").when.every = 168h;
    begin();
    ASSERT_TRUE(ask_engine(RunSchedule{"nightly", "default", "somebody"}));
    std::string told;
    for (const auto& of : notices.back()->events)
        for (const LedgerEntry& entry : of.entries)
            if (entry.event.also == "schedules") told = entry.event.data;
    EXPECT_NE(told.find(to_rfc3339(*record().next_at)), std::string::npos) << told;
}

TEST_F(Schedules, OfATenantThatLeftTheConfigFireNoMore)
{
    task();
    auto changed = std::make_shared<Definitions>(*definitions);
    changed->tenants["acme"] = {"acme", {}, {}};
    changed->tenants["globex"] = {"globex", {}, {}};
    definitions = changed;
    begin();
    changed = std::make_shared<Definitions>(*definitions);
    changed->tenants.erase("acme"); // which has nothing yet but its schedule
    definitions = changed;
    ask_engine(Reconfigure{definitions});
    now += 5min;
    step();
    step();
    EXPECT_TRUE(store->begin()->jobs({.tenant = "acme", .queue = "reports"}).empty());
    EXPECT_EQ(store->begin()->jobs({.tenant = "globex", .queue = "reports"}).size(), 1u);
}

} // namespace
} // namespace freshet
