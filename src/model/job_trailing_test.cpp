// SPDX-License-Identifier: Apache-2.0
// The job behind another: what it inherits, and when it may begin (F3, F5).
#include "model/job.hpp"

#include "model/job_samples.hpp"

#include <gtest/gtest.h>

namespace freshet {
namespace {

using namespace sample;

Job trailing()
{
    Job job = queued();
    job.id = JobId{78};
    job.behind = JobId{77};
    job.asked = 15;
    return job;
}

TEST(Supersede, EndsTheFirstAndHandsItsStoryToTheOneBehind)
{
    Job first = failed_once();
    first.lost = 1, first.rate_limited = 2, first.released = 3;
    const auto [ended, next] = supersede(first, trailing(), t0 + 1s);
    EXPECT_EQ(ended.state, JobState::cancelled);
    EXPECT_EQ(ended.superseded_by, JobId{78});
    EXPECT_EQ(ended.error->code, "superseded");
    EXPECT_FALSE(next.behind);
    EXPECT_EQ(next.attempt, 1);
    EXPECT_EQ(next.failed, 1);
    EXPECT_EQ(next.lost, 1);
    EXPECT_EQ(next.rate_limited, 2);
    EXPECT_EQ(next.released, 3);
    EXPECT_EQ(next.error, first.error);
    EXPECT_EQ(next.asked, 15u);
    EXPECT_EQ(next.due_at, t0 + 1s) << "the earlier of both, and not before now";
    EXPECT_EQ(claimed(next, 20).data_fence, 20u);
}

TEST(Supersede, TakesTheEarlierDueTime)
{
    Job late = trailing();
    late.due_at = t0 + 1h;
    EXPECT_EQ(supersede(failed_once(), late, t0 + 1s).trailing.due_at, failed_once().due_at);
}

TEST(Supersede, RefusesALateResultOfTheFirst)
{
    const auto [ended, next] = supersede(lost_once(), trailing(), t0 + 31s);
    EXPECT_FALSE(complete(ended, fence, Outcome::updated, t0 + 32s));
    EXPECT_FALSE(complete(next, 0, Outcome::updated, t0 + 32s));
    EXPECT_FALSE(complete(next, fence, Outcome::updated, t0 + 32s));
}

TEST(Lifted, MakesTheOneBehindClaimableNotBeforeItIsDue)
{
    const Job job = lifted(trailing(), t0 + 5s);
    EXPECT_FALSE(job.behind);
    EXPECT_EQ(job.due_at, t0 + 5s);
    Job late = trailing();
    late.due_at = t0 + 1h;
    EXPECT_EQ(lifted(late, t0).due_at, t0 + 1h);
}

} // namespace
} // namespace freshet
