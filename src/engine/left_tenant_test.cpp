// SPDX-License-Identifier: Apache-2.0
// A tenant that left the config, or lists a source no longer: nothing is fetched or handed out for it, by no way that
// leads to a fetch; what it has is kept for a week, and goes on when it is back.
#include "engine/engine_world.hpp"
#include "model/shared.hpp"

#include <gmock/gmock.h>

namespace freshet {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

struct LeftTenants : testing::Test, EngineWorld {
    LeftTenants()
    {
        source("prices").schedule.every = 1min;
        add_tenants({"a", "b"});
    }

    void tenant(const std::string& name, std::vector<std::string> sources)
    {
        auto changed = std::make_shared<Definitions>(*definitions);
        changed->tenants[name] = {name, std::move(sources), {}};
        definitions = changed;
    }
    void leave(const std::string& name)
    {
        auto changed = std::make_shared<Definitions>(*definitions);
        changed->tenants.erase(name);
        definitions = changed;
        reload();
    }
    void reload() { ASSERT_TRUE(ask_engine(Reconfigure{definitions})); }
    void fetch_all(const std::string& json)
    {
        for (const ClaimedJob& claimed : claim()) ASSERT_TRUE(complete(claimed, json));
    }
    std::expected<Asked, Refused> ask_as(const std::string& name, const std::string& text = "prices")
    {
        AskRefresh request = refresh_of(text);
        request.tenant = name;
        return ask(request);
    }
    /// The tenants that something is fetched for within some fires of the schedule.
    std::vector<std::string> fetched_for(const std::string& json = "[7]")
    {
        std::vector<std::string> tenants;
        for (int i = 0; i < 3; ++i) {
            now += 1min;
            step();
            for (const ClaimedJob& claimed : claim()) {
                if (std::ranges::find(tenants, claimed.job->tenant) == tenants.end())
                    tenants.push_back(claimed.job->tenant);
                EXPECT_TRUE(complete(claimed, json));
            }
        }
        std::ranges::sort(tenants);
        return tenants;
    }
    KeyRecord record(const std::string& name, const std::string& text = "prices")
    {
        return store->begin()->key(name, text).value_or(KeyRecord{});
    }
};

TEST_F(LeftTenants, F9NothingIsFetchedForThemByTheirSchedules)
{
    start();
    fetch_all("[1]");
    ASSERT_THAT(fetched_for(), ElementsAre("a", "b"));
    leave("b");
    EXPECT_THAT(fetched_for(), ElementsAre("a"));
    EXPECT_FALSE(record("b").next_at) << "no fire is told that does not come";
}

TEST_F(LeftTenants, AreNotServedByAServerThatStartsWithoutThemEither)
{
    start();
    fetch_all("[1]");
    auto changed = std::make_shared<Definitions>(*definitions);
    changed->tenants.erase("b");
    definitions = changed;
    now += 10min; // fires were missed meanwhile
    start();
    EXPECT_THAT(fetched_for(), ElementsAre("a"));
}

TEST_F(LeftTenants, ATenantThatListsTheSourceNoLongerIsServedNoMore)
{
    source("rates").schedule.every = 1min;
    start();
    fetch_all("[1]");
    tenant("b", {"rates"});
    reload();
    now += 1min;
    step();
    std::vector<std::string> of_b;
    for (const ClaimedJob& claimed : claim())
        if (claimed.job->tenant == "b") of_b.push_back(claimed.job->key);
    EXPECT_THAT(of_b, ElementsAre("rates"));
    EXPECT_EQ(ask_as("b").error().refusal, Refusal::source_removed);
}

TEST_F(LeftTenants, TheTenantOfServersWithoutTenantsLeavesWhenThereAreSome)
{
    auto changed = std::make_shared<Definitions>(*definitions);
    changed->tenants.clear();
    definitions = changed;
    start();
    fetch_all("[1]");
    ASSERT_THAT(fetched_for(), ElementsAre("default"));
    tenant("a", {});
    reload();
    EXPECT_THAT(fetched_for(), ElementsAre("a"));
    leave("a");
    EXPECT_THAT(fetched_for(), ElementsAre("default"));
}

TEST_F(LeftTenants, TheirFlightsAndRetriesEndWithTheReason)
{
    start();
    const auto claimed = claim();
    ASSERT_EQ(claimed.size(), 2U);
    const ClaimedJob& of_b = claimed[claimed[0].job->tenant == "b" ? 0 : 1];
    ASSERT_TRUE(fail(of_b));
    ASSERT_EQ(job(of_b.job->id).state, JobState::queued) << "it waits to be tried again";
    const auto region = ask_as("b", "prices/x"); // one that no attempt began of
    leave("b");
    const Job ended = job(of_b.job->id);
    EXPECT_EQ(ended.state, JobState::failed);
    ASSERT_TRUE(ended.error);
    EXPECT_EQ(ended.error->code, "source_removed");
    EXPECT_EQ(ended.error->message, "the tenant is no longer configured");
    ASSERT_TRUE(region);
    EXPECT_EQ(job(region->job->id).state, JobState::failed);
    now += 1h;
    for (const ClaimedJob& one : claim()) EXPECT_EQ(one.job->tenant, "a");
}

TEST_F(LeftTenants, AResultThatComesAfterwardsIsNotPublished)
{
    start();
    const auto claimed = claim();
    ASSERT_EQ(claimed.size(), 2U);
    const ClaimedJob& of_b = claimed[claimed[0].job->tenant == "b" ? 0 : 1];
    tenant("b", {"rates"});
    reload();
    EXPECT_FALSE(complete(of_b, "[1]"));
    EXPECT_FALSE(record("b").has_data);
    EXPECT_EQ(job(of_b.job->id).error.value().message, "the tenant no longer lists the source");
}

TEST_F(LeftTenants, WhatFollowsASourceIsNotRefreshedForThem)
{
    source("prices").schedule = {};
    source("prices").shared = true;
    source("totals").after = {"prices"};
    start();
    leave("b");
    AskRefresh request = refresh_of("prices");
    request.tenant = shared_tenant;
    request.by_tenant = "a";
    ASSERT_TRUE(ask(request));
    fetch_all("[1]");
    std::vector<std::string> tenants;
    for (const ClaimedJob& claimed : claim()) tenants.push_back(claimed.job->tenant);
    EXPECT_THAT(tenants, ElementsAre("a"));
}

TEST_F(LeftTenants, TheirTasksWaitUntilTheyAreBack)
{
    start();
    add_one(task("mails"), "b");
    ASSERT_EQ(claim_from("mails").size(), 1U);
    add_one(task("mails"), "b");
    leave("b");
    EXPECT_THAT(claim_from("mails", "w2"), IsEmpty());
    ClaimWork of_b = claiming("w3", {"mails"});
    of_b.tenant = "b";
    EXPECT_THAT(claim_work(of_b), IsEmpty());
    tenant("b", {});
    reload();
    EXPECT_EQ(claim_from("mails", "w2").size(), 1U);
}

TEST_F(LeftTenants, ATaskThatRunsForThemMayEnd)
{
    start();
    add_one(task("mails"), "b");
    const auto claimed = claim_from("mails");
    ASSERT_EQ(claimed.size(), 1U);
    leave("b");
    EXPECT_TRUE(end(done(claimed[0])));
    EXPECT_EQ(job(claimed[0].job->id).state, JobState::succeeded);
}

TEST_F(LeftTenants, AWorkerThatLeavesTheirTasksIsNotCalledDeaf)
{
    start();
    add_one(task("mails"), "a");
    add_one(task("letters"), "a");
    ASSERT_EQ(claim_from("letters").size(), 1U);
    ASSERT_EQ(claim_work(claiming("w1", {"mails", "letters"})).size(), 1U);
    add_one(task("mails"), "b");
    leave("b");
    bool reconnect = false;
    for (int i = 0; i < 4; ++i)
        reconnect = reconnect || std::get<Beaten>(ask_engine(BeatWork{"w1", {}, "*"}).value()).reconnect;
    EXPECT_FALSE(reconnect);
}

TEST_F(LeftTenants, F4GoOnWhereTheyWereWhenTheyAreBack)
{
    start();
    fetch_all("[1]");
    now += 1min;
    step();
    fetch_all("[2]");
    ASSERT_EQ(record("b").gen, 2);
    leave("b");
    now += 24h;
    tenant("b", {});
    reload();
    EXPECT_TRUE(record("b").has_data);
    EXPECT_THAT(fetched_for("[3]"), ElementsAre("a", "b"));
    EXPECT_EQ(record("b").ver, 3) << "nothing was fetched while it was away";
}

TEST_F(LeftTenants, TheirDataGoesAfterAWeek)
{
    start();
    fetch_all("[1]");
    leave("b");
    const auto walk = [&] {
        for (int i = 0; i < 5; ++i) now += 1h, step();
    };
    walk();
    now += 24h * 6;
    walk();
    EXPECT_TRUE(record("b").has_data);
    now += 24h;
    walk();
    EXPECT_FALSE(record("b").has_data);
    EXPECT_TRUE(record("a").has_data);
}

TEST_F(LeftTenants, TheirKeysAreNoSharedOnes)
{
    start();
    fetch_all("[1]");
    leave("b");
    EXPECT_FALSE(record(std::string{shared_tenant}).seq) << "nothing moved there";
}

} // namespace
} // namespace freshet
