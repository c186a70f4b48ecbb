// SPDX-License-Identifier: Apache-2.0
// Sources with shared = true: one copy, one flight and one job for all tenants that list them, limits of each tenant's
// own, and no word of who asked.
#include "engine/engine_world.hpp"
#include "model/shared.hpp"
#include "wire/views.hpp"

#include <gmock/gmock.h>

namespace freshet {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

struct Sharing : testing::Test {
    EngineWorld world;

    Sharing()
    {
        world.source("rates").shared = true;
        tenant("a", {"rates", "prices"});
        tenant("b", {"rates"});
        tenant("c", {"prices"});
    }

    TenantDefinition& tenant(const std::string& name, std::vector<std::string> sources)
    {
        auto changed = std::make_shared<Definitions>(*world.definitions);
        TenantDefinition& slot = changed->tenants[name];
        slot.name = name;
        slot.sources = std::move(sources);
        world.definitions = changed;
        return slot;
    }
    static AskRefresh asked_by(const std::string& by, const std::string& caller)
    {
        return {.tenant = std::string{shared_tenant},
                .key = "rates",
                .source = "rates",
                .trigger = Trigger::manual,
                .caller = caller,
                .by_tenant = by};
    }
    KeyRecord record(std::string_view tenant_name, const std::string& key = "rates") const
    {
        return world.store->reader()->key(tenant_name, key).value_or(KeyRecord{});
    }
    void fetch(const std::string& json)
    {
        ASSERT_TRUE(world.ask(asked_by("a", "alice")));
        const auto claimed = world.claim();
        ASSERT_EQ(claimed.size(), 1U);
        ASSERT_TRUE(world.complete(claimed[0], json));
    }
};

TEST_F(Sharing, F5OneFlightServesEveryTenantThatListsTheSource)
{
    world.start();
    const auto first = world.ask(asked_by("a", "alice"));
    const auto second = world.ask(asked_by("b", "bob"));
    ASSERT_TRUE(first && second);
    EXPECT_EQ(first->job->id, second->job->id);
    EXPECT_TRUE(second->joined);
    const auto claimed = world.claim();
    ASSERT_EQ(claimed.size(), 1U);
    ASSERT_TRUE(world.complete(claimed[0], R"([1,2])", 2));
    EXPECT_EQ(record(shared_tenant).gen, 1);
    EXPECT_EQ(record("a").gen, 0) << "no tenant has a copy of its own";
}

TEST_F(Sharing, F9ChargesTheTenantThatAskedAndNoOther)
{
    tenant("a", {"rates"}).limits.refreshes = {1, 1min};
    world.start();
    fetch("[1]");
    world.now += 1s;
    const auto again = world.ask(asked_by("a", "alice"));
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().refusal, Refusal::limited);
    EXPECT_TRUE(world.ask(asked_by("b", "bob"))) << "what a has used up is a's";
}

TEST_F(Sharing, F9CountsTheManualLimitOfCallersOfOneNameByTheirTenants)
{
    world.source("rates").manual_limit = {1, 1min};
    world.start();
    fetch("[1]");
    EXPECT_FALSE(world.ask(asked_by("a", "alice")));
    EXPECT_TRUE(world.ask(asked_by("b", "alice")));
}

TEST_F(Sharing, F9WritesDownNowhereWhoAsked)
{
    world.start();
    const auto asked = world.ask(asked_by("a", "alice"));
    ASSERT_TRUE(asked);
    EXPECT_EQ(asked->job->requested_by, "");
    const auto claimed = world.claim();
    ASSERT_EQ(claimed.size(), 1U);
    ASSERT_TRUE(world.complete(claimed[0], "[1]"));
    for (const LedgerEntry& entry : world.store->reader()->ledger(shared_tenant, 0, 100))
        EXPECT_THAT(event_json(entry.event), Not(HasSubstr("alice")));
    EXPECT_TRUE(world.store->reader()->ledger("a", 0, 100).empty()) << "a's ledger says nothing of it";
    AuditFilter filter;
    filter.tenant = "b";
    filter.limit = 10;
    EXPECT_TRUE(world.store->reader()->audit(filter).empty());
}

TEST_F(Sharing, F9KnowsAnIdempotencyKeyAmongTheTenantsOwnOnly)
{
    world.start();
    AskRefresh of_a = asked_by("a", "dash"), of_b = asked_by("b", "dash");
    of_a.idempotency = IdempotencyScope{"refresh", "k", hash128("one")};
    of_b.idempotency = IdempotencyScope{"refresh", "k", hash128("two")};
    ASSERT_TRUE(world.ask(of_a));
    const auto answer = world.ask(of_b);
    ASSERT_TRUE(answer) << "b's key is another one";
    EXPECT_FALSE(answer->replayed);
    EXPECT_TRUE(world.ask(of_a)->replayed);
}

TEST_F(Sharing, RefusesACopyOfATenantsOwn)
{
    world.start();
    AskRefresh own = asked_by({}, "alice");
    own.tenant = "a";
    const auto refused = world.ask(own);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().refusal, Refusal::source_removed);
}

TEST_F(Sharing, FiresItsScheduleOnceForAll)
{
    world.source("rates").schedule.every = 1min;
    world.start();
    const auto first = world.claim();
    ASSERT_EQ(first.size(), 1U) << "the first data does not wait for a reader, and is asked for once";
    EXPECT_EQ(first[0].job->tenant, shared_tenant);
    EXPECT_EQ(first[0].job->requested_by, "schedule");
    ASSERT_TRUE(world.complete(first[0], "[1]"));
    world.now += 2min;
    EXPECT_EQ(world.claim().size(), 1U);
}

TEST_F(Sharing, RefreshesWhatFollowsItInEachTenantThatListsThat)
{
    world.source("prices").after = {"rates"};
    world.start();
    fetch("[1]");
    std::vector<std::string> tenants;
    for (const ClaimedJob& claimed : world.claim()) {
        EXPECT_EQ(claimed.job->key, "prices");
        EXPECT_EQ(claimed.job->requested_by, "after:rates");
        tenants.push_back(claimed.job->tenant);
    }
    std::ranges::sort(tenants);
    EXPECT_THAT(tenants, ElementsAre("a", "c"));
}

TEST_F(Sharing, RefreshesASharedFollowerOnce)
{
    SourceDefinition& totals = world.source("totals");
    totals.shared = true;
    totals.after = {"rates"};
    tenant("b", {"rates", "totals"});
    world.start();
    fetch("[1]");
    const auto claimed = world.claim();
    ASSERT_EQ(claimed.size(), 1U);
    EXPECT_EQ(claimed[0].job->key, "totals");
    EXPECT_EQ(claimed[0].job->tenant, shared_tenant);
}

TEST_F(Sharing, F4GoesOnAboveWhatReadersSawBeforeItWasShared)
{
    world.source("rates").shared = false;
    world.start();
    AskRefresh own = asked_by({}, "alice");
    own.tenant = "a";
    for (int i = 0; i < 3; ++i) {
        ASSERT_TRUE(world.ask(own));
        ASSERT_TRUE(world.complete(world.claim().at(0), "[" + std::to_string(i) + "]"));
        world.now += 1s;
    }
    ASSERT_TRUE(world.ask(own)) << "a flight that is under way";
    ASSERT_EQ(record("a").gen, 3);
    world.source("rates").shared = true;
    ASSERT_TRUE(world.ask_engine(Reconfigure{world.definitions}));
    EXPECT_TRUE(world.claim().empty()) << "the flight of what is no more was ended";
    fetch("[9]");
    EXPECT_EQ(record(shared_tenant).gen, 4);
    EXPECT_EQ(record(shared_tenant).ver, 4);

    world.source("rates").shared = false;
    ASSERT_TRUE(world.ask_engine(Reconfigure{world.definitions}));
    EXPECT_FALSE(record("a").has_data) << "its own copy is older than what its readers saw last";
    ASSERT_TRUE(world.ask(own));
    ASSERT_TRUE(world.complete(world.claim().at(0), "[10]"));
    EXPECT_EQ(record("a").gen, 5);
}

TEST_F(Sharing, StaysWhereItIsWithoutTenants)
{
    auto changed = std::make_shared<Definitions>(*world.definitions);
    changed->tenants.clear();
    world.definitions = changed;
    world.start();
    AskRefresh own = asked_by({}, "alice");
    own.tenant = "default";
    ASSERT_TRUE(world.ask(own));
    EXPECT_EQ(world.claim().size(), 1U);
}

TEST_F(Sharing, F4GoesOnAboveWhatWasSharedWhereTheTenantsAreGone)
{
    world.start();
    for (const std::string body : {"[1]", "[2]", "[3]"}) {
        fetch(body);
        world.now += 1s;
    }
    ASSERT_EQ(record(shared_tenant).gen, 3);
    auto changed = std::make_shared<Definitions>(*world.definitions);
    changed->tenants.clear();
    world.definitions = changed;
    ASSERT_TRUE(world.ask_engine(Reconfigure{world.definitions}));
    AskRefresh own = asked_by({}, "alice");
    own.tenant = "default";
    ASSERT_TRUE(world.ask(own));
    ASSERT_TRUE(world.complete(world.claim().at(0), "[4]"));
    EXPECT_EQ(record("default").gen, 4);
}

TEST_F(Sharing, IsPausedForAllByItsOwnTenant)
{
    world.start();
    ASSERT_TRUE(world.ask_engine(PauseSource{"rates", true, std::string{shared_tenant}, "root"}));
    (void)world.ask(asked_by("a", "alice"));
    EXPECT_TRUE(world.claim().empty());
    EXPECT_FALSE(world.ask_engine(PauseSource{"rates", true, "a", "alice"})) << "there is no copy of a's to pause";
}

TEST_F(Sharing, F9AWorkerOfOneTenantIsNotGivenWhatIsForAll)
{
    SourceDefinition& rates = world.source("rates");
    rates.kind = SourceKind::worker;
    rates.queue = "scrape";
    world.start();
    ASSERT_TRUE(world.ask(asked_by("a", "alice")));
    ClaimWork of_a = world.claiming("w1", {"scrape"});
    of_a.tenant = "a";
    EXPECT_TRUE(world.claim_work(of_a).empty());
    EXPECT_EQ(world.claim_work(world.claiming("w2", {"scrape"})).size(), 1U);
}

} // namespace
} // namespace freshet
