// SPDX-License-Identifier: Apache-2.0
#include "stores.hpp"

#include <gmock/gmock.h>

namespace freshet::contract {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class SmallRows : public StoreContract {};
FRESHET_CONTRACT(SmallRows);

TEST_P(SmallRows, RemembersIdempotencyKeysPerTenantCallerAndRouteUntilTheyExpire)
{
    const IdempotencyRecord record{"acme", "t_1", "POST /v1/jobs", "k1", {1, 2}, JobId{3}, t0 + 24h};
    commit([&](Transaction& t) { t.put_idempotency(record); });
    reopen();
    commit([&](Transaction& t) {
        EXPECT_EQ(t.idempotency("acme", "t_1", "POST /v1/jobs", "k1"), record);
        EXPECT_EQ(t.idempotency("globex", "t_1", "POST /v1/jobs", "k1"), std::nullopt);
        EXPECT_EQ(t.idempotency("acme", "t_2", "POST /v1/jobs", "k1"), std::nullopt);
        EXPECT_EQ(t.idempotency("acme", "t_1", "POST /v1/batches", "k1"), std::nullopt);
        t.drop_idempotency(t0 + 24h);
        EXPECT_TRUE(t.idempotency("acme", "t_1", "POST /v1/jobs", "k1"));
        t.drop_idempotency(t0 + 24h + 1ms);
        EXPECT_FALSE(t.idempotency("acme", "t_1", "POST /v1/jobs", "k1"));
    });
}

TEST_P(SmallRows, KeepsBreakersPerTenantSourceAndHost)
{
    BreakerRecord breaker{"acme", "prices", "api.example", 4, {}, {}};
    commit([&](Transaction& t) { t.put_breaker(breaker); });
    breaker.failures = 5, breaker.open_until = t0 + 1min, breaker.probe = JobId{9};
    commit([&](Transaction& t) { t.put_breaker(breaker); });
    reopen();
    const auto t = store().begin();
    EXPECT_EQ(t->breaker("acme", "prices", "api.example"), breaker);
    EXPECT_EQ(t->breaker("globex", "prices", "api.example"), std::nullopt);
    EXPECT_EQ(t->breaker("acme", "prices", "other.example"), std::nullopt);
}

TEST_P(SmallRows, DropsFiresThatWereDecidedLongAgo)
{
    const FireRecord old{"acme", "prices", t0, t0, "ran", "", {}};
    FireRecord recent = old;
    recent.nominal = recent.fired_at = t0 + 1h;
    commit([&](Transaction& t) {
        t.put_fire(old);
        t.put_fire(recent);
        t.drop_fires(t0 + 1h);
    });
    EXPECT_EQ(store().begin()->fires("acme", "prices", 10), std::vector{recent});
}

TEST_P(SmallRows, LetsAScheduleFireOncePerNominalInstant)
{
    const FireRecord fire{"acme", "prices", t0, t0 + 5ms, "ran", "on time", JobId{1}};
    FireRecord again = fire;
    again.decision = "skipped";
    FireRecord next{"acme", "prices", t0 + 1h, t0 + 1h, "coalesced", "", {}};
    commit([&](Transaction& t) {
        EXPECT_TRUE(t.put_fire(fire));
        EXPECT_FALSE(t.put_fire(again));
        EXPECT_TRUE(t.put_fire(next));
    });
    commit([&](Transaction& t) { EXPECT_FALSE(t.put_fire(again)); });
    EXPECT_THAT(store().reader()->fires("acme", "prices", 10), ElementsAre(next, fire));
    EXPECT_THAT(store().reader()->fires("acme", "prices", 1), ElementsAre(next));
    EXPECT_THAT(store().reader()->fires("globex", "prices", 10), IsEmpty());
}

TEST_P(SmallRows, PausesAndResumesByName)
{
    commit([](Transaction& t) {
        t.put_paused("queue/prices", true);
        t.put_paused("queue/prices", true);
        t.put_paused("a", true);
    });
    reopen();
    commit([](Transaction& t) {
        EXPECT_THAT(t.paused(), ElementsAre("a", "queue/prices"));
        t.put_paused("a", false);
        t.put_paused("never was", false);
    });
    EXPECT_THAT(store().begin()->paused(), ElementsAre("queue/prices"));
}

TEST_P(SmallRows, TakesAuditRecords)
{
    commit([](Transaction& t) {
        t.put_audit({"acme", "t_1", "pause", "queue/prices", "", t0});
        t.put_audit({"acme", "t_1", "pause", "queue/prices", "", t0});
    });
}

} // namespace
} // namespace freshet::contract
