// SPDX-License-Identifier: Apache-2.0
// The stand-in sites as a client meets them: the binary is started, asked with libcurl and stopped. What the demo and
// the tests of others rely on: content that a control call changes, faults that look as they are named, validators.

#include "stand_in.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

using namespace stand_in;
using testing::HasSubstr;
using testing::Not;

TEST(Upstream, ServesJsonHtmlAndRss)
{
    const Upstream upstream;
    const Got prices = get(upstream, "/prices");
    EXPECT_EQ(prices.status, 200);
    EXPECT_EQ(prices.headers.at("content-type"), "application/json");
    EXPECT_THAT(prices.body, HasSubstr("\"code\":\"USD\""));
    EXPECT_THAT(get(upstream, "/prices/usd").body, HasSubstr("\"rate\":1.0842"));
    EXPECT_EQ(get(upstream, "/prices/zzz").status, 404);
    EXPECT_EQ(count_of(get(upstream, "/shop").body, "class=\"offer\""), 24u);
    EXPECT_EQ(count_of(get(upstream, "/news").body, "<item>"), 20u);
    EXPECT_EQ(get(upstream, "/nowhere").status, 404);
}

TEST(Upstream, PagesAListByLinkAndByCursor)
{
    const Upstream upstream;
    const Got first = get(upstream, "/list?page=1&per_page=50");
    EXPECT_THAT(first.headers.at("link"), HasSubstr("page=2&per_page=50>; rel=\"next\""));
    EXPECT_THAT(get(upstream, "/list?page=3&per_page=50").headers.at("link"), Not(HasSubstr("rel=\"next\"")));
    const Got from = get(upstream, "/list?cursor=&per_page=2");
    EXPECT_THAT(from.body, HasSubstr("\"next_cursor\":\"c313139\""));
    EXPECT_THAT(get(upstream, "/list?cursor=c313139&per_page=2").body, HasSubstr("\"id\":118"));
    EXPECT_EQ(get(upstream, "/list?cursor=gone").status, 400);
    EXPECT_EQ(get(upstream, "/list?page=x").status, 400);
}

TEST(Upstream, RemovesTheOldestAndThenAddsTheFirstOfTheArrayOnTop)
{
    const Upstream upstream;
    const Got put = control(upstream, "shop", R"({"add": [{"name": "Newest"}, {"name": "Second"}], "remove": 23})");
    EXPECT_EQ(put.status, 200);
    const std::string page = get(upstream, "/shop").body;
    EXPECT_EQ(count_of(page, "class=\"offer\""), 3u);
    EXPECT_LT(page.find("<h3>Newest</h3>"), page.find("<h3>Second</h3>"));
    EXPECT_THAT(page, HasSubstr("data-id=\"24\"")) << "the newest of those that were there stays";
}

TEST(Upstream, RefusesWhatItDoesNotKnowAndThenChangesNothing)
{
    const Upstream upstream;
    const Got fault = control(upstream, "shop", R"({"stamp": 7, "fault": "gremlins"})");
    EXPECT_EQ(fault.status, 400);
    EXPECT_THAT(fault.body, HasSubstr("html_changed"));
    EXPECT_EQ(control(upstream, "shop", R"({"stamp": 7, "speed": 1})").status, 400);
    EXPECT_EQ(control(upstream, "shop", "not json").status, 400);
    EXPECT_EQ(control(upstream, "shop", "[]").status, 400);
    EXPECT_EQ(control(upstream, "shop", R"({"delay_ms": -1})").status, 400);
    EXPECT_EQ(control(upstream, "nowhere", "{}").status, 404);
    EXPECT_THAT(get(upstream, "/_control/shop").body, HasSubstr("\"stamp\":0"));
}

TEST(Upstream, CountsRequestsOnArrivalAndControlCallsNot)
{
    const Upstream upstream;
    get(upstream, "/prices");
    get(upstream, "/prices");
    EXPECT_THAT(get(upstream, "/_control/prices").body, HasSubstr("\"requests\":2,"));
}

TEST(Upstream, AnswersA304ToWhoKnowsTheContentAlready)
{
    const Upstream upstream;
    const Got first = get(upstream, "/prices");
    const std::string tag = "If-None-Match: " + first.headers.at("etag");
    const std::string date = "If-Modified-Since: " + first.headers.at("last-modified");
    EXPECT_EQ(get(upstream, "/prices", {tag}).status, 304);
    EXPECT_EQ(get(upstream, "/prices", {date}).status, 304);
    control(upstream, "prices", R"({"stamp": 1})");
    EXPECT_EQ(get(upstream, "/prices", {tag}).status, 200);
    control(upstream, "prices", R"({"validators": "none"})");
    const Got bare = get(upstream, "/prices", {date});
    EXPECT_EQ(bare.status, 200);
    EXPECT_FALSE(bare.headers.contains("etag"));
}

TEST(Upstream, AnswersEachFaultOfContentAsItIsNamed)
{
    const Upstream upstream;
    const std::vector<std::pair<std::string, long>> statuses{
        {"401", 401},  {"403", 403},         {"404", 404},          {"429", 429},        {"500", 500},
        {"502", 502},  {"503", 503},         {"challenge", 202},    {"quota_body", 200}, {"html_instead_of_json", 200},
        {"none", 200}, {"retry_after", 429}, {"redirect_loop", 302}};
    for (const auto& [fault, status] : statuses) {
        EXPECT_EQ(control(upstream, "prices", R"({"retry_after_s": 9, "fault": ")" + fault + "\"}").status, 200)
            << fault;
        const Got got = get(upstream, "/prices");
        EXPECT_EQ(got.status, status) << fault;
        EXPECT_EQ(got.headers.contains("retry-after"), fault == "retry_after") << fault;
    }
    control(upstream, "prices", R"({"fault": "redirect_to", "redirect_to": "/shop"})");
    EXPECT_EQ(get(upstream, "/prices").headers.at("location"), "/shop");
}

TEST(Upstream, ServesFewerItemsOrOtherNamesWhereTheFaultSaysSo)
{
    const Upstream upstream;
    const auto shop_with = [&](const std::string& fault) {
        control(upstream, "shop", R"({"fault": ")" + fault + "\"}");
        return get(upstream, "/shop").body;
    };
    EXPECT_EQ(count_of(shop_with("empty"), "class=\"offer\""), 0u);
    EXPECT_EQ(count_of(shop_with("half"), "class=\"offer\""), 11u) << "fewer than half of 24";
    EXPECT_EQ(count_of(shop_with("html_changed"), "class=\"offer\""), 0u);
    EXPECT_EQ(count_of(get(upstream, "/shop").body, "tile-x7"), 24u);
    control(upstream, "shop", R"({"fault": "none", "private": true})");
    EXPECT_EQ(get(upstream, "/shop").status, 403);
}

TEST(Upstream, BreaksTheTransportAsTheFaultSays)
{
    const Upstream upstream;
    const std::vector<std::pair<std::string, CURLcode>> faults{
        {"truncated", CURLE_PARTIAL_FILE},       {"reset", CURLE_RECV_ERROR},
        {"endless", CURLE_WRITE_ERROR},          {"endless_declared", CURLE_WRITE_ERROR},
        {"hang_head", CURLE_OPERATION_TIMEDOUT}, {"hang_body", CURLE_OPERATION_TIMEDOUT},
        {"hang", CURLE_OPERATION_TIMEDOUT}};
    for (const auto& [fault, code] : faults) {
        control(upstream, "prices", R"({"fault": ")" + fault + "\"}");
        EXPECT_EQ(ask({.url = upstream.url + "/prices", .timeout_ms = 150}).code, code) << fault;
    }
    control(upstream, "prices", R"({"fault": "none"})");
    EXPECT_EQ(get(upstream, "/prices").status, 200);
}

TEST(Upstream, CompressesForWhoAcceptsItAndDamagesItOnDemand)
{
    const Upstream upstream;
    control(upstream, "prices", R"({"fault": "encoding_gzip"})");
    const Got decoded = ask({.url = upstream.url + "/prices", .decode = true});
    EXPECT_EQ(decoded.headers.at("content-encoding"), "gzip");
    EXPECT_THAT(decoded.body, HasSubstr("\"code\":\"USD\""));
    EXPECT_FALSE(get(upstream, "/prices").headers.contains("content-encoding"));
    control(upstream, "prices", R"({"fault": "bad_gzip"})");
    EXPECT_NE(ask({.url = upstream.url + "/prices", .decode = true}).code, CURLE_OK);
    control(upstream, "prices", R"({"fault": "gzip_bomb"})");
    const Got bomb = ask({.url = upstream.url + "/prices", .bytes_max = 32 << 20});
    EXPECT_EQ(bomb.code, CURLE_OK);
    EXPECT_LT(bomb.body.size(), 12u << 20);
    EXPECT_EQ(ask({.url = upstream.url + "/prices", .bytes_max = 64 << 20, .decode = true}).code, CURLE_WRITE_ERROR);
}

TEST(Upstream, HangsUntilTheFaultChanges)
{
    const Upstream upstream;
    control(upstream, "prices", R"({"fault": "hang"})");
    Got late;
    std::thread client([&] { late = get(upstream, "/prices"); });
    EXPECT_TRUE(shows(upstream, "prices", "\"in_flight\":1"));
    control(upstream, "prices", R"({"fault": "none"})");
    client.join();
    EXPECT_EQ(late.status, 200);
}

TEST(Upstream, ShowsADelayedRequestTheSiteAsItWasWhenItCame)
{
    const Upstream upstream;
    control(upstream, "prices", R"({"delay_ms": 400})");
    Got late;
    std::thread client([&] { late = get(upstream, "/prices"); });
    EXPECT_TRUE(shows(upstream, "prices", "\"in_flight\":1"));
    control(upstream, "prices", R"({"stamp": 5, "delay_ms": 0})");
    EXPECT_THAT(get(upstream, "/prices").body, HasSubstr("\"stamp\":5"));
    client.join();
    EXPECT_THAT(late.body, HasSubstr("\"stamp\":0"));
}

TEST(Upstream, GivesAFaultOnlyAsOftenAsItWasTold)
{
    const Upstream upstream;
    control(upstream, "prices", R"({"fault_times": 2, "fault": "500"})");
    EXPECT_EQ(get(upstream, "/prices").status, 500);
    EXPECT_EQ(get(upstream, "/prices").status, 500);
    EXPECT_EQ(get(upstream, "/prices").status, 200);
}

TEST(Upstream, ChangesByItselfWhereItIsLive)
{
    const Upstream upstream;
    const std::string before = get(upstream, "/news").body;
    control(upstream, "news", R"({"live_ms": 20})");
    bool changed = false;
    for (int i = 0; i < 5000 && !changed; ++i) changed = get(upstream, "/news").body != before;
    EXPECT_TRUE(changed);
}

TEST(Upstream, RemembersItsSitesOverARestartAndCountsAnew)
{
    const Folder folder;
    const std::vector<std::string> arguments{"--state", folder.path().string(), "--site", "second=shop"};
    {
        Upstream upstream(arguments);
        control(upstream, "second", R"({"remove": 20, "add": [{"name": "Kept"}], "delay_ms": 3, "fault": "half"})");
        get(upstream, "/second");
        EXPECT_EQ(upstream.stop(), 0);
    }
    const Upstream upstream(arguments);
    const std::string state = get(upstream, "/_control/second").body;
    EXPECT_THAT(state, HasSubstr("\"requests\":0,"));
    EXPECT_THAT(state, HasSubstr("\"items\":5,"));
    EXPECT_THAT(state, HasSubstr("\"fault\":\"half\""));
    EXPECT_THAT(get(upstream, "/second").body, HasSubstr("<h3>Kept</h3>"));
}

TEST(Upstream, SpeaksTlsWhereItHasACertificate)
{
    const Folder folder;
    const std::string cert = (folder.path() / "cert.pem").string(), key = (folder.path() / "key.pem").string();
    const std::string make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
                             "-subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 -keyout " +
                             key + " -out " + cert + " 2>" + (folder.path() / "log").string();
    ASSERT_EQ(std::system(make.c_str()), 0);
    const Upstream upstream({"--tls-cert", cert, "--tls-key", key});
    ASSERT_FALSE(upstream.tls_url.empty());
    const Got got = ask({.url = upstream.tls_url + "/prices", .ca_file = cert});
    EXPECT_EQ(got.status, 200);
    EXPECT_NE(ask({.url = upstream.tls_url + "/prices"}).code, CURLE_OK) << "nobody else trusts it";
}

} // namespace
