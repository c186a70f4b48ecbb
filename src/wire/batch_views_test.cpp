// SPDX-License-Identifier: Apache-2.0
#include "wire/batch_views.hpp"

#include <gmock/gmock.h>
#include <rapidjson/document.h>

namespace freshet {
namespace {

const WallTime t0 = *from_rfc3339("2026-11-24T16:00:00Z");

rapidjson::Document read(const std::string& json)
{
    rapidjson::Document document;
    document.Parse(json.c_str());
    EXPECT_FALSE(document.HasParseError()) << json;
    return document;
}

Batch a_batch()
{
    Batch batch;
    batch.id = BatchId{(1LL << 20) * 7};
    batch.tenant = "default", batch.queue = "generate", batch.name = "Topics";
    batch.state = BatchState::sealed;
    batch.counts = {.total = 10, .queued = 3, .running = 1, .succeeded = 4, .failed = 1, .cancelled = 1};
    batch.errors = {{"http_403", "the generator refused", 1}};
    batch.requested_at = t0;
    batch.sealed_at = t0;
    batch.began_at = t0 + 1s;
    batch.then = FollowUp{.label = "Enrich All", .queue = "enrich"};
    batch.seq = 77;
    return batch;
}

TEST(BatchJson, ShowsTheMembersOfTheContract)
{
    const auto json = read(batch_json(a_batch(), t0 + 61s));
    EXPECT_STREQ(json["id"].GetString(), to_text(a_batch().id).c_str());
    EXPECT_STREQ(json["state"].GetString(), "sealed");
    EXPECT_STREQ(json["driver"].GetString(), "workers");
    EXPECT_STREQ(json["policy"]["rule"].GetString(), "continue");
    EXPECT_EQ(json["counts"]["total"].GetInt(), 10);
    EXPECT_EQ(json["counts"]["done"].GetInt(), 6);
    EXPECT_EQ(json["percent"].GetInt(), 60);
    EXPECT_STREQ(json["errors"][0]["code"].GetString(), "http_403");
    EXPECT_STREQ(json["then"]["label"].GetString(), "Enrich All");
    EXPECT_STREQ(json["then"]["state"].GetString(), "waiting");
    EXPECT_FALSE(json["then"].HasMember("batch"));
    EXPECT_FALSE(json.HasMember("finished_at"));
    EXPECT_FALSE(json.HasMember("why"));
    EXPECT_EQ(json["seq"].GetInt(), 77);
}

TEST(BatchJson, TellsTheRestByThePaceSoFarAsARange)
{
    const auto json = read(batch_json(a_batch(), t0 + 61s));
    // 6 in 60 s: 4 more take about 40 s.
    EXPECT_LT(json["eta"]["low_ms"].GetInt(), 40'000);
    EXPECT_GT(json["eta"]["high_ms"].GetInt(), 40'000);
    Batch retried = a_batch();
    retried.generation = 2;
    EXPECT_FALSE(read(batch_json(retried, t0 + 61s)).HasMember("eta"));
    Batch early = a_batch();
    early.counts = {.total = 10, .queued = 8, .succeeded = 2};
    EXPECT_EQ(eta_of(early, t0 + 61s), std::nullopt);
}

TEST(BatchWhy, NamesWhatEndsItAndWhatItWaitsFor)
{
    Batch batch = a_batch();
    EXPECT_FALSE(why_of(batch, t0).has_value()) << "it is getting on";
    batch.counts.running = 0;
    EXPECT_EQ(why_of(batch, t0)->code, "waiting_slot");
    batch.driver = BatchDriver::caller;
    batch.called_at = t0;
    batch.gated = 3;
    EXPECT_EQ(why_of(batch, t0)->code, "waiting_driver");
    batch.state = BatchState::open;
    batch.seal_by = t0 + 10min;
    EXPECT_EQ(why_of(batch, t0)->code, "open");
    batch.state = BatchState::ending;
    batch.ends_as = BatchState::failed;
    batch.why = "more than 2 items failed";
    EXPECT_EQ(why_of(batch, t0)->code, "failure_policy");
    EXPECT_EQ(why_of(batch, t0)->text, "more than 2 items failed");
    for (const auto& [state, code] :
         {std::pair{BatchState::aborted, "aborted"}, std::pair{BatchState::cancelled, "cancelled"},
          std::pair{BatchState::failed, "failure_policy"}, std::pair{BatchState::partial, "partial"}}) {
        batch.state = state;
        EXPECT_EQ(why_of(batch, t0)->code, code);
    }
    batch.state = BatchState::succeeded;
    EXPECT_FALSE(why_of(batch, t0).has_value());
}

TEST(ItemJson, ShowsTheJobAsItsBatchShowsIt)
{
    Job job;
    job.id = JobId{(1LL << 20) * 5};
    job.kind = JobKind::item;
    job.item = "a", job.label = "First";
    job.state = JobState::failed;
    job.attempt = 2;
    job.error = ErrorInfo{ErrorClass::fatal, "http_403", "refused"};
    auto json = read(item_json(job, false, t0));
    EXPECT_STREQ(json["key"].GetString(), "a");
    EXPECT_STREQ(json["label"].GetString(), "First");
    EXPECT_STREQ(json["state"].GetString(), "failed");
    EXPECT_STREQ(json["error"]["code"].GetString(), "http_403");
    EXPECT_STREQ(json["job"].GetString(), to_text(job.id).c_str());
    job.state = JobState::succeeded;
    job.error.reset();
    job.result = R"({"n":1})";
    json = read(item_json(job, false, t0));
    EXPECT_EQ(json["result"]["n"].GetInt(), 1);
    job.state = JobState::queued;
    job.gated = true;
    EXPECT_TRUE(read(item_json(job, false, t0))["gated"].GetBool());
}

TEST(BatchEvent, HoldsTheBatchAndItsChangedItems)
{
    const std::vector<std::string> items{R"({"key":"a"})", R"({"key":"b"})"};
    const auto json = read(batch_event_json("batch/b_7", R"({"id":"b_7"})", items, 9));
    EXPECT_STREQ(json["topic"].GetString(), "batch/b_7");
    EXPECT_STREQ(json["batch"]["id"].GetString(), "b_7");
    EXPECT_EQ(json["items"].Size(), 2u);
    EXPECT_STREQ(json["items"][1]["key"].GetString(), "b");
    EXPECT_EQ(json["seq"].GetInt(), 9);
}

TEST(ReadItems, ReadsALongListInParts)
{
    const std::string list = R"([{"key":"a","input":{"n": 1}},{"key":"b","label":"B","input":[2]},{"key":"c"}])";
    const auto first = read_items(list, 0, 2);
    ASSERT_TRUE(first.has_value());
    EXPECT_EQ(*first, (std::vector<ListedItem>{{"a", "", R"({"n":1})"}, {"b", "B", "[2]"}}));
    EXPECT_EQ(*read_items(list, 2, 2), (std::vector<ListedItem>{{"c", "", ""}}));
    EXPECT_TRUE(read_items(list, 3, 2)->empty());
    EXPECT_EQ(read_items(R"([{"key":"a"},{"label":"x"}])", 0, 9).error(), "item 2: it needs a key");
    EXPECT_EQ(read_items(R"([{"key":1}])", 0, 9).error(), "item 1: key and label are texts");
    EXPECT_EQ(read_items(R"([{"key":"a","inputs":1}])", 0, 9).error(),
              "item 1: it has no member \"inputs\"; try key, label, input");
    EXPECT_FALSE(read_items("{}", 0, 9).has_value());
}

TEST(InputAfterItem, CarriesTheResultOrSaysWhereItIs)
{
    Job job;
    job.id = JobId{(1LL << 20) * 5};
    job.item = "a";
    job.result = "[1]";
    EXPECT_EQ(input_after_item(job), R"({"item":"a","result":[1]})");
    job.result.clear();
    job.result_payload = 9;
    job.result_bytes = 100'000;
    EXPECT_EQ(input_after_item(job), R"({"item":"a","job":")" + to_text(job.id) + R"(","result_bytes":100000})");
}

} // namespace
} // namespace freshet
