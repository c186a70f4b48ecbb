// SPDX-License-Identifier: Apache-2.0
// What people do to jobs, queues and workers: what changes, what is refused and why, what is left in the audit.
#include "engine/batch_world.hpp"

#include <gmock/gmock.h>

namespace freshet {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class Operating : public Batches {
protected:
    Operating() { start(); }
    std::vector<std::string> acts()
    {
        std::vector<std::string> acts;
        for (const auto& one : store->begin()->audit({.tenant = "default"}))
            acts.push_back(one.record.action + " " + one.record.detail);
        return acts;
    }
    JobId failed_task(NewJob made = task("mails"))
    {
        const JobId id = add_one(std::move(made));
        EXPECT_TRUE(end(failed(claim_from("mails").at(0), ErrorClass::fatal)));
        return id;
    }
    Reply retry(JobId id, std::optional<std::string> input = {})
    {
        return ask_engine(RetryJob{id, "default", "somebody", {}, std::move(input)});
    }
    Reply run(JobId id) { return ask_engine(RunJob{id, "default", "somebody"}); }
    Reply cancel(JobId id) { return ask_engine(CancelJob{id, "default", "somebody"}); }
    static NewJob unique(UniqueConflict on_conflict)
    {
        NewJob made = task("mails");
        made.unique = UniqueTerms{.key = "k", .on_conflict = on_conflict};
        return made;
    }
};

TEST_F(Operating, ACancelIsSaidOnceAndOfWhatIsOverRefused)
{
    const JobId id = add_one("mails");
    const auto held = claim_from("mails");
    ASSERT_TRUE(cancel(id));
    const auto asked_at = job(id).cancel_requested_at;
    now += 1s;
    ASSERT_TRUE(cancel(id));
    EXPECT_EQ(job(id).cancel_requested_at, asked_at);
    EXPECT_THAT(acts(), ElementsAre("cancel "));
    ASSERT_TRUE(end(failed(held.at(0), ErrorClass::cancelled)));
    const Reply over = cancel(id);
    EXPECT_EQ(over.error().message, "already cancelled");
    EXPECT_EQ(over.error().job, id);
    EXPECT_EQ(cancel(JobId{1}).error().refusal, Refusal::not_found);
    EXPECT_EQ(run(JobId{1}).error().refusal, Refusal::not_found);
    EXPECT_EQ(retry(JobId{1}).error().refusal, Refusal::not_found);
    EXPECT_EQ(ask_engine(AdoptJob{JobId{1}, "default", "x", {}}).error().refusal, Refusal::not_found);
}

TEST_F(Operating, AWaitingJobIsDueAtOnceWhenAPersonSaysSo)
{
    NewJob later = task("mails");
    later.due_at = now + 1h;
    const JobId id = add_one(later);
    EXPECT_TRUE(claim_from("mails").empty());
    ASSERT_TRUE(run(id));
    ASSERT_TRUE(run(id)) << "it is due already";
    EXPECT_THAT(acts(), ElementsAre("run "));
    const auto held = claim_from("mails");
    ASSERT_EQ(held.size(), 1u);
    ASSERT_TRUE(end(done(held[0])));
    const Reply over = run(id);
    ASSERT_FALSE(over);
    EXPECT_EQ(over.error().message, "already succeeded");
    EXPECT_EQ(over.error().job, id);
}

TEST_F(Operating, ARetryMayHaveAnotherInputAndNeedsRoom)
{
    const JobId id = failed_task(task("mails", "1"));
    ASSERT_TRUE(retry(id, "2"));
    EXPECT_EQ(job(id).input, "2");
    EXPECT_EQ(retry(id).error().refusal, ask_engine(RetryJob{id, "default", "x", {}}).error().refusal);
    ASSERT_TRUE(end(failed(claim_from("mails").at(0), ErrorClass::fatal)));
    ASSERT_TRUE(retry(id));
    EXPECT_EQ(job(id).input, "2") << "as it was";
    ASSERT_TRUE(end(failed(claim_from("mails").at(0), ErrorClass::fatal)));
    EXPECT_EQ(store->begin()->attempts(id).size(), 2u);
    queue("mails").waiting_max = 1;
    start();
    add_one("mails");
    EXPECT_EQ(retry(id).error().refusal, Refusal::queue_full);
    EXPECT_EQ(job(id).state, JobState::failed);
}

TEST_F(Operating, ARetryOfAUniqueTaskComesToTermsWithWhoHasTheKeyNow)
{
    const JobId attaches = failed_task(unique(UniqueConflict::attach));
    const JobId rejects = failed_task(unique(UniqueConflict::reject));
    const JobId waits = failed_task(unique(UniqueConflict::rerun_after));
    const JobId holder = add_one(unique(UniqueConflict::attach));
    const Reply taken = retry(rejects);
    EXPECT_EQ(taken.error().refusal, Refusal::unique_taken);
    EXPECT_EQ(taken.error().job, holder);
    EXPECT_EQ(std::get<std::shared_ptr<const Job>>(retry(attaches).value())->id, holder);
    EXPECT_EQ(job(attaches).state, JobState::failed);
    ASSERT_EQ(claim_from("mails").size(), 1u);
    ASSERT_TRUE(retry(waits));
    EXPECT_EQ(job(waits).behind, holder);
}

TEST_F(Operating, ARetryOfARefreshSharesWhatIsUnderWayAndHasNoInput)
{
    const JobId id = refresh().job->id;
    fail(claim().at(0), ErrorClass::fatal);
    EXPECT_EQ(retry(id, "1").error().refusal, Refusal::bad_request);
    const JobId next = refresh().job->id;
    ASSERT_NE(next, id);
    EXPECT_EQ(std::get<std::shared_ptr<const Job>>(retry(id).value())->id, next);
    cancel(next);
    ASSERT_TRUE(retry(id));
    EXPECT_EQ(job(id).state, JobState::queued);
}

TEST_F(Operating, ALateResultIsAdoptedForADayAndOnceItsBatchIsOver)
{
    const BatchId id = add(request(2));
    const auto claimed = claim_work(claiming("w1", {"generate"}, 2));
    ASSERT_EQ(claimed.size(), 2u);
    now += 31s;
    step();
    ASSERT_EQ(claim_work(claiming("w2", {"generate"}, 2)).size(), 2u);
    const std::string large = "\"" + std::string(100'000, 'x') + "\"";
    EXPECT_FALSE(end(done(claimed[0], large)));
    const JobId item = claimed[0].job->id;
    ASSERT_TRUE(job(item).late);
    const auto adopt = [&] { return ask_engine(AdoptJob{item, "default", "somebody", {}}); };
    const auto end_badly = [&](const Job& one) {
        return end(FailJob{one.id, one.fence, {ErrorClass::fatal, "bad", "bad", {}, {}}}, "w2").has_value();
    };
    ASSERT_TRUE(end_badly(job(item)));
    EXPECT_EQ(adopt().error().refusal, Refusal::batch_live);
    for (const Job& one : items(id, JobState::running)) ASSERT_TRUE(end_badly(one));
    settle();
    ASSERT_EQ(batch(id).state, BatchState::failed);
    ASSERT_TRUE(adopt());
    EXPECT_EQ(job(item).state, JobState::succeeded);
    EXPECT_NE(job(item).result_payload, 0) << "too long for the row";
    EXPECT_EQ(job(item).result, "");
    EXPECT_EQ(batch(id).state, BatchState::partial);
}

TEST_F(Operating, ALateResultIsGoneAfterADay)
{
    const JobId id = add_one("mails");
    const auto held = claim_from("mails");
    now += 31s;
    step();
    const auto second = claim_from("mails", "w2");
    EXPECT_FALSE(end(done(held.at(0))));
    ASSERT_TRUE(end(failed(second.at(0), ErrorClass::fatal), "w2"));
    now += 24h;
    EXPECT_THAT(ask_engine(AdoptJob{id, "default", "x", {}}).error().message, HasSubstr("kept for a day"));
}

TEST_F(Operating, AHeldResultIsAdoptedAsOnItsKey)
{
    refresh();
    complete(claim().at(0), "[1,2]", 2);
    const JobId id = refresh().job->id;
    complete(claim().at(0), "[]", 0);
    ASSERT_EQ(job(id).outcome, Outcome::held);
    const Reply adopted = ask_engine(AdoptJob{id, "default", "somebody", {}});
    ASSERT_TRUE(adopted);
    EXPECT_EQ(std::get<std::shared_ptr<const Job>>(*adopted)->state, JobState::succeeded);
    EXPECT_EQ(key().ver, 2);
}

TEST_F(Operating, APauseIsSaidOnceAndOfASourceIsTheSources)
{
    for (int i = 0; i < 2; ++i) ASSERT_TRUE(ask_engine(PauseQueue{"mails", true, "default", "somebody"}));
    for (int i = 0; i < 2; ++i) ASSERT_TRUE(ask_engine(PauseQueue{"prices", true, "default", "somebody"}));
    refresh();
    EXPECT_TRUE(claim().empty());
    ASSERT_TRUE(ask_engine(PauseSource{"prices", false, "default", "somebody"}));
    EXPECT_EQ(claim().size(), 1u);
    EXPECT_FALSE(ask_engine(PauseSource{"nothing", true, "default", "somebody"}));
    EXPECT_THAT(acts(), ElementsAre("resume ", "pause ", "pause "));
}

TEST_F(Operating, LimitsAreCheckedToldAndWrittenDown)
{
    const auto limit = [&](std::optional<int> concurrency, std::optional<RateLimit> rate) {
        notices.clear();
        return ask_engine(LimitQueue{"mails", concurrency, rate, "default", "somebody"}).has_value();
    };
    for (const int bad : {0, -1, 100'001}) EXPECT_FALSE(limit(bad, {})) << bad;
    EXPECT_FALSE(limit({}, RateLimit{0, 1s}));
    EXPECT_FALSE(limit({}, RateLimit{1, 0ms}));
    EXPECT_TRUE(limit(100'000, {}));
    EXPECT_EQ(notices.at(0)->queues.at(0)->limits.concurrency, 100'000);
    EXPECT_TRUE(limit(3, RateLimit{5, 1min}));
    EXPECT_TRUE(limit({}, {}));
    EXPECT_EQ(notices.at(0)->queues.at(0)->limits.concurrency, std::nullopt);
    ASSERT_TRUE(ask_engine(PauseQueue{"mails", true, "default", "somebody"}));
    EXPECT_THAT(acts(), ElementsAre("pause ", "limit as configured", "limit concurrency 3 rate 5 per 1m",
                                    "limit concurrency 100000 "));
}

TEST_F(Operating, ADrainIsWrittenDown)
{
    claim_from("mails");
    ASSERT_TRUE(ask_engine(DrainWorker{"w1", "*", "somebody"}));
    EXPECT_FALSE(ask_engine(DrainWorker{"w2", "*", "somebody"}));
    const auto audited = store->begin()->audit({.tenant = "*"});
    ASSERT_EQ(audited.size(), 1u);
    EXPECT_EQ(audited[0].record.object, "w1");
}

} // namespace
} // namespace freshet
