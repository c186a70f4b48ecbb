// SPDX-License-Identifier: Apache-2.0
// Schedules from outside: the real binary, its own clock, a task every second.

#include "tests/http/harness.hpp"

#include <fmt/format.h>
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

/// The hash is that of "secret-of-all".
constexpr const char* three_tenants = R"(
[tenant.acme]
[tenant.globex]
[tenant.initech]
[schedule.nightly]
queue = "reports"
cron = "0 2 * * *"
[schedule.weekly]
queue = "reports"
cron = "0 3 * * 1"
tenants = ["acme", "globex"]
[token.all]
tenant = "*"
role = "admin"
hash = "sha256:5b57b64b8776f7353940e83acbf87eb5050fc3b5357215d732e7d8b55a502c2a"
)";

TEST(SchedulesOfAllTenants, AreListedPageByPageAndRunInEachThatHasThem)
{
    Server server{three_tenants};
    Client all = server.client("secret-of-all");
    const Answer list = all.get("/v1/schedules");
    ASSERT_EQ(list.status, 200) << list.body;
    EXPECT_EQ(list.json("/items/0/tenant"), "acme") << list.body;
    EXPECT_EQ(list.json("/items/4/tenant"), "initech") << list.body;
    EXPECT_EQ(list.json("/items/5/id"), std::nullopt) << "weekly is not initech's: " << list.body;
    const Answer one = all.get("/v1/schedules?tenant=globex");
    EXPECT_EQ(one.json("/items/0/tenant"), "globex");
    EXPECT_EQ(one.json("/items/2/id"), std::nullopt) << one.body;

    const Answer run = all.post("/v1/schedules/weekly/run");
    ASSERT_EQ(run.status, 200) << run.body;
    EXPECT_EQ(run.json("/items/0/tenant"), "acme") << run.body;
    EXPECT_EQ(run.json("/items/1/tenant"), "globex") << run.body;
    EXPECT_EQ(run.json("/items/2/tenant"), std::nullopt) << run.body;
    EXPECT_EQ(all.get("/v1/jobs/" + run.json("/items/1/job").value_or("") + "?tenant=globex").status, 200);
    EXPECT_EQ(all.post("/v1/schedules/weekly/run").json("/items/0/attached"), "true");
    EXPECT_EQ(all.post("/v1/schedules/weekly/run?tenant=initech").status, 404);
    EXPECT_EQ(all.post("/v1/schedules/none/run").status, 404);
    EXPECT_EQ(all.post("/v1/schedules/weekly/pause").status, 400) << "a pause is of one tenant";
}

TEST(SchedulesOfAllTenants, OfKeysFollowOnePageAfterAnother)
{
    const std::string config = std::string{three_tenants} +
                               "[source.area]\nkind = \"command\"\nrun = [\"echo\", \"{}\"]\nevery = \"1h\"\n"
                               "[source.clock]\nkind = \"command\"\nrun = [\"echo\", \"{}\"]\nevery = \"1h\"\n";
    Server server{config};
    Client all = server.client("secret-of-all");
    std::string seen, after;
    for (int i = 0; i < 4; ++i) {
        const Answer page = all.get("/v1/schedules?limit=4" + after);
        for (int row = 0; page.json(fmt::format("/items/{}/id", row)); ++row)
            seen += *page.json(fmt::format("/items/{}/tenant", row)) + ":" +
                    *page.json(fmt::format("/items/{}/id", row)) + " ";
        if (!page.json("/next")) break;
        after = "&after=" + *page.json("/next");
    }
    EXPECT_EQ(seen, "acme:area acme:clock globex:area globex:clock initech:area initech:clock acme:nightly acme:weekly "
                    "globex:nightly globex:weekly initech:nightly ");
}

} // namespace
} // namespace freshet::outside
