// SPDX-License-Identifier: Apache-2.0
// The sites of the five examples as their clients meet them, from outside.

#include "stand_in.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

using namespace stand_in;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

const std::vector<std::string> with_key{"X-N8N-API-KEY: invented"};

Got post(const Upstream& upstream, const std::string& path, const std::string& body)
{
    return ask({.url = upstream.url + path, .method = "POST", .body = body});
}

TEST(ExampleSites, ShowAFilmListOfTwoPagesInTheDataOfThePage)
{
    const Upstream upstream;
    const std::string first = get(upstream, "/imdb/user/ur10000001/watchlist").body;
    const std::string second = get(upstream, "/imdb/user/ur10000001/watchlist?page=2").body;
    EXPECT_THAT(
        first, AllOf(HasSubstr("id=\"__NEXT_DATA__\""), HasSubstr("\"total\":424"), HasSubstr("\"hasNextPage\":true")));
    EXPECT_EQ(count_of(first, "\"listItem\""), 250u);
    EXPECT_EQ(count_of(second, "\"listItem\""), 174u);
    EXPECT_THAT(second, HasSubstr("\"hasNextPage\":false"));
    EXPECT_LT(first.find("tt90000424"), first.find("tt90000423")) << "newest first";
    EXPECT_EQ(get(upstream, "/imdb/title/tt1").status, 404);
}

TEST(ExampleSites, TakeAFilmInTheShapeOfThePageAndInThatOfTheFacade)
{
    const Upstream upstream;
    control(
        upstream, "imdb",
        R"({"remove": 5, "add": [{"imdbId": "tt1", "title": "A </script> B", "year": 2001, "type": "tv", "runtime": 99},
                                     {"id": "tt2", "titleText": {"text": "Second"}, "ratingsSummary": null}]})");
    const std::string page = get(upstream, "/imdb/user/ur10000001/watchlist").body;
    EXPECT_THAT(page, HasSubstr("\"total\":421"));
    EXPECT_THAT(page, HasSubstr(R"("titleText":{"text":"A <\/script> B"})"));
    EXPECT_THAT(page, AllOf(HasSubstr(R"("titleType":{"id":"tvSeries"})"), HasSubstr(R"("runtime":{"seconds":5940})"),
                            HasSubstr(R"("ratingsSummary":null)")));
    EXPECT_LT(page.find("\"tt1\""), page.find("\"tt2\"")) << "the first of the array ends newest";
    EXPECT_EQ(count_of(get(upstream, "/imdb/user/ur10000001/watchlist?page=2").body, "tt90000005"), 0u)
        << "oldest gone";
}

TEST(ExampleSites, ReplaceAFilmThatIsAddedAgain)
{
    const Upstream upstream;
    control(upstream, "imdb", R"({"add": [{"id": "tt90000001", "titleText": {"text": "Found again"}}]})");
    const std::string page = get(upstream, "/imdb/user/ur10000001/watchlist").body;
    EXPECT_THAT(page, HasSubstr("\"total\":424"));
    EXPECT_LT(page.find("Found again"), page.find("tt90000424"));
}

TEST(ExampleSites, TurnAndNumberTheListWhenTold)
{
    const Upstream upstream;
    control(upstream, "imdb", R"({"oldest_first": true, "numbered": true})");
    const std::string page = get(upstream, "/imdb/user/ur10000001/watchlist").body;
    EXPECT_LT(page.find("tt90000001"), page.find("tt90000002"));
    EXPECT_THAT(page, AllOf(HasSubstr("\"17. 1917 Again\""), HasSubstr("\"23. 7.5 Degrees\"")));
}

TEST(ExampleSites, ShowAPrivateListWithoutItsRows)
{
    const Upstream upstream;
    control(upstream, "imdb", R"({"private": true})");
    const Got page = get(upstream, "/imdb/user/ur10000001/watchlist");
    EXPECT_EQ(page.status, 200);
    EXPECT_THAT(page.body, AllOf(HasSubstr("predefinedList"), Not(HasSubstr("titleListItemSearch"))));
    control(upstream, "cinema", R"({"private": true})");
    EXPECT_EQ(get(upstream, "/cinema").status, 403) << "a site without such a page refuses";
}

TEST(ExampleSites, FindATitleInOneOfFiveArrays)
{
    const Upstream upstream;
    EXPECT_THAT(get(upstream, "/tmdb/3/find/tt90000011?external_source=imdb_id").body,
                AllOf(HasSubstr(R"("movie_results":[{)"), HasSubstr(R"("tv_season_results":[])")));
    EXPECT_THAT(get(upstream, "/tmdb/3/find/tt90000010?external_source=imdb_id").body, HasSubstr(R"("tv_results":[{)"));
    EXPECT_THAT(get(upstream, "/tmdb/3/find/nonsense").body, HasSubstr(R"("movie_results":[])"));
}

TEST(ExampleSites, PageExecutionsByAnOpaqueCursorThatNewOnesDoNotShift)
{
    const Upstream upstream;
    EXPECT_EQ(get(upstream, "/n8n-acme/api/v1/executions").status, 401);
    const std::string first = get(upstream, "/n8n-acme/api/v1/executions?limit=250", with_key).body;
    EXPECT_EQ(count_of(first, "\"startedAt\""), 250u);
    const std::size_t at = first.find("\"nextCursor\":\"") + 14;
    const std::string cursor = first.substr(at, first.find('"', at) - at);
    control(upstream, "n8n-acme", R"({"add": [{}, {}, {}]})");
    const std::string second = get(upstream, "/n8n-acme/api/v1/executions?limit=250&cursor=" + cursor, with_key).body;
    EXPECT_EQ(count_of(second, "\"startedAt\""), 56u);
    EXPECT_THAT(second, HasSubstr("\"nextCursor\":null"));
    EXPECT_EQ(get(upstream, "/n8n-acme/api/v1/executions?limit=251", with_key).status, 400);
    EXPECT_EQ(get(upstream, "/n8n-acme/api/v1/executions?cursor=lost", with_key).status, 400);
}

TEST(ExampleSites, EndAnExecutionWhereItStood)
{
    const Upstream upstream;
    control(upstream, "n8n-globex", R"({"add": [{"id": 7, "status": "running"}]})");
    control(upstream, "n8n-globex", R"({"add": [{}]})");
    EXPECT_THAT(get(upstream, "/n8n-globex/api/v1/executions/7", with_key).body, HasSubstr("\"stoppedAt\":null"));
    control(upstream, "n8n-globex", R"({"add": [{"id": 7, "status": "success"}]})");
    EXPECT_THAT(get(upstream, "/n8n-globex/api/v1/executions/7", with_key).body, HasSubstr("\"finished\":true"));
    const std::string page = get(upstream, "/n8n-globex/api/v1/executions?limit=2", with_key).body;
    EXPECT_EQ(count_of(page, "\"id\":7"), 1u);
    EXPECT_EQ(page.find("\"id\":7") > page.find("\"startedAt\""), true) << "still second";
}

TEST(ExampleSites, ShowWorkflowsThatAnAddedOneReplaces)
{
    const Upstream upstream;
    const std::string before = get(upstream, "/n8n-acme/api/v1/workflows", with_key).body;
    EXPECT_EQ(count_of(before, "\"active\":true"), 4u);
    EXPECT_EQ(count_of(before, "\"isArchived\":true"), 1u);
    control(upstream, "n8n-acme", R"({"add": [{"id": "acme-wf-1", "name": "Renamed", "active": false}]})");
    const std::string after = get(upstream, "/n8n-acme/api/v1/workflows", with_key).body;
    EXPECT_EQ(count_of(after, "\"active\":true"), 3u);
    EXPECT_EQ(get(upstream, "/n8n-initech/api/v1/workflows", with_key).status, 403) << "never synced";
}

TEST(ExampleSites, TakeFiveThousandExecutionsInOneCall)
{
    const Upstream upstream;
    std::string items;
    for (int i = 0; i < 5000; ++i) items += (i == 0 ? "{}" : ",{}");
    const Got got = ask({.url = upstream.url + "/_control/n8n-acme",
                         .method = "PUT",
                         .body = "{\"add\": [" + items + "]}",
                         .timeout_ms = 20'000});
    EXPECT_EQ(got.status, 200);
    EXPECT_THAT(got.body, HasSubstr("\"items\":5306"));
}

TEST(ExampleSites, ShowWhatIsOn)
{
    const Upstream upstream;
    EXPECT_EQ(count_of(get(upstream, "/cinema").body, "<div class=\"film\">"), 18u);
    EXPECT_EQ(count_of(get(upstream, "/events").body, "\"poster\":\"/"), 14u);
    EXPECT_EQ(count_of(get(upstream, "/google_trend").body, "<ht:approx_traffic>"), 20u);
    control(upstream, "cinema", R"({"fault": "half"})");
    EXPECT_LT(count_of(get(upstream, "/cinema").body, "<div class=\"film\">"), 9u);
    control(upstream, "events", R"({"add": [{"event_title": "Tea at Noon"}]})");
    EXPECT_THAT(get(upstream, "/events").body,
                HasSubstr(R"({"event_title":"Tea at Noon","poster":"/_image/tea-at-noon.svg"})"));
}

TEST(ExampleSites, DrawPicturesThatCountAsNoRequest)
{
    const Upstream upstream;
    EXPECT_THAT(get(upstream, "/_image/tea-at-noon.svg").headers.at("content-type"), HasSubstr("image/svg+xml"));
    EXPECT_THAT(get(upstream, "/_control/events").body, HasSubstr("\"requests\":0"));
}

TEST(ExampleSites, GenerateTheSameTextForTheSameItem)
{
    const Upstream upstream;
    const std::string once = post(upstream, "/generator", R"({"key": "a", "topic": "tea"})").body;
    EXPECT_EQ(post(upstream, "/generator", R"({"key": "a", "topic": "tea"})").body, once);
    EXPECT_NE(post(upstream, "/generator", R"({"key": "b", "topic": "tea"})").body, once);
    EXPECT_EQ(post(upstream, "/generator", "tea").status, 400);
    control(upstream, "generator", R"({"fault": "403"})");
    EXPECT_EQ(post(upstream, "/generator", R"({"key": "c", "topic": "tea"})").status, 403);
    EXPECT_THAT(get(upstream, "/_control/generator").body,
                AllOf(HasSubstr("\"requests\":5"), HasSubstr("\"items\":3")));
}

TEST(ExampleSites, RememberEveryMessageOverARestart)
{
    const Folder folder;
    Upstream upstream({"--state", folder.path().string()});
    post(upstream, "/messages", R"({"to": "r1"})");
    post(upstream, "/messages", R"({"to": "r1"})");
    post(upstream, "/messages", R"({"text": "to nobody"})");
    upstream.stop();
    const Upstream again({"--state", folder.path().string()});
    EXPECT_EQ(count_of(get(again, "/messages").body, "\"to\":\"r1\""), 2u) << "what went twice can be seen";
    EXPECT_THAT(get(again, "/_control/messages").body, HasSubstr("\"requests\":1")) << "counted since the start";
}

TEST(ExampleSites, KnowReceiptsAndRecordingsByNumber)
{
    const Upstream upstream;
    EXPECT_THAT(get(upstream, "/receipts/12").body, HasSubstr("\"amount\":"));
    EXPECT_EQ(get(upstream, "/receipts/12").body, get(upstream, "/receipts/12").body);
    EXPECT_THAT(get(upstream, "/recordings/7").body, HasSubstr("\"id\":7"));
    EXPECT_EQ(get(upstream, "/recordings/none").status, 404);
}

TEST(ExampleSites, EndAHangWhenTheFaultChanges)
{
    const Upstream upstream;
    control(upstream, "google_trend", R"({"fault": "hang"})");
    Got got;
    std::thread client([&] { got = get(upstream, "/google_trend"); });
    EXPECT_TRUE(shows(upstream, "google_trend", "\"in_flight\":1"));
    control(upstream, "google_trend", R"({"fault": "none"})");
    client.join();
    EXPECT_EQ(got.status, 200);
}

} // namespace
