// SPDX-License-Identifier: Apache-2.0
// Who is served when: turns of tenants, limits and pauses of queues, and what is known of workers.
#include "engine/engine_world.hpp"

#include <gmock/gmock.h>

namespace freshet {
namespace {

using testing::ElementsAre;

struct Turns : ::testing::Test, EngineWorld {
    Turns() { start(); }
    std::vector<std::string> tenants_of(const std::vector<ClaimedJob>& claimed)
    {
        std::vector<std::string> tenants;
        for (const ClaimedJob& one : claimed) tenants.push_back(one.job->tenant);
        return tenants;
    }
    void fill(const std::string& tenant, int count)
    {
        for (int i = 0; i < count; ++i) add_one(task("mails"), tenant);
    }
    /// The last that was told of a worker.
    std::shared_ptr<const WorkerView> told(const std::string& id)
    {
        std::shared_ptr<const WorkerView> last;
        for (const auto& notice : notices)
            for (const auto& worker : notice->workers)
                if (worker->id == id) last = worker;
        return last;
    }
};

TEST_F(Turns, F9TenantsOfOneQueueAreServedInTurns)
{
    add_tenants({"a", "b", "c"});
    start();
    fill("a", 6), fill("b", 2), fill("c", 1);
    EXPECT_THAT(tenants_of(claim_from("mails", "w1", 1)), ElementsAre("a"));
    EXPECT_THAT(tenants_of(claim_from("mails", "w1", 1)), ElementsAre("b"));
    EXPECT_THAT(tenants_of(claim_from("mails", "w1", 1)), ElementsAre("c"));
    EXPECT_THAT(tenants_of(claim_from("mails", "w1", 2)), ElementsAre("a", "b"));
    EXPECT_THAT(tenants_of(claim_from("mails", "w1", 9)), ElementsAre("a", "a", "a", "a")) << "nobody else waits";
}

TEST_F(Turns, F9NoTenantHoldsMoreThanHalfOfAQueueWhileAnotherWaits)
{
    queue("mails").concurrency = 4;
    add_tenants({"a", "b"});
    start();
    fill("a", 10);
    EXPECT_EQ(claim_from("mails", "w1", 9).size(), 4u) << "alone it may have all";
    const auto held = store->begin()->running_jobs("w1", 9);
    fill("b", 4);
    EXPECT_TRUE(claim_from("mails", "w1", 9).empty());
    for (int i = 0; i < 3; ++i)
        ASSERT_TRUE(end(CompleteJob{held[static_cast<std::size_t>(i)].id, held[static_cast<std::size_t>(i)].fence,
                                    TaskResult{"1", 0, 0}}));
    const auto next = tenants_of(claim_from("mails", "w1", 9));
    EXPECT_EQ(std::ranges::count(next, "b"), 2);
    EXPECT_EQ(std::ranges::count(next, "a"), 1) << "one runs already, and two are half";
}

TEST_F(Turns, HigherPrioritiesGoFirstThenWhatWasDueEarlier)
{
    NewJob urgent = task("mails");
    urgent.priority = 3;
    const JobId first = add_one("mails");
    now += 1ms;
    const JobId second = add_one("mails");
    const JobId third = add_one(urgent);
    std::vector<JobId> order;
    for (const ClaimedJob& one : claim_from("mails", "w1", 3)) order.push_back(one.job->id);
    EXPECT_THAT(order, ElementsAre(third, first, second));
}

TEST_F(Turns, APausedQueueGivesNothingAndSaysSo)
{
    add_one("mails");
    notices.clear();
    ASSERT_TRUE(ask_engine(PauseQueue{"mails", true, "default", "somebody"}));
    ASSERT_EQ(notices.at(0)->queues.size(), 1u);
    EXPECT_TRUE(notices[0]->queues[0]->paused);
    EXPECT_TRUE(claim_from("mails").empty());
    notices.clear();
    start();
    EXPECT_TRUE(notices.at(0)->queues.at(0)->paused) << "told anew by each process";
    EXPECT_TRUE(claim_from("mails").empty());
    ASSERT_TRUE(ask_engine(PauseQueue{"mails", false, "default", "somebody"}));
    EXPECT_EQ(claim_from("mails").size(), 1u);
}

TEST_F(Turns, F9APauseOfOneTenantIsNobodyElses)
{
    auto changed = std::make_shared<Definitions>(*definitions);
    for (const char* tenant : {"a", "b"}) changed->tenants[tenant].name = tenant;
    definitions = changed;
    start();
    fill("a", 2), fill("b", 2);
    notices.clear();
    ASSERT_TRUE(ask_engine(PauseQueue{"mails", true, "a", "ann"}));
    EXPECT_EQ(notices.at(0)->queues.at(0)->queue, "a/mails");
    EXPECT_TRUE(notices.at(0)->queues.at(0)->paused);
    EXPECT_THAT(tenants_of(claim_from("mails", "w1", 9)), ElementsAre("b", "b"));
    EXPECT_TRUE(claim_from("mails", "w1", 9).empty());
    start();
    EXPECT_TRUE(claim_from("mails", "w1", 9).empty()) << "a restart keeps it";

    // A pause for all is for all, and a tenant's resume ends its own alone.
    ASSERT_TRUE(ask_engine(PauseQueue{"mails", true, "*", "root"}));
    const auto refused = ask_engine(PauseQueue{"mails", false, "a", "ann"});
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message, testing::HasSubstr("paused for all tenants"));
    fill("b", 1);
    EXPECT_TRUE(claim_from("mails", "w1", 9).empty());
    ASSERT_TRUE(ask_engine(PauseQueue{"mails", false, "*", "root"}));
    EXPECT_THAT(tenants_of(claim_from("mails", "w1", 9)), ElementsAre("b")) << "a's own pause goes on";
    ASSERT_TRUE(ask_engine(PauseQueue{"mails", false, "a", "ann"}));
    EXPECT_THAT(tenants_of(claim_from("mails", "w1", 9)), ElementsAre("a", "a"));
}

TEST_F(Turns, F9APausedSourceOfOneTenantRefreshesForTheOthers)
{
    auto changed = std::make_shared<Definitions>(*definitions);
    for (const char* tenant : {"a", "b"}) changed->tenants[tenant].name = tenant;
    definitions = changed;
    start();
    for (const char* tenant : {"a", "b"}) {
        AskRefresh ask = refresh_of();
        ask.tenant = tenant;
        ASSERT_TRUE(ask_engine(ask));
    }
    ASSERT_TRUE(ask_engine(PauseSource{"prices", true, "a", "ann"}));
    EXPECT_THAT(tenants_of(claim()), ElementsAre("b"));
    for (const auto& view : notices.back()->keys) EXPECT_FALSE(view->record.tenant == "b" && view->paused);
    notices.clear();
    ASSERT_TRUE(ask_engine(PauseSource{"prices", true, "a", "ann"}));
    EXPECT_TRUE(notices.empty()) << "it was so already";
    ASSERT_TRUE(ask_engine(PauseSource{"prices", false, "a", "ann"}));
    ASSERT_EQ(notices.back()->keys.size(), 1u) << "told of that tenant's key alone";
    EXPECT_EQ(notices.back()->keys[0]->record.tenant, "a");
    EXPECT_FALSE(notices.back()->keys[0]->paused);
    now += 2min;
    EXPECT_THAT(tenants_of(claim()), testing::Contains("a"));
}

TEST_F(Turns, LimitsSetAtRunTimeWinUntilTheyAreCleared)
{
    for (int i = 0; i < 6; ++i) add_one("mails");
    ASSERT_TRUE(ask_engine(LimitQueue{"mails", 2, {}, "default", "somebody"}));
    EXPECT_EQ(claim_from("mails", "w1", 9).size(), 2u);
    start();
    EXPECT_TRUE(claim_from("mails", "w1", 9).empty());
    ASSERT_TRUE(ask_engine(LimitQueue{"mails", {}, RateLimit{1, 10s}, "default", "somebody"}));
    EXPECT_EQ(claim_from("mails", "w1", 9).size(), 1u);
    EXPECT_TRUE(claim_from("mails", "w1", 9).empty());
    now += 10s;
    EXPECT_EQ(claim_from("mails", "w1", 9).size(), 1u);
    ASSERT_TRUE(ask_engine(LimitQueue{"mails", {}, {}, "default", "somebody"}));
    EXPECT_EQ(claim_from("mails", "w1", 9).size(), 2u);
    EXPECT_FALSE(ask_engine(LimitQueue{"mails", 0, {}, "default", "somebody"}));
}

TEST_F(Turns, AClaimThatIsOpenIsAnsweredWithNothingByANewerOneOfTheSameWorker)
{
    int answered = 0;
    const auto post = [&](const ClaimWork& work) {
        std::vector<Posted> group;
        group.push_back({work, -1, [&](Reply reply) { answered += reply.has_value() ? 1 : 100; }});
        step(std::move(group));
    };
    const ClaimWork old = claiming("w1", {"mails"}), other = claiming("w2", {"mails"});
    post(old);
    post(other);
    post(claiming("w1", {"mails"}));
    EXPECT_EQ(answered, 1);
    ask_engine(WithdrawClaim{"w1", old.offer});
    EXPECT_EQ(answered, 1) << "the newer one stays open";
    ask_engine(WithdrawClaim{"w2", other.offer});
    EXPECT_EQ(answered, 2);
}

TEST_F(Turns, ABadClaimIsRefused)
{
    const auto refusal = [&](const ClaimWork& work) { return ask_engine(work).error().refusal; };
    EXPECT_EQ(refusal(claiming("", {"mails"})), Refusal::bad_request);
    EXPECT_EQ(refusal(claiming("builtin-1", {"mails"})), Refusal::bad_request) << "that is the server's own";
    EXPECT_EQ(refusal(claiming("w1", {"mails"}, 0)), Refusal::bad_request);
    EXPECT_EQ(refusal(claiming("w1", {"mails"}, 1001)), Refusal::bad_request);
    EXPECT_EQ(refusal(claiming("w1", {})), Refusal::bad_request);
}

TEST_F(Turns, WhatAWorkerDoesNotNameAmongWhatItHoldsGoesBackAtOnce)
{
    add_one("mails"), add_one("mails");
    const auto held = claim_from("mails", "w1", 2);
    ClaimWork again = claiming("w1", {"other"}, 1);
    claim_work(again);
    EXPECT_EQ(job(held.at(0).job->id).state, JobState::running) << "without holds nothing is concluded";
    again = claiming("w1", {"other"}, 1);
    again.holds = {{held[0].job->id, held[0].job->fence}};
    claim_work(again);
    EXPECT_EQ(job(held[0].job->id).state, JobState::running);
    EXPECT_EQ(job(held[1].job->id).state, JobState::queued);
    EXPECT_EQ(job(held[1].job->id).lost, 1);
    start(); // what is held is known from the store
    again = claiming("w1", {"other"}, 1);
    again.holds.emplace();
    claim_work(again);
    EXPECT_EQ(job(held[0].job->id).state, JobState::queued);
}

TEST_F(Turns, AWorkerIsKnownByItsClaimsAndWhatItHolds)
{
    add_one("mails");
    notices.clear();
    const auto held = claim_from("mails", "w1", 3);
    auto view = told("w1");
    ASSERT_TRUE(view);
    EXPECT_EQ(view->state, WorkerView::State::alive);
    EXPECT_EQ(view->slots, 3);
    EXPECT_THAT(view->queues, ElementsAre("mails"));
    ASSERT_EQ(view->jobs.size(), 1u);
    EXPECT_EQ(view->jobs[0].job, held.at(0).job->id);
    notices.clear();
    now += 1s;
    ASSERT_TRUE(end(done(held[0])));
    ASSERT_TRUE(told("w1"));
    EXPECT_TRUE(told("w1")->jobs.empty());
}

TEST_F(Turns, F7AWorkerThatIsSilentForItsLeaseIsLostAndLaterForgotten)
{
    claim_from("mails");
    notices.clear();
    now += 29s;
    step();
    EXPECT_FALSE(told("w1"));
    now += 2s;
    step();
    EXPECT_EQ(told("w1")->state, WorkerView::State::lost);
    now += 11min;
    step();
    EXPECT_EQ(told("w1")->state, WorkerView::State::gone);
    EXPECT_FALSE(ask_engine(DrainWorker{"w1", "default", "somebody"}));
}

TEST_F(Turns, AWorkerThatBeatsAndDoesNotClaimWhatIsReadyIsDeaf)
{
    add_one("mails");
    const auto held = claim_from("mails", "w1", 2);
    for (int i = 0; i < 4; ++i) beat(held);
    EXPECT_EQ(told("w1")->state, WorkerView::State::alive) << "nothing is ready";
    add_one("mails");
    for (int i = 0; i < 2; ++i) EXPECT_FALSE(beat(held).reconnect);
    EXPECT_TRUE(beat(held).reconnect);
    EXPECT_EQ(told("w1")->state, WorkerView::State::deaf);
    EXPECT_EQ(claim_from("mails", "w1", 1).size(), 1u);
    EXPECT_EQ(told("w1")->state, WorkerView::State::alive);
    add_one("mails");
    for (int i = 0; i < 4; ++i) EXPECT_FALSE(beat(held).reconnect) << "it has no free slot";
}

TEST_F(Turns, ADrainingWorkerGetsNoMoreAndIsToldSo)
{
    add_one("mails");
    const auto held = claim_from("mails", "w1", 2);
    add_one("mails");
    EXPECT_FALSE(ask_engine(DrainWorker{"w9", "default", "somebody"}));
    ASSERT_TRUE(ask_engine(DrainWorker{"w1", "*", "somebody"}));
    EXPECT_TRUE(claim_from("mails", "w1", 1).empty());
    EXPECT_TRUE(beat(held).drain);
    EXPECT_EQ(claim_from("mails", "w2", 1).size(), 1u);
    EXPECT_EQ(told("w1")->state, WorkerView::State::draining);
}

TEST_F(Turns, F7AfterARestartRemoteLeasesGetTheirLengthAgainAndNoMore)
{
    const JobId id = add_one("mails");
    const auto held = claim_from("mails");
    now += 10min; // the server was away
    start();
    step();
    EXPECT_EQ(job(id).state, JobState::running);
    now += 29s;
    step();
    EXPECT_EQ(job(id).state, JobState::running);
    EXPECT_EQ(beat(held).answers.at(0).word, BeatWord::ok) << "it may beat as if nothing had been";
    now += 31s;
    step();
    EXPECT_EQ(job(id).state, JobState::queued);
}

TEST_F(Turns, F7AServerThatStandsStillKeepsASilentWorkersLeaseForThreeOfItsLengthsAtMost)
{
    const JobId id = add_one("mails");
    ASSERT_EQ(claim_from("mails").size(), 1u);
    now += 80s; // without a step: what the worker said meanwhile could not be read
    step();
    EXPECT_EQ(job(id).state, JobState::running);
    now += 10s;
    step();
    EXPECT_EQ(job(id).state, JobState::queued);
}

TEST_F(Turns, F7AServerThatStandsStillDoesNotLengthenARunLimit)
{
    queue("mails").run_limit = 1min;
    start();
    const JobId id = add_one("mails");
    ASSERT_EQ(claim_from("mails").size(), 1u);
    now += 70s; // without a step
    step();
    EXPECT_EQ(job(id).state, JobState::queued);
    EXPECT_EQ(job(id).error->code, "run_limit");
}

TEST_F(Turns, F7ARunLimitEndsAnAttemptWhateverItsBeatsSay)
{
    queue("mails").run_limit = 1min;
    start();
    const JobId id = add_one("mails");
    const auto held = claim_from("mails");
    for (int i = 0; i < 5; ++i) {
        now += 10s;
        EXPECT_EQ(beat(held).answers.at(0).word, BeatWord::ok);
    }
    now += 10s;
    step();
    EXPECT_EQ(job(id).state, JobState::queued);
    EXPECT_EQ(job(id).error->code, "run_limit");
    EXPECT_EQ(store->begin()->attempts(id).at(0).end, AttemptEnd::limit);
    EXPECT_EQ(beat(held).answers.at(0).word, BeatWord::lost);
}

TEST_F(Turns, AWorkersRefreshNeedsAPreparedResultAndIsPublished)
{
    auto& source = this->source("reports");
    source.kind = SourceKind::worker, source.queue = "reporting";
    start();
    const Asked asked = refresh("reports");
    EXPECT_EQ(asked.job->queue, "reporting");
    auto held = claim_from("reporting");
    ASSERT_EQ(held.size(), 1u);
    EXPECT_EQ(held[0].source->name, "reports");
    EXPECT_EQ(end(done(held[0])).error().refusal, Refusal::unprepared);
    EXPECT_EQ(job(asked.job->id).state, JobState::running) << "nothing is touched";
    const CompleteJob prepared{held[0].job->id, held[0].job->fence, result_of("[1,2]", 2)};
    ASSERT_TRUE(end(prepared));
    EXPECT_EQ(key("reports").ver, 1);
    EXPECT_TRUE(end(prepared)) << "said again";
    EXPECT_EQ(key("reports").gen, 1);
}

TEST_F(Turns, TheReceiptOfAWorkersRefreshSaysHowLongEachPhaseTook)
{
    auto& source = this->source("reports");
    source.kind = SourceKind::worker, source.queue = "reporting";
    start();
    const Asked asked = refresh("reports");
    const auto held = claim_from("reporting");
    const auto tell = [&](const std::string& phase, int index) {
        Progress progress;
        progress.phase = phase, progress.phase_index = index;
        BeatWork work{"w1", {}, "*"};
        work.jobs.push_back({held.at(0).job->id, {.fence = held[0].job->fence, .progress = progress}});
        ask_engine(work);
    };
    tell("reading", 1);
    now += 3s;
    tell("looking up", 2);
    now += 2s;
    ASSERT_TRUE(end(CompleteJob{held[0].job->id, held[0].job->fence, result_of("[1,2]", 2)}));
    EXPECT_THAT(job(asked.job->id).receipt,
                testing::HasSubstr(R"("phases":[{"name":"reading","ms":3000},{"name":"looking up","ms":2000}])"));
}

TEST_F(Turns, ALateResultOfAWorkersRefreshIsAdoptedThroughTheGuards)
{
    auto& source = this->source("reports");
    source.kind = SourceKind::worker, source.queue = "reporting";
    queue("reporting").on_lost = LostRule::fail;
    start();
    const Asked asked = refresh("reports");
    const auto held = claim_from("reporting");
    now += 31s;
    step();
    EXPECT_EQ(job(asked.job->id).error->code, "worker_lost");
    EXPECT_EQ(end(CompleteJob{held.at(0).job->id, held[0].job->fence, result_of("[7]", 1)}).error().refusal,
              Refusal::lease_lost);
    ASSERT_TRUE(job(asked.job->id).late);
    EXPECT_EQ(job(asked.job->id).late->result, "[7]");
    EXPECT_EQ(ask_engine(AdoptJob{asked.job->id, "default", "x", {}}).error().refusal, Refusal::unprepared);
    ASSERT_TRUE(ask_engine(AdoptJob{asked.job->id, "default", "x", result_of("[7]", 1)}));
    EXPECT_EQ(job(asked.job->id).state, JobState::succeeded);
    EXPECT_EQ(key("reports").rows, 1);
    EXPECT_EQ(key("reports").data_fence, held[0].job->fence);
}

} // namespace
} // namespace freshet
