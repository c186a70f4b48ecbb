// SPDX-License-Identifier: Apache-2.0
// Tasks of queues in the hands of remote workers: enqueue, claim, beat, end, and what comes too late.
#include "engine/engine_world.hpp"

#include <gmock/gmock.h>

namespace freshet {
namespace {

using testing::HasSubstr;

struct Working : ::testing::Test, EngineWorld {
    Working() { start(); }
    std::optional<std::string> payload(std::int64_t id) { return store->begin()->payload(id); }
};

TEST_F(Working, AnEnqueueAndTheWaitingClaimItFeedsShareOneCommit)
{
    std::optional<Reply> got;
    std::vector<Posted> group;
    group.push_back({claiming("w1", {"mails"}), -1, [&](Reply reply) { got = std::move(reply); }});
    step(std::move(group));
    EXPECT_FALSE(got) << "nothing to do yet";
    notices.clear();
    const JobId id = add_one("mails");
    ASSERT_TRUE(got);
    EXPECT_EQ(std::get<Claimed>(got->value()).jobs.at(0).job->id, id);
    EXPECT_EQ(notices.size(), 1u);
    EXPECT_EQ(job(id).state, JobState::running);
    EXPECT_EQ(job(id).worker, "w1");
}

TEST_F(Working, TakesOverWhatItsQueueSaysUnlessTheJobNamesItsOwn)
{
    auto& mails = queue("mails");
    mails.priority = 2, mails.deadline = 1h, mails.start_deadline = 10min;
    start();
    const Job plain = job(add_one("mails"));
    EXPECT_EQ(plain.priority, 2);
    EXPECT_EQ(plain.deadline_at, now + 1h);
    EXPECT_EQ(plain.start_by, now + 10min);
    NewJob own = task("mails", "{\n\"a\": 1\n}");
    own.priority = 3, own.deadline_at = now + 5min, own.start_by = now + 1min, own.due_at = now + 30s;
    own.tags = {"nightly"};
    const Job job_own = job(add_one(own));
    EXPECT_EQ(job_own.priority, 3);
    EXPECT_EQ(job_own.deadline_at, now + 5min);
    EXPECT_EQ(job_own.due_at, now + 30s);
    EXPECT_EQ(job_own.input, R"({"a":1})") << "one line";
    EXPECT_EQ(job_own.tags, std::vector<std::string>{"nightly"});
}

TEST_F(Working, RefusesWhatContradictsItselfAndThenEnqueuesNothingOfTheRequest)
{
    struct Row {
        const char* words;
        std::function<void(NewJob&)> spoil;
    };
    const Row rows[] = {
        {"no JSON", [](NewJob& job) { job.input = "{"; }},
        {"a queue's name", [](NewJob& job) { job.queue = "no such/name"; }},
        {"is a source", [](NewJob& job) { job.queue = "prices"; }},
        {"server's own", [](NewJob& job) { job.queue = "freshet.bulk"; }},
        {"priority", [](NewJob& job) { job.priority = 4; }},
        {"attempts_max", [](NewJob& job) { job.attempts_max = 0; }},
        {"deadline", [this](NewJob& job) { job.deadline_at = now; }},
        {"start by", [this](NewJob& job) { job.start_by = now; }},
        {"tags", [](NewJob& job) { job.tags.assign(17, "t"); }},
        {"unique key", [](NewJob& job) { job.unique = UniqueTerms{.key = ""}; }},
        {"ttl", [](NewJob& job) { job.unique = UniqueTerms{.key = "k", .scope = UniqueScope::window}; }},
        {"quiet", [](NewJob& job) { job.unique = UniqueTerms{.key = "k", .scope = UniqueScope::debounce}; }},
    };
    for (const Row& row : rows) {
        NewJob bad = task("mails");
        row.spoil(bad);
        const auto refused = add({task("mails"), bad});
        ASSERT_FALSE(refused) << row.words;
        EXPECT_EQ(refused.error().refusal, Refusal::bad_request);
        EXPECT_THAT(refused.error().message, HasSubstr(row.words));
        EXPECT_THAT(refused.error().message, HasSubstr("job 2 of the request"));
    }
    EXPECT_TRUE(claim_from("mails").empty());
}

TEST_F(Working, NamesTheQuotaThatIsFull)
{
    queue("mails").waiting_max = 2;
    auto changed = std::make_shared<Definitions>(*definitions);
    changed->tenants["default"] = {
        "default",
        {},
        {.refreshes = {}, .waiting_jobs = 3, .storage_bytes = 0, .keys = 0, .streams = 0, .requests = {}}};
    definitions = changed;
    add_tenants({"another"});
    start();
    EXPECT_TRUE(add({task("mails"), task("mails")}));
    const auto full = add({task("mails")});
    ASSERT_FALSE(full);
    EXPECT_EQ(full.error().refusal, Refusal::queue_full);
    EXPECT_THAT(full.error().message, HasSubstr("waiting_max"));
    EXPECT_EQ(full.error().limit_count, 2);
    const auto quota = add({task("other"), task("other")});
    ASSERT_FALSE(quota);
    EXPECT_THAT(quota.error().message, HasSubstr("waiting_jobs"));
    EXPECT_TRUE(add({task("mails")}, "another")) << "F9: quotas are by tenant";
    start(); // counted anew from the store
    EXPECT_FALSE(add({task("mails")}));
    EXPECT_EQ(claim_work(claiming("w1", {"mails"}, 3)).size(), 3u);
    EXPECT_TRUE(add({task("mails")}));
}

TEST_F(Working, AnswersTheSameIdempotencyKeyWithWhatItCameTo)
{
    AddJobs request = adding({task("mails"), task("mails")});
    request.idempotency = IdempotencyScope{"POST /v1/jobs", "k", hash128("a")};
    const auto first = std::get<Added>(ask_engine(request).value());
    const auto again = std::get<Added>(ask_engine(request).value());
    EXPECT_TRUE(again.replayed);
    ASSERT_EQ(again.jobs.size(), 2u);
    EXPECT_EQ(again.jobs[1].job->id, first.jobs[1].job->id);
    EXPECT_EQ(claim_from("mails", "w1", 9).size(), 2u);
    request.idempotency->request = hash128("b");
    EXPECT_EQ(ask_engine(request).error().refusal, Refusal::idempotency_reused);
}

TEST_F(Working, UniqueKeysAttachWaitBehindOrRefuse)
{
    NewJob keyed = task("mails");
    keyed.unique = UniqueTerms{.key = "k"};
    const JobId first = add_one(keyed);
    const auto attached = add({keyed, task("mails")});
    ASSERT_TRUE(attached);
    EXPECT_TRUE(attached->jobs[0].attached);
    EXPECT_EQ(attached->jobs[0].job->id, first);
    EXPECT_FALSE(attached->jobs[1].attached);
    EXPECT_EQ(job(first).callers, 2);
    const auto held = claim_from("mails", "w1", 1);
    ASSERT_EQ(held.at(0).job->id, first);

    NewJob rerun = keyed;
    rerun.unique->on_conflict = UniqueConflict::rerun_after;
    const JobId trailing = add_one(rerun);
    EXPECT_NE(trailing, first);
    EXPECT_EQ(job(trailing).behind, first);
    EXPECT_EQ(add_one(rerun), trailing) << "at most one trails";
    NewJob reject = keyed;
    reject.unique->on_conflict = UniqueConflict::reject;
    const auto refused = add({task("mails"), reject});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().refusal, Refusal::unique_taken);
    EXPECT_TRUE(refused.error().job);

    ASSERT_TRUE(end(done(held[0])));
    EXPECT_FALSE(job(trailing).behind) << "released by the end of the first";
}

TEST_F(Working, AFirstThatWouldBeTriedAgainIsSupersededByTheOneBehindIt)
{
    NewJob rerun = task("mails");
    rerun.unique = UniqueTerms{.key = "k", .on_conflict = UniqueConflict::rerun_after};
    const JobId first = add_one(rerun);
    const auto held = claim_from("mails");
    const JobId trailing = add_one(rerun);
    ASSERT_TRUE(end(failed(held.at(0))));
    EXPECT_EQ(job(first).superseded_by, trailing);
    EXPECT_EQ(job(trailing).failed, 1) << "it inherits the attempts";
    EXPECT_FALSE(job(trailing).behind);
}

TEST_F(Working, TwoOfOneKeyInOneRequestAreOneJob)
{
    NewJob keyed = task("mails");
    keyed.unique = UniqueTerms{.key = "k"};
    const auto added = add({keyed, keyed});
    ASSERT_TRUE(added);
    EXPECT_EQ(added->jobs[0].job->id, added->jobs[1].job->id);
    keyed.unique->key = "other", keyed.unique->on_conflict = UniqueConflict::reject;
    EXPECT_EQ(add({keyed, keyed}).error().refusal, Refusal::unique_taken);
}

TEST_F(Working, ABeatLengthensTheLeaseAndBringsTheCancel)
{
    const JobId id = add_one("mails");
    const auto held = claim_from("mails");
    now += 10s;
    Beaten beaten = beat(held);
    EXPECT_EQ(beaten.answers.at(0).word, BeatWord::ok);
    EXPECT_EQ(beaten.answers[0].lease_until, now + 30s);
    EXPECT_EQ(job(id).lease_until, now + 30s) << "what was promised is on disk";
    ask_engine(CancelJob{id, "default", "somebody"});
    EXPECT_EQ(beat(held).answers.at(0).word, BeatWord::cancel);
    EXPECT_EQ(beat(held, "w2").answers.at(0).word, BeatWord::lost) << "it is not that worker's";
    const auto confirmed = end(failed(held[0], ErrorClass::cancelled));
    ASSERT_TRUE(confirmed);
    EXPECT_EQ(confirmed->state, JobState::cancelled);
    EXPECT_FALSE(confirmed->forced);
    EXPECT_EQ(beat(held).answers.at(0).word, BeatWord::lost);
}

TEST_F(Working, F7ALostWorkersJobIsGivenToAnotherAtTheEndOfItsLeaseWithNobodyLooking)
{
    const JobId id = add_one("mails");
    const auto held = claim_from("mails");
    std::optional<Reply> got;
    std::vector<Posted> group;
    group.push_back({claiming("w2", {"mails"}), -1, [&](Reply reply) { got = std::move(reply); }});
    auto wake = step(std::move(group));
    for (const WallTime until = now + 31s; !got && wake && *wake <= until; wake = step()) now = std::max(now, *wake);
    ASSERT_TRUE(got) << "the engine asks to be woken in time";
    EXPECT_EQ(std::get<Claimed>(got->value()).jobs.at(0).job->id, id);
    EXPECT_EQ(job(id).lost, 1);
    EXPECT_EQ(job(id).failed, 0);
    const auto attempts = store->begin()->attempts(id);
    ASSERT_EQ(attempts.size(), 1u);
    EXPECT_EQ(attempts[0].end, AttemptEnd::lost);
    EXPECT_EQ(attempts[0].worker, "w1");
}

TEST_F(Working, F7F9TheClaimThatALostWorkerLeftOpenIsAnsweredWithNothingAndNoOtherTenants)
{
    const JobId id = add_one("mails");
    ASSERT_EQ(claim_from("mails").size(), 1u);
    std::optional<Reply> stopped, namesake;
    ClaimWork of_namesake = claiming("w1", {"mails"});
    of_namesake.tenant = "b";
    std::vector<Posted> group;
    group.push_back({claiming("w1", {"mails"}), -1, [&](Reply reply) { stopped = std::move(reply); }});
    group.push_back({of_namesake, -1, [&](Reply reply) { namesake = std::move(reply); }});
    step(std::move(group));
    EXPECT_FALSE(stopped);
    now += 31s;
    step();
    ASSERT_TRUE(stopped);
    EXPECT_TRUE(std::get<Claimed>(stopped->value()).jobs.empty()) << "a stopped process would lose it again";
    EXPECT_FALSE(namesake) << "who has the same name in another tenant is another worker";
    EXPECT_EQ(claim_from("mails", "w2").at(0).job->id, id);
}

TEST_F(Working, ALateAnswerCountsUntilSomebodyElseIsGivenTheJobAndIsKeptAfterwards)
{
    const JobId id = add_one("mails");
    const auto held = claim_from("mails");
    now += 31s;
    step();
    EXPECT_EQ(job(id).state, JobState::queued);
    const auto second = claim_from("mails", "w2");
    const auto late = end(done(held.at(0), "[1]"));
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().refusal, Refusal::lease_lost);
    EXPECT_EQ(job(id).state, JobState::running);
    ASSERT_TRUE(job(id).late);
    EXPECT_EQ(job(id).late->result, "[1]");
    EXPECT_EQ(job(id).late->worker, "w1");
    ASSERT_TRUE(end(failed(second.at(0), ErrorClass::fatal), "w2"));
    Reply adopted = ask_engine(AdoptJob{id, "default", "somebody", {}});
    ASSERT_TRUE(adopted);
    EXPECT_EQ(job(id).state, JobState::succeeded);
    EXPECT_EQ(job(id).result, "[1]");
}

TEST_F(Working, ALateAnswerWithNobodyElseAtWorkCounts)
{
    const JobId id = add_one("mails");
    const auto held = claim_from("mails");
    now += 31s;
    step();
    ASSERT_TRUE(end(done(held.at(0))));
    EXPECT_EQ(job(id).state, JobState::succeeded);
}

TEST_F(Working, KeepsNoResultOfAHandOutThatNeverWas)
{
    const JobId id = add_one("mails");
    auto held = claim_from("mails");
    CompleteJob forged = done(held.at(0));
    forged.fence = held[0].job->fence - 1;
    EXPECT_EQ(end(forged).error().refusal, Refusal::lease_lost);
    EXPECT_FALSE(job(id).late);
}

TEST_F(Working, SayingAnEndTwiceIsAnsweredTwice)
{
    const JobId id = add_one("mails");
    auto held = claim_from("mails");
    ASSERT_TRUE(end(done(held.at(0), "{\"a\":1}")));
    notices.clear();
    const auto again = end(done(held[0], "{\"a\":1}"));
    ASSERT_TRUE(again);
    EXPECT_EQ(again->id, id);
    EXPECT_TRUE(notices.empty()) << "nothing happened again";
    EXPECT_EQ(end(done(held[0], "{\"a\":2}")).error().refusal, Refusal::lease_lost)
        << "another content is another word";

    add_one("mails");
    held = claim_from("mails");
    ASSERT_TRUE(end(failed(held.at(0))));
    const auto failed_again = end(failed(held[0]));
    ASSERT_TRUE(failed_again);
    EXPECT_EQ(failed_again->failed, 1);
}

TEST_F(Working, EachJobOfOneEndIsTakenOrRefusedByItself)
{
    add_one("mails"), add_one("mails");
    const auto held = claim_from("mails", "w1", 2);
    CompleteJob stale = done(held.at(1));
    --stale.fence;
    EndWork work{"w1", "*", {stale, done(held[0]), failed(held[1])}};
    const auto ended = std::get<EndedWork>(ask_engine(std::move(work)).value());
    ASSERT_EQ(ended.jobs.size(), 3u);
    EXPECT_FALSE(ended.jobs[0]);
    EXPECT_EQ(ended.jobs[1].value()->state, JobState::succeeded);
    EXPECT_EQ(ended.jobs[2].value()->state, JobState::queued);
}

TEST_F(Working, F9AWorkersTokenSeesAndEndsJobsOfItsTenantOnly)
{
    add_tenants({"a", "b"});
    start();
    const JobId foreign = add_one(task("mails"), "a");
    ClaimWork work = claiming("w1", {"mails"}, 5);
    work.tenant = "b";
    EXPECT_TRUE(claim_work(work).empty());
    const auto held = claim_from("mails", "w1", 5);
    EXPECT_EQ(end(done(held.at(0)), "w1", "b").error().refusal, Refusal::not_found);
    BeatWork beat{"w1", {{foreign, {.fence = held[0].job->fence}}}, "b"};
    EXPECT_EQ(std::get<Beaten>(ask_engine(beat).value()).answers.at(0).word, BeatWord::lost);
    EXPECT_EQ(ask_engine(CancelJob{foreign, "b", "x"}).error().refusal, Refusal::not_found);
}

TEST_F(Working, LargeResultsArePayloadsAndGoWithTheJob)
{
    const JobId id = add_one("mails");
    auto held = claim_from("mails");
    const std::string large = "\"" + std::string(result_inline_max, 'x') + "\"";
    ASSERT_TRUE(end(done(held.at(0), large)));
    EXPECT_EQ(job(id).result, "");
    EXPECT_EQ(payload(job(id).result_payload), large);
    EXPECT_TRUE(end(done(held[0], large))) << "said again";

    const JobId put_id = add_one("mails");
    held = claim_from("mails");
    const auto bytes = std::make_shared<const std::string>("\"" + std::string(900'000, 'y') + "\"");
    std::optional<Reply> put;
    std::vector<Posted> group;
    group.push_back({PutResult{put_id, held.at(0).job->fence, "*", bytes}, -1, [&](Reply reply) { put = reply; }});
    step(std::move(group));
    for (int i = 0; i < 8 && !put; ++i) step();
    ASSERT_TRUE(put && *put);
    const auto& there = std::get<ResultPut>(put->value());
    CompleteJob names{put_id, held[0].job->fence, TaskResult{"", there.payload, there.bytes}};
    ASSERT_TRUE(end(names));
    EXPECT_EQ(payload(job(put_id).result_payload), *bytes);
    EXPECT_EQ(job(put_id).result_bytes, 900'002);
    EXPECT_TRUE(end(names)) << "said again";
    names.fence += 1;
    EXPECT_FALSE(end(names));
}

TEST_F(Working, AResultThatWasNeverPutCannotBeNamed)
{
    add_one("mails");
    const auto held = claim_from("mails");
    EXPECT_EQ(end(CompleteJob{held.at(0).job->id, held[0].job->fence, TaskResult{"", 99, 1}}).error().refusal,
              Refusal::bad_request);
    EXPECT_TRUE(end(done(held[0]))) << "the lease stands";
}

TEST_F(Working, ThoseWhoHandBackWithAReasonAreShownAsPaused)
{
    const JobId id = add_one("mails");
    const auto held = claim_from("mails");
    HandBack back{.wait = 1h, .reason = "waits for approval", .checkpoint = R"({"page":3})"};
    ASSERT_TRUE(end(ReleaseJob{id, held.at(0).job->fence, back}));
    EXPECT_EQ(reported_state(job(id), now, false), "paused");
    EXPECT_EQ(store->begin()->attempts(id).at(0).end, AttemptEnd::released);
    EXPECT_TRUE(claim_from("mails").empty());
    ask_engine(RunJob{id, "default", "somebody"});
    const auto again = claim_from("mails");
    EXPECT_EQ(again.at(0).job->checkpoint, R"({"page":3})");
}

TEST_F(Working, LogLinesAreNumberedOverRestartsAndNeedTheLease)
{
    const JobId id = add_one("mails");
    const auto held = claim_from("mails");
    const auto say = [&](Seq fence, const std::string& text) {
        return ask_engine(AddLog{id, fence, "*", {{"info", text}, {"warn", text}}});
    };
    EXPECT_TRUE(say(held.at(0).job->fence, "a"));
    start();
    EXPECT_TRUE(say(held[0].job->fence, "b"));
    EXPECT_EQ(say(held[0].job->fence - 1, "c").error().refusal, Refusal::lease_lost);
    const auto lines = store->begin()->job_log(id, 0, 10);
    ASSERT_EQ(lines.size(), 4u);
    EXPECT_EQ(lines[3].number, 4);
    EXPECT_EQ(lines[3].text, "b");
}

TEST_F(Working, DeadlinesEndWhatWaitsWithNobodyLooking)
{
    NewJob late = task("mails");
    late.start_by = now + 1min;
    const JobId id = add_one(late);
    auto wake = step();
    ASSERT_TRUE(wake);
    now = now + 1min;
    step();
    EXPECT_EQ(job(id).state, JobState::failed);
    EXPECT_EQ(job(id).error->code, "expired");
}

TEST_F(Working, ARetryIsANewGenerationWithANewDeadlineAndKeepsTheOldAttempt)
{
    const JobId id = add_one("mails");
    const auto held = claim_from("mails");
    ASSERT_TRUE(end(failed(held.at(0), ErrorClass::fatal)));
    EXPECT_TRUE(store->begin()->attempts(id).empty()) << "the job itself tells of its last attempt";
    now += 48h - 1s;
    ASSERT_TRUE(ask_engine(RetryJob{id, "default", "somebody", {}}));
    EXPECT_EQ(job(id).generation, 2);
    EXPECT_EQ(job(id).deadline_at, now + 24h);
    EXPECT_EQ(store->begin()->attempts(id).at(0).end, AttemptEnd::failed);
    EXPECT_EQ(end(done(held[0])).error().refusal, Refusal::lease_lost);
}

} // namespace
} // namespace freshet
