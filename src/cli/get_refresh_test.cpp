// SPDX-License-Identifier: Apache-2.0
#include "cli/fake_server.hpp"
#include "cli/json.hpp"
#include "cli/test_world.hpp"

#include <atomic>
#include <gmock/gmock.h>

namespace freshet::cli {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

FakeAnswer json(std::string body, std::vector<std::pair<std::string, std::string>> headers = {})
{
    headers.emplace_back("Content-Type", "application/json");
    return {200, std::move(headers), std::move(body)};
}

FakeAnswer problem(int status, std::string body)
{
    return {status, {{"Content-Type", "application/problem+json"}}, std::move(body)};
}

TEST(Get, PrintsTheValueByteForByteAndStartsNoWork)
{
    FakeServer server{[](const FakeRequest&) { return json("[1,\n 2]", {{"Age", "3"}}); }};
    TestWorld world{server.url()};
    EXPECT_EQ(world.run({"get", "rates/EUR"}), exit_done);
    EXPECT_EQ(world.out.str(), "[1,\n 2]");
    EXPECT_THAT(world.err.str(), IsEmpty());
    ASSERT_EQ(server.requests().size(), 1u);
    EXPECT_EQ(server.requests()[0].method, "GET");
    EXPECT_EQ(server.requests()[0].path, "/v1/data/rates/EUR");
    EXPECT_EQ(server.requests()[0].header("cache-control"), "only-if-cached");
}

TEST(Get, SaysWhyThereIsNoDataWhereTheSourceFails)
{
    FakeServer server{[](const FakeRequest&) {
        return problem(504, R"({"code":"not_cached","detail":"It failed: connection refused"})");
    }};
    TestWorld world{server.url()};
    EXPECT_EQ(world.run({"get", "sales"}), exit_not_fresh);
    EXPECT_EQ(world.err.str(),
              "sales has no data. It failed: connection refused.   try: freshet refresh sales --wait 30s\n");
}

TEST(Bench, TellsTheRateOfReadsAndStartsNoWork)
{
    FakeServer server{[](const FakeRequest&) { return json("[1]", {{"Age", "3"}}); }};
    TestWorld world{server.url()};
    EXPECT_EQ(world.run({"bench", "rates/EUR", "--clients", "1", "--for", "50ms", "--json"}), exit_done)
        << world.err.str();
    const auto told = Json::parse(world.out.str());
    ASSERT_TRUE(told.has_value()) << world.out.str();
    EXPECT_GE((*told)["reads"].whole(), 1);
    EXPECT_EQ((*told)["failed"].whole(), 0);
    EXPECT_EQ((*told)["bytes"].whole(), 3);
    for (const FakeRequest& request : server.requests()) EXPECT_EQ(request.header("cache-control"), "only-if-cached");
}

TEST(Bench, EndsWithWordsWhereThereIsNothingToRead)
{
    FakeServer server{[](const FakeRequest&) { return problem(504, R"({"code":"not_cached"})"); }};
    TestWorld world{server.url()};
    EXPECT_EQ(world.run({"bench", "sales"}), exit_not_fresh);
    EXPECT_THAT(world.err.str(), HasSubstr("sales has no data that could be read.   try: freshet refresh sales"));
}

TEST(Get, ComparesAgesItselfAndSaysWhatToTry)
{
    FakeServer server{[](const FakeRequest&) { return json("{}", {{"Age", "41"}}); }};
    TestWorld world{server.url()};
    EXPECT_EQ(world.run({"get", "sales", "--max-age", "10s"}), exit_not_fresh);
    EXPECT_EQ(world.err.str(),
              "sales is 41 s old, you asked for at most 10 s.   try: freshet refresh sales --wait 30s\n");
    EXPECT_THAT(world.out.str(), IsEmpty());
    EXPECT_EQ(world.run({"get", "sales", "--max-age", "41s"}), exit_not_fresh) << "41 rounded down may be 41.9";
    EXPECT_EQ(world.run({"get", "sales", "--max-age", "42s"}), exit_done);
    EXPECT_EQ(server.requests().size(), 3u);
}

TEST(Get, TakesTheExactAgeOfAnEnvelopeThatHasNoAgeHeader)
{
    FakeServer server{[](const FakeRequest&) { return json(R"({"meta":{"age_ms":9900,"state":"fresh"},"data":[]})"); }};
    TestWorld world{server.url()};
    EXPECT_EQ(world.run({"get", "sales", "--json", "--max-age", "10s"}), exit_done);
    EXPECT_THAT(world.out.str(), HasSubstr("\"meta\""));
    EXPECT_EQ(world.run({"get", "sales", "--json", "--max-age", "9s"}), exit_not_fresh);
    EXPECT_EQ(server.requests()[0].path, "/v1/data/sales?envelope=1");
}

TEST(Get, ShowsTheStoryWithMeta)
{
    FakeServer server{[](const FakeRequest&) {
        return json(
            R"({"meta":{"key":"sales","state":"failing","age_ms":61000,"ver":42,"error":{"message":"connection refused"},"held":true},"data":[]})");
    }};
    TestWorld world{server.url()};
    EXPECT_EQ(world.run({"get", "sales", "--meta"}), exit_done);
    EXPECT_EQ(world.out.str(),
              "key    sales\nstate  failing\nage    61 s\nver    42\nerror  connection refused\nheld   yes\n");
}

TEST(Get, EndsWithTheExitCodeOfWhatIsWrong)
{
    struct Case {
        int status;
        const char* body;
        int exit_code;
        const char* words;
    };
    const Case cases[]{
        {401, R"({"status":401,"code":"no_token","detail":"a token is needed."})", exit_not_allowed,
         "sales: a token is needed.   try: export FRESHET_TOKEN=..."},
        {403, R"({"status":403,"detail":"not yours","try":"another token"})", exit_not_allowed,
         "sales: not yours.   try: another token"},
        {404, R"({"status":404,"code":"unknown_source","detail":"there is no source sales"})", exit_not_found,
         "there is no source sales.   try: freshet top -1"},
        {504, R"({"status":504,"code":"cold"})", exit_not_fresh,
         "sales has no data yet.   try: freshet refresh sales --wait 30s"},
        {503, R"({"status":503,"code":"busy","title":"Too much at once"})", exit_failed,
         "sales: Too much at once.   try: again in a moment"},
    };
    std::atomic<int> at{0};
    FakeServer server{[&](const FakeRequest&) { return problem(cases[at].status, cases[at].body); }};
    TestWorld world{server.url()};
    for (at = 0; at < 5; ++at) {
        EXPECT_EQ(world.run({"get", "sales"}), cases[at].exit_code) << at;
        EXPECT_THAT(world.err.str(), HasSubstr(cases[at].words));
        EXPECT_THAT(world.out.str(), IsEmpty());
    }
}

TEST(Get, TellsAServerThatIsNotThereAndOneThatIsNotFreshet)
{
    std::string gone;
    {
        FakeServer server{[](const FakeRequest&) { return FakeAnswer{502, {}, "<html>"}; }};
        gone = server.url();
        TestWorld world{server.url()};
        EXPECT_EQ(world.run({"get", "sales"}), exit_unreachable);
        EXPECT_THAT(world.err.str(), HasSubstr("HTTP 502 from something that is not freshet"));
    }
    TestWorld world{gone};
    EXPECT_EQ(world.run({"get", "sales"}), exit_unreachable);
    EXPECT_THAT(world.err.str(), HasSubstr("no freshet server answers at " + gone));
    EXPECT_THAT(world.err.str(), HasSubstr("   try: check FRESHET_URL"));
}

TEST(Get, RefusesAKeyThatIsNoneBeforeItAsksAnyone)
{
    TestWorld world{"http://127.0.0.1:1"};
    for (const char* key : {"/sales", "sales/", "a//b", "a/../b", "a\nb"}) {
        EXPECT_EQ(world.run({"get", key}), exit_usage) << key;
        EXPECT_THAT(world.err.str(), HasSubstr("is no key"));
        EXPECT_EQ(std::ranges::count(world.err.str(), '\n'), 1) << "an error is one line";
    }
}

TEST(Get, SendsTheTokenOfTheDataDirToTheServerOfThatConfigAlone)
{
    FakeServer server{[](const FakeRequest&) { return json("1"); }};
    TestWorld world;
    const std::string listen = server.url().substr(7);
    world.write("freshet.toml", fmt::format("[server]\nlisten = \"{}\"\ndata_dir = \"./d\"\n[source.half", listen));
    EXPECT_EQ(world.run({"get", "x"}), exit_usage) << "a file that is no TOML";
    world.write(
        "freshet.toml",
        fmt::format("[server]\nlisten = \"{}\"\ndata_dir = \"./d\"\n[source.half]\nkind = \"not yet\"\n", listen));
    std::filesystem::create_directory(world.context.folder / "d");
    world.write("d/cli-token", "secret-1\n");
    EXPECT_EQ(world.run({"get", "x"}), exit_done) << "the rest of the file may be in the making";
    world.variables["FRESHET_URL"] = server.url();
    EXPECT_EQ(world.run({"get", "x"}), exit_done);
    world.variables["FRESHET_TOKEN"] = "mine";
    EXPECT_EQ(world.run({"get", "x"}), exit_done);
    ASSERT_EQ(server.requests().size(), 3u);
    EXPECT_EQ(server.requests()[0].header("authorization"), "Bearer secret-1");
    EXPECT_EQ(server.requests()[1].header("authorization"), "");
    EXPECT_EQ(server.requests()[2].header("authorization"), "Bearer mine");
}

// A refresh as the server tells it: 202, then the job as each poll finds it.
struct Story {
    std::string asked_freshet = R"(state=stale, outcome=pending;id="j_01", joined=?0, callers=1)";
    std::vector<std::string> polls;
    std::atomic<std::size_t> next{0};

    FakeAnswer operator()(const FakeRequest& request)
    {
        if (request.method == "POST")
            return {202, {{"Freshet", asked_freshet}, {"Location", "/v1/jobs/j_01"}}, R"({"id":"j_01"})"};
        const std::size_t at = next++;
        return json(polls.at(std::min(at, polls.size() - 1)));
    }
};

TEST(Refresh, FollowsTheJobToItsEndAndSaysWhatCameOfIt)
{
    Story story;
    story.polls = {
        R"({"id":"j_01","state":"running","seq":5,"callers":1})",
        R"({"id":"j_01","state":"succeeded","seq":6,"outcome":"updated","callers":2,"base_ver":412,"ver":413,"counts":{"added":1,"changed":3,"removed":0}})"};
    FakeServer server{std::ref(story)};
    TestWorld world{server.url()};
    EXPECT_EQ(world.run({"refresh", "sales", "--wait", "30s"}), exit_done);
    EXPECT_THAT(
        world.out.str(),
        testing::MatchesRegex(
            "started by you, 1 other caller joined … updated in [0-9.]+ s   v412 -> v413   3 changed, 1 added\n"));
    EXPECT_THAT(world.err.str(), IsEmpty());
    const auto requests = server.requests();
    ASSERT_EQ(requests.size(), 3u);
    EXPECT_EQ(requests[0].path, "/v1/data/sales/refresh");
    EXPECT_EQ(requests[0].header("prefer"), "respond-async");
    EXPECT_THAT(requests[0].header("idempotency-key"), StartsWith("cli-"));
    EXPECT_EQ(requests[1].path, "/v1/jobs/j_01");
    EXPECT_EQ(requests[2].path, "/v1/jobs/j_01?after_seq=5");
    EXPECT_THAT(requests[2].header("prefer"), StartsWith("wait="));
}

TEST(Refresh, SaysThatItJoinedAndThatThereIsNothingNew)
{
    Story story;
    story.asked_freshet = R"(state=stale, outcome=pending;id="j_01", joined=?1, callers=3)";
    story.polls = {R"({"id":"j_01","state":"succeeded","seq":6,"outcome":"unchanged","callers":3,"ver":413})"};
    FakeServer server{std::ref(story)};
    TestWorld world{server.url()};
    EXPECT_EQ(world.run({"refresh", "sales", "--wait", "30s"}), exit_done);
    EXPECT_THAT(world.out.str(), StartsWith("joined a refresh, with 2 other callers … checked, nothing new, in "));
}

TEST(Refresh, F3NeverSaysSuccessWhenItFailedAndNamesTheDataThatStays)
{
    Story story;
    story.polls = {
        R"({"id":"j_01","state":"failed","outcome":"failed","seq":6,"error":{"message":"connection refused."},"last_good":{"checked_at":"2026-11-24T14:02:00Z"}})"};
    FakeServer server{std::ref(story)};
    TestWorld world{server.url()};
    EXPECT_EQ(world.run({"refresh", "sales", "--wait", "30s"}), exit_failed);
    EXPECT_THAT(world.out.str(), IsEmpty());
    EXPECT_THAT(world.err.str(), StartsWith("sales failed: connection refused; showing "));
    EXPECT_THAT(world.err.str(), HasSubstr("   try: freshet jobs show j_01"));
}

TEST(Refresh, TellsAHeldResultFromAFailure)
{
    Story story;
    story.polls = {R"({"id":"j_01","state":"succeeded","outcome":"held","seq":6,"held":{"reason":"shrunk","rows":2}})"};
    FakeServer server{std::ref(story)};
    TestWorld world{server.url()};
    EXPECT_EQ(world.run({"refresh", "sales", "--wait", "30s"}), exit_failed);
    EXPECT_THAT(world.err.str(), HasSubstr("the new result is held (shrunk), the good one stays"));
}

TEST(Refresh, GoesOnWithTheJobThatTookThePlace)
{
    std::vector<std::string> asked;
    FakeServer server{[&](const FakeRequest& request) {
        if (request.method == "POST") return FakeAnswer{202, {{"Location", "/v1/jobs/j_01"}}, "{}"};
        if (request.path.starts_with("/v1/jobs/j_01"))
            return json(R"({"id":"j_01","state":"cancelled","seq":9,"superseded_by":"j_02"})");
        return json(R"({"id":"j_02","state":"succeeded","outcome":"updated","seq":10,"ver":7})");
    }};
    TestWorld world{server.url()};
    EXPECT_EQ(world.run({"refresh", "sales", "--wait", "30s"}), exit_done);
    EXPECT_THAT(world.out.str(), HasSubstr("updated in "));
    EXPECT_EQ(server.requests().back().path, "/v1/jobs/j_02");
}

TEST(Refresh, EndsWithSevenWhenTheTimeIsUpAndTheWorkGoesOn)
{
    Story story;
    story.polls = {R"({"id":"j_01","state":"running","seq":5})"};
    FakeServer server{std::ref(story)};
    TestWorld world{server.url()};
    EXPECT_EQ(world.run({"refresh", "sales", "--wait", "20ms"}), exit_timed_out);
    EXPECT_THAT(world.err.str(),
                HasSubstr("it goes on as j_01.   try: freshet refresh sales --wait 40ms, which joins it"));
    EXPECT_THAT(world.out.str(), IsEmpty());
}

TEST(Refresh, WithoutAWaitPrintsTheJobAndReturns)
{
    Story story;
    FakeServer server{std::ref(story)};
    TestWorld world{server.url()};
    EXPECT_EQ(world.run({"refresh", "sales"}), exit_done);
    EXPECT_EQ(world.out.str(), "j_01\n");
    EXPECT_EQ(world.run({"refresh", "sales", "--json"}), exit_done);
    EXPECT_EQ(world.out.str(), "{\"id\":\"j_01\"}\n");
}

TEST(Refresh, AsksAgainAsTheSameRequestWhenTheConnectionBreaks)
{
    std::atomic<int> posts{0};
    FakeServer server{[&](const FakeRequest& request) {
        if (request.method == "POST" && posts++ == 0) return FakeAnswer{.drop = true};
        if (request.method == "POST") return FakeAnswer{202, {{"Location", "/v1/jobs/j_01"}}, "{}"};
        return json(R"({"id":"j_01","state":"succeeded","outcome":"updated","seq":6})");
    }};
    TestWorld world{server.url()};
    EXPECT_EQ(world.run({"refresh", "sales", "--wait", "30s", "--json"}), exit_done);
    const auto requests = server.requests();
    ASSERT_EQ(requests.size(), 3u);
    EXPECT_EQ(requests[0].header("idempotency-key"), requests[1].header("idempotency-key"));
    EXPECT_THAT(world.out.str(), StartsWith("{\"id\":\"j_01\""));
}

TEST(Refresh, SaysInWordsWhenItIsLimited)
{
    FakeServer server{[](const FakeRequest&) {
        return FakeAnswer{429,
                          {{"Content-Type", "application/problem+json"}, {"Retry-After", "9"}},
                          R"({"status":429,"code":"limited","detail":"6 refreshes per minute are used up"})"};
    }};
    TestWorld world{server.url()};
    EXPECT_EQ(world.run({"refresh", "sales", "--wait", "30s"}), exit_failed);
    EXPECT_EQ(world.err.str(), "sales: 6 refreshes per minute are used up.   try: again in 9 s\n");
}

TEST(Refresh, DrawsABarOnATerminalOnlyAndLeavesNothingOfIt)
{
    Story story;
    story.polls = {
        R"({"id":"j_01","state":"running","seq":5,"progress":{"phase":"fit","done":310,"total":500},"eta":{"low_ms":35000,"high_ms":50000}})",
        R"({"id":"j_01","state":"succeeded","outcome":"updated","seq":6})"};
    FakeServer server{std::ref(story)};
    TestWorld world{server.url()};
    world.context.err_terminal = true;
    EXPECT_EQ(world.run({"refresh", "sales", "--wait", "30s"}), exit_done);
    EXPECT_THAT(world.err.str(), HasSubstr("62 %  fit 310/500  ETA 35-50 s"));
    EXPECT_TRUE(world.err.str().ends_with("\r\x1b[K"));
    EXPECT_THAT(world.out.str(), Not(HasSubstr("\x1b")));
    story.next = 0;
    EXPECT_EQ(world.run({"refresh", "sales", "--wait", "30s", "--json"}), exit_done);
    EXPECT_THAT(world.err.str(), IsEmpty());
}

} // namespace
} // namespace freshet::cli
