// SPDX-License-Identifier: Apache-2.0
#include "model/schedule.hpp"

#include <gtest/gtest.h>

namespace freshet {
namespace {

const WallTime t0 = from_ms(1'790'000'000'000);

SourceSchedule every(Millis length)
{
    SourceSchedule schedule;
    schedule.every = length;
    return schedule;
}

TEST(Schedule, FollowsTheLastNominalFireAndNotNow)
{
    const auto schedule = every(10min);
    const WallTime first = next_fire(schedule, 7, t0)->at;
    EXPECT_EQ(next_fire(schedule, 7, first)->at, first + 10min);
    EXPECT_EQ(next_fire(schedule, 7, first + 9min)->at, first + 10min);
}

TEST(Schedule, SpreadsKeysOverTheInterval)
{
    const auto schedule = every(10min);
    EXPECT_NE(next_fire(schedule, 1'000, t0)->at, next_fire(schedule, 200'000, t0)->at);
}

TEST(Fires, RunWhenDueAndNothingIsLive)
{
    const auto schedule = every(1min);
    const WallTime nominal = next_fire(schedule, 0, t0)->at;
    const DueFires due = decide_fires(schedule, 0, nominal, {}, nominal + 2s);
    ASSERT_EQ(due.fires.size(), 1u);
    EXPECT_EQ(due.fires[0].decision, "ran");
    EXPECT_EQ(due.fires[0].act, FireAct::ask);
    EXPECT_EQ(due.next_at, nominal + 1min);
}

TEST(Fires, WhoseWallClockTimeDidNotExistSayThatTheyAreShifted)
{
    SourceSchedule schedule;
    schedule.cron = "30 2 * * *", schedule.timezone = "Europe/Berlin";
    const WallTime nominal = from_ms(1'774'746'000'000); // 2026-03-29T01:00:00Z, when 02:00 became 03:00
    ASSERT_TRUE(next_fire(schedule, 0, nominal - 1h)->shifted);
    ASSERT_EQ(next_fire(schedule, 0, nominal - 1h)->at, nominal);
    EXPECT_EQ(decide_fires(schedule, 0, nominal, {}, nominal).fires.at(0).decision, "shifted");
}

TEST(Fires, OfATimeThatTheScheduleNoLongerHasAreDecidedNevertheless)
{
    const auto schedule = every(10min);
    const WallTime nominal = next_fire(schedule, 0, t0)->at - 1min;
    const DueFires due = decide_fires(schedule, 0, nominal, {}, nominal + 2s);
    ASSERT_EQ(due.fires.size(), 1u);
    EXPECT_EQ(due.fires[0].nominal, nominal);
    EXPECT_EQ(due.next_at, nominal + 1min);
}

TEST(Fires, ThatOverlapAreDecidedByTheRule)
{
    auto schedule = every(1min);
    const WallTime nominal = next_fire(schedule, 0, t0)->at;
    const auto act = [&](OverlapRule rule) {
        schedule.overlap = rule;
        return decide_fires(schedule, 0, nominal, {.any = true}, nominal).fires.at(0).act;
    };
    EXPECT_EQ(act(OverlapRule::skip), FireAct::nothing);
    EXPECT_EQ(act(OverlapRule::queue_one), FireAct::ask_after);
    EXPECT_EQ(act(OverlapRule::allow), FireAct::ask_after);
    EXPECT_EQ(act(OverlapRule::replace), FireAct::replace);
}

TEST(Fires, ThatWereMissedAreMadeUpForOnceInOneRow)
{
    const auto schedule = every(1min);
    const WallTime nominal = next_fire(schedule, 0, t0)->at;
    const DueFires due = decide_fires(schedule, 0, nominal, {}, nominal + 10min + 30s);
    ASSERT_EQ(due.fires.size(), 2u);
    EXPECT_EQ(due.fires[0].decision, "coalesced");
    EXPECT_EQ(due.fires[0].act, FireAct::nothing) << "the timely fire right behind makes up for them";
    EXPECT_EQ(due.fires[1].decision, "ran");
    EXPECT_EQ(due.next_at, nominal + 11min);
}

TEST(Fires, ThatWereMissedAreSkippedWhereTheRuleSaysSo)
{
    auto schedule = every(1h);
    schedule.misfire = MisfireRule::skip;
    const WallTime nominal = next_fire(schedule, 0, t0)->at;
    const DueFires due = decide_fires(schedule, 0, nominal, {}, nominal + 5min);
    ASSERT_EQ(due.fires.size(), 1u);
    EXPECT_EQ(due.fires[0].decision, "skipped");
    EXPECT_EQ(due.fires[0].act, FireAct::nothing);
}

TEST(Fires, OfATaskWaitOneAtMostOrRunSideBySide)
{
    auto schedule = every(1min);
    const WallTime nominal = next_fire(schedule, 0, t0)->at;
    const auto act = [&](OverlapRule rule, bool waiting) {
        schedule.overlap = rule;
        const LiveFlight live{.any = true, .waiting = waiting, .side_by_side = true};
        return decide_fires(schedule, 0, nominal, live, nominal).fires.at(0);
    };
    EXPECT_EQ(act(OverlapRule::queue_one, false).act, FireAct::ask_after);
    EXPECT_EQ(act(OverlapRule::queue_one, true).act, FireAct::nothing);
    EXPECT_EQ(act(OverlapRule::queue_one, true).reason, "one waits already");
    EXPECT_EQ(act(OverlapRule::allow, true).act, FireAct::ask);
}

TEST(Fires, ThatAreAllMadeUpForTellOfThoseThatAreNot)
{
    auto schedule = every(1h);
    schedule.misfire = MisfireRule::all;
    schedule.misfire_all_max = 2;
    schedule.overlap = OverlapRule::allow;
    const WallTime nominal = next_fire(schedule, 0, t0)->at;
    const DueFires due = decide_fires(schedule, 0, nominal, {.side_by_side = true}, nominal + 4h + 5min);
    ASSERT_EQ(due.fires.size(), 3u);
    EXPECT_EQ(due.fires[0].nominal, nominal + 2h);
    EXPECT_EQ(due.fires[0].decision, "skipped");
    EXPECT_TRUE(due.fires[0].reason.starts_with("3 missed since ")) << due.fires[0].reason;
    EXPECT_EQ(due.fires[1].act, FireAct::ask);
    EXPECT_EQ(due.fires[2].act, FireAct::ask);
    EXPECT_EQ(due.fires[2].nominal, nominal + 4h);
}

TEST(Fires, ThatAreAllMadeUpForKeepToTheOverlapRule)
{
    auto schedule = every(1h);
    schedule.misfire = MisfireRule::all;
    const WallTime nominal = next_fire(schedule, 0, t0)->at;
    const auto acts = [&](OverlapRule rule) {
        schedule.overlap = rule;
        std::vector<FireAct> done;
        for (const auto& fire : decide_fires(schedule, 0, nominal, {}, nominal + 2h + 5min).fires)
            done.push_back(fire.act);
        return done;
    };
    using enum FireAct;
    EXPECT_EQ(acts(OverlapRule::skip), (std::vector{ask, nothing, nothing}));
    EXPECT_EQ(acts(OverlapRule::queue_one), (std::vector{ask, ask_after, nothing}));
}

TEST(Fires, OfATaskThatComeTogetherLetOneWait)
{
    auto schedule = every(10s);
    schedule.overlap = OverlapRule::queue_one;
    const WallTime nominal = next_fire(schedule, 0, t0)->at;
    const DueFires due = decide_fires(schedule, 0, nominal, {.side_by_side = true}, nominal + 25s);
    ASSERT_EQ(due.fires.size(), 3u);
    EXPECT_EQ(due.fires[0].act, FireAct::ask);
    EXPECT_EQ(due.fires[1].act, FireAct::nothing);
    EXPECT_EQ(due.fires[1].reason, "one waits already");
}

TEST(Fires, ThatWereMissedWhileTheOneBeforeStillRunsAreSkipped)
{
    const auto schedule = every(1h);
    const WallTime nominal = next_fire(schedule, 0, t0)->at;
    const DueFires due = decide_fires(schedule, 0, nominal, {.any = true}, nominal + 2h + 5min);
    ASSERT_EQ(due.fires.size(), 1u);
    EXPECT_EQ(due.fires[0].decision, "skipped");
    EXPECT_TRUE(due.fires[0].reason.ends_with("; the one before it is not over")) << due.fires[0].reason;
}

TEST(Fires, ThatAPauseSwallowedAreOneRow)
{
    const auto schedule = every(1min);
    std::optional<WallTime> next = next_fire(schedule, 0, t0)->at;
    const WallTime nominal = *next;
    EXPECT_FALSE(pass_over(schedule, 0, next, "paused", nominal - 1s));
    EXPECT_EQ(next, nominal);
    const auto row = pass_over(schedule, 0, next, "paused", nominal + 3min);
    ASSERT_TRUE(row);
    EXPECT_EQ(row->nominal, nominal + 3min);
    EXPECT_EQ(row->decision, "skipped");
    EXPECT_EQ(row->reason, "paused: 4 missed since " + to_rfc3339(nominal));
    EXPECT_EQ(next, nominal + 4min);
}

TEST(Schedule, ShowsTheFiresThatCome)
{
    auto schedule = every(0ms);
    schedule.cron = "30 2 * * *";
    schedule.timezone = "Europe/Berlin";
    const auto fires = next_fires(schedule, 0, from_rfc3339("2026-03-28T12:00:00Z").value(), 2);
    ASSERT_EQ(fires.size(), 2u);
    EXPECT_EQ(to_rfc3339(fires[0].at), "2026-03-29T01:00:00.000Z");
    EXPECT_TRUE(fires[0].shifted);
    EXPECT_EQ(to_rfc3339(fires[1].at), "2026-03-30T00:30:00.000Z");
}

TEST(Fires, OfAYearOffAreNotWalkedOneByOne)
{
    const auto schedule = every(1s);
    const WallTime nominal = next_fire(schedule, 0, t0)->at;
    const DueFires due = decide_fires(schedule, 0, nominal, {}, nominal + 8760h);
    EXPECT_GT(due.next_at, nominal + 8760h);
    EXPECT_EQ(due.fires.front().decision, "coalesced");
}

} // namespace
} // namespace freshet
