// SPDX-License-Identifier: Apache-2.0
// What a job says of time: its next timer, the delay before another try, and the word that people are told now.
#include "model/job.hpp"

#include "model/job_samples.hpp"

#include <gtest/gtest.h>

namespace freshet {
namespace {

using namespace sample;

TEST(NextTimer, IsTheFirstOfLeaseRunLimitAndGrace)
{
    Job job = running();
    EXPECT_EQ(next_timer(job, policy), t0 + 30s);
    job.lease_until = t0 + 1h;
    EXPECT_EQ(next_timer(job, policy), t0 + 5min);
    job.cancel_requested_at = t0 + 1s;
    EXPECT_EQ(next_timer(job, policy), t0 + 21s);
}

TEST(RetryDelay, LiesBetweenHalfAndWholeOfADoublingWaitUpToItsMost)
{
    const RetryPolicy retry{.attempts = 5, .wait = 2s, .max_wait = 1min};
    Job job = queued();
    for (std::int64_t id = 1; id < 200; ++id) {
        job.id = JobId{id};
        Millis x = 2s;
        for (int n = 1; n <= 10; ++n, x = std::min<Millis>(x * 2, 1min)) {
            EXPECT_GE(retry_delay(job, n, retry), x / 2);
            EXPECT_LT(retry_delay(job, n, retry), x);
        }
    }
}

TEST(RetryDelay, IsExactAndDiffersByJobGenerationAndTry)
{
    const RetryPolicy flat{.attempts = 5, .wait = 1h, .max_wait = 1h};
    const Job job = queued();
    Job other = job, again = job;
    other.id = JobId{78}, again.generation = 2;
    EXPECT_EQ(retry_delay(job, 1, flat), retry_delay(job, 1, flat));
    EXPECT_NE(retry_delay(job, 1, flat), retry_delay(job, 2, flat));
    EXPECT_NE(retry_delay(job, 1, flat), retry_delay(other, 1, flat));
    EXPECT_NE(retry_delay(job, 1, flat), retry_delay(again, 1, flat));
}

TEST(RetryDelay, DoesNotOverflowAfterManyTries)
{
    EXPECT_GE(retry_delay(queued(), 1000, policy.retry), policy.retry.max_wait / 2);
}

TEST(ReportedState, IsDerivedFromWhatIsStored)
{
    struct Row {
        const char* word;
        Job job;
        WallTime now;
        bool paused;
    };
    Job later = queued();
    later.due_at = t0 + 1h;
    const Row rows[] = {
        {"queued", queued(), t0, false},
        {"paused", queued(), t0, true},
        {"scheduled", later, t0, false},
        {"queued", later, t0 + 1h, false},
        {"paused", later, t0, true},
        {"retrying", failed_once(), t0 + 1s, false},
        {"queued", failed_once(), t0 + 1h, false},
        {"running", running(), t0, false},
        {"running", running(), t0, true},
        {"cancelling", cancelling(), t0, false},
        {"cancelling", cancelling(), t0, true},
        {"succeeded", succeeded(), t0, true},
        {"failed", failed(), t0, false},
        {"failed", held(), t0, false},
        {"cancelled", cancelled(), t0, true},
        {"scheduled", retry(failed(), 1, 0, t0 + 1h).value(), t0, false},
    };
    for (const Row& row : rows)
        EXPECT_EQ(reported_state(row.job, row.now, row.paused), row.word) << to_text(row.job.state);
}

} // namespace
} // namespace freshet
