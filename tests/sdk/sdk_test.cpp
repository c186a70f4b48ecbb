// SPDX-License-Identifier: Apache-2.0
// What every worker SDK is held to, against the real server (README.md). Each test runs once per language.
#include "tests/http/harness.hpp"
#include "tests/sdk/test_worker.hpp"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>
#include <simdjson.h>

namespace freshet::outside {

namespace {

constexpr std::string_view tasks[] = {"echo",  "who",        "fail",  "slow", "busy", "stubborn",
                                      "hurry", "checkpoint", "pause", "big",  "log"};

/// Leases of a second and retries without a wait, so that what takes half a minute in earnest takes two seconds. That
/// of a busy handler is long enough for its beats to come on a machine that gives the worker a tenth of a core.
std::string config()
{
    std::string text;
    for (const std::string_view task : tasks)
        text += fmt::format("[queue.{}]\nlease = \"{}\"\nretry = {{ attempts = 3, wait = \"100ms\" }}\n", task,
                            task == "busy" ? "6s" : "1s");
    return text;
}

int count_of_jobs()
{
    return std::getenv("FRESHET_TEST_LONG") != nullptr ? 20'000 : 2'000;
}

class Sdk : public testing::TestWithParam<Language> {
protected:
    void SetUp() override
    {
        if (!GetParam().missing.empty()) GTEST_SKIP() << "without " << GetParam().missing;
    }

    TestWorker worker(TestWorker::Variables variables = {}) { return {GetParam(), server.url(), std::move(variables)}; }

    /// The new job's id.
    std::string add(const std::string& task, const std::string& input = "{}")
    {
        const Answer added = client.post("/v1/jobs", {{"Content-Type", "application/json"}},
                                         fmt::format(R"({{"queue":"{}","input":{}}})", task, input));
        EXPECT_EQ(added.status, 201) << added.body;
        return added.json("/id").value_or("");
    }

    Answer show(const std::string& job) { return client.get("/v1/jobs/" + job); }

    /// The job once it is `state`, or as it is when the time is up.
    Answer await(const std::string& job, const std::string& state, Millis within = Millis{15'000})
    {
        return ask_until([&] { return show(job); },
                         [&](const Answer& answer) { return answer.json("/state") == state; }, within);
    }

    Server server{config()};
    Client client = server.client();
};

TEST_P(Sdk, EchoesWhateverItIsGiven)
{
    TestWorker echo = worker();
    const std::string job =
        add("echo", R"({"text":"שלום \"a\" \\ \n","list":[1,2.5,null,true],"big":9007199254740993})");
    const Answer done = await(job, "succeeded");
    EXPECT_EQ(done.json("/state"), "succeeded") << done.body;
    EXPECT_EQ(done.json("/result/text"), "שלום \"a\" \\ \n");
    EXPECT_EQ(done.json("/result/list/1"), "2.5");
}

TEST_P(Sdk, ToldWhoItIs)
{
    TestWorker who = worker({{"WORKER_ID", "w-1"}});
    const Answer done = await(add("who"), "succeeded");
    EXPECT_EQ(done.json("/result/id"), done.json("/id"));
    EXPECT_EQ(done.json("/result/fence"), done.json("/fence"));
    EXPECT_EQ(done.json("/result/attempt"), "1");
    EXPECT_EQ(done.json("/result/queue"), "who");
    EXPECT_EQ(done.json("/result/worker"), "w-1");
}

TEST_P(Sdk, DoesThousandsOfJobsEachOnce)
{
    const int count = count_of_jobs();
    for (int at = 0; at < count;) {
        std::vector<std::string> jobs;
        for (; at < count && jobs.size() < 1'000; ++at)
            jobs.push_back(fmt::format(R"({{"queue":"echo","input":{}}})", at));
        const Answer added =
            client.post("/v1/jobs", {{"Content-Type", "application/json"}}, fmt::format("[{}]", fmt::join(jobs, ",")));
        ASSERT_EQ(added.status, 201) << added.body;
    }
    TestWorker echo = worker({{"WORKER_SLOTS", "4"}, {"WORKER_AHEAD", "1000"}});
    const auto left = [](const Answer& jobs) {
        return jobs.json("/counts/queued").value_or("0") == "0" && jobs.json("/counts/running").value_or("0") == "0";
    };
    const Answer jobs = ask_until([&] { return client.get("/v1/jobs?queue=echo&limit=500"); }, left, Millis{60'000});
    EXPECT_EQ(jobs.json("/counts/succeeded"), std::to_string(count)) << jobs.body.substr(0, 500);
    for (int i = 0; i < 500; ++i) ASSERT_EQ(jobs.json(fmt::format("/items/{}/attempt", i)), "1");
}

TEST_P(Sdk, F7KeepsItsLeaseWhileItIsBusy)
{
    TestWorker busy = worker();
    const auto enough = std::filesystem::path{testing::TempDir()} / fmt::format("freshet-busy-{}", getpid());
    std::filesystem::remove(enough);
    const std::string job = add("busy", fmt::format(R"({{"until":"{}"}})", enough.string()));
    ASSERT_TRUE(busy.await("begin busy " + job));
    // It is busy until its beats were heard, however long that takes.
    std::set<std::string> beats;
    const Answer held = ask_until([&] { return show(job); },
                                  [&](const Answer& answer) {
                                      beats.insert(answer.json("/beat_at").value_or(""));
                                      return beats.size() > 2 || answer.json("/state") != "running";
                                  },
                                  Millis{60'000});
    std::ofstream{enough} << "enough";
    EXPECT_EQ(held.json("/state"), "running") << held.body;
    EXPECT_GT(beats.size(), 2u) << "busy code held up the beats";
    const Answer done = await(job, "succeeded");
    std::filesystem::remove(enough);
    EXPECT_EQ(done.json("/result/attempt"), "1") << done.body;
    EXPECT_EQ(done.json("/lost").value_or("0"), "0");
}

TEST_P(Sdk, F6TellsTheLastProgressAlways)
{
    TestWorker hurry = worker();
    const Answer done = await(add("hurry", R"({"count":50000})"), "succeeded");
    EXPECT_EQ(done.json("/progress/done"), "50000") << done.body;
    EXPECT_EQ(done.json("/progress/total"), "50000");
    EXPECT_EQ(done.json("/progress/phase"), "count");
}

TEST_P(Sdk, StopsWhenItIsCancelledAndConfirmsThat)
{
    TestWorker slow = worker();
    const std::string job = add("slow", R"({"ms":60000,"steps":600})");
    ASSERT_TRUE(slow.await("begin slow " + job));
    EXPECT_EQ(client.post("/v1/jobs/" + job + "/cancel").status, 200);
    EXPECT_EQ(slow.await("stop slow " + job), "stop slow " + job + " 1 cancelled");
    const Answer over = await(job, "cancelled", Millis{5'000});
    EXPECT_EQ(over.json("/state"), "cancelled") << over.body;
    EXPECT_NE(over.json("/flags/forced"), "true");
}

TEST_P(Sdk, TriesPlainErrorsAgainAndFatalOnesNot)
{
    TestWorker fail = worker();
    const std::string again = add("fail", R"({"message":"not yet","until":2})");
    const std::string limited =
        add("fail", R"({"message":"slowly","class":"rate_limited","retry_after_ms":300,"until":2})");
    const std::string fatal = add("fail", R"({"message":"no such region","class":"fatal","code":"no_region"})");
    EXPECT_EQ(await(again, "succeeded").json("/result/attempt"), "2");
    EXPECT_EQ(await(limited, "succeeded").json("/result/attempt"), "2");
    const Answer failed = await(fatal, "failed");
    EXPECT_EQ(failed.json("/attempt"), "1");
    EXPECT_EQ(failed.json("/error/class"), "fatal") << failed.body;
    EXPECT_EQ(failed.json("/error/code"), "no_region");
    EXPECT_EQ(failed.json("/error/message"), "no such region");
}

TEST_P(Sdk, GoesOnFromTheCheckpointOfAWorkerThatWasKilled)
{
    TestWorker first = worker();
    const std::string job = add("checkpoint", R"({"steps":6,"die_at":3})");
    ASSERT_TRUE(first.await("begin checkpoint " + job));
    EXPECT_EQ(first.await_end(), 128 + SIGKILL);
    TestWorker second = worker();
    const Answer done = await(job, "succeeded");
    EXPECT_EQ(done.json("/result/from"), "3") << done.body;
    EXPECT_EQ(done.json("/result/attempt"), "2");
    EXPECT_EQ(done.json("/lost"), "1");
}

TEST_P(Sdk, F7TakesNoAnswerOfAWorkerThatWasStoppedPastItsLease)
{
    TestWorker first = worker();
    const std::string job = add("stubborn", R"({"ms":1500})");
    ASSERT_TRUE(first.await("begin stubborn " + job));
    first.signal(SIGSTOP);
    TestWorker second = worker();
    ASSERT_TRUE(second.await("begin stubborn " + job)); // the lease ran out with nobody looking
    first.signal(SIGCONT);
    const Answer done = await(job, "succeeded");
    EXPECT_EQ(done.json("/result/attempt"), "2") << done.body;
    EXPECT_TRUE(first.await("stop stubborn " + job + " 1 lost"));
}

TEST_P(Sdk, StopsWhenItsLeaseIsLost)
{
    TestWorker first = worker();
    const std::string job = add("slow", R"({"ms":4000,"steps":40})");
    ASSERT_TRUE(first.await("begin slow " + job));
    first.signal(SIGSTOP);
    TestWorker second = worker();
    ASSERT_TRUE(second.await("begin slow " + job));
    first.signal(SIGCONT);
    EXPECT_TRUE(first.await("stop slow " + job + " 1 lost"));
    EXPECT_EQ(await(job, "succeeded").json("/result/attempt"), "2");
}

TEST_P(Sdk, EndsShortWorkAfterASigterm)
{
    TestWorker slow = worker();
    const std::string job = add("slow", R"({"ms":800})");
    ASSERT_TRUE(slow.await("begin slow " + job));
    EXPECT_EQ(slow.terminate(), 0);
    EXPECT_TRUE(slow.said("end slow " + job));
    const Answer done = show(job);
    EXPECT_EQ(done.json("/state"), "succeeded") << done.body;
    const std::string later = add("echo");
    EXPECT_EQ(show(later).json("/state"), "queued"); // nobody is there to take it
}

TEST_P(Sdk, HandsLongWorkBackAfterASigterm)
{
    TestWorker first = worker({{"WORKER_GRACE_MS", "300"}});
    const std::string job = add("checkpoint", R"({"steps":40,"step_ms":50})");
    ASSERT_TRUE(first.await("begin checkpoint " + job));
    EXPECT_EQ(first.terminate(), 0);
    EXPECT_TRUE(first.said("stop checkpoint " + job + " 1 shutdown"));
    const Answer back = show(job);
    EXPECT_NE(back.json("/state"), "running") << back.body;
    EXPECT_EQ(back.json("/lost").value_or("0"), "0");
    TestWorker second = worker();
    const Answer done = await(job, "succeeded");
    EXPECT_NE(done.json("/result/from"), "0") << done.body;
    EXPECT_EQ(done.json("/result/done"), "40");
}

TEST_P(Sdk, HandsItselfBackToGoOnLater)
{
    TestWorker pause = worker();
    const Answer done = await(add("pause", R"({"wait_ms":200})"), "succeeded");
    EXPECT_EQ(done.json("/result/attempt"), "2") << done.body;
    EXPECT_EQ(done.json("/result/checkpoint/paused"), "true");
}

TEST_P(Sdk, F10LosesNothingWhenTheServerRestartsInTheMiddle)
{
    TestWorker slow = worker();
    const std::string running = add("slow", R"({"ms":2500,"steps":25})");
    const std::string ending = add("stubborn", R"({"ms":400})"); // ends while nobody is there to be told
    ASSERT_TRUE(slow.await("begin slow " + running));
    ASSERT_TRUE(slow.await("begin stubborn " + ending));
    server.kill();
    ASSERT_TRUE(slow.await("end stubborn " + ending));
    server.start();
    for (const std::string& job : {running, ending}) {
        const Answer done = await(job, "succeeded");
        EXPECT_EQ(done.json("/result/attempt"), "1") << done.body;
    }
    EXPECT_EQ(await(add("who"), "succeeded").json("/state"), "succeeded"); // it claims again
}

TEST_P(Sdk, ComputesNextToNothingWhileTheServerIsGoneForGood)
{
    TestWorker idle = worker({{"WORKER_SLOTS", "5"}});
    for (int i = 0; i < 4; ++i) add("slow", R"({"ms":60000,"steps":3000})");
    for (int i = 0; i < 4; ++i) ASSERT_TRUE(idle.await("begin slow")) << i;
    server.kill();
    // Until its leases are over it tries often.
    std::this_thread::sleep_for(4s);
    const Millis before = idle.computed();
    std::this_thread::sleep_for(5s);
    // The handlers themselves go on: four loops that wake fifty times a second and tell their progress.
    EXPECT_LT(idle.computed() - before, Millis{400});
}

TEST_P(Sdk, BringsLargeResults)
{
    TestWorker big = worker();
    const Answer done = await(add("big", R"({"bytes":3000000})"), "succeeded");
    EXPECT_EQ(done.json("/state"), "succeeded") << done.body.substr(0, 500);
}

TEST_P(Sdk, WritesTheJobsLog)
{
    TestWorker log = worker();
    const std::string job = add("log", R"({"lines":["first","second"]})");
    EXPECT_EQ(await(job, "succeeded").json("/result/lines"), "2");
    const Answer lines = client.get("/v1/jobs/" + job + "/log");
    EXPECT_THAT(lines.body, testing::AllOf(testing::HasSubstr("first"), testing::HasSubstr("second")));
}

INSTANTIATE_TEST_SUITE_P(Workers, Sdk, testing::ValuesIn(languages()),
                         [](const testing::TestParamInfo<Language>& of) { return of.param.name; });

} // namespace

/// What GoogleTest prints of a parameter.
void PrintTo(const Language& language, std::ostream* out)
{
    *out << language.name;
}

} // namespace freshet::outside
