// SPDX-License-Identifier: Apache-2.0
// Lists in the order that `sort` asks for: whole, page by page, and what is answered where a list has no such order.
#include "http/sorted_page.hpp"
#include "http/work_routes_world.hpp"
#include "model/key.hpp"

#include <gmock/gmock.h>

namespace freshet::http {

namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class SortedLists : public WorkRoutes {
protected:
    /// The same member of each row, over all pages of one row each.
    std::vector<std::string> walk(const std::string& target, const std::string& name)
    {
        std::vector<std::string> seen;
        std::string after;
        do {
            const Answered page = client->get(target + "&limit=1" + after);
            EXPECT_EQ(page.status, 200) << page.body;
            if (const std::string value = member(page.body, "/items/0/" + name); !value.empty()) seen.push_back(value);
            EXPECT_EQ(member(page.body, "/items/1/" + name), "");
            after = member(page.body, "/next");
            if (!after.empty()) after = "&after=" + percent_encode(after);
        } while (!after.empty() && seen.size() < 20);
        return seen;
    }
    void expect_no_sort(const std::string& target, const std::string& words)
    {
        const Answered answer = client->get(target);
        EXPECT_EQ(answer.status, 400) << target;
        EXPECT_THAT(member(answer.body, "/try"), HasSubstr(words)) << answer.body;
    }
    void tell_workers(std::vector<WorkerView> workers)
    {
        auto told = world.notice();
        for (WorkerView& worker : workers) told->workers.push_back(std::make_shared<WorkerView>(std::move(worker)));
        world.tail.publish(told);
    }
    WorkerView worker(const std::string& id, std::optional<WallTime> beat_at, std::size_t busy)
    {
        WorkerView made;
        made.id = id;
        made.tenant = "default";
        made.queues = {"mail"};
        made.beat_at = beat_at;
        made.jobs.resize(busy);
        return made;
    }
};

TEST_F(SortedLists, JobsNewestOrOldestFirstWithinTheBoundsOfTime)
{
    const WallTime now = world.clock.wall();
    std::vector<std::string> ids;
    for (int i = 0; i < 4; ++i) {
        const Job job = task((to_ms(now) + 1000 * i) << 20);
        ids.push_back(to_text(job.id));
        world.tell_jobs({std::make_shared<const Job>(job)});
    }
    EXPECT_THAT(walk("/v1/jobs?sort=requested_at", "id"), ElementsAre(ids[0], ids[1], ids[2], ids[3]));
    EXPECT_THAT(walk("/v1/jobs?sort=-requested_at", "id"), ElementsAre(ids[3], ids[2], ids[1], ids[0]));
    EXPECT_THAT(walk("/v1/jobs?queue=mail", "id"), ElementsAre(ids[3], ids[2], ids[1], ids[0])) << "as without it";
    const std::string bounds = "since=" + to_rfc3339(now + 1s) + "&until=" + to_rfc3339(now + 2s);
    EXPECT_THAT(walk("/v1/jobs?sort=requested_at&" + bounds, "id"), ElementsAre(ids[1], ids[2]));
    EXPECT_THAT(walk("/v1/jobs?" + bounds, "id"), ElementsAre(ids[2], ids[1]));
    expect_no_sort("/v1/jobs?sort=priority", "requested_at; with - before it");
    expect_no_sort("/v1/jobs?sort=", "requested_at");
    expect_no_sort("/v1/jobs?sort=--requested_at", "Without it the list is by -requested_at.");
}

TEST_F(SortedLists, BatchesAndTheirItems)
{
    auto transaction = world.store.begin();
    for (const std::int64_t id : {70, 71, 72}) {
        Batch batch;
        batch.id = BatchId{id}, batch.tenant = "default", batch.queue = "mail", batch.state = BatchState::sealed;
        transaction->put_batch(batch, {});
    }
    for (int i = 1; i <= 3; ++i) {
        Job item = task(i);
        item.kind = JobKind::item, item.batch = BatchId{70}, item.item = "k" + std::to_string(i);
        item.state = i == 2 ? JobState::succeeded : JobState::queued;
        transaction->put_job(item, {});
    }
    transaction->commit();
    const auto id = [](std::int64_t value) { return to_text(BatchId{value}); };
    EXPECT_THAT(walk("/v1/batches?sort=requested_at", "id"), ElementsAre(id(70), id(71), id(72)));
    EXPECT_THAT(walk("/v1/batches?state=sealed", "id"), ElementsAre(id(72), id(71), id(70)));
    const std::string items = "/v1/batches/" + id(70) + "/items";
    EXPECT_THAT(walk(items + "?sort=-job", "key"), ElementsAre("k3", "k2", "k1"));
    EXPECT_THAT(walk(items + "?sort=job", "key"), ElementsAre("k1", "k2", "k3"));
    EXPECT_THAT(walk(items + "?sort=-job&state=queued", "key"), ElementsAre("k3", "k1"));
    expect_no_sort(items + "?sort=key", "job");
    expect_no_sort("/v1/batches?sort=name", "requested_at");
}

TEST_F(SortedLists, QueuesByNameAndByWhatWaitsAndRuns)
{
    const std::int64_t first = to_ms(world.clock.wall()) << 20;
    for (int i = 0; i < 3; ++i) {
        Job job = i == 2 ? running(first + i) : task(first + i);
        job.queue = i == 0 ? "mail" : "video";
        world.tell_jobs({std::make_shared<const Job>(job)});
    }
    const std::vector<std::string> names = walk("/v1/queues?sort=name", "name");
    EXPECT_THAT(walk("/v1/queues?sort=-name", "name"), testing::ElementsAreArray(names.rbegin(), names.rend()));
    EXPECT_THAT(names, testing::IsSupersetOf({"forecasts", "mail", "video"}));
    EXPECT_EQ(walk("/v1/queues?sort=-queued", "name").size(), names.size()) << "rows that are alike are all there";
    EXPECT_EQ(walk("/v1/queues?sort=-running", "name").front(), "video");
    EXPECT_EQ(walk("/v1/queues?sort=-queued", "name").at(0), "video") << "one each: by name";
    EXPECT_EQ(walk("/v1/queues?sort=-queued", "name").at(1), "mail");
    EXPECT_EQ(walk("/v1/queues?sort=waiting_since", "name").back(), "video") << "who has nobody waiting comes first";
    EXPECT_EQ(client->get("/v1/queues?sort=queued&after=mail").status, 400) << "of a page in another order";
    expect_no_sort("/v1/queues?sort=age", "name, queued, running, workers, waiting_since");
}

TEST_F(SortedLists, WorkersByTheirCallsAndWork)
{
    const WallTime now = world.clock.wall();
    tell_workers({worker("w1", now, 2), worker("w2", now - 5s, 1), worker("w3", {}, 1)});
    EXPECT_THAT(walk("/v1/workers?queue=mail", "id"), ElementsAre("w1", "w2", "w3"));
    EXPECT_THAT(walk("/v1/workers?sort=-id", "id"), ElementsAre("w3", "w2", "w1"));
    EXPECT_THAT(walk("/v1/workers?sort=beat_at", "id"), ElementsAre("w3", "w2", "w1")) << "never counts as lowest";
    EXPECT_THAT(walk("/v1/workers?sort=-busy", "id"), ElementsAre("w1", "w3", "w2"));
    EXPECT_THAT(walk("/v1/workers?sort=busy&state=lost", "id"), IsEmpty());
    EXPECT_EQ(member(client->get("/v1/workers?limit=3").body, "/next"), "") << "nothing follows";
    expect_no_sort("/v1/workers?sort=host", "id, beat_at, claim_at, busy");
}

TEST_F(SortedLists, FreshnessByKeyAndByInstant)
{
    world.publish("prices", "[1]");
    world.clock.advance(10min);
    world.publish("region/eu", "[1]");
    const auto keys = walk("/v1/freshness?sort=key", "key");
    EXPECT_THAT(walk("/v1/freshness?sort=-key", "key"), testing::ElementsAreArray(keys.rbegin(), keys.rend()));
    EXPECT_THAT(walk("/v1/freshness?sort=-checked_at&source=prices", "key"), ElementsAre("prices"));
    const auto newest = walk("/v1/freshness?sort=-checked_at", "key");
    ASSERT_EQ(newest.size(), keys.size()) << "also those that nobody has read";
    EXPECT_EQ(newest.at(0), "region/eu");
    EXPECT_EQ(newest.at(1), "prices");
    EXPECT_EQ(walk("/v1/freshness?sort=checked_at", "key").back(), "region/eu");
    EXPECT_EQ(client->get("/v1/freshness?sort=checked_at&after=prices").status, 400);
    expect_no_sort("/v1/freshness?sort=state", "key, as_of, checked_at, changed_at, next_at");
}

TEST_F(SortedLists, SchedulesOfKeysAndTasksByIdAndByTheirNextFire)
{
    auto changed = std::make_shared<Definitions>(*world.definitions);
    for (const char* name : {"forecast", "prices"}) {
        auto scheduled = std::make_shared<SourceDefinition>(*changed->source(name));
        scheduled->schedule.every = 1h;
        changed->sources[name] = scheduled;
    }
    for (const char* name : {"nightly", "held"}) {
        changed->schedules[name].name = name;
        changed->schedules[name].when.every = 24h;
    }
    world.reload(changed);
    const WallTime now = world.clock.wall();
    auto transaction = world.store.begin();
    transaction->put_schedule({"default", "nightly", now + 2min, false});
    transaction->put_schedule({"default", "held", now + 1min, true});
    transaction->commit();
    transaction.reset();
    for (const auto& [key, wait] : {std::pair{"forecast/eu", 3min}, {"forecast/us", 1min}, {"prices", 4min}}) {
        KeyView view = world.next_view(key, "[1]");
        view.record.next_at = now + wait;
        world.commit(view);
    }
    EXPECT_THAT(walk("/v1/schedules?sort=id", "id"),
                ElementsAre("forecast/eu", "forecast/us", "held", "nightly", "prices"));
    EXPECT_THAT(walk("/v1/schedules?sort=-id", "id"),
                ElementsAre("prices", "nightly", "held", "forecast/us", "forecast/eu"));
    EXPECT_THAT(walk("/v1/schedules?sort=next_at", "id"),
                ElementsAre("held", "forecast/us", "nightly", "forecast/eu", "prices"))
        << "a paused task has no next fire, which counts as lowest";
    EXPECT_THAT(walk("/v1/schedules?sort=-next_at&source=forecast", "id"), ElementsAre("forecast/eu", "forecast/us"));
    const std::string first = client->get("/v1/schedules?sort=next_at&limit=2").body;
    EXPECT_EQ(member(first, "/items/1/next/0"), to_rfc3339(now + 1min));
    EXPECT_EQ(member(first, "/items/1/every_ms"), "3600000");
    EXPECT_EQ(client->get("/v1/schedules?sort=next_at&after=prices").status, 400) << "of a page in another order";
    expect_no_sort("/v1/schedules?sort=source", "id, next_at");
}

TEST_F(SortedLists, TheAuditAndVersionsFromTheirBeginning)
{
    auto transaction = world.store.begin();
    for (const char* action : {"pause", "resume", "purge"})
        transaction->put_audit({"default", "ann", action, "mail", "", world.clock.wall()});
    for (std::int64_t ver = 1; ver <= 3; ++ver) {
        VersionRecord version;
        version.ver = version.gen = ver;
        version.payload = transaction->put_payload("[1]");
        version.changed_at = world.clock.wall();
        transaction->put_version("default", "prices", version);
    }
    transaction->commit();
    EXPECT_THAT(walk("/v1/audit?sort=at", "action"), ElementsAre("pause", "resume", "purge"));
    EXPECT_THAT(walk("/v1/audit?sort=-at", "action"), ElementsAre("purge", "resume", "pause"));
    EXPECT_THAT(walk("/v1/data/prices/versions?sort=ver", "ver"), ElementsAre("1", "2", "3"));
    EXPECT_THAT(walk("/v1/data/prices/versions?sort=-ver", "ver"), ElementsAre("3", "2", "1"));
    expect_no_sort("/v1/audit?sort=actor", "at;");
    expect_no_sort("/v1/data/prices/versions?sort=gen", "ver;");
    EXPECT_EQ(client->get("/v1/jobs/" + to_text(JobId{5}) + "/log?sort=at").status, 400) << "lines stand as they came";
}

TEST_F(SortedLists, TokensByWhenTheyWereMadeAndEnd)
{
    auto told = world.notice();
    std::vector<TokenRecord> tokens(2);
    tokens[0].name = "a", tokens[1].name = "b";
    tokens[0].made_at = world.clock.wall(), tokens[1].made_at = world.clock.wall() - 1h;
    tokens[1].expires_at = world.clock.wall() + 1h;
    for (TokenRecord& token : tokens) token.tenant = "default";
    const ListQuery newest{.sort = {"made_at", true}};
    const auto page = sorted_page(tokens, newest, false,
                                  [](const TokenRecord& token) { return Place{to_ms(token.made_at), token.name}; });
    ASSERT_TRUE(page);
    EXPECT_EQ(page->rows.at(0).name, "a");
    EXPECT_EQ(page->next, "");
    expect_no_sort("/v1/tokens?sort=role", "name, made_at, expires_at");
    EXPECT_EQ(client->get("/v1/tokens?sort=-expires_at").status, 200);
}

TEST(Place, IsReadBackAsItWasTold)
{
    for (const Place& place : {Place{7, "a b"}, Place{-7, ""}, Place{place_of_absent, "x"}})
        EXPECT_EQ(parse_place(place_text(place, false), false), place) << place_text(place, false);
    EXPECT_EQ(parse_place("a b", true), (Place{0, "a b"}));
    for (const char* wrong : {"", "7", "7x a", " a", "99999999999999999999 a"})
        EXPECT_EQ(parse_place(wrong, false), std::nullopt) << wrong;
}

} // namespace
} // namespace freshet::http
