// SPDX-License-Identifier: Apache-2.0
// The life of the process: signals, restarts, ports, what it says of itself.

#include "tests/http/harness.hpp"

#include <csignal>
#include <fmt/format.h>
#include <gmock/gmock.h>

namespace freshet::outside {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* rows = R"([{"n":1}])";

std::string slow_config(const Upstream& upstream)
{
    return fmt::format("[source.slow]\nkind = \"http\"\nurl = \"{}/slow\"\nallow_private = true\nrun_limit = \"5m\"\n",
                       upstream.url());
}

TEST(Life, WhatIsInFlightAtAStopIsHandedBackAndTakenUpByTheNextStart)
{
    Upstream upstream;
    upstream.set("/slow", rows);
    upstream.hold("/slow");
    Server server{slow_config(upstream)};
    const Answer asked = server.client().post("/v1/data/slow/refresh");
    ASSERT_EQ(asked.status, 202) << asked.body << asked.error;
    const std::string job = asked.header("location");
    ASSERT_TRUE(upstream.await_requests("/slow", 1));
    EXPECT_EQ(server.terminate(Millis{5'000}), 0);
    EXPECT_EQ(server.log().find("not handed back"), std::string::npos);

    server.start();
    ASSERT_TRUE(upstream.await_requests("/slow", 2));
    upstream.release("/slow");
    Client client = server.client();
    const Answer ended = ask_until([&] { return client.get(job); },
                                   [](const Answer& answer) { return answer.json("/state") == "succeeded"; });
    EXPECT_EQ(ended.json("/state"), "succeeded") << ended.body;
    EXPECT_EQ(client.get("/v1/data/slow").body, rows);
}

TEST(Life, ASecondSignalEndsItAtOnce)
{
    Upstream upstream;
    upstream.set("/slow", rows);
    upstream.hold("/slow");
    Server server{slow_config(upstream)};
    // Somebody waits for an answer, which a stop in order would give its time.
    std::thread reader{[&] { server.client().refresh("slow"); }};
    EXPECT_TRUE(upstream.await_requests("/slow", 1));
    server.signal(SIGINT);
    EXPECT_TRUE(server.await_log("stopping"));
    const int code = server.terminate();
    reader.join();
    EXPECT_EQ(code, 128 + SIGTERM);
    EXPECT_TRUE(server.await_log("ended at once"));
}

TEST(Life, AHangupReadsTheConfigAnew)
{
    Upstream upstream;
    const Server server{slow_config(upstream)};
    server.signal(SIGHUP);
    EXPECT_TRUE(server.await_log("config in force"));
}

TEST(Life, APortInUseIsRefusedInWordsAndFetchesNothing)
{
    Upstream upstream;
    upstream.set("/slow", rows);
    const Server first{slow_config(upstream)};
    ServerOptions options;
    options.start = false;
    options.arguments = {"--listen", first.url().substr(first.url().rfind('/') + 1)};
    Server second{slow_config(upstream) + "every = \"1s\"\n", options};
    EXPECT_EQ(second.start_and_fail(), 1);
    EXPECT_THAT(second.log(), HasSubstr("another program listens there"));
    EXPECT_EQ(upstream.requests("/slow"), 0u);
}

TEST(Life, ARemovedSourceIsGoneAtOnce)
{
    Upstream upstream;
    upstream.set("/slow", rows);
    Server server{slow_config(upstream)};
    Client client = server.client();
    ASSERT_EQ(client.get("/v1/data/slow").status, 200);
    server.write_config("[source.other]\nkind = \"command\"\nrun = [\"true\"]\nformat = \"text\"\n");
    ASSERT_TRUE(server.await_log("config in force"));
    EXPECT_EQ(client.get("/v1/data/slow").status, 404);
}

TEST(Life, SpeedIsToldAndDividesWhatIsConfigured)
{
    Upstream upstream;
    upstream.set("/slow", rows);
    const Server server{slow_config(upstream) + "fresh_for = \"1m\"\n", {.arguments = {"--speed", "60000"}}}; // 1 ms
    EXPECT_TRUE(server.await_log("\"speed\":60000"));
    Client client = server.client();
    ASSERT_EQ(client.get("/v1/data/slow").status, 200);
    ask_until([&] { return client.get("/v1/data/slow"); },
              [&](const Answer&) { return upstream.requests("/slow") > 1; });
    EXPECT_GT(upstream.requests("/slow"), 1u);
}

TEST(Life, SaysThatItIsReadyAndWhatItDid)
{
    Upstream upstream;
    upstream.set("/slow", rows);
    const Server server{slow_config(upstream)};
    Client client = server.client();
    EXPECT_EQ(client.get("/healthz").status, 200);
    const Answer ready = client.get("/readyz");
    EXPECT_EQ(ready.status, 200);
    EXPECT_THAT(ready.body, HasSubstr("\"store\""));
    ASSERT_EQ(client.get("/v1/data/slow").status, 200);
    EXPECT_THAT(client.get("/metrics").body, HasSubstr("freshet_engine_group_requests_count"));
}

TEST(Life, AStreamTellsOfAChangeAfterItsCommit)
{
    Upstream upstream;
    upstream.set("/slow", rows);
    const Server server{slow_config(upstream)};
    ASSERT_EQ(server.client().get("/v1/data/slow").status, 200);
    EventStream stream{server.url(), "/v1/stream?topic=data/slow"};
    ASSERT_TRUE(stream.next_where([](const StreamEvent& event) { return event.event == "live"; }));
    upstream.set("/slow", R"([{"n":1},{"n":2}])");
    ASSERT_EQ(server.client().refresh("slow").status, 200);
    // Before it comes the one that says that a refresh runs.
    const auto change = stream.next_where(
        [](const StreamEvent& event) { return event.event == "change" && event.json("/outcome").has_value(); });
    ASSERT_TRUE(change);
    EXPECT_EQ(change->json("/topic"), "data/slow") << change->data;
    EXPECT_EQ(change->json("/meta/ver"), "2") << change->data;
}

TEST(Life, ACommandIsRunAndItsOutputShapedInAChild)
{
    const Server server{"[source.words]\nkind = \"command\"\nrun = [\"printf\", \"a\\nb\\n\"]\nformat = \"text\"\n"
                        "select = \"map({word: .})\"\n"};
    const Answer words = server.client().get("/v1/data/words");
    EXPECT_EQ(words.status, 200) << words.body;
    EXPECT_EQ(words.body, R"([{"word":"a"},{"word":"b"}])");
}

TEST(Life, KillNineLeavesNoProcessBehind)
{
    Server server{"[source.long]\nkind = \"command\"\nrun = [\"sh\", \"-c\", \"sleep 600 & sleep 601\"]\n"
                  "format = \"text\"\nrun_limit = \"10m\"\n"};
    ASSERT_EQ(server.client().post("/v1/data/long/refresh").status, 202);
    const std::vector<pid_t> children = server.await_descendants(4); // spawner, warden, shell, its sleeps
    ASSERT_GE(children.size(), 4u);
    server.kill();
    EXPECT_THAT(still_there(children), IsEmpty());
}

} // namespace
} // namespace freshet::outside
