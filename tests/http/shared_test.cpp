// SPDX-License-Identifier: Apache-2.0
// A source with shared = true from outside: one copy and one request to the source for all tenants that list it,
// streams and polls that resume over two ledgers, limits of each tenant's own, and no word of who asked.
#include "tests/http/harness.hpp"

#include "tests/http/event_stream.hpp"
#include "tests/http/upstream.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

namespace freshet::outside {
namespace {

using testing::HasSubstr;
using testing::Not;

const Headers json{{"Content-Type", "application/json"}};

std::string source(const Upstream& upstream, const std::string& name, const std::string& more = "")
{
    return fmt::format("[source.{}]\nkind = \"http\"\nurl = \"{}/{}\"\nallow_private = true\n{}\n", name,
                       upstream.url(), name, more);
}

struct SharedSource : testing::Test {
    Upstream upstream;
    std::unique_ptr<Server> server;
    std::string acme, blue, coral; ///< tokens: the first two list what is shared

    std::string config(const std::string& more, const std::string& acme_limits) const
    {
        return source(upstream, "rates", "shared = true\n" + more) + source(upstream, "own") +
               "[tenant.acme]\nsources = [\"rates\", \"own\"]\n" + acme_limits +
               "[tenant.blue]\nsources = [\"rates\"]\n[tenant.coral]\nsources = [\"own\"]\n";
    }
    void start(const std::string& more = "", const std::string& acme_limits = "")
    {
        upstream.set("/rates", "[1]");
        upstream.set("/own", "[7]");
        server = std::make_unique<Server>(config(more, acme_limits));
        acme = made("alice", "acme"), blue = made("bob", "blue"), coral = made("cora", "coral");
    }
    std::string made(const std::string& name, const std::string& tenant) const
    {
        const Answer answer = all().post(
            "/v1/tokens", json, fmt::format(R"({{"name": "{}", "tenant": "{}", "role": "operator"}})", name, tenant));
        EXPECT_EQ(answer.status, 201) << answer.body;
        return answer.json("/token").value_or("");
    }
    Client all() const { return server->client(server->local_token()); }
    Client of(const std::string& token) const { return server->client(token); }
};

bool is_change(const StreamEvent& event, const std::string& gen)
{
    return event.event == "change" && event.json("/meta/gen") == gen;
}

TEST_F(SharedSource, F5TwoTenantsThatPressAtOnceMakeOneRequestAndBothSeeItEnd)
{
    start();
    upstream.hold("/rates");
    EventStream stream{server->url(), "/v1/stream?topic=data/rates", blue};
    ASSERT_TRUE(stream.next_where([](const StreamEvent& event) { return event.event == "live"; }));
    const Answer first = of(acme).post("/v1/data/rates/refresh");
    ASSERT_EQ(first.status, 202) << first.body;
    ASSERT_TRUE(upstream.await_requests("/rates", 1));
    // The flight began before blue's click: the one that answers it waits behind, and acme's second click joins that.
    const Answer second = of(blue).post("/v1/data/rates/refresh"), third = of(acme).post("/v1/data/rates/refresh");
    ASSERT_EQ(second.status, 202) << second.body;
    EXPECT_EQ(second.json("/id"), third.json("/id"));
    EXPECT_TRUE(stream.next_where([](const StreamEvent& event) { return event.json("/meta/refresh/id").has_value(); }))
        << "blue sees that a refresh runs";
    upstream.release("/rates");
    ASSERT_TRUE(stream.next_where([](const StreamEvent& event) { return is_change(event, "2"); }));
    EXPECT_EQ(upstream.requests("/rates"), 2U);
    for (const std::string& token : {acme, blue}) {
        const Answer read = of(token).get("/v1/data/rates");
        EXPECT_EQ(read.status, 200);
        EXPECT_EQ(read.freshet("gen"), "2");
        EXPECT_EQ(of(token).get("/v1/jobs/" + first.json("/id").value_or("?")).json("/outcome"), "updated");
    }
}

TEST_F(SharedSource, IsReadByEveryTenantThatListsItAndByNoOther)
{
    start();
    ASSERT_EQ(of(acme).refresh("rates").status, 200);
    for (int i = 0; i < 3; ++i) { // the second read of a connection goes by the short way
        Client reader = of(blue);
        EXPECT_EQ(reader.get("/v1/data/rates").body, "[1]");
        EXPECT_EQ(reader.get("/v1/data/rates").body, "[1]");
    }
    EXPECT_EQ(upstream.requests("/rates"), 1U);
    Client stranger = of(coral);
    const std::string job = of(acme).get("/v1/jobs").json("/items/0/id").value_or("?");
    for (const std::string& path : std::vector<std::string>{
             "/v1/data/rates", "/v1/data/rates", "/v1/data/rates/versions", "/v1/explain/rates",
             "/v1/stream?topic=data/rates", "/v1/poll?topic=data/rates/*", "/v1/poll?topic=job/" + job,
             "/v1/jobs/" + job, "/v1/jobs/" + job + "/attempts", "/v1/jobs/" + job + "/events", "/v1/queues/rates"})
        EXPECT_EQ(stranger.get(path).status, 404) << path;
    EXPECT_EQ(stranger.refresh("rates").status, 404);
    for (const std::string verb : {"cancel", "retry", "run", "adopt"})
        EXPECT_EQ(stranger.post("/v1/jobs/" + job + "/" + verb).status, 404) << verb;
    // In the words that a key gets whose source does not exist.
    std::string missing = stranger.get("/v1/data/ratez").body, hidden = stranger.get("/v1/data/rates").body;
    EXPECT_THAT(hidden, HasSubstr("unknown_key"));
    EXPECT_THAT(stranger.get("/v1/freshness").body, Not(HasSubstr("rates")));
    EXPECT_THAT(stranger.get("/v1/jobs").body, Not(HasSubstr("rates")));
    EXPECT_THAT(stranger.get("/v1/queues").body, Not(HasSubstr("rates")));
}

TEST_F(SharedSource, F9IsChargedToTheTenantThatAskedAndBlocksNoOther)
{
    start("", "limits = { refreshes = \"1/h\" }\n");
    ASSERT_EQ(of(acme).refresh("rates").status, 200);
    const Answer limited = of(acme).refresh("rates");
    EXPECT_EQ(limited.status, 429) << limited.body;
    EXPECT_EQ(of(acme).refresh("own").status, 429) << "it counts over all its sources";
    EXPECT_EQ(of(blue).refresh("rates").status, 200);
}

TEST_F(SharedSource, F9NeverSaysWhoAsked)
{
    start();
    EventStream stream{server->url(), "/v1/stream?topic=data/rates&topic=jobs/rates&topic=freshness", blue};
    ASSERT_TRUE(stream.next_where([](const StreamEvent& event) { return event.event == "live"; }));
    ASSERT_EQ(of(acme).refresh("rates").status, 200);
    std::string told;
    ASSERT_TRUE(stream.next_where([&](const StreamEvent& event) {
        told += event.data;
        return is_change(event, "1");
    }));
    while (const auto event = stream.next(Millis{600})) told += event->data;
    Client other = of(blue);
    const std::string job = other.get("/v1/jobs").json("/items/0/id").value_or("?");
    for (const std::string& path : std::vector<std::string>{
             "/v1/jobs", "/v1/jobs/" + job, "/v1/jobs/" + job + "/attempts", "/v1/jobs/" + job + "/events",
             "/v1/freshness", "/v1/data/rates?envelope=1", "/v1/explain/rates", "/v1/queues", "/v1/schedules"}) {
        const Answer answer = other.get(path);
        EXPECT_EQ(answer.status, 200) << path << " " << answer.body;
        told += answer.body;
    }
    EXPECT_THAT(told, Not(HasSubstr("alice")));
    EXPECT_THAT(told, Not(HasSubstr("acme")));
    EXPECT_THAT(told, HasSubstr("\"*shared\""));
}

TEST_F(SharedSource, StreamsGoOnWhereTheyWereCutInBothLedgers)
{
    start();
    ASSERT_EQ(of(acme).refresh("rates").status, 200);
    ASSERT_EQ(of(acme).refresh("own").status, 200);
    const std::string topics = "/v1/stream?topic=data/rates&topic=data/own";
    std::string last;
    {
        EventStream stream{server->url(), topics, acme};
        ASSERT_TRUE(stream.next_where([](const StreamEvent& event) { return event.event == "live"; }));
        ASSERT_EQ(of(acme).refresh("own").status, 200);
        const auto own = stream.next_where([](const StreamEvent& event) { return is_change(event, "2"); });
        ASSERT_TRUE(own);
        last = own->id;
        EXPECT_THAT(last, HasSubstr("."));
    }
    upstream.set("/rates", "[2]");
    upstream.set("/own", "[8]");
    ASSERT_EQ(of(blue).refresh("rates").status, 200);
    ASSERT_EQ(of(acme).refresh("own").status, 200);
    EventStream again{server->url(), topics, acme, last};
    const auto hello = again.next();
    ASSERT_TRUE(hello);
    EXPECT_EQ(hello->json("/resume"), "ok") << hello->data;
    std::vector<std::string> told;
    std::string id = last;
    while (told.size() < 2) {
        const auto event = again.next();
        ASSERT_TRUE(event) << testing::PrintToString(told);
        if (event->event == "change" && event->json("/outcome").has_value())
            told.push_back(event->json("/topic").value_or("") + " " + event->json("/meta/gen").value_or(""));
        EXPECT_NE(event->event, "reset");
        if (!event->id.empty()) id = event->id;
    }
    EXPECT_THAT(told, testing::UnorderedElementsAre("data/own 3", "data/rates 2"));
    EventStream third{server->url(), topics, acme, id};
    const auto good = third.next();
    ASSERT_TRUE(good);
    EXPECT_EQ(good->json("/resume"), "ok");
    EXPECT_FALSE(third.next_where([](const StreamEvent& event) { return event.event == "change"; }, Millis{500}))
        << "nothing is told twice";
}

TEST_F(SharedSource, PollsTellEachChangeOnceAndWaitForTheNext)
{
    start();
    ASSERT_EQ(of(acme).refresh("rates").status, 200);
    Client reader = of(blue);
    const Answer first = reader.get("/v1/poll?topic=data/rates");
    ASSERT_EQ(first.status, 200) << first.body;
    const std::string cursor = first.json("/cursor").value_or("?");
    const Answer none = reader.get("/v1/poll?topic=data/rates&cursor=" + cursor, {{"Prefer", "wait=1"}});
    EXPECT_EQ(none.json("/resume"), "ok") << none.body;
    EXPECT_FALSE(none.json("/events/0/event").has_value()) << none.body;
    ASSERT_EQ(of(acme).refresh("rates").status, 200);
    const Answer next = reader.get("/v1/poll?topic=data/rates&cursor=" + none.json("/cursor").value_or("?"));
    EXPECT_EQ(next.json("/resume"), "ok");
    EXPECT_THAT(next.body, HasSubstr("\"gen\":2"));
    // A list opens a poll without a gap, too.
    const Answer rows = reader.get("/v1/freshness");
    EXPECT_EQ(rows.json("/items/0/key"), "rates") << rows.body;
    ASSERT_EQ(of(acme).refresh("rates").status, 200);
    const Answer row = reader.get("/v1/poll?topic=freshness&cursor=" + rows.json("/cursor").value_or("?"));
    EXPECT_EQ(row.json("/resume"), "ok") << row.body;
    EXPECT_THAT(row.body, HasSubstr("\"gen\":3"));
}

TEST_F(SharedSource, IsChangedForAllByATokenOfAllOnly)
{
    start();
    ASSERT_EQ(of(acme).refresh("rates").status, 200);
    const std::string job = of(acme).get("/v1/jobs").json("/items/0/id").value_or("?");
    Client one = of(acme);
    const std::vector<std::pair<std::string, std::string>> verbs{{"DELETE", "/v1/data/rates"},
                                                                 {"POST", "/v1/data/rates/held/accept"},
                                                                 {"POST", "/v1/data/rates/held/discard"},
                                                                 {"POST", "/v1/sources/rates/pause"},
                                                                 {"POST", "/v1/sources/rates/resume"},
                                                                 {"POST", "/v1/queues/rates/pause"},
                                                                 {"POST", "/v1/jobs/" + job + "/cancel"},
                                                                 {"POST", "/v1/jobs/" + job + "/retry"},
                                                                 {"POST", "/v1/jobs/" + job + "/run"},
                                                                 {"POST", "/v1/jobs/" + job + "/adopt"}};
    for (const auto& [method, path] : verbs) {
        const Answer refused = one.ask(method, path);
        EXPECT_EQ(refused.status, 403) << method << " " << path << " " << refused.body;
        EXPECT_THAT(refused.body, HasSubstr("token of all tenants")) << path;
    }
    EXPECT_EQ(one.post("/v1/purge", json, R"({"keys": ["rates"]})").status, 403);
    EXPECT_EQ(of(blue).get("/v1/data/rates").body, "[1]");

    EXPECT_EQ(all().get("/v1/data/rates").body, "[1]") << "one copy: no tenant has to be named";
    EXPECT_EQ(all().post("/v1/sources/rates/pause").status, 200);
    EXPECT_EQ(of(blue).get("/v1/freshness").json("/items/0/paused"), "true");
    EXPECT_EQ(all().post("/v1/sources/rates/resume?tenant=acme").status, 200);
    EXPECT_EQ(all().get("/v1/freshness").json("/items/0/tenant"), "*shared");
    EXPECT_EQ(all().get("/v1/jobs?tenant=*shared").json("/items/0/id"), job);
    EXPECT_EQ(all().ask("DELETE", "/v1/data/rates").status, 200);
    EXPECT_EQ(of(blue).get("/v1/freshness").json("/items/0/state"), "empty");
    EXPECT_THAT(all().get("/v1/audit").body, HasSubstr("purge"));
    EXPECT_THAT(of(made("ada", "acme")).get("/v1/freshness?tenant=*shared").body, HasSubstr("Not your tenant"));
}

TEST_F(SharedSource, BecomesSharedUnderOpenStreamsWithoutGoingBack)
{
    upstream.set("/rates", "[1]");
    upstream.set("/own", "[7]");
    const std::string shared = config("", "");
    std::string apart = shared;
    apart.replace(apart.find("shared = true"), 13, "");
    server = std::make_unique<Server>(apart);
    acme = made("alice", "acme");
    ASSERT_EQ(of(acme).refresh("rates").status, 200);
    ASSERT_EQ(of(acme).refresh("rates").status, 200);
    EventStream stream{server->url(), "/v1/stream?topic=data/rates", acme};
    ASSERT_TRUE(stream.next_where([](const StreamEvent& event) { return event.event == "live"; }));
    server->write_config(shared);
    const auto reset = stream.next_where([](const StreamEvent& event) { return event.event == "reset"; });
    ASSERT_TRUE(reset);
    EXPECT_EQ(reset->json("/reason"), "config");
    ASSERT_TRUE(stream.next_where([](const StreamEvent& event) { return event.event == "live"; }));
    const Answer after = of(acme).refresh("rates");
    EXPECT_EQ(after.status, 200) << after.body;
    EXPECT_EQ(after.freshet("gen"), "3");
    EXPECT_TRUE(stream.next_where([](const StreamEvent& event) { return is_change(event, "3"); }));
}

} // namespace
} // namespace freshet::outside
