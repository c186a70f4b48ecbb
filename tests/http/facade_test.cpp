// SPDX-License-Identifier: Apache-2.0
// Facades from outside: somebody's own API in front of /v1, with the real binary, real children and a real source.

#include "tests/http/facade_world.hpp"

#include <gtest/gtest.h>

namespace freshet::outside {
namespace {

using namespace std::chrono_literals;

TEST(Facade, ShowsAKeyInTheShapeOfTheOldApi)
{
    Upstream upstream;
    upstream.set("/offers", R"([{"id": 1}, {"id": 2}])");
    Server server{offers_source(upstream) + offers_facade};
    Client client = server.client();
    const Answer first = client.get("/api/offers");
    ASSERT_EQ(first.status, 200) << first.body;
    EXPECT_EQ(first.body, R"({"items":[{"id":1},{"id":2}],"cached":false,"valid":true,"refreshing":false})");
    EXPECT_EQ(first.header("content-type"), "application/json");
    EXPECT_EQ(first.header("cache-control"), "public, max-age=30");
    EXPECT_EQ(first.freshet("state"), "fresh");
    const Answer again = client.get("/api/offers");
    EXPECT_EQ(again.json("/cached"), "true");
    const Answer known = client.get("/api/offers", {{"If-None-Match", again.header("etag")}});
    EXPECT_EQ(known.status, 304);
    EXPECT_EQ(known.body, "");
    EXPECT_EQ(client.ask("HEAD", "/api/offers").status, 200);
    EXPECT_EQ(upstream.requests("/offers"), 1U);
}

TEST(Facade, F3RefreshesThroughTheOldPath)
{
    Upstream upstream;
    upstream.set("/offers", R"([{"id": 1}])");
    Server server{offers_source(upstream) + offers_facade};
    Client client = server.client();
    ASSERT_EQ(client.get("/api/offers").status, 200);
    upstream.set("/offers", R"([{"id": 1}, {"id": 2}])");
    const Answer refreshed = client.post("/api/offers/refresh");
    ASSERT_EQ(refreshed.status, 200) << refreshed.body;
    EXPECT_EQ(refreshed.body, R"({"ok":true,"outcome":"updated","count":2})");
    EXPECT_EQ(refreshed.header("cache-control"), "no-store");
    EXPECT_EQ(client.get("/api/offers").json("/items/1/id"), "2");
}

// The children do the shaping: killed, they stay away for a moment, and what was rendered before is still served.
TEST(Facade, AnswersWhatWasRenderedBeforeWithoutAChild)
{
    Upstream upstream;
    upstream.set("/offers", R"([{"id": 1}])");
    Server server{offers_source(upstream) + offers_facade};
    Client client = server.client();
    ASSERT_EQ(client.get("/api/offers").status, 200);
    ASSERT_EQ(client.get("/api/offers").status, 200);
    const std::vector<pid_t> children = server.await_descendants(1);
    ASSERT_FALSE(children.empty());
    for (const pid_t child : children) kill(child, SIGSTOP);
    for (int i = 0; i < 50; ++i) ASSERT_EQ(client.get("/api/offers").status, 200);
    for (const pid_t child : children) kill(child, SIGCONT);
}

TEST(Facade, F8KeepsTheLastGoodAndTellsOfAFailedRefreshInWords)
{
    Upstream upstream;
    upstream.set("/offers", R"([{"id": 1}])");
    Server server{offers_source(upstream) + offers_facade};
    Client client = server.client();
    ASSERT_EQ(client.get("/api/offers").status, 200);
    upstream.set("/offers", Page{.body = "broken", .status = 500});
    const Answer failed = client.post("/api/offers/refresh");
    EXPECT_EQ(failed.status, 502) << failed.body;
    EXPECT_EQ(failed.header("content-type"), "application/problem+json");
    EXPECT_EQ(failed.json("/instance"), "/api/offers/refresh");
    EXPECT_TRUE(failed.json("/detail").has_value());
    const Answer kept = client.get("/api/offers");
    EXPECT_EQ(kept.json("/items/0/id"), "1");
    EXPECT_EQ(kept.json("/valid"), "true") << "what was read is within its time, whatever a later attempt came to";
}

TEST(Facade, ForcesWhenTheRequestSaysSoAndAnswersTheLastGoodWhenTimeIsUp)
{
    Upstream upstream;
    upstream.set("/offers", R"([{"id": 1}])");
    Server server{offers_source(upstream) + R"(
[[facade]]
on = "GET /api/offers"
access = "public"
read = "offers"
force_when = '.request.query.refresh == "1" or .request.query.nocache == "1"'
wait = "1s"
on_timeout = "stale"
cache = "public, s-maxage=1800"
headers = { CDN-Cache-Control = "max-age=30" }
headers_forced = { Cache-Control = "no-store, must-revalidate", CDN-Cache-Control = "no-store" }
respond = '{total: (.data | length), source: (if .timed_out then "stale" elif .forced then "refresh" else "cache" end)} + (if .timed_out then {success: false, jobId: .job.id} else {} end)'
)"};
    Client client = server.client();
    const Answer plain = client.get("/api/offers");
    EXPECT_EQ(plain.body, R"({"total":1,"source":"cache"})");
    EXPECT_EQ(plain.header("cdn-cache-control"), "max-age=30");
    EXPECT_EQ(plain.header("cache-control"), "public, s-maxage=1800");
    upstream.set("/offers", R"([{"id": 1}, {"id": 2}])");
    const Answer forced = client.get("/api/offers?refresh=1");
    EXPECT_EQ(forced.body, R"({"total":2,"source":"refresh"})");
    EXPECT_EQ(forced.header("cache-control"), "no-store, must-revalidate");
    EXPECT_EQ(forced.header("cdn-cache-control"), "no-store");
    upstream.hold("/offers");
    const Answer late = client.get("/api/offers?nocache=1");
    EXPECT_EQ(late.status, 200);
    EXPECT_EQ(late.json("/source"), "stale");
    EXPECT_EQ(late.json("/success"), "false");
    EXPECT_TRUE(late.json("/jobId").value_or("").starts_with("j_"));
    EXPECT_EQ(late.json("/total"), "2");
    upstream.release("/offers");
}

TEST(Facade, HasNoOldDataToShowWhereTimeIsUpBeforeTheFirst)
{
    Upstream upstream;
    upstream.set("/offers", "[]");
    upstream.hold("/offers");
    Server server{offers_source(upstream) + R"(
[[facade]]
on = "GET /api/offers"
access = "public"
read = "offers"
force_when = '.request.query.refresh == "1"'
wait = "1s"
on_timeout = "stale"
respond = '{items: .data, seconds: (.meta.age_ms / 1000)}'
)"};
    const Answer answer = server.client().get("/api/offers?refresh=1");
    EXPECT_EQ(answer.status, 504) << answer.body;
    EXPECT_EQ(answer.json("/code"), "timed-out");
    EXPECT_TRUE(answer.json("/job").has_value()) << answer.body;
    upstream.release("/offers");
}

TEST(Facade, SaysTimedOutWhereTheClientIsToBeTold)
{
    Upstream upstream;
    upstream.hold("/offers");
    Server server{offers_source(upstream) + R"(
[[facade]]
on = "POST /api/offers/refresh"
refresh = "offers"
wait = "1s"
on_timeout = "problem"
[[facade]]
on = "POST /api/offers/start"
refresh = "offers"
respond = '{jobId: .job.id, state: .job.state}'
)"};
    Client client = server.client();
    const Answer late = client.post("/api/offers/refresh");
    EXPECT_EQ(late.status, 504) << late.body;
    EXPECT_EQ(late.json("/code"), "timed-out");
    const Answer started = client.post("/api/offers/start");
    EXPECT_EQ(started.status, 202);
    EXPECT_TRUE(started.json("/jobId").has_value());
    upstream.release("/offers");
}

TEST(Facade, LooksAtTheKeyBeforeItDecidesToForce)
{
    Upstream upstream;
    upstream.set("/offers", R"([{"id": 1}])");
    Server server{offers_source(upstream) + R"(
[[facade]]
on = "POST /jobs"
read = "offers"
body = { forceRefresh = "yes_no?" }
force_when = '.request.body.forceRefresh == true or .meta.state != "fresh"'
respond = 'if .job then {jobId: .job.id, status: "pending"} else {status: "completed", cached: true, result: .data} end'
[[facade]]
on = "GET /jobs/{id}"
job = "{id}"
job_data = true
respond = '{id: .job.id, state: .job.state, items: .data}'
)"};
    Client client = server.client();
    const Headers json{{"Content-Type", "application/json"}};
    const Answer first = client.post("/jobs", json, "{}");
    ASSERT_EQ(first.status, 202) << first.body;
    EXPECT_EQ(first.json("/status"), "pending");
    const std::string id = first.json("/jobId").value_or("");
    const Answer done = ask_until([&] { return client.get("/jobs/" + id); },
                                  [](const Answer& answer) { return answer.json("/state") == "succeeded"; });
    EXPECT_EQ(done.json("/items/0/id"), "1") << done.body;
    const Answer cached = client.post("/jobs", json, "{}");
    EXPECT_EQ(cached.status, 200);
    EXPECT_EQ(cached.body, R"({"status":"completed","cached":true,"result":[{"id":1}]})");
    EXPECT_EQ(client.post("/jobs", json, R"({"forceRefresh": true})").status, 202);
    EXPECT_EQ(client.post("/jobs", json, R"({"forceRefresh": "yes"})").status, 400);
    EXPECT_EQ(client.get("/jobs/j_nothing").status, 404);
}

TEST(Facade, RefusesBodiesThatItDoesNotTake)
{
    Upstream upstream;
    Server server{offers_source(upstream) + R"(
[queue.tasks]
[[facade]]
on = "POST /api/tasks/{kind}"
params = { kind = ["one", "two"] }
enqueue = "tasks"
body = { total = "whole 1..100", name = "text? 1..5", callbackUrl = "callback?", driver = "one of? a, b" }
callbacks = ["https://app.example.com/hooks/"]
check = 'if .request.body.total == 13 then "13 is not taken" else null end'
input = '{total: .request.body.total, kind: .request.params.kind}'
unique = "{kind}"
status = 'if .job.attached then 409 else 202 end'
respond = '{job_id: .job.id, detail: (if .job.attached then "One runs already." else null end)}'
)"};
    Client client = server.client();
    const Headers json{{"Content-Type", "application/json"}};
    const auto post = [&](const std::string& body) { return client.post("/api/tasks/one", json, body); };
    for (const char* bad : {"", "[]", "{", R"({"total": 0})", R"({"total": 101})", R"({"total": "1"})", R"({})",
                            R"({"total": 1, "name": "toolong"})", R"({"total": 1, "driver": "c"})",
                            R"({"total": 1, "callbackUrl": "https://evil.example.com/hooks/"})",
                            R"({"total": 1, "callbackUrl": "https://app.example.com/hooks/../x"})",
                            R"({"total": 1, "callbackUrl": "https://app.example.com@evil.example/hooks/"})"}) {
        const Answer answer = post(bad);
        EXPECT_EQ(answer.status, 400) << bad << " " << answer.body;
        EXPECT_TRUE(answer.json("/detail").has_value());
    }
    EXPECT_EQ(post(R"({"total": 13})").json("/detail"), "13 is not taken");
    EXPECT_EQ(client.post("/api/tasks/three", json, R"({"total": 1})").status, 404);
    const Answer made = post(R"({"total": 5, "callbackUrl": "https://app.example.com/hooks/done"})");
    EXPECT_EQ(made.status, 202) << made.body;
    const Answer second = post(R"({"total": 5})");
    EXPECT_EQ(second.status, 409) << second.body;
    EXPECT_EQ(second.header("content-type"), "application/problem+json");
    EXPECT_EQ(second.json("/job_id"), made.json("/job_id"));
    EXPECT_EQ(second.json("/status"), "409");
    const Answer job = client.get("/v1/jobs/" + made.json("/job_id").value_or(""));
    EXPECT_EQ(job.json("/input/total"), "5");
    EXPECT_EQ(job.json("/input/kind"), "one");
    EXPECT_EQ(client.get("/api/tasks/one").status, 405);
}

TEST(Facade, AnswersInTheCodingThatTheReaderTakes)
{
    Upstream upstream;
    std::string offers = "[";
    for (int i = 0; i < 200; ++i) offers += fmt::format("{}{{\"id\": {}}}", i > 0 ? "," : "", i);
    upstream.set("/offers", offers + "]");
    Server server{offers_source(upstream) + offers_facade + R"(
[[facade]]
on      = "GET /api/plain"
read    = "offers"
[[facade]]
on      = "GET /api/shown"
list    = ["schedules"]
respond = '{text: ("once and again " * 100)}'
)"};
    Client client = server.client();
    const Headers takes{{"Accept-Encoding", "br;q=0.5, gzip"}};
    const Answer whole = client.get("/api/offers");
    ASSERT_EQ(client.get("/api/offers").header("content-encoding"), "") << "whoever takes no coding gets none";
    // What is kept is coded once, for those who come after the first.
    for (const std::string path : {"/api/offers", "/api/plain"}) {
        client.get(path, takes);
        const Answer coded =
            ask_until([&] { return client.get(path, takes); },
                      [](const Answer& answer) { return answer.header("content-encoding") == "gzip"; });
        EXPECT_LT(coded.body.size(), whole.body.size() / 2) << path;
        EXPECT_NE(coded.header("vary").find("Accept-Encoding"), std::string::npos) << path;
        EXPECT_TRUE(coded.header("etag").ends_with("-gzip\"")) << coded.header("etag");
        const Answer known = client.get(path, {{"Accept-Encoding", "gzip"}, {"If-None-Match", coded.header("etag")}});
        EXPECT_EQ(known.status, 304) << path;
        EXPECT_EQ(known.header("content-encoding"), "") << path;
    }
    // What is made for one answer alone is coded for that one.
    EXPECT_EQ(client.get("/api/shown", takes).header("content-encoding"), "gzip");
    EXPECT_EQ(client.get("/api/shown").json("/text").value_or("").substr(0, 8), "once and");
    EXPECT_EQ(upstream.requests("/offers"), 1U);
}

TEST(Facade, ColdKeysCanBeRefusedAndNoWorkBegins)
{
    Upstream upstream;
    upstream.set("/offers", "[]");
    Server server{offers_source(upstream) + R"(
[[facade]]
on = "GET /cache"
read = "offers"
cold = "refuse"
respond_problem = '{success: false, words: .problem.detail}'
[[facade]]
on = "GET /teapot"
read = "offers"
cold = "refuse"
statuses = { cold = 418 }
[[facade]]
on = "GET /health"
access = "public"
respond = '{status: "ok"}'
)"};
    Client client = server.client();
    const Answer cold = client.get("/cache");
    EXPECT_EQ(cold.status, 404) << cold.body;
    EXPECT_EQ(cold.json("/success"), "false");
    EXPECT_EQ(cold.json("/code"), "cold");
    EXPECT_EQ(client.get("/teapot").status, 418);
    EXPECT_EQ(upstream.requests("/offers"), 0U);
    EXPECT_EQ(client.get("/health").body, R"({"status":"ok"})");
}

TEST(Facade, AnExpressionThatFailsOnTheDataIsToldAndHarmsNothing)
{
    Upstream upstream;
    upstream.set("/offers", R"([{"id": 9007199254740993}])");
    Server server{offers_source(upstream) + R"(
[[facade]]
on = "GET /big"
read = "offers"
respond = '.data[0].id + 1'
[[facade]]
on = "GET /wrong"
read = "offers"
respond = '.data + 1'
[[facade]]
on = "GET /forever"
access = "public"
respond = '[range(0; infinite)] | length'
[[facade]]
on = "GET /raw"
read = "offers"
)"};
    Client client = server.client();
    EXPECT_EQ(client.get("/big").status, 500);
    EXPECT_EQ(client.get("/wrong").status, 500);
    EXPECT_EQ(client.get("/wrong").json("/code"), "facade");
    // Byte for byte where no expression stands between.
    EXPECT_EQ(client.get("/raw").body, R"([{"id": 9007199254740993}])");
}

TEST(Facade, AReloadBringsOthersAndABadFileLeavesTheOldOnes)
{
    Upstream upstream;
    upstream.set("/offers", R"([{"id": 1}])");
    Server server{offers_source(upstream) + offers_facade};
    Client client = server.client();
    ASSERT_EQ(client.get("/api/offers").status, 200);
    server.write_config(offers_source(upstream) + "[[facade]]\non = \"GET /api/offers\"\nread = \"ofers\"\n");
    ASSERT_TRUE(server.await_log("did you mean offers"));
    EXPECT_EQ(client.get("/api/offers").status, 200);
    server.write_config(offers_source(upstream) +
                        "[[facade]]\non = \"GET /api/new\"\nread = \"offers\"\nrespond = '{n: .data}'\n");
    const Answer moved =
        ask_until([&] { return client.get("/api/new"); }, [](const Answer& answer) { return answer.status == 200; });
    EXPECT_EQ(moved.body, R"({"n":[{"id":1}]})");
    EXPECT_EQ(client.get("/api/offers").status, 404);
    // A mistake in an expression, with its place.
    server.write_config(offers_source(upstream) + "[[facade]]\non = \"GET /x\"\nread = \"offers\"\nrespond = '{n: '\n");
    ASSERT_TRUE(server.await_log("respond is no jq"));
    server.write_config(offers_source(upstream) + "[[facade]]\non = \"GET /x\"\ncall = \"POST /v1/batchs\"\n");
    ASSERT_TRUE(server.await_log("there is no such path"));
}

} // namespace
} // namespace freshet::outside
