// SPDX-License-Identifier: Apache-2.0
#include "http/gate.hpp"
#include "http/request_limits.hpp"
#include "http/test_world.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <simdjson.h>

namespace freshet::http {
namespace {

using testing::HasSubstr;

std::string member(const std::string& json, std::string_view pointer)
{
    simdjson::dom::parser parser;
    std::string_view text;
    if (parser.parse(json).at_pointer(pointer).get(text) != simdjson::SUCCESS) return "";
    return std::string{text};
}

std::string as(const std::string& token)
{
    return "Authorization: Bearer " + token + "\r\n";
}

struct Access : testing::Test {
    Access()
    {
        world.routes = all_routes();
        world.local_token = "cli-token";
    }
    TokenRecord record(const std::string& name, Role role = Role::viewer)
    {
        TokenRecord made;
        made.name = name;
        made.tenant = "default";
        made.role = role;
        made.sha256 = sha256_hex(name + "-secret");
        made.made_at = world.clock.wall();
        return made;
    }
    void tell_tokens(std::vector<TokenRecord> tokens)
    {
        auto made = world.notice();
        made->tokens = std::make_shared<const std::vector<TokenRecord>>(std::move(tokens));
        world.tail.publish(std::move(made));
    }
    // Everything up to `text`, or until nothing comes any more.
    static std::string until(RawClient& client, std::string_view text)
    {
        while (client.buffer().find(text) == std::string::npos)
            if (!client.fill()) break;
        return client.buffer();
    }
    // Opens a stream and answers the engine's fence, with which the hub learns where the ledger stands.
    std::unique_ptr<RawClient> stream(const std::string& target, const std::string& headers)
    {
        auto client = std::make_unique<RawClient>(world.port());
        client->send("GET " + target + " HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n");
        while (client->buffer().find("event: hello") == std::string::npos && !client->readable_within(50ms)) {
            if (world.engine.posted() == 0) continue;
            auto posted = world.engine.next();
            world.reply(posted, std::unexpected(Refused{Refusal::not_found, "", {}, {}, 0, Millis{0}}));
        }
        EXPECT_THAT(until(*client, "event: hello"), HasSubstr("event: hello"));
        return client;
    }
    World world;
};

TEST_F(Access, ShowsATokenOnceAndGivesTheEngineItsHashOnly)
{
    world.start();
    RawClient client{world.port()};
    std::thread engine{[&] {
        auto posted = world.engine.next();
        const auto& put = std::get<PutToken>(posted.request);
        EXPECT_EQ(put.token.name, "page");
        EXPECT_EQ(put.token.tenant, "default");
        EXPECT_EQ(put.caller, "local");
        EXPECT_EQ(put.token.expires_at, world.clock.wall() + 1h);
        TokenRecord kept = put.token;
        kept.made_by = put.caller;
        tell_tokens({kept});
        world.reply(posted, Answer{Done{}});
    }};
    const Answered made =
        client.ask("POST", "/v1/tokens", "", R"({"name": "page", "role": "viewer", "expires_in": "1h"})");
    engine.join();
    ASSERT_EQ(made.status, 201) << made.body;
    EXPECT_EQ(made.header("cache-control"), "no-store");
    EXPECT_EQ(made.header("location"), "/v1/tokens/page");
    const std::string token = member(made.body, "/token");
    EXPECT_TRUE(token.starts_with("fsh_") && token.size() == 68) << token;
    // The door that needs no token is closed, and the new token and the command line's open theirs.
    EXPECT_EQ(client.get("/v1/me").status, 401);
    const Answered me = client.get("/v1/me", as(token));
    EXPECT_EQ(member(me.body, "/name"), "page");
    EXPECT_EQ(member(me.body, "/expires_at"), to_rfc3339(world.clock.wall() + 1h));
    const Answered list = client.get("/v1/tokens", as("cli-token"));
    EXPECT_EQ(member(list.body, "/items/0/name"), "page");
    EXPECT_EQ(list.body.find(sha256_hex(token)), std::string::npos);
    EXPECT_EQ(client.get("/v1/tokens", as(token)).status, 403);
}

TEST_F(Access, TellsAReaderOfTheConsolesThatTheConfigNames)
{
    world.definitions->server.consoles = {{"live", "https://fresh.example.org/console/"},
                                          {"trial", "http://127.0.0.1:7900/console/"}};
    world.start();
    RawClient client{world.port()};
    const Answered me = client.get("/v1/me", as("cli-token"));
    EXPECT_EQ(member(me.body, "/consoles/0/name"), "live");
    EXPECT_EQ(member(me.body, "/consoles/0/url"), "https://fresh.example.org/console/");
    EXPECT_EQ(member(me.body, "/consoles/1/name"), "trial");
}

TEST_F(Access, RefusesWhatATokenMayNotBe)
{
    world.definitions->tokens["op"] = {"op", "default", Role::operator_, false, sha256_hex("op-secret")};
    world.definitions->tokens["boss"] = {"boss", "default", Role::admin, false, sha256_hex("boss-secret")};
    world.start();
    RawClient client{world.port()};
    for (const char* body :
         {"[]", "{}", R"({"name": "x"})", R"({"name": "X Y", "role": "viewer"})",
          R"({"name": "a~b", "role": "viewer"})", R"({"name": "cli", "role": "viewer"})",
          R"({"name": "x", "role": "king"})", R"({"name": "x", "role": "worker", "refresh": true})",
          R"({"name": "x", "role": "viewer", "expires_in": "0s"})",
          R"({"name": "x", "role": "viewer", "expires_in": -1})", R"({"name": "x", "role": "viewer", "more": 1})"})
        EXPECT_EQ(client.ask("POST", "/v1/tokens", as("boss-secret"), body).status, 400) << body;
    EXPECT_EQ(
        client.ask("POST", "/v1/tokens", as("boss-secret"), R"({"name":"x","role":"viewer","tenant":"*"})").status,
        403);
    EXPECT_EQ(client.ask("POST", "/v1/tokens", as("op-secret"), R"({"name":"x","role":"viewer"})").status, 403);
    EXPECT_EQ(world.engine.posted(), 0u);
}

TEST_F(Access, EndsARevokedTokenOnAConnectionThatWasServedFromTheCache)
{
    world.start();
    world.publish("prices", "[1]");
    tell_tokens({record("page")});
    RawClient client{world.port()};
    for (int i = 0; i < 3; ++i) EXPECT_EQ(client.get("/v1/data/prices", as("page-secret")).status, 200);
    tell_tokens({});
    EXPECT_EQ(client.get("/v1/data/prices", as("page-secret")).status, 401);
}

TEST_F(Access, EndsAnExpiredTokenOnAConnectionThatWasServedFromTheCache)
{
    world.start();
    world.publish("prices", "[1]");
    TokenRecord page = record("page");
    page.expires_at = world.clock.wall() + 10s;
    tell_tokens({page});
    RawClient client{world.port()};
    for (int i = 0; i < 3; ++i) EXPECT_EQ(client.get("/v1/data/prices", as("page-secret")).status, 200);
    world.advance(11s);
    std::this_thread::yield();
    Answered answer;
    for (int i = 0; i < 100 && answer.status != 401; ++i) answer = client.get("/v1/data/prices", as("page-secret"));
    EXPECT_EQ(answer.status, 401);
    EXPECT_THAT(answer.body, HasSubstr("token_expired"));
}

TEST_F(Access, SaysGoodbyeToTheStreamsOfARevokedTokenAndToNoOthers)
{
    world.start();
    world.publish("prices", "[1]");
    tell_tokens({record("page"), record("other")});
    const auto gone = stream("/v1/stream?topic=data/prices", as("page-secret"));
    const auto stays = stream("/v1/stream?topic=data/prices", as("other-secret"));
    until(*stays, "event: live");
    tell_tokens({record("other")});
    EXPECT_THAT(until(*gone, "token_revoked"), HasSubstr(R"("reason":"token_revoked")"));
    EXPECT_TRUE(gone->closed());
    world.publish("prices", "[1,2]");
    EXPECT_THAT(until(*stays, "event: change"), HasSubstr("event: change"));
}

TEST_F(Access, TellsAStreamOfItsTokensEndAMinuteBeforeAndThenEndsIt)
{
    world.start();
    world.publish("prices", "[1]");
    TokenRecord page = record("page");
    page.expires_at = world.clock.wall() + 10min;
    tell_tokens({page});
    const auto client = stream("/v1/stream?topic=data/prices", as("page-secret"));
    until(*client, "event: live");
    world.advance(8min);
    world.advance(61s);
    EXPECT_THAT(until(*client, "event: auth"), HasSubstr(to_rfc3339(*page.expires_at)));
    EXPECT_EQ(client->buffer().find("goodbye"), std::string::npos);
    // The beat that told it is over, and the next one set, once the loop has answered somebody else.
    until(*client, "event: beat");
    RawClient{world.port()}.get("/v1/nothing");
    world.advance(60s);
    EXPECT_THAT(until(*client, "token_expired"), HasSubstr(R"("reason":"token_expired")"));
    EXPECT_TRUE(client->closed());
}

TEST_F(Access, LetsATicketOpenOneStreamAndReopenIt)
{
    world.start();
    world.publish("prices", "[1]");
    tell_tokens({record("page")});
    RawClient client{world.port()};
    const Answered made = client.ask("POST", "/v1/stream-tickets", as("page-secret") + "Content-Length: 0\r\n");
    ASSERT_EQ(made.status, 201) << made.body;
    const std::string url = "/v1/stream?topic=data/prices&ticket=" + member(made.body, "/ticket");
    const auto first = stream(url, "");
    EXPECT_THAT(client.get("/v1/stream?topic=freshness&ticket=" + member(made.body, "/ticket")).body,
                HasSubstr("ticket_used"));
    EXPECT_EQ(client.get("/v1/me?ticket=" + member(made.body, "/ticket")).status, 401); // of streams only
    world.advance(31s);
    EXPECT_THAT(client.get(url).body, HasSubstr("ticket_late"));
    const auto again = stream(url, "Last-Event-ID: 1:1\r\n");
    EXPECT_THAT(until(*first, "reopened"), HasSubstr(R"("reason":"reopened")"));
    tell_tokens({});
    EXPECT_THAT(until(*again, "token_revoked"), HasSubstr("token_revoked"));
    EXPECT_THAT(client.get(url, "Last-Event-ID: 1:1\r\n").body, HasSubstr("ticket_unknown"));
}

TEST_F(Access, KeepsATokenOfSomeSourcesToThem)
{
    world.start();
    world.publish("prices", "[1]");
    world.publish("region/eu", "[2]");
    TokenRecord page = record("page");
    TokenRecord made = record("page~1");
    made.scope.sources = {"prices"};
    tell_tokens({page, made});
    RawClient client{world.port()};
    const std::string limited = as("page~1-secret");
    for (int i = 0; i < 2; ++i) {
        EXPECT_EQ(client.get("/v1/data/prices", limited).status, 200);
        EXPECT_EQ(client.get("/v1/data/region/eu", limited).status, 404);
    }
    EXPECT_EQ(client.get("/v1/data/region/eu", as("page-secret")).status, 200);
    EXPECT_EQ(client.get("/v1/freshness", limited).status, 403);
    EXPECT_EQ(client.get("/v1/poll?topic=data/region/eu", limited).status, 404);
    EXPECT_EQ(client.get("/v1/poll?topic=freshness", limited).status, 403);
    // Who made it is gone: so is what was made.
    tell_tokens({made});
    EXPECT_EQ(client.get("/v1/data/prices", limited).status, 401);
}

TEST_F(Access, AnswersTooManyRequestsWithTheLimitAndWhenToComeAgain)
{
    world.definitions->server.requests = {5, 1min};
    world.start();
    world.publish("prices", "[1]");
    RawClient client{world.port()};
    for (int i = 0; i < 5; ++i) EXPECT_EQ(client.get("/v1/data/prices").status, 200) << i;
    const Answered answer = client.get("/v1/data/prices");
    EXPECT_EQ(answer.status, 429);
    EXPECT_EQ(answer.header("ratelimit-policy"), R"("requests";q=5;w=60)");
    EXPECT_EQ(answer.header("ratelimit"), R"("requests";r=0;t=12)");
    EXPECT_EQ(answer.header("retry-after"), "12");
    RawClient same_peer{world.port()};
    EXPECT_EQ(same_peer.get("/v1/data/prices").status, 429);
    world.advance(12s);
    EXPECT_EQ(client.get("/v1/data/prices").status, 200);
    EXPECT_EQ(client.get("/v1/data/prices").status, 429);
}

TEST_F(Access, BoundsTheStreamsOfATenant)
{
    TenantDefinition tenant;
    tenant.name = "default";
    tenant.limits.streams = 1;
    world.definitions->tenants["default"] = tenant;
    world.start();
    world.publish("prices", "[1]");
    RawClient client{world.port()};
    {
        const auto one = stream("/v1/stream?topic=data/prices", "");
        const Answered refused = client.get("/v1/stream?topic=data/prices");
        EXPECT_EQ(refused.status, 429);
        EXPECT_THAT(refused.body, HasSubstr("limits.streams"));
        EXPECT_EQ(client.get("/v1/poll?topic=data/prices").status, 429);
        // EventSource would give up for good on anything but 200.
        RawClient browser{world.port()};
        browser.send(
            "GET /v1/stream?topic=data/prices HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n");
        EXPECT_THAT(until(browser, "streams_full"), HasSubstr("event: goodbye"));
    }
    Answered poll;
    for (int i = 0; i < 200 && poll.status != 200; ++i) poll = client.get("/v1/poll?topic=data/prices&wait=0");
    EXPECT_EQ(poll.status, 200);
}

TEST_F(Access, EchoesAListedOriginOnEveryKindOfAnswer)
{
    world.definitions->server.origins = {"https://app.example"};
    world.start();
    world.publish("prices", "[1]");
    RawClient client{world.port()};
    const std::string origin = "Origin: https://app.example\r\n";
    const Answered whole = client.get("/v1/data/prices", origin);
    const Answered same = client.get("/v1/data/prices", origin + "If-None-Match: " + whole.header("etag") + "\r\n");
    const Answered problem = client.get("/v1/data/nothing", origin);
    EXPECT_EQ(same.status, 304);
    EXPECT_EQ(problem.status, 404);
    const auto open = stream("/v1/stream?topic=data/prices", origin);
    EXPECT_THAT(open->buffer(), HasSubstr("Access-Control-Allow-Origin: https://app.example"));
    for (const Answered& answer : {whole, same, problem}) {
        EXPECT_EQ(answer.header("access-control-allow-origin"), "https://app.example");
        EXPECT_EQ(answer.header("access-control-allow-credentials"), "");
        EXPECT_EQ(answer.header("access-control-expose-headers"),
                  "Age, Date, ETag, Freshet, Cache-Status, Link, Location, Retry-After, Preference-Applied, RateLimit, "
                  "RateLimit-Policy");
        EXPECT_THAT(answer.header("vary"), HasSubstr("Origin"));
    }
    const Answered foreign = client.get("/v1/data/prices", "Origin: https://evil.example\r\n");
    EXPECT_EQ(foreign.header("access-control-allow-origin"), "");
    const std::string preflight = "Access-Control-Request-Method: POST\r\n";
    EXPECT_EQ(client.ask("OPTIONS", "/v1/data/prices/refresh", origin + preflight).status, 204);
    EXPECT_EQ(client.ask("OPTIONS", "/v1/data/prices/refresh", "Origin: https://evil.example\r\n" + preflight).status,
              403);
    for (const char* evil : {"Origin: https://evil.example\r\n", "Sec-Fetch-Site: cross-site\r\n",
                             "Sec-Fetch-Site: same-site\r\n", "Origin: null\r\n"})
        EXPECT_EQ(RawClient{world.port()}.ask("POST", "/v1/tokens", evil, R"({"name": "x", "role": "admin"})").status,
                  403)
            << evil;
    EXPECT_EQ(world.engine.posted(), 0u);
}

TEST(Allowance, IsFullAtFirstAndFillsUpEvenly)
{
    Allowance allowance{{3, 30s}};
    const SteadyTime begin{1h};
    for (int i = 0; i < 3; ++i) EXPECT_FALSE(allowance.take(begin).has_value());
    EXPECT_EQ(allowance.take(begin), 10s);
    EXPECT_EQ(allowance.take(begin + 4s), 6s);
    EXPECT_FALSE(allowance.take(begin + 10s).has_value());
    EXPECT_TRUE(allowance.take(begin + 10s).has_value());
    EXPECT_EQ(allowance.left(begin + 30s), 2);
    EXPECT_TRUE(allowance.full(begin + 40s));
}

} // namespace
} // namespace freshet::http
