// SPDX-License-Identifier: Apache-2.0
// Facades of many keys, tenants, jobs and batches from outside.

#include "tests/http/facade_world.hpp"

#include <gtest/gtest.h>

namespace freshet::outside {
namespace {

using namespace std::chrono_literals;

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

TEST(Facade, KeepsAPartOfItsWaitForWhatFollows)
{
    Upstream upstream;
    upstream.set("/offers", R"([{"id": 1}])");
    upstream.set("/slow", R"([{"id": 1}])");
    upstream.hold("/slow");
    Server server{offers_source(upstream) +
                  fmt::format("[source.slow]\nkind = \"http\"\nurl = \"{}/slow\"\nallow_private = true\n"
                              "fresh_for = \"1h\"\nmanual_limit = \"1000/min\"\n",
                              upstream.url()) +
                  R"(
[[facade]]
on = "POST /sync"
refresh_all = ["slow"]
then = ["offers"]
wait = "4s"
respond = '[.keys[] | {key, outcome}]'
)"};
    Client client = server.client();
    const Answer kept = client.post("/sync");
    EXPECT_EQ(kept.body, R"([{"key":"slow","outcome":"pending"},{"key":"offers","outcome":"updated"}])");
    upstream.release("/slow");
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

} // namespace
} // namespace freshet::outside
