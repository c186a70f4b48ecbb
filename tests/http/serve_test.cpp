// SPDX-License-Identifier: Apache-2.0
// The first walk through the whole: one source, one reader, and the server's own life.

#include "tests/http/harness.hpp"

#include <csignal>
#include <fmt/format.h>
#include <gmock/gmock.h>

namespace freshet::outside {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

constexpr const char* one_row = R"([{"currency":"USD","rate":1}])";
constexpr const char* two_rows = R"([{"currency":"USD","rate":1},{"currency":"EUR","rate":2}])";

std::string rates_config(const Upstream& upstream, const std::string& more = {})
{
    return fmt::format(
        "[source.rates]\nkind = \"http\"\nurl = \"{}/rates\"\nallow_private = true\nkey = [\"currency\"]\n"
        "fresh_for = \"1h\"\nmanual_limit = \"1000/min\"\nretry = {{ attempts = 1 }}\n{}\n",
        upstream.url(), more);
}

TEST(Serve, AColdReadWaitsForTheSourceAndEveryLaterOneIsFresh)
{
    Upstream upstream;
    upstream.set("/rates", one_row);
    const Server server{rates_config(upstream)};
    Client client = server.client();

    const Answer cold = client.get("/v1/data/rates");
    ASSERT_EQ(cold.status, 200) << cold.body << cold.error;
    EXPECT_EQ(cold.body, one_row); // byte for byte
    EXPECT_EQ(cold.freshet("state"), "fresh");
    EXPECT_EQ(cold.freshet("gen"), "1");

    const Answer warm = client.get("/v1/data/rates");
    EXPECT_EQ(warm.status, 200);
    EXPECT_EQ(warm.freshet("state"), "fresh");
    EXPECT_THAT(warm.header("cache-status"), HasSubstr("hit"));
    EXPECT_EQ(upstream.requests("/rates"), 1u);
}

TEST(Serve, F3ARefreshThatSucceedsAnswersWithDataReadAfterIt)
{
    Upstream upstream;
    upstream.set("/rates", one_row);
    const Server server{rates_config(upstream)};
    Client client = server.client();
    ASSERT_EQ(client.get("/v1/data/rates").status, 200);

    upstream.set("/rates", two_rows);
    EXPECT_EQ(client.get("/v1/data/rates").body, one_row); // a read does not ask the source
    const Answer refreshed = client.refresh("rates");
    ASSERT_EQ(refreshed.status, 200) << refreshed.body << refreshed.error;
    EXPECT_EQ(refreshed.body, two_rows);
    EXPECT_EQ(refreshed.freshet("outcome"), "updated");
    EXPECT_EQ(refreshed.freshet("gen"), "2");
    EXPECT_EQ(refreshed.freshet("ver"), "2");

    const Answer again = client.refresh("rates");
    EXPECT_EQ(again.freshet("outcome"), "unchanged");
    EXPECT_EQ(again.freshet("gen"), "3");
    EXPECT_EQ(again.freshet("ver"), "2");
}

TEST(Serve, F8AFailingSourceKeepsTheLastGoodAndSaysSo)
{
    Upstream upstream;
    upstream.set("/rates", one_row);
    const Server server{rates_config(upstream)};
    Client client = server.client();
    ASSERT_EQ(client.get("/v1/data/rates").status, 200);

    upstream.set("/rates", Page{.body = "out of order", .status = 500});
    const Answer refused = client.refresh("rates");
    EXPECT_EQ(refused.status, 502) << refused.body << refused.error;
    EXPECT_THAT(refused.header("content-type"), StartsWith("application/problem+json"));
    EXPECT_THAT(refused.body, Not(HasSubstr("\"rate\"")));

    const Answer kept = client.get("/v1/data/rates");
    EXPECT_EQ(kept.status, 200);
    EXPECT_EQ(kept.body, one_row);
    EXPECT_EQ(kept.freshet("gen"), "1");
    const Answer envelope = client.get("/v1/data/rates?envelope=1");
    EXPECT_EQ(envelope.json("/meta/attempts"), "1") << envelope.body;
}

TEST(Serve, F8AStaleKeyOfAFailingSourceIsCalledFailing)
{
    Upstream upstream;
    upstream.set("/rates", one_row);
    const Server server{
        fmt::format("[source.rates]\nkind = \"http\"\nurl = \"{}/rates\"\nallow_private = true\n"
                    "fresh_for = \"1ms\"\nretry = {{ attempts = 1, wait = \"1h\", max_wait = \"1h\" }}\n",
                    upstream.url())};
    Client client = server.client();
    ASSERT_EQ(client.get("/v1/data/rates").status, 200);
    upstream.set("/rates", Page{.fault = Fault::reset});
    const Answer failing = ask_until([&] { return client.get("/v1/data/rates"); },
                                     [](const Answer& answer) { return answer.freshet("state") == "failing"; });
    EXPECT_EQ(failing.freshet("state"), "failing");
    EXPECT_EQ(failing.status, 200);
    EXPECT_EQ(failing.body, one_row);
}

TEST(Serve, F1AfterARestartItAnswersAtOnceWithoutAskingTheSource)
{
    Upstream upstream;
    upstream.set("/rates", one_row);
    Server server{rates_config(upstream)};
    ASSERT_EQ(server.client().get("/v1/data/rates").status, 200);
    const std::string token = server.local_token();
    EXPECT_EQ(server.terminate(), 0);

    upstream.hold("/rates"); // whoever asked it would wait for ever
    server.start();
    const Answer kept = server.client().get("/v1/data/rates");
    EXPECT_EQ(kept.status, 200) << kept.body << kept.error;
    EXPECT_EQ(kept.body, one_row);
    EXPECT_EQ(kept.freshet("gen"), "1");
    EXPECT_EQ(upstream.requests("/rates"), 1u);
    EXPECT_EQ(server.local_token(), token);
}

TEST(Serve, F2TheListOfFreshnessTellsAPauseToEveryConnectionAndAfterARestart)
{
    Upstream upstream;
    upstream.set("/rates", one_row);
    Server server{rates_config(upstream, "[source.unread]\nkind = \"command\"\nrun = [\"true\"]\n")};
    ASSERT_EQ(server.client().get("/v1/data/rates").status, 200);
    for (const char* name : {"rates", "unread"})
        ASSERT_EQ(server.client().post(fmt::format("/v1/sources/{}/pause", name)).status, 200);
    const auto is_told = [&] {
        for (int i = 0; i < 4; ++i) { // each may be of another loop, which did not read the key
            const Answer rows = server.client().get("/v1/freshness");
            const Answer told = server.client().get("/v1/poll?wait=0&topic=freshness");
            for (const int row : {0, 1}) {
                EXPECT_EQ(rows.json(fmt::format("/items/{}/paused", row)), "true") << rows.body;
                EXPECT_EQ(told.json(fmt::format("/events/0/data/items/{}/paused", row)), "true") << told.body;
            }
        }
    };
    is_told();
    server.kill();
    server.start();
    is_told();
}

TEST(Serve, F10AfterKillNineWhatWasAcknowledgedIsThere)
{
    Upstream upstream;
    upstream.set("/rates", one_row);
    Server server{rates_config(upstream)};
    Client client = server.client();
    ASSERT_EQ(client.get("/v1/data/rates").status, 200);
    upstream.set("/rates", two_rows);
    ASSERT_EQ(client.refresh("rates").status, 200);
    server.kill();
    server.start();
    const Answer kept = server.client().get("/v1/data/rates");
    EXPECT_EQ(kept.body, two_rows);
    EXPECT_EQ(kept.freshet("gen"), "2");
}

TEST(Serve, F7WorkThatWasUnderWayAtAKillIsTakenUpAgain)
{
    Upstream upstream;
    upstream.set("/rates", one_row);
    upstream.hold("/rates");
    Server server{rates_config(upstream)};
    const Answer asked = server.client().post("/v1/data/rates/refresh");
    ASSERT_EQ(asked.status, 202) << asked.body << asked.error;
    ASSERT_TRUE(upstream.await_requests("/rates", 1));
    server.kill();
    server.start();
    ASSERT_TRUE(upstream.await_requests("/rates", 2)); // well before a lease of 30 s would end
    upstream.release("/rates");
    const Answer data = server.client().get("/v1/data/rates");
    EXPECT_EQ(data.status, 200) << data.body;
    EXPECT_EQ(data.body, one_row);
}

TEST(Serve, EndsWithinFiveSecondsAndLeavesNoProcess)
{
    Upstream upstream;
    upstream.set("/rates", one_row);
    upstream.hold("/rates");
    // One flight hangs at its source, one command ignores SIGTERM and has a child of its own.
    Server server{rates_config(upstream, "select = \".\"\n[source.stubborn]\nkind = \"command\"\n"
                                         "run = [\"sh\", \"-c\", \"trap '' TERM; sleep 600 & sleep 601\"]\n"
                                         "format = \"text\"\nrun_limit = \"10m\"\n")};
    Client client = server.client();
    EXPECT_EQ(client.post("/v1/data/rates/refresh").status, 202);
    EXPECT_EQ(client.post("/v1/data/stubborn/refresh").status, 202);
    ASSERT_TRUE(upstream.await_requests("/rates", 1));
    const std::vector<pid_t> children = server.await_descendants(4); // spawner, warden, shell and its sleeps
    EXPECT_GE(children.size(), 4u);
    EXPECT_EQ(server.terminate(Millis{5'000}), 0);
    EXPECT_THAT(still_there(children), IsEmpty());
}

TEST(Serve, ASavedConfigIsInForceAndABrokenOneIsToldWithItsPlace)
{
    Upstream upstream;
    upstream.set("/rates", one_row);
    upstream.set("/other", two_rows);
    Server server{rates_config(upstream)};
    Client client = server.client();
    EXPECT_EQ(client.get("/v1/data/other").status, 404);

    server.write_config("[source.rates]\nkind = \"htp\"\n");
    ASSERT_TRUE(server.await_log("freshet.toml:6:8"));
    EXPECT_EQ(client.get("/v1/data/rates").status, 200); // the old one runs on

    server.write_config(
        rates_config(upstream) +
        fmt::format("[source.other]\nkind = \"http\"\nurl = \"{}/other\"\nallow_private = true\n", upstream.url()));
    const Answer other = ask_until([&] { return client.get("/v1/data/other"); },
                                   [](const Answer& answer) { return answer.status == 200; });
    EXPECT_EQ(other.status, 200) << other.body;
    EXPECT_EQ(other.body, two_rows);
}

TEST(Serve, ASecondServerOnTheSameFolderIsRefusedInWords)
{
    Upstream upstream;
    const Server server{rates_config(upstream)};
    const auto [code, said] = server.run({"serve", "--listen", "127.0.0.1:0"});
    EXPECT_EQ(code, 1);
    EXPECT_THAT(said, HasSubstr(std::to_string(server.pid())));
}

TEST(Serve, CheckSaysOkOrWhereTheConfigIsWrong)
{
    Upstream upstream;
    ServerOptions options;
    options.start = false;
    Server server{rates_config(upstream), options};
    EXPECT_EQ(server.run({"serve", "--check"}), std::pair(0, std::string{"ok\n"}));
    server.write_config("[source.rates]\nkind = \"http\"\nurll = \"http://x.example\"\n");
    const auto [code, said] = server.run({"serve", "--check"});
    EXPECT_EQ(code, 2);
    EXPECT_THAT(said, HasSubstr("freshet.toml:7:1"));
    EXPECT_EQ(server.start_and_fail(), 2);
}

TEST(Serve, TheCommandLineSpeaksToIt)
{
    Upstream upstream;
    upstream.set("/rates", one_row);
    const Server server{rates_config(upstream)};
    const auto [refreshed, words] = server.run({"refresh", "rates", "--wait", "20s"});
    EXPECT_EQ(refreshed, 0) << words;
    EXPECT_THAT(server.run({"get", "rates"}), testing::Pair(0, HasSubstr(one_row)));
    EXPECT_EQ(server.run({"get", "missing"}).first, 5);
    EXPECT_EQ(server.run({"--version"}).first, 0);
    EXPECT_EQ(server.run({"serv"}).first, 2);
}

} // namespace
} // namespace freshet::outside
