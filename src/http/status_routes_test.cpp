// SPDX-License-Identifier: Apache-2.0
// The status routes over real sockets: versions, jobs, overview, the server about itself.
#include "http/embedded.hpp"
#include "http/problem_help.hpp"
#include "http/status_routes_world.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <set>
#include <simdjson.h>

namespace freshet::http {

namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// --- The description ---

TEST_F(StatusRoutes, AreDescribedInOpenApiOneByOne)
{
    std::set<std::string> served, described;
    for (const Routes& table : all_routes())
        for (const Route& route : table) {
            std::string pattern{route.pattern};
            // That a capture takes all that is left is nothing the description can say.
            if (const auto dots = pattern.find("...}"); dots != std::string::npos) pattern.erase(dots, 3);
            served.insert(fmt::format("{} {}", route.method, pattern));
        }
    const Answered answer = get("/openapi.json");
    ASSERT_EQ(answer.status, 200);
    simdjson::dom::parser parser;
    simdjson::dom::object paths;
    ASSERT_EQ(parser.parse(answer.body)["paths"].get(paths), simdjson::SUCCESS);
    for (const auto [path, item] : paths)
        for (const auto [method, operation] : simdjson::dom::object{item})
            if (method != "parameters") {
                std::string upper{method};
                std::ranges::transform(upper, upper.begin(), [](char c) {
                    return static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
                });
                described.insert(fmt::format("{} {}", upper, path));
            }
    EXPECT_EQ(described, served);
    EXPECT_EQ(get("/openapi.json", "If-None-Match: " + answer.header("etag") + "\r\n").status, 304);
}

// --- Versions ---

TEST_F(StatusRoutes, ListVersionsNewestFirstAndPageThem)
{
    for (int i = 1; i <= 3; ++i) change("rows", fmt::format(R"([{{"id":{}}}])", i));
    Json page{get("/v1/data/rows/versions?limit=2").body};
    EXPECT_EQ(page.number("/items/0/ver"), 3);
    EXPECT_EQ(page.text("/items/0/href"), "/v1/data/rows/versions/3");
    EXPECT_EQ(page.text("/next"), "2");
    EXPECT_EQ(page.text("/cursor"), "1:3");
    Json rest{get("/v1/data/rows/versions?limit=2&after=2").body};
    EXPECT_EQ(rest.number("/items/0/ver"), 1);
    EXPECT_EQ(rest.text("/next"), "");
}

TEST_F(StatusRoutes, ServeAVersionForEverAndInACoding)
{
    const std::string large = fmt::format(R"([{{"id":1,"text":"{}"}}])", std::string(4000, 'x'));
    change("rows", large);
    change("rows", "[]");
    const Answered old = get("/v1/data/rows/versions/1");
    EXPECT_EQ(old.body, large);
    EXPECT_THAT(old.header("cache-control"), HasSubstr("immutable"));
    const Answered coded = get("/v1/data/rows/versions/1", "Accept-Encoding: gzip\r\n");
    EXPECT_EQ(coded.header("content-encoding"), "gzip");
    EXPECT_LT(coded.body.size(), 200u);
    EXPECT_NE(coded.header("etag"), old.header("etag"));
    EXPECT_EQ(get("/v1/data/rows/versions/1", "If-None-Match: " + old.header("etag") + "\r\n").status, 304);
    EXPECT_EQ(get("/v1/data/rows/versions/9").status, 404);
    EXPECT_EQ(get("/v1/data/rows/versions/x").status, 400);
    EXPECT_EQ(world.engine.posted(), 0u);
}

TEST_F(StatusRoutes, DiffTwoVersionsInRowsOrAsAPatch)
{
    change("rows", R"([{"id":1,"price":3},{"id":2,"price":5}])");
    change("rows", R"([{"id":1,"price":4},{"id":3,"price":7}])");
    const Answered rows = get("/v1/data/rows/diff");
    EXPECT_EQ(rows.header("content-type"), "application/vnd.freshet.diff+json");
    Json diff{rows.body};
    EXPECT_EQ(diff.number("/counts/added"), 1);
    EXPECT_EQ(diff.number("/counts/removed"), 1);
    EXPECT_EQ(diff.number("/counts/changed"), 1);
    EXPECT_EQ(get("/v1/data/rows/diff?from=1&to=2").body, rows.body);
    EXPECT_EQ(get("/v1/data/rows/diff?from=-1&to=2").body, rows.body);
    const Answered patch = get("/v1/data/rows/diff", "Accept: application/json-patch+json\r\n");
    EXPECT_EQ(patch.header("content-type"), "application/json-patch+json");
    EXPECT_THAT(patch.body, StartsWith("["));
    EXPECT_EQ(get("/v1/data/rows/diff", "Accept: text/html\r\n").status, 406);
    EXPECT_EQ(get("/v1/data/rows/diff?from=7").status, 404);
    EXPECT_EQ(get("/v1/data/rows/diff?by=3").status, 400);
}

// --- Jobs ---

TEST_F(StatusRoutes, ListJobsByStateAndPage)
{
    for (int i = 1; i <= 3; ++i) {
        Job job = world.job(i, "prices");
        job.state = i == 2 ? JobState::failed : JobState::succeeded;
        change_job(job);
    }
    Json page{get("/v1/jobs?limit=2").body};
    EXPECT_EQ(page.text("/items/0/id"), to_text(JobId{3}));
    EXPECT_EQ(page.text("/next"), to_text(JobId{2}));
    Json rest{get("/v1/jobs?limit=2&after=" + to_text(JobId{2})).body};
    EXPECT_EQ(rest.count("/items"), 1u);
    Json failed{get("/v1/jobs?state=failed&source=prices").body};
    EXPECT_EQ(failed.count("/items"), 1u);
    EXPECT_EQ(get("/v1/jobs?state=sleeping").status, 400);
    EXPECT_EQ(get("/v1/jobs?limit=501").status, 400);
    EXPECT_EQ(get("/v1/jobs?colour=red").status, 400);
}

TEST_F(StatusRoutes, ShowAJobWith200HoweverItEnded)
{
    Job job = world.job(5, "prices");
    job.state = JobState::failed;
    job.error = ErrorInfo{ErrorClass::fatal, "http_status", "it said 500"};
    change_job(job);
    const Answered answer = get("/v1/jobs/" + to_text(JobId{5}), "Prefer: wait=20\r\n");
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.header("cache-control"), "no-store");
    EXPECT_EQ(Json{answer.body}.text("/error/message"), "it said 500");
    EXPECT_EQ(get("/v1/jobs/" + to_text(JobId{99})).status, 404);
    EXPECT_EQ(get("/v1/jobs/nonsense").status, 404);
}

TEST_F(StatusRoutes, WaitForAJobsNextChange)
{
    Job job = world.job(5, "prices");
    job.state = JobState::running;
    job = change_job(job);
    RawClient waiting{world.port()};
    send_get(waiting, "/v1/jobs/" + to_text(job.id), "Prefer: wait=30\r\n");
    answer_fence();
    // The waiter registers before it reads where the job stands: a change that comes at any time from here on is seen.
    job.state = JobState::succeeded;
    change_job(job);
    const Answered answer = waiting.read();
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(Json{answer.body}.text("/state"), "succeeded");
    // What lies behind after_seq is there at once.
    EXPECT_EQ(
        Json{get(fmt::format("/v1/jobs/{}?after_seq=0", to_text(job.id)), "Prefer: wait=30\r\n").body}.text("/state"),
        "succeeded");
}

TEST_F(StatusRoutes, AnswerAJobAsItIsWhenTheWaitIsUsedUp)
{
    Job job = world.job(5, "prices");
    job.state = JobState::running;
    change_job(job);
    RawClient waiting{world.port()};
    send_get(waiting, "/v1/jobs/" + to_text(job.id), "Prefer: wait=30\r\n");
    answer_fence();
    world.advance(31s);
    EXPECT_EQ(Json{waiting.read().body}.text("/state"), "running");
}

TEST_F(StatusRoutes, CancelAndSayWhenItWasOverAlready)
{
    Job job = world.job(5, "prices");
    job.state = JobState::succeeded;
    change_job(job);
    RawClient asking{world.port()};
    asking.send("POST /v1/jobs/" + to_text(job.id) +
                "/cancel HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
    auto asked = world.engine.next();
    EXPECT_EQ(std::get<CancelJob>(asked.request).job, job.id);
    world.reply(asked, std::unexpected(Refused{Refusal::already_over, "", {}, {}, 0, {}}));
    const Answered answer = asking.read();
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(Json{answer.body}.text("/already"), "succeeded");

    asking.send("POST /v1/jobs/" + to_text(job.id) +
                "/retry HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: "
                "16\r\n\r\n{\"generation\":1}");
    auto retried = world.engine.next();
    EXPECT_EQ(std::get<RetryJob>(retried.request).generation, 1);
    world.reply(retried, std::unexpected(Refused{Refusal::generation_changed, "", {}, {}, 0, {}}));
    EXPECT_EQ(asking.read().status, 409);
    EXPECT_EQ(ask("POST", "/v1/jobs/" + to_text(job.id) + "/retry", R"({"inptu":1})").status, 400);
}

// --- Overview ---

TEST_F(StatusRoutes, ListEveryKeyWithCountsAlsoThoseNobodyHasRead)
{
    change("prices", "[1]");
    change("region/eu", "[1]");
    world.clock.advance(10min);
    change("rows", "[]");
    Json all{get("/v1/freshness").body};
    EXPECT_EQ(all.count("/items"), 4u); // clock, prices, region/eu, rows
    EXPECT_EQ(all.text("/items/0/state"), "empty");
    EXPECT_EQ(all.text("/items/1/state"), "stale");
    EXPECT_EQ(all.text("/items/3/state"), "fresh");
    EXPECT_EQ(all.number("/counts/total"), 4);
    EXPECT_EQ(all.number("/counts/stale"), 2);
    Json stale{get("/v1/freshness?state=stale&limit=1").body};
    EXPECT_EQ(stale.text("/items/0/key"), "prices");
    EXPECT_EQ(stale.text("/next"), "prices");
    Json next{get("/v1/freshness?state=stale&limit=1&after=prices").body};
    EXPECT_EQ(next.text("/items/0/key"), "region/eu");
    EXPECT_EQ(next.text("/next"), "");
    EXPECT_EQ(Json{get("/v1/freshness?state=empty").body}.count("/items"), 1u);
    EXPECT_EQ(world.engine.posted(), 0u);
}

TEST_F(StatusRoutes, ListSchedulesWithTheNextFiveFires)
{
    KeyView view = world.next_view("clock", "[]");
    view.record.next_at = from_rfc3339("2026-11-25T06:00:00Z");
    world.commit(view);
    Json list{get("/v1/schedules").body};
    EXPECT_EQ(list.text("/items/0/cron"), "0 6 * * *");
    EXPECT_EQ(list.text("/items/0/next/0"), "2026-11-25T06:00:00.000Z");
    EXPECT_EQ(list.text("/items/0/next/4"), "2026-11-29T06:00:00.000Z");
    EXPECT_EQ(list.count("/items"), 1u);
}

TEST_F(StatusRoutes, PauseASource)
{
    RawClient asking{world.port()};
    asking.send("POST /v1/sources/prices/pause HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
    auto asked = world.engine.next();
    EXPECT_TRUE(std::get<PauseSource>(asked.request).paused);
    world.reply(asked, Done{});
    EXPECT_EQ(asking.read().status, 200);
    EXPECT_EQ(ask("POST", "/v1/sources/nothing/pause").status, 404);
}

TEST_F(StatusRoutes, TellWhoAsks)
{
    Json me{get("/v1/me").body};
    EXPECT_EQ(me.text("/name"), "local");
    EXPECT_EQ(me.text("/role"), "admin");
    EXPECT_EQ(me.count("/rights"), 6u);
}

// --- The server about itself ---

TEST_F(StatusRoutes, TellHealthAndReadiness)
{
    EXPECT_EQ(Json{get("/healthz").body}.text("/status"), "ok");
    EXPECT_EQ(get("/readyz").status, 200);
    EXPECT_EQ(get("/metrics").status, 200);
}

TEST_F(StatusRoutes, ExplainProblemsInWords)
{
    EXPECT_THAT(get("/problems/held").body, HasSubstr("The new result was held back"));
    const Answered unknown = get("/problems/%3Cb%3E");
    EXPECT_EQ(unknown.status, 200);
    EXPECT_THAT(unknown.body, HasSubstr("&lt;b&gt;"));
    std::set<std::string_view> codes;
    for (const ProblemHelp& help : problem_helps()) EXPECT_TRUE(codes.insert(help.code).second) << help.code;
    for (int refusal = 0; refusal <= static_cast<int>(Refusal::stopping); ++refusal)
        EXPECT_TRUE(codes.contains(to_text(static_cast<Refusal>(refusal)))) << to_text(static_cast<Refusal>(refusal));
}

} // namespace
} // namespace freshet::http
