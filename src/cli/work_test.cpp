// SPDX-License-Identifier: Apache-2.0
// jobs add and its verbs, batches, schedules, run's program, and what the doctor says of work.
#include "cli/child.hpp"
#include "cli/child_lines.hpp"
#include "cli/doctor.hpp"
#include "cli/fake_server.hpp"
#include "cli/test_world.hpp"
#include "cli/work.hpp"

#include <csignal>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace freshet::cli {

namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

FakeAnswer json(std::string body, int status = 200)
{
    return {status, {{"Content-Type", "application/json"}}, std::move(body)};
}

const std::string queued = R"({"id":"j_1","queue":"forecast","state":"queued","attempt":0})";

TEST(JobsAdd, PutsAJobIntoAQueueAndPrintsItsIdAlone)
{
    FakeServer server{[](const FakeRequest&) { return json(queued, 201); }};
    TestWorld world{server.url()};
    EXPECT_EQ(world.run({"jobs", "add", "forecast", R"({"region": "north"})", "--tag", "night", "--priority", "3",
                         "--unique", "north"}),
              exit_done);
    EXPECT_EQ(world.out.str(), "j_1\n");
    const auto requests = server.requests();
    ASSERT_EQ(requests.size(), 1U);
    EXPECT_EQ(requests[0].method, "POST");
    EXPECT_EQ(requests[0].path, "/v1/jobs");
    EXPECT_EQ(requests[0].header("content-type"), "application/json");
    EXPECT_EQ(
        requests[0].body,
        R"({"queue":"forecast","input":{"region":"north"},"priority":3,"unique":{"key":"north"},"tags":["night"]})");
}

TEST(JobsAdd, RefusesAnInputThatIsNoJson)
{
    TestWorld world{"http://127.0.0.1:1"};
    EXPECT_EQ(world.run({"jobs", "add", "forecast", "region=north"}), exit_usage);
    EXPECT_THAT(world.err.str(), HasSubstr("the input is no JSON.   try: "));
}

TEST(JobVerbs, AskForWhatTheirNameSays)
{
    FakeServer server{[](const FakeRequest&) { return json(queued); }};
    TestWorld world{server.url()};
    EXPECT_EQ(world.run({"jobs", "cancel", "j_1"}), exit_done);
    EXPECT_EQ(world.run({"jobs", "run", "j_1"}), exit_done);
    EXPECT_EQ(world.run({"jobs", "retry", "j_1", "--input", "[1]"}), exit_done);
    EXPECT_THAT(world.out.str(), HasSubstr("j_1  forecast  QUEUED"));
    const auto requests = server.requests();
    ASSERT_EQ(requests.size(), 3U);
    EXPECT_EQ(requests[0].path, "/v1/jobs/j_1/cancel");
    EXPECT_EQ(requests[1].path, "/v1/jobs/j_1/run");
    EXPECT_EQ(requests[2].path, "/v1/jobs/j_1/retry");
    EXPECT_EQ(requests[2].body, R"({"input":[1]})");
}

TEST(JobsLogs, PrintsTheLinesAlone)
{
    FakeServer server{[](const FakeRequest& request) {
        return request.path.ends_with("after=2") ? json(R"({"items":[{"text":"third"}]})")
                                                 : json(R"({"items":[{"text":"first"},{"text":"second"}],"next":"2"})");
    }};
    TestWorld world{server.url()};
    EXPECT_EQ(world.run({"jobs", "logs", "j_1"}), exit_done);
    EXPECT_EQ(world.out.str(), "first\nsecond\nthird\n");
}

TEST(BatchItems, TakesListsAndLinesItemsAndInputs)
{
    EXPECT_THAT(
        batch_items("{\"key\":\"a\",\"input\":1}\n\n{\"region\":\"b\"}\n{\"input\":null,\"label\":\"C\"}\n").value(),
        ElementsAre(R"({"key":"a","input":1})", R"({"key":"2","input":{"region":"b"}})",
                    R"({"key":"3","label":"C","input":null})"));
    EXPECT_THAT(batch_items("[1, \"two\"]").value(),
                ElementsAre(R"({"key":"1","input":1})", R"({"key":"2","input":"two"})"));
    EXPECT_THAT(batch_items("{}\nnorth\n").error().what, HasSubstr("line 2 is no JSON"));
    EXPECT_FALSE(batch_items("\n").has_value());
}

TEST(BatchesCreate, GivesALargeOneInPartsAndSealsIt)
{
    FakeServer server{[](const FakeRequest&) { return json(R"({"id":"b_1","state":"open"})", 201); }};
    TestWorld world{server.url()};
    std::string lines;
    for (int i = 0; i < 2'500; ++i) lines += std::to_string(i) + "\n";
    world.write("items", lines);
    EXPECT_EQ(world.run({"batches", "create", "forecast", "items", "--name", "night"}), exit_done);
    EXPECT_EQ(world.out.str(), "b_1\n");
    const auto requests = server.requests();
    ASSERT_EQ(requests.size(), 4U);
    EXPECT_EQ(requests[0].path, "/v1/batches");
    EXPECT_THAT(requests[0].body, HasSubstr(R"("sealed":false)"));
    EXPECT_EQ(requests[2].path, "/v1/batches/b_1/items");
    EXPECT_THAT(requests[2].body, HasSubstr(R"({"key":"2500","input":2499})"));
    EXPECT_EQ(requests[3].path, "/v1/batches/b_1/seal");
}

TEST(Batches, ShowsCountsAndErrors)
{
    FakeServer server{[](const FakeRequest&) {
        return json(R"({"id":"b_1","queue":"forecast","state":"partial","percent":100,
            "counts":{"total":10,"done":10,"failed":2},"errors":[{"code":"no_region","message":"gone","count":2}]})");
    }};
    TestWorld world{server.url()};
    EXPECT_EQ(world.run({"batches", "show", "b_1"}), exit_done);
    EXPECT_THAT(world.out.str(), HasSubstr("10/10, 2 failed"));
    EXPECT_THAT(world.out.str(), HasSubstr("2 x no_region: gone"));
}

TEST(Schedules, SayWhatFiresWhenAndWhatBecameOfTheLast)
{
    FakeServer server{[](const FakeRequest&) {
        return json(
            R"({"now":"2026-01-01T00:00:00.000Z","items":[{"source":"sales","cron":"*/10 * * * *","timezone":"UTC",
            "next":["2026-01-01T00:10:00.000Z"],"last":[{"decision":"skipped","fired_at":"2025-12-31T23:50:00.000Z","reason":"overlap"}]}]})");
    }};
    TestWorld world{server.url()};
    EXPECT_EQ(world.run({"schedules"}), exit_done);
    EXPECT_THAT(world.out.str(), HasSubstr("sales"));
    EXPECT_THAT(world.out.str(), HasSubstr("in 10 min"));
    EXPECT_THAT(world.out.str(), HasSubstr("skipped 10 min ago: overlap"));
}

TEST(Doctor, FindsQueuesWithoutWorkersDeafWorkersAndStuckJobs)
{
    const WallTime now = from_rfc3339("2026-01-01T03:00:00.000Z").value();
    Findings findings;
    check_queues(findings,
                 *Json::parse(R"({"items":[{"name":"forecast","kind":"queue","counts":{"queued":12},"workers":0,
                     "waiting_since":"2026-01-01T00:00:00.000Z"},{"name":"x","counts":{"queued":1},"workers":1}]})"),
                 now);
    check_workers(findings, *Json::parse(R"({"items":[{"id":"w1","state":"deaf"},{"id":"w2","state":"alive"}]})"), now);
    check_jobs(findings, *Json::parse(R"({"items":[{"id":"j_1","queue":"q","flags":{"stalled":true}}]})"), now);
    const std::string words = findings_words(findings, false);
    EXPECT_THAT(words,
                HasSubstr("FAIL  queue forecast: 12 jobs waiting, 0 workers, for 3 h.   try: freshet run --queue "
                          "forecast -- CMD"));
    EXPECT_THAT(words, HasSubstr("worker w1 is deaf"));
    EXPECT_THAT(words, HasSubstr("job j_1 of q beats and does not get on"));
    EXPECT_THAT(words, HasSubstr("1 queue, 1 worker"));
}

TEST(Doctor, NamesTheTenantOfAQueueThatNobodyServes)
{
    Findings findings;
    check_queues(findings,
                 *Json::parse(R"({"items":[{"name":"ingest","kind":"worker","counts":{"queued":1},"workers":0}]})"),
                 WallTime{}, "acme");
    EXPECT_THAT(findings_words(findings, false), HasSubstr("FAIL  queue ingest of acme: 1 job waiting, 0 workers"));
}

TEST(Doctor, FindsSharedSourcesThatNoWorkerOfAllTenantsServes)
{
    const WallTime now = from_rfc3339("2026-01-01T03:00:00.000Z").value();
    const auto words_of = [&](const std::string& queue) {
        Findings findings;
        check_queues(findings, *Json::parse(R"({"items":[)" + queue + "]}"), now, "*shared");
        return findings_words(findings, false);
    };
    EXPECT_THAT(words_of(R"({"name":"scrape","kind":"queue","counts":{"queued":2},"workers":0,
                             "waiting_since":"2026-01-01T00:00:00.000Z"})"),
                HasSubstr("FAIL  queue scrape of shared sources: 2 jobs waiting, no worker of all tenants, for 3 h.   "
                          "try: freshet run --queue scrape -- CMD, with a token of all tenants (tenant = \"*\")"));
    EXPECT_THAT(words_of(R"({"name":"scrape","kind":"queue","counts":{},"workers":0})"),
                HasSubstr("WARN  queue scrape of shared sources: no worker of all tenants."))
        << "before anything waits";
    EXPECT_THAT(words_of(R"({"name":"scrape","kind":"queue","counts":{},"workers":1})"), Not(HasSubstr("scrape")));
    EXPECT_THAT(words_of(R"({"name":"rates","kind":"source","counts":{},"workers":0})"), Not(HasSubstr("rates")))
        << "which the server fetches itself";
}

TEST(Doctor, FindsASchedulerThatStandsStill)
{
    const WallTime now = from_rfc3339("2026-01-01T03:00:00.000Z").value();
    Findings findings;
    check_schedules(findings, *Json::parse(R"({"items":[{"id":"sales","next":["2026-01-01T02:50:00.000Z"]},
                        {"id":"nightly","next":["2026-01-01T02:55:00.000Z"]},{"id":"paused","next":[]},
                        {"id":"just-now","next":["2026-01-01T02:59:30.000Z"]},{"id":"x","next":["2026-01-01T04:00:00.000Z"]}]})"),
                    now);
    EXPECT_EQ(findings_words(findings, false), "FAIL  the scheduler stands still: sales and 1 more did not fire for 10 "
                                               "min.   try: the server's log; start the "
                                               "server again\n"
                                               "ok    3 schedules\n");
}

TEST(Doctor, TriesEachUpstreamAndDatabaseOfTheConfig)
{
    FakeServer there{[](const FakeRequest&) { return json("{}"); }};
    TestWorld world{there.url()};
    std::ofstream{world.context.folder / "rows.db"} << "";
    const auto loaded =
        parse_config("[source.prices]\nkind = 'http'\nurl = '" + there.url() +
                         "/prices'\n"
                         "[source.list]\nkind = 'http'\nurl = 'http://127.0.0.1:1/{page}'\nparams = { page = ['a'] }\n"
                         "[source.gone]\nkind = 'http'\nurl = 'http://127.0.0.1:1/'\n"
                         "[source.rows]\nkind = 'sql'\ndatabase = 'sqlite:rows.db'\nquery = 'select 1'\n"
                         "[source.none]\nkind = 'sql'\ndatabase = 'sqlite:none.db'\nquery = 'select 1'\n"
                         "[source.far]\nkind = 'sql'\ndatabase = { env = 'FAR' }\nquery = 'select 1'\n",
                     world.context.folder);
    ASSERT_TRUE(loaded) << loaded.error()[0].message;
    world.variables["FAR"] = "postgres://reader:secret@127.0.0.1:2/rows?sslmode=disable";
    Findings findings;
    check_upstreams(findings, world.context, *loaded->definitions);
    const std::string words = findings_words(findings, false);
    EXPECT_THAT(words, HasSubstr("FAIL  nothing answers at 127.0.0.1:1, which gone, list need: "));
    EXPECT_THAT(words, HasSubstr("FAIL  nothing answers at 127.0.0.1:2, which far needs: "));
    EXPECT_THAT(words, HasSubstr("WARN  the database of source none is not there: "));
    EXPECT_THAT(words, HasSubstr("ok    2 upstreams"));
    EXPECT_THAT(words, Not(HasSubstr("secret")));
}

// --- run ---

ChildOrder shell(const std::string& script)
{
    ChildOrder order;
    order.command = {"sh", "-c", script};
    order.environment = {"PATH=/usr/bin:/bin", "FRESHET_FENCE=7"};
    order.on_words = order.on_progress = [](std::string_view) {};
    return order;
}

TEST(Child, IsFedOnStdinAndHeardOnThreeWays)
{
    ChildOrder order = shell("cat; echo $FRESHET_FENCE; echo word >&2; echo '{\"done\":1}' >&3; exit 3");
    order.input = std::string(300'000, 'x');
    std::string words, progress;
    order.on_words = [&](std::string_view bytes) { words += bytes; };
    order.on_progress = [&](std::string_view bytes) { progress += bytes; };
    const ChildEnd end = run_child(order, {});
    EXPECT_EQ(end.exit_code, 3);
    EXPECT_EQ(end.output, order.input + "7\n");
    EXPECT_EQ(words, "word\n");
    EXPECT_EQ(progress, "{\"done\":1}\n");
}

TEST(Child, F7EndsWithItsWholeGroupWhenItIsStopped)
{
    // Neither takes notice of SIGTERM; the second is a grandchild that holds the pipe.
    ChildOrder order = shell("trap '' TERM; (trap '' TERM; sleep 60) & echo up >&2; sleep 60; wait");
    order.kill_after = 100ms;
    std::stop_source stop;
    order.on_words = [&](std::string_view) { stop.request_stop(); };
    const ChildEnd end = run_child(order, stop.get_token());
    EXPECT_TRUE(end.stopped);
    EXPECT_EQ(end.signal, SIGKILL);
}

TEST(Child, SaysWhyItDidNotStart)
{
    ChildOrder order = shell("");
    order.command = {"no-such-program-of-freshet"};
    EXPECT_EQ(run_child(order, {}).start_error, "No such file or directory");
}

TEST(ChildLines, TellsProgressCheckpointsAndWordsApart)
{
    std::vector<std::string> words, checkpoints;
    std::vector<Progress> progress;
    ChildLines lines{1,
                     {[&](std::string_view line) { words.emplace_back(line); },
                      [&](const Progress& now) { progress.push_back(now); },
                      [&](const std::string& text) { checkpoints.push_back(text); }}};
    lines.from_stderr("load");
    lines.from_stderr("ing\n::progress 1/3 north\n");
    lines.from_progress("{\"done\":2,\"total\":3,\"checkpoint\":{\"at\":2}}\n");
    lines.from_stderr("last");
    lines.finish();
    EXPECT_THAT(words, ElementsAre("loading", "last"));
    ASSERT_EQ(progress.size(), 2U);
    EXPECT_EQ(progress[0].total, 3);
    EXPECT_EQ(progress[1].done, 2);
    EXPECT_THAT(checkpoints, ElementsAre(R"({"at":2})"));
    EXPECT_EQ(lines.last_word(), "last");
}

} // namespace

} // namespace freshet::cli
