// SPDX-License-Identifier: Apache-2.0
// The C++ SDK by itself: against a server that answers what the test says, and without any.
#include "tests/sdk/cpp/scripted_server.hpp"

#include <algorithm>
#include <freshet/testing.hpp>
#include <freshet/worker.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <latch>
#include <mutex>

namespace freshet::outside {

namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

const std::string no_jobs = R"({"jobs":[],"now":"2026-01-01T00:00:00.000Z"})";

std::string jobs(int count, const std::string& input = "{}", int lease_ms = 30'000)
{
    Json list = Json::list();
    for (int i = 1; i <= count; ++i)
        list.push(Json{{"id", "j_" + std::to_string(i)},
                       {"fence", 100 + i},
                       {"attempt", 1},
                       {"generation", 1},
                       {"lease_ms", lease_ms},
                       {"queue", "work"},
                       {"tenant", "default"},
                       {"input", Json::parse(input)}});
    return Json{{"jobs", list}}.dump();
}

/// As the server answers who tells of these jobs: each with the same words.
std::string answers(const Asked& asked, const std::string& name, const Json& value)
{
    Json list = Json::list();
    const Json body = Json::parse(asked.body);
    for (const Json& job : body["jobs"].items()) list.push(Json{{"id", job["id"]}, {name, value}});
    return Json{{"jobs", list}}.dump();
}

/// A server with `count` jobs for the first claim, which takes every end.
ScriptedServer::Handler with_jobs(int count, std::function<std::optional<Scripted>(const Asked&)> otherwise = {})
{
    return [count, otherwise, given = false](const Asked& asked) mutable -> Scripted {
        if (otherwise)
            if (const auto scripted = otherwise(asked)) return *scripted;
        if (asked.path == "/v1/work/claim") {
            if (std::exchange(given, true)) return {.body = no_jobs};
            return {.body = jobs(count)};
        }
        if (asked.path == "/v1/work/beat") return {.body = answers(asked, "answer", "ok")};
        return {.body = answers(asked, "state", "succeeded")};
    };
}

WorkerOptions options_for(const ScriptedServer& server)
{
    WorkerOptions options;
    options.url = server.url();
    options.id = "w";
    options.signals = false;
    options.grace = 5s;
    options.stop_wait = 500ms;
    options.say = [](std::string_view) {};
    return options;
}

std::size_t told_jobs(const std::vector<Asked>& calls)
{
    std::size_t count = 0;
    for (const Asked& call : calls) count += Json::parse(call.body)["jobs"].size();
    return count;
}

TEST(WorkerSdk, TellsManyEndsInOneCall)
{
    ScriptedServer server{with_jobs(500)};
    WorkerOptions options = options_for(server);
    options.ahead = 1'000;
    Worker worker{options};
    std::atomic<int> done{0};
    worker.task("work", [&](Job& job) {
        if (++done == 500) worker.stop();
        return job.input();
    });
    EXPECT_EQ(worker.run(), 0);
    const auto calls = server.requests("/v1/work/complete");
    EXPECT_EQ(told_jobs(calls), 500U);
    EXPECT_LT(calls.size(), 100U);
    EXPECT_EQ(Json::parse(server.requests("/v1/work/claim").front().body)["slots"].whole(), 1'000);
}

TEST(WorkerSdk, F6SendsProgressAtMostFourTimesASecondAndTheLastAlways)
{
    ScriptedServer server{with_jobs(1)};
    Worker worker{options_for(server)};
    std::int64_t told = 0;
    worker.task("work", [&](Job& job) {
        const auto until = std::chrono::steady_clock::now() + 1'100ms;
        while (std::chrono::steady_clock::now() < until) job.progress(++told, {}, "count");
        worker.stop();
    });
    EXPECT_EQ(worker.run(), 0);
    const auto beats = server.requests("/v1/work/beat");
    EXPECT_GE(beats.size(), 2U);
    EXPECT_LE(beats.size(), 7U); // one at once, four in the second, the last, and one for the clock's sake
    EXPECT_EQ(Json::parse(beats.back().body)["jobs"][std::size_t{0}]["progress"]["done"].whole(), told);
    // It came before the end, which spends the fence.
    const auto all = server.requests();
    const auto is_beat = [](const Asked& asked) { return asked.path == "/v1/work/beat"; };
    const auto last = std::find_if(all.rbegin(), all.rend(), is_beat).base();
    EXPECT_TRUE(std::any_of(last, all.end(), [](const Asked& asked) { return asked.path == "/v1/work/complete"; }));
}

TEST(WorkerSdk, F7BeatsAsOftenAsItIsTold)
{
    // The lease is 30 s: by itself the first beat would leave after 8 s at the soonest.
    ScriptedServer server{with_jobs(1)};
    WorkerOptions options = options_for(server);
    options.beat_every = 50ms;
    Worker worker{options};
    worker.task("work", [&](Job&) {
        const auto until = std::chrono::steady_clock::now() + 5s;
        while (server.requests("/v1/work/beat").size() < 3 && std::chrono::steady_clock::now() < until)
            std::this_thread::sleep_for(5ms);
        worker.stop();
    });
    EXPECT_EQ(worker.run(), 0);
    EXPECT_GE(told_jobs(server.requests("/v1/work/beat")), 3U);
}

TEST(WorkerSdk, F10TellsAnEndUntilItIsTaken)
{
    int refusals = 2;
    ScriptedServer server{with_jobs(3, [&](const Asked& asked) -> std::optional<Scripted> {
        if (asked.path != "/v1/work/complete" || refusals == 0) return {};
        return --refusals == 1 ? Scripted{.status = 503, .body = R"({"code":"busy"})"} : Scripted{.drop = true};
    })};
    Worker worker{options_for(server)};
    std::atomic<int> done{0};
    worker.task("work", [&](Job&) {
        if (++done == 3) worker.stop();
        return Json{{"ok", true}};
    });
    EXPECT_EQ(worker.run(), 0);
    EXPECT_EQ(refusals, 0);
    const auto calls = server.requests("/v1/work/complete");
    std::size_t last_told = 0;
    for (std::size_t i = 2; i < calls.size(); ++i) last_told += Json::parse(calls[i].body)["jobs"].size();
    EXPECT_EQ(last_told, 3U);
}

TEST(WorkerSdk, F7StopsTheHandlerOfALostLeaseAndTellsNoResult)
{
    ScriptedServer server{[given = false](const Asked& asked) mutable -> Scripted {
        if (asked.path == "/v1/work/claim")
            return {.body = std::exchange(given, true) ? no_jobs : jobs(1, "{}", 1'000)};
        if (asked.path == "/v1/work/beat") return {.body = answers(asked, "answer", "lost")};
        return {.body = answers(asked, "state", "succeeded")};
    }};
    Worker worker{options_for(server)};
    StopReason reason = StopReason::none;
    worker.task("work", [&](Job& job) {
        std::latch stopped{1};
        const std::stop_callback on_stop{job.stop_token(), [&] { stopped.count_down(); }};
        stopped.wait();
        reason = job.stop_reason();
        worker.stop();
        return Json{{"late", true}};
    });
    EXPECT_EQ(worker.run(), 0);
    EXPECT_EQ(reason, StopReason::lost);
    EXPECT_THAT(server.requests("/v1/work/complete"), IsEmpty());
}

TEST(WorkerSdk, SaysWhatItHoldsAfterAClaimWhoseAnswerWasLost)
{
    ScriptedServer server{[claims = 0](const Asked& asked) mutable -> Scripted {
        if (asked.path != "/v1/work/claim") return {.body = answers(asked, "state", "succeeded")};
        switch (++claims) {
        case 1: return {.body = jobs(1)};
        case 2: return {.drop = true};
        default: return {.body = no_jobs};
        }
    }};
    Worker worker{options_for(server)};
    std::atomic<bool> over{false};
    worker.task("work", [&](Job&) {
        while (server.requests("/v1/work/claim").size() < 3) std::this_thread::yield();
        worker.stop();
    });
    EXPECT_EQ(worker.run(), 0);
    const auto claims = server.requests("/v1/work/claim");
    EXPECT_THAT(claims[0].body, HasSubstr(R"("holds":[])"));
    EXPECT_THAT(claims[1].body, Not(HasSubstr("holds")));
    EXPECT_THAT(claims[2].body, HasSubstr(R"("holds":[{"id":"j_1","fence":101}])"));
}

TEST(WorkerSdk, HandsBackWhatItDidNotBeginAndWhatDoesNotStop)
{
    ScriptedServer server{with_jobs(3)};
    WorkerOptions options = options_for(server);
    options.slots = 1;
    options.ahead = 10;
    options.grace = 50ms;
    options.stop_wait = 50ms;
    auto release = std::make_shared<std::latch>(1);
    {
        Worker worker{options};
        worker.task("work", [&worker, release](Job&) {
            worker.stop();
            release->wait(); // takes no notice
        });
        EXPECT_EQ(worker.run(), 1);
    }
    EXPECT_EQ(told_jobs(server.requests("/v1/work/release")), 3U);
    EXPECT_THAT(server.requests("/v1/work/complete"), IsEmpty());
    release->count_down();
}

TEST(WorkerSdk, EndsWithFourWhereItIsNotLetIn)
{
    ScriptedServer server{[](const Asked&) -> Scripted {
        return {.status = 401, .body = R"({"code":"unauthorized","detail":"This token was revoked."})"};
    }};
    WorkerOptions options = options_for(server);
    std::string said;
    options.say = [&](std::string_view line) { said += line; };
    Worker worker{options};
    worker.task("work", [](Job&) {});
    EXPECT_EQ(worker.run(), 4);
    EXPECT_THAT(said, HasSubstr("This token was revoked."));
}

TEST(WorkerSdk, F10FindsTheOneResultThatIsRefusedAndFailsThatAlone)
{
    ScriptedServer server{with_jobs(3, [](const Asked& asked) -> std::optional<Scripted> {
        if (asked.path != "/v1/work/complete" || asked.body.find("bad") == std::string::npos) return {};
        return Scripted{.status = 400, .body = R"({"code":"bad_body","detail":"No."})"};
    })};
    Worker worker{options_for(server)};
    std::latch together{3};
    std::once_flag stopped; // a second stop() is in a hurry
    worker.task("work", [&](Job& job) {
        together.arrive_and_wait();
        std::call_once(stopped, [&] { worker.stop(); });
        return Json{{"is", job.id() == "j_2" ? "bad" : "good"}};
    });
    EXPECT_EQ(worker.run(), 0);
    std::size_t good = 0;
    for (const Asked& call : server.requests("/v1/work/complete"))
        if (call.body.find("bad") == std::string::npos) good += Json::parse(call.body)["jobs"].size();
    EXPECT_EQ(good, 2U);
    const auto failed = server.requests("/v1/work/fail");
    ASSERT_EQ(failed.size(), 1U);
    EXPECT_THAT(failed[0].body, HasSubstr(R"("code":"result_refused","message":"No.")"));
}

TEST(WorkerSdk, PutsLargeResultsAndNamesThem)
{
    ScriptedServer server{with_jobs(1, [](const Asked& asked) -> std::optional<Scripted> {
        if (asked.method != "PUT") return {};
        return Scripted{.body = R"({"payload":77,"bytes":1000002})"};
    })};
    Worker worker{options_for(server)};
    worker.task("work", [&](Job&) {
        worker.stop();
        return Json{std::string(1'000'000, 'x')};
    });
    EXPECT_EQ(worker.run(), 0);
    const auto puts = server.requests("/v1/work/j_1/result?fence=101");
    ASSERT_EQ(puts.size(), 1U);
    EXPECT_EQ(puts[0].body.size(), 1'000'002U);
    EXPECT_THAT(server.requests("/v1/work/complete").at(0).body, HasSubstr(R"("payload":77)"));
}

TEST(WorkerSdk, TellsErrorsByTheirClass)
{
    ScriptedServer server{with_jobs(4)};
    WorkerOptions options = options_for(server);
    options.slots = 1;
    options.ahead = 10;
    Worker worker{options};
    worker.task("work", [&, at = 0](Job&) mutable {
        switch (++at) {
        case 1: throw Fatal{"gone", "no_region"};
        case 2: throw RateLimited{"slowly", 1'500ms};
        case 3: throw std::runtime_error{"bad bytes \xff here"};
        default: worker.stop(); throw 7;
        }
    });
    EXPECT_EQ(worker.run(), 0);
    std::string told;
    for (const Asked& call : server.requests("/v1/work/fail")) told += call.body;
    EXPECT_THAT(told, HasSubstr(R"("error":{"class":"fatal","code":"no_region","message":"gone"})"));
    EXPECT_THAT(told,
                HasSubstr(R"("class":"rate_limited","code":"rate_limited","message":"slowly"},"retry_after":1.5)"));
    EXPECT_THAT(told, HasSubstr("bad bytes \xEF\xBF\xBD here"));
    EXPECT_THAT(told, HasSubstr("no std::exception"));
}

// --- Without a server ---

Json forecast(Job& job)
{
    std::int64_t sum = 0;
    const std::vector<int> rows{1, 2, 3};
    for (const int row : job.track(rows, "fit")) sum += row;
    job.checkpoint(Json{{"sum", sum}});
    job.log("fitted");
    return Json{{"region", job.input()["region"]}, {"sum", sum}};
}

TEST(Testing, RunsAHandlerWithoutAServer)
{
    const auto run = freshet::testing::run(forecast, Json{{"region", "north"}});
    EXPECT_EQ(run.end, freshet::testing::End::succeeded);
    EXPECT_EQ(run.result, (Json{{"region", "north"}, {"sum", 6}}));
    EXPECT_EQ(run.progress.back().done, 3);
    EXPECT_EQ(run.progress.back().total, 3);
    EXPECT_EQ(run.progress.back().phase, "fit");
    EXPECT_EQ(run.checkpoints.back()["sum"].whole(), 6);
    EXPECT_EQ(run.log.back(), "fitted");
}

TEST(Testing, StopsAHandlerInTheMiddle)
{
    const auto run = freshet::testing::run(forecast, {}, {.stop_after = 2});
    EXPECT_EQ(run.end, freshet::testing::End::stopped);
    EXPECT_EQ(run.progress.back().done, 1);
}

TEST(Testing, TellsHowAHandlerEnds)
{
    const auto fatal = freshet::testing::run([](Job&) -> Json { throw Fatal{"no", "x"}; });
    EXPECT_EQ(fatal.end, freshet::testing::End::fatal);
    EXPECT_EQ(fatal.code, "x");
    const auto back = freshet::testing::run([](Job& job) { job.release(2s, "quota"); });
    EXPECT_EQ(back.end, freshet::testing::End::released);
    EXPECT_EQ(back.wait, 2s);
    EXPECT_EQ(back.message, "quota");
    const auto resumed = freshet::testing::run([](Job& job) { return job.checkpoint(); }, {},
                                               {.attempt = 2, .checkpoint = Json{{"done", 5}}});
    EXPECT_EQ(resumed.result["done"].whole(), 5);
}

TEST(SdkJson, ReadsAndWritesWhatItRead)
{
    const std::string text = R"({"a":[1,-2,2.5,18446744073709551615],"b":{"c":null,"d":true},"e":"\"\u05d0\n"})";
    const Json json = Json::parse(text);
    EXPECT_EQ(Json::parse(json.dump()), json);
    EXPECT_EQ(json["a"][std::size_t{3}].number(), 18446744073709551615.0);
    EXPECT_EQ(json["b"]["c"]["none"].whole(7), 7);
    EXPECT_EQ(json["e"].text(), "\"\xD7\x90\n");
    EXPECT_EQ((Json{{"list", Json::list({1, "two", Json{{"three", 3}}})}}.dump()), R"({"list":[1,"two",{"three":3}]})");
    EXPECT_THROW(Json::parse("{"), std::invalid_argument);
}

} // namespace

} // namespace freshet::outside
