// SPDX-License-Identifier: Apache-2.0
#include "model/day.hpp"

#include <gmock/gmock.h>

namespace freshet {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

const WallTime t0 = from_rfc3339("2026-11-24T16:20:00Z").value();

TEST(Day, CountsWhatEndedInEachHour)
{
    std::string day = day_with("", Outcome::updated, t0);
    day = day_with(day, Outcome::unchanged, t0 + 39min);
    day = day_with(day, Outcome::failed, t0 + 40min);
    day = day_with(day, Outcome::held, t0 + 5h);
    const std::int64_t hour = hour_of(t0);
    EXPECT_THAT(tallies_of(day),
                ElementsAre(HourTally{.hour = hour, .updated = 1, .unchanged = 1},
                            HourTally{.hour = hour + 1, .failed = 1}, HourTally{.hour = hour + 5, .held = 1}));
}

TEST(Day, ForgetsWhatIsOlderThanADayAndWhatIsYetToCome)
{
    std::string day = day_with("", Outcome::updated, t0);
    day = day_with(day, Outcome::updated, t0 + 23h);
    EXPECT_EQ(tallies_of(day).size(), 2U);
    day = day_with(day, Outcome::updated, t0 + 24h);
    EXPECT_EQ(tallies_of(day).front().hour, hour_of(t0 + 23h));
    day = day_with(day, Outcome::failed, t0 + 23h);
    EXPECT_THAT(tallies_of(day), ElementsAre(HourTally{.hour = hour_of(t0 + 23h), .updated = 1, .failed = 1}));
}

TEST(Day, StaysShortHoweverMuchEnds)
{
    std::string day;
    for (int i = 0; i < 60 * 48; ++i) day = day_with(day, Outcome::unchanged, t0 + i * 1min);
    EXPECT_EQ(tallies_of(day).size(), static_cast<std::size_t>(day_hours));
    EXPECT_LT(day.size(), 350U);
}

TEST(Day, CountsNoTryThatHasNotEnded)
{
    EXPECT_THAT(tallies_of(day_with("", Outcome::limited, t0)), IsEmpty());
    const std::string day = day_with("", Outcome::updated, t0);
    EXPECT_EQ(day_with(day, Outcome::limited, t0 + 1min), day) << "the hour keeps what it counted";
    EXPECT_EQ(day_with(day, Outcome::pending, t0 + 1h), day);
}

TEST(Day, ReadsWhatItDidNotWriteAsAnEmptyDay)
{
    for (const char* text : {"x", "5", "5:1,2,3", "5:1,2,3,4,5", "5:-1,0,0,0", "5:1,0,0,0;0:1,0,0,0", "5:1,0,0,0 ",
                             "99999999999999999999:1,0,0,0"})
        EXPECT_THAT(tallies_of(text), IsEmpty()) << text;
}

} // namespace
} // namespace freshet
