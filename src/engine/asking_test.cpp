// SPDX-License-Identifier: Apache-2.0
// What an ask leaves on the job that serves it and on its key, and what a read of a key does.
#include "engine/engine_world.hpp"

#include <gtest/gtest.h>

namespace freshet {
namespace {

struct Asking : ::testing::Test, EngineWorld {
    void touch(const std::string& text)
    {
        std::vector<Posted> group;
        group.push_back({TouchKey{"default", text, text.substr(0, text.find('/'))}, -1, [](Reply) {}});
        step(std::move(group));
    }
    AskRefresh stale_ask() const
    {
        AskRefresh stale = refresh_of();
        stale.trigger = Trigger::stale, stale.read_after_now = false;
        return stale;
    }
    static NewJob unique(const std::string& key, UniqueConflict on_conflict = UniqueConflict::attach)
    {
        NewJob job = task("mails");
        job.unique = UniqueTerms{.key = key, .on_conflict = on_conflict};
        return job;
    }
};

TEST_F(Asking, APersonHurriesAJobThatWaitsForItsNextTryAndAReaderDoesNot)
{
    start();
    const JobId id = refresh().job->id;
    fail(claim().at(0));
    ASSERT_GT(job(id).due_at, now);
    ask(stale_ask());
    EXPECT_TRUE(claim().empty());
    EXPECT_EQ(refresh().job->id, id);
    EXPECT_EQ(claim().at(0).job->id, id);
}

TEST_F(Asking, AQueuedJobOfAReaderBecomesThePersonsWhoAsksForIt)
{
    start();
    const auto id = ask(stale_ask())->job->id;
    EXPECT_EQ(job(id).trigger, Trigger::stale);
    EXPECT_EQ(refresh().job->id, id);
    EXPECT_EQ(job(id).trigger, Trigger::manual);
    EXPECT_EQ(job(id).priority, 2);
}

TEST_F(Asking, WhoReadsOrAsksKeepsAKeyReadAndASchedulesFireDoesNot)
{
    auto& prices = source("prices");
    prices.params = {{"city", {"a", "b"}, ""}};
    start();
    refresh("prices/a");
    EXPECT_EQ(key("prices/a").read_at, now);
    AskRefresh fire = refresh_of("prices/b");
    fire.trigger = Trigger::schedule;
    ASSERT_TRUE(ask(fire));
    EXPECT_EQ(key("prices/b").read_at, std::nullopt);
}

TEST_F(Asking, AReadIsNotedOncePerHourAndOnlyOfKeysThatWereAskedFor)
{
    auto& prices = source("prices");
    prices.params = {{"city", {"a", "b"}, ""}};
    start();
    refresh("prices/a");
    now += 2h;
    touch("prices/a");
    EXPECT_EQ(key("prices/a").read_at, now);
    now += 59min;
    touch("prices/a");
    EXPECT_EQ(key("prices/a").read_at, now - 59min);
    touch("prices/b");
    touch("nothing");
    EXPECT_FALSE(store->begin()->key("default", "prices/b"));
    EXPECT_FALSE(store->begin()->key("default", "nothing"));
}

TEST_F(Asking, TheFirstAskForAKeyPutsItOnItsScheduleAndAReadSwallowsNoFire)
{
    auto& prices = source("prices");
    prices.params = {{"city", {"a"}, ""}};
    prices.schedule.every = 2h;
    start();
    refresh("prices/a");
    complete(claim().at(0), "[1]");
    ASSERT_TRUE(key("prices/a").next_at);
    now = *key("prices/a").next_at;
    now += 1ms;
    touch("prices/a");
    EXPECT_EQ(claim().size(), 1u);
}

TEST_F(Asking, OnlyAUniqueKeyThatIsNewTakesRoomInAQueue)
{
    queue("mails").waiting_max = 2;
    start();
    const auto full = add({unique("a"), unique("b"), unique("c")});
    ASSERT_FALSE(full);
    EXPECT_EQ(full.error().refusal, Refusal::queue_full);
    ASSERT_TRUE(add({unique("a"), unique("a"), unique("b")}));
    EXPECT_TRUE(add({unique("a"), unique("b")})) << "both are there already";
    EXPECT_FALSE(add({unique("c")}));
}

TEST_F(Asking, ADebouncedTaskWaitsOnWithEachAsk)
{
    start();
    NewJob quiet = unique("a");
    quiet.unique->scope = UniqueScope::debounce, quiet.unique->quiet = 10s;
    const JobId id = add_one(quiet);
    EXPECT_EQ(job(id).due_at, now + 10s);
    now += 5s;
    EXPECT_EQ(add_one(quiet), id);
    EXPECT_EQ(job(id).due_at, now + 10s);
    EXPECT_EQ(job(id).callers, 2);
}

TEST_F(Asking, ATaskThatIsToRunAfterNowKnowsWhenItWasAskedForLast)
{
    start();
    const JobId id = add_one(unique("a"));
    const Seq before = job(id).asked;
    EXPECT_EQ(add_one(unique("a")), id);
    EXPECT_EQ(job(id).asked, before);
    EXPECT_EQ(add_one(unique("a", UniqueConflict::rerun_after)), id);
    EXPECT_GT(job(id).asked, before);
}

TEST_F(Asking, AnIdempotencyKeyIsForgottenAfterADayAndItsJobMayBeGoneSooner)
{
    start();
    AskRefresh once = refresh_of();
    once.idempotency = IdempotencyScope{"refresh", "k", hash128("a")};
    const JobId id = ask(once)->job->id;
    complete(claim().at(0), "[1]");
    EXPECT_EQ(ask(once)->job->id, id);
    auto t = store->begin();
    t->drop_job(id);
    t->commit();
    t.reset();
    const auto gone = ask(once);
    ASSERT_FALSE(gone);
    EXPECT_EQ(gone.error().refusal, Refusal::not_found);
    now += 24h;
    const auto anew = ask(once);
    ASSERT_TRUE(anew);
    EXPECT_NE(anew->job->id, id);
}

TEST_F(Asking, F9ATenantHasAsManyRefreshesByHandAsItMayOverAllKeysAndCallers)
{
    source("rates");
    auto changed = std::make_shared<Definitions>(*definitions);
    for (const char* name : {"acme", "globex"}) changed->tenants[name].name = name;
    changed->tenants["acme"].limits.refreshes = {2, 1min};
    definitions = changed;
    start();
    const auto by = [&](const std::string& tenant, const std::string& text, const std::string& caller,
                        Trigger trigger = Trigger::manual) {
        AskRefresh one = refresh_of(text);
        one.tenant = tenant, one.caller = caller, one.trigger = trigger;
        const auto asked = ask(one);
        for (const ClaimedJob& flight : claim()) complete(flight, "[1]");
        return asked;
    };
    EXPECT_TRUE(by("acme", "prices", "ann"));
    EXPECT_TRUE(by("acme", "rates", "bob"));
    const auto third = by("acme", "prices", "cleo");
    ASSERT_FALSE(third);
    EXPECT_EQ(third.error().refusal, Refusal::limited);
    EXPECT_EQ(third.error().message, "the tenant may start 2 refreshes per 1m by hand");
    EXPECT_EQ(third.error().retry_at, now + 1min);
    EXPECT_TRUE(by("acme", "prices", "a reader", Trigger::stale)) << "what nobody clicked is not counted";
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(by("globex", "prices", "ann"));
    now += 1min;
    EXPECT_TRUE(by("acme", "prices", "ann"));
}

} // namespace
} // namespace freshet
