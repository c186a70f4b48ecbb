// SPDX-License-Identifier: Apache-2.0
// Tokens from outside: made, used, revoked under an open stream, kept over a restart, and never on disk.
#include "tests/http/event_stream.hpp"
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

TEST(Tokens, OfSomeSourcesSeeNoJobsBatchesNorLists)
{
    Upstream upstream;
    upstream.set("/rates", "[1]");
    Server server{one_source(upstream) + "[queue.mail]\n"};
    const Headers json{{"Content-Type", "application/json"}};
    Client maker = server.client(made(server, R"({"name": "site", "role": "operator"})"));
    const Answer batch = maker.post("/v1/batches", json, R"({"queue":"mail","items":[{"key":"a"}]})");
    const std::string of_batch = "/v1/batches/" + batch.json("/id").value_or("?");
    const std::string job = maker.get(of_batch + "/items").json("/items/0/job").value_or("?");
    const Answer answer =
        maker.post("/v1/tokens/short", json, R"({"sources": ["rates"], "refresh": true, "ttl": "5m"})");
    ASSERT_EQ(answer.status, 201) << answer.body;
    const std::string token = answer.json("/token").value_or("");
    Client page = server.client(token);
    const std::vector<std::pair<std::string, std::string>> refused{
        {"GET", "/v1/jobs"},
        {"GET", "/v1/jobs/" + job + "/attempts"},
        {"GET", "/v1/jobs/" + job + "/events"},
        {"GET", "/v1/jobs/" + job + "/log"},
        {"GET", "/v1/jobs/" + job + "/result"},
        {"POST", "/v1/jobs/" + job + "/cancel"},
        {"POST", "/v1/jobs"},
        {"GET", "/v1/batches"},
        {"POST", "/v1/batches"},
        {"POST", of_batch + "/items"},
        {"POST", of_batch + "/seal"},
        {"POST", of_batch + "/cancel"},
        {"POST", of_batch + "/retry-failed"},
        {"POST", of_batch + "/process-next"},
        {"POST", of_batch + "/then"},
        {"GET", "/v1/queues"},
        {"GET", "/v1/queues/mail"},
        {"POST", "/v1/queues/mail/pause"},
        {"GET", "/v1/workers"},
        {"GET", "/v1/schedules"},
        {"GET", "/v1/freshness"},
        {"POST", "/v1/purge"},
        {"POST", "/v1/bulk"},
        {"GET", "/v1/audit"},
        {"GET", "/v1/tokens"},
        {"POST", "/v1/work/claim"},
    };
    for (const auto& [method, path] : refused) {
        const Answer said = page.ask(method, path, method == "POST" ? json : Headers{}, method == "POST" ? "{}" : "");
        EXPECT_EQ(said.status, 403) << method << " " << path << " " << said.body;
        EXPECT_FALSE(said.json("/try").value_or("").empty()) << said.body;
    }
    EXPECT_EQ(page.get(of_batch).status, 404);
    EXPECT_EQ(page.get(of_batch + "/items").status, 404);
    EXPECT_EQ(page.get("/v1/poll?wait=0&topic=batch/" + batch.json("/id").value_or("?")).status, 404);
    // The one of a job is its own refreshes' receipts.
    EXPECT_EQ(page.get("/v1/jobs/" + job).status, 404);
    const std::string id = batch.json("/id").value_or("?");
    for (const std::string& topic : {"job/" + job, "batch/" + id, std::string{"batches"}, std::string{"jobs/mail"},
                                     std::string{"queues"}, std::string{"workers"}, std::string{"schedules"}}) {
        const int status = page.get("/v1/poll?topic=" + topic).status;
        EXPECT_TRUE(status == 403 || status == 404) << topic << " " << status;
    }
    EXPECT_EQ(maker.get(of_batch).json("/counts/queued"), "1");
}

TEST(Tokens, F9OfSomeQueuesFollowTheirJobsAndBatchesAndReachNothingElse)
{
    Upstream upstream;
    upstream.set("/rates", "[1]");
    Server server{one_source(upstream) + "[queue.mail]\n[queue.other]\n"};
    const Headers json{{"Content-Type", "application/json"}};
    const std::string site = made(server, R"({"name": "site", "role": "operator"})");
    Client maker = server.client(site);
    struct Work {
        std::string batch, item, job;
    };
    const auto put = [&](const std::string& queue) {
        const Answer batch =
            maker.post("/v1/batches", json, fmt::format(R"({{"queue":"{}","items":[{{"key":"a"}}]}})", queue));
        const std::string id = batch.json("/id").value_or("?");
        const Answer job = maker.post("/v1/jobs", json, fmt::format(R"({{"queue":"{}"}})", queue));
        return Work{id, maker.get("/v1/batches/" + id + "/items").json("/items/0/job").value_or("?"),
                    job.json("/id").value_or("?")};
    };
    const Work mail = put("mail"), other = put("other");
    const Answer answer = maker.post("/v1/tokens/short", json, R"({"queues": ["mail", "mail"]})");
    ASSERT_EQ(answer.status, 201) << answer.body;
    Client page = server.client(*answer.json("/token"));
    EXPECT_EQ(page.get("/v1/me").json("/queues/0"), "mail");
    EXPECT_FALSE(page.get("/v1/me").json("/queues/1"));
    for (const std::string& job : {mail.job, mail.item}) {
        EXPECT_EQ(page.get("/v1/jobs/" + job).json("/id"), job);
        EXPECT_EQ(page.get("/v1/poll?wait=0&topic=job/" + job).json("/events/0/data/job/id"), job);
    }
    EXPECT_EQ(page.get("/v1/batches/" + mail.batch).json("/counts/queued"), "1");
    EXPECT_EQ(page.get("/v1/batches/" + mail.batch + "/items").json("/items/0/key"), "a");
    EXPECT_EQ(page.get("/v1/poll?wait=0&topic=batch/" + mail.batch).json("/events/0/data/batch/id"), mail.batch);
    for (const std::string& path :
         std::vector<std::string>{"/v1/jobs/" + other.job, "/v1/jobs/" + other.item, "/v1/batches/" + other.batch,
                                  "/v1/batches/" + other.batch + "/items", "/v1/poll?wait=0&topic=job/" + other.job,
                                  "/v1/poll?wait=0&topic=batch/" + other.batch, "/v1/data/rates",
                                  "/v1/poll?wait=0&topic=data/rates", "/v1/poll?wait=0&topic=data/rates/*"})
        EXPECT_EQ(page.get(path).status, 404) << path;
    for (const std::string& path :
         std::vector<std::string>{"/v1/jobs?queue=mail", "/v1/batches", "/v1/queues/mail",
                                  "/v1/poll?wait=0&topic=jobs/mail", "/v1/poll?wait=0&topic=batches"})
        EXPECT_EQ(page.get(path).status, 403) << path;
    EXPECT_EQ(page.post("/v1/jobs/" + mail.job + "/cancel", json, "{}").status, 403) << "it is a viewer";
    EXPECT_EQ(page.post("/v1/batches/" + mail.batch + "/cancel", json, "{}").status, 403);

    // What an open stream did not have, it is given by the same rule.
    EventStream stream{server.url(), "/v1/stream?topic=job/" + mail.job, *answer.json("/token")};
    const auto hello = stream.next_where([](const StreamEvent& event) { return event.event == "hello"; });
    ASSERT_TRUE(hello);
    const std::string change = "/v1/streams/" + hello->json("/stream").value_or("?");
    const auto add = [&](const std::string& topic) {
        return page.ask("PATCH", change, json, fmt::format(R"({{"add":["{}"]}})", topic)).status;
    };
    EXPECT_EQ(add("batch/" + mail.batch), 200);
    EXPECT_EQ(add("batch/" + other.batch), 404);
    EXPECT_EQ(add("jobs/mail"), 403);

    EXPECT_EQ(server.run({"token", "revoke", "site"}).first, 0);
    EXPECT_EQ(page.get("/v1/jobs/" + mail.job).status, 401);
}

TEST(Tokens, ThatAreShortNameWhatTheyAreFor)
{
    Upstream upstream;
    Server server{one_source(upstream)};
    Client maker = server.client(made(server, R"({"name": "site", "role": "operator"})"));
    const std::string long_name(129, 'q');
    const std::vector<std::pair<std::string, std::string>> refused{
        {R"({})", "sources and queues are missing"},
        {R"({"queues": []})", "sources and queues are missing"},
        {R"({"queues": "mail"})", "queues takes a list"},
        {R"({"queues": [1]})", "queues takes a list"},
        {R"({"queues": [""]})", "1 to 128 bytes"},
        {fmt::format(R"({{"queues": ["{}"]}})", long_name), "1 to 128 bytes"},
        {R"({"queues": ["a\nb"]})", "1 to 128 bytes"},
        {R"({"queues": ["mail"], "refresh": true})", "refresh is for sources"},
        {R"({"batches": ["b_1"]})", "sources, queues, refresh and ttl are"},
    };
    for (const auto& [body, words] : refused) {
        const Answer answer = maker.post("/v1/tokens/short", {{"Content-Type", "application/json"}}, body);
        EXPECT_EQ(answer.status, 400) << body << answer.body;
        EXPECT_THAT(answer.body, HasSubstr(words)) << body;
    }
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
