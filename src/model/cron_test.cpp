// SPDX-License-Identifier: Apache-2.0
#include "model/cron.hpp"

#include <gtest/gtest.h>

namespace freshet {
namespace {

WallTime at(std::string_view text)
{
    return from_rfc3339(text).value();
}

std::vector<std::string> fires(std::string_view cron, std::string_view zone, std::string_view after, int count,
                               GapRule gap = GapRule::shift, FoldRule fold = FoldRule::first)
{
    std::vector<std::string> out;
    WallTime last = at(after);
    for (int i = 0; i < count; ++i) {
        const auto next = next_cron_fire(parse_cron(cron).value(), zone, gap, fold, last);
        if (!next) break;
        last = next->at;
        out.push_back(to_rfc3339(last).substr(0, 16) + (next->shifted ? "+" : ""));
    }
    return out;
}

using Times = std::vector<std::string>;

TEST(Cron, FollowsTheWallClockOfItsZone)
{
    EXPECT_EQ(fires("0 9 * * *", "Asia/Jerusalem", "2026-01-10T00:00:00Z", 1), Times{"2026-01-10T07:00"});
    EXPECT_EQ(fires("0 9 * * *", "Asia/Jerusalem", "2026-07-10T00:00:00Z", 1), Times{"2026-07-10T06:00"});
    EXPECT_EQ(fires("*/10 6-20 * * SUN-THU", "UTC", "2026-11-26T20:45:00Z", 2),
              (Times{"2026-11-26T20:50", "2026-11-29T06:00"}));
}

TEST(Cron, TakesEitherDayFieldWhereBothAreGiven)
{
    EXPECT_EQ(fires("0 0 13 * FRI", "UTC", "2026-11-01T00:00:00Z", 3),
              (Times{"2026-11-06T00:00", "2026-11-13T00:00", "2026-11-20T00:00"}));
}

TEST(Cron, TakesSixFieldsWithSecondsFirst)
{
    EXPECT_EQ(to_rfc3339(next_cron_fire(parse_cron("30 0 0 1 JAN *").value(), "UTC", GapRule::shift, FoldRule::first,
                                        at("2026-02-01T00:00:00Z"))
                             ->at),
              "2027-01-01T00:00:30.000Z");
}

TEST(Cron, ShiftsAFixedTimeThatADayDoesNotHaveToTheFirstInstantAfterTheGap)
{
    EXPECT_EQ(fires("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 2),
              (Times{"2026-03-29T01:00+", "2026-03-30T00:30"}));
    EXPECT_EQ(fires("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 1, GapRule::skip),
              Times{"2026-03-30T00:30"});
}

TEST(Cron, FiresAFixedTimeThatADayHasTwiceByTheFoldRule)
{
    const auto run = [](FoldRule fold) {
        return fires("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2, GapRule::shift, fold);
    };
    EXPECT_EQ(run(FoldRule::first), (Times{"2026-10-25T00:30", "2026-10-26T01:30"}));
    EXPECT_EQ(run(FoldRule::last), (Times{"2026-10-25T01:30", "2026-10-26T01:30"}));
    EXPECT_EQ(run(FoldRule::both), (Times{"2026-10-25T00:30", "2026-10-25T01:30"}));
}

TEST(Cron, FiresInEachRealHourWhereTheHourIsAStar)
{
    EXPECT_EQ(fires("15 * * * *", "Europe/Berlin", "2026-10-25T00:00:00Z", 3),
              (Times{"2026-10-25T00:15", "2026-10-25T01:15", "2026-10-25T02:15"}));
    EXPECT_EQ(fires("15 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", 3),
              (Times{"2026-03-29T00:15", "2026-03-29T01:15", "2026-03-29T02:15"}));
}

TEST(Cron, GoesOnByTheRuleOfTheZoneBeyondItsLastListedTransition)
{
    EXPECT_EQ(fires("0 12 1 7 *", "Europe/Berlin", "2049-06-01T00:00:00Z", 1), Times{"2049-07-01T10:00"});
    EXPECT_EQ(fires("0 12 1 1 *", "Europe/Berlin", "2049-06-01T00:00:00Z", 1), Times{"2050-01-01T11:00"});
}

TEST(Cron, NeverFiresOnADayThatNoYearHas)
{
    EXPECT_TRUE(fires("0 0 30 2 *", "UTC", "2026-01-01T00:00:00Z", 1).empty());
    EXPECT_EQ(fires("0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", 1), Times{"2028-02-29T00:00"});
}

// The rules as a slow reading of the definition: each local second of the day is looked at by itself.
TEST(Cron, FindsEveryDailyFireInEveryYearOfManyZones)
{
    for (const std::string_view zone :
         {"Europe/Berlin", "Asia/Jerusalem", "America/New_York", "Australia/Lord_Howe", "Asia/Tehran", "UTC"}) {
        const auto cron = parse_cron("30 2 * * *").value();
        WallTime last = at("2020-01-01T00:00:00Z");
        int count = 0;
        while (true) {
            const auto next = next_cron_fire(cron, zone, GapRule::shift, FoldRule::first, last);
            ASSERT_TRUE(next);
            if (next->at >= at("2041-01-01T00:00:00Z")) break;
            if (count > 0) {
                EXPECT_GE(next->at - last, 20h) << zone << ' ' << to_rfc3339(next->at);
            }
            EXPECT_LE(next->at - last, 28h) << zone << ' ' << to_rfc3339(next->at);
            last = next->at;
            ++count;
        }
        EXPECT_EQ(count, 7671) << zone; // one on each day of the 21 years
    }
}

TEST(Cron, SaysWhatIsWrong)
{
    EXPECT_EQ(parse_cron("* * * *").error(),
              "has 4 fields; cron has 5 (minute hour day month weekday), or 6 with seconds first");
    EXPECT_EQ(parse_cron("61 * * * *").error(), "minute \"61\" must lie between 0 and 59");
    EXPECT_EQ(parse_cron("* * * * XYZ").error(), "weekday \"XYZ\" is no number, range, list or *");
    EXPECT_EQ(parse_cron("*/0 * * * *").error(), "minute \"*/0\" has a bad step");
}

TEST(Zone, KnowsOnlyNamesOfTheMachine)
{
    EXPECT_TRUE(zone_exists("Asia/Jerusalem"));
    EXPECT_FALSE(zone_exists("Asia/Jerusalm"));
    EXPECT_FALSE(zone_exists("../etc/passwd"));
    EXPECT_FALSE(zone_exists(""));
}

} // namespace
} // namespace freshet
