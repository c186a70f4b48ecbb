// SPDX-License-Identifier: Apache-2.0
// F9: what belongs to another tenant is answered as what does not exist: on every route that takes an id, byte for
// byte.

#include "tests/http/harness.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace freshet::outside {
namespace {

const Headers json{{"Content-Type", "application/json"}};

struct Way {
    std::string method, path; ///< {} takes the id
    std::string body = "";
};

// What acme has, what nobody has, and the routes that take it.
struct Thing {
    std::string theirs, nobodys;
    std::vector<Way> ways;
};

std::string config(const Upstream& upstream)
{
    return fmt::format(
        "[source.rates]\nkind = \"http\"\nurl = \"{0}/rates\"\nallow_private = true\nevery = \"1h\"\n"
        "fresh_for = \"2h\"\n[source.area]\nkind = \"http\"\nurl = \"{0}/area/{{name}}\"\nallow_private = true\n"
        "params = {{ name = [\"eu\", \"us\"] }}\nevery = \"1h\"\nfresh_for = "
        "\"2h\"\n[tenant.acme]\n[tenant.blue]\n[queue.mail]\n",
        upstream.url());
}

// The last digit is another one.
std::string neighbour(std::string id, char digit)
{
    id.back() = id.back() == digit ? static_cast<char>(digit - 1) : digit;
    return id;
}

class Foreign : public testing::Test {
protected:
    Foreign()
    {
        upstream.set("/rates", "[1]");
        server.emplace(config(upstream));
        acme.emplace(server->client(token("acme")));
        blue.emplace(server->client(token("blue")));
    }

    std::string token(const std::string& tenant)
    {
        const Answer made =
            server->client(server->local_token())
                .post("/v1/tokens", json,
                      fmt::format(R"({{"name": "{0}-admin", "tenant": "{0}", "role": "admin"}})", tenant));
        EXPECT_EQ(made.status, 201) << made.body;
        return made.json("/token").value_or("");
    }

    // As blue asks: without what is of the moment, and with the id taken out of the words.
    Answer ask(const Way& way, const std::string& id)
    {
        Answer answer = blue->ask(way.method, fmt::format(fmt::runtime(way.path), id),
                                  way.body.empty() ? Headers{} : json, way.body);
        for (auto at = answer.body.find(id); at != std::string::npos; at = answer.body.find(id))
            answer.body.replace(at, id.size(), "ID");
        std::erase_if(answer.headers, [](const auto& header) { return header.first == "date"; });
        for (auto& [name, value] : answer.headers)
            if (name == "content-length") value = "";
        return answer;
    }

    void expect_alike(const Thing& thing)
    {
        for (const Way& way : thing.ways) {
            const Answer theirs = ask(way, thing.theirs), nobodys = ask(way, thing.nobodys);
            const std::string where = way.method + " " + way.path;
            EXPECT_EQ(theirs.status, 404) << where << " " << theirs.body;
            EXPECT_EQ(theirs.status, nobodys.status) << where;
            EXPECT_EQ(theirs.body, nobodys.body) << where;
            EXPECT_EQ(theirs.headers, nobodys.headers) << where;
        }
    }

    Upstream upstream;
    std::optional<Server> server;
    std::optional<Client> acme, blue;
};

TEST_F(Foreign, F9JobsAreAnsweredAsMissingOnes)
{
    const Answer added = acme->post("/v1/jobs", json, R"({"queue":"mail","input":1})");
    const std::string id = added.json("/id").value_or("");
    ASSERT_TRUE(id.starts_with("j_")) << added.body;
    const Answer given = acme->post("/v1/work/claim", json, R"({"worker":"w1","queues":["mail"],"wait":10})");
    const std::string fence = given.json("/jobs/0/fence").value_or("0");
    const std::string with_fence = R"({"fence":)" + fence;
    std::vector<Way> ways{
        {"GET", "/v1/jobs/{}"},
        {"GET", "/v1/jobs/{}/attempts"},
        {"GET", "/v1/jobs/{}/events"},
        {"GET", "/v1/jobs/{}/log"},
        {"GET", "/v1/jobs/{}/result"},
        {"POST", "/v1/jobs/{}/cancel"},
        {"POST", "/v1/jobs/{}/retry"},
        {"POST", "/v1/jobs/{}/run"},
        {"POST", "/v1/jobs/{}/adopt"},
        {"GET", "/v1/stream?topic=job/{}"},
        {"GET", "/v1/poll?topic=job/{}"},
        {"POST", "/v1/work/{}/complete", with_fence + R"(,"result":1})"},
        {"POST", "/v1/work/{}/fail", with_fence + R"(,"error":{"class":"fatal"}})"},
        {"POST", "/v1/work/{}/release", with_fence + "}"},
        {"POST", "/v1/work/{}/log", with_fence + R"(,"lines":[{"text":"x"}]})"},
    };
    ways.push_back({"PUT", "/v1/work/{}/result?fence=" + fence, "[1]"});
    expect_alike({id, neighbour(id, '1'), ways});
    const Answer after = acme->get("/v1/jobs/" + id);
    EXPECT_EQ(after.json("/state"), "running") << after.body;
    EXPECT_EQ(after.json("/fence"), fence) << after.body;
}

TEST_F(Foreign, F9BatchesAreAnsweredAsMissingOnes)
{
    const Answer made =
        acme->post("/v1/batches", json, R"({"queue":"mail","sealed":false,"driver":"caller","items":[{"key":"a"}]})");
    const std::string id = made.json("/id").value_or("");
    ASSERT_TRUE(id.starts_with("b_")) << made.body;
    expect_alike({id,
                  neighbour(id, '1'),
                  {{"GET", "/v1/batches/{}"},
                   {"GET", "/v1/batches/{}/items"},
                   {"POST", "/v1/batches/{}/items", R"({"items":[{"key":"b"}]})"},
                   {"POST", "/v1/batches/{}/seal"},
                   {"POST", "/v1/batches/{}/cancel"},
                   {"POST", "/v1/batches/{}/retry-failed"},
                   {"POST", "/v1/batches/{}/process-next"},
                   {"POST", "/v1/batches/{}/then"},
                   {"GET", "/v1/stream?topic=batch/{}"},
                   {"GET", "/v1/poll?topic=batch/{}"}}});
    const Answer after = acme->get("/v1/batches/" + id);
    EXPECT_EQ(after.json("/state"), "open") << after.body;
    EXPECT_EQ(after.json("/counts/total"), "1") << after.body;
}

TEST_F(Foreign, F9SchedulesWorkersQueuesTokensAndStreamsAreAnsweredAsMissingOnes)
{
    // The schedule of a key is there once its tenant has the key.
    upstream.set("/area/eu", "[1]");
    ASSERT_EQ(acme->refresh("area/eu").status, 200);
    ASSERT_EQ(acme->post("/v1/schedules/area%2Feu/pause").status, 200);
    expect_alike(
        {"area%2Feu",
         "area%2Fus",
         {{"POST", "/v1/schedules/{}/pause"}, {"POST", "/v1/schedules/{}/resume"}, {"POST", "/v1/schedules/{}/run"}}});
    EXPECT_EQ(acme->get("/v1/schedules?source=area").json("/items/0/paused"), "true");

    ASSERT_EQ(acme->post("/v1/work/claim", json, R"({"worker":"hand","queues":["mail"]})").status, 200);
    ASSERT_EQ(acme->get("/v1/workers/hand").status, 200);
    expect_alike({"hand", "hend", {{"GET", "/v1/workers/{}"}, {"POST", "/v1/workers/{}/drain"}}});
    EXPECT_EQ(acme->get("/v1/workers/hand").json("/state"), "alive");
    EXPECT_EQ(blue->get("/v1/workers").json("/items/0/id"), std::nullopt);

    expect_alike({"acme-admin", "none-admin", {{"GET", "/v1/tokens/{}"}, {"DELETE", "/v1/tokens/{}"}}});
    EXPECT_EQ(acme->get("/v1/tokens/acme-admin").status, 200);

    EventStream stream{server->url(), "/v1/stream?topic=data/rates",
                       server->client(server->local_token())
                           .post("/v1/tokens", json, R"({"name":"eye","tenant":"acme","role":"viewer"})")
                           .json("/token")
                           .value_or("")};
    const auto hello = stream.next_where([](const StreamEvent& event) { return event.event == "hello"; });
    ASSERT_TRUE(hello.has_value());
    const std::string opened = hello->json("/stream").value_or("");
    expect_alike({opened, neighbour(opened, '9'), {{"PATCH", "/v1/streams/{}", R"({"add": [], "drop": []})"}}});
}

// Queues are shared by name, also one of the config; a tenant that does not use one is told that there is none.
TEST_F(Foreign, F9QueuesShowEachTenantItsOwnJobsOnly)
{
    ASSERT_EQ(acme->post("/v1/jobs", json, R"({"queue":"mail"})").status, 201);
    const Answer own = acme->get("/v1/queues/mail"), others = blue->get("/v1/queues/mail");
    EXPECT_EQ(own.json("/counts/queued"), "1") << own.body;
    EXPECT_EQ(others.status, 404) << others.body;
    ASSERT_EQ(blue->post("/v1/jobs", json, R"({"queue":"mail"})").status, 201);
    EXPECT_EQ(blue->get("/v1/queues/mail").json("/counts/queued"), "1");
    EXPECT_EQ(blue->get("/v1/jobs?queue=mail").json("/items/1/id"), std::nullopt);
}

} // namespace
} // namespace freshet::outside
