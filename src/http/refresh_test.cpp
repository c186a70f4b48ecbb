// SPDX-License-Identifier: Apache-2.0
// Waiting and refreshing over real sockets; the test plays the engine.
#include "http/test_world.hpp"

#include <fmt/format.h>

namespace freshet::http {

namespace {

const std::string wait_20 = "Prefer: wait=20\r\n";

// Sends a request and gives what the engine was asked.
ScriptedEngine::Posted asked(World& world, RawClient& client, const std::string& method, const std::string& target,
                             const std::string& headers = "", const std::string& body = "")
{
    std::string request = method + " " + target + " HTTP/1.1\r\nHost: localhost\r\n" + headers;
    if (!body.empty())
        request += "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
    client.send(request + "\r\n" + body);
    return world.engine.next();
}

std::shared_ptr<const Job> ended(World& world, Job job, JobState state, Outcome outcome)
{
    job.state = state;
    job.outcome = outcome;
    job.seq = 1'000'000;
    if (state == JobState::failed) job.error = ErrorInfo{ErrorClass::fatal, "http_status", "the source answered 500"};
    job.finished_at = world.clock.wall();
    return std::make_shared<const Job>(std::move(job));
}

TEST(Reading, WaitsForTheFirstDataOfAColdKey)
{
    World world;
    world.start();
    RawClient client{world.port()};
    auto posted = asked(world, client, "GET", "/v1/data/prices");
    const auto& ask = std::get<AskRefresh>(posted.request);
    EXPECT_EQ(ask.trigger, Trigger::cold);
    EXPECT_FALSE(ask.read_after_now);
    world.reply(posted, Asked{std::make_shared<Job>(world.job(7, "prices")), false, false, 0});
    world.publish("prices", "[1]");
    const Answered answer = client.read();
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, "[1]");
    EXPECT_EQ(answer.header("cache-status"), "freshet; fwd=miss; stored; ttl=60");
}

TEST(Reading, SaysColdWhenTheWaitIsUsedUp)
{
    World world;
    world.start();
    RawClient client{world.port()};
    auto posted = asked(world, client, "GET", "/v1/data/prices");
    world.reply(posted, Asked{std::make_shared<Job>(world.job(7, "prices")), false, false, 0});
    RawClient other{world.port()};
    auto later = asked(world, other, "GET", "/v1/data/prices", "Prefer: respond-async\r\n");
    world.reply(later, Asked{std::make_shared<Job>(world.job(7, "prices")), true, false, 0});
    const Answered accepted = other.read();
    EXPECT_EQ(accepted.status, 202);
    EXPECT_EQ(accepted.header("location"), "/v1/jobs/" + to_text(JobId{7}));
    world.advance(3s);
    const Answered answer = client.read();
    EXPECT_EQ(answer.status, 503);
    EXPECT_EQ(answer.header("retry-after"), "1");
    EXPECT_NE(answer.body.find("\"cold\""), std::string::npos);
}

TEST(Reading, TellsWhyWhenTheFirstFlightFails)
{
    World world;
    world.start();
    RawClient client{world.port()};
    auto posted = asked(world, client, "GET", "/v1/data/prices");
    world.reply(posted, Asked{std::make_shared<Job>(world.job(7, "prices")), false, false, 0});
    world.fail("prices", "the source answered 500", 30s);
    const Answered answer = client.read();
    EXPECT_EQ(answer.status, 502);
    EXPECT_EQ(answer.header("retry-after"), "30");
    EXPECT_NE(answer.body.find("the source answered 500"), std::string::npos);
    EXPECT_EQ(answer.freshet("attempts"), "1");
    EXPECT_EQ(client.get("/v1/data/prices").status, 502); // At once: nothing is asked before retry_at.
    EXPECT_EQ(world.engine.posted(), 0u);
}

TEST(Reading, StartsNoWorkForHeadAndOnlyIfCached)
{
    World world;
    world.start();
    RawClient client{world.port()};
    EXPECT_EQ(client.ask("HEAD", "/v1/data/prices").status, 503);
    EXPECT_EQ(client.get("/v1/data/prices", "Cache-Control: only-if-cached\r\n").status, 504);
    EXPECT_EQ(world.engine.posted(), 0u);
    EXPECT_TRUE(world.engine.hints().empty());
}

TEST(Reading, ServesTheLastGoodOfAFailingKeyAndSaysSo)
{
    World world;
    world.start();
    world.publish("prices", "[1]");
    world.clock.advance(2min);
    world.fail("prices", "the source answered 500", 30s);
    RawClient client{world.port()};
    for (int i = 0; i < 2; ++i) {
        const Answered answer = client.get("/v1/data/prices");
        EXPECT_EQ(answer.status, 200);
        EXPECT_EQ(answer.body, "[1]");
        EXPECT_EQ(answer.freshet("state"), "failing");
        EXPECT_EQ(answer.freshet("attempts"), "1");
        EXPECT_NE(answer.freshet("retry-at"), "");
    }
}

TEST(Reading, WaitsForAGenThatAFlightCanReach)
{
    World world;
    world.start();
    world.publish("prices", "[1]");
    RawClient client{world.port()};
    EXPECT_EQ(client.get("/v1/data/prices?min_gen=1").status, 200);
    auto posted = asked(world, client, "GET", "/v1/data/prices?min_gen=2");
    EXPECT_TRUE(std::get<AskRefresh>(posted.request).attach_only);
    const Job job = world.job(7, "prices");
    world.reply(posted, Asked{std::make_shared<Job>(job), true, false, 0});
    KeyView view = world.next_view("prices", "[2]");
    world.commit(view);
    world.tell(view, {ended(world, job, JobState::succeeded, Outcome::updated)});
    const Answered reached = client.read();
    EXPECT_EQ(reached.body, "[2]");
    EXPECT_EQ(reached.header("cache-control"), "no-store");

    auto none = asked(world, client, "GET", "/v1/data/prices?min_gen=9");
    world.reply(none, std::unexpected(Refused{Refusal::not_found, {}, {}, {}, 0, {}}));
    EXPECT_EQ(client.read().status, 412);
}

TEST(Reading, RefreshesForMaxAgeOnlyWithTheRight)
{
    World world;
    world.start();
    world.publish("prices", "[1]");
    world.clock.advance(10s);
    RawClient client{world.port()};
    EXPECT_EQ(client.get("/v1/data/prices?max_age=10").status, 200);
    auto posted = asked(world, client, "GET", "/v1/data/prices", "Cache-Control: max-age=5\r\n");
    const auto& ask = std::get<AskRefresh>(posted.request);
    EXPECT_EQ(ask.max_age, Millis{5s});
    EXPECT_EQ(ask.trigger, Trigger::manual);
    const Job job = world.job(7, "prices");
    world.reply(posted, Asked{std::make_shared<Job>(job), false, false, 0});
    KeyView view = world.next_view("prices", "[2]");
    world.commit(view);
    world.tell(view, {ended(world, job, JobState::succeeded, Outcome::updated)});
    EXPECT_EQ(client.read().body, "[2]");
    world.clock.advance(10s);
    const Answered old = client.ask("HEAD", "/v1/data/prices?max_age=5");
    EXPECT_EQ(old.status, 504);
}

TEST(Refresh, F3AnswersWithItsOwnEndNotWithWhatLooksNewer)
{
    World world;
    world.start();
    world.publish("prices", "[1]");
    RawClient client{world.port()};
    auto posted = asked(world, client, "POST", "/v1/data/prices/refresh", wait_20);
    const auto& ask = std::get<AskRefresh>(posted.request);
    EXPECT_TRUE(ask.read_after_now);
    EXPECT_EQ(ask.trigger, Trigger::manual);
    const Job job = world.job(7, "prices");
    world.reply(posted, Asked{std::make_shared<Job>(job), true, false, 0});
    world.publish("prices", "[2]"); // An older flight lands: not what was asked for.
    RawClient other{world.port()};
    EXPECT_EQ(other.get("/v1/data/prices").body, "[2]");
    KeyView view = world.next_view("prices", "[3]");
    world.commit(view);
    Job done = *ended(world, job, JobState::succeeded, Outcome::updated);
    done.receipt = R"({"gen":3})";
    done.callers = 3;
    world.tell(view, {std::make_shared<const Job>(done)});
    const Answered answer = client.read();
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, "[3]");
    EXPECT_NE(answer.header("freshet").find("outcome=updated;id=\"" + to_text(JobId{7}) + "\", joined=?1, callers=3"),
              std::string::npos)
        << answer.header("freshet");
}

TEST(Refresh, AnswersPendingAtOnceAndWhenTheWaitIsUsedUp)
{
    World world;
    world.start();
    world.publish("prices", "[1]");
    RawClient client{world.port()};
    auto at_once = asked(world, client, "POST", "/v1/data/prices/refresh");
    world.reply(at_once, Asked{std::make_shared<Job>(world.job(7, "prices")), false, false, 0});
    const Answered accepted = client.read();
    EXPECT_EQ(accepted.status, 202);
    EXPECT_EQ(accepted.header("location"), "/v1/jobs/" + to_text(JobId{7}));
    EXPECT_NE(accepted.header("freshet").find("outcome=pending"), std::string::npos);

    auto later = asked(world, client, "POST", "/v1/data/prices/refresh", wait_20);
    world.reply(later, Asked{std::make_shared<Job>(world.job(8, "prices")), false, false, 0});
    RawClient other{world.port()};
    EXPECT_EQ(other.get("/v1/data/prices?envelope=1").status, 200);
    // The reply is on its way to the loop: time goes on until the wait that it began has ended.
    pollfd nothing{};
    Answered used_up;
    for (int i = 0; i < 100 && used_up.status == 0; ++i) {
        world.advance(20s);
        if (::poll(&nothing, 0, 5) == 0 && i > 2) used_up = client.read();
    }
    EXPECT_EQ(used_up.status, 202);
    EXPECT_EQ(used_up.header("preference-applied"), "wait=20");
}

TEST(Refresh, F8NeverGivesTheOldBodyAsSuccess)
{
    World world;
    world.start();
    world.publish("prices", "[1]");
    RawClient client{world.port()};
    const struct {
        JobState state;
        Outcome outcome;
        int status;
        const char* word;
    } rows[] = {{JobState::failed, Outcome::failed, 502, "outcome=failed"},
                {JobState::failed, Outcome::held, 502, "outcome=held"},
                {JobState::cancelled, Outcome::failed, 409, "outcome=failed"}};
    std::int64_t id = 10;
    for (const auto& row : rows) {
        auto posted = asked(world, client, "POST", "/v1/data/prices/refresh", wait_20);
        const Job job = world.job(++id, "prices");
        world.reply(posted, Asked{std::make_shared<Job>(job), false, false, 0});
        world.tell_jobs({ended(world, job, row.state, row.outcome)});
        const Answered answer = client.read();
        EXPECT_EQ(answer.status, row.status);
        EXPECT_NE(answer.header("freshet").find(row.word), std::string::npos);
        EXPECT_NE(answer.body.find("\"last_good\""), std::string::npos) << answer.body;
        EXPECT_NE(answer.body.find("\"receipt\""), std::string::npos) << answer.body;
    }
}

TEST(Refresh, FollowsTheJobThatTookItsPlace)
{
    World world;
    world.start();
    RawClient client{world.port()};
    auto posted = asked(world, client, "POST", "/v1/data/prices/refresh", wait_20);
    Job first = world.job(7, "prices");
    world.reply(posted, Asked{std::make_shared<Job>(first), false, false, 0});
    first = *ended(world, first, JobState::cancelled, Outcome::failed);
    first.superseded_by = JobId{8};
    world.tell_jobs({std::make_shared<const Job>(first)});
    KeyView view = world.next_view("prices", "[1]");
    world.commit(view);
    world.tell(view, {ended(world, world.job(8, "prices"), JobState::succeeded, Outcome::updated)});
    EXPECT_EQ(client.read().body, "[1]");
}

TEST(Refresh, SaysWhichLimitWasHitAndUntilWhen)
{
    World world;
    world.start();
    world.publish("prices", "[1]");
    RawClient client{world.port()};
    auto posted = asked(world, client, "POST", "/v1/data/prices/refresh", "Idempotency-Key: k1\r\n");
    ASSERT_TRUE(std::get<AskRefresh>(posted.request).idempotency.has_value());
    EXPECT_EQ(std::get<AskRefresh>(posted.request).idempotency->key, "k1");
    world.reply(posted, std::unexpected(Refused{Refusal::limited, "too soon", world.clock.wall() + 12s, {}, 6, 1min}));
    const Answered answer = client.read();
    EXPECT_EQ(answer.status, 429);
    EXPECT_EQ(answer.header("retry-after"), "12");
    EXPECT_EQ(answer.header("ratelimit-policy"), "\"manual\";q=6;w=60");
    EXPECT_EQ(answer.header("ratelimit"), "\"manual\";r=0;t=12");
    EXPECT_NE(answer.header("freshet").find("outcome=limited"), std::string::npos);
    world.engine.full = true;
    EXPECT_EQ(client.ask("POST", "/v1/data/prices/refresh").status, 503);
}

TEST(Refresh, PurgesDeletesAndDecides)
{
    World world;
    world.start();
    world.publish("prices", "[1]");
    RawClient client{world.port()};
    auto posted = asked(world, client, "DELETE", "/v1/data/prices");
    EXPECT_EQ(std::get<PurgeKey>(posted.request).mode, PurgeMode::hard);
    auto view = std::make_shared<KeyView>();
    view->record = world.records["prices"];
    world.reply(posted, Purged{view, {}});
    EXPECT_EQ(client.read().status, 200);

    auto first = asked(world, client, "POST", "/v1/purge", "", R"({"keys":["prices","region/eu"],"mode":"refresh"})");
    auto second = world.engine.next();
    EXPECT_EQ(std::get<PurgeKey>(second.request).key, "region/eu");
    world.reply(first, Purged{view, JobId{9}});
    world.reply(second, std::unexpected(Refused{Refusal::limited, "too soon", {}, {}, 0, {}}));
    const Answered purged = client.read();
    EXPECT_EQ(purged.status, 200);
    EXPECT_NE(purged.body.find(to_text(JobId{9})), std::string::npos) << purged.body;
    EXPECT_NE(purged.body.find("too soon"), std::string::npos) << purged.body;
    EXPECT_EQ(client.ask("POST", "/v1/purge", "", R"({"tags":["x"]})").status, 404);
    EXPECT_EQ(client.ask("POST", "/v1/purge", "", R"({"keys":["prices"],"tags":["x"]})").status, 400);
    EXPECT_EQ(client.ask("POST", "/v1/purge", "", R"({"mode":"soft"})").status, 400);
    EXPECT_EQ(client.ask("POST", "/v1/purge", "", R"({"keys":["nothing"]})").status, 400);

    auto held = asked(world, client, "POST", "/v1/data/prices/held/accept", "",
                      fmt::format(R"({{"job":"{}"}})", to_text(JobId{5})));
    EXPECT_EQ(std::get<DecideHeld>(held.request).held_job, JobId{5});
    EXPECT_TRUE(std::get<DecideHeld>(held.request).accept);
    world.reply(held, std::unexpected(Refused{Refusal::held_changed, {}, {}, {}, 0, {}}));
    EXPECT_EQ(client.read().status, 409);
}

TEST(Refresh, PurgesEveryKeyOfTheSourcesThatBearATag)
{
    World world;
    world.source("quotes").tags = {"market", "eu"};
    world.source("bonds").tags = {"market"};
    world.source("weather").tags = {"sky"};
    world.start();
    for (const char* key : {"quotes", "bonds", "weather", "prices"}) world.publish(key, "[1]");
    RawClient client{world.port()};
    auto first = asked(world, client, "POST", "/v1/purge", "", R"({"tags":["market","eu"],"mode":"hard"})");
    EXPECT_EQ(std::get<PurgeKey>(first.request).key, "quotes");
    EXPECT_EQ(std::get<PurgeKey>(first.request).mode, PurgeMode::hard);
    auto view = std::make_shared<KeyView>();
    view->record = world.records["quotes"];
    world.reply(first, Purged{view, {}});
    auto second = world.engine.next();
    EXPECT_EQ(std::get<PurgeKey>(second.request).key, "bonds");
    world.reply(second, std::unexpected(Refused{Refusal::not_found, {}, {}, {}, 0, {}}));
    const Answered purged = client.read();
    EXPECT_EQ(purged.status, 200);
    EXPECT_NE(purged.body.find(R"("counts":{"purged":1,"refused":1})"), std::string::npos) << purged.body;
    EXPECT_EQ(world.engine.posted(), 0U) << "no other source is touched";

    const Answered unknown = client.ask("POST", "/v1/purge", "", R"({"tags":["market","sea"]})");
    EXPECT_EQ(unknown.status, 404);
    EXPECT_NE(unknown.body.find("sea"), std::string::npos) << unknown.body;
    EXPECT_EQ(world.engine.posted(), 0U) << "nothing is purged when one of the tags is a mistake";
}

TEST(Refresh, LeavesTheWaitWhenThePeerLeaves)
{
    World world;
    world.start();
    {
        RawClient client{world.port()};
        auto posted = asked(world, client, "POST", "/v1/data/prices/refresh", wait_20);
        world.reply(posted, Asked{std::make_shared<Job>(world.job(7, "prices")), false, false, 0});
    }
    RawClient other{world.port()};
    world.publish("prices", "[1]");
    EXPECT_EQ(other.get("/v1/data/prices").status, 200);
}

} // namespace

} // namespace freshet::http
