// SPDX-License-Identifier: Apache-2.0
#include "model/unique.hpp"

#include "model/job_samples.hpp"

#include <gtest/gtest.h>

namespace freshet {
namespace {

using namespace sample;

UniqueTerms terms(UniqueScope scope, UniqueConflict on_conflict = UniqueConflict::attach)
{
    return {.key = "k", .scope = scope, .on_conflict = on_conflict, .ttl = 1min, .quiet = 10s, .most = 25s};
}
Job holder(Job job, UniqueScope scope = UniqueScope::live)
{
    job.unique = terms(scope);
    return job;
}
UniqueDecision decide(UniqueTerms of, std::vector<Job> holders, WallTime now = t0 + 2s)
{
    return decide_unique(of, holders, now, now);
}
const UniqueTerms live = terms(UniqueScope::live), rerun = terms(UniqueScope::live, UniqueConflict::rerun_after),
                  reject = terms(UniqueScope::live, UniqueConflict::reject);

TEST(Unique, EnqueuesWhereNobodyHoldsTheKey)
{
    const auto made = std::get<UniqueEnqueue>(decide(live, {}));
    EXPECT_FALSE(made.behind);
    EXPECT_EQ(made.due_at, t0 + 2s);
}

TEST(Unique, AttachesToWhatWaitsAndTakesTheEarlierDueTime)
{
    Job later = holder(queued());
    later.due_at = t0 + 1h;
    const auto attach = std::get<UniqueAttach>(decide(live, {later}));
    EXPECT_EQ(attach.to, later.id);
    EXPECT_EQ(attach.due_at, t0 + 2s);
    EXPECT_FALSE(attach.raise_asked);
    EXPECT_FALSE(std::get<UniqueAttach>(decide(live, {holder(failed_once())})).due_at)
        << "the wait before another try stands";
    EXPECT_TRUE(std::get<UniqueAttach>(decide(rerun, {holder(failed_once())})).raise_asked);
}

TEST(Unique, AttachesToWhatRunsOrGoesBehindItWhereARerunIsAskedFor)
{
    EXPECT_EQ(std::get<UniqueAttach>(decide(live, {holder(running())})).to, running().id);
    EXPECT_EQ(std::get<UniqueEnqueue>(decide(rerun, {holder(running())})).behind, running().id);
    Job trailing = holder(queued());
    trailing.id = JobId{78}, trailing.behind = running().id;
    EXPECT_EQ(std::get<UniqueAttach>(decide(rerun, {trailing, holder(running())})).to, trailing.id)
        << "at most one trails";
}

TEST(Unique, NeverAttachesToACancellingJob)
{
    EXPECT_EQ(std::get<UniqueEnqueue>(decide(live, {holder(cancelling())})).behind, cancelling().id);
}

TEST(Unique, RefusesWhereTheCallerWantsNoOther)
{
    for (const Job& job : {holder(queued()), holder(running()), holder(cancelling())})
        EXPECT_EQ(std::get<UniqueTaken>(decide(reject, {job})).by, job.id);
    EXPECT_TRUE(std::holds_alternative<UniqueTaken>(decide(reject, {holder(succeeded(), UniqueScope::window)})));
}

TEST(Unique, WindowAnswersTheDoneJobUntilItIsOver)
{
    const Job done = holder(succeeded(), UniqueScope::window);
    EXPECT_EQ(std::get<UniqueAttach>(decide(live, {done})).to, done.id);
    EXPECT_EQ(std::get<UniqueEnqueue>(decide(rerun, {done})).due_at, t0 + 1min) << "again, once the window is over";
    EXPECT_TRUE(std::holds_alternative<UniqueEnqueue>(decide(live, {done}, t0 + 1min)));
}

TEST(Unique, DebouncePostponesWithEachAskUpToItsMost)
{
    const UniqueTerms quiet = terms(UniqueScope::debounce);
    EXPECT_EQ(std::get<UniqueEnqueue>(decide(quiet, {})).due_at, t0 + 12s);
    const Job waiting = holder(queued(), UniqueScope::debounce);
    EXPECT_EQ(std::get<UniqueAttach>(decide(quiet, {waiting}, t0 + 5s)).due_at, t0 + 15s);
    EXPECT_EQ(std::get<UniqueAttach>(decide(quiet, {waiting}, t0 + 20s)).due_at, t0 + 25s);
    const auto behind = std::get<UniqueEnqueue>(decide(quiet, {holder(running(), UniqueScope::debounce)}));
    EXPECT_EQ(behind.behind, running().id) << "what runs has not seen this ask";
    EXPECT_EQ(behind.due_at, t0 + 12s);
}

} // namespace
} // namespace freshet
