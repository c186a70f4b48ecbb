// SPDX-License-Identifier: Apache-2.0
// What counts as ready work when a worker beats and does not claim, and what workers put beside their ends.
#include "engine/engine_world.hpp"
#include "engine/payload_world.hpp"

#include <gmock/gmock.h>

namespace freshet {
namespace {

using testing::HasSubstr;

struct Hearing : ::testing::Test, EngineWorld {
    /// A worker of "mails" holds a job of another queue and has a slot free; then one job of "mails" goes to somebody
    /// else, and one is ready.
    void make_ready(const std::string& tenant = "*")
    {
        add_one(task("letters"), tenant == "*" ? "default" : tenant);
        ClaimWork work = claiming("w1", {"letters", "mails"}, 2);
        work.tenant = tenant;
        ASSERT_EQ(claim_work(work).size(), 1U);
        add_one("mails"), add_one("mails");
        ASSERT_EQ(claim_from("mails", "w2").size(), 1U);
    }
    /// It beats, and does not claim.
    bool is_called_deaf(const std::string& tenant = "*")
    {
        bool reconnect = false;
        for (int i = 0; i < 4; ++i)
            reconnect = std::get<Beaten>(ask_engine(BeatWork{"w1", {}, tenant}).value()).reconnect;
        return reconnect;
    }
    ResultPut put(const ClaimedJob& held, const std::string& json)
    {
        Reply reply = try_put(held.job->id, held.job->fence, json);
        EXPECT_TRUE(reply.has_value());
        return reply ? std::get<ResultPut>(*reply) : ResultPut{};
    }
    Reply try_put(JobId id, Seq fence, const std::string& json, const std::string& tenant = "*")
    {
        std::optional<Reply> got;
        std::vector<Posted> group;
        group.push_back({PutResult{id, fence, tenant, std::make_shared<const std::string>(json)}, -1,
                         [&](Reply reply) { got = std::move(reply); }});
        step(std::move(group));
        for (int i = 0; i < 10 && !got; ++i) step();
        return got.value();
    }
    std::expected<Job, Refused> name(const ClaimedJob& held, const ResultPut& there)
    {
        return end(CompleteJob{held.job->id, held.job->fence, TaskResult{"", there.payload, there.bytes}});
    }
    const std::string large = '"' + std::string(700'000, 'x') + '"';
};

TEST_F(Hearing, AWorkerThatLeavesReadyWorkIsToldToClaimAnew)
{
    start();
    make_ready();
    EXPECT_TRUE(is_called_deaf());
}

TEST_F(Hearing, WorkOfItsTenantIsReadyForATenantsWorker)
{
    start();
    make_ready("default");
    EXPECT_TRUE(is_called_deaf("default"));
}

TEST_F(Hearing, WorkOfAPausedQueueIsNotReady)
{
    start();
    make_ready();
    ASSERT_TRUE(ask_engine(PauseQueue{"mails", true, "default", "somebody"}));
    EXPECT_FALSE(is_called_deaf());
}

TEST_F(Hearing, WorkBeyondTheQueuesConcurrencyIsNotReady)
{
    queue("mails").concurrency = 1;
    start();
    make_ready();
    EXPECT_FALSE(is_called_deaf());
}

TEST_F(Hearing, WorkBeyondTheQueuesRateIsNotReady)
{
    queue("mails").rate = {1, 1h};
    start();
    make_ready();
    EXPECT_FALSE(is_called_deaf());
}

TEST_F(Hearing, WorkOfATenantThatPausedTheQueueIsNotReady)
{
    add_tenants({"default", "globex"});
    start();
    make_ready();
    ASSERT_TRUE(ask_engine(PauseQueue{"mails", true, "default", "somebody"}));
    EXPECT_FALSE(is_called_deaf());
}

TEST_F(Hearing, F9WorkOfAnotherTenantIsNotReadyForATenantsWorker)
{
    add_tenants({"default", "globex"});
    start();
    make_ready("globex");
    EXPECT_FALSE(is_called_deaf("globex"));
}

TEST_F(Hearing, F9ATenantIsServedHoweverManyOthersHavePausedTheQueue)
{
    auto changed = std::make_shared<Definitions>(*definitions);
    std::vector<std::string> paused;
    for (int i = 0; i < 64; ++i) paused.push_back("t" + std::to_string(10 + i));
    for (const std::string& tenant : paused) changed->tenants[tenant].name = tenant;
    changed->tenants["umbrella"].name = "umbrella";
    definitions = changed;
    start();
    for (const std::string& tenant : paused) {
        add_one(task("mails"), tenant);
        ASSERT_TRUE(ask_engine(PauseQueue{"mails", true, tenant, "somebody"}));
    }
    add_one(task("mails"), "umbrella");
    const auto claimed = claim_from("mails", "w1", 5);
    ASSERT_EQ(claimed.size(), 1U);
    EXPECT_EQ(claimed[0].job->tenant, "umbrella");
}

TEST_F(Hearing, OneResultIsPutPerJobAndTheNextTakesItsPlace)
{
    start();
    add_one("mails");
    const auto held = claim_from("mails");
    const ResultPut first = put(held.at(0), large);
    const ResultPut second = put(held.at(0), "[1," + large + "]");
    EXPECT_EQ(payloads_of(*store), 1) << "the first one is dropped at once";
    EXPECT_EQ(name(held[0], first).error().refusal, Refusal::bad_request);
    EXPECT_EQ(job(held[0].job->id).state, JobState::running);
    EXPECT_TRUE(name(held[0], second));
    EXPECT_EQ(payloads_of(*store), 1);
}

TEST_F(Hearing, AResultThatWasPutForAnotherJobCannotBeNamed)
{
    start();
    add_one("mails"), add_one("mails");
    const auto held = claim_from("mails", "w1", 2);
    const ResultPut there = put(held.at(0), large);
    EXPECT_EQ(name(held.at(1), there).error().refusal, Refusal::bad_request);
    EXPECT_TRUE(name(held[0], there));
}

TEST_F(Hearing, AResultIsPutUnderALeaseOnlyAndWhatIsRefusedLeavesNothing)
{
    auto& reports = source("reports");
    reports.kind = SourceKind::worker, reports.queue = "reporting";
    start();
    add_one("mails");
    const auto held = claim_from("mails");
    const JobId id = held.at(0).job->id;
    EXPECT_EQ(try_put(JobId{1}, 1, large).error().refusal, Refusal::not_found);
    EXPECT_EQ(try_put(id, held[0].job->fence, large, "globex").error().refusal, Refusal::not_found);
    EXPECT_EQ(try_put(id, held[0].job->fence + 1, large).error().refusal, Refusal::lease_lost);
    refresh("reports");
    const auto flight = claim_from("reporting");
    EXPECT_EQ(try_put(flight.at(0).job->id, flight[0].job->fence, large).error().refusal, Refusal::unprepared);
    ASSERT_TRUE(end(done(held[0])));
    EXPECT_EQ(try_put(id, held[0].job->fence, large).error().refusal, Refusal::lease_lost);
    EXPECT_EQ(payloads_of(*store), 0);
}

TEST_F(Hearing, F8ARefreshThatIsHandedBackTooOftenIsAFailureOfItsKey)
{
    auto& reports = source("reports");
    reports.kind = SourceKind::worker, reports.queue = "reporting", reports.retry.attempts = 1;
    queue("reporting").retry.attempts = 1;
    start();
    const JobId id = refresh("reports").job->id;
    int given = 0;
    for (; job(id).state != JobState::failed && given < 40; ++given) {
        now = std::max(now, job(id).due_at);
        const auto held = claim_from("reporting");
        ASSERT_EQ(held.size(), 1U) << given;
        ASSERT_TRUE(end(ReleaseJob{id, held[0].job->fence, HandBack{}}));
        EXPECT_EQ(key("reports").attempts, job(id).state == JobState::queued ? 0 : 1);
    }
    EXPECT_EQ(given, 20);
    EXPECT_EQ(key("reports").attempts, 1);
    EXPECT_EQ(key("reports").error->code, "released");
    EXPECT_THAT(job(id).receipt, HasSubstr("\"rows\":0"));
}

} // namespace
} // namespace freshet
