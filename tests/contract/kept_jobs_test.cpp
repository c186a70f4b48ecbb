// SPDX-License-Identifier: Apache-2.0
// What every store counts of jobs and keeps beside them, their lines and attempts, and what goes with one that is
// dropped.
#include "store/kept_bytes.hpp"
#include "stores.hpp"

#include <gmock/gmock.h>

namespace freshet::contract {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class KeptJobs : public JobContract {};
FRESHET_CONTRACT(KeptJobs);

TEST_P(KeptJobs, CountsJobsByQueueAndStateWithEachChange)
{
    using Counted = std::vector<JobCount>;
    put({a_job(1), a_job(2), running(a_job(3)), a_job(4, "alpha"), ended(a_job(5), t0)});
    EXPECT_EQ(store().reader()->job_counts("acme"), (Counted{{"acme", "alpha", JobState::queued, 1},
                                                             {"acme", "prices", JobState::queued, 2},
                                                             {"acme", "prices", JobState::running, 1},
                                                             {"acme", "prices", JobState::succeeded, 1}}));
    const Counted after{{"acme", "prices", JobState::running, 1}, {"acme", "prices", JobState::succeeded, 2}};
    commit([&](Transaction& t) {
        t.put_job(running(a_job(1)), {});
        EXPECT_EQ(t.job_counts("acme").size(), 4U);
        t.put_job(ended(a_job(1), t0), {});
        t.put_job(ended(a_job(1), t0), {});
        t.put_job(running(a_job(2)), {});
        t.drop_job(JobId{3});
        t.drop_job(JobId{4});
        t.drop_job(JobId{404});
        EXPECT_EQ(t.job_counts("acme"), after);
    });
    {
        const auto rolled_back = store().begin();
        rolled_back->put_job(a_job(9), {});
    }
    reopen();
    EXPECT_EQ(store().reader()->job_counts("acme"), after);
    EXPECT_THAT(store().reader()->job_counts("globex"), IsEmpty());
}

TEST_P(KeptJobs, KeepsCountOfWhatEnded)
{
    const auto figures = [this](const char* tenant = "acme") { return store().begin()->kept_figures(tenant); };
    Job large = ended(a_job(1), t0 + 2s);
    put({large, a_job(2)});
    const KeptFigures one = figures();
    EXPECT_EQ(one.ended, 1);
    EXPECT_GT(one.ended_bytes, 0);
    EXPECT_EQ(figures("globex"), KeptFigures{});

    commit([&](Transaction& t) {
        large.result_payload = t.put_payload(std::string(10'000, 'x'));
        t.put_job(large, {});
        EXPECT_GE(t.kept_figures("acme").ended_bytes, one.ended_bytes + 10'000) << "within the transaction, too";
    });
    const KeptFigures with_result = figures();
    EXPECT_EQ(with_result.ended, 1);
    EXPECT_GE(with_result.ended_bytes, one.ended_bytes + 10'000);
    reopen();
    EXPECT_EQ(figures(), with_result);

    put({ended(a_job(2), t0 + 3s, JobState::failed)});
    EXPECT_EQ(figures().ended, 2);
    put({a_job(2)}); // a retry
    EXPECT_EQ(figures(), with_result);
    commit([](Transaction& t) { t.drop_job(JobId{1}); });
    EXPECT_EQ(figures(), KeptFigures{});
}

TEST_P(KeptJobs, KeepsCountOfWhatLiveJobsBringAlong)
{
    const auto live = [this](const char* tenant = "acme") { return store().begin()->kept_figures(tenant).live_bytes; };
    Job job = a_job(1);
    job.input = std::string(100, 'i');
    put({job, a_job(2)});
    const std::int64_t others = static_cast<std::int64_t>(a_job(2).input.size());
    EXPECT_EQ(live(), 100 + others);
    job.state = JobState::running, job.checkpoint = std::string(30, 'c');
    commit([&](Transaction& t) {
        t.put_job(job, {});
        EXPECT_EQ(t.kept_figures("acme").live_bytes, 130 + others) << "within the transaction, too";
    });
    reopen();
    EXPECT_EQ(live(), 130 + others);
    EXPECT_EQ(live("globex"), 0);
    commit([&](Transaction& t) {
        t.put_job(ended(job, t0), {});
        t.drop_job(JobId{2});
    });
    EXPECT_EQ(live(), 0);
    put({job}); // a retry
    EXPECT_EQ(live(), 130);
}

TEST_P(KeptJobs, KeepsCountOfTheLinesOfJobs)
{
    const auto lines = [this](const char* tenant = "acme") { return store().begin()->kept_figures(tenant).log_bytes; };
    put({a_job(1), a_job(2)});
    commit([&](Transaction& t) {
        t.append_log({JobId{1}, 1, 7, t0, "info", std::string(100, 'x')});
        t.append_log({JobId{1}, 2, 7, t0, "info", ""});
        t.append_log({JobId{2}, 1, 7, t0, "info", "שלום"});
        EXPECT_EQ(t.kept_figures("acme").log_bytes, 108 + 3 * log_row_bytes) << "bytes, not letters";
    });
    reopen();
    EXPECT_EQ(lines(), 108 + 3 * log_row_bytes);
    EXPECT_EQ(lines("globex"), 0);
    commit([&](Transaction& t) { t.append_log({JobId{1}, 1, 8, t0, "info", std::string(10, 'x')}); });
    EXPECT_EQ(lines(), 18 + 3 * log_row_bytes) << "a line that took another's place";
    put({ended(a_job(1), t0)});
    EXPECT_EQ(lines(), 18 + 3 * log_row_bytes) << "they stay as long as their job";
    commit([](Transaction& t) { t.drop_job(JobId{1}); });
    EXPECT_EQ(lines(), 8 + log_row_bytes);
    EXPECT_THROW(commit([](Transaction& t) { t.append_log({JobId{1}, 1, 7, t0, "info", "late"}); }), StoreFailure)
        << "a line of nobody would never go";
    EXPECT_EQ(lines(), 8 + log_row_bytes);
}

TEST_P(KeptJobs, KeepsTheLinesOfAJobInOrder)
{
    put({a_job(1), a_job(2)});
    const LogLine first{JobId{1}, 1, 7, t0, "info", "began"}, second{JobId{1}, 2, 7, t0 + 1s, "warn", "slow\nline"};
    commit([&](Transaction& t) {
        t.append_log(second);
        t.append_log(first);
        t.append_log({JobId{2}, 1, 8, t0, "info", "another's"});
        EXPECT_THAT(t.job_log(JobId{1}, 0, 10), ElementsAre(first, second));
    });
    reopen();
    EXPECT_THAT(store().reader()->job_log(JobId{1}, 0, 10), ElementsAre(first, second));
    EXPECT_THAT(store().reader()->job_log(JobId{1}, 0, 1), ElementsAre(first));
    EXPECT_THAT(store().reader()->job_log(JobId{1}, 1, 10), ElementsAre(second));
}

TEST_P(KeptJobs, FindsEndedJobsOldestFirstAndDropsThemWithTheirAttempts)
{
    put({ended(a_job(1), t0 + 2s), ended(a_job(2), t0 + 1s, JobState::cancelled), ended(a_job(3), t0 + 9s), a_job(4)});
    AttemptRecord attempt{
        JobId{1}, 2, 3, 4, "w1", t0, t0 + 1s, AttemptEnd::lost, ErrorInfo{ErrorClass::lost, "c", "m"}};
    AttemptRecord again{JobId{1}, 2, 4, 9, "w2", t0, {}, AttemptEnd::running, {}};
    commit([&](Transaction& t) {
        t.put_attempt(again);
        t.put_attempt({JobId{1}, 2, 3, 4, "w1", t0, {}, AttemptEnd::running, {}});
        t.put_attempt(attempt);
    });
    EXPECT_THAT(store().reader()->attempts(JobId{1}), ElementsAre(attempt, again));
    commit([](Transaction& t) {
        EXPECT_THAT(t.ended_jobs("acme", t0 + 9s, 10),
                    ElementsAre(Ended<JobId>{JobId{2}, t0 + 1s}, Ended<JobId>{JobId{1}, t0 + 2s}));
        EXPECT_THAT(ended_ids(t.ended_jobs("acme", t0 + 9s, 1)), ElementsAre(2));
        EXPECT_THAT(t.ended_jobs("globex", t0 + 9s, 10), IsEmpty());
        t.drop_job(JobId{1});
    });
    EXPECT_EQ(store().reader()->job(JobId{1}), std::nullopt);
    EXPECT_THAT(store().reader()->attempts(JobId{1}), IsEmpty());
    EXPECT_THAT(ended_ids(store().begin()->ended_jobs("acme", t0 + 9s, 10)), ElementsAre(2));
}

TEST_P(KeptJobs, DropsWithAJobItsResultItsTagsAndItsLines)
{
    std::int64_t kept = 0, replaced = 0, gone = 0;
    commit([&](Transaction& t) {
        kept = t.put_payload("kept"), replaced = t.put_payload("replaced"), gone = t.put_payload("gone");
        Job first = ended(a_job(1), t0), second = ended(a_job(2), t0);
        first.tags = second.tags = {"nightly"};
        first.result_payload = gone;
        second.result_payload = replaced;
        t.put_job(first, {});
        t.put_job(second, {});
        t.append_log({JobId{1}, 1, 7, t0, "info", "line"});
    });
    commit([&](Transaction& t) {
        Job second = *t.job(JobId{2});
        second.result_payload = kept;
        t.put_job(second, {});
        t.put_job(second, {});
        t.drop_job(JobId{1});
    });
    reopen();
    const auto reader = store().reader();
    EXPECT_EQ(reader->payload(gone), std::nullopt);
    EXPECT_EQ(reader->payload(replaced), std::nullopt);
    EXPECT_EQ(reader->payload(kept), "kept");
    EXPECT_THAT(reader->job_log(JobId{1}, 0, 10), IsEmpty());
    EXPECT_THAT(ids(reader->jobs({.tenant = "acme", .tag = "nightly"})), ElementsAre(2));
}

} // namespace
} // namespace freshet::contract
