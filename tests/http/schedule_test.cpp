// SPDX-License-Identifier: Apache-2.0
// Schedules from outside: the real binary, its own clock, a task every second.

#include "tests/http/harness.hpp"

#include <gmock/gmock.h>
#include <thread>

namespace freshet::outside {
namespace {

using testing::HasSubstr;

class Schedules : public testing::Test {
protected:
    Schedules()
        : server{"[schedule.tick]\nqueue = \"reports\"\nevery = \"1s\"\noverlap = \"queue_one\"\n"
                 "[schedule.yearly]\nqueue = \"reports\"\ncron = \"30 2 1 1 *\"\ntimezone = \"Europe/Berlin\"\n"
                 "input = { year = \"new\" }\n"},
          client{server.client()}
    {
    }

    /// The list once it holds that text; empty when ten seconds are over first.
    std::string await_list(const std::string& text)
    {
        for (int i = 0; i < 100; ++i) {
            const Answer list = client.get("/v1/schedules");
            if (list.body.find(text) != std::string::npos) return list.body;
            std::this_thread::sleep_for(Millis{100});
        }
        return {};
    }

    /// Until the server's own clock is so much past that instant of it.
    bool await_clock(const std::string& since, Millis past)
    {
        const auto from = from_rfc3339(since);
        for (int i = 0; from && i < 100; ++i) {
            const auto now = from_rfc3339(client.get("/v1/schedules").json("/now").value_or(""));
            if (now && *now >= *from + past) return true;
            std::this_thread::sleep_for(Millis{100});
        }
        return false;
    }

    Server server;
    Client client;
};

TEST_F(Schedules, FireByThemselvesAndStandStillWhilePausedAlsoOverARestart)
{
    EXPECT_THAT(await_list("one waits already"), HasSubstr("\"decision\":\"ran\""));
    const Answer paused = client.post("/v1/schedules/tick/pause");
    EXPECT_EQ(paused.status, 200) << paused.body;
    EXPECT_EQ(paused.json("/paused"), "true");
    EXPECT_EQ(paused.json("/id"), "tick") << "the whole schedule after it: " << paused.body;
    EXPECT_TRUE(paused.json("/queue") && paused.json("/overlap")) << paused.body;
    EXPECT_EQ(paused.json("/next/0"), std::nullopt);
    server.kill();
    server.start();
    const Answer list = client.get("/v1/schedules");
    EXPECT_EQ(list.json("/items/0/id"), "tick") << list.body;
    EXPECT_EQ(list.json("/items/0/paused"), "true");
    EXPECT_EQ(list.json("/items/0/next/0"), std::nullopt) << "none comes while it is paused";
    EXPECT_EQ(list.json("/items/1/id"), "yearly");
    EXPECT_THAT(list.json("/items/1/next/4").value_or(""), HasSubstr("-01-01T01:30:00.000Z"));
    ASSERT_TRUE(await_clock(list.json("/now").value_or(""), 1200ms)) << "a fire falls into the pause";
    EXPECT_EQ(client.post("/v1/schedules/tick/resume").json("/paused"), "false");
    EXPECT_FALSE(await_list("the schedule was paused: ").empty());
}

TEST_F(Schedules, RunAtAPersonsAskAndShareTheJob)
{
    const Answer first = client.post("/v1/schedules/yearly/run");
    ASSERT_EQ(first.status, 200) << first.body;
    EXPECT_EQ(first.json("/attached"), "false");
    EXPECT_EQ(first.json("/queue"), "reports") << first.body;
    EXPECT_EQ(first.json("/last/0/job"), first.json("/job")) << "the fire is among its last: " << first.body;
    const Answer second = client.post("/v1/schedules/yearly/run");
    EXPECT_EQ(second.json("/attached"), "true");
    EXPECT_EQ(second.json("/job"), first.json("/job"));
    const Answer job = client.get("/v1/jobs/" + first.json("/job").value_or(""));
    EXPECT_EQ(job.json("/queue"), "reports") << job.body;
    EXPECT_EQ(job.json("/input/year"), "new");
    EXPECT_EQ(client.post("/v1/schedules/monthly/run").status, 404);
}

} // namespace
} // namespace freshet::outside
