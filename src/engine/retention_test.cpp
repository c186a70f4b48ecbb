// SPDX-License-Identifier: Apache-2.0
// What is kept and what goes: by age, by number and bytes of a tenant, so much in one commit.
#include "engine/batch_world.hpp"

#include <gmock/gmock.h>

#include <deque>

namespace freshet {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class Retention : public Batches {
protected:
    /// A task that was asked for and ended now.
    JobId one_ended(const std::string& result = "1", const std::string& tenant = "default")
    {
        const JobId id = add_one(task("mails"), tenant);
        const auto claimed = claim_from("mails");
        EXPECT_EQ(claimed.size(), 1U);
        EXPECT_TRUE(end(done(claimed.at(0), result)));
        return id;
    }
    bool is_kept(JobId id) { return store->begin()->job(id).has_value(); }
    KeptFigures ended(const std::string& tenant = "default")
    {
        const auto t = store->begin();
        return t->kept_figures(tenant);
    }
    std::vector<RemovedSource> removed()
    {
        const auto t = store->begin();
        return t->removed_sources();
    }
    std::int64_t kept(const std::string& tenant = "default") { return ended(tenant).ended; }
    /// A day in the life of upkeep: steps until it rests.
    int tidy()
    {
        int steps = 0;
        for (auto wake = step(); wake && *wake <= now + 1s && steps < 2000; wake = step()) {
            now = std::max(now, *wake);
            ++steps;
        }
        return steps;
    }
    void wait(Millis length)
    {
        now += length;
        tidy();
    }
    std::vector<std::int64_t> versions()
    {
        std::vector<std::int64_t> vers;
        for (const VersionRecord& version : store->begin()->versions("default", "prices", 0, 100))
            vers.push_back(version.ver);
        return vers;
    }
    void publish_prices(const std::string& json)
    {
        refresh();
        EXPECT_TRUE(complete(claim().at(0), json));
    }
};

TEST_F(Retention, DropsEndedJobsAfterTheirTime)
{
    retention.jobs_keep = 3h;
    start();
    const JobId old = one_ended();
    const JobId waits = add_one("letters");
    wait(2h);
    EXPECT_TRUE(is_kept(old));
    const JobId recent = one_ended();
    wait(1h + 1min);
    EXPECT_FALSE(is_kept(old));
    EXPECT_TRUE(is_kept(recent));
    EXPECT_TRUE(is_kept(waits)) << "what waits has no age";
}

TEST_F(Retention, DropsTheOldestOfATenantThatKeepsTooMany)
{
    retention.jobs_max = 3;
    add_tenants({"default", "globex"});
    start();
    std::vector<JobId> jobs;
    for (int i = 0; i < 5; ++i) {
        jobs.push_back(one_ended());
        now += 1min;
    }
    const JobId other = one_ended("1", "globex");
    wait(2h);
    EXPECT_EQ(kept(), 3);
    EXPECT_FALSE(is_kept(jobs[0]));
    EXPECT_FALSE(is_kept(jobs[1]));
    EXPECT_TRUE(is_kept(jobs[2]));
    EXPECT_TRUE(is_kept(other)) << "F9: what another tenant keeps is its own";
}

TEST_F(Retention, KeepsAReceiptForAnHourHoweverFullItIs)
{
    retention.jobs_max = 1;
    start();
    const JobId first = one_ended();
    one_ended();
    wait(58min);
    EXPECT_TRUE(is_kept(first));
    wait(3min);
    EXPECT_FALSE(is_kept(first));
    EXPECT_EQ(kept(), 1);
}

TEST_F(Retention, DropsTheOldestOfATenantThatKeepsTooManyBytes)
{
    retention.jobs_bytes_max = 250'000;
    start();
    const std::string large = '"' + std::string(100'000, 'x') + '"';
    const JobId first = one_ended(large);
    now += 1min;
    const JobId second = one_ended(large);
    now += 1min;
    const JobId third = one_ended(large);
    wait(2h);
    EXPECT_FALSE(is_kept(first));
    EXPECT_TRUE(is_kept(second));
    EXPECT_TRUE(is_kept(third));
    EXPECT_LE(ended().ended_bytes, 250'000);
}

TEST_F(Retention, DropsABatchWithItsItemsAndNeverOfALiveOne)
{
    retention.jobs_max = 4;
    start();
    const BatchId first = add(request(3, "a"));
    succeed_all();
    now += 1min;
    const BatchId live = add(request(3, "b"));
    succeed(claim_items(1).at(0));
    succeed(claim_items(1).at(0)); // one is left
    wait(2h);
    ASSERT_EQ(kept(), 2) << "three and two are more than four, and three of one batch go together";
    EXPECT_FALSE(store->begin()->batch(first));
    EXPECT_THAT(items(first), IsEmpty());
    EXPECT_EQ(items(live).size(), 3U);
    wait(72h);
    EXPECT_EQ(items(live).size(), 3U) << "not even by age";
}

TEST_F(Retention, DropsAllThatOneCommitHasRoomForOfBatchesToo)
{
    for (const bool by_age : {true, false}) {
        retention = {};
        if (!by_age) retention.jobs_max = 1;
        start();
        std::vector<BatchId> batches;
        for (int i = 0; i < 3; ++i) {
            batches.push_back(add(request(2, std::to_string(i))));
            succeed_all();
        }
        now += by_age ? 49h : 61min;
        for (int i = 0; i < 10 && store->begin()->batch(batches[0]); ++i) now = std::max(now, step().value_or(now));
        for (const BatchId id : batches) EXPECT_FALSE(store->begin()->batch(id)) << (by_age ? "by age" : "by number");
    }
}

TEST_F(Retention, DropsABatchOfManyItemsInParts)
{
    queue("generate").waiting_max = 10'000;
    retention.jobs_max = 1;
    start();
    const BatchId large = add(request(400));
    succeed_all();
    now += 61min;
    step();
    EXPECT_TRUE(store->begin()->batch(large)) << "it goes with its last item";
    EXPECT_EQ(items(large).size(), 400U - 256U);
    tidy();
    EXPECT_FALSE(store->begin()->batch(large));
    EXPECT_EQ(kept(), 0);
}

TEST_F(Retention, DropsSoMuchInOneCommitAndGoesOn)
{
    queue("mails").waiting_max = 10'000;
    start();
    std::vector<NewJob> many(1000, task("mails"));
    ASSERT_TRUE(EngineWorld::add(many));
    for (auto claimed = claim_from("mails", "w1", 100); !claimed.empty(); claimed = claim_from("mails", "w1", 100))
        for (const ClaimedJob& one : claimed) EXPECT_TRUE(end(done(one)));
    ASSERT_EQ(kept(), 1000);
    now += 49h;
    std::deque<std::int64_t> left{kept()};
    for (auto wake = step(); left.back() > 0 && left.size() < 100; wake = step()) {
        EXPECT_LE(left.back() - kept(), 256);
        left.push_back(kept());
        now = std::max(now, wake.value_or(now));
    }
    EXPECT_EQ(left.back(), 0);
    EXPECT_LT(left.size(), 12U) << "soon, all the same";
}

TEST_F(Retention, DropsLargeResultsOneByOne)
{
    start();
    const std::string large = '"' + std::string(5 << 20, 'x') + '"';
    for (int i = 0; i < 6; ++i) one_ended(large);
    now += 49h;
    step();
    EXPECT_GE(kept(), 4) << "no more than some megabytes in a commit";
    tidy();
    EXPECT_EQ(kept(), 0);
}

TEST_F(Retention, TrimsTheLedgerOfEachTenantAndMovesItsFloor)
{
    auto changed = std::make_shared<Definitions>(*definitions);
    changed->server.ledger_keep = 1h;
    definitions = changed;
    add_tenants({"acme", "globex"});
    start();
    one_ended("1", "acme");
    one_ended("1", "globex");
    now += 30min;
    one_ended("1", "globex");
    const LedgerHead before = store->begin()->ledger_head("globex");
    wait(45min);
    const auto t = store->begin();
    EXPECT_EQ(t->ledger_head("acme").floor, t->ledger_head("acme").head);
    EXPECT_GT(t->ledger_head("globex").floor, 0U);
    EXPECT_LT(t->ledger_head("globex").floor, before.head);
    EXPECT_EQ(t->ledger_head("globex").head, before.head);
}

TEST_F(Retention, DropsOldVersionsAndNeverTheCurrentOne)
{
    retention.versions_keep = 24h;
    start();
    publish_prices("[1]");
    publish_prices("[2]");
    now += 20h;
    publish_prices("[3]");
    EXPECT_THAT(versions(), ElementsAre(3, 2, 1));
    wait(6h);
    EXPECT_THAT(versions(), ElementsAre(3));
    wait(300h);
    EXPECT_THAT(versions(), ElementsAre(3)) << "F8: the last good data survives";
    EXPECT_TRUE(key().has_data);
}

TEST_F(Retention, DropsTheOldestVersionsOfATenantThatKeepsTooManyBytes)
{
    retention.versions_bytes_max = 60'000;
    start();
    for (const char word : {'a', 'b', 'c', 'd', 'e'}) publish_prices("[\"" + std::string(20'000, word) + "\"]");
    wait(2h);
    EXPECT_THAT(versions(), ElementsAre(5, 4));
    retention.versions_bytes_max = 1'000;
    start();
    wait(2h);
    EXPECT_THAT(versions(), ElementsAre(5)) << "F8: the current one stays, however much it is";
    EXPECT_TRUE(key().has_data);
}

TEST_F(Retention, KeepsTheNewestActsOfATenant)
{
    retention.audit_max = 3;
    start();
    for (int i = 0; i < 5; ++i) ask_engine(PauseSource{"prices", i % 2 == 0, "default", "ann" + std::to_string(i)});
    wait(2min);
    std::vector<std::string> actors;
    for (const AuditRow& row : store->begin()->audit({.tenant = "default"})) actors.push_back(row.record.actor);
    EXPECT_THAT(actors, ElementsAre("ann4", "ann3", "ann2"));
}

TEST_F(Retention, FollowsAReload)
{
    start();
    const JobId old = one_ended();
    wait(2h);
    ASSERT_TRUE(is_kept(old));
    auto shorter = std::make_shared<Definitions>(*definitions);
    shorter->retention.jobs_keep = 1h;
    ask_engine(Reconfigure{shorter});
    wait(2min);
    EXPECT_FALSE(is_kept(old));
}

TEST_F(Retention, KeepsDataOfARemovedSourceForSevenDays)
{
    start();
    publish_prices("[1]");
    const auto with_source = definitions;
    auto without = std::make_shared<Definitions>(*definitions);
    without->sources.clear();
    ask_engine(Reconfigure{without});
    wait(2h);
    wait(160h);
    EXPECT_TRUE(key().has_data);
    EXPECT_EQ(removed().size(), 1U);

    ask_engine(Reconfigure{with_source});
    EXPECT_THAT(removed(), IsEmpty()) << "it came back";
    wait(10h);
    ASSERT_TRUE(key().has_data);

    definitions = without;
    start();
    wait(2h);
    start(); // the time goes on over a restart
    wait(168h);
    EXPECT_FALSE(key().has_data);
    EXPECT_THAT(versions(), IsEmpty());
    EXPECT_EQ(key().ver, 1) << "its numbers stay";
}

TEST_F(Retention, BeginsNumbersAboveThoseOfAnotherLife)
{
    store = std::make_unique<MemoryStore>(5, std::int64_t{1} << 20);
    start();
    publish_prices("[1]");
    EXPECT_EQ(key().gen, (1 << 20) + 1);
    EXPECT_EQ(key().ver, (1 << 20) + 1);
    publish_prices("[1]");
    EXPECT_EQ(key().gen, (1 << 20) + 2);
    EXPECT_EQ(key().ver, (1 << 20) + 1);
    EXPECT_GT(store->begin()->ledger_head("default").floor, 0U) << "a cursor below it is of another life";
    refresh();
    EXPECT_GT(claim().at(0).job->fence, std::uint64_t{1} << 20);
}

TEST_F(Retention, DropsTheOldestByNumberSoMuchInOneCommitAndGoesOnSoon)
{
    queue("mails").waiting_max = 10'000;
    retention.jobs_max = 10;
    start();
    std::vector<NewJob> many(600, task("mails"));
    ASSERT_TRUE(EngineWorld::add(many));
    for (auto claimed = claim_from("mails", "w1", 100); !claimed.empty(); claimed = claim_from("mails", "w1", 100))
        for (const ClaimedJob& one : claimed) EXPECT_TRUE(end(done(one)));
    now += 61min;
    const WallTime began = now;
    int most = 0;
    for (int i = 0; i < 100 && kept() > 10; ++i) {
        const std::int64_t before = kept();
        const auto wake = step();
        most = std::max(most, static_cast<int>(before - kept()));
        if (kept() > 10) now = std::max(now, wake.value_or(now));
    }
    EXPECT_EQ(kept(), 10);
    EXPECT_LE(most, 256);
    EXPECT_LT(now - began, 30s) << "not a commit's share per minute";
}

TEST_F(Retention, DropsAResultThatWasPutAndThatNoCompletionNamedAfterAnHour)
{
    start();
    add_one("mails"), add_one("mails");
    const auto held = claim_from("mails", "w1", 2);
    std::vector<std::int64_t> payloads;
    for (const ClaimedJob& one : held) {
        const auto bytes = std::make_shared<const std::string>('"' + std::string(100'000, 'x') + '"');
        std::optional<Reply> put;
        std::vector<Posted> group;
        group.push_back({PutResult{one.job->id, one.job->fence, "*", bytes}, -1, [&](Reply reply) { put = reply; }});
        step(std::move(group));
        for (int i = 0; i < 8 && !put; ++i) step();
        payloads.push_back(std::get<ResultPut>(put.value().value()).payload);
    }
    const auto beat_on = [&](Millis length) {
        for (const WallTime until = now + length; now < until; now += 20s) beat(held);
    };
    const auto name = [&](std::size_t i) {
        return end(CompleteJob{held[i].job->id, held[i].job->fence, TaskResult{"", payloads[i], 100'002}});
    };
    beat_on(58min);
    EXPECT_TRUE(name(0));
    beat_on(3min);
    EXPECT_EQ(name(1).error().refusal, Refusal::bad_request);
    EXPECT_EQ(job(held[1].job->id).state, JobState::running) << "it may be put again";
}

TEST_F(Retention, WalksThroughTheKeysOfAllTenantsPageByPage)
{
    retention.versions_keep = 24h;
    add_tenants({"acme", "globex", "umbrella"});
    auto t = store->begin();
    for (const char* tenant : {"acme", "globex", "umbrella"}) {
        t->append(tenant, {}, now);
        for (int i = 0; i < 200 && tenant != std::string{"globex"}; ++i) { // which has no keys
            KeyRecord record;
            record.tenant = tenant, record.key = "prices/" + std::to_string(1000 + i), record.source = "prices";
            record.gen = record.ver = 2, record.seq = 1, record.has_data = true;
            t->put_key(record);
            VersionRecord old;
            old.ver = old.gen = 1, old.payload = t->put_payload("[1]"), old.changed_at = now;
            t->put_version(tenant, record.key, old);
        }
    }
    t->commit();
    t.reset();
    now += 25h;
    start();
    const auto versions_left = [&] {
        int left = 0;
        for (const char* tenant : {"acme", "umbrella"})
            for (int i = 0; i < 200; ++i)
                left += static_cast<int>(
                    store->begin()->versions(tenant, "prices/" + std::to_string(1000 + i), 0, 10).size());
        return left;
    };
    step();
    EXPECT_EQ(versions_left(), 400 - 255) << "one page, less the question to a tenant without keys";
    tidy();
    EXPECT_EQ(versions_left(), 0);
}

} // namespace
} // namespace freshet
