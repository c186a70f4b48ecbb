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
    const IdempotencyRecord record{"acme", "t_1", "POST /v1/jobs", "k1", {1, 2}, "j_1,j_2", t0 + 24h};
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

TEST_P(SmallRows, ListsWhatPeopleDidNewestFirstAndPageByPage)
{
    const auto act = [](const char* tenant, const char* action, int after) {
        return AuditRecord{tenant, "t_1", action, "queue/prices", "detail", t0 + Millis{after}};
    };
    commit([&](Transaction& t) {
        t.put_audit(act("acme", "pause", 1));
        t.put_audit(act("globex", "pause", 2));
        t.put_audit(act("acme", "resume", 3));
        t.put_audit(act("acme", "reset", 4));
    });
    reopen();
    const auto first = store().reader()->audit({.tenant = "acme", .limit = 2});
    ASSERT_EQ(first.size(), 2U);
    EXPECT_EQ(first[0].record, act("acme", "reset", 4));
    EXPECT_EQ(first[1].record, act("acme", "resume", 3));
    const auto second = store().reader()->audit({.tenant = "acme", .before = first[1].number, .limit = 2});
    ASSERT_EQ(second.size(), 1U);
    EXPECT_EQ(second[0].record, act("acme", "pause", 1));
    commit([](Transaction& t) { t.drop_audit(t0 + 3ms); });
    EXPECT_EQ(store().reader()->audit({.tenant = "acme"}).size(), 2U);
    EXPECT_THAT(store().reader()->audit({.tenant = "globex"}), IsEmpty());
}

TEST_P(SmallRows, KeepsTheNewestActsOfATenantAndLeavesThoseOfOthers)
{
    commit([](Transaction& t) {
        for (int i = 0; i < 5; ++i) {
            t.put_audit({"acme", "ann", std::to_string(i), "prices", {}, t0});
            t.put_audit({"globex", "bob", std::to_string(i), "prices", {}, t0});
        }
    });
    commit([](Transaction& t) {
        t.trim_audit("acme", 2);
        t.trim_audit("globex", 5);
        t.trim_audit("nobody", 1);
    });
    std::vector<std::string> acts;
    for (const AuditRow& row : store().reader()->audit({.tenant = "acme"})) acts.push_back(row.record.action);
    EXPECT_THAT(acts, testing::ElementsAre("4", "3"));
    EXPECT_EQ(store().reader()->audit({.tenant = "globex"}).size(), 5U);
}

TEST_P(SmallRows, DropsTheOldestAndNoMoreThanIsAllowed)
{
    commit([](Transaction& t) {
        for (int i = 0; i < rows_per_trim + 2; ++i) {
            const Millis later{rows_per_trim + 1 - i};
            const std::string name = std::to_string(i);
            t.put_audit({"acme", "ann", name, "prices", {}, t0 + later});
            t.put_fire({"acme", "prices", t0 + later, t0 + later, name, "", {}});
            t.put_idempotency({"acme", "t_1", "POST /v1/jobs", name, {1, 2}, "j_1", t0 + later});
        }
    });
    commit([](Transaction& t) {
        t.drop_audit(t0 + 1h);
        t.drop_fires(t0 + 1h);
        t.drop_idempotency(t0 + 1h);
    });
    const auto t = store().begin();
    std::vector<std::string> acts, fires;
    for (const AuditRow& row : t->audit({.tenant = "acme"})) acts.push_back(row.record.action);
    for (const FireRecord& fire : t->fires("acme", "prices", 10)) fires.push_back(fire.decision);
    EXPECT_THAT(acts, testing::ElementsAre("1", "0"));
    EXPECT_THAT(fires, testing::ElementsAre("0", "1"));
    EXPECT_FALSE(t->idempotency("acme", "t_1", "POST /v1/jobs", "2"));
    EXPECT_TRUE(t->idempotency("acme", "t_1", "POST /v1/jobs", "1"));
}

TEST_P(SmallRows, RemembersSourcesThatTheConfigLost)
{
    commit([](Transaction& t) {
        t.put_removed_source("prices", t0);
        t.put_removed_source("alerts", t0 + 1h);
    });
    reopen();
    EXPECT_THAT(store().begin()->removed_sources(),
                testing::ElementsAre(RemovedSource{"alerts", t0 + 1h}, RemovedSource{"prices", t0}));
    commit([](Transaction& t) { t.put_removed_source("prices", std::nullopt); });
    EXPECT_THAT(store().begin()->removed_sources(), testing::ElementsAre(RemovedSource{"alerts", t0 + 1h}));
}

TEST_P(SmallRows, KeepsTokensByName)
{
    const TokenRecord plain{"b", "*", Role::operator_, false, {}, std::string(64, 'a'), "local", t0, {}};
    TokenRecord narrow{"a", "acme", Role::viewer, true, {{"prices", "stocks"}, {"reports"}}, std::string(64, 'b'),
                       "b", t0,     t0 + 1h};
    commit([&](Transaction& t) {
        t.put_token(plain);
        t.put_token(narrow);
        narrow.role = Role::worker;
        t.put_token(narrow);
    });
    reopen();
    EXPECT_THAT(store().reader()->tokens(), ElementsAre(narrow, plain));
    commit([](Transaction& t) {
        EXPECT_TRUE(t.drop_token("a"));
        EXPECT_FALSE(t.drop_token("a"));
        EXPECT_EQ(t.tokens().size(), 1U);
    });
    EXPECT_THAT(store().reader()->tokens(), ElementsAre(plain));
}

TEST_P(SmallRows, KeepsLimitsOfAQueueUntilBothAreCleared)
{
    const QueueLimits slots{"prices", 3, {}}, both{"stocks", 0, RateLimit{6, 1min}}, rate{"zeta", {}, RateLimit{0, 1s}};
    commit([&](Transaction& t) {
        for (const QueueLimits& limits : {rate, both, slots}) t.put_queue_limits(limits);
    });
    reopen();
    EXPECT_THAT(store().reader()->queue_limits(), ElementsAre(slots, both, rate));
    commit([](Transaction& t) { t.put_queue_limits({"stocks", {}, {}}); });
    EXPECT_THAT(store().reader()->queue_limits(), ElementsAre(slots, rate));
}

TEST_P(SmallRows, KeepsResetsUntilTheirRowsAreEnded)
{
    commit([](Transaction& t) {
        t.put_reset({"acme", "prices", 4});
        t.put_reset({"acme", "", 5});
        t.put_reset({"acme", "prices", 6});
    });
    reopen();
    EXPECT_THAT(store().reader()->resets(), ElementsAre(ResetRecord{"acme", "", 5}, ResetRecord{"acme", "prices", 6}));
    commit([](Transaction& t) {
        t.drop_reset("acme", "");
        t.drop_reset("globex", "prices");
    });
    EXPECT_THAT(store().reader()->resets(), ElementsAre(ResetRecord{"acme", "prices", 6}));
}

TEST_P(SmallRows, FindsTheSchedulesThatAreDueUnlessTheyArePaused)
{
    const ScheduleRecord late{"acme", "late", t0 + 2s, false}, early{"acme", "early", t0 + 1s, false};
    const ScheduleRecord paused{"acme", "paused", t0 + 1s, true}, never{"acme", "never", {}, false};
    const ScheduleRecord foreign{"globex", "early", t0 + 9s, false};
    commit([&](Transaction& t) {
        for (const ScheduleRecord& schedule : {late, early, paused, never, foreign}) t.put_schedule(schedule);
    });
    reopen();
    EXPECT_THAT(store().reader()->schedules("acme"), ElementsAre(early, late, never, paused));
    const auto t = store().begin();
    EXPECT_THAT(t->schedules_due(t0 + 2s, 10), ElementsAre(early, late));
    EXPECT_THAT(t->schedules_due(t0 + 2s, 1), ElementsAre(early));
    EXPECT_THAT(t->schedules_due(t0, 10), IsEmpty());
    EXPECT_EQ(t->next_wake(t0), t0 + 1s);
    EXPECT_EQ(t->next_wake(t0 + 2s), t0 + 9s);
}

} // namespace
} // namespace freshet::contract
