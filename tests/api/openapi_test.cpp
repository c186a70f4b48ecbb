// SPDX-License-Identifier: Apache-2.0
// A walk over every route of the real binary, in good and in bad times; each answer is judged by the description.
#include "tests/api/contract.hpp"
#include "tests/http/harness.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace freshet::outside {
namespace {

class OpenApi : public testing::Test {
protected:
    OpenApi()
    {
        upstream.set("/rows", R"([{"id":1,"price":3},{"id":2,"price":5}])");
        upstream.set("/guarded", R"([{"id":1},{"id":2}])");
        upstream.set("/broken", Page{.body = "no", .status = 500});
        const auto source = [&](const std::string& name, const std::string& more) {
            return fmt::format("[source.{0}]\nkind = \"http\"\nurl = \"{1}/{0}\"\nallow_private = true\nkey = "
                               "[\"id\"]\nfresh_for = \"1h\"\n"
                               "retry = {{ attempts = 1 }}\nmanual_limit = \"{2}\"\n{3}\n",
                               name, upstream.url(), name == "few" ? "1/min" : "1000/min", more);
        };
        server.emplace(source("rows", "public = true\nevery = \"30m\"\ntags = [\"all\"]") +
                       source("guarded", "guard = { min_rows = 1 }") + source("broken", "") + source("few", "") +
                       "[schedule.nightly]\nqueue = \"mail2\"\ncron = \"30 2 * * *\"\n");
        client.emplace(server->client());
        contract.emplace(client->get("/openapi.json").body);
    }

    Answer judge(const std::string& method, const std::string& path, const std::string& target, int status,
                 Headers headers = {}, std::string body = {})
    {
        std::string upper = method;
        for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
        Answer answer = client->ask(upper, target, std::move(headers), std::move(body));
        EXPECT_EQ(answer.status, status) << target << "\n" << answer.body;
        EXPECT_EQ(contract->wrong(method, path, answer), "") << upper << " " << target;
        return answer;
    }

    /// A job of a queue from its enqueue to its end, and everything around it.
    void judge_batches()
    {
        const Headers json{{"Content-Type", "application/json"}};
        const auto made = judge("post", "/v1/batches", "/v1/batches", 201, json,
                                R"({"queue":"mail","sealed":false,"items":[{"key":"a","input":1}]})");
        const std::string batch = "/v1/batches/" + made.json("/id").value_or("");
        judge("get", "/v1/batches", "/v1/batches", 200);
        judge("get", "/v1/batches/{id}", batch, 200);
        judge("get", "/v1/batches/{id}/items", batch + "/items", 200);
        judge("post", "/v1/batches/{id}/items", batch + "/items", 200, json, R"({"items":[{"key":"b","input":2}]})");
        judge("post", "/v1/batches/{id}/seal", batch + "/seal", 200);
        judge("post", "/v1/batches/{id}/process-next", batch + "/process-next", 409);
        judge("post", "/v1/batches/{id}/then", batch + "/then", 400);
        judge("post", "/v1/batches/{id}/cancel", batch + "/cancel", 200);
        judge("post", "/v1/batches/{id}/retry-failed", batch + "/retry-failed", 200);
        for (const std::string verb : {"pause", "resume", "run"})
            judge("post", "/v1/schedules/{id}/" + verb, "/v1/schedules/none/" + verb, 404);
        judge("post", "/v1/stream-tickets", "/v1/stream-tickets", 201);
        judge("post", "/v1/tokens", "/v1/tokens", 400, json, R"({"name":1})");
        judge("post", "/v1/tokens/short", "/v1/tokens/short", 400, json, R"({"ttl":1})");
        judge("get", "/v1/tokens", "/v1/tokens", 200);
        judge("get", "/v1/tokens/{name}", "/v1/tokens/none", 404);
        judge("delete", "/v1/tokens/{name}", "/v1/tokens/none", 404);
    }

    void judge_work()
    {
        const Headers json{{"Content-Type", "application/json"}};
        const auto post = [&](const std::string& path, const std::string& target, int status, std::string body) {
            return judge("post", path, target, status, body.empty() ? Headers{} : json, std::move(body));
        };
        const auto id_of = [](const Answer& answer) { return answer.json("/id").value_or(""); };
        const auto claimed = [&] {
            return post("/v1/work/claim", "/v1/work/claim", 200, R"({"worker":"w1","queues":["mail"],"wait":5})");
        };
        const std::string id =
            id_of(post("/v1/jobs", "/v1/jobs", 201, R"({"queue":"mail","input":[1],"unique":"k","tags":["t"]})"));
        post("/v1/jobs", "/v1/jobs", 200, R"({"queue":"mail","unique":"k"})");
        post("/v1/jobs", "/v1/jobs", 400, R"({"queue":1})");
        std::string fence = claimed().json("/jobs/0/fence").value_or("");
        const std::string work = "/v1/work/" + id;
        const auto ends = [&](const std::string& more) {
            return fmt::format(R"({{"worker":"w1","jobs":[{{"id":"{}","fence":{}{}}}]}})", id, fence, more);
        };
        post("/v1/work/beat", "/v1/work/beat", 200, ends(R"(,"progress":{"done":1,"total":2},"checkpoint":1)"));
        post("/v1/work/{id}/log", work + "/log", 200,
             fmt::format(R"({{"fence":{},"lines":[{{"level":"warn","text":"slow"}}]}})", fence));
        judge("get", "/v1/workers", "/v1/workers", 200);
        judge("get", "/v1/workers/{worker}", "/v1/workers/w1", 200);
        judge("get", "/v1/queues", "/v1/queues", 200);
        judge("get", "/v1/queues/{queue}", "/v1/queues/mail", 200);
        judge("put", "/v1/work/{id}/result", work + "/result?fence=" + fence, 200, json, "[2]");
        post("/v1/work/{id}/release", work + "/release", 200, fmt::format(R"({{"fence":{},"checkpoint":2}})", fence));
        post("/v1/jobs/{id}/run", "/v1/jobs/" + id + "/run", 200, "");
        fence = claimed().json("/jobs/0/fence").value_or("");
        post("/v1/work/{id}/fail", work + "/fail", 200,
             fmt::format(R"({{"fence":{},"error":{{"class":"fatal","message":"no"}}}})", fence));
        judge("get", "/v1/jobs/{id}", "/v1/jobs/" + id, 200);
        post("/v1/jobs/{id}/adopt", "/v1/jobs/" + id + "/adopt", 409, "");
        post("/v1/jobs/{id}/retry", "/v1/jobs/" + id + "/retry", 200, R"({"input":3})");
        fence = claimed().json("/jobs/0/fence").value_or("");
        post("/v1/work/release", "/v1/work/release", 200, ends(R"(,"checkpoint":3)"));
        post("/v1/work/fail", "/v1/work/fail", 200, ends(R"(,"error":{"class":"fatal"})"));
        post("/v1/jobs/{id}/run", "/v1/jobs/" + id + "/run", 200, "");
        fence = claimed().json("/jobs/0/fence").value_or("");
        post("/v1/work/{id}/complete", work + "/complete", 409, R"({"fence":1,"result":1})");
        post("/v1/work/{id}/complete", work + "/complete", 200, fmt::format(R"({{"fence":{},"result":1}})", fence));
        post("/v1/work/complete", "/v1/work/complete", 200, ends(R"(,"result":2)"));
        judge("get", "/v1/jobs/{id}/log", "/v1/jobs/" + id + "/log", 200);
        judge("get", "/v1/jobs/{id}/events", "/v1/jobs/" + id + "/events", 200);
        judge("get", "/v1/jobs/{id}/result", "/v1/jobs/" + id + "/result", 200);
        judge("get", "/v1/jobs/{id}/result", "/v1/jobs/" + id + "/result?late=1", 404);
        judge("get", "/v1/jobs", "/v1/jobs?kind=task&tag=t", 200);
        post("/v1/queues/{queue}/pause", "/v1/queues/mail/pause", 200, "");
        post("/v1/queues/{queue}/resume", "/v1/queues/mail/resume", 200, "");
        post("/v1/queues/{queue}/limits", "/v1/queues/mail/limits", 200, R"({"concurrency":3,"rate":{"count":9}})");
        post("/v1/workers/{worker}/drain", "/v1/workers/w1/drain", 200, "");
        post("/v1/bulk", "/v1/bulk", 200, R"({"action":"retry","filter":{"queue":"mail"}})");
        post("/v1/admin/tenants/{tenant}/reset", "/v1/admin/tenants/default/reset", 200, R"({"queues":["mail"]})");
        judge("get", "/v1/audit", "/v1/audit", 200);
    }

    Upstream upstream;
    std::optional<Server> server;
    std::optional<Client> client;
    std::optional<Contract> contract;
};

TEST_F(OpenApi, EveryAnswerIsOneThatItDescribes)
{
    const Headers json{{"Content-Type", "application/json"}};
    judge("get", "/v1/data/{key}", "/v1/data/rows", 200);
    judge("get", "/v1/data/{key}", "/v1/data/rows?envelope=1", 200);
    judge("get", "/v1/data/{key}", "/v1/data/rows?max_age=x", 400);
    judge("get", "/v1/data/{key}", "/v1/data/nothing", 404);
    judge("get", "/v1/explain/{key}", "/v1/explain/rows", 200);
    judge("get", "/v1/explain/{key}", "/v1/explain/nothing", 404);
    judge("get", "/v1/data/{key}", "/v1/data/broken", 502);
    judge("get", "/v1/t/{tenant}/data/{key}", "/v1/t/default/data/rows", 200);
    upstream.set("/rows", R"([{"id":1,"price":4},{"id":3,"price":5}])");
    const std::string refresh = "/v1/data/{key}/refresh";
    judge("post", refresh, "/v1/data/rows/refresh", 200, {{"Prefer", "wait=20"}});
    judge("post", refresh, "/v1/data/broken/refresh", 502, {{"Prefer", "wait=20"}});
    const Answer accepted = judge("post", refresh, "/v1/data/rows/refresh", 202, {{"Prefer", "respond-async"}});
    const std::string id = accepted.json("/id").value_or("");
    judge("get", "/v1/jobs/{id}", "/v1/jobs/" + id, 200, {{"Prefer", "wait=5"}});
    judge("get", "/v1/jobs/{id}/attempts", "/v1/jobs/" + id + "/attempts", 200);
    judge("post", "/v1/jobs/{id}/cancel", "/v1/jobs/" + id + "/cancel", 200);
    judge("post", "/v1/jobs/{id}/retry", "/v1/jobs/" + id + "/retry", 409);
    judge("get", "/v1/jobs/{id}", "/v1/jobs/j_0000000000001", 404);
    judge("get", "/v1/jobs", "/v1/jobs", 200);
    const Answer failed = judge("get", "/v1/jobs", "/v1/jobs?state=failed&source=broken", 200);
    judge("get", "/v1/jobs/{id}", "/v1/jobs/" + failed.json("/items/0/id").value_or(""), 200);
    judge("post", "/v1/jobs/{id}/retry", "/v1/jobs/" + failed.json("/items/0/id").value_or("") + "/retry", 200);

    judge("get", "/v1/data/{key}/versions", "/v1/data/rows/versions", 200);
    judge("get", "/v1/data/{key}/versions/{ver}", "/v1/data/rows/versions/1", 200);
    judge("get", "/v1/data/{key}/versions/{ver}", "/v1/data/rows/versions/77", 404);
    judge("get", "/v1/data/{key}/diff", "/v1/data/rows/diff", 200);
    judge("get", "/v1/data/{key}/diff", "/v1/data/rows/diff", 200, {{"Accept", "application/json-patch+json"}});

    upstream.set("/few", "[]");
    client->refresh("few");
    judge("post", refresh, "/v1/data/few/refresh", 429, {{"Prefer", "wait=20"}});
    client->refresh("guarded");
    upstream.set("/guarded", "[]");
    judge("post", refresh, "/v1/data/guarded/refresh", 502, {{"Prefer", "wait=20"}});
    judge("get", "/v1/freshness", "/v1/freshness", 200);
    judge("post", "/v1/data/{key}/held/discard", "/v1/data/guarded/held/discard", 200);
    judge("post", "/v1/data/{key}/held/accept", "/v1/data/guarded/held/accept", 409);
    judge("post", "/v1/sources/{source}/pause", "/v1/sources/rows/pause", 200);
    judge("post", "/v1/sources/{source}/resume", "/v1/sources/rows/resume", 200);
    judge("post", "/v1/schedules/{id}/run", "/v1/schedules/nightly/run", 200);
    judge("post", "/v1/schedules/{id}/pause", "/v1/schedules/nightly/pause", 200);
    judge("post", "/v1/schedules/{id}/resume", "/v1/schedules/nightly/resume", 200);
    judge("post", "/v1/schedules/{id}/run", "/v1/schedules/none/run", 404);
    judge("get", "/v1/schedules", "/v1/schedules", 200);
    judge("get", "/v1/freshness", "/v1/freshness?sort=-checked_at", 200);
    judge("get", "/v1/queues", "/v1/queues?sort=-queued&limit=1", 200);
    judge("get", "/v1/jobs", "/v1/jobs?sort=colour", 400);
    judge("get", "/v1/me", "/v1/me", 200);
    judge("post", "/v1/purge", "/v1/purge", 200, json, R"({"keys":["rows","broken"],"mode":"soft"})");
    judge("post", "/v1/purge", "/v1/purge", 200, json, R"({"tags":["all"]})");
    judge("post", "/v1/purge", "/v1/purge", 404, json, R"({"tags":["none"]})");
    judge("delete", "/v1/data/{key}", "/v1/data/rows", 200);
    judge("get", "/v1/poll", "/v1/poll?topic=freshness&topic=data/guarded&topic=jobs/rows&topic=job/" + id, 200);
    judge("get", "/v1/poll", "/v1/poll?topic=weather", 404);
    judge("get", "/v1/stream", "/v1/stream", 400);
    judge("patch", "/v1/streams/{stream}", "/v1/streams/s_1", 404, json, R"({"add":["freshness"]})");

    judge_work();
    judge_batches();

    judge("get", "/", "/", 302);
    judge("get", "/console", "/console", 302);
    judge("get", "/elements", "/elements", 302);
    // A binary that was built without Node has no pages, and says so in the ways that are described, too.
    const int pages = client->get("/console/").status == 404 ? 404 : 200;
    judge("get", "/console/{path}", "/console/jobs/j_1", pages);
    judge("get", "/console/{path}", "/console/jobs?token=wrong", pages == 404 ? 404 : 303);
    judge("get", "/elements.js", "/elements.js", pages);
    judge("get", "/elements/", "/elements/", pages);
    judge("post", "/v1/session", "/v1/session", 401, json, R"({"token":"fsh_wrong"})");
    judge("post", "/v1/session", "/v1/session", 401, json, R"({"link":"fsl_wrong"})");
    judge("post", "/v1/session", "/v1/session", 400, json, R"({"both":"fsl_wrong"})");
    judge("delete", "/v1/session", "/v1/session", 204);
    judge("post", "/v1/session/links", "/v1/session/links", 409);
    judge("get", "/assets/{file}", "/assets/none.js", 404);
    judge("get", "/healthz", "/healthz", 200);
    judge("get", "/readyz", "/readyz", 200);
    judge("get", "/metrics", "/metrics", 200);
    judge("get", "/openapi.json", "/openapi.json", 200);
    judge("get", "/problems/{code}", "/problems/held", 200);
    for (const std::string& operation : contract->operations())
        EXPECT_TRUE(contract->judged().contains(operation)) << operation << " was not walked";
}

TEST_F(OpenApi, EveryEventOfAStreamIsOneThatItDescribes)
{
    client->get("/v1/data/rows");
    EventStream stream{server->url(), "/v1/stream?topic=data/rows&topic=freshness&topic=jobs/rows&cursor=1:1"};
    const auto judge_until = [&](const std::string& last) {
        for (;;) {
            const auto event = stream.next();
            ASSERT_TRUE(event) << "no " << last;
            EXPECT_EQ(contract->wrong(*event), "");
            if (event->event == last) return;
        }
    };
    judge_until("live");
    upstream.set("/rows", "[]");
    client->refresh("rows");
    judge_until("change");
    judge_until("job");
    server->signal(SIGTERM);
    judge_until("goodbye");
    for (const char* event : {"hello", "reset", "snapshot", "live", "change", "job", "goodbye"})
        EXPECT_TRUE(contract->judged().contains(std::string{"event "} + event)) << event;
}

TEST(Contract, SaysWhatIsWrong)
{
    Contract contract{
        R"({"paths":{"/a":{"get":{"responses":{"200":{"content":{"application/json":{"schema":{"$ref":"#/components/schemas/a"}}}}}}}},
        "components":{"schemas":{"a":{"type":"object","required":["b"],"properties":{"b":{"const":1},"c":{"$ref":"#/components/schemas/d"}}},"d":{"type":"string"}}}})"};
    const auto answer = [](std::string body, int status = 200) {
        return Answer{status, {{"content-type", "application/json"}}, std::move(body), "", Millis{0}};
    };
    EXPECT_EQ(contract.wrong("get", "/a", answer(R"({"b":1,"c":"x"})")), "");
    EXPECT_NE(contract.wrong("get", "/a", answer(R"({"b":2})")), "");
    EXPECT_NE(contract.wrong("get", "/a", answer(R"({"b":1,"c":3})")), "");
    EXPECT_NE(contract.wrong("get", "/a", answer("{}")), "");
    EXPECT_NE(contract.wrong("get", "/a", answer(R"({"b":1})", 404)), "");
    EXPECT_NE(contract.wrong("post", "/a", answer(R"({"b":1})")), "");
}

} // namespace
} // namespace freshet::outside
