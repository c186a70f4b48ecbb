// SPDX-License-Identifier: Apache-2.0
// Every refusal of every transition, as a table. job_test.cpp holds the legal rows.
#include "model/job.hpp"

#include "model/job_samples.hpp"

#include <functional>
#include <gtest/gtest.h>
#include <set>

namespace freshet {
namespace {

using namespace sample;

TEST(Job, RefusesEveryChangeThatIsNotInTheTable)
{
    using Act = std::function<Changed(const Job&)>;
    using Make = Job (*)();
    const auto now = t0 + 40s;
    const Act claims = [&](const Job& job) { return claim(job, "w-2", 20, 99, policy, now); };
    const auto beats = [&](Seq with) -> Act {
        return [=](const Job& job) { return beat(job, Beat{.fence = with}, policy, now); };
    };
    const auto completes = [&](Seq with) -> Act {
        return [=](const Job& job) { return complete(job, with, Outcome::updated, now); };
    };
    const auto holds = [&](Seq with) -> Act { return [=](const Job& job) { return hold(job, with, "less", now); }; };
    const auto fails = [&](Seq with) -> Act {
        return [=](const Job& job) { return fail(job, with, failure(), policy, now); };
    };
    const auto releases = [&](Seq with) -> Act {
        return [=](const Job& job) { return release(job, with, {}, policy, now); };
    };
    const Act adopts = [&](const Job& job) { return adopt(job, Outcome::updated, now); };
    const Act lease_ends = [&](const Job& job) { return lease_ended(job, policy, now); };
    const Act limit_ends = [&](const Job& job) { return run_limit_ended(job, policy, now); };
    const Act cancels = [&](const Job& job) { return cancel(job, now); };
    const Act expires = [&](const Job& job) { return expire(job, "expired", "too late", now); };
    const auto retries = [&](std::optional<int> generation) -> Act {
        return [=](const Job& job) { return retry(job, generation, 30, now); };
    };

    struct Row {
        const char* what;
        Make job;
        Act act;
        Refusal refusal;
    };
    const Row rows[] = {
        {"claim of what runs", running, claims, Refusal::not_running},
        {"claim of what is being cancelled", cancelling, claims, Refusal::not_running},
        {"claim of a success", succeeded, claims, Refusal::not_running},
        {"claim of a failure", failed, claims, Refusal::not_running},
        {"claim of what was cancelled", cancelled, claims, Refusal::not_running},

        {"beat with an older fence", running, beats(9), Refusal::lease_lost},
        {"beat with a fence that was never given", running, beats(11), Refusal::lease_lost},
        {"beat on what never began", queued, beats(0), Refusal::not_running},
        {"beat after the lease ran out", lost_once, beats(fence), Refusal::not_running},
        {"beat after the end", succeeded, beats(fence), Refusal::not_running},

        {"complete with an older fence", running, completes(9), Refusal::lease_lost},
        {"complete with a fence that was never given", running, completes(11), Refusal::lease_lost},
        {"complete of what never began", queued, completes(0), Refusal::lease_lost},
        {"complete after a failure that will be tried again", failed_once, completes(fence), Refusal::lease_lost},
        {"complete after a run limit", run_out, completes(fence), Refusal::lease_lost},
        {"complete after handing back", handed_back, completes(fence), Refusal::lease_lost},
        {"complete of an earlier generation", retried, completes(fence), Refusal::lease_lost},
        {"late complete behind another job", behind_another, completes(fence), Refusal::lease_lost},
        {"F3: late complete for who asked after it was read", asked_since, completes(fence), Refusal::lease_lost},
        {"complete a second time", succeeded, completes(fence), Refusal::lease_lost},
        {"complete after failing for good", failed, completes(fence), Refusal::lease_lost},
        {"complete after a hold", held, completes(fence), Refusal::lease_lost},
        {"complete after a cancel", cancelled, completes(0), Refusal::lease_lost},

        {"hold with an older fence", running, holds(9), Refusal::lease_lost},
        {"hold of what never began", queued, holds(0), Refusal::lease_lost},
        {"hold after the end", failed, holds(fence), Refusal::lease_lost},
        {"hold for who asked after it was read", asked_since, holds(fence), Refusal::lease_lost},

        {"fail with an older fence", running, fails(9), Refusal::lease_lost},
        {"fail of what never began", queued, fails(0), Refusal::not_running},
        {"fail after the lease ran out", lost_once, fails(fence), Refusal::not_running},
        {"fail a second time", failed_once, fails(fence), Refusal::not_running},
        {"fail after the end", succeeded, fails(fence), Refusal::not_running},

        {"release with an older fence", running, releases(9), Refusal::lease_lost},
        {"release of what never began", queued, releases(0), Refusal::not_running},
        {"release after the lease ran out", lost_once, releases(fence), Refusal::not_running},
        {"release after the end", cancelled, releases(0), Refusal::not_running},

        {"adopt of what waits", queued, adopts, Refusal::not_terminal},
        {"adopt of what runs", running, adopts, Refusal::not_terminal},
        {"adopt of a failure that brought nothing", failed, adopts, Refusal::not_terminal},
        {"adopt of a success", succeeded, adopts, Refusal::not_terminal},
        {"adopt of what was cancelled", cancelled, adopts, Refusal::not_terminal},

        {"lease end of what never began", queued, lease_ends, Refusal::not_running},
        {"lease end a second time", lost_once, lease_ends, Refusal::not_running},
        {"lease end after the end", succeeded, lease_ends, Refusal::not_running},
        {"run limit of what waits", failed_once, limit_ends, Refusal::not_running},
        {"run limit after the end", failed, limit_ends, Refusal::not_running},

        {"cancel of a success", succeeded, cancels, Refusal::already_over},
        {"cancel of a failure", failed, cancels, Refusal::already_over},
        {"cancel a second time after the end", cancelled, cancels, Refusal::already_over},
        {"expire of a success", succeeded, expires, Refusal::already_over},
        {"expire of a failure", failed, expires, Refusal::already_over},
        {"expire of what was cancelled", cancelled, expires, Refusal::already_over},

        {"retry of what waits", queued, retries({}), Refusal::not_terminal},
        {"retry of what runs", running, retries({}), Refusal::not_terminal},
        {"retry of a success", succeeded, retries({}), Refusal::not_terminal},
        {"retry of a success in another generation", succeeded, retries(2), Refusal::not_terminal},
        {"retry of a generation that is over", failed, retries(0), Refusal::generation_changed},
        {"retry of a generation to come", cancelled, retries(2), Refusal::generation_changed},
    };
    for (const Row& row : rows) {
        const Changed changed = row.act(row.job());
        ASSERT_FALSE(changed.has_value()) << row.what;
        EXPECT_EQ(to_text(changed.error()), to_text(row.refusal)) << row.what;
    }
}

TEST(Job, NamesEachRefusalByAWordOfItsOwn)
{
    std::set<std::string_view> words;
    for (int i = 0; i <= static_cast<int>(Refusal::stopping); ++i) words.insert(to_text(static_cast<Refusal>(i)));
    EXPECT_EQ(words.size(), static_cast<std::size_t>(Refusal::stopping) + 1);
    EXPECT_FALSE(words.contains("unknown"));
}

} // namespace
} // namespace freshet
