// SPDX-License-Identifier: Apache-2.0
// Pages: the four ways they follow one another, their end, their cap and their circles.
#include "runners/http/test_world.hpp"

namespace freshet::test {

namespace {

SourceDefinition paged(const std::string& url, PagingKind kind)
{
    SourceDefinition source = source_at(url);
    source.http.paging.kind = kind;
    return source;
}

} // namespace

TEST(Paging, FollowsLinkHeadersAndShapesAllRowsTogether)
{
    TestServer server{[](Peer& peer, const std::string& request) {
        const std::string target = target_of(request);
        if (target == "/a")
            peer.send(answer("200 OK", "[1,2]", "ETag: \"x\"\r\nLink: </a?p=2>; rel=\"next\"\r\n"));
        else if (target == "/a?p=2")
            peer.send(answer("200 OK", "[3]", "Link: </a?p=3>; rel=next, </a>; rel=prev\r\n"));
        else
            peer.send(answer("200 OK", "[4]"));
    }};
    World world;
    SourceDefinition source = paged(server.url("/a"), PagingKind::link);
    source.select = "{sum: add, n: length}";
    const FlightData data = data_of(world.fetch(source, [](FlightOrder& order) { order.validators.etag = "\"x\""; }));
    EXPECT_EQ(data.json, R"({"sum":10,"n":4})");
    EXPECT_TRUE(data.facts.notes.empty());
    EXPECT_FALSE(data.validators.any());
    for (const std::string& request : server.requests()) EXPECT_FALSE(has(request, "If-None-Match"));
    EXPECT_EQ(server.connections(), 1);
}

TEST(Paging, FollowsUrlsInTheBodyAndTakesAsOfFromTheFirstPage)
{
    TestServer server{[](Peer& peer, const std::string& request) {
        peer.send(target_of(request) == "/a" ? answer("200 OK", R"({"at":"2026-11-24","next":"?p=2","rows":[1]})")
                                             : answer("200 OK", R"({"at":"2026-11-25","next":null,"rows":[2]})"));
    }};
    World world;
    SourceDefinition source = paged(server.url("/a"), PagingKind::next);
    source.http.paging.next = ".next";
    source.http.paging.items = ".rows";
    source.as_of = ".at";
    const FlightData data = data_of(world.fetch(source));
    EXPECT_EQ(data.json, "[1,2]");
    EXPECT_EQ(data.as_of, from_rfc3339("2026-11-24"));
}

TEST(Paging, CountsPagesUntilOneIsEmpty)
{
    TestServer server{[](Peer& peer, const std::string& request) {
        const std::string target = target_of(request);
        peer.send(answer("200 OK", target == "/a?size=2&page=0"   ? "[1,2]"
                                   : target == "/a?size=2&page=1" ? "[3]"
                                                                  : " [ ] "));
    }};
    World world;
    SourceDefinition source = paged(server.url("/a?size=2"), PagingKind::page);
    source.http.paging.param = "page";
    source.http.paging.first = 0;
    EXPECT_EQ(data_of(world.fetch(source)).json, "[1,2,3]");
    EXPECT_EQ(server.requests().size(), 3u);
}

TEST(Paging, FollowsCursorsUntilThereIsNone)
{
    TestServer server{[](Peer& peer, const std::string& request) {
        const std::string target = target_of(request);
        if (target == "/a?limit=2")
            peer.send(answer("200 OK", R"({"rows":[1],"cursor":"a b/="})"));
        else if (target == "/a?limit=2&after=a%20b%2F%3D")
            peer.send(answer("200 OK", R"({"rows":[2],"cursor":77})"));
        else if (target == "/a?limit=2&after=77")
            peer.send(answer("200 OK", R"({"rows":[3],"cursor":""})"));
        else
            peer.send(answer("404 Not Found", ""));
    }};
    World world;
    SourceDefinition source = paged(server.url("/a?limit=2"), PagingKind::cursor);
    source.http.paging.next = ".cursor";
    source.http.paging.param = "after";
    source.http.paging.items = ".rows";
    EXPECT_EQ(data_of(world.fetch(source)).json, "[1,2,3]");
}

TEST(Paging, ReportsACapThatWasHit)
{
    TestServer server{[](Peer& peer, const std::string& request) {
        peer.send(answer("200 OK", "[1]", "Link: <" + target_of(request) + "x>; rel=next\r\n"));
    }};
    World world;
    SourceDefinition source = paged(server.url("/"), PagingKind::link);
    source.http.paging.pages_max = 3;
    const JobId job = world.start(source);
    const FlightData data = data_of(world.sink.wait(job));
    EXPECT_EQ(data.json, "[1,1,1]");
    ASSERT_EQ(data.facts.notes.size(), 1u);
    EXPECT_EQ(data.facts.notes.at(0), "stopped at 3 pages; the source has more");
    EXPECT_EQ(server.requests().size(), 3u);
    EXPECT_EQ(world.sink.told(job).front().phase, "pages");
}

TEST(Paging, InACircleIsAFailureInWords)
{
    TestServer server{[](Peer& peer, const std::string& request) {
        peer.send(answer("200 OK", "[1]",
                         target_of(request) == "/a" ? "Link: </b>; rel=next\r\n" : "Link: </a>; rel=next\r\n"));
    }};
    World world;
    const FlightFailure end = failure_of(world.fetch(paged(server.url("/a"), PagingKind::link)));
    EXPECT_EQ(end.code, "paging_loop");
    EXPECT_HAS(end.message, "(page 2) names a page as its next one that was read already");
    EXPECT_EQ(server.requests().size(), 2u);

    SourceDefinition cursor = paged(server.url("/a"), PagingKind::cursor);
    cursor.http.paging.next = "\"same\"";
    cursor.http.paging.param = "after";
    EXPECT_EQ(failure_of(world.fetch(cursor)).code, "paging_loop");
}

TEST(Paging, ByNumberOfASourceThatIgnoresItIsAFailureInWords)
{
    TestServer server{[](Peer& peer, const std::string&) { peer.send(answer("200 OK", "[1,2]")); }};
    World world;
    SourceDefinition source = paged(server.url("/a"), PagingKind::page);
    source.http.paging.param = "page";
    const FlightFailure end = failure_of(world.fetch(source));
    EXPECT_EQ(end.code, "paging_loop");
    EXPECT_HAS(end.message, "is the same as page 1: does the source know the parameter \"page\"?");
}

TEST(Paging, FailsAsAWholeWhenAPageFails)
{
    TestServer server{[](Peer& peer, const std::string& request) {
        peer.send(target_of(request) == "/a" ? answer("200 OK", "[1]", "Link: </b>; rel=next\r\n")
                                             : answer("500 Internal", ""));
    }};
    World world;
    const FlightFailure end = failure_of(world.fetch(paged(server.url("/a"), PagingKind::link)));
    EXPECT_EQ(end.code, "http_status");
    EXPECT_HAS(end.message, "/b (page 2) answered 500");
}

TEST(Paging, CountsTheBytesOfAllPagesTogether)
{
    TestServer server{[](Peer& peer, const std::string& request) {
        peer.send(
            answer("200 OK", '"' + std::string(500, 'x') + '"', "Link: <" + target_of(request) + "x>; rel=next\r\n"));
    }};
    World world;
    SourceDefinition source = paged(server.url("/"), PagingKind::link);
    source.bytes_max = 1200;
    source.http.paging.items = "[.]";
    const FlightFailure end = failure_of(world.fetch(source));
    EXPECT_EQ(end.code, "too_large");
    EXPECT_HAS(end.message, "the pages together are larger than 1200 bytes");
    EXPECT_EQ(server.requests().size(), 3u);
}

TEST(Paging, ToAnotherOriginLeavesConfiguredHeadersBehind)
{
    TestServer second{[](Peer& peer, const std::string&) { peer.send(answer("200 OK", "[2]")); }};
    TestServer first{[&](Peer& peer, const std::string&) {
        peer.send(answer("200 OK", "[1]", "Link: <" + second.url("/") + ">; rel=next\r\n"));
    }};
    World world;
    SourceDefinition source = paged(first.url(), PagingKind::link);
    source.http.headers = {{"Authorization", {Secret::From::literal, "Bearer s3cret"}}};
    EXPECT_EQ(data_of(world.fetch(source)).json, "[1,2]");
    EXPECT_HAS(first.requests().at(0), "s3cret");
    EXPECT_FALSE(has(second.requests().at(0), "s3cret"));
}

TEST(Paging, OfPagesThatAreNoListsSaysWhatToSet)
{
    TestServer server{[](Peer& peer, const std::string&) { peer.send(answer("200 OK", R"({"rows":[]})")); }};
    World world;
    const FlightFailure end = failure_of(world.fetch(paged(server.url(), PagingKind::link)));
    EXPECT_EQ(end.code, "bad_input");
    EXPECT_EQ(end.error_class, ErrorClass::fatal);
    EXPECT_HAS(end.message, "paging.items says which part");
}

} // namespace freshet::test
