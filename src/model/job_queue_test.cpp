// SPDX-License-Identifier: Apache-2.0
// What jobs of queues add to the rows of docs/design/jobs.md: unique slots, hand-backs that wait, deadlines of waiting
// jobs, budgets of their own, stalls, and results that came too late.
#include "model/job.hpp"

#include "model/job_samples.hpp"

#include <gmock/gmock.h>

namespace freshet {
namespace {

using namespace sample;
using testing::HasSubstr;

Job unique(Job job, UniqueScope scope)
{
    job.unique = UniqueTerms{.key = "k", .scope = scope, .ttl = 1min};
    return job;
}

TEST(UniqueSlot, IsTakenForAsLongAsItsScopeSays)
{
    struct Row {
        const char* what;
        Job job;
        std::string_view queued, live, window, debounce;
    };
    const Row rows[] = {
        {"waits for its first attempt", queued(), "k", "k", "k", "k"},
        {"runs", running(), "", "k", "k", "k"},
        {"waits for another attempt", failed_once(), "", "k", "k", "k"},
        {"is being cancelled", cancelling(), "", "k", "k", "k"},
        {"succeeded", succeeded(), "", "", "k", ""},
        {"failed", failed(), "", "", "", ""},
        {"was cancelled", cancelled(), "", "", "", ""},
        {"was retried by a person", retried(), "k", "k", "k", "k"},
    };
    for (const Row& row : rows) {
        EXPECT_EQ(unique_slot(row.job), "") << row.what;
        EXPECT_EQ(unique_slot(unique(row.job, UniqueScope::queued)), row.queued) << row.what;
        EXPECT_EQ(unique_slot(unique(row.job, UniqueScope::live)), row.live) << row.what;
        EXPECT_EQ(unique_slot(unique(row.job, UniqueScope::window)), row.window) << row.what;
        EXPECT_EQ(unique_slot(unique(row.job, UniqueScope::debounce)), row.debounce) << row.what;
    }
}

TEST(UniqueSlot, OfAWindowIsOpenUntilItsTimeAfterTheAskIsOver)
{
    const Job job = unique(succeeded(), UniqueScope::window);
    EXPECT_TRUE(window_open(job, t0 + 1min - 1ms));
    EXPECT_FALSE(window_open(job, t0 + 1min));
    EXPECT_FALSE(window_open(unique(succeeded(), UniqueScope::live), t0));
    EXPECT_FALSE(window_open(unique(failed(), UniqueScope::window), t0)) << "what failed may be asked for again";
}

// Row 8.

TEST(Release, WithAReasonIsShownAsPausedUntilItIsDue)
{
    const Job job = release(running(), fence, {.wait = 1h, .reason = "waits for approval"}, policy, t0).value();
    EXPECT_EQ(job.wait_reason, "waits for approval");
    EXPECT_EQ(job.due_at, t0 + 1h);
    EXPECT_EQ(reported_state(job, t0 + 1s, false), "paused");
    EXPECT_EQ(reported_state(job, t0 + 1h, false), "queued");
    EXPECT_EQ(claimed(job, 20, t0 + 1h).wait_reason, "");
    EXPECT_EQ(cancel(job, t0 + 1s)->wait_reason, "");
}

TEST(Release, CountsOnlyWhereNoNewerCheckpointShowsThatItGotOn)
{
    Job job = release(running(), fence, {.checkpoint = "1"}, policy, t0).value();
    EXPECT_EQ(job.released, 0);
    EXPECT_EQ(job.checkpoint_fence, fence);
    EXPECT_EQ(job.due_at, t0);
    job = release(claimed(job, 20), 20, {}, policy, t0).value();
    EXPECT_EQ(job.released, 1) << "the checkpoint is an older hand-out's";
    EXPECT_EQ(job.due_at, t0 + 2s);
    job = release(claimed(job, 30), 30, {.checkpoint = "1"}, policy, t0).value();
    EXPECT_EQ(job.released, 2) << "saying the same again is not getting on";
    EXPECT_EQ(job.checkpoint, "1");
    job = beat(claimed(job, 40), {.fence = 40, .checkpoint = "2"}, policy, t0).value();
    job = release(job, 40, {}, policy, t0).value();
    EXPECT_EQ(job.released, 0) << "a newer one resets the count";
}

// Row 6b.

TEST(Deadlines, AreTimersOfAWaitingJob)
{
    Job job = queued();
    EXPECT_EQ(next_timer(job, policy), std::nullopt);
    job.deadline_at = t0 + 1h;
    EXPECT_EQ(next_timer(job, policy), t0 + 1h);
    job.start_by = t0 + 1min;
    EXPECT_EQ(next_timer(job, policy), t0 + 1min);
    const Job again = fail(claimed(job, 20), 20, failure(), policy, t0).value();
    EXPECT_EQ(next_timer(again, policy), t0 + 1h) << "an attempt began in time";
    EXPECT_EQ(next_timer(cancel(job, t0).value(), policy), std::nullopt);
}

TEST(Deadlines, ThatPassEndAWaitingJobAsExpired)
{
    Job job = queued();
    job.start_by = t0 + 1min, job.deadline_at = t0 + 1h;
    EXPECT_FALSE(waited_too_long(job, t0 + 1min - 1ms));
    const Job late = waited_too_long(job, t0 + 1min).value();
    EXPECT_EQ(late.state, JobState::failed);
    EXPECT_EQ(late.error->code, "expired");
    EXPECT_THAT(late.error->message, HasSubstr("start deadline"));
    const Job again = fail(claimed(job, 20), 20, failure(), policy, t0).value();
    EXPECT_FALSE(waited_too_long(again, t0 + 2min));
    EXPECT_EQ(waited_too_long(again, t0 + 1h)->error->code, "expired");
    EXPECT_FALSE(waited_too_long(claimed(job, 20), t0 + 2h)) << "what runs is ended by its lease and run limit";
}

TEST(RunNow, MakesAWaitingJobDueWhateverItWaitedFor)
{
    const Job paused = release(running(), fence, {.wait = 1h, .reason = "waits for approval"}, policy, t0).value();
    const Job job = run_now(paused, t0 + 1s).value();
    EXPECT_EQ(job.due_at, t0 + 1s);
    EXPECT_EQ(reported_state(job, t0 + 1s, false), "queued");
    EXPECT_EQ(run_now(queued(), t0 + 1h)->due_at, t0) << "never later than it was";
    EXPECT_EQ(run_now(running(), t0 + 1h).value(), running());
    EXPECT_EQ(run_now(succeeded(), t0).error(), Refusal::already_over);
}

TEST(Reset, EndsALiveJobInItsOwnWords)
{
    EXPECT_EQ(reset(running(), t0)->error->code, "reset");
    EXPECT_EQ(reset(queued(), t0)->state, JobState::failed);
    EXPECT_EQ(complete(reset(lost_once(), t0).value(), fence, Outcome::updated, t0).error(), Refusal::lease_lost);
    EXPECT_EQ(reset(succeeded(), t0).error(), Refusal::already_over);
}

TEST(RunLimit, OfZeroIsNone)
{
    QueuePolicy unlimited = policy;
    unlimited.run_limit = 0ms;
    Job job = running();
    job.lease_until = t0 + 100h;
    EXPECT_EQ(next_timer(job, unlimited), t0 + 100h);
}

TEST(Fail, TakesTheJobsOwnNumberOfAttemptsBeforeTheQueues)
{
    Job job = running();
    job.attempts_max = 1;
    EXPECT_EQ(fail(job, fence, failure(), policy, t0)->state, JobState::failed);
    job.attempts_max = 5, job.failed = 3;
    EXPECT_EQ(fail(job, fence, failure(), policy, t0)->state, JobState::queued);
}

TEST(LeaseEnd, SaysInWordsWhatWasSeen)
{
    const Job job = lease_ended(running(), policy, t0 + 1s, "worker w-1 no longer holds it").value();
    EXPECT_EQ(job.error->message, "worker w-1 no longer holds it");
    EXPECT_EQ(job.error->error_class, ErrorClass::lost);
}

TEST(Stall, IsDerivedFromTheLastProgressOfARunningJob)
{
    QueuePolicy watched = policy;
    watched.progress_deadline = 2min;
    EXPECT_EQ(stall_at(running(), policy), std::nullopt);
    EXPECT_EQ(stall_at(queued(), watched), std::nullopt);
    EXPECT_EQ(stall_at(running(), watched), t0 + 2min);
    const Job alive = beat(running(), {.fence = fence}, watched, t0 + 10s).value();
    EXPECT_EQ(stall_at(alive, watched), t0 + 2min) << "alive is not the same as getting on";
    Beat said{.fence = fence, .progress = Progress{}};
    said.progress->done = 1;
    EXPECT_EQ(stall_at(beat(alive, said, watched, t0 + 20s).value(), watched), t0 + 20s + 2min);
}

// Results that came too late.

LateResult late(Seq of)
{
    return {.fence = of, .worker = "w-1", .result = R"({"n":1})", .at = t0 + 1min};
}

TEST(LateResult, OfAFailedJobCanBeAdopted)
{
    QueuePolicy strict = policy;
    strict.on_lost_retry = false;
    const Job lost = lease_ended(running(), strict, t0 + 31s).value();
    EXPECT_EQ(complete(lost, fence, Outcome::updated, t0 + 1min).error(), Refusal::lease_lost);
    const Job kept = keep_late(lost, late(fence)).value();
    EXPECT_EQ(kept.state, JobState::failed) << "nothing else is touched";
    const Job job = adopt(kept, Outcome::updated, t0 + 1h).value();
    EXPECT_EQ(job.state, JobState::succeeded);
    EXPECT_EQ(job.result, R"({"n":1})");
    EXPECT_EQ(job.result_bytes, 7);
    EXPECT_FALSE(job.late || job.error);
}

TEST(LateResult, OfACancelledOrLiveJobCannotBeAdopted)
{
    const Job forced = lease_ended(cancelling(), policy, t0 + 31s).value();
    EXPECT_EQ(adopt(keep_late(forced, late(fence)).value(), Outcome::updated, t0).error(), Refusal::not_terminal);
    const Job again = claimed(lost_once(), 20);
    EXPECT_EQ(adopt(keep_late(again, late(fence)).value(), Outcome::updated, t0).error(), Refusal::not_terminal);
}

TEST(LateResult, IsKeptOnceOfTheNewestHandOutAndWithinItsBound)
{
    const Job kept = keep_late(claimed(lost_once(), 20), late(fence)).value();
    EXPECT_FALSE(keep_late(kept, late(fence))) << "the first answer of a hand-out stays";
    EXPECT_TRUE(keep_late(kept, late(20)));
    EXPECT_FALSE(keep_late(keep_late(kept, late(20)).value(), late(fence)));
    EXPECT_FALSE(keep_late(kept, late(21))) << "a fence that was never given";
    EXPECT_FALSE(keep_late(kept, late(0)));
    EXPECT_EQ(keep_late(succeeded(), late(fence)).error(), Refusal::already_over);
    LateResult large = late(20);
    large.result.resize(late_result_max + 1);
    EXPECT_FALSE(keep_late(kept, large));
}

TEST(Retry, ClearsWhatBelongedToTheEndedGeneration)
{
    Job over = failed();
    over.deadline_at = t0, over.start_by = t0, over.result = "1", over.result_bytes = 1;
    const Job job = retry(over, 1, 0, t0 + 1h).value();
    EXPECT_FALSE(job.deadline_at || job.start_by);
    EXPECT_EQ(job.result, "");
    EXPECT_EQ(job.result_bytes, 0);
    EXPECT_EQ(job.checkpoint, "");
    EXPECT_FALSE(waited_too_long(job, t0 + 2h));
}

TEST(LastAttempt, IsToldByTheJobItselfWhileItRunsOrOnceItEnded)
{
    EXPECT_FALSE(last_attempt(queued()));
    EXPECT_FALSE(last_attempt(failed_once())) << "its attempt has a row";
    EXPECT_FALSE(last_attempt(cancelled())) << "none began";
    EXPECT_EQ(last_attempt(running())->end, AttemptEnd::running);
    EXPECT_EQ(last_attempt(running())->fence, fence);
    EXPECT_EQ(last_attempt(succeeded())->end, AttemptEnd::succeeded);
    EXPECT_EQ(last_attempt(succeeded())->finished_at, t0 + 1s);
    EXPECT_EQ(last_attempt(failed())->end, AttemptEnd::failed);
    EXPECT_EQ(last_attempt(lease_ended(cancelling(), policy, t0 + 31s).value())->end, AttemptEnd::cancelled);
    QueuePolicy strict = policy;
    strict.on_lost_retry = false;
    EXPECT_EQ(last_attempt(lease_ended(running(), strict, t0 + 31s).value())->end, AttemptEnd::lost);
    strict.retry.attempts = 1;
    EXPECT_EQ(last_attempt(run_limit_ended(running(), strict, t0 + 5min).value())->end, AttemptEnd::limit);
}

} // namespace
} // namespace freshet
