// SPDX-License-Identifier: Apache-2.0
// Remote work over real sockets: claim, beat, and the ends.
#include "http/work_routes_world.hpp"

#include <gmock/gmock.h>

namespace freshet::http {

namespace {

using testing::HasSubstr;
using testing::Not;

// --- Claim ---

TEST_F(WorkRoutes, ClaimAnswersWithWhatTheWorkerNeeds)
{
    send("POST", "/v1/work/claim",
         R"({"worker":"w1","host":"h","sdk":"py","queues":["mail"],"slots":4,"wait":12.5,"holds":[{"id":")" +
             to_text(JobId{3}) + R"(","fence":2}]})");
    auto asked = world.engine.next();
    const auto& claim = std::get<ClaimWork>(asked.request);
    EXPECT_EQ(claim.worker, "w1");
    EXPECT_EQ(claim.slots, 4);
    EXPECT_EQ(claim.tenant, "default");
    EXPECT_NE(claim.offer, 0u);
    ASSERT_TRUE(claim.holds);
    EXPECT_EQ(claim.holds->front(), std::pair(JobId{3}, Seq{2}));
    Job job = running(5);
    job.checkpoint = R"({"row":3})";
    Claimed claimed;
    claimed.jobs.push_back({std::make_shared<const Job>(job), nullptr, {}, {}, false});
    world.reply(asked, Answer{claimed});
    const Answered answer = client->read();
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(member(answer.body, "/jobs/0/id"), to_text(job.id));
    EXPECT_EQ(member(answer.body, "/jobs/0/fence"), "7");
    EXPECT_EQ(member(answer.body, "/jobs/0/lease_ms"), "30000");
    EXPECT_EQ(member(answer.body, "/jobs/0/input"), R"({"to":"a"})");
    EXPECT_EQ(member(answer.body, "/jobs/0/checkpoint"), R"({"row":3})");
}

TEST_F(WorkRoutes, ClaimGivesARefreshItsParametersAsInput)
{
    send("POST", "/v1/work/claim", R"({"worker":"w1","queues":["forecasts"],"wait":5})");
    auto asked = world.engine.next();
    Job job = running(6);
    job.kind = JobKind::refresh;
    job.key = "forecast/eu";
    Claimed claimed;
    claimed.jobs.push_back(
        {std::make_shared<const Job>(job), world.definitions->sources.at("forecast"), {"eu"}, {}, true});
    world.reply(asked, Answer{claimed});
    const Answered answer = client->read();
    EXPECT_EQ(member(answer.body, "/jobs/0/input"), R"({"area":"eu"})");
    EXPECT_EQ(member(answer.body, "/jobs/0/key"), "forecast/eu");
    EXPECT_EQ(member(answer.body, "/jobs/0/forced"), "true");
}

TEST_F(WorkRoutes, AClaimWhoseWaitIsUsedUpIsWithdrawnAndAnsweredByTheEngine)
{
    send("POST", "/v1/work/claim", R"({"worker":"w1","queues":["mail"],"wait":0.5})");
    auto asked = world.engine.next();
    const auto offer = std::get<ClaimWork>(asked.request).offer;
    world.advance(501ms);
    auto withdrawn = world.engine.next();
    EXPECT_EQ(std::get<WithdrawClaim>(withdrawn.request).offer, offer);
    world.reply(asked, Answer{Claimed{}});
    const Answered answer = client->read();
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(member(answer.body, "/jobs"), "[]");
}

TEST_F(WorkRoutes, AClaimThatDoesNotWaitIsWithdrawnOnlyAfterTheEngineLookedAtIt)
{
    send("POST", "/v1/work/claim", R"({"worker":"w1","queues":["mail"]})");
    auto asked = world.engine.next();
    auto looked = world.engine.next();
    ASSERT_TRUE(std::holds_alternative<CancelJob>(looked.request));
    EXPECT_EQ(world.engine.posted(), 0u);
    world.reply(looked, std::unexpected(refused(Refusal::not_found)));
    EXPECT_TRUE(std::holds_alternative<WithdrawClaim>(world.engine.next().request));
    world.reply(asked, Answer{Claimed{}});
    EXPECT_EQ(client->read().status, 200);
}

TEST_F(WorkRoutes, WhatIsClaimedForAWorkerThatHasGoneIsHandedBackAtOnce)
{
    std::optional<RawClient> leaving{std::in_place, world.port()};
    send(*leaving, "POST", "/v1/work/claim", R"({"worker":"w1","queues":["mail"],"wait":60})");
    auto asked = world.engine.next();
    Claimed claimed;
    claimed.jobs.push_back({std::make_shared<const Job>(running(5)), nullptr, {}, {}, false});
    leaving.reset();
    auto withdrawn = world.engine.next();
    EXPECT_TRUE(std::holds_alternative<WithdrawClaim>(withdrawn.request));
    world.reply(asked, Answer{claimed});
    auto back = world.engine.next();
    const auto& work = std::get<EndWork>(back.request);
    ASSERT_EQ(work.jobs.size(), 1u);
    EXPECT_EQ(std::get<ReleaseJob>(work.jobs[0]).fence, 7u);
}

TEST_F(WorkRoutes, ClaimRefusesWhatIsUnknownMissingOfAnotherTypeOrOutOfRange)
{
    expect_bad("/v1/work/claim", R"({"worker":"w1","queues":["mail"],"slot":4})", "/slot");
    expect_bad("/v1/work/claim", R"({"queues":["mail"]})", "/worker: it is missing");
    expect_bad("/v1/work/claim", R"({"worker":"w1"})", "/queues: it is missing");
    expect_bad("/v1/work/claim", R"({"worker":7,"queues":["mail"]})", "/worker: it is 7");
    expect_bad("/v1/work/claim", R"({"worker":"w1","queues":["mail",3]})", "/queues/1: it is 3");
    expect_bad("/v1/work/claim", R"({"worker":"w1","queues":[]})", "/queues");
    expect_bad("/v1/work/claim", R"({"worker":"w1","queues":["mail"],"slots":0})", "1 to 1000");
    expect_bad("/v1/work/claim", R"({"worker":"w1","queues":["mail"],"wait":-1})", "/wait");
    expect_bad("/v1/work/claim", R"({"worker":"w1","queues":["mail"],"holds":[{"id":"nope","fence":1}]})",
               "/holds/0/id");
    expect_bad("/v1/work/claim", R"({"worker":"w1","worker":"w2","queues":["mail"]})", "twice");
    expect_bad("/v1/work/claim", R"({"worker":"builtin-1","queues":["mail"]})", "builtin-");
    expect_bad("/v1/work/claim", "[1]", "an object");
    expect_bad("/v1/work/claim", "{", "no JSON");
}

// --- Beat ---

TEST_F(WorkRoutes, BeatCarriesProgressAndBringsOneWordPerJob)
{
    const std::string id = to_text(JobId{5});
    send("POST", "/v1/work/beat",
         R"({"worker":"w1","jobs":[{"id":")" + id +
             R"(","fence":7,"progress":{"phase":"fit","done":3,"total":10},"checkpoint":{"row": 3}}]})");
    auto asked = world.engine.next();
    const auto& beat = std::get<BeatWork>(asked.request);
    ASSERT_EQ(beat.jobs.size(), 1u);
    EXPECT_EQ(beat.jobs[0].beat.fence, 7u);
    EXPECT_EQ(beat.jobs[0].beat.progress->done, 3);
    EXPECT_EQ(beat.jobs[0].beat.checkpoint, R"({"row": 3})");
    Beaten beaten;
    beaten.answers.push_back({JobId{5}, BeatWord::cancel, std::nullopt});
    beaten.drain = true;
    world.reply(asked, Answer{beaten});
    const Answered answer = client->read();
    EXPECT_EQ(member(answer.body, "/jobs/0/answer"), "cancel");
    EXPECT_EQ(member(answer.body, "/drain"), "true");
    EXPECT_EQ(member(answer.body, "/reconnect"), "false");
    expect_bad("/v1/work/beat",
               fmt::format(R"({{"worker":"w1","jobs":[{{"id":"{}","fence":7,"checkpoint":"{}"}}]}})", id,
                           std::string(70'000, 'x')),
               "65536", 413);
}

// --- Ends ---

TEST_F(WorkRoutes, CompleteAnswersWithTheJobAndKeepsTheResultByteForByte)
{
    const std::string id = to_text(JobId{5});
    send("POST", "/v1/work/" + id + "/complete", R"({"fence":7,"result":{"rows": [1.50,2]}})");
    auto asked = world.engine.next();
    auto& work = std::get<EndWork>(asked.request);
    ASSERT_EQ(work.jobs.size(), 1u);
    EXPECT_EQ(std::get<TaskResult>(std::get<CompleteJob>(work.jobs[0]).result).json, R"({"rows": [1.50,2]})");
    Job job = running(5);
    job.state = JobState::succeeded;
    EndedWork ended;
    ended.jobs.emplace_back(std::make_shared<const Job>(job));
    world.reply(asked, Answer{ended});
    const Answered answer = client->read();
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(member(answer.body, "/state"), "succeeded");
}

TEST_F(WorkRoutes, F7ALateAnswerIsRefusedWithWhatToDo)
{
    const std::string id = to_text(JobId{5});
    send("POST", "/v1/work/" + id + "/complete", R"({"fence":6,"result":1})");
    auto asked = world.engine.next();
    EndedWork ended;
    ended.jobs.emplace_back(std::unexpected(refused(Refusal::lease_lost)));
    world.reply(asked, Answer{ended});
    const Answered answer = client->read();
    EXPECT_EQ(answer.status, 409);
    EXPECT_EQ(member(answer.body, "/code"), "lease_lost");
    EXPECT_THAT(member(answer.body, "/try"), HasSubstr("claim again"));
}

TEST_F(WorkRoutes, ManyEndsAreTakenOrRefusedEachByItself)
{
    const std::string first = to_text(JobId{5}), second = to_text(JobId{6});
    send(
        "POST", "/v1/work/fail",
        fmt::format(
            R"({{"worker":"w1","jobs":[{{"id":"{}","fence":7,"error":{{"class":"retryable","code":"c","message":"m"}},"retry_after":1.5}},{{"id":"{}","fence":8,"error":{{"class":"cancelled"}}}}]}})",
            first, second));
    auto asked = world.engine.next();
    const auto& work = std::get<EndWork>(asked.request);
    ASSERT_EQ(work.jobs.size(), 2u);
    EXPECT_EQ(std::get<FailJob>(work.jobs[0]).failure.retry_after, 1500ms);
    EXPECT_EQ(std::get<FailJob>(work.jobs[1]).failure.error_class, ErrorClass::cancelled);
    EndedWork ended;
    ended.jobs.emplace_back(std::make_shared<const Job>(task(5)));
    ended.jobs.emplace_back(std::unexpected(refused(Refusal::not_found)));
    world.reply(asked, Answer{ended});
    const Answered answer = client->read();
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(member(answer.body, "/jobs/0/state"), "queued");
    EXPECT_EQ(member(answer.body, "/jobs/1/problem/code"), "not_found");
    EXPECT_EQ(member(answer.body, "/jobs/1/problem/status"), "404");
}

TEST_F(WorkRoutes, TheResultOfARefreshIsMadeReadyAndToldAgain)
{
    Job job = running_refresh(5);
    world.tell_jobs({std::make_shared<const Job>(job)});
    const std::string id = to_text(job.id);
    send("POST", "/v1/work/" + id + "/complete", R"({"fence":7,"result":[{"a":1}],"as_of":"2026-01-31T12:00:00Z"})");
    auto again = told_again();
    auto& work = std::get<EndWork>(again.request);
    const auto& ready = std::get<PreparedResult>(std::get<CompleteJob>(work.jobs.at(0)).result);
    ASSERT_TRUE(ready.body);
    EXPECT_EQ(ready.body->bytes, R"([{"a":1}])");
    EXPECT_EQ(ready.data.as_of, from_rfc3339("2026-01-31T12:00:00Z"));
    job.state = JobState::succeeded;
    EndedWork ended;
    ended.jobs.emplace_back(std::make_shared<const Job>(job));
    world.reply(again, Answer{ended});
    EXPECT_EQ(client->read().status, 200);
}

TEST_F(WorkRoutes, ALargeResultOfARefreshWaitsForItsComplete)
{
    Job job = running_refresh(5);
    world.tell_jobs({std::make_shared<const Job>(job)});
    const std::string id = to_text(job.id);
    const Answered put = ask("PUT", "/v1/work/" + id + "/result?fence=7", R"([{"a":2}])");
    ASSERT_EQ(put.status, 200) << put.body;
    EXPECT_EQ(ask("PUT", "/v1/work/" + id + "/result?fence=6", "[]").status, 409);
    send("POST", "/v1/work/" + id + "/complete", R"({"fence":7,"payload":)" + member(put.body, "/payload") + "}");
    auto again = told_again();
    auto& work = std::get<EndWork>(again.request);
    EXPECT_EQ(std::get<PreparedResult>(std::get<CompleteJob>(work.jobs.at(0)).result).body->bytes, R"([{"a":2}])");
    EndedWork ended;
    ended.jobs.emplace_back(std::unexpected(refused(Refusal::lease_lost)));
    world.reply(again, Answer{ended});
    EXPECT_EQ(client->read().status, 409);
}

TEST_F(WorkRoutes, OnlyAResultMayBeLarge)
{
    world.tell_jobs({std::make_shared<const Job>(running(5))});
    const std::string id = to_text(JobId{5});
    const std::string large = "\"" + std::string(3 << 20, 'x') + "\"";
    RawClient sending{world.port()};
    send(sending, "PUT", "/v1/work/" + id + "/result?fence=7", large);
    auto asked = world.engine.next();
    EXPECT_EQ(*std::get<PutResult>(asked.request).bytes, large);
    world.reply(asked, Answer{ResultPut{9, static_cast<std::int64_t>(large.size())}});
    EXPECT_EQ(member(sending.read().body, "/payload"), "9");
    EXPECT_EQ(ask("PUT", "/v1/work/" + id + "/result?fence=7", "{").status, 400);
    EXPECT_EQ(ask("PUT", "/v1/work/" + id + "/result", "1").status, 400);

    RawClient refused{world.port()};
    refused.send(fmt::format("POST /v1/work/{}/complete HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
                             "application/json\r\nContent-Length: {}\r\n\r\n",
                             id, large.size()));
    const Answered answer = refused.read();
    EXPECT_EQ(answer.status, 413);
    EXPECT_THAT(answer.body, HasSubstr("1048576"));
    EXPECT_TRUE(refused.closed());

    RawClient chunked{world.port()};
    chunked.send(fmt::format("POST /v1/work/{}/complete HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
                             "application/json\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n",
                             id, large.size()));
    chunked.send(large);
    EXPECT_EQ(chunked.read().status, 413);
}

TEST_F(WorkRoutes, EndsRefuseWhatTheyCanNotUse)
{
    const std::string one = "/v1/work/" + to_text(JobId{5});
    expect_bad(one + "/complete", R"({"result":1})", "/fence: it is missing");
    expect_bad(one + "/complete", R"({"fence":"7"})", "/fence");
    expect_bad(one + "/complete", R"({"fence":7,"result":1,"payload":3})", "/result");
    expect_bad(one + "/fail", R"({"fence":7})", "/error: it is missing");
    expect_bad(one + "/fail", R"({"fence":7,"error":{"class":"lost"}})", "/error/class");
    expect_bad(one + "/release", R"({"fence":7,"wait":3})", "/wait");
    expect_bad(one + "/log", R"({"fence":7,"lines":[{"level":"loud","text":"x"}]})", "/lines/0/level");
    expect_bad("/v1/work/nope/complete", R"({"fence":7})", "no job nope", 404);
    expect_bad("/v1/work/complete", R"({"worker":"w1","jobs":[]})", "/jobs");
}

} // namespace
} // namespace freshet::http
