// SPDX-License-Identifier: Apache-2.0
// Tokens that come and go, and what is refused beyond a tenant's quotas.
#include "engine/engine_world.hpp"

#include <gmock/gmock.h>
#include <set>

namespace freshet {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

PutToken put(const std::string& name, const std::string& tenant = "default", Role role = Role::viewer)
{
    PutToken request;
    request.token.name = name;
    request.token.tenant = tenant;
    request.token.role = role;
    request.token.sha256 = std::string(64, 'a');
    request.tenant = "*";
    request.caller = "cli";
    return request;
}

struct GroupAccess : testing::Test {
    std::vector<std::string> names()
    {
        std::vector<std::string> all;
        for (const TokenRecord& token : world.store->begin()->tokens()) all.push_back(token.name);
        return all;
    }
    Refusal refusal(Request request)
    {
        const Reply reply = world.ask_engine(std::move(request));
        EXPECT_FALSE(reply.has_value());
        return reply ? Refusal::stopping : reply.error().refusal;
    }
    std::vector<std::string> told() const
    {
        std::vector<std::string> all;
        for (const TokenRecord& token : *world.notices.back()->tokens) all.push_back(token.name);
        return all;
    }
    /// Quotas of tenant "default".
    TenantLimits& limits()
    {
        auto changed = std::make_shared<Definitions>(*world.definitions);
        TenantDefinition& tenant = changed->tenants["default"];
        tenant.name = "default";
        world.definitions = changed;
        return tenant.limits;
    }
    Reply add_mail(const std::string& input = "{}")
    {
        return world.ask_engine(world.adding({world.task("mails", input)}));
    }
    ClaimedJob a_claimed_mail()
    {
        EXPECT_TRUE(add_mail());
        return world.claim_from("mails").at(0);
    }
    void drop_what_ended()
    {
        world.now += 49h;
        for (int i = 0; i < 10; ++i) world.now += 1s, world.step();
    }
    EngineWorld world;
};

TEST_F(GroupAccess, KeepsATokenAndTellsEveryCoreOfAllOfThemInTheSameCommit)
{
    world.start();
    ASSERT_TRUE(world.ask_engine(put("b")).has_value());
    ASSERT_TRUE(world.ask_engine(put("a")).has_value());
    EXPECT_THAT(told(), ElementsAre("a", "b"));
    const TokenRecord kept = world.store->begin()->tokens().at(0);
    EXPECT_EQ(kept.made_by, "cli");
    EXPECT_EQ(kept.made_at, world.now);
    const auto audited = world.store->begin()->audit({.tenant = "default"});
    ASSERT_EQ(audited.size(), 2u);
    EXPECT_EQ(audited[0].record.action, "token_new");
    EXPECT_EQ(audited[0].record.object, "a");
}

TEST_F(GroupAccess, RefusesNamesThatAreTakenHereOrInTheFile)
{
    auto changed = std::make_shared<Definitions>(*world.definitions);
    changed->tokens["filed"] = {"filed", "default", Role::viewer, false, std::string(64, 'b')};
    world.definitions = changed;
    world.start();
    ASSERT_TRUE(world.ask_engine(put("a")).has_value());
    EXPECT_EQ(refusal(put("a")), Refusal::token_taken);
    EXPECT_EQ(refusal(put("filed")), Refusal::token_taken);
    EXPECT_EQ(refusal(RevokeToken{"filed", "default", "cli"}), Refusal::token_in_file);
}

TEST_F(GroupAccess, F9GivesNobodyMoreThanTheirOwn)
{
    auto changed = std::make_shared<Definitions>(*world.definitions);
    changed->tenants["acme"].name = "acme";
    changed->tenants["blue"].name = "blue";
    world.definitions = changed;
    world.start();
    PutToken foreign = put("a", "blue");
    foreign.tenant = "acme";
    EXPECT_EQ(refusal(foreign), Refusal::not_found);
    PutToken all = put("a", "*");
    all.tenant = "acme";
    EXPECT_EQ(refusal(all), Refusal::not_found);
    EXPECT_EQ(refusal(put("a", "green")), Refusal::not_found);
    PutToken above = put("a", "acme", Role::admin);
    above.role = Role::operator_;
    EXPECT_EQ(refusal(above), Refusal::bad_request);
    PutToken refreshes = put("a", "acme");
    refreshes.token.refresh = true;
    refreshes.may_refresh = false;
    EXPECT_EQ(refusal(refreshes), Refusal::bad_request);
    ASSERT_TRUE(world.ask_engine(put("a", "acme")).has_value());
    // What belongs to others is as if it were not there.
    EXPECT_EQ(refusal(RevokeToken{"a", "blue", "b"}), refusal(RevokeToken{"none", "blue", "b"}));
    EXPECT_THAT(names(), ElementsAre("a"));
    EXPECT_TRUE(world.ask_engine(RevokeToken{"a", "acme", "b"}).has_value());
    EXPECT_TRUE(told().empty());
}

TEST_F(GroupAccess, F9ARoleGivesWhatItIncludesAndNoOther)
{
    world.start();
    const std::vector<std::pair<Role, std::set<Role>>> gives{
        {Role::viewer, {Role::viewer}},
        {Role::worker, {Role::viewer, Role::worker}},
        {Role::operator_, {Role::viewer, Role::worker, Role::operator_}},
        {Role::admin, {Role::viewer, Role::worker, Role::operator_, Role::admin}},
    };
    int number = 0;
    for (const auto& [maker, given] : gives)
        for (const Role role : {Role::viewer, Role::worker, Role::operator_, Role::admin}) {
            PutToken request = put("t" + std::to_string(++number), "default", role);
            request.role = maker;
            EXPECT_EQ(world.ask_engine(request).has_value(), given.contains(role)) << number;
        }
}

TEST_F(GroupAccess, TakesShortTokensWithTheirMaker)
{
    world.start();
    PutToken made = put("a~1");
    made.token.expires_at = world.now + 10min;
    ASSERT_TRUE(world.ask_engine(put("a")).has_value());
    ASSERT_TRUE(world.ask_engine(put("ab")).has_value());
    ASSERT_TRUE(world.ask_engine(made).has_value());
    ASSERT_TRUE(world.ask_engine(RevokeToken{"a", "*", "cli"}).has_value());
    EXPECT_THAT(names(), ElementsAre("ab"));
}

TEST_F(GroupAccess, DropsExpiredTokensButTheLastThatSaysThatTokensAreUsed)
{
    world.start();
    for (const char* name : {"a", "b", "a~1"}) {
        PutToken made = put(name);
        made.token.expires_at = world.now + 1h;
        ASSERT_TRUE(world.ask_engine(made).has_value());
    }
    world.now += 2h;
    world.step();
    EXPECT_THAT(names(), ElementsAre("b"));
    EXPECT_THAT(told(), ElementsAre("b"));
    EXPECT_TRUE(world.ask_engine(RevokeToken{"b", "*", "cli"}).has_value());
    EXPECT_TRUE(names().empty());
}

TEST_F(GroupAccess, RefusesWorkBeyondTheTenantsStorageBeforeItBegins)
{
    limits().storage_bytes = 20'000;
    world.start();
    world.refresh();
    world.complete(world.claim().at(0), "[\"" + std::string(20'000, 'x') + "\"]");
    EXPECT_EQ(world.key().ver, 1);
    const auto refused = world.ask(world.refresh_of());
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().refusal, Refusal::storage_full);
    EXPECT_THAT(refused.error().message, HasSubstr("limits.storage allows 20000"));
    EXPECT_EQ(world.key().ver, 1); // what is there is served on
    ASSERT_TRUE(world.ask_engine(PurgeKey{"default", "prices", "prices", PurgeMode::hard, "x"}).has_value());
    EXPECT_TRUE(world.ask(world.refresh_of()).has_value());
}

TEST_F(GroupAccess, CountsWhatJobsBringAndLeaveAsStorage)
{
    limits().storage_bytes = 50'000;
    world.start();
    const std::string large = '"' + std::string(20'000, 'x') + '"';
    const auto add = [&] { return add_mail(large); };
    ASSERT_TRUE(add());
    ASSERT_TRUE(add());
    ASSERT_TRUE(add()) << "looked at before work is taken on";
    const auto waits = add();
    ASSERT_FALSE(waits.has_value());
    EXPECT_EQ(waits.error().refusal, Refusal::storage_full);
    EXPECT_THAT(waits.error().message, HasSubstr("0 of data, 6"));

    // Their records, with input and result, are kept after they ended.
    const auto claimed = world.claim_from("mails", "w1", 3);
    ASSERT_EQ(claimed.size(), 3U) << "what was taken on runs and ends";
    for (const ClaimedJob& job : claimed) ASSERT_TRUE(world.end(world.done(job, "1")));
    EXPECT_FALSE(add());
    world.start(); // counted anew
    EXPECT_FALSE(add());
    drop_what_ended();
    EXPECT_TRUE(add()) << "retention made room";
    EXPECT_TRUE(world.ask_engine(world.adding({world.task("mails", large)}, "globex")))
        << "F9: another tenant's room is its own";
}

TEST_F(GroupAccess, CountsTheLinesOfLogsAsStorage)
{
    limits().storage_bytes = 50'000;
    world.start();
    const ClaimedJob claimed = a_claimed_mail();
    const AddLog lines{claimed.job->id, claimed.job->fence, "*", {{"info", std::string(30'000, 'l')}}};
    ASSERT_TRUE(world.ask_engine(lines));
    ASSERT_TRUE(add_mail()) << "there is room yet";
    ASSERT_TRUE(world.ask_engine(lines));
    for (const bool restart : {false, true}) {
        if (restart) world.start();
        const auto refused = add_mail();
        ASSERT_FALSE(refused.has_value());
        EXPECT_EQ(refused.error().refusal, Refusal::storage_full);
        EXPECT_THAT(refused.error().message, HasSubstr("60064 of their logs"));
        EXPECT_EQ(refusal(lines), Refusal::storage_full) << "nor more lines";
    }
    ASSERT_TRUE(world.end(world.done(claimed, "1"))) << "what runs can end";
    drop_what_ended();
    EXPECT_TRUE(add_mail()) << "they went with their job";
}

TEST_F(GroupAccess, CountsACheckpointUntilItsJobIsOver)
{
    limits().storage_bytes = 50'000;
    world.start();
    const ClaimedJob claimed = a_claimed_mail();
    Beat beat{.fence = claimed.job->fence};
    beat.checkpoint = '"' + std::string(50'000, 'c') + '"';
    ASSERT_TRUE(world.ask_engine(BeatWork{"w1", {{claimed.job->id, beat}}}));
    EXPECT_FALSE(add_mail());
    world.start();
    EXPECT_FALSE(add_mail());
    ASSERT_TRUE(world.end(world.done(claimed, "1")));
    EXPECT_TRUE(add_mail()) << "nobody goes on from there";
}

TEST_F(GroupAccess, CountsStorageAsAWholeCountAfterARestartDoes)
{
    limits().storage_bytes = 60'000;
    world.source("prices").versions_max = 2;
    world.start();
    for (const char* json : {"[1]", "[1,2]", "[1,2,3]", "[1,2,3,4]"}) {
        world.refresh();
        world.complete(world.claim().at(0), json);
        world.now += 1min;
    }
    // Two versions are kept: 7 and 9 bytes.
    for (const bool restart : {false, true}) {
        if (restart) world.start();
        auto changed = std::make_shared<Definitions>(*world.definitions);
        changed->tenants["default"].limits.storage_bytes = 16;
        ASSERT_TRUE(world.ask_engine(Reconfigure{changed}).has_value());
        const auto refused = world.ask(world.refresh_of());
        ASSERT_FALSE(refused.has_value());
        EXPECT_THAT(refused.error().message, HasSubstr("(16 of data, "));
    }
}

TEST_F(GroupAccess, RefusesKeysAndWaitingJobsBeyondTheTenantsLimits)
{
    limits().keys = 1;
    limits().waiting_jobs = 1;
    world.source("other");
    world.start();
    world.refresh();
    auto second = world.refresh_of("other");
    EXPECT_EQ(world.ask(second).error().refusal, Refusal::queue_full);
    world.complete(world.claim().at(0), "[1]");
    EXPECT_EQ(world.ask(second).error().refusal, Refusal::keys_full);
    EXPECT_THAT(world.ask(second).error().message, HasSubstr("limits.keys"));
    EXPECT_TRUE(world.ask(world.refresh_of()).has_value()); // a key that is there
}

} // namespace
} // namespace freshet
