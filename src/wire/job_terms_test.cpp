// SPDX-License-Identifier: Apache-2.0
// What a job of a queue shows: its terms, why it waits, its result or where that is, and what came too late.
#include "wire/views.hpp"

#include <gmock/gmock.h>

namespace freshet {
namespace {

using testing::HasSubstr;
using testing::Not;

const WallTime t0 = from_ms(1'790'000'000'000);

Job task()
{
    Job job;
    job.id = JobId{77};
    job.kind = JobKind::task;
    job.tenant = "default", job.queue = "mails", job.input = R"({"to":"x"})";
    job.requested_at = job.due_at = t0;
    return job;
}
Job running()
{
    return claim(task(), "w1", 10, 0, {}, t0).value();
}
Definitions watched()
{
    Definitions definitions;
    QueueDefinition mails;
    mails.name = "mails", mails.progress_deadline = 1min;
    definitions.queues["mails"] = mails;
    return definitions;
}

TEST(JobTerms, SayWhenAJobIsCalledStalledAndHowManyAttemptsItHas)
{
    const Job job = running();
    const JobTerms terms = terms_of(watched(), job, false);
    EXPECT_EQ(terms.stall_at, t0 + 1min);
    EXPECT_EQ(terms.attempts_max, 5);
    const std::string before = job_json(job, terms, t0 + 59s), after = job_json(job, terms, t0 + 1min);
    EXPECT_THAT(before, HasSubstr(R"("stalled":false)"));
    EXPECT_THAT(before, HasSubstr(R"("stall_at":)"));
    EXPECT_THAT(after, HasSubstr(R"("stalled":true)"));
    EXPECT_THAT(after, HasSubstr(R"("code":"stalled")"));
    EXPECT_THAT(after, HasSubstr(R"("attempts_max":5)"));
    Job own = task();
    own.attempts_max = 2;
    EXPECT_EQ(terms_of(watched(), own, false).attempts_max, 2);
    EXPECT_THAT(job_json(own, terms_of(watched(), own, false), t0), Not(HasSubstr("stall_at")));
}

TEST(JobEvents, AreTheSameBytesWhetherToldByValuesOrAtOnce)
{
    Job job = running();
    job.seq = 10;
    JobTerms terms = terms_of(watched(), job, true);
    terms.brief = true;
    const Event told =
        job_event({std::make_shared<const Job>(job), terms.paused, terms.attempts_max, terms.stall_at, t0 + 5s}, false);
    const std::string at_once = job_event_json(told.topic, job_json(job, terms, t0 + 5s), job.seq);
    EXPECT_EQ(event_json(told), at_once);
    EXPECT_THAT(at_once, HasSubstr(R"("stall_at":)"));
    EXPECT_THAT(event_json(job_event({std::make_shared<const Job>(task()), true, 5, {}, t0}, false)),
                HasSubstr(R"("state":"paused")"));
    const Event kept{EventKind::job, told.topic, at_once, told.also, false};
    EXPECT_EQ(event_json(kept), at_once);
}

TEST(JobEvents, OfJobsWithLongTextsAreNotKeptByTheirValues)
{
    Job job = running();
    EXPECT_TRUE(told_by_values(job));
    job.checkpoint = std::string(2'000, '1');
    EXPECT_FALSE(told_by_values(job));
    job.checkpoint.clear();
    job.late = LateResult{9, "w0", "1", t0};
    EXPECT_FALSE(told_by_values(job));
}

TEST(JobTerms, AJobThatWasHandedBackWithAReasonSaysItsReason)
{
    const Job job = release(running(), 10, {.wait = 1h, .reason = "waits for approval"}, {}, t0).value();
    const std::string json = job_json(job, false, t0 + 1s);
    EXPECT_THAT(json, HasSubstr(R"("state":"paused")"));
    EXPECT_THAT(json, HasSubstr(R"("code":"paused","text":"waits for approval")"));
}

TEST(JobTerms, AGatedItemSaysWhatItWaitsFor)
{
    Job job = task();
    job.kind = JobKind::item, job.batch = BatchId{5}, job.item = "a", job.label = "A", job.gated = true;
    const std::string json = job_json(job, false, t0);
    EXPECT_THAT(json, HasSubstr(R"("code":"gated")"));
    EXPECT_THAT(json, HasSubstr(R"("item":"a","label":"A")"));
}

TEST(JobTerms, ResultsAreInlineOrTellWhereTheyAre)
{
    Job job = complete(running(), 10, Outcome::updated, t0).value();
    job.result = R"({"sent":1})", job.result_bytes = 10;
    EXPECT_THAT(job_json(job, false, t0), HasSubstr(R"("result":{"sent":1})"));
    job.result = "\"" + std::string(2000, 'x') + "\"", job.result_bytes = 2002, job.input = job.result;
    JobTerms brief{false};
    brief.brief = true;
    EXPECT_THAT(job_json(job, false, t0), HasSubstr("xxx"));
    EXPECT_THAT(job_json(job, brief, t0), Not(HasSubstr("xxx"))) << "events leave long ones out";
    EXPECT_THAT(job_json(job, brief, t0), HasSubstr(R"("result_href":"/v1/jobs/)"));
    job.result.clear(), job.result_payload = 3;
    EXPECT_THAT(job_json(job, false, t0), HasSubstr("result_href"));
}

TEST(JobTerms, ALateResultIsShownForADay)
{
    QueuePolicy strict;
    strict.on_lost_retry = false;
    Job job = lease_ended(running(), strict, t0 + 31s).value();
    job = keep_late(job, {.fence = 10, .worker = "w1", .result = "[1]", .at = t0 + 40s}).value();
    const std::string json = job_json(job, false, t0 + 1h);
    EXPECT_THAT(json, HasSubstr(R"("late_result":{"fence":10,"worker":"w1")"));
    EXPECT_THAT(json, HasSubstr("adopting the result that came too late"));
    EXPECT_THAT(job_json(job, false, t0 + 40s + 24h), Not(HasSubstr("late_result")));
}

TEST(JobTerms, TagsAndUniqueTermsAreShown)
{
    Job job = task();
    job.tags = {"nightly", "x"};
    job.unique = UniqueTerms{.key = "k"};
    job.start_by = t0 + 1min;
    const std::string json = job_json(job, false, t0);
    EXPECT_THAT(json, HasSubstr(R"("tags":["nightly","x"])"));
    EXPECT_THAT(json, HasSubstr(R"("unique":{"key":"k","scope":"live","on_conflict":"attach"})"));
    EXPECT_THAT(json, HasSubstr("start_by"));
}

} // namespace
} // namespace freshet
