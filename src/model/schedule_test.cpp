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
