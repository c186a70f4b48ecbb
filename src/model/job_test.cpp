// SPDX-License-Identifier: Apache-2.0
// The legal rows of docs/design/jobs.md, each in a sentence. job_refusals_test.cpp holds what is refused, and
// job_history_test.cpp the invariants over random histories.
#include "model/job.hpp"

#include "model/job_samples.hpp"

#include <gmock/gmock.h>

namespace freshet {
namespace {

using namespace sample;
using testing::HasSubstr;

// Row 2.

TEST(Claim, BeginsAnAttemptUnderItsFenceAndLease)
{
    const Job job = claim(queued(), "w-1", fence, 99, policy, t0 + 1s).value();
    EXPECT_EQ(job.state, JobState::running);
    EXPECT_EQ(job.attempt, 1);
    EXPECT_EQ(job.fence, fence);
    EXPECT_EQ(job.data_fence, fence);
    EXPECT_EQ(job.worker, "w-1");
    EXPECT_EQ(job.definition, 99u);
    EXPECT_EQ(job.began_at, t0 + 1s);
    EXPECT_EQ(job.lease_until, t0 + 31s);
    EXPECT_EQ(job.beat_at, t0 + 1s);
    EXPECT_EQ(job.progress.attempt, 1);
}

TEST(Claim, KeepsACheckpointAndTheFenceItsDataWasReadUnder)
{
    Job job = beat(running(), {.fence = fence, .checkpoint = "page 3"}, policy, t0 + 1s).value();
    job = claimed(release(job, fence, {}, policy, t0 + 2s).value(), 20);
    EXPECT_EQ(job.checkpoint, "page 3");
    EXPECT_EQ(job.fence, 20u);
    EXPECT_EQ(job.data_fence, fence);
}

TEST(Claim, F3DropsACheckpointOlderThanWhatACallerAskedFor)
{
    Job job = beat(running(), {.fence = fence, .checkpoint = "page 3"}, policy, t0 + 1s).value();
    job = release(job, fence, {}, policy, t0 + 2s).value();
    job.asked = fence;
    job = claimed(job, 20);
    EXPECT_EQ(job.checkpoint, "");
    EXPECT_EQ(job.data_fence, 20u);
}

TEST(Claim, WithoutACheckpointReadsAnew)
{
    EXPECT_EQ(claimed(lost_once(), 20).data_fence, 20u);
}

using ClaimDeathTest = testing::Test;

TEST(ClaimDeathTest, EndsTheProcessRatherThanGiveAFenceTwice)
{
    EXPECT_DEATH(static_cast<void>(claim(lost_once(), "w-2", fence, 99, policy, t0)), "broken invariant");
    Job behind = queued();
    behind.behind = JobId{1};
    EXPECT_DEATH(static_cast<void>(claim(behind, "w-2", fence, 99, policy, t0)), "broken invariant");
}

// Row 3.

TEST(Beat, LengthensTheLease)
{
    const Job job = beat(running(), {.fence = fence}, policy, t0 + 10s).value();
    EXPECT_EQ(job.lease_until, t0 + 40s);
    EXPECT_EQ(job.beat_at, t0 + 10s);
    EXPECT_EQ(job.progress_at, t0) << "alive is not the same as getting on";
}

TEST(Beat, NeverShortensTheLease)
{
    QueuePolicy shorter = policy;
    shorter.lease = 5s;
    const Job job = beat(running(), {.fence = fence}, shorter, t0 + 1s).value();
    EXPECT_EQ(job.lease_until, t0 + 30s);
}

TEST(Beat, TakesProgressForwardsAndDropsWhatGoesBack)
{
    const auto told = [](const Job& job, int phase, std::int64_t done, WallTime at) {
        Beat said{.fence = fence, .progress = Progress{}};
        said.progress->phase_index = phase;
        said.progress->done = done;
        return beat(job, said, policy, at).value();
    };
    Job job = told(running(), 0, 50, t0 + 1s);
    EXPECT_EQ(job.progress.done, 50);
    EXPECT_EQ(job.progress.attempt, 1) << "the attempt is the job's, whatever the worker says";
    EXPECT_EQ(job.progress_at, t0 + 1s);
    job = told(job, 0, 40, t0 + 2s);
    EXPECT_EQ(job.progress.done, 50);
    EXPECT_EQ(job.progress_at, t0 + 1s);
    EXPECT_EQ(job.beat_at, t0 + 2s) << "the beat itself counts";
    job = told(job, 0, 50, t0 + 3s);
    EXPECT_EQ(job.progress_at, t0 + 1s) << "saying the same again is not getting on";
    job = told(job, 1, 0, t0 + 4s);
    EXPECT_EQ(job.progress.phase_index, 1);
    EXPECT_EQ(job.progress_at, t0 + 4s);
}

TEST(Beat, OfACancellingJobCountsAndDoesNotTakeTheCancelBack)
{
    const Job job = beat(cancelling(), {.fence = fence}, policy, t0 + 10s).value();
    EXPECT_EQ(job.lease_until, t0 + 40s);
    EXPECT_EQ(job.cancel_requested_at, t0 + 1s);
}

// Rows 4, 4b and 10.

TEST(Complete, EndsTheJobAndItsLease)
{
    Job job = running();
    job.error = ErrorInfo{ErrorClass::retryable, "http_503", "before"};
    job = complete(job, fence, Outcome::unchanged, t0 + 3s).value();
    EXPECT_EQ(job.state, JobState::succeeded);
    EXPECT_EQ(job.outcome, Outcome::unchanged);
    EXPECT_EQ(job.finished_at, t0 + 3s);
    EXPECT_FALSE(job.error || job.lease_until || job.beat_at);
    EXPECT_FALSE(job.finished_before_cancel);
}

TEST(Complete, CountsLateWhileNobodyElseWasGivenTheJob)
{
    EXPECT_EQ(complete(lost_once(), fence, Outcome::updated, t0 + 40s)->state, JobState::succeeded);
}

TEST(Complete, IsRefusedAfterANewClaim)
{
    EXPECT_EQ(complete(claimed(lost_once(), 20), fence, Outcome::updated, t0).error(), Refusal::lease_lost);
}

TEST(Complete, BeforeTheCancelTookEffectIsASuccessThatSaysSo)
{
    const Job job = complete(cancelling(), fence, Outcome::updated, t0 + 3s).value();
    EXPECT_EQ(job.state, JobState::succeeded);
    EXPECT_TRUE(job.finished_before_cancel);
}

// Row 4 with a guard, and row 15.

TEST(Hold, F8FailsTheJobInWordsAndAdoptMakesItGood)
{
    EXPECT_EQ(held().state, JobState::failed);
    EXPECT_EQ(held().outcome, Outcome::held);
    EXPECT_EQ(held().error, (ErrorInfo{ErrorClass::fatal, "held", "nothing came"}));
    const Job job = adopt(held(), Outcome::updated, t0 + 1h).value();
    EXPECT_EQ(job.state, JobState::succeeded);
    EXPECT_EQ(job.outcome, Outcome::updated);
    EXPECT_EQ(job.finished_at, t0 + 1h);
    EXPECT_FALSE(job.error);
}

TEST(Hold, CannotBeAdoptedTwiceNorAfterARetry)
{
    EXPECT_FALSE(adopt(adopt(held(), Outcome::updated, t0).value(), Outcome::updated, t0));
    EXPECT_FALSE(adopt(retry(held(), 1, 30, t0).value(), Outcome::updated, t0));
}

// Rows 5 and 6.

TEST(Fail, QueuesTheJobAgainAfterTheDelayThatIsShown)
{
    const Job job = failed_once();
    EXPECT_EQ(job.state, JobState::queued);
    EXPECT_EQ(job.failed, 1);
    EXPECT_EQ(job.due_at, t0 + 1s + retry_delay(running(), 1, policy.retry));
    EXPECT_EQ(job.error->code, "http_503");
    EXPECT_FALSE(job.lease_until || job.beat_at || job.finished_at || job.outcome);
}

TEST(Fail, TakesRetryAfterAsAFloor)
{
    const auto due = [](Millis retry_after) {
        return fail(running(), fence, failure(ErrorClass::retryable, retry_after), policy, t0)->due_at;
    };
    EXPECT_EQ(due(10min), t0 + 10min);
    EXPECT_EQ(due(1ms), t0 + retry_delay(running(), 1, policy.retry));
}

TEST(Fail, EndsTheJobWithItsLastAttempt)
{
    Job job = queued();
    for (Seq with = 10; with < 12; ++with) job = fail(claimed(job, with), with, failure(), policy, t0).value();
    EXPECT_EQ(job.state, JobState::queued);
    job = fail(claimed(job, 12), 12, failure(), policy, t0 + 9s).value();
    EXPECT_EQ(job.state, JobState::failed);
    EXPECT_EQ(job.attempt, 3);
    EXPECT_EQ(job.failed, 3);
    EXPECT_EQ(job.outcome, Outcome::failed);
    EXPECT_EQ(job.finished_at, t0 + 9s);
    EXPECT_EQ(job.worker, "w-1") << "who had it last";
}

TEST(Fail, EndsTheJobAtOnceWhereTryingAgainIsOfNoUse)
{
    EXPECT_EQ(failed().state, JobState::failed);
    EXPECT_EQ(failed().error->error_class, ErrorClass::fatal);
}

TEST(Fail, GivesRateLimitedEndsABudgetOfTheirOwn)
{
    Job job = queued();
    for (Seq with = 10; with < 29; ++with) {
        job = fail(claimed(job, with), with, failure(ErrorClass::rate_limited), policy, t0).value();
        ASSERT_EQ(job.state, JobState::queued) << with;
    }
    EXPECT_EQ(job.failed, 0);
    EXPECT_EQ(fail(claimed(job, 29), 29, failure(ErrorClass::rate_limited), policy, t0)->state, JobState::failed);
}

TEST(Fail, EndsTheJobWhereItsDeadlineLeavesNoTimeForAnother)
{
    Job job = running();
    const WallTime next = t0 + retry_delay(job, 1, policy.retry);
    job.deadline_at = next;
    EXPECT_EQ(fail(job, fence, failure(), policy, t0)->state, JobState::queued);
    job.deadline_at = next - 1ms;
    EXPECT_EQ(fail(job, fence, failure(), policy, t0)->state, JobState::failed);
}

TEST(RunLimit, SpendsAnAttemptWhateverTheBeatsSay)
{
    const Job job = run_out();
    EXPECT_EQ(job.state, JobState::queued);
    EXPECT_EQ(job.failed, 1);
    EXPECT_EQ(job.error->code, "run_limit");
    EXPECT_THAT(job.error->message, HasSubstr("5m"));
    Job last = running();
    last.failed = 2;
    EXPECT_EQ(run_limit_ended(last, policy, t0)->state, JobState::failed);
}

// Row 6b.

TEST(Expire, FailsAJobThatIsNotOverInTheWordsGiven)
{
    for (const Job& live : {queued(), running(), lost_once()}) {
        const Job job = expire(live, "source_removed", "gone from the file", t0 + 2s).value();
        EXPECT_EQ(job.state, JobState::failed);
        EXPECT_EQ(job.error, (ErrorInfo{ErrorClass::fatal, "source_removed", "gone from the file"}));
        EXPECT_FALSE(job.lease_until || job.beat_at);
    }
}

// Rows 7 and 7b.

TEST(LeaseEnd, F7MakesTheJobDueAtOnceTheFirstTimeAndLaterAfterwards)
{
    Job job = lost_once();
    EXPECT_EQ(job.state, JobState::queued);
    EXPECT_EQ(job.due_at, t0 + 31s);
    EXPECT_EQ(job.lost, 1);
    EXPECT_EQ(job.failed, 0) << "the retry budget is untouched";
    EXPECT_EQ(job.error->code, "worker_lost");
    EXPECT_THAT(job.error->message, HasSubstr("31 s"));
    job = lease_ended(claimed(job, 20, t0 + 31s), policy, t0 + 62s).value();
    EXPECT_EQ(job.due_at, t0 + 62s + 4s);
}

TEST(LeaseEnd, FailsTheJobOnceTheLostBudgetIsSpent)
{
    Job job = lease_ended(claimed(lost_once(), 20), policy, t0).value();
    job = lease_ended(claimed(job, 21), policy, t0).value();
    EXPECT_EQ(job.state, JobState::failed);
    EXPECT_EQ(job.lost, policy.lost_max);
    EXPECT_EQ(job.error->error_class, ErrorClass::lost);
}

TEST(LeaseEnd, FailsTheJobWhereTheQueueSaysSoAndALateResultIsRefused)
{
    QueuePolicy strict = policy;
    strict.on_lost_retry = false;
    const Job job = lease_ended(running(), strict, t0 + 31s).value();
    EXPECT_EQ(job.state, JobState::failed);
    EXPECT_EQ(job.error->code, "worker_lost");
    EXPECT_EQ(complete(job, fence, Outcome::updated, t0 + 32s).error(), Refusal::lease_lost);
}

// Row 8.

TEST(Release, WaitsLongerEachTimeUnlessACheckpointShowsThatItGotOn)
{
    EXPECT_EQ(handed_back().due_at, t0 + 1s + 2s);
    EXPECT_EQ(handed_back().failed, 0);
    const Job again = release(claimed(handed_back(), 20), 20, {}, policy, t0).value();
    EXPECT_EQ(again.due_at, t0 + 4s);
    EXPECT_EQ(release(running(), fence, {.wait = 1h}, policy, t0)->due_at, t0 + 1h)
        << "the worker's own wait, if longer";
    const Job kept = beat(running(), {.fence = fence, .checkpoint = "page 3"}, policy, t0).value();
    const Job back = release(kept, fence, {}, policy, t0 + 1s).value();
    EXPECT_EQ(back.due_at, t0 + 1s);
    EXPECT_EQ(back.checkpoint, "page 3");
}

TEST(Release, CountsAsAFailureTheTwentiethTime)
{
    Job job = running();
    job.released = policy.released_max - 1;
    const Job after = release(job, fence, {}, policy, t0).value();
    EXPECT_EQ(after.failed, 1);
    EXPECT_EQ(after.error->code, "released");
}

// Rows 9 and 11.

TEST(Cancel, EndsAWaitingJobAtOnce)
{
    EXPECT_EQ(cancelled().state, JobState::cancelled);
    EXPECT_FALSE(cancelled().forced);
    EXPECT_EQ(cancelled().error->error_class, ErrorClass::cancelled);
    EXPECT_EQ(cancel(lost_once(), t0)->state, JobState::cancelled);
}

TEST(Cancel, OnlyMarksARunningJobAndKeepsTheFirstRequest)
{
    EXPECT_EQ(cancelling().state, JobState::running);
    EXPECT_EQ(cancelling().cancel_requested_at, t0 + 1s);
    EXPECT_EQ(cancel(cancelling(), t0 + 9s)->cancel_requested_at, t0 + 1s);
}

TEST(Cancel, IsConfirmedByAnyEndTheWorkerTells)
{
    for (const Changed& changed : {fail(cancelling(), fence, failure(), policy, t0),
                                   fail(cancelling(), fence, failure(ErrorClass::fatal), policy, t0),
                                   release(cancelling(), fence, {}, policy, t0)}) {
        EXPECT_EQ(changed->state, JobState::cancelled);
        EXPECT_FALSE(changed->forced);
    }
}

TEST(Cancel, F7IsForcedWhereTheWorkerDoesNotConfirm)
{
    for (const Changed& changed :
         {lease_ended(cancelling(), policy, t0 + 31s), run_limit_ended(cancelling(), policy, t0 + 5min)}) {
        EXPECT_EQ(changed->state, JobState::cancelled);
        EXPECT_TRUE(changed->forced);
        EXPECT_EQ(changed->lost, 0);
    }
}

// Row 12.

TEST(Retry, BeginsANewGenerationWithWholeBudgets)
{
    Job over = failed();
    over.failed = 3, over.lost = 2, over.rate_limited = 4, over.released = 5, over.receipt = "{}";
    const Job job = retry(over, 1, 30, t0 + 1h).value();
    EXPECT_EQ(job.state, JobState::queued);
    EXPECT_EQ(job.generation, 2);
    EXPECT_EQ(job.due_at, t0 + 1h);
    EXPECT_EQ(job.asked, 30u) << "it is a new request";
    EXPECT_EQ(job.attempt + job.failed + job.lost + job.rate_limited + job.released, 0);
    EXPECT_FALSE(job.finished_at || job.outcome);
    EXPECT_EQ(job.receipt, "");
    EXPECT_EQ(job.fence, fence) << "fences only grow";
}

TEST(Retry, OfACancelledJobForgetsTheCancel)
{
    const Job over = lease_ended(cancelling(), policy, t0 + 31s).value();
    const Job job = retry(over, {}, 30, t0 + 1h).value();
    EXPECT_FALSE(job.cancel_requested_at || job.forced);
    EXPECT_EQ(claimed(job, 40).state, JobState::running);
}

TEST(Retry, NeverLowersWhatWasAskedFor)
{
    EXPECT_EQ(retry(failed(), 1, 0, t0)->asked, 5u);
}

} // namespace
} // namespace freshet
