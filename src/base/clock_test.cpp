// SPDX-License-Identifier: Apache-2.0
#include "base/clock.hpp"

#include <algorithm>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace freshet {
namespace {

const WallTime t0 = from_ms(1'790'000'000'000);

TEST(ManualClock, StandsStillUntilItIsTold)
{
    ManualClock clock{t0};
    const SteadyTime steady = clock.steady();
    EXPECT_EQ(clock.wall(), t0);
    EXPECT_EQ(clock.wall(), t0);
    clock.advance(5s);
    EXPECT_EQ(clock.wall(), t0 + 5s);
    EXPECT_EQ(clock.steady(), steady + 5s);
}

TEST(ManualClock, StepsTheWallClockAlone)
{
    ManualClock clock{t0};
    const SteadyTime steady = clock.steady();
    clock.step_wall(-1h);
    EXPECT_EQ(clock.wall(), t0 - 1h);
    EXPECT_EQ(clock.steady(), steady);
}

TEST(SystemClock, NeverTakesSteadyTimeBack)
{
    const SystemClock clock;
    const SteadyTime first = clock.steady();
    EXPECT_LE(first, clock.steady());
    EXPECT_GT(clock.wall(), from_ms(1'700'000'000'000));
}

TEST(EngineClock, FollowsTheSteadyClockWhereTheWallClockAgrees)
{
    ManualClock source{t0};
    const EngineClock clock{source};
    EXPECT_EQ(clock.wall(), t0);
    for (int i = 1; i <= 100; ++i) {
        source.advance(333ms);
        EXPECT_EQ(clock.wall(), t0 + 333ms * i);
    }
    EXPECT_EQ(clock.drift(), 0ms);
}

TEST(EngineClock, DoesNotSeeAStepOfTheWallClockAtOnce)
{
    ManualClock source{t0};
    const EngineClock clock{source};
    source.advance(1min);
    EXPECT_EQ(clock.wall(), t0 + 1min);
    source.step_wall(1h);
    EXPECT_EQ(clock.wall(), t0 + 1min);
    EXPECT_EQ(clock.drift(), 1h) << "the doctor speaks of it";
    source.step_wall(-2h);
    EXPECT_EQ(clock.wall(), t0 + 1min);
    EXPECT_EQ(clock.drift(), -1h);
}

TEST(EngineClock, SlewsTowardsTheWallClockByOnePartInTwoHundred)
{
    ManualClock source{t0};
    const EngineClock clock{source};
    source.step_wall(1s);
    for (int i = 0; i < 100; ++i) source.advance(1s), clock.wall();
    EXPECT_EQ(clock.wall(), t0 + 100s + 500ms);
    for (int i = 0; i < 200; ++i) source.advance(1s), clock.wall();
    EXPECT_EQ(clock.wall(), source.wall()) << "and stops where they agree";
    EXPECT_EQ(clock.drift(), 0ms);
}

TEST(EngineClock, SlewsBackWithoutGoingBack)
{
    ManualClock source{t0};
    const EngineClock clock{source};
    source.step_wall(-1s);
    WallTime last = clock.wall();
    for (int i = 0; i < 300'000; i += 100) {
        source.advance(100ms);
        const WallTime now = clock.wall();
        EXPECT_GT(now, last);
        last = now;
    }
    EXPECT_EQ(last, source.wall());
}

// Two threads that ask at once read the steady clock in one order and may come to its sum in the other: the reading of
// the slower one is older. Here that reading is given by hand.
TEST(EngineClock, DoesNotGoBackForAThreadWhoseReadingIsOlder)
{
    struct ByHand final : Clock {
        WallTime now = t0;
        WallTime wall() const override { return now; }
        SteadyTime steady() const override { return SteadyTime{now - t0}; }
    } source;
    const EngineClock clock{source};
    source.now = t0 + 5s;
    EXPECT_EQ(clock.wall(), t0 + 5s);
    source.now = t0 + 5s - 3ms;
    EXPECT_EQ(clock.wall(), t0 + 5s);
    source.now = t0 + 6s;
    EXPECT_EQ(clock.wall(), t0 + 6s);
}

// Whatever is done to the wall clock: engine time never goes back, and over any stretch differs from uptime by no more
// than one part in 200 (and the millisecond it counts in).
RC_GTEST_PROP(EngineClock, NeverGoesBackAndNeverRunsMoreThanOnePartInTwoHundredOff, ())
{
    ManualClock source{t0};
    const EngineClock clock{source};
    Millis uptime{0};
    WallTime last = clock.wall();
    const auto turns = *rc::gen::container<std::vector<std::pair<int, int>>>(
        rc::gen::pair(rc::gen::inRange(0, 20'000), rc::gen::inRange(-100'000, 100'000)));
    for (const auto& [advance, step] : turns) {
        source.step_wall(Millis{step});
        source.advance(Millis{advance});
        uptime += Millis{advance};
        const WallTime now = clock.wall();
        RC_ASSERT(now >= last);
        const auto off = std::chrono::abs(now - (t0 + uptime));
        RC_ASSERT(off <= uptime / 200);
        last = now;
    }
}

} // namespace
} // namespace freshet
