// SPDX-License-Identifier: Apache-2.0
// The batch routes over real sockets: what the engine is asked, and what is answered.
#include "http/test_world.hpp"
#include "wire/batch_views.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <simdjson.h>

namespace freshet::http {

namespace {

using testing::HasSubstr;

class Batches : public testing::Test {
protected:
    Batches()
    {
        world.routes = all_routes();
        world.start();
    }

    static std::string request(const std::string& method, const std::string& target, const std::string& body = "",
                               const std::string& headers = "")
    {
        std::string text = method + " " + target + " HTTP/1.1\r\nHost: localhost\r\n" + headers;
        if (method != "GET")
            text += fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n", body.size());
        return text + "\r\n" + body;
    }
    static std::string at(const std::string& body, std::string_view pointer)
    {
        simdjson::dom::parser parser;
        simdjson::dom::element root, found;
        if (parser.parse(body).get(root) != simdjson::SUCCESS) return "no JSON: " + body;
        if (root.at_pointer(pointer).get(found) != simdjson::SUCCESS) return {};
        std::string_view word;
        return found.get(word) == simdjson::SUCCESS ? std::string{word} : simdjson::minify(found);
    }

    Batch a_batch(BatchState state = BatchState::sealed, std::int64_t done = 0)
    {
        Batch batch;
        batch.id = BatchId{70};
        batch.tenant = "default";
        batch.queue = "reports";
        batch.state = state;
        batch.counts = {3, 3 - done, 0, done, 0, 0};
        batch.requested_at = world.clock.wall();
        return batch;
    }
    Job an_item(std::int64_t number, JobState state)
    {
        Job item = world.job(number, "");
        item.queue = "reports";
        item.kind = JobKind::item;
        item.batch = BatchId{70};
        item.item = fmt::format("k{}", number);
        item.state = state;
        return item;
    }
    /// On disk with its event and notice, in one commit.
    Batch commit(Batch batch, const std::vector<Job>& items = {})
    {
        auto transaction = world.store.begin();
        batch.seq = transaction->next_seq(world.tenant);
        for (const Job& item : items) transaction->put_job(item, std::nullopt);
        transaction->put_batch(batch, std::nullopt);
        const std::string topic = "batch/" + to_text(batch.id);
        const Event event{EventKind::batch, topic,
                          batch_event_json(topic, batch_json(batch, world.clock.wall()), {}, batch.seq), "batches",
                          is_terminal(batch.state)};
        transaction->append(world.tenant, event, world.clock.wall());
        transaction->commit();
        auto told = world.notice();
        told->events.push_back({world.tenant, {LedgerEntry{batch.seq, event}}});
        for (const Job& item : items) told->jobs.push_back(std::make_shared<const Job>(item));
        told->batches.push_back(std::make_shared<const Batch>(batch));
        world.tail.publish(std::move(told));
        return batch;
    }
    Answered get(const std::string& target)
    {
        RawClient client{world.port()};
        return client.get(target);
    }

    World world;
    const std::string path = "/v1/batches/" + to_text(BatchId{70});
};

TEST_F(Batches, TakesABatchWithAllThatItMayHave)
{
    RawClient client{world.port()};
    client.send(request("POST", "/v1/batches", R"({"name":"march","queue":"reports","concurrency":2,"sealed":false,
        "items":[{"key":"a","label":"A","input":{"n": 1}},{"key":"b"}],
        "policy":{"rule":"threshold","percent":5},"driver":"caller",
        "then":{"label":"mail it","start":"auto","queue":"mail","items":"succeeded"}})",
                        "Idempotency-Key: once\r\n"));
    auto asked = world.engine.next();
    const auto& add = std::get<AddBatch>(asked.request);
    EXPECT_EQ(add.name, "march");
    ASSERT_EQ(add.items.size(), 2u);
    EXPECT_EQ(add.items[0].label, "A");
    EXPECT_EQ(add.items[0].input, R"({"n": 1})");
    EXPECT_FALSE(add.sealed);
    EXPECT_EQ(add.policy, (FailurePolicy{FailureRule::threshold, 0, 5}));
    EXPECT_EQ(add.driver, BatchDriver::caller);
    EXPECT_TRUE(add.then->per_succeeded);
    EXPECT_EQ(add.then->start, FollowUp::Start::auto_);
    EXPECT_EQ(add.idempotency->key, "once");
    world.reply(asked, BatchChanged{std::make_shared<const Batch>(a_batch(BatchState::open)), false, {}, {}});
    const Answered made = client.read();
    EXPECT_EQ(made.status, 201);
    EXPECT_EQ(made.header("location"), path);
    EXPECT_EQ(at(made.body, "/state"), "open");
}

TEST_F(Batches, NamesThePlaceOfWhatIsWrongAndAsksNothingOfTheEngine)
{
    const std::pair<const char*, const char*> rows[] = {
        {R"({"items":[{"key":"a"}]})", "queue"},
        {R"({"queue":"q","items":[{"label":"no key"}]})", "/items/0/key"},
        {R"({"queue":"q","items":{}})", "/items"},
        {R"({"queue":"q","colour":"red"})", "colour"},
        {R"({"queue":"q","policy":"sometimes"})", "/policy"},
        {R"({"queue":"q","policy":{"rule":"threshold"}})", "/policy/rule"},
        {R"({"queue":"q","policy":{"rule":"continue","percent":5}})", "/policy/percent"},
        {R"({"queue":"q","driver":"nobody"})", "/driver"},
        {R"({"queue":"q","then":{"label":"x"}})", "queue"},
        {R"({"queue":"q","then":{"label":"x","queue":"q","items":"failed"}})", "/then/items"},
        {R"({"queue":"q","then":{"label":"x","queue":"q","input":1,"items":"succeeded"}})", "/then/items"},
        {R"({"queue":"q","sealed":"yes"})", "/sealed"},
    };
    for (const auto& [body, place] : rows) {
        RawClient client{world.port()};
        const Answered answer = client.ask("POST", "/v1/batches", "", body);
        EXPECT_EQ(answer.status / 100, 4) << body;
        EXPECT_THAT(answer.body, HasSubstr(place)) << body;
    }
    EXPECT_EQ(world.engine.posted(), 0u);
}

TEST_F(Batches, TakesTenThousandItemsInOneBody)
{
    std::string body = R"({"queue":"reports","items":[)";
    for (int i = 0; i < 10'000; ++i)
        body += fmt::format("{}{{\"key\":\"k{}\",\"input\":\"{}\"}}", i == 0 ? "" : ",", i, std::string(200, 'x'));
    body += "]}";
    ASSERT_GT(body.size(), std::size_t{2} << 20);
    RawClient client{world.port()};
    client.send(request("POST", "/v1/batches", body));
    auto asked = world.engine.next();
    EXPECT_EQ(std::get<AddBatch>(asked.request).items.size(), 10'000u);
    world.reply(asked, std::unexpected(Refused{Refusal::limited, "too many jobs wait", {}, {}, 0, {}}));
    EXPECT_EQ(client.read().status, 429);
}

TEST_F(Batches, ShowsListsAndPages)
{
    commit(a_batch(), {an_item(1, JobState::running), an_item(2, JobState::queued), an_item(3, JobState::succeeded)});
    EXPECT_EQ(at(get(path).body, "/counts/total"), "3");
    EXPECT_EQ(get("/v1/batches/" + to_text(BatchId{71})).status, 404);
    EXPECT_EQ(get("/v1/batches/seventy").status, 404);
    EXPECT_EQ(at(get("/v1/batches?state=sealed").body, "/items/0/id"), to_text(BatchId{70}));
    EXPECT_EQ(at(get("/v1/batches?state=partial").body, "/items"), "[]");
    EXPECT_EQ(get("/v1/batches?state=red").status, 400);
    const Answered first = get(path + "/items?limit=2");
    EXPECT_EQ(at(first.body, "/items/1/key"), "k2");
    const Answered second = get(path + "/items?limit=2&after=" + at(first.body, "/next"));
    EXPECT_EQ(at(second.body, "/items/0/key"), "k3");
    EXPECT_EQ(at(second.body, "/next"), "");
    EXPECT_EQ(at(get(path + "/items?state=running").body, "/items/0/key"), "k1");
}

TEST_F(Batches, AnswersAWaitWithTheNextChange)
{
    const Batch now = commit(a_batch());
    RawClient client{world.port()};
    client.send(request("GET", fmt::format("{}?after_seq={}", path, now.seq), "", "Prefer: wait=20\r\n"));
    auto fence = world.engine.next(); // the hub's first question of this tenant
    world.reply(fence, std::unexpected(Refused{}));
    commit(a_batch(BatchState::sealed, 1));
    EXPECT_EQ(at(client.read().body, "/counts/done"), "1");
}

TEST_F(Batches, AsksForEachVerb)
{
    const std::pair<const char*, BatchVerb> rows[] = {{"seal", BatchVerb::seal},
                                                      {"cancel", BatchVerb::cancel},
                                                      {"retry-failed", BatchVerb::retry_failed},
                                                      {"then", BatchVerb::start_then}};
    for (const auto& [word, verb] : rows) {
        RawClient client{world.port()};
        client.send(request("POST", path + "/" + word, verb == BatchVerb::retry_failed ? R"({"generation":4})" : ""));
        auto asked = world.engine.next();
        const auto& change = std::get<ChangeBatch>(asked.request);
        EXPECT_EQ(change.verb, verb);
        EXPECT_EQ(change.generation, verb == BatchVerb::retry_failed ? std::optional{4} : std::nullopt);
        world.reply(asked, BatchChanged{std::make_shared<const Batch>(a_batch()), false, {}, {}});
        EXPECT_EQ(client.read().status, 200) << word;
    }
    RawClient client{world.port()};
    EXPECT_EQ(client.ask("POST", path + "/seal", "", R"({"generation":4})").status / 100, 4);
}

TEST_F(Batches, SaysOfACancelThatCameLateWhatTheBatchWasAlready)
{
    commit(a_batch(BatchState::partial, 3));
    RawClient client{world.port()};
    client.send(request("POST", path + "/cancel"));
    auto asked = world.engine.next();
    world.reply(asked, std::unexpected(Refused{Refusal::already_over, "", {}, {}, 0, {}}));
    const Answered answer = client.read();
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(at(answer.body, "/already"), "partial");
}

TEST_F(Batches, F6AnswersProcessNextWhenTheItemHasEndedAndSaysWhenItWasTheLast)
{
    const struct {
        std::int64_t done;
        BatchState state;
        const char *status, *remaining;
    } rows[] = {{1, BatchState::sealed, "processed", "2"},
                {3, BatchState::succeeded, "job_completed", "0"},
                {1, BatchState::cancelled, "job_cancelled", "2"}};
    std::int64_t number = 0;
    for (const auto& row : rows) {
        const Job item = an_item(++number, JobState::queued);
        const Batch batch = commit(a_batch(), {item});
        RawClient client{world.port()};
        client.send(request("POST", path + "/process-next"));
        auto asked = world.engine.next();
        EXPECT_EQ(std::get<ProcessNext>(asked.request).batch, BatchId{70});
        world.reply(asked, Processed{Processed::Status::released, std::make_shared<const Job>(item),
                                     std::make_shared<const Batch>(batch)});
        EXPECT_FALSE(client.readable_within(50ms)) << "answered before the item has ended";
        Job ended = item;
        ended.state = JobState::succeeded;
        commit(a_batch(row.state, row.done), {ended});
        const Answered answer = client.read();
        EXPECT_EQ(at(answer.body, "/status"), row.status);
        EXPECT_EQ(at(answer.body, "/item/key"), item.item);
        EXPECT_EQ(at(answer.body, "/remaining"), row.remaining);
        EXPECT_EQ(at(answer.body, "/batch/state"), to_text(row.state));
    }
}

TEST_F(Batches, AnswersProcessNextAtOnceWhereNothingIsLeft)
{
    RawClient client{world.port()};
    client.send(request("POST", path + "/process-next"));
    auto asked = world.engine.next();
    world.reply(asked, Processed{Processed::Status::no_items, nullptr, std::make_shared<const Batch>(a_batch())});
    EXPECT_EQ(at(client.read().body, "/status"), "no_items");
    client.send(request("POST", path + "/process-next"));
    asked = world.engine.next();
    world.reply(asked, std::unexpected(Refused{Refusal::not_caller_driven, "", {}, {}, 0, {}}));
    EXPECT_EQ(client.read().status, 409);
}

TEST_F(Batches, LetsAnItemGoOnWhenItsCallerHasLeft)
{
    const Job item = an_item(1, JobState::queued);
    const Batch batch = commit(a_batch(), {item});
    {
        RawClient client{world.port()};
        client.send(request("POST", path + "/process-next"));
        auto asked = world.engine.next();
        world.reply(asked, Processed{Processed::Status::released, std::make_shared<const Job>(item),
                                     std::make_shared<const Batch>(batch)});
        EXPECT_FALSE(client.readable_within(20ms));
    }
    EXPECT_EQ(world.engine.posted(), 0u) << "nobody takes the item back";
    Job ended = item;
    ended.state = JobState::succeeded;
    commit(a_batch(BatchState::sealed, 1), {ended});
    EXPECT_EQ(at(get(path).body, "/counts/done"), "1");
}

} // namespace
} // namespace freshet::http
