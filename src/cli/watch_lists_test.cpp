// SPDX-License-Identifier: Apache-2.0
#include "cli/doctor.hpp"
#include "cli/fake_server.hpp"
#include "cli/test_world.hpp"

#include <atomic>
#include <gmock/gmock.h>

namespace freshet::cli {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

FakeAnswer json(std::string body)
{
    return {200, {{"Content-Type", "application/json"}}, std::move(body)};
}
FakeAnswer sse(std::string body)
{
    return {200, {{"Content-Type", "text/event-stream"}}, std::move(body)};
}

std::string state_event(std::string_view event, int gen, std::string_view state, std::string_view more = "")
{
    return fmt::format("event: {}\nid: 1:{}\ndata: "
                       "{{\"topic\":\"data/"
                       "sales\",\"meta\":{{\"key\":\"sales\",\"gen\":{},\"ver\":{},\"state\":\"{}\",\"now\":\"2026-11-"
                       "24T16:00:00Z\"}}{}}}\n\n",
                       event, gen, gen, gen, state, more);
}

TEST(Watch, PrintsStatesAndChangesUntilTheServerSaysThatThereIsNoMore)
{
    std::atomic<int> streams{0};
    FakeServer server{[&](const FakeRequest&) {
        if (streams++ > 0) return FakeAnswer{.status = 204};
        return sse("retry: 0\nevent: hello\ndata: {\"resume\":\"new\",\"beat_ms\":15000}\n\n" +
                   state_event("snapshot", 7, "fresh") +
                   state_event("change", 8, "fresh", ",\"outcome\":\"updated\",\"counts\":{\"changed\":3}"));
    }};
    TestWorld world{server.url()};
    EXPECT_EQ(world.run({"watch", "sales", "rates/*"}), exit_done);
    EXPECT_EQ(
        world.out.str(),
        "2026-11-24T16:00:00.000Z  sales  fresh  v7\n2026-11-24T16:00:00.000Z  sales  fresh  v8  updated  3 changed\n");
    EXPECT_EQ(server.requests()[0].path, "/v1/stream?topic=data%2Fsales&topic=data%2Frates%2F%2A");
}

TEST(Watch, F4NeverPrintsAnOlderGenAndTakesUpTheStreamWhereItWasCut)
{
    std::atomic<int> streams{0};
    FakeServer server{[&](const FakeRequest&) {
        const int at = streams++;
        const std::string hello = "retry: 0\nevent: hello\ndata: {\"resume\":\"ok\"}\n\n";
        if (at == 0) return sse(hello + state_event("change", 8, "fresh"));
        if (at == 1)
            return sse(hello + state_event("snapshot", 7, "stale") + state_event("snapshot", 8, "fresh") +
                       state_event("change", 9, "fresh"));
        return FakeAnswer{.status = 204};
    }};
    TestWorld world{server.url()};
    EXPECT_EQ(world.run({"watch", "sales", "--json"}), exit_done);
    EXPECT_EQ(std::ranges::count(world.out.str(), '\n'), 2);
    EXPECT_THAT(world.out.str(), AllOf(HasSubstr("\"gen\":8"), HasSubstr("\"gen\":9"), Not(HasSubstr("\"gen\":7"))));
    EXPECT_EQ(server.requests()[0].header("last-event-id"), "");
    EXPECT_EQ(server.requests()[1].header("last-event-id"), "1:8");
    EXPECT_EQ(server.requests()[2].header("last-event-id"), "1:9");
}

TEST(Watch, EndsWithTheServersLastWord)
{
    FakeServer server{[](const FakeRequest&) {
        return FakeAnswer{404,
                          {{"Content-Type", "application/problem+json"}},
                          R"({"status":404,"detail":"there is no source sales"})"};
    }};
    TestWorld world{server.url()};
    EXPECT_EQ(world.run({"watch", "sales"}), exit_not_found);
    EXPECT_THAT(world.err.str(), HasSubstr("sales: there is no source sales.   try: "));
}

TEST(Watch, EndsWithAHundredAndThirtyWhenItIsInterrupted)
{
    std::atomic<bool> interrupted{true};
    FakeServer server{[](const FakeRequest&) { return sse(""); }};
    TestWorld world{server.url()};
    world.context.interrupted = &interrupted;
    EXPECT_EQ(world.run({"watch", "sales"}), exit_interrupted);
    EXPECT_THAT(world.err.str(), IsEmpty());
}

TEST(Jobs, ShowsOneJobAsALine)
{
    FakeServer server{[](const FakeRequest&) {
        return json(
            R"({"id":"j_01k","queue":"forecast","state":"running","worker":"py-3","attempt":1,"attempts_max":5,"beat_at":"2026-11-24T16:00:00Z",
            "progress":{"phase":"fit","done":310,"total":500},"eta":{"low_ms":35000,"high_ms":50000},"now":"2026-11-24T16:00:02Z"})");
    }};
    TestWorld world{server.url()};
    EXPECT_EQ(world.run({"jobs", "show", "j_01k"}), exit_done);
    EXPECT_EQ(
        world.out.str(),
        "j_01k  forecast  RUNNING  62 %  fit 310/500  ETA 35-50 s   worker py-3 (beat 2 s ago)   attempt 1 of 5\n");
    EXPECT_EQ(server.requests()[0].path, "/v1/jobs/j_01k");
}

TEST(Jobs, ListsWithFiltersAndSaysHowToGoOn)
{
    FakeServer server{[](const FakeRequest&) {
        return json(
            R"({"items":[{"id":"j_2","key":"rates/EUR","state":"failed","attempt":3,"requested_at":"2026-11-24T15:59:00Z","outcome":"failed","error":{"message":"tim\u001b[31meout"}}],
            "next":"abc","now":"2026-11-24T16:00:00Z"})");
    }};
    TestWorld world{server.url()};
    EXPECT_EQ(world.run({"jobs", "list", "--state", "failed", "--queue", "a b", "--limit", "1"}), exit_done);
    EXPECT_EQ(server.requests()[0].path, "/v1/jobs?limit=1&state=failed&queue=a%20b");
    EXPECT_EQ(world.out.str(), "JOB  OF         STATE   ATTEMPT  REQUESTED  PROGRESS\nj_2  rates/EUR  failed  3        "
                               "60 s ago   failed: tim?[31meout\n");
    EXPECT_EQ(world.err.str(), "more: --after abc\n");
    EXPECT_EQ(world.run({"jobs", "list", "--json"}), exit_done);
    EXPECT_EQ(std::ranges::count(world.out.str(), '\n'), 1);
    EXPECT_EQ(world.run({"jobs", "list", "--limit", "501"}), exit_usage);
    EXPECT_EQ(world.run({"jobs", "list", "--kind", "refresh", "--key", "rates/EUR", "--tag", "a&b"}), exit_done);
    EXPECT_THAT(server.requests().back().path, EndsWith("&kind=refresh&key=rates%2FEUR&tag=a%26b"));
}

TEST(Jobs, ATokenOfAllTenantsSpeaksOfTheOneThatTheEnvironmentNames)
{
    FakeServer server{[](const FakeRequest&) { return json(R"({"items":[],"now":"2026-11-24T16:00:00Z"})"); }};
    TestWorld world{server.url()};
    world.variables["FRESHET_TENANT"] = "acme";
    EXPECT_EQ(world.run({"jobs", "list", "--limit", "1"}), exit_done);
    EXPECT_EQ(server.requests().back().path, "/v1/jobs?limit=1&tenant=acme");
    EXPECT_EQ(world.run({"jobs", "show", "j_1"}), exit_done);
    EXPECT_EQ(server.requests().back().path, "/v1/jobs/j_1?tenant=acme");
    EXPECT_EQ(world.run({"token", "list", "--tenant", "globex"}), exit_done);
    EXPECT_THAT(server.requests().back().path, HasSubstr("tenant=globex"));
    EXPECT_THAT(server.requests().back().path, Not(HasSubstr("acme")));
}

TEST(Tenants, AreNamedByEveryCommandThatIsAboutWhatIsTheirs)
{
    FakeServer server{[](const FakeRequest& request) {
        if (request.path == "/v1/jobs/j_1")
            return FakeAnswer{400,
                              {{"Content-Type", "application/problem+json"}},
                              R"({"code":"tenant_missing","detail":"The token is of all tenants.",
                "try":"Name it: ?tenant=NAME."})"};
        return json(R"({"items":[],"id":"j_1","now":"2026-11-24T16:00:00Z"})");
    }};
    TestWorld world{server.url()};
    EXPECT_EQ(world.run({"jobs", "show", "j_1"}), exit_usage);
    EXPECT_THAT(world.err.str(), HasSubstr("The token is of all tenants.   try: --tenant NAME"));
    for (const std::vector<std::string>& command : {std::vector<std::string>{"jobs", "show", "j_1"},
                                                    {"jobs", "list"},
                                                    {"jobs", "cancel", "j_1"},
                                                    {"batches", "list"},
                                                    {"schedules"},
                                                    {"top", "-1"},
                                                    {"get", "sales"},
                                                    {"refresh", "sales"}}) {
        std::vector<std::string> named = command;
        named.insert(named.end(), {"--tenant", "a b"});
        (void)world.run(named);
        EXPECT_THAT(server.requests().back().path, ::testing::EndsWith("tenant=a%20b")) << command[0];
    }
    EXPECT_EQ(server.requests()[1].path, "/v1/jobs/j_1?tenant=a%20b");
    EXPECT_EQ(server.requests()[2].path, "/v1/jobs?limit=50&tenant=a%20b");
}

TEST(Tenants, AreAColumnOfListsThatShowSeveral)
{
    std::string answer;
    FakeServer server{[&](const FakeRequest&) { return json(answer); }};
    TestWorld world{server.url()};
    answer = R"({"items":[{"id":"j_2","key":"own","tenant":"a","state":"failed"},
                          {"id":"j_1","key":"own","tenant":"b","state":"failed"}],"now":"2026-11-24T16:00:00Z"})";
    EXPECT_EQ(world.run({"jobs", "list"}), exit_done);
    EXPECT_THAT(world.out.str(), AllOf(HasSubstr("JOB  OF   TENANT"), HasSubstr("j_1  own  b ")));
    answer = R"({"items":[{"key":"own","tenant":"a","state":"fresh"},{"key":"own","tenant":"b","state":"fresh"}],
                 "now":"2026-11-24T16:00:00Z"})";
    EXPECT_EQ(world.run({"top", "-1"}), exit_done);
    EXPECT_THAT(world.out.str(), AllOf(HasSubstr("KEY  TENANT"), HasSubstr("own  b ")));
    answer = R"({"items":[{"id":"own","tenant":"a"},{"id":"own","tenant":"b"}],"now":"2026-11-24T16:00:00Z"})";
    EXPECT_EQ(world.run({"schedules"}), exit_done);
    EXPECT_THAT(world.out.str(), AllOf(HasSubstr("SCHEDULE  TENANT"), HasSubstr("own       b ")));
}

const char* const freshness = R"({"items":[
  {"key":"sales","state":"fresh","age_ms":4000,"ver":412,"rows":9,"next_at":"2026-11-24T16:00:20Z","refreshing":true,"last":{"outcome":"updated","job":"j_1"}},
  {"key":"rates/EUR","state":"failing","age_ms":7200000,"ver":3,"rows":1,"error":{"message":"connection refused"},"last":{"outcome":"failed","job":"j_2"}},
  {"key":"list","state":"overdue","held":true,"why":{"text":"it waits"}}],
  "counts":{"fresh":1,"failing":1,"overdue":1},"now":"2026-11-24T16:00:00Z"})";

TEST(Top, ShowsEveryKeyWithStateAgeAndReason)
{
    FakeServer server{[](const FakeRequest&) { return json(freshness); }};
    TestWorld world{server.url()};
    EXPECT_EQ(world.run({"top", "-1"}), exit_done);
    EXPECT_EQ(world.out.str(), "KEY        STATE    AGE  VER   ROWS  LAST     NEXT     WHY\n"
                               "sales      fresh +  4 s  v412  9     updated  in 20 s\n"
                               "rates/EUR  failing  2 h  v3    1     failed   -        connection refused\n"
                               "list       overdue  -    -     -              -        held it waits\n");
    world.context.color = true;
    EXPECT_EQ(world.run({"top", "-1"}), exit_done);
    EXPECT_THAT(world.out.str(), HasSubstr("\x1b[31m✖ failing\x1b[0m")) << "icon, word and colour together";
}

FakeAnswer healthy(const FakeRequest& request)
{
    if (request.path == "/readyz")
        return json(
            R"({"ready":true,"components":[{"name":"store","ready":true},{"name":"engine","ready":true},{"name":"runners","ready":true}]})");
    if (request.path.starts_with("/v1/freshness"))
        return json(fmt::format(R"({{"items":[{{"key":"disk","state":"fresh"}}],"now":"{}"}})",
                                to_rfc3339(SystemClock{}.wall())));
    if (request.path.starts_with("/v1/stream")) return sse("event: hello\ndata: {}\n\n");
    return {404, {}, ""};
}

TEST(Doctor, TriesTheStreamThatItsTokenMayOpen)
{
    std::string tenants;
    FakeServer server{[&](const FakeRequest& request) {
        if (request.path.starts_with("/v1/freshness"))
            return json(fmt::format(R"({{"items":[{}],"now":"{}"}})", tenants, to_rfc3339(SystemClock{}.wall())));
        if (request.path == "/v1/me") return json(R"({"tenant":"a","all_tenants":false})");
        return healthy(request);
    }};
    TestWorld world{server.url()};
    const auto asked = [&](const std::string& rows) {
        tenants = rows;
        (void)world.run({"doctor"});
        return server.requests().back().path;
    };
    const std::string shared = R"({"key":"rates","tenant":"*shared","state":"fresh"})";
    EXPECT_EQ(asked(shared + R"(,{"key":"own","tenant":"a","state":"fresh"})"), "/v1/stream?topic=freshness&tenant=a");
    EXPECT_EQ(asked(shared), "/v1/stream?topic=freshness") << "which is its own, with what is shared in it";
}

TEST(Doctor, SaysOkInOneLineWhenAllIsWell)
{
    FakeServer server{healthy};
    TestWorld world;
    world.write("freshet.toml", fmt::format("[server]\nlisten = \"{}\"\ndata_dir = \"./data\"\n[source.disk]\nkind = "
                                            "\"command\"\nrun = [\"df\"]\nformat = \"table\"\n",
                                            server.url().substr(7)));
    EXPECT_EQ(world.run({"doctor"}), exit_done) << world.out.str();
    EXPECT_THAT(
        world.out.str(),
        HasSubstr(
            "ok    config, storage (made at the first start), disk space, 3 components, clock, 1 key, streams\n"));
}

TEST(Doctor, WorksWithoutAServerAndSaysWhatIsMissing)
{
    TestWorld world;
    world.write("freshet.toml", "[server]\nlisten = \"127.0.0.1:1\"\n[source.sales]\nkind = \"http\"\nurl = "
                                "\"https://api.example.com/\"\nevery = \"15m\"\nfresh_for = \"5m\"\n");
    EXPECT_EQ(world.run({"doctor"}), exit_failed);
    EXPECT_THAT(world.out.str(),
                AllOf(HasSubstr("FAIL  no freshet server answers at http://127.0.0.1:1"),
                      HasSubstr("   try: freshet serve"), HasSubstr("WARN  "), HasSubstr("ok    config, storage")));
    world.write("freshet.toml", "[server]\nlisten = \"127.0.0.1:1\"\n[source.sales]\nkid = \"http\"\n");
    EXPECT_EQ(world.run({"doctor", "--json"}), exit_failed);
    EXPECT_THAT(world.out.str(), AllOf(HasSubstr("\"grade\":\"FAIL\""), HasSubstr("kid"), HasSubstr("\"try\"")));
}

TEST(Doctor, TellsARejectedTokenABrokenComponentAndAForeignServer)
{
    std::atomic<int> kind{0};
    FakeServer server{[&](const FakeRequest& request) {
        if (kind == 2) return FakeAnswer{200, {{"Content-Type", "text/html"}}, "<html>"};
        if (request.path == "/readyz" && kind == 1)
            return FakeAnswer{503,
                              {{"Content-Type", "application/json"}},
                              R"({"components":{"store":{"ready":false,"text":"the disk is full."}}})"};
        if (request.path.starts_with("/v1/freshness") && kind == 0)
            return FakeAnswer{
                401, {{"Content-Type", "application/problem+json"}}, R"({"detail":"the token was revoked"})"};
        return healthy(request);
    }};
    TestWorld world{server.url()};
    world.variables["FRESHET_TOKEN"] = "old";
    EXPECT_EQ(world.run({"doctor"}), exit_failed);
    EXPECT_THAT(world.out.str(),
                HasSubstr("FAIL  the token is rejected: the token was revoked.   try: export FRESHET_TOKEN=..."));
    kind = 1;
    EXPECT_EQ(world.run({"doctor"}), exit_failed);
    EXPECT_THAT(world.out.str(), HasSubstr("FAIL  component store: the disk is full.   try: "));
    kind = 2;
    EXPECT_EQ(world.run({"doctor"}), exit_failed);
    EXPECT_THAT(world.out.str(), HasSubstr("FAIL  something that is not freshet answers at " + server.url()));
}

TEST(Doctor, LooksAtEverySource)
{
    Findings findings;
    check_sources(findings, *Json::parse(freshness));
    EXPECT_EQ(findings_words(findings, false),
              "FAIL  source rates/EUR: failing, connection refused.   try: freshet jobs show j_2\n"
              "WARN  source list: a result is held for a person to decide.   try: freshet get list --meta\n"
              "ok    1 key\n");
}

TEST(Doctor, SaysOfAHeldResultWhyItIsHeldAndNotWhatFailedBefore)
{
    Findings findings;
    check_sources(findings, *Json::parse(R"({"now":"2026-01-01T00:30:00.000Z","items":[
        {"key":"shop","state":"failing","error":{"message":"it answered 500"},"held":true,
         "why":{"code":"held","text":"11 of 24 rows came"},"last":{"outcome":"held","job":"j_7"}}]})"));
    EXPECT_EQ(findings_words(findings, false),
              "FAIL  source shop: failing, 11 of 24 rows came.   try: freshet jobs show j_7\n");
}

TEST(Doctor, TellsOfWhoseSourceItIsAndOfWhatNeverCameOrIsLeftStale)
{
    Findings findings;
    check_sources(findings, *Json::parse(R"({"now":"2026-01-01T00:30:00.000Z","items":[
        {"key":"ingest","tenant":"initech","state":"empty","error":{"class":"fatal","code":"http_403","message":"not let in"}},
        {"key":"ingest","tenant":"acme","state":"stale","stale_at":"2026-01-01T00:15:00.000Z","next_at":"2026-01-01T00:40:00.000Z"},
        {"key":"ingest","tenant":"globex","state":"stale","stale_at":"2026-01-01T00:15:00.000Z"},
        {"key":"clock","tenant":"default","state":"empty"}]})"));
    EXPECT_EQ(
        findings_words(findings, false),
        "FAIL  source ingest of initech: empty, not let in.   try: freshet refresh ingest --wait 30s\n"
        "WARN  source ingest of acme: stale for 15 min, though it refreshes by itself.   try: freshet refresh ingest "
        "--wait 30s\n"
        "ok    2 keys\n");
}

} // namespace
} // namespace freshet::cli
