// SPDX-License-Identifier: Apache-2.0
// Tokens from outside: made, used, revoked under an open stream, kept over a restart, and never on disk.
#include "tests/http/harness.hpp"

#include <fmt/format.h>
#include <fstream>
#include <gmock/gmock.h>
#include <sstream>

namespace freshet::outside {
namespace {

using testing::HasSubstr;

std::string one_source(const Upstream& upstream)
{
    return fmt::format("[source.rates]\nkind = \"http\"\nurl = \"{}/rates\"\nallow_private = true\n", upstream.url());
}

// Two tenants with a token of each; the command line's is of all.
std::string two_tenants(const Upstream& upstream, const std::string& limits = "")
{
    return one_source(upstream) + "[tenant.acme]\n" + limits + "[tenant.blue]\n";
}

std::string made(const Server& server, const std::string& body)
{
    const Answer answer =
        server.client(server.local_token()).post("/v1/tokens", {{"Content-Type", "application/json"}}, body);
    EXPECT_EQ(answer.status, 201) << answer.body;
    return answer.json("/token").value_or("");
}

/// True if any file of the server's folder, the database and its log among them, holds the text.
bool on_disk(const Server& server, const std::string& text)
{
    for (const auto& entry : std::filesystem::recursive_directory_iterator{server.folder()}) {
        if (!entry.is_regular_file()) continue;
        std::stringstream bytes;
        bytes << std::ifstream{entry.path(), std::ios::binary}.rdbuf();
        if (bytes.str().find(text) != std::string::npos) return true;
    }
    return false;
}

TEST(Tokens, AreUsedRevokedUnderAnOpenStreamAndNeverWritten)
{
    Upstream upstream;
    upstream.set("/rates", "[1]");
    Server server{one_source(upstream)};
    ASSERT_EQ(server.client().refresh("rates").status, 200);
    const auto [code, printed] = server.run({"token", "new", "page", "--role", "viewer"});
    ASSERT_EQ(code, 0) << printed;
    const std::string token = printed.substr(printed.find("fsh_"), 68);

    // The first token closes the open door; the command line of this machine keeps its own.
    EXPECT_EQ(server.client().get("/v1/data/rates").status, 401);
    EXPECT_EQ(server.run({"token", "list"}).first, 0);
    EXPECT_EQ(server.client(token).get("/v1/data/rates").status, 200);
    EXPECT_EQ(server.client(token).refresh("rates").status, 403);

    server.kill();
    server.start();
    EXPECT_EQ(server.client().get("/v1/data/rates").status, 401);
    EXPECT_EQ(server.client(token).get("/v1/data/rates").status, 200);
    EXPECT_FALSE(on_disk(server, token));
    EXPECT_FALSE(on_disk(server, token.substr(4)));
    EXPECT_TRUE(on_disk(server, "page"));

    EventStream stream{server.url(), "/v1/stream?topic=data/rates", token};
    ASSERT_TRUE(stream.next_where([](const StreamEvent& event) { return event.event == "live"; }).has_value());
    EXPECT_EQ(server.run({"token", "revoke", "page"}).first, 0);
    const auto goodbye =
        stream.next_where([](const StreamEvent& event) { return event.event == "goodbye"; }, Millis{1000});
    ASSERT_TRUE(goodbye.has_value());
    EXPECT_EQ(goodbye->json("/reason"), "token_revoked");
    EXPECT_EQ(server.client(token).get("/v1/data/rates").status, 401);
}

TEST(Tokens, EndByThemselvesAndTellTheirStreams)
{
    Upstream upstream;
    upstream.set("/rates", "[1]");
    Server server{one_source(upstream)};
    ASSERT_EQ(server.client().refresh("rates").status, 200);
    const std::string token = made(server, R"({"name": "brief", "role": "viewer", "expires_in": 3})");
    EventStream stream{server.url(), "/v1/stream?topic=data/rates", token};
    // Less than a minute is left, so the end is told at once.
    const auto auth = stream.next_where([](const StreamEvent& event) { return event.event == "auth"; });
    ASSERT_TRUE(auth.has_value());
    EXPECT_TRUE(auth->json("/expires_at").has_value());
    const auto goodbye = stream.next_where([](const StreamEvent& event) { return event.event == "goodbye"; });
    ASSERT_TRUE(goodbye.has_value());
    EXPECT_EQ(goodbye->json("/reason"), "token_expired");
    EXPECT_THAT(server.client(token).get("/v1/data/rates").body, HasSubstr("token_expired"));
    // Time alone opens no door.
    EXPECT_EQ(server.client().get("/v1/data/rates").status, 401);
}

TEST(Tokens, OfSomeSourcesReachNothingElseAndEndWithTheirMaker)
{
    Upstream upstream;
    upstream.set("/rates", "[1]");
    upstream.set("/other", "[2]");
    Server server{
        one_source(upstream) +
        fmt::format("[source.other]\nkind = \"http\"\nurl = \"{}/other\"\nallow_private = true\n", upstream.url())};
    const std::string maker = made(server, R"({"name": "site", "role": "viewer", "refresh": true})");
    const Answer answer = server.client(maker).post("/v1/tokens/short", {{"Content-Type", "application/json"}},
                                                    R"({"sources": ["rates"], "refresh": true, "ttl": "5m"})");
    ASSERT_EQ(answer.status, 201) << answer.body;
    Client page = server.client(*answer.json("/token"));
    EXPECT_EQ(page.refresh("rates").status, 200);
    EXPECT_EQ(page.refresh("other").status, 404);
    EXPECT_EQ(page.get("/v1/data/other").status, 404);
    EXPECT_EQ(page.get("/v1/jobs").status, 403);
    const Answer asked = server.client(maker).post("/v1/data/other/refresh");
    EXPECT_EQ(page.get("/v1/jobs/" + asked.json("/id").value_or("?")).status, 404);
    EXPECT_EQ(server.run({"token", "revoke", "site"}).first, 0);
    EXPECT_EQ(page.get("/v1/data/rates").status, 401);
}

TEST(Tenants, F9AnswerForeignAndMissingThingsAlike)
{
    Upstream upstream;
    upstream.set("/rates", "[1]");
    Server server{two_tenants(upstream)};
    const std::string acme = made(server, R"({"name": "acme-admin", "tenant": "acme", "role": "admin"})");
    const std::string blue = made(server, R"({"name": "blue-admin", "tenant": "blue", "role": "admin"})");
    const Answer refreshed = server.client(acme).post("/v1/data/rates/refresh");
    const std::string job = refreshed.json("/id").value_or("");
    ASSERT_TRUE(job.starts_with("j_")) << refreshed.body;
    EventStream stream{server.url(), "/v1/stream?topic=data/rates", acme};
    const auto hello = stream.next_where([](const StreamEvent& event) { return event.event == "hello"; });
    ASSERT_TRUE(hello.has_value());
    const std::string opened = hello->json("/stream").value_or("");

    // What acme has, what nobody has, and the routes that take it.
    struct Thing {
        std::string theirs, nobodys;
        std::vector<std::pair<std::string, std::string>> routes;
    };
    std::string no_job = job;
    no_job.back() = no_job.back() == '0' ? '1' : '0';
    std::string no_stream = opened;
    no_stream.back() = no_stream.back() == '9' ? '8' : '9';
    const std::vector<Thing> things{
        {job,
         no_job,
         {{"GET", "/v1/jobs/{}"},
          {"GET", "/v1/jobs/{}/attempts"},
          {"GET", "/v1/jobs/{}/log"},
          {"GET", "/v1/jobs/{}/result"},
          {"POST", "/v1/jobs/{}/cancel"},
          {"POST", "/v1/jobs/{}/retry"},
          {"POST", "/v1/jobs/{}/run"},
          {"POST", "/v1/jobs/{}/adopt"},
          {"GET", "/v1/stream?topic=job/{}"},
          {"GET", "/v1/poll?topic=job/{}"}}},
        {"acme-admin", "none-admin", {{"GET", "/v1/tokens/{}"}, {"DELETE", "/v1/tokens/{}"}}},
        {opened, no_stream, {{"PATCH", "/v1/streams/{}"}}},
    };
    Client asker = server.client(blue);
    for (const Thing& thing : things)
        for (const auto& [method, route] : thing.routes) {
            const auto ask = [&](const std::string& id) {
                const bool patch = method == "PATCH";
                Answer answer = asker.ask(method, fmt::format(fmt::runtime(route), id),
                                          patch ? Headers{{"Content-Type", "application/json"}} : Headers{},
                                          patch ? R"({"add": [], "drop": []})" : "");
                for (auto at = answer.body.find(id); at != std::string::npos; at = answer.body.find(id))
                    answer.body.replace(at, id.size(), "ID");
                std::erase_if(answer.headers, [](const auto& header) { return header.first == "date"; });
                for (auto& [name, value] : answer.headers)
                    if (name == "content-length") value = "";
                return answer;
            };
            const Answer theirs = ask(thing.theirs), nobodys = ask(thing.nobodys);
            EXPECT_EQ(theirs.status, 404) << method << " " << route << theirs.body;
            EXPECT_EQ(theirs.status, nobodys.status) << method << " " << route;
            EXPECT_EQ(theirs.body, nobodys.body) << method << " " << route;
            EXPECT_EQ(theirs.headers, nobodys.headers) << method << " " << route;
        }
    // Nothing of acme's was changed by that.
    EXPECT_EQ(server.client(acme).get("/v1/tokens/acme-admin").status, 200);
    EXPECT_EQ(server.client(acme).get("/v1/jobs/" + job).status, 200);
}

TEST(Tenants, AreShownTogetherToATokenOfAllAndNeverToOthers)
{
    Upstream upstream;
    upstream.set("/rates", "[1]");
    Server server{two_tenants(upstream)};
    const std::string acme = made(server, R"({"name": "a", "tenant": "acme", "role": "operator"})");
    const std::string blue = made(server, R"({"name": "b", "tenant": "blue", "role": "operator"})");
    ASSERT_EQ(server.client(acme).refresh("rates").status, 200);
    ASSERT_EQ(server.client(blue).refresh("rates").status, 200);
    Client all = server.client(server.local_token());
    const Answer rows = all.get("/v1/freshness");
    EXPECT_EQ(rows.json("/items/0/tenant"), "acme") << rows.body;
    EXPECT_EQ(rows.json("/items/1/tenant"), "blue") << rows.body;
    const Answer first = all.get("/v1/freshness?limit=1");
    EXPECT_EQ(first.json("/items/0/tenant"), "acme");
    std::string next = first.json("/next").value_or("?");
    if (const auto blank = next.find(' '); blank != std::string::npos) next.replace(blank, 1, "%20");
    const Answer second = all.get("/v1/freshness?limit=1&after=" + next);
    EXPECT_EQ(second.json("/items/0/tenant"), "blue") << second.body;
    EXPECT_EQ(all.get("/v1/jobs").json("/items/0/tenant"), "blue");
    EXPECT_EQ(all.get("/v1/jobs").json("/items/1/tenant"), "acme");
    EXPECT_EQ(all.get("/v1/freshness?tenant=blue").json("/items/0/tenant"), "blue");
    EXPECT_EQ(all.get("/v1/data/rates").status, 400);
    EXPECT_EQ(all.get("/metrics").status, 200);
    Client one = server.client(acme);
    EXPECT_FALSE(one.get("/v1/jobs").json("/items/1/tenant").has_value());
    EXPECT_EQ(one.get("/metrics").status, 403);
    EXPECT_EQ(one.get("/v1/freshness?tenant=blue").status, 403);
}

TEST(Tenants, F9KeepToTheirQuotasWhileOthersGoOn)
{
    Upstream upstream;
    upstream.set("/rates", "[1, 2, 3, 4, 5, 6, 7, 8]");
    Server server{two_tenants(upstream, "limits = { storage = \"8B\", requests = \"1000/min\" }\n")};
    const std::string acme = made(server, R"({"name": "a", "tenant": "acme", "role": "operator"})");
    const std::string blue = made(server, R"({"name": "b", "tenant": "blue", "role": "operator"})");
    Client full = server.client(acme);
    ASSERT_EQ(full.refresh("rates").status, 200);
    const Answer refused = full.refresh("rates");
    EXPECT_EQ(refused.status, 507) << refused.body;
    EXPECT_THAT(refused.body, HasSubstr("limits.storage"));
    EXPECT_EQ(full.get("/v1/data/rates").status, 200);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(server.client(blue).refresh("rates").status, 200);
    int limited = 0;
    for (int i = 0; i < 1100; ++i) limited += full.get("/v1/data/rates").status == 429 ? 1 : 0;
    EXPECT_GT(limited, 0);
    EXPECT_EQ(server.client(blue).get("/v1/data/rates").status, 200);
}

} // namespace
} // namespace freshet::outside
