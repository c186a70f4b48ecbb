// SPDX-License-Identifier: Apache-2.0
#include "model/breaker.hpp"

#include <gtest/gtest.h>

namespace freshet {
namespace {

const WallTime t0 = from_ms(1'790'000'000'000);
const RetryPolicy policy{.attempts = 3, .wait = 2s, .max_wait = 1min};
const JobId a{1}, b{2};

BreakerRecord open(JobId probe = {})
{
    BreakerRecord breaker;
    breaker.failures = breaker_failures;
    breaker.open_until = t0 + 1min;
    breaker.probe = probe;
    return breaker;
}

TEST(Breaker, LetsEverythingBeginWhileClosed)
{
    EXPECT_EQ(may_begin({}, a, t0), BreakerWord::go);
    BreakerRecord four;
    four.failures = breaker_failures - 1;
    EXPECT_EQ(may_begin(four, a, t0), BreakerWord::go);
}

TEST(Breaker, OpensAtTheFifthFailureInARowForMaxWait)
{
    BreakerRecord breaker;
    for (int i = 1; i < breaker_failures; ++i) {
        breaker = after_end(breaker, a, false, policy, t0);
        EXPECT_FALSE(breaker.open_until) << i;
    }
    breaker = after_end(breaker, a, false, policy, t0);
    EXPECT_EQ(breaker.open_until, t0 + policy.max_wait);
    EXPECT_FALSE(breaker.probe);
}

TEST(Breaker, CountsFailuresInARowOnly)
{
    BreakerRecord breaker;
    for (int i = 1; i < breaker_failures; ++i) breaker = after_end(breaker, a, false, policy, t0);
    breaker = after_end(breaker, a, true, policy, t0);
    EXPECT_EQ(breaker.failures, 0);
    EXPECT_FALSE(after_end(breaker, a, false, policy, t0).open_until);
}

TEST(Breaker, LetsNothingBeginWhileOpen)
{
    EXPECT_EQ(may_begin(open(), a, t0), BreakerWord::wait);
    EXPECT_EQ(may_begin(open(), a, t0 + 1min - 1ms), BreakerWord::wait);
}

TEST(Breaker, LetsOneJobProbeOnceItsTimeIsOver)
{
    EXPECT_EQ(may_begin(open(), a, t0 + 1min), BreakerWord::probe);
    EXPECT_EQ(may_begin(open(a), b, t0 + 1min), BreakerWord::wait) << "another one probes";
    EXPECT_EQ(may_begin(open(a), a, t0 + 1min), BreakerWord::probe) << "the same one may try again";
}

TEST(Breaker, OpensAgainAfterAProbeThatFailed)
{
    const BreakerRecord breaker = after_end(open(a), a, false, policy, t0 + 2min);
    EXPECT_EQ(breaker.open_until, t0 + 3min);
    EXPECT_FALSE(breaker.probe) << "the next probe may be any job";
}

TEST(Breaker, ClosesAfterAProbeThatSucceeded)
{
    const BreakerRecord breaker = after_end(open(a), a, true, policy, t0 + 2min);
    EXPECT_FALSE(breaker.open_until);
    EXPECT_FALSE(breaker.probe);
    EXPECT_EQ(breaker.failures, 0);
}

TEST(Breaker, IsNotHeldOpenLongerByJobsThatBeganBeforeItOpened)
{
    const BreakerRecord breaker = after_end(open(a), b, false, policy, t0 + 30s);
    EXPECT_EQ(breaker.open_until, t0 + 1min);
    EXPECT_EQ(breaker.probe, a);
}

} // namespace
} // namespace freshet
