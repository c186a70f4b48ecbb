// SPDX-License-Identifier: Apache-2.0
// Redirects: how far they are followed, and what is left behind on the way.
#include "runners/http/test_world.hpp"

namespace freshet::test {

namespace {

std::string to(const std::string& location, std::string_view status = "302 Found")
{
    return answer(status, "moved", "Location: " + location + "\r\n");
}

} // namespace

TEST(Redirect, IsFollowedAndKeepsTheConnection)
{
    TestServer server{[](Peer& peer, const std::string& request) {
        peer.send(target_of(request) == "/a/b" ? to("../c?d=e") : answer("200 OK", "[1]"));
    }};
    World world;
    const FlightData data = data_of(world.fetch(source_at(server.url("/a/b"))));
    EXPECT_EQ(data.json, "[1]");
    EXPECT_EQ(target_of(server.requests().at(1)), "/c?d=e");
    EXPECT_EQ(server.connections(), 1);
    EXPECT_TRUE(data.facts.notes.empty());
}

TEST(Redirect, ForGoodIsNotedOnTheReceipt)
{
    TestServer server{[](Peer& peer, const std::string& request) {
        peer.send(target_of(request) == "/old" ? to("/new", "301 Moved") : answer("200 OK", "[1]"));
    }};
    World world;
    const FlightData data = data_of(world.fetch(source_at(server.url("/old"))));
    ASSERT_EQ(data.facts.notes.size(), 1u);
    EXPECT_HAS(data.facts.notes.at(0), "moved for good to http://127.0.0.1:");
}

TEST(Redirect, ToAnotherOriginLeavesConfiguredHeadersBehind)
{
    TestServer second{[](Peer& peer, const std::string&) { peer.send(answer("200 OK", "[1]")); }};
    TestServer first{[&](Peer& peer, const std::string&) { peer.send(to(second.url("/x"))); }};
    World world;
    SourceDefinition source = source_at("http://me:pw@127.0.0.1:" + std::to_string(first.port()) + "/");
    source.http.headers = {{"X-Api-Key", {Secret::From::literal, "s3cret"}}};
    data_of(world.fetch(source));
    EXPECT_HAS(first.requests().at(0), "X-Api-Key: s3cret");
    EXPECT_HAS(first.requests().at(0), "Authorization: Basic");
    EXPECT_FALSE(has(second.requests().at(0), "s3cret"));
    EXPECT_FALSE(has(second.requests().at(0), "Authorization"));
}

TEST(Redirect, BackFromAnotherOriginDoesNotBringTheHeadersBack)
{
    std::string back;
    TestServer second{[&](Peer& peer, const std::string&) { peer.send(to(back)); }};
    TestServer first{[&](Peer& peer, const std::string& request) {
        peer.send(target_of(request) == "/" ? to(second.url()) : answer("200 OK", "[1]"));
    }};
    back = first.url("/admin");
    World world;
    SourceDefinition source = source_at(first.url());
    source.http.headers = {{"X-Api-Key", {Secret::From::literal, "s3cret"}}};
    data_of(world.fetch(source));
    EXPECT_FALSE(has(first.requests().at(1), "s3cret"));
}

TEST(Redirect, KeepsNoValidatorsAndBelievesNone)
{
    TestServer server{[](Peer& peer, const std::string& request) {
        peer.send(target_of(request) == "/" ? to("/v2") : answer("200 OK", "[2]", "ETag: \"v1\"\r\n"));
    }};
    World world;
    const FlightData data =
        data_of(world.fetch(source_at(server.url()), [](FlightOrder& order) { order.validators.etag = "\"v1\""; }));
    EXPECT_FALSE(data.validators.any());
    EXPECT_FALSE(has(server.requests().at(1), "If-None-Match"));
}

TEST(Redirect, InACircleEndsInWords)
{
    TestServer server{
        [](Peer& peer, const std::string& request) { peer.send(to(target_of(request) == "/a" ? "/b" : "/a")); }};
    World world;
    const FlightFailure end = failure_of(world.fetch(source_at(server.url("/a"))));
    EXPECT_EQ(end.code, "redirect_loop");
    EXPECT_HAS(end.message, "redirects back to");
    EXPECT_EQ(server.requests().size(), 2u);
}

TEST(Redirect, WithoutEndStopsAtTheMostAllowed)
{
    TestServer server{[](Peer& peer, const std::string& request) { peer.send(to(target_of(request) + "a")); }};
    World world;
    SourceDefinition source = source_at(server.url());
    source.http.redirects_max = 3;
    const FlightFailure end = failure_of(world.fetch(source));
    EXPECT_EQ(end.code, "redirect_loop");
    EXPECT_HAS(end.message, "more than 3 redirects");
    EXPECT_EQ(server.requests().size(), 4u);
}

TEST(Redirect, ToAnotherSchemeIsRefused)
{
    for (const char* location :
         {"file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1/", "dict://127.0.0.1/"}) {
        TestServer server{[&](Peer& peer, const std::string&) { peer.send(to(location)); }};
        World world;
        const FlightFailure end = failure_of(world.fetch(source_at(server.url())));
        EXPECT_EQ(end.code, "redirect") << location;
        EXPECT_EQ(end.error_class, ErrorClass::fatal);
        EXPECT_HAS(end.message, "only http and https are fetched");
    }
}

// The proxy stands for the public source, which no test on loopback can be.
TEST(Redirect, FromAPublicSourceToAPrivateAddressIsRefused)
{
    TestServer proxy{[](Peer& peer, const std::string&) { peer.send(to("http://169.254.169.254/latest/meta-data/")); }};
    World world;
    SourceDefinition source = source_at("http://public.example/");
    source.http.allow_private = false;
    source.http.proxy = proxy.url();
    const FlightFailure end = failure_of(world.fetch(source));
    EXPECT_EQ(end.code, "private_address");
    EXPECT_EQ(proxy.requests().size(), 1u);
}

TEST(Redirect, TurnsAPostIntoAGetWhereBrowsersDoAndKeepsItOn307)
{
    for (const auto& [status, method] :
         {std::pair{"303 See Other", "GET /b"}, {"302 Found", "GET /b"}, {"307 Temporary", "POST /b"}}) {
        TestServer server{[&](Peer& peer, const std::string& request) {
            peer.send(target_of(request) == "/a" ? to("/b", status) : answer("200 OK", "[1]"));
        }};
        World world;
        SourceDefinition source = source_at(server.url("/a"));
        source.http.method = "POST";
        source.http.body = "q=1";
        data_of(world.fetch(source));
        EXPECT_HAS(server.requests().at(1), method);
        EXPECT_EQ(has(server.requests().at(1), "q=1"), std::string_view{method}.starts_with("POST"));
    }
}

TEST(Redirect, DoesNotCarryABodyToAnotherOrigin)
{
    TestServer second{[](Peer& peer, const std::string&) { peer.send(answer("200 OK", "[1]")); }};
    TestServer first{[&](Peer& peer, const std::string&) { peer.send(to(second.url(), "307 Temporary")); }};
    World world;
    SourceDefinition source = source_at(first.url());
    source.http.method = "POST";
    source.http.body = "q=1";
    EXPECT_EQ(failure_of(world.fetch(source)).code, "redirect");
    EXPECT_EQ(second.connections(), 0);
}

TEST(Redirect, WithAnEndlessBodyIsFollowedAllTheSame)
{
    TestServer server{[](Peer& peer, const std::string& request) {
        if (target_of(request) == "/b") {
            peer.send(answer("200 OK", "[1]"));
            return;
        }
        peer.send("HTTP/1.1 302 Found\r\nLocation: /b\r\n\r\n");
        while (peer.send(std::string(4096, 'x'))) {
        }
        peer.close();
    }};
    World world;
    EXPECT_EQ(data_of(world.fetch(source_at(server.url("/a")))).json, "[1]");
}

} // namespace freshet::test
