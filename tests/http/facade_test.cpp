// SPDX-License-Identifier: Apache-2.0
// Facades from outside: somebody's own API in front of /v1, with the real binary, real children and a real source.

#include "tests/http/harness.hpp"
#include "tests/http/upstream.hpp"

#include <fmt/format.h>
#include <fstream>
#include <gtest/gtest.h>
#include <openssl/sha.h>

namespace freshet::outside {
namespace {

using namespace std::chrono_literals;

std::string sha256_of(const std::string& text)
{
    unsigned char hash[SHA256_DIGEST_LENGTH];
    SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), hash);
    std::string hex;
    for (const unsigned char byte : hash) hex += fmt::format("{:02x}", byte);
    return hex;
}

std::string token_table(const std::string& name, const std::string& tenant, const std::string& role,
                        const std::string& more = {})
{
    return fmt::format("[token.{}]\ntenant = \"{}\"\nrole = \"{}\"\nhash = \"sha256:{}\"\n{}\n", name, tenant, role,
                       sha256_of("secret-of-" + name), more);
}
std::string token_of(const std::string& name)
{
    return "secret-of-" + name;
}

std::string offers_source(const Upstream& upstream, const std::string& more = {})
{
    return fmt::format(
        "[source.offers]\nkind = \"http\"\nurl = \"{}/offers\"\nallow_private = true\n"
        "fresh_for = \"1h\"\nmanual_limit = \"1000/min\"\nretry = {{ attempts = 1, wait = \"1s\" }}\n{}\n",
        upstream.url(), more);
}

constexpr const char* offers_facade = R"(
[[facade]]
on      = "GET /api/offers"
access  = "public"
read    = "offers"
cache   = "public, max-age=30"
respond = '{items: .data, cached: .meta.from_cache, valid: (.meta.state == "fresh"), refreshing: .meta.refreshing}'

[[facade]]
on      = "POST /api/offers/refresh"
refresh = "offers"
wait    = "20s"
respond = '{ok: true, outcome: .job.outcome, count: (.data | length)}'
)";

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

std::string two_tenants(const Upstream& upstream)
{
    return offers_source(upstream) + "[tenant.acme]\n[tenant.globex]\n[queue.sync]\n" +
           token_table("acme", "acme", "viewer", "refresh = true") + token_table("globex", "globex", "operator") +
           token_table("globex-admin", "globex", "admin") + token_table("all", "*", "admin") + R"(
[[facade]]
on = "GET /client/{id}"
tenant = "{id}"
read = "offers"
respond = '{who: .request.params.id, count: (.data | length)}'
[[facade]]
on = "POST /all/refresh"
access = "admin"
refresh_all = ["*:offers"]
wait = "10s"
respond = '{successful: ([.keys[] | select(.problem == null and .outcome != "pending")] | length), keys: [.keys[] | {tenant, outcome}]}'
[[facade]]
on = "GET /all/freshness"
access = "viewer"
keys = ["*:offers"]
respond = '[.keys[] | {client: .tenant, state: .meta.state, age: (.meta.age_ms != null)}]'
[[facade]]
on = "POST /business/{b}/tasks"
tenant = "{b}"
enqueue = "sync"
status = 202
respond = '{job_id: .job.id}'
[[facade]]
on = "GET /business/{b}/tasks"
tenant = "{b}"
list = ["jobs?queue=sync&state={state}", "queues"]
respond = '{ids: [.jobs[].id], queues: (.queues | type)}'
[[facade]]
on = "POST /admin/business/{id}/reset-progress"
access = "admin"
tenant = "{id}"
call = "POST /v1/admin/tenants/{id}/reset"
input = '{dry_run: false, states: (.request.body.states // ["queued", "running"])}'
respond = '{success: true, answer: .answer}'
)";
}

TEST(Facade, F9KeepsTenantsApart)
{
    Upstream upstream;
    upstream.set("/offers", R"([{"id": 1}])");
    Server server{two_tenants(upstream)};
    Client acme = server.client(token_of("acme")), globex = server.client(token_of("globex")),
           all = server.client(token_of("all")), nobody = server.client();
    EXPECT_EQ(nobody.get("/client/acme").status, 401);
    const Answer own = acme.get("/client/acme");
    EXPECT_EQ(own.status, 200) << own.body;
    EXPECT_EQ(own.json("/who"), "acme");
    EXPECT_EQ(all.get("/client/globex").status, 200);
    const Answer foreign = acme.get("/client/globex"), missing = acme.get("/client/initech");
    EXPECT_EQ(foreign.status, 404);
    EXPECT_EQ(missing.status, 404);
    EXPECT_EQ(foreign.json("/detail"), missing.json("/detail"));
    EXPECT_EQ(all.get("/client/initech").status, 404);

    EXPECT_EQ(acme.post("/all/refresh").status, 403);
    const Answer refreshed = all.post("/all/refresh");
    EXPECT_EQ(refreshed.status, 200) << refreshed.body;
    EXPECT_EQ(refreshed.json("/successful"), "2") << refreshed.body;
    EXPECT_EQ(refreshed.json("/keys/1/tenant"), "globex");
    const Answer seen = all.get("/all/freshness");
    EXPECT_EQ(seen.json("/0/client"), "acme");
    EXPECT_EQ(seen.json("/1/state"), "fresh") << seen.body;
    // Who speaks for one tenant sees that one.
    EXPECT_EQ(acme.get("/all/freshness").json("/1/client"), std::nullopt);

    // Viewers enqueue nothing, and nobody in another's place.
    EXPECT_EQ(acme.post("/business/acme/tasks").status, 403);
    EXPECT_EQ(globex.post("/business/acme/tasks").status, 404);
    const Answer made = globex.post("/business/globex/tasks");
    EXPECT_EQ(made.status, 202) << made.body;
    const Answer listed = globex.get("/business/globex/tasks");
    EXPECT_EQ(listed.json("/ids/0"), made.json("/job_id")) << listed.body;
    EXPECT_EQ(listed.json("/queues"), "array");
    EXPECT_EQ(globex.get("/business/globex/tasks?state=running").json("/ids/0"), std::nullopt);

    EXPECT_EQ(globex.post("/admin/business/globex/reset-progress").status, 403);
    Client admin = server.client(token_of("globex-admin"));
    EXPECT_EQ(admin.post("/admin/business/acme/reset-progress").status, 404);
    const Answer reset = admin.post("/admin/business/globex/reset-progress");
    EXPECT_EQ(reset.status, 200) << reset.body;
    EXPECT_EQ(globex.get("/v1/jobs/" + made.json("/job_id").value_or("")).json("/state"), "failed");
}

TEST(Facade, SaysOfEachOfManyKeysWhetherItCameFromMemory)
{
    Upstream upstream;
    upstream.set("/offers", R"([{"id": 1}])");
    Server server{offers_source(upstream) + "[tenant.acme]\n[tenant.globex]\n" + token_table("all", "*", "admin") + R"(
[[facade]]
on = "GET /all"
access = "admin"
read_all = ["*:offers"]
respond = '[.keys[] | {tenant, cached: .meta.from_cache, count: (.data | length)}]'
)"};
    Client all = server.client(token_of("all"));
    EXPECT_EQ(all.get("/all").body, R"([{"tenant":"acme","cached":false,"count":1},)"
                                    R"({"tenant":"globex","cached":false,"count":1}])");
    EXPECT_EQ(all.get("/all").body, R"([{"tenant":"acme","cached":true,"count":1},)"
                                    R"({"tenant":"globex","cached":true,"count":1}])");
}

TEST(Facade, CarriesABatchFromItsItemsToItsFollowUp)
{
    Server server{R"(
[queue.gen]
[queue.rich]
[[facade]]
on = "POST /api/batch-jobs"
body = { name = "text 1..80", items = "list 1..1000" }
call = "POST /v1/batches"
input = '{name: .request.body.name, queue: "gen", driver: "caller", items: [.request.body.items[] | {key, input: .}], then: {label: "Enrich", start: "person", queue: "rich", items: "succeeded"}}'
status = 202
respond = '{jobId: .batch.id}'
[[facade]]
on = "GET /api/batch-jobs/{id}/status"
batch = "{id}"
respond = '{jobId: .batch.id, status: .batch.state, total: .batch.counts.total}'
[[facade]]
on = "GET /api/batch-jobs/{id}/items"
items = "{id}"
respond = '{data: [.items[] | {id: .key, status: .state}]}'
[[facade]]
on = "GET /api/batch-jobs"
list = ["batches"]
respond = '{data: [.batches[] | {jobId: .id, name}]}'
[[facade]]
on = "POST /api/batch-jobs/{id}/process-next"
call = "POST /v1/batches/{id}/process-next"
wait = "1s"
respond = '{status: .answer.status, remaining: .answer.remaining}'
[[facade]]
on = "POST /api/batch-jobs/{id}/cancel"
call = "POST /v1/batches/{id}/cancel"
respond = '{status: .batch.state}'
[[facade]]
on = "POST /api/batch-jobs/{id}/enrich"
call = "POST /v1/batches/{id}/then"
status = 202
respond = '{jobId: .batch.then.batch}'
)"};
    Client client = server.client();
    const Headers json{{"Content-Type", "application/json"}};
    EXPECT_EQ(client.post("/api/batch-jobs", json, R"({"name": "x", "items": []})").status, 400);
    std::string many = R"({"name": "many", "items": [)";
    for (int i = 0; i < 1000; ++i) many += fmt::format("{}{{\"key\": \"k{}\", \"topic\": \"t\"}}", i > 0 ? "," : "", i);
    EXPECT_EQ(client.post("/api/batch-jobs", json, many + R"(,{"key": "k1000"}]})").status, 400);
    const Answer made = client.post("/api/batch-jobs", json, many + "]}");
    ASSERT_EQ(made.status, 202) << made.body;
    const std::string id = made.json("/jobId").value_or("");
    EXPECT_EQ(client.get("/api/batch-jobs/" + id + "/status").json("/total"), "1000");
    // More than a page of /v1.
    const Answer items = client.get("/api/batch-jobs/" + id + "/items");
    EXPECT_EQ(items.json("/data/999/status"), "queued") << items.body.substr(0, 200);
    EXPECT_EQ(client.get("/api/batch-jobs").json("/data/0/name"), "many");
    EXPECT_EQ(client.post("/api/batch-jobs/" + id + "/process-next").json("/status"), "pending");
    EXPECT_EQ(client.post("/api/batch-jobs/" + id + "/enrich").status, 409);
    // A thousand items end in more than one commit.
    EXPECT_EQ(client.post("/api/batch-jobs/" + id + "/cancel").status, 200);
    ask_until([&] { return client.get("/api/batch-jobs/" + id + "/status"); },
              [](const Answer& answer) { return answer.json("/status") == "cancelled"; });
    EXPECT_EQ(client.get("/api/batch-jobs/b_00000/status").status, 404);
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

TEST(Facade, LogsAnEndOnceHoweverOftenItIsServed)
{
    Server server{R"(
[queue.work]
[[facade]]
on = "POST /api/runs"
enqueue = "work"
respond = '{id: .job.id}'
[[facade]]
on = "GET /api/runs/{id}"
job = "{id}"
log_end = true
respond = '{state: .job.state}'
)"};
    Client client = server.client();
    const std::string id =
        client.post("/api/runs", {{"Content-Type", "application/json"}}, "{}").json("/id").value_or("");
    ASSERT_FALSE(id.empty());
    ASSERT_EQ(client.get("/api/runs/" + id).json("/state"), "queued");
    ASSERT_EQ(client.post("/v1/jobs/" + id + "/cancel").status, 200);
    for (int i = 0; i < 20; ++i) EXPECT_EQ(client.get("/api/runs/" + id).json("/state"), "cancelled");
    ASSERT_TRUE(server.await_log("an end was served"));
    // A second one tells that all that came before it is written.
    const std::string next =
        client.post("/api/runs", {{"Content-Type", "application/json"}}, "{}").json("/id").value_or("");
    ASSERT_EQ(client.post("/v1/jobs/" + next + "/cancel").status, 200);
    client.get("/api/runs/" + next);
    ASSERT_TRUE(server.await_log(next));
    const std::string log = server.log();
    std::size_t told = 0;
    for (auto at = log.find("an end was served"); at != std::string::npos; at = log.find("an end was served", at + 1))
        ++told;
    EXPECT_EQ(told, 2U) << log;
}

TEST(Facade, ACallFindsTheTenantOfWhatItsIdNames)
{
    Server server{R"(
[tenant.acme]
[queue.work]
[[facade]]
on = "POST /api/runs"
tenant = "acme"
enqueue = "work"
respond = '{id: .job.id}'
[[facade]]
on = "POST /api/runs/{id}/stop"
call = "POST /v1/jobs/{id}/cancel"
respond = '{state: .job.state}'
)" + token_table("acme", "acme", "admin") +
                  token_table("all", "*", "admin") + token_table("other", "other", "admin") + "[tenant.other]\n"};
    Client acme = server.client(token_of("acme")), all = server.client(token_of("all"));
    Client other = server.client(token_of("other"));
    const std::string id =
        acme.post("/api/runs", {{"Content-Type", "application/json"}}, "{}").json("/id").value_or("");
    ASSERT_FALSE(id.empty());
    EXPECT_EQ(other.post("/api/runs/" + id + "/stop").status, 404);
    EXPECT_EQ(all.post("/api/runs/j_0000000000000/stop").status, 404);
    const Answer stopped = all.post("/api/runs/" + id + "/stop");
    EXPECT_EQ(stopped.status, 200) << stopped.body;
    EXPECT_EQ(stopped.json("/state"), "cancelled");
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

TEST(Page, ServesItsIndexAndFilesAndNothingElse)
{
    Server server{"", {.start = false}};
    const auto dist = server.folder() / "dist";
    std::filesystem::create_directories(dist / "sub");
    const auto write = [](const std::filesystem::path& path, const std::string& text) { std::ofstream{path} << text; };
    write(dist / "index.html", "<!doctype html><title>offers</title>");
    write(dist / "app-3f9c1a20.js", "export {}");
    write(dist / "plain.css", "a{}");
    write(dist / "sub" / "x.json", "{}");
    write(dist / ".hidden.txt", "secret");
    write(server.folder() / "outside.txt", "secret");
    std::filesystem::create_symlink(server.folder() / "outside.txt", dist / "link.txt");
    server.write_config(R"(
[tenant.acme]
[tenant.globex]
)" + token_table("acme", "acme", "viewer") +
                        R"(
[[page]]
on = "GET /offers"
access = "public"
dir = "dist"
img = ["https://images.example.com"]
[[page]]
on = "GET /dashboard/{id}"
dir = "dist"
tenant = "{id}"
params = { id = '[a-z]{1,16}' }
)");
    server.start();
    Client nobody = server.client(), acme = server.client(token_of("acme"));
    const Answer index = nobody.get("/offers");
    ASSERT_EQ(index.status, 200) << index.body;
    EXPECT_EQ(index.header("cache-control"), "no-store, no-cache, must-revalidate");
    EXPECT_EQ(index.header("content-type"), "text/html; charset=utf-8");
    EXPECT_NE(index.header("content-security-policy").find("img-src 'self' data: https://images.example.com"),
              std::string::npos);
    EXPECT_NE(index.header("content-security-policy").find("object-src 'none'"), std::string::npos);
    const Answer hashed = nobody.get("/offers/app-3f9c1a20.js");
    EXPECT_EQ(hashed.header("cache-control"), "public, max-age=31536000, immutable");
    EXPECT_EQ(hashed.header("content-type"), "text/javascript; charset=utf-8");
    const Answer plain = nobody.get("/offers/plain.css");
    EXPECT_EQ(plain.header("cache-control"), "public, no-cache");
    EXPECT_EQ(nobody.get("/offers/plain.css", {{"If-None-Match", plain.header("etag")}}).status, 304);
    EXPECT_EQ(nobody.get("/offers/sub/x.json").status, 200);
    for (const char* bad : {"/offers/.hidden.txt", "/offers/link.txt", "/offers/%2e%2e/outside.txt",
                            "/offers/..%2foutside.txt", "/offers/sub/%2e%2e/%2e%2e/outside.txt", "/offers/missing.js",
                            "/offers/sub", "/offers/%00.js", "/offers/..%5coutside.txt"})
        EXPECT_EQ(acme.get(bad).status, 404) << bad;
    EXPECT_EQ(nobody.post("/offers").status, 401);

    EXPECT_EQ(nobody.get("/dashboard/acme").status, 401);
    EXPECT_EQ(acme.get("/dashboard/acme").status, 200);
    EXPECT_EQ(acme.get("/dashboard/globex").status, 404);
    EXPECT_EQ(acme.get("/dashboard/a.b").status, 404);
    EXPECT_EQ(acme.get("/dashboard/plain.css").status, 200);
    EXPECT_EQ(nobody.get("/dashboard/plain.css").status, 401);
}

TEST(Page, ShowsABrowserThatMayNotSeeItAFieldForAToken)
{
    Server server{"", {.start = false}};
    const auto dist = server.folder() / "dist";
    std::filesystem::create_directories(dist);
    std::ofstream{dist / "index.html"} << "<!doctype html><title>own</title>";
    server.write_config("[tenant.acme]\n[tenant.globex]\n" + token_table("acme", "acme", "viewer") + R"(
[[page]]
on = "GET /dashboard/{id}"
dir = "dist"
tenant = "{id}"
)");
    server.start();
    Client nobody = server.client(), acme = server.client(token_of("acme"));
    const Headers browser{{"Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}};
    const auto holds = [](const Answer& answer, std::string_view text) {
        return answer.body.find(text) != std::string::npos;
    };
    const Answer asked = nobody.get("/dashboard/acme?lang=he&q=%22%3Cb%3E", browser);
    EXPECT_EQ(asked.status, 401);
    EXPECT_EQ(asked.header("content-type"), "text/html; charset=utf-8");
    EXPECT_EQ(asked.header("cache-control"), "no-store");
    EXPECT_FALSE(asked.header("www-authenticate").empty());
    EXPECT_TRUE(holds(asked, "dir=\"rtl\"")) << asked.body;
    EXPECT_TRUE(holds(asked, "value=\"&quot;&lt;b&gt;\"")) << "what was asked for comes back, and is no markup";
    EXPECT_FALSE(holds(asked, "own"));
    // Its style and its script are there, at addresses that hold below any prefix.
    for (const std::string_view file : {"href=\"../assets/help-", "src=\"../assets/sign-in-"}) {
        const auto at = asked.body.find(file);
        ASSERT_NE(at, std::string::npos) << file;
        const auto from = asked.body.find("/assets", at);
        const std::string address = asked.body.substr(from, asked.body.find('"', from) - from);
        EXPECT_EQ(nobody.get(address).status, 200) << address;
    }
    // A token that opens nothing, and one of somebody else: words, no data, and another try.
    const Answer wrong = nobody.get("/dashboard/acme?token=fsh_wrong%3Cb%3E", browser);
    EXPECT_EQ(wrong.status, 401);
    EXPECT_TRUE(holds(wrong, "id=\"sign-in\"")) << wrong.body;
    EXPECT_FALSE(holds(wrong, "fsh_wrong"));
    EXPECT_FALSE(wrong.header("set-cookie").starts_with("freshet"));
    const Answer foreign = acme.get("/dashboard/globex", browser);
    EXPECT_EQ(foreign.status, 404);
    EXPECT_TRUE(holds(foreign, "id=\"sign-in\""));
    // A program is told as ever.
    EXPECT_EQ(nobody.get("/dashboard/acme").header("content-type"), "application/problem+json");
    EXPECT_EQ(nobody.get("/dashboard/app.js", browser).header("content-type"), "application/problem+json");
    EXPECT_EQ(nobody.get("/v1/freshness", browser).header("content-type"), "application/problem+json");
}

} // namespace
} // namespace freshet::outside
