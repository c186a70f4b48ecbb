// SPDX-License-Identifier: Apache-2.0
// Heads in and out: the parser, the bytes of an answer, a key's metadata as headers, the router.
#include "http/data_headers.hpp"
#include "http/request_head.hpp"
#include "http/response_head.hpp"
#include "http/router.hpp"

#include <array>
#include <gtest/gtest.h>

namespace freshet::http {

namespace {

TEST(ResponseHead, CanNotBeSplitByAValue)
{
    const Headers headers{{"X-Fine", "a"}, {"X-Bad", "a\r\nSet-Cookie: b=c"}};
    HeadLayout layout;
    layout.headers = &headers;
    layout.content_type = "text/html; charset=utf-8";
    layout.length = 3;
    layout.close = true;
    EXPECT_EQ(response_head(layout, from_ms(1'790'000'000'000)),
              "HTTP/1.1 200 OK\r\nDate: " + to_http_date(from_ms(1'790'000'000'000)) +
                  "\r\nContent-Type: text/html; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\nContent-Length: "
                  "3\r\nX-Fine: a\r\n"
                  "Content-Security-Policy: " +
                  std::string{page_policy} + "\r\nReferrer-Policy: no-referrer\r\nConnection: close\r\n\r\n");
}

TEST(RequestHead, TakesOnlyWhatAsksForNothingMoreAsPlain)
{
    RequestParser parser;
    const std::string plain = "GET /v1/data/prices HTTP/1.1\r\nhost: localhost\r\nAccept-Encoding: "
                              "br\r\nIf-None-Match: \"v1\"\r\nX-Other: 1\r\n\r\n";
    EXPECT_EQ(parser.begin(plain), plain.size());
    EXPECT_TRUE(parser.head().plain);
    EXPECT_EQ(parser.head().host, "localhost");
    EXPECT_EQ(parser.head().if_none_match, "\"v1\"");
    EXPECT_FALSE(parser.wants_body());
    for (const char* more : {"Origin: x", "Cache-Control: no-cache", "Prefer: wait=1", "Cookie: a=b",
                             "Connection: close", "Content-Length: 0", "Expect: x", "Pragma: no-cache",
                             "If-None-Match: \"a\"\r\nIf-None-Match: \"b\"", "Authorization: a\r\nAuthorization: b"}) {
        const std::string text = "GET / HTTP/1.1\r\nHost: a\r\n" + std::string{more} + "\r\n\r\n";
        EXPECT_EQ(parser.begin(text), text.size()) << more;
        EXPECT_FALSE(parser.head().plain) << more;
    }
    EXPECT_EQ(head_length("GET / HTTP/1.1\r\n\r"), 0u);
    EXPECT_EQ(head_length("a\r\n\r\nb"), 5u);
}

TEST(RequestHead, ReadsChunkedBodiesAndBoundsThem)
{
    RequestParser parser;
    const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    ASSERT_EQ(parser.begin(head), head.size());
    EXPECT_TRUE(parser.wants_body());
    const std::string body = "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\nGET";
    std::string left;
    for (const char c : body) { // Byte by byte, as the slowest peer would.
        left += c;
        if (!parser.wants_body()) continue;
        left.erase(0, parser.feed(left));
    }
    EXPECT_FALSE(parser.wants_body());
    EXPECT_EQ(left, "GET");
    EXPECT_EQ(parser.take_body(), "abcde");

    ASSERT_EQ(parser.begin(head), head.size());
    EXPECT_TRUE(parser.limit_body(1 << 20));
    std::string flood = "100001\r\n" + std::string(0x100001, 'x');
    parser.feed(flood);
    EXPECT_EQ(parser.refusal(), HeadRefusal::body_too_large);
}

TEST(DataHeaders, SayWhatIsKnown)
{
    KeyView view;
    KeyRecord& record = view.record;
    record.gen = 108;
    record.ver = 42;
    record.has_data = true;
    record.definition = 1;
    record.as_of = from_ms(1'790'000'000'000);
    record.checked_at = from_ms(1'790'000'015'000);
    record.next_at = from_ms(1'790'000'090'000);
    view.flight = FlightView{JobId{77}, true, Trigger::stale, {}};
    SourceDefinition source;
    source.hash = 1;
    DataPicture picture;
    picture.view = &view;
    picture.source = &source;
    picture.now = from_ms(1'790'000'116'000);
    picture.freshness = derive_freshness(record, source, picture.now);
    EXPECT_EQ(
        freshet_header(picture),
        "state=stale, gen=108, ver=42, as-of=1790000000, checked=1790000015, next=1790000090, refresh=running;id=\"" +
            to_text(JobId{77}) + "\"");
    const Headers headers = data_headers(picture, Coding::gzip);
    EXPECT_EQ(*find_header(headers, "cache-status"), "freshet; hit; ttl=-41; detail=swr");
    EXPECT_EQ(*find_header(headers, "age"), "101");
    EXPECT_EQ(*find_header(headers, "content-encoding"), "gzip");
    EXPECT_FALSE(wants_refresh(view, picture.freshness, picture.now)); // One runs.
    view.flight.reset();
    EXPECT_TRUE(wants_refresh(view, picture.freshness, picture.now));
    record.retry_at = picture.now + 1s;
    EXPECT_FALSE(wants_refresh(view, picture.freshness, picture.now));
    view.paused = true;
    record.held.emplace();
    EXPECT_TRUE(freshet_header(picture).ends_with("refresh=idle, paused, held"));
}

TEST(DataHeaders, HoldNoLongerThanTheStateDoes)
{
    Freshness freshness;
    const WallTime now = from_ms(1'790'000'000'300);
    EXPECT_EQ(headers_hold_until(freshness, now), from_ms(1'790'000'001'000));
    freshness.holds_until = now + 200ms;
    EXPECT_EQ(headers_hold_until(freshness, now), now + 200ms);
    freshness.holds_until = now + 1h;
    EXPECT_EQ(headers_hold_until(freshness, now), from_ms(1'790'000'001'000));
}

void nothing(Core&, const ExchangePtr&, std::span<const std::string>) {}

TEST(Router, TellsAKeyFromWhatFollowsIt)
{
    static constexpr std::array table{
        Route{"GET", "/v1/data/{key}", Right::read, &nothing},
        Route{"POST", "/v1/data/{key}/refresh", Right::refresh, &nothing},
        Route{"GET", "/v1/t/{tenant}/data/{key}", Right::read, &nothing},
        Route{"GET", "/v1/jobs/{id}", Right::read, &nothing},
    };
    const std::array<Routes, 1> tables{table};
    const Router router{tables};
    Definitions definitions;
    auto one = std::make_shared<SourceDefinition>();
    one->name = "prices";
    definitions.sources["prices"] = one;
    auto two = std::make_shared<SourceDefinition>();
    two->name = "region";
    two->params = {{"area", {}, "[a-z ]+"}};
    definitions.sources["region"] = two;

    EXPECT_EQ(router.find("GET", "/v1/data/prices", definitions)->captures.at(0), "prices");
    EXPECT_EQ(router.find("HEAD", "/v1/data/prices", definitions)->route->pattern, "/v1/data/{key}");
    EXPECT_EQ(router.find("GET", "/v1/data/region/a%20b", definitions)->captures.at(0), "region/a%20b");
    EXPECT_EQ(router.find("GET", "/v1/data/region/refresh", definitions)->captures.at(0), "region/refresh");
    EXPECT_EQ(router.find("POST", "/v1/data/region/refresh/refresh", definitions)->captures.at(0), "region/refresh");
    EXPECT_EQ(router.find("GET", "/v1/t/acme/data/prices", definitions)->tenant, "acme");
    EXPECT_EQ(router.find("GET", "/v1/t/acme/data/prices", definitions)->source, "prices");
    EXPECT_EQ(router.find("DELETE", "/v1/data/prices", definitions).error().allow, "GET, HEAD");
    EXPECT_EQ(router.find("POST", "/v1/data/region/refresh", definitions).error().why, NoMatch::Why::method);
    EXPECT_EQ(router.find("GET", "/v1/data/nothing", definitions).error().why, NoMatch::Why::key);
    EXPECT_TRUE(router.find("GET", "/v1/data/region/A", definitions).error().bad_param);
    for (const char* path :
         {"/", "/v1/data", "/v1/data/prices/", "/v1/data/prices/more", "/v1/jobs/", "/v1/jobs/1/x", "//v1/jobs/1"})
        EXPECT_FALSE(router.find("GET", path, definitions).has_value()) << path;
}

TEST(Router, DecodesQueries)
{
    const auto query = parse_query("a=1&b=x%20y+z&c&&d=%26");
    ASSERT_TRUE(query.has_value());
    EXPECT_EQ(*query,
              (std::vector<std::pair<std::string, std::string>>{{"a", "1"}, {"b", "x y z"}, {"c", ""}, {"d", "&"}}));
    EXPECT_FALSE(parse_query("a=%2").has_value());
}

} // namespace

} // namespace freshet::http
