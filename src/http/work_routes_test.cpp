// SPDX-License-Identifier: Apache-2.0
// Remote work over real sockets, with an engine that does what the test says.
#include "http/body.hpp"
#include "http/test_world.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <simdjson.h>

namespace freshet::http {

namespace {

using testing::HasSubstr;
using testing::Not;

std::string member(const std::string& json, std::string_view pointer)
{
    simdjson::dom::parser parser;
    simdjson::dom::element root, value;
    if (parser.parse(json).get(root) != simdjson::SUCCESS || root.at_pointer(pointer).get(value) != simdjson::SUCCESS)
        return {};
    std::string_view text;
    if (value.get(text) == simdjson::SUCCESS) return std::string{text};
    return simdjson::minify(value);
}

class WorkRoutes : public testing::Test {
protected:
    WorkRoutes()
    {
        world.routes = all_routes();
        auto& forecast = world.source("forecast");
        forecast.kind = SourceKind::worker;
        forecast.queue = "forecasts";
        forecast.params = {{"area", {"eu", "us"}, ""}};
        forecast.bytes_max = 1 << 20;
        world.start();
        client.emplace(world.port());
    }

    static void send(RawClient& to, const std::string& method, const std::string& target, const std::string& body)
    {
        to.send(fmt::format("{} {} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: "
                            "{}\r\n\r\n{}",
                            method, target, body.size(), body));
    }
    void send(const std::string& method, const std::string& target, const std::string& body)
    {
        send(*client, method, target, body);
    }
    Answered ask(const std::string& method, const std::string& target, const std::string& body = "")
    {
        return client->ask(method, target, "", body);
    }
    Job task(std::int64_t id)
    {
        Job job = world.job(id, "");
        job.kind = JobKind::task;
        job.key.clear();
        job.queue = "mail";
        job.input = R"({"to":"a"})";
        return job;
    }
    Job running(std::int64_t id)
    {
        Job job = task(id);
        job.state = JobState::running;
        job.attempt = 1;
        job.fence = 7;
        job.worker = "w1";
        job.began_at = world.clock.wall();
        job.lease_until = world.clock.wall() + 30s;
        return job;
    }
    static Refused refused(Refusal refusal, std::string words = {})
    {
        return {refusal, std::move(words), {}, {}, 0, {}};
    }
    /// The body is refused before the engine hears of it.
    void expect_bad(const std::string& target, const std::string& body, const std::string& words, int status = 400)
    {
        const Answered answer = ask("POST", target, body);
        EXPECT_EQ(answer.status, status) << body;
        EXPECT_THAT(answer.body, HasSubstr(words)) << body;
        EXPECT_EQ(world.engine.posted(), 0u) << body;
    }

    World world;
    std::optional<RawClient> client;
};

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
    Job job = running(5);
    job.kind = JobKind::refresh;
    job.key = "forecast/eu";
    world.tell_jobs({std::make_shared<const Job>(job)});
    const std::string id = to_text(job.id);
    send("POST", "/v1/work/" + id + "/complete", R"({"fence":7,"result":[{"a":1}],"as_of":"2026-01-31T12:00:00Z"})");
    auto asked = world.engine.next();
    EndedWork unready;
    unready.jobs.emplace_back(std::unexpected(refused(Refusal::unprepared)));
    world.reply(asked, Answer{unready});
    auto again = world.engine.next();
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
    Job job = running(5);
    job.kind = JobKind::refresh;
    job.key = "forecast/eu";
    world.tell_jobs({std::make_shared<const Job>(job)});
    const std::string id = to_text(job.id);
    const Answered put = ask("PUT", "/v1/work/" + id + "/result?fence=7", R"([{"a":2}])");
    ASSERT_EQ(put.status, 200) << put.body;
    EXPECT_EQ(ask("PUT", "/v1/work/" + id + "/result?fence=6", "[]").status, 409);
    send("POST", "/v1/work/" + id + "/complete", R"({"fence":7,"payload":)" + member(put.body, "/payload") + "}");
    auto asked = world.engine.next();
    EndedWork unready;
    unready.jobs.emplace_back(std::unexpected(refused(Refusal::unprepared)));
    world.reply(asked, Answer{unready});
    auto again = world.engine.next();
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

// --- Enqueueing ---

TEST_F(WorkRoutes, AddOneJobAnswers201AndItsPlace)
{
    send(
        "POST", "/v1/jobs",
        R"({"queue":"mail","input":{"a": 1},"priority":3,"tags":["x"],"unique":{"key":"k","scope":"window","ttl_ms":1000}})");
    auto asked = world.engine.next();
    const auto& add = std::get<AddJobs>(asked.request);
    ASSERT_EQ(add.jobs.size(), 1u);
    EXPECT_EQ(add.jobs[0].input, R"({"a": 1})");
    EXPECT_EQ(add.jobs[0].unique->scope, UniqueScope::window);
    EXPECT_EQ(add.jobs[0].unique->ttl, 1s);
    Added added;
    added.jobs.push_back({std::make_shared<const Job>(task(5)), false});
    world.reply(asked, Answer{added});
    const Answered answer = client->read();
    EXPECT_EQ(answer.status, 201);
    EXPECT_EQ(answer.header("location"), "/v1/jobs/" + to_text(JobId{5}));

    send("POST", "/v1/jobs", R"({"queue":"mail","unique":"k"})");
    asked = world.engine.next();
    added.jobs[0].attached = true;
    world.reply(asked, Answer{added});
    const Answered attached = client->read();
    EXPECT_EQ(attached.status, 200);
    EXPECT_EQ(member(attached.body, "/attached"), "true");
}

TEST_F(WorkRoutes, AddManyIsOneRequestAndAReplayIsLabelled)
{
    client->send("POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: k1\r\nContent-Type: "
                 "application/json\r\nContent-Length: 35\r\n\r\n[{\"queue\":\"mail\"},{\"queue\":\"mail\"}]"
                 "");
    auto asked = world.engine.next();
    const auto& add = std::get<AddJobs>(asked.request);
    EXPECT_EQ(add.jobs.size(), 2u);
    EXPECT_EQ(add.idempotency->key, "k1");
    Added added;
    added.replayed = true;
    added.jobs.push_back({std::make_shared<const Job>(task(5)), false});
    added.jobs.push_back({std::make_shared<const Job>(task(6)), false});
    world.reply(asked, Answer{added});
    const Answered answer = client->read();
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(member(answer.body, "/replayed"), "true");
    EXPECT_EQ(member(answer.body, "/items/1/id"), to_text(JobId{6}));
}

TEST_F(WorkRoutes, AddRefusesWhatItCanNotUse)
{
    expect_bad("/v1/jobs", R"({"input":1})", "/queue: it is missing");
    expect_bad("/v1/jobs", R"({"queue":"mail","priority":4})", "/priority");
    expect_bad("/v1/jobs", R"({"queue":"mail","due_at":"tomorrow"})", "/due_at");
    expect_bad("/v1/jobs", R"({"queue":"mail","unique":{"key":"k","scope":"window"}})", "/unique/ttl_ms");
    expect_bad("/v1/jobs", R"({"queue":"mail","unique":{"key":"k","ttl_ms":5}})", "/unique/ttl_ms");
    expect_bad("/v1/jobs", R"([{"queue":"mail"},{"queue":"mail","colour":1}])", "/1/colour");
    expect_bad("/v1/jobs", "[]", "1 to 1000");
    expect_bad("/v1/jobs", fmt::format(R"({{"queue":"mail","input":"{}"}})", std::string(300'000, 'x')), "262144", 413);
}

// --- Looking at jobs ---

TEST_F(WorkRoutes, TheLogAndTheResultOfAJobAreThere)
{
    Job job = running(5);
    job.state = JobState::succeeded;
    job.result = R"({"sent": 1})";
    job.late = LateResult{3, "w0", R"({"sent":0})", world.clock.wall()};
    auto transaction = world.store.begin();
    transaction->put_job(job, std::nullopt);
    for (int i = 1; i <= 3; ++i)
        transaction->append_log({job.id, i, 7, world.clock.wall(), "info", fmt::format("line {}", i)});
    transaction->commit();
    const std::string path = "/v1/jobs/" + to_text(job.id);
    const Answered page = client->get(path + "/log?limit=2");
    EXPECT_EQ(member(page.body, "/items/1/text"), "line 2");
    EXPECT_EQ(member(page.body, "/next"), "2");
    EXPECT_EQ(member(client->get(path + "/log?after=2").body, "/items/0/text"), "line 3");
    EXPECT_EQ(client->get(path + "/result").body, R"({"sent": 1})");
    EXPECT_EQ(client->get(path + "/result?late=1").body, R"({"sent":0})");
    EXPECT_EQ(client->get("/v1/jobs/" + to_text(JobId{77}) + "/result").status, 404);
}

TEST_F(WorkRoutes, JobsAreListedByKindTagAndTime)
{
    world.tell_jobs({std::make_shared<const Job>(task(5))});
    Job tagged = task((to_ms(world.clock.wall()) + 1000) << 20);
    tagged.tags = {"night"};
    world.tell_jobs({std::make_shared<const Job>(tagged)});
    const Answered all = client->get("/v1/jobs?kind=task");
    EXPECT_EQ(member(all.body, "/counts/queued"), "2");
    EXPECT_EQ(member(client->get("/v1/jobs?tag=night").body, "/items/0/id"), to_text(tagged.id));
    const std::string at = to_rfc3339(world.clock.wall());
    EXPECT_EQ(member(client->get("/v1/jobs?since=" + at).body, "/items/0/id"), to_text(tagged.id));
    EXPECT_EQ(member(client->get("/v1/jobs?since=" + at).body, "/items/1"), "");
    EXPECT_EQ(member(client->get("/v1/jobs?until=" + at).body, "/items/0/id"), to_text(JobId{5}));
    EXPECT_EQ(client->get("/v1/jobs?since=noon").status, 400);
    EXPECT_EQ(client->get("/v1/jobs?kind=big").status, 400);
}

TEST_F(WorkRoutes, ARefreshsLateResultIsMadeReadyBeforeItIsAdopted)
{
    Job job = running(5);
    job.kind = JobKind::refresh;
    job.key = "forecast/eu";
    job.state = JobState::failed;
    job.late = LateResult{3, "w0", R"([{"a":3}])", world.clock.wall()};
    world.tell_jobs({std::make_shared<const Job>(job)});
    client->send("POST /v1/jobs/" + to_text(job.id) +
                 "/adopt HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
    auto asked = world.engine.next();
    EXPECT_FALSE(std::get<AdoptJob>(asked.request).result);
    world.reply(asked, std::unexpected(refused(Refusal::unprepared)));
    auto again = world.engine.next();
    ASSERT_TRUE(std::get<AdoptJob>(again.request).result);
    EXPECT_EQ(std::get<AdoptJob>(again.request).result->body->bytes, R"([{"a":3}])");
    job.state = JobState::succeeded;
    world.reply(again, Answer{std::make_shared<const Job>(job)});
    EXPECT_EQ(member(client->read().body, "/state"), "succeeded");
}

// --- Workers and queues ---

std::shared_ptr<const WorkerView> worker(const std::string& id, const std::string& tenant)
{
    auto made = std::make_shared<WorkerView>();
    made->id = id;
    made->tenant = tenant;
    made->queues = {"mail"};
    made->slots = 4;
    made->jobs.push_back({JobId{5}, 7, std::nullopt});
    return made;
}

TEST_F(WorkRoutes, F9WorkersOfOthersAreNotShown)
{
    auto told = world.notice();
    told->workers = {worker("w1", "default"), worker("w2", "acme"), worker("w3", "*")};
    world.tail.publish(told);
    const Answered answer = client->get("/v1/workers");
    EXPECT_EQ(member(answer.body, "/items/0/id"), "w1");
    EXPECT_EQ(member(answer.body, "/items/0/busy"), "1");
    EXPECT_EQ(member(answer.body, "/items/1"), "");
    EXPECT_EQ(member(answer.body, "/counts/alive"), "1");
    EXPECT_EQ(client->get("/v1/workers/w1").status, 200);
    EXPECT_EQ(client->get("/v1/workers/w2").status, 404);
    client->send("POST /v1/workers/w1/drain HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
    auto asked = world.engine.next();
    EXPECT_EQ(std::get<DrainWorker>(asked.request).worker, "w1");
    auto drained = std::make_shared<WorkerView>(*worker("w1", "default"));
    drained->state = WorkerView::State::draining;
    told = world.notice();
    told->workers = {drained};
    world.tail.publish(told);
    world.reply(asked, Answer{Done{}});
    EXPECT_EQ(member(client->read().body, "/state"), "draining");
}

TEST_F(WorkRoutes, QueuesShowCountsLimitsAndWhoServesThem)
{
    world.tell_jobs({std::make_shared<const Job>(task(to_ms(world.clock.wall()) << 20))});
    auto told = world.notice();
    told->workers = {worker("w1", "default")};
    world.tail.publish(told);
    const Answered mail = client->get("/v1/queues/mail");
    EXPECT_EQ(mail.status, 200) << mail.body;
    EXPECT_EQ(member(mail.body, "/counts/queued"), "1");
    EXPECT_EQ(member(mail.body, "/workers"), "1");
    EXPECT_EQ(member(mail.body, "/waiting_since"), to_rfc3339(world.clock.wall()));
    EXPECT_THAT(client->get("/v1/queues").body, HasSubstr(R"("name":"forecasts")"));
    EXPECT_EQ(client->get("/v1/queues/none").status, 404);

    send("POST", "/v1/queues/mail/limits", R"({"concurrency":2,"rate":{"count":6,"per_ms":1000}})");
    auto asked = world.engine.next();
    EXPECT_EQ(std::get<LimitQueue>(asked.request).rate->count, 6);
    auto transaction = world.store.begin();
    transaction->put_queue_limits({"mail", 2, RateLimit{6, 1s}});
    transaction->put_paused("mail", true);
    transaction->commit();
    world.reply(asked, Answer{Done{}});
    const Answered limited = client->read();
    EXPECT_EQ(member(limited.body, "/limits/concurrency"), "2");
    EXPECT_EQ(member(limited.body, "/limits/set"), "true");
    EXPECT_EQ(member(limited.body, "/paused"), "true");
    expect_bad("/v1/queues/mail/limits", R"({"concurrency":-1})", "/concurrency");
}

// --- Acts on many ---

TEST_F(WorkRoutes, BulkAndResetCountFirstAndActOnlyWhenTold)
{
    send("POST", "/v1/bulk", R"({"action":"delete","filter":{"state":"failed","queue":"mail"}})");
    auto asked = world.engine.next();
    EXPECT_TRUE(std::get<BulkJobs>(asked.request).dry_run);
    EXPECT_EQ(std::get<BulkJobs>(asked.request).action, BulkAction::drop);
    EXPECT_EQ(std::get<BulkJobs>(asked.request).filter.tenant, "default");
    Counted counted;
    counted.count = 3;
    counted.by_queue.push_back({"default", "mail", JobState::failed, 3});
    world.reply(asked, Answer{counted});
    EXPECT_EQ(member(client->read().body, "/by_queue/0/count"), "3");

    send("POST", "/v1/admin/tenants/default/reset", R"({"dry_run":false,"states":["running"]})");
    asked = world.engine.next();
    EXPECT_FALSE(std::get<ResetTenant>(asked.request).dry_run);
    EXPECT_EQ(std::get<ResetTenant>(asked.request).states, std::vector{JobState::running});
    world.reply(asked, Answer{counted});
    EXPECT_EQ(client->read().status, 200);
    expect_bad("/v1/bulk", R"({"action":"delete"})", "/filter: it is missing");
    expect_bad("/v1/bulk", R"({"action":"burn","filter":{}})", "retry, cancel, delete");
    expect_bad("/v1/admin/tenants/default/reset", R"({"states":["failed"]})", "/states/0");
}

TEST_F(WorkRoutes, TheAuditIsListedNewestFirst)
{
    auto transaction = world.store.begin();
    for (const char* action : {"pause", "resume"})
        transaction->put_audit({"default", "ann", action, "mail", "", world.clock.wall()});
    transaction->commit();
    const Answered page = client->get("/v1/audit?limit=1");
    EXPECT_EQ(member(page.body, "/items/0/action"), "resume");
    EXPECT_EQ(member(client->get("/v1/audit?after=" + member(page.body, "/next")).body, "/items/0/action"), "pause");
}

// --- The reader of bodies ---

TEST(Body, TellsThePlaceOfWhatIsWrong)
{
    const std::string text = R"({"a":{"b/c":[1,"x",{"d":true}]}})";
    BodyReader reader{text};
    BodyObject body = reader.object();
    BodyObject inner = body.find("a")->object();
    inner.list("b/c", 0, 9, [](const BodyValue& value) {
        if (value.type() == JsonType::object) value.object().text("d", {0, 9});
    });
    ASSERT_TRUE(reader.problem());
    EXPECT_THAT(reader.problem()->detail, HasSubstr("/a/b~1c/2/d: it is true"));
}

TEST(Body, HandsOutValuesAsTheyCame)
{
    const std::string text = " { \"a\" : { \"n\" : 1.50 , \"t\":\"\\u00e9\" } , \"b\" : -0.0 , \"c\":null } ";
    BodyReader reader{text};
    BodyObject body = reader.object();
    EXPECT_EQ(body.json("a", 100), R"({ "n" : 1.50 , "t":"\u00e9" })");
    EXPECT_EQ(body.json("b", 100), "-0.0");
    EXPECT_EQ(body.json("c", 100), "null");
    EXPECT_FALSE(body.has("c"));
    body.end();
    EXPECT_FALSE(reader.problem());
}

} // namespace
} // namespace freshet::http
