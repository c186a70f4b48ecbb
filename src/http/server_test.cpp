// SPDX-License-Identifier: Apache-2.0
// The server from outside, over real sockets: what HTTP itself asks for, limits, who may speak, and the reading of
// keys.
#include "http/test_world.hpp"

#include <fmt/format.h>
#include <zstd.h>

namespace freshet::http {

namespace {

TEST(Server, AnswersAKeyWithItsMetadata)
{
    World world;
    world.start();
    world.publish("prices", R"([{"id":1}])");
    world.clock.advance(12s);
    RawClient client{world.port()};
    for (int i = 0; i < 3; ++i) { // from the store, then prepared
        const Answered answer = client.get("/v1/data/prices");
        EXPECT_EQ(answer.status, 200);
        EXPECT_EQ(answer.body, R"([{"id":1}])");
        EXPECT_EQ(answer.header("content-type"), "application/json");
        EXPECT_EQ(answer.header("age"), "12");
        EXPECT_EQ(answer.freshet("state"), "fresh");
        EXPECT_EQ(answer.freshet("gen"), "1");
        EXPECT_EQ(answer.freshet("refresh"), "idle");
        EXPECT_EQ(answer.header("cache-control"), "private, no-cache");
        EXPECT_EQ(answer.header("cache-status"), "freshet; hit; ttl=48");
        EXPECT_EQ(answer.header("vary"), "Authorization, Cookie, Accept-Encoding");
        EXPECT_TRUE(answer.header("etag").starts_with("\"v1-"));
    }
}

TEST(Server, AnswersNotModifiedToItsOwnTagAlsoWithAProxysSuffix)
{
    World world;
    world.start();
    world.publish("prices", "[1]");
    RawClient client{world.port()};
    std::string tag = client.get("/v1/data/prices").header("etag");
    tag.pop_back();
    for (const std::string& sent : {tag + "\"", "W/" + tag + "\"", tag + "-gzip\"", tag + "--gzip\"",
                                    "\"other\", " + tag + "-br\"", std::string{"*"}}) {
        for (const std::string extra : {"", "Cache-Control: no-cache\r\n"}) {
            const Answered answer = client.get("/v1/data/prices", "If-None-Match: " + sent + "\r\n" + extra);
            EXPECT_EQ(answer.status, 304) << sent;
            EXPECT_EQ(answer.body, "");
            EXPECT_EQ(answer.freshet("gen"), "1");
        }
    }
    EXPECT_EQ(client.get("/v1/data/prices", "If-None-Match: " + tag + "-evil\"\r\n").status, 200);
}

TEST(Server, SaysTheSameOnThePreparedAndOnTheGeneralPath)
{
    World world;
    world.start();
    world.publish("prices", "[1]");
    RawClient client{world.port()};
    client.get("/v1/data/prices");
    const Answered prepared = client.get("/v1/data/prices");
    const Answered general = client.get("/v1/data/prices", "Connection: keep-alive\r\n");
    EXPECT_EQ(prepared.headers, general.headers);
}

TEST(Server, AnswersPipelinedRequestsInOrderAlsoWhenCutAnywhere)
{
    World world;
    world.start();
    world.publish("region/eu", "[\"eu\"]");
    world.publish("region/us", "[\"us\"]");
    const std::string three = "GET /v1/data/region/eu HTTP/1.1\r\nHost: localhost\r\n\r\n"
                              "GET /v1/data/region/us?envelope=0 HTTP/1.1\r\nHost: localhost\r\n\r\n"
                              "GET /v1/data/region/eu HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for (std::size_t cut = 0; cut < three.size(); cut += 7) {
        RawClient client{world.port()};
        client.send(three.substr(0, cut));
        client.send(three.substr(cut));
        EXPECT_EQ(client.read().body, "[\"eu\"]");
        EXPECT_EQ(client.read().body, "[\"us\"]");
        EXPECT_EQ(client.read().body, "[\"eu\"]");
    }
}

TEST(Server, SpeaksHttp10HeadAbsoluteFormAndClose)
{
    World world;
    world.start();
    world.publish("prices", "[1]");
    {
        RawClient client{world.port()};
        client.send("GET /v1/data/prices HTTP/1.0\r\nHost: localhost\r\n\r\n");
        EXPECT_EQ(client.read().body, "[1]");
        EXPECT_TRUE(client.closed());
    }
    {
        RawClient client{world.port()};
        client.send("GET http://127.0.0.1:9/v1/data/prices HTTP/1.1\r\nHost: evil.example\r\n\r\n");
        EXPECT_EQ(client.read().body, "[1]");
        const Answered head = client.ask("HEAD", "/v1/data/prices");
        EXPECT_EQ(head.status, 200);
        EXPECT_EQ(head.header("content-length"), "3");
        const Answered last = client.get("/v1/data/prices", "Connection: close\r\n");
        EXPECT_EQ(last.header("connection"), "close");
        EXPECT_TRUE(client.closed());
    }
}

TEST(Server, RefusesWhatItCanNotReadWithTheRightStatus)
{
    World world;
    world.start();
    const struct {
        const char* what;
        std::string sent;
        int status;
    } rows[] = {
        {"no HTTP", "hello\r\n\r\n", 400},
        {"no Host", "GET / HTTP/1.1\r\n\r\n", 400},
        {"two Hosts", "GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", 400},
        {"length and chunks",
         "POST /v1/purge HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        {"two lengths", "POST /v1/purge HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
         400},
        {"HTTP/2", "GET / HTTP/2.0\r\nHost: localhost\r\n\r\n", 505},
        {"long URL", "GET /" + std::string(9000, 'a') + " HTTP/1.1\r\nHost: localhost\r\n\r\n", 414},
        {"large head", "GET / HTTP/1.1\r\nHost: localhost\r\nX: " + std::string(17000, 'a') + "\r\n\r\n", 431},
        {"endless head", "GET / HTTP/1.1\r\nHost: localhost\r\nX: " + std::string(30000, 'a'), 431},
        {"large body",
         "POST /v1/purge HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: "
         "1048577\r\n\r\n",
         413},
        {"foreign name", "GET /v1/data/prices HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421},
        {"looks like loopback", "GET /v1/data/prices HTTP/1.1\r\nHost: 127.evil.example\r\n\r\n", 421},
        {"proxy request", "CONNECT example.com:443 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
    };
    for (const auto& row : rows) {
        RawClient client{world.port()};
        client.send(row.sent);
        const Answered answer = client.read();
        EXPECT_EQ(answer.status, row.status) << row.what;
        EXPECT_EQ(answer.header("content-type"), "application/problem+json") << row.what;
        EXPECT_EQ(answer.header("cache-control"), "no-store") << row.what;
    }
    RawClient client{world.port()};
    std::string many = "GET / HTTP/1.1\r\nHost: localhost\r\n";
    for (int i = 0; i < 101; ++i) many += fmt::format("X-{}: 1\r\n", i);
    client.send(many + "\r\n");
    EXPECT_EQ(client.read().status, 431);
}

TEST(Server, TellsASlowSenderAndDropsAnIdleConnection)
{
    World world;
    world.start();
    RawClient idle{world.port()}, slow{world.port()}, slow_body{world.port()};
    EXPECT_EQ(idle.get("/v1/nothing").status, 404);
    slow.send("GET /v1/data/prices HTTP/1.1\r\nHost:");
    slow_body.send("POST /v1/purge HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Type: "
                   "application/json\r\nContent-Length: 9\r\n\r\n");
    EXPECT_EQ(slow_body.read().status, 100);
    slow_body.send("{");
    EXPECT_EQ(idle.get("/v1/nothing").status, 404); // What was sent before is read by now.
    world.advance(11s);
    EXPECT_EQ(slow.read().status, 408);
    EXPECT_TRUE(slow.closed());
    world.advance(20s);
    EXPECT_EQ(slow_body.read().status, 408);
    world.advance(75s);
    EXPECT_TRUE(idle.closed());
}

TEST(Server, DropsAReaderThatTakesNothing)
{
    World world;
    world.start();
    world.publish("prices", "\"" + std::string(32 << 20, 'x') + "\"");
    RawClient client{world.port()};
    client.send("GET /v1/data/prices HTTP/1.1\r\nHost: localhost\r\n\r\n");
    RawClient other{world.port()};
    EXPECT_EQ(other.ask("HEAD", "/v1/data/prices").status, 200); // Its view is cached, so the first answer has begun.
    world.advance(1s);
    EXPECT_EQ(other.ask("HEAD", "/v1/data/prices").status, 200);
    world.advance(31s);
    EXPECT_TRUE(client.closed());
    EXPECT_LT(client.buffer().size(), std::size_t{32 << 20});
}

TEST(Server, RefusesMoreConnectionsThanAPeerMayHave)
{
    World world;
    world.definitions->server.connections_per_peer = 2;
    world.start();
    RawClient first{world.port()};
    EXPECT_EQ(first.get("/v1/nothing").status, 404);
    RawClient second{world.port()};
    EXPECT_EQ(second.get("/v1/nothing").status, 404);
    {
        RawClient third{world.port()};
        const Answered answer = third.read();
        EXPECT_EQ(answer.status, 503);
        EXPECT_NE(answer.body.find("connections_per_peer"), std::string::npos);
    }
    EXPECT_EQ(first.get("/v1/nothing").status, 404);
}

TEST(Server, SaysThatThePortIsTaken)
{
    World world;
    world.start();
    World second;
    second.services.emplace(
        Services{second.metrics, second.reads, "test", "0", second.clock.wall(), 1, {}, nullptr, 1.0});
    Server server{ServerOptions{fmt::format("127.0.0.1:{}", world.port()),
                                1,
                                second.clock,
                                second.engine,
                                second.tail,
                                *second.services,
                                second.definitions,
                                "",
                                {data_routes()},
                                nullptr,
                                1s}};
    try {
        server.start();
        FAIL() << "two servers share a port";
    } catch (const Failure& failure) {
        EXPECT_NE(std::string{failure.what()}.find("another program listens there"), std::string::npos);
    }
}

TEST(Server, MakesACodingOnceAndServesItFromThenOn)
{
    World world;
    world.start();
    const std::string json = "[" + std::string(5000, '1') + "]";
    world.publish("prices", json);
    RawClient client{world.port()};
    Answered answer;
    for (int i = 0; i < 2000 && answer.header("content-encoding").empty(); ++i)
        answer = client.get("/v1/data/prices", "Accept-Encoding: gzip;q=0.5, zstd\r\n");
    EXPECT_EQ(answer.header("content-encoding"), "zstd");
    EXPECT_TRUE(answer.header("etag").ends_with("-zstd\""));
    std::string plain(json.size(), '\0');
    EXPECT_EQ(ZSTD_decompress(plain.data(), plain.size(), answer.body.data(), answer.body.size()), json.size());
    EXPECT_EQ(plain, json);
    EXPECT_EQ(client.get("/v1/data/prices", "Accept-Encoding: identity\r\n").body, json);
    EXPECT_EQ(client.get("/v1/data/prices", "Accept-Encoding: zstd\r\nIf-None-Match: " + answer.header("etag") + "\r\n")
                  .status,
              304);
}

TEST(Server, GivesTheEnvelopeAndKnowsItsParameters)
{
    World world;
    world.start();
    world.publish("prices", "[1]");
    RawClient client{world.port()};
    const Answered answer = client.get("/v1/data/prices?envelope=1");
    EXPECT_EQ(answer.status, 200);
    EXPECT_TRUE(answer.body.starts_with("{\"meta\":{")) << answer.body;
    EXPECT_TRUE(answer.body.ends_with(",\"data\":[1]}")) << answer.body;
    EXPECT_EQ(answer.header("cache-control"), "no-store");
    EXPECT_EQ(client.get("/v1/data/prices?page=2").status, 400);
    EXPECT_EQ(client.get("/v1/data/prices?max_age=0").status, 400);
    EXPECT_EQ(client.get("/v1/data/prices?envelope=%zz").status, 400);
    EXPECT_EQ(client.get("/v1/data/nothing").status, 404);
    EXPECT_EQ(client.get("/v1/data/region").status, 404);
    EXPECT_EQ(client.get("/v1/data/region/asia").status, 400);
    EXPECT_EQ(client.ask("PATCH", "/v1/data/prices").status, 405);
}

TEST(Server, HonestSaysStaleTheMomentItIsAndHintsOnce)
{
    World world;
    world.start();
    world.publish("prices", "[1]");
    RawClient client{world.port()};
    EXPECT_EQ(client.get("/v1/data/prices").freshet("state"), "fresh");
    world.clock.advance(60s);
    EXPECT_EQ(client.get("/v1/data/prices").freshet("state"), "fresh");
    world.clock.advance(1ms);
    EXPECT_EQ(client.ask("HEAD", "/v1/data/prices").freshet("state"), "stale");
    for (int i = 0; i < 5; ++i) {
        const Answered answer = client.get("/v1/data/prices");
        EXPECT_EQ(answer.status, 200);
        EXPECT_EQ(answer.freshet("state"), "stale");
        EXPECT_EQ(answer.header("cache-status"), "freshet; hit; ttl=-1; detail=swr");
    }
    std::size_t asks = 0;
    for (const Request& hint : world.engine.hints()) asks += std::holds_alternative<AskRefresh>(hint) ? 1 : 0;
    EXPECT_EQ(asks, 1u);
}

TEST(Server, IgnoresThatAReloadWantsToForceAndSaysSo)
{
    World world;
    world.start();
    world.publish("prices", "[1]");
    RawClient client{world.port()};
    for (const char* header : {"Cache-Control: no-cache\r\n", "Cache-Control: max-age=0\r\n", "Pragma: no-cache\r\n"})
        EXPECT_EQ(client.get("/v1/data/prices", header).header("cache-status"),
                  "freshet; hit; ttl=60; detail=no-cache-ignored");
    EXPECT_EQ(world.engine.posted(), 0u);
}

TEST(Server, NeedsATokenOnceThereIsOneAndKeepsTenantsApart)
{
    World world;
    // SHA-256 of "secret-a" and "secret-b".
    world.definitions->tenants["acme"] = {"acme", {}, {}};
    world.definitions->tenants["blue"] = {"blue", {"prices"}, {}};
    world.definitions->tokens["a"] = {"a", "acme", Role::viewer, false,
                                      "8766b9cb08e6040b704f1e3ee1e186efccf2635b1d2634d6525333007e6aeae1"};
    world.definitions->tokens["b"] = {"b", "blue", Role::operator_, false,
                                      "ff492ef788c89b555e6f738b33d2422f57dbb6656af2402155672c5f123a90af"};
    world.local_token = "local";
    world.tenant = "acme";
    world.start();
    world.publish("region/eu", "[\"acme\"]");
    RawClient client{world.port()};
    const Answered none = client.get("/v1/data/region/eu");
    EXPECT_EQ(none.status, 401);
    EXPECT_EQ(none.header("www-authenticate"), "Bearer realm=\"freshet\"");
    EXPECT_EQ(client.get("/v1/data/region/eu", "Authorization: Bearer wrong\r\n").status, 401);
    EXPECT_EQ(client.get("/v1/nothing").status, 401); // What exists is nobody's business.
    const std::string acme = "Authorization: Bearer secret-a\r\n", blue = "Authorization: Bearer secret-b\r\n";
    for (int i = 0; i < 3; ++i) { // On one connection, so that what it remembers of one token is not lent to the other.
        EXPECT_EQ(client.get("/v1/data/region/eu", acme).body, "[\"acme\"]");
        EXPECT_EQ(client.get("/v1/data/region/eu", blue).status, 404);
        EXPECT_EQ(client.get("/v1/data/region/eu?tenant=acme", blue).status, 403);
        EXPECT_EQ(client.get("/v1/t/acme/data/region/eu", blue).status, 403);
        EXPECT_EQ(client.get("/v1/data/region/eu").status, 401);
    }
    EXPECT_EQ(client.ask("POST", "/v1/data/region/eu/refresh", acme).status, 403);
    EXPECT_EQ(client.ask("DELETE", "/v1/data/region/eu", acme).status, 403);
    const std::string local = "Authorization: Bearer local\r\n";
    EXPECT_EQ(client.get("/v1/data/region/eu", local).status, 400); // Of which tenant?
    for (int i = 0; i < 2; ++i) EXPECT_EQ(client.get("/v1/data/region/eu?tenant=acme", local).body, "[\"acme\"]");
    EXPECT_EQ(client.get("/v1/data/region/eu?tenant=blue", local).status, 404); // It does not list the source.
    EXPECT_EQ(client.get("/v1/data/prices?tenant=green", local).status, 404);
    EXPECT_EQ(client.get("/v1/t/acme/data/region/eu", local).status, 404); // Not public.
}

TEST(Server, ForgetsATokenOnOpenConnectionsWhenItIsTakenOutOfTheConfig)
{
    World world;
    world.start();
    world.publish("prices", "[1]");
    RawClient client{world.port()};
    EXPECT_EQ(client.get("/v1/data/prices").status, 200);
    EXPECT_EQ(client.get("/v1/data/prices").status, 200);
    auto next = std::make_shared<Definitions>(*world.definitions);
    next->tokens["a"] = {"a", "default", Role::viewer, false, std::string(64, '0')};
    world.reload(next);
    EXPECT_EQ(client.get("/v1/data/prices").status, 401);
}

TEST(Server, AnswersNotFoundAtOnceForASourceThatWasRemoved)
{
    World world;
    world.start();
    world.publish("prices", "[1]");
    RawClient client{world.port()};
    EXPECT_EQ(client.get("/v1/data/prices").status, 200);
    auto next = std::make_shared<Definitions>(*world.definitions);
    next->sources.erase("prices");
    world.reload(next);
    EXPECT_EQ(client.get("/v1/data/prices").status, 404);
}

TEST(Server, LetsNoForeignPageChangeAnythingAndListedOnesRead)
{
    World world;
    world.definitions->server.origins = {"https://app.example"};
    world.start();
    world.publish("prices", "[1]");
    RawClient client{world.port()};
    EXPECT_EQ(client.ask("POST", "/v1/data/prices/refresh", "Origin: https://evil.example\r\n").status, 403);
    EXPECT_EQ(client.ask("POST", "/v1/data/prices/refresh", "Sec-Fetch-Site: cross-site\r\n").status, 403);
    EXPECT_EQ(client.ask("POST", "/v1/data/prices/refresh", "Origin: null\r\n").status, 403);
    client.send(
        "POST /v1/purge HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}");
    EXPECT_EQ(client.read().status, 415);
    RawClient again{world.port()};
    const Answered read = again.get("/v1/data/prices", "Origin: https://app.example\r\n");
    EXPECT_EQ(read.header("access-control-allow-origin"), "https://app.example");
    EXPECT_NE(read.header("access-control-expose-headers").find("Freshet"), std::string::npos);
    EXPECT_NE(read.header("vary").find("Origin"), std::string::npos);
    EXPECT_EQ(again.get("/v1/data/prices", "Origin: https://evil.example\r\n").header("access-control-allow-origin"),
              "");
    const Answered problem = again.get("/v1/data/nothing", "Origin: https://app.example\r\n");
    EXPECT_EQ(problem.header("access-control-allow-origin"), "https://app.example");
    const Answered preflight = again.ask("OPTIONS", "/v1/data/prices/refresh",
                                         "Origin: https://app.example\r\nAccess-Control-Request-Method: POST\r\n");
    EXPECT_EQ(preflight.status, 204);
    EXPECT_NE(preflight.header("access-control-allow-headers").find("Idempotency-Key"), std::string::npos);
    EXPECT_EQ(again
                  .ask("OPTIONS", "/v1/data/prices",
                       "Origin: https://evil.example\r\nAccess-Control-Request-Method: POST\r\n")
                  .status,
              403);
}

TEST(Server, ServesPublicAnswersBelowAPrefixToSharedCaches)
{
    World world;
    world.definitions->server.public_url = "https://example.org/tools/freshet/";
    world.source("open").is_public = true;
    world.start();
    world.publish("open", "[1]");
    world.clock.advance(5s);
    RawClient client{world.port()};
    for (int i = 0; i < 2; ++i) {
        const Answered answer = client.get("/tools/freshet/v1/t/default/data/open");
        EXPECT_EQ(answer.status, 200);
        EXPECT_EQ(answer.header("cache-control"), "public, no-cache");
        EXPECT_EQ(answer.header("cdn-cache-control"), "max-age=15, stale-while-revalidate=600, stale-if-error=86400");
        EXPECT_EQ(answer.header("vary"), "Accept-Encoding");
        client.get("/v1/data/open");
    }
    const Answered problem = client.get("/tools/freshet/v1/data/nothing");
    EXPECT_NE(problem.body.find("https://example.org/tools/freshet/problems/unknown_key"), std::string::npos)
        << problem.body;
}

TEST(Server, LetsAnAnswerFinishWhenItStops)
{
    World world;
    world.start();
    world.publish("prices", "[1]");
    RawClient idle{world.port()}, waiting{world.port()};
    EXPECT_EQ(idle.get("/v1/data/prices").status, 200);
    waiting.send("POST /v1/data/prices/refresh HTTP/1.1\r\nHost: localhost\r\n\r\n");
    ScriptedEngine::Posted posted = world.engine.next();
    std::thread stopping{[&] { world.server->stop(); }};
    EXPECT_TRUE(idle.closed());
    world.reply(posted, Asked{std::make_shared<Job>(world.job(5, "prices")), false, false, 1});
    const Answered answer = waiting.read();
    EXPECT_EQ(answer.status, 202);
    EXPECT_EQ(answer.header("connection"), "close");
    stopping.join();
    EXPECT_THROW(RawClient{world.port()}, std::runtime_error);
}

} // namespace

} // namespace freshet::http
