// SPDX-License-Identifier: Apache-2.0
// Remote work from outside: the real binary, and a worker that speaks plain HTTP.

#include "tests/http/harness.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <thread>

namespace freshet::outside {
namespace {

using testing::HasSubstr;

const Headers json{{"Content-Type", "application/json"}};

class Work : public testing::Test {
protected:
    Work()
        : server{"[queue.mail]\nlease = \"1s\"\n"
                 "[source.forecast]\nkind = \"worker\"\nqueue = \"forecasts\"\nparams = { area = [\"eu\", \"us\"] }\n"
                 "fresh_for = \"1h\"\n"},
          client{server.client()}
    {
    }

    std::string enqueue(const std::string& body)
    {
        const Answer answer = client.post("/v1/jobs", json, body);
        EXPECT_EQ(answer.status, 201) << answer.body;
        return answer.json("/id").value_or("");
    }
    static Answer claim(Client& by, const std::string& worker, const std::string& queue, double wait)
    {
        return by.post("/v1/work/claim", json,
                       fmt::format(R"({{"worker":"{}","queues":["{}"],"slots":1,"wait":{}}})", worker, queue, wait));
    }
    Answer claim(const std::string& worker, const std::string& queue = "mail", double wait = 10)
    {
        return claim(client, worker, queue, wait);
    }
    Answer end(const std::string& verb, const std::string& id, const std::string& fence, const std::string& more = "")
    {
        return client.post("/v1/work/" + id + "/" + verb, json,
                           fmt::format(R"({{"fence":{}{}{}}})", fence, more.empty() ? "" : ",", more));
    }

    Server server;
    Client client;
};

TEST_F(Work, ATaskGoesFromItsEnqueueToItsResult)
{
    const std::string id = enqueue(R"({"queue":"mail","input":{"to":"a"},"priority":2})");
    const Answer given = claim("w1");
    ASSERT_EQ(given.status, 200) << given.body;
    EXPECT_EQ(given.json("/jobs/0/id"), id);
    EXPECT_EQ(given.json("/jobs/0/input/to"), "a");
    EXPECT_EQ(given.json("/jobs/0/attempt"), "1");
    const std::string fence = given.json("/jobs/0/fence").value_or("");
    const Answer beat = client.post("/v1/work/beat", json,
                                    fmt::format(R"({{"worker":"w1","jobs":[{{"id":"{}","fence":{},"progress":)"
                                                R"({{"phase":"send","done":1,"total":4}}}}]}})",
                                                id, fence));
    EXPECT_EQ(beat.json("/jobs/0/answer"), "ok") << beat.body;
    EXPECT_EQ(client
                  .post("/v1/work/" + id + "/log", json,
                        fmt::format(R"({{"fence":{},"lines":[{{"text":"sent one"}}]}})", fence))
                  .status,
              200);
    const Answer done = end("complete", id, fence, R"("result":{"sent": 4})");
    EXPECT_EQ(done.status, 200) << done.body;
    EXPECT_EQ(done.json("/state"), "succeeded");
    EXPECT_EQ(client.get("/v1/jobs/" + id + "/result").body, R"({"sent": 4})");
    EXPECT_EQ(client.get("/v1/jobs/" + id + "/log").json("/items/0/text"), "sent one");
    EXPECT_EQ(end("complete", id, fence, R"("result":{"sent": 4})").status, 200); // the same again, the same answer
    const Answer workers = client.get("/v1/workers");
    EXPECT_EQ(workers.json("/items/0/id"), "w1") << workers.body;
    const Answer queue = client.get("/v1/queues/mail");
    EXPECT_EQ(queue.json("/counts/succeeded"), "1") << queue.body;
}

TEST_F(Work, F6WhoComesLaterIsToldTheSameProgressAsWhoWatched)
{
    const Answer batch = client.post("/v1/batches", json, R"({"queue":"mail","items":[{"key":"a"}]})");
    const std::string of_batch = "/v1/batches/" + batch.json("/id").value_or("?");
    const Answer given = claim("w1");
    const std::string id = given.json("/jobs/0/id").value_or("?"), fence = given.json("/jobs/0/fence").value_or("0");
    // Soon after the claim, when no row is written for it, and said once.
    const auto beat = [&](const std::string& progress) {
        return client.post(
            "/v1/work/beat", json,
            fmt::format(R"({{"worker":"w1","jobs":[{{"id":"{}","fence":{}{}}}]}})", id, fence, progress));
    };
    ASSERT_EQ(beat(R"(,"progress":{"phase":"send","done":3,"total":4})").json("/jobs/0/answer"), "ok");
    const auto is_told = [&] {
        for (int loop = 0; loop < 4; ++loop) { // each connection may be of another loop
            Client later = server.client();
            EXPECT_EQ(later.get("/v1/jobs/" + id).json("/progress/done"), "3");
            EXPECT_EQ(later.get("/v1/jobs?queue=mail").json("/items/0/progress/done"), "3");
            EXPECT_EQ(later.get(of_batch + "/items").json("/items/0/progress/done"), "3");
            EXPECT_EQ(later.get("/v1/poll?wait=0&topic=job/" + id).json("/events/0/data/job/progress/done"), "3");
            EXPECT_EQ(later.get("/v1/poll?wait=0&topic=jobs/mail").json("/events/0/data/items/0/progress/done"), "3");
            EXPECT_EQ(later.get("/v1/poll?wait=0&topic=batch/" + batch.json("/id").value_or("?"))
                          .json("/events/0/data/items/0/progress/done"),
                      "3");
        }
    };
    is_told();
    ASSERT_EQ(beat("").json("/jobs/0/answer"), "ok");
    is_told();
    EXPECT_EQ(end("complete", id, fence, R"("result":1)").json("/state"), "succeeded");
}

TEST_F(Work, AnOpenClaimIsAnsweredAsSoonAsWorkComes)
{
    Answer given;
    std::thread waiting{[&] {
        Client own = server.client();
        given = claim(own, "w1", "mail", 20);
    }};
    ask_until([&] { return client.get("/v1/workers"); },
              [](const Answer& answer) { return answer.json("/items/0/id") == "w1"; });
    enqueue(R"({"queue":"mail"})");
    waiting.join();
    EXPECT_TRUE(given.json("/jobs/0/id")) << given.body;
    EXPECT_LT(given.took, 10s);
}

TEST_F(Work, AClaimWithoutWorkIsAnsweredWithNoneWhenItsWaitIsUsedUp)
{
    const Answer none = claim("w1", "mail", 0.2);
    EXPECT_EQ(none.status, 200);
    EXPECT_FALSE(none.json("/jobs/0/id"));
    EXPECT_GE(none.took, 200ms);
    EXPECT_EQ(claim("w1", "mail", 0).status, 200);
    enqueue(R"({"queue":"mail"})");
    EXPECT_TRUE(claim("w1", "mail", 0).json("/jobs/0/id")) << "without a wait it takes what is there";
}

TEST_F(Work, F7ALostWorkersJobIsHandedOutAgainAndItsLateAnswerIsRefusedAndKept)
{
    const std::string id = enqueue(R"({"queue":"mail","attempts_max":1})");
    const Answer first = claim("w1");
    const std::string late_fence = first.json("/jobs/0/fence").value_or("");
    const Answer second = claim("w2"); // w1 is silent
    ASSERT_EQ(second.json("/jobs/0/id"), id) << second.body;
    EXPECT_LT(second.took, 5s);
    const std::string fence = second.json("/jobs/0/fence").value_or("");
    EXPECT_GT(std::stoll(fence), std::stoll(late_fence));

    const Answer late = end("complete", id, late_fence, R"("result":"late")");
    EXPECT_EQ(late.status, 409) << late.body;
    EXPECT_EQ(late.json("/code"), "lease_lost");
    EXPECT_EQ(client.get("/v1/jobs/" + id).json("/state"), "running"); // nothing was touched
    EXPECT_EQ(client.get("/v1/jobs/" + id + "/result?late=1").body, "\"late\"");

    const Answer failed = end("fail", id, fence, R"("error":{"class":"fatal","code":"no","message":"it is broken"})");
    EXPECT_EQ(failed.json("/state"), "failed") << failed.body;
    const Answer events = client.get("/v1/jobs/" + id + "/events");
    std::string story;
    for (int i = 0; const auto event = events.json(fmt::format("/items/{}/event", i)); ++i)
        if (*event != "late_result")
            story += *event + " " + events.json(fmt::format("/items/{}/end", i)).value_or("") +
                     events.json(fmt::format("/items/{}/worker", i)).value_or("") + ", ";
    EXPECT_EQ(story, "queued , began w1, ended lostw1, began w2, ended failedw2, failed , ") << events.body;

    const Answer adopted = client.post("/v1/jobs/" + id + "/adopt");
    EXPECT_EQ(adopted.json("/state"), "succeeded") << adopted.body;
    EXPECT_EQ(client.get("/v1/jobs/" + id + "/result").body, "\"late\"");
}

TEST_F(Work, AnOpenClaimEndsWhenItsTokenIsRevoked)
{
    const Answer made = server.client(server.local_token())
                            .post("/v1/tokens", json, R"({"name": "hand", "role": "worker", "tenant": "default"})");
    ASSERT_EQ(made.status, 201) << made.body;
    Client all = server.client(server.local_token());
    Answer given;
    std::thread waiting{[&] {
        Client own = server.client(made.json("/token").value_or(""));
        given = claim(own, "w1", "mail", 25);
    }};
    ask_until([&] { return all.get("/v1/workers?tenant=default"); },
              [](const Answer& answer) { return answer.json("/items/0/id") == "w1"; });
    EXPECT_EQ(all.ask("DELETE", "/v1/tokens/hand?tenant=default").status, 204);
    waiting.join();
    EXPECT_EQ(given.status, 401) << given.body;
    EXPECT_LT(given.took, 20s);
    // Work that comes now is not given to it.
    const Answer job = all.post("/v1/jobs?tenant=default", json, R"({"queue":"mail"})");
    EXPECT_EQ(all.get("/v1/jobs/" + job.json("/id").value_or("")).json("/state"), "queued") << job.body;
}

TEST_F(Work, AnOpenClaimEndsWhenItsTokenExpires)
{
    const Answer made =
        server.client(server.local_token())
            .post("/v1/tokens", json, R"({"name": "brief", "role": "worker", "tenant": "default", "expires_in": 2})");
    ASSERT_EQ(made.status, 201) << made.body;
    Client own = server.client(made.json("/token").value_or(""));
    const Answer given = claim(own, "w1", "mail", 25);
    EXPECT_EQ(given.status, 401) << given.body;
    EXPECT_EQ(given.json("/code"), "token_expired");
    EXPECT_LT(given.took, 20s);
}

TEST_F(Work, ACancelReachesTheWorkerWithItsBeatAndIsConfirmed)
{
    const std::string id = enqueue(R"({"queue":"mail"})");
    const std::string fence = claim("w1").json("/jobs/0/fence").value_or("");
    EXPECT_EQ(client.post("/v1/jobs/" + id + "/cancel").json("/state"), "cancelling");
    const Answer beat = client.post("/v1/work/beat", json,
                                    fmt::format(R"({{"worker":"w1","jobs":[{{"id":"{}","fence":{}}}]}})", id, fence));
    EXPECT_EQ(beat.json("/jobs/0/answer"), "cancel") << beat.body;
    EXPECT_EQ(end("fail", id, fence, R"("error":{"class":"cancelled"})").json("/state"), "cancelled");
}

TEST_F(Work, F3ARefreshOfAWorkersSourceIsAnsweredWithWhatItsWorkerBrought)
{
    Answer refreshed;
    std::thread asking{[&] {
        Client own = server.client();
        refreshed = own.refresh("forecast/eu");
    }};
    const Answer given = claim("w1", "forecasts");
    EXPECT_EQ(given.json("/jobs/0/input/area"), "eu") << given.body;
    const std::string id = given.json("/jobs/0/id").value_or(""), fence = given.json("/jobs/0/fence").value_or("");
    const Answer done = end("complete", id, fence, R"("result":[{"t": 21.50}])");
    EXPECT_EQ(done.status, 200) << done.body;
    asking.join();
    EXPECT_EQ(refreshed.status, 200) << refreshed.body;
    EXPECT_EQ(refreshed.body, R"([{"t": 21.50}])");
    EXPECT_EQ(client.get("/v1/data/forecast/eu").freshet("state"), "fresh");
}

TEST_F(Work, ALargeResultGoesAheadAndIsThenNamed)
{
    const std::string id = enqueue(R"({"queue":"mail"})");
    const std::string fence = claim("w1").json("/jobs/0/fence").value_or("");
    const std::string large = "\"" + std::string(2 << 20, 'x') + "\"";
    const Answer put = client.ask("PUT", "/v1/work/" + id + "/result?fence=" + fence, json, large);
    ASSERT_EQ(put.status, 200) << put.body;
    const Answer done = end("complete", id, fence, "\"payload\":" + put.json("/payload").value_or(""));
    EXPECT_EQ(done.json("/state"), "succeeded") << done.body.substr(0, 500);
    EXPECT_EQ(client.get("/v1/jobs/" + id + "/result").body, large);
}

TEST_F(Work, ManyJobsAreAddedGivenAndEndedInOneCallEach)
{
    std::string list;
    for (int i = 0; i < 100; ++i) list += fmt::format(R"({}{{"queue":"mail","input":{}}})", i == 0 ? "" : ",", i);
    const Answer added = client.post("/v1/jobs", {json[0], {"Idempotency-Key", "k1"}}, "[" + list + "]");
    ASSERT_EQ(added.status, 201) << added.body;
    const Answer again = client.post("/v1/jobs", {json[0], {"Idempotency-Key", "k1"}}, "[" + list + "]");
    EXPECT_EQ(again.status, 200);
    EXPECT_EQ(again.json("/replayed"), "true");
    EXPECT_EQ(again.json("/items/99/id"), added.json("/items/99/id"));
    const Answer given =
        client.post("/v1/work/claim", json, R"({"worker":"w1","queues":["mail"],"slots":100,"wait":5})");
    std::string ends;
    int count = 0;
    while (const auto id = given.json(fmt::format("/jobs/{}/id", count))) {
        ends += fmt::format(R"({}{{"id":"{}","fence":{},"result":1}})", count == 0 ? "" : ",", *id,
                            given.json(fmt::format("/jobs/{}/fence", count)).value_or(""));
        ++count;
    }
    EXPECT_EQ(count, 100);
    const Answer done = client.post("/v1/work/complete", json, R"({"worker":"w1","jobs":[)" + ends + "]}");
    EXPECT_EQ(done.json("/jobs/99/state"), "succeeded") << done.body.substr(0, 500);
    EXPECT_EQ(client.get("/v1/jobs?queue=mail&limit=1").json("/counts/succeeded"), "100");
}

TEST_F(Work, WhatEndedBadlyIsRetriedWithAnotherInput)
{
    const std::string id = enqueue(R"({"queue":"mail","input":1})");
    const std::string fence = claim("w1").json("/jobs/0/fence").value_or("");
    end("fail", id, fence, R"("error":{"class":"fatal","code":"no","message":"not 1"})");
    EXPECT_EQ(client.post("/v1/jobs/" + id + "/retry", json, R"({"generation":7})").status, 409);
    const Answer retried = client.post("/v1/jobs/" + id + "/retry", json, R"({"generation":1,"input":2})");
    EXPECT_EQ(retried.json("/input"), "2") << retried.body;
    const Answer given = claim("w1");
    EXPECT_EQ(given.json("/jobs/0/input"), "2");
    EXPECT_EQ(given.json("/jobs/0/generation"), "2");
}

TEST_F(Work, APausedQueueGivesNothingUntilItIsResumed)
{
    const std::string id = enqueue(R"({"queue":"mail"})");
    EXPECT_EQ(client.post("/v1/queues/mail/pause").json("/paused"), "true");
    EXPECT_FALSE(claim("w1", "mail", 0.1).json("/jobs/0/id"));
    EXPECT_EQ(client.post("/v1/queues/mail/resume").json("/paused"), "false");
    EXPECT_EQ(claim("w1").json("/jobs/0/id"), id);
}

TEST_F(Work, WhatCanNotBeUsedIsRefusedInWordsAndChangesNothing)
{
    const std::string id = enqueue(R"({"queue":"mail"})");
    const std::string fence = claim("w1").json("/jobs/0/fence").value_or("");
    struct Case {
        std::string path, body;
        int status;
        std::string words;
    };
    const std::string one = "/v1/work/" + id;
    const std::vector<Case> cases{
        {"/v1/jobs", R"({"queue":"mail","colour":1})", 400, "/colour"},
        {"/v1/jobs", R"({"queue":7})", 400, "/queue"},
        {"/v1/jobs", R"({"input":7})", 400, "/queue"},
        {"/v1/jobs", "", 400, "JSON"},
        {"/v1/jobs", fmt::format(R"({{"queue":"mail","input":"{}"}})", std::string(300'000, 'x')), 413, "262144"},
        {"/v1/jobs", std::string(2 << 20, ' '), 413, "1048576"},
        {"/v1/work/claim", R"({"worker":"w1","queues":"mail"})", 400, "/queues"},
        {one + "/complete", R"({"fence":999999999,"result":1})", 409, "lease_lost"},
        {one + "/complete", R"({"fence":-1})", 400, "/fence"},
        {one + "/fail", fmt::format(R"({{"fence":{}}})", fence), 400, "/error"},
        {"/v1/work/j_0000000000001/complete", R"({"fence":1,"result":1})", 404, "not_found"},
        {"/v1/queues/mial/pause", "", 404, "no_queue"},
        {"/v1/workers/nobody/drain", "", 404, "no_worker"},
    };
    for (const Case& one_case : cases) {
        const Answer answer = client.post(one_case.path, json, one_case.body);
        EXPECT_EQ(answer.status, one_case.status) << one_case.path << " " << answer.body;
        EXPECT_THAT(answer.body, HasSubstr(one_case.words)) << one_case.path;
        EXPECT_THAT(answer.body, HasSubstr("\"try\"")) << one_case.path;
    }
    EXPECT_EQ(client.get("/v1/jobs/" + id).json("/state"), "running");
    EXPECT_EQ(client.get("/v1/jobs?limit=1").json("/counts/total"), "1");
}

} // namespace
} // namespace freshet::outside
