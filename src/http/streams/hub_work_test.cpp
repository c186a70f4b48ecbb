// SPDX-License-Identifier: Apache-2.0
// The topics of remote work: batches to their end, lists of batches, queues, workers and fires.
#include "http/streams/hub_test_world.hpp"
#include "wire/batch_views.hpp"

#include <gmock/gmock.h>

namespace freshet::streams::test {

namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class HubWork : public HubFixture {
protected:
    static Job an_item(std::int64_t id, JobState state)
    {
        Job job;
        job.id = JobId{id};
        job.tenant = tenant_name;
        job.kind = JobKind::item;
        job.queue = "reports";
        job.batch = BatchId{70};
        job.item = "k" + std::to_string(id);
        job.state = state;
        return job;
    }

    /// The batch after `done` of three items have succeeded, in one commit with its event; the last ends it.
    void end_items(std::int64_t done, std::vector<Job> items = {})
    {
        Batch batch;
        batch.id = BatchId{70};
        batch.tenant = tenant_name;
        batch.queue = "reports";
        batch.counts = {3, 3 - done, 0, done, 0, 0};
        batch.state = done == 3 ? BatchState::succeeded : BatchState::sealed;
        const auto now = world.now();
        world.put_batch(batch, std::move(items), now);
    }

    static const Reader::Got* last_of(const Reader& reader, const std::string& topic)
    {
        for (auto one = reader.got.rbegin(); one != reader.got.rend(); ++one)
            if (one->text("/topic") == topic) return &*one;
        return nullptr;
    }

    const std::string batch_topic = "batch/" + freshet::to_text(BatchId{70});
};

TEST_F(HubWork, F6TellsABatchFromItsStateToItsEnd)
{
    end_items(1, {an_item(1, JobState::succeeded), an_item(2, JobState::running)});
    const auto reader = settled({batch_topic});
    EXPECT_THAT(reader->events(), ElementsAre("hello", "snapshot", "live"));
    EXPECT_EQ(reader->got[1].number("/batch/counts/done"), 1);
    EXPECT_EQ(reader->got[1].text("/items/1/state"), "running");
    end_items(2);
    end_items(3);
    EXPECT_THAT(reader->events(), ElementsAre("hello", "snapshot", "live", "batch", "batch"));
    EXPECT_EQ(reader->got.back().text("/batch/state"), "succeeded");
    EXPECT_EQ(reader->last_id, to_text(Cursor{5, world.head()}));
}

TEST_F(HubWork, F6TellsTheEndOfABatchAgainOnEveryConnect)
{
    end_items(2);
    const auto reader = settled({batch_topic});
    const std::string before = reader->last_id;
    world.hub->leave(reader->number); // cut between the last item and the end
    end_items(3);
    for (const std::string& cursor : {before, to_text(Cursor{5, world.head()})}) {
        const auto again = settled({batch_topic}, cursor);
        EXPECT_EQ(again->got.front().text("/resume"), "ok");
        EXPECT_EQ(again->got.back().event, "batch");
        EXPECT_EQ(again->got.back().text("/batch/state"), "succeeded") << "from " << cursor;
    }
}

TEST_F(HubWork, RefusesABatchThatIsNotThere)
{
    const auto reader = settled({batch_topic});
    EXPECT_TRUE(reader->refused);
    EXPECT_EQ(reader->refusal.status, 404);
}

TEST_F(HubWork, TellsTheProgressOfABatchsItemsConflatedAndNeverAfterTheirEnd)
{
    end_items(1, {an_item(2, JobState::running)});
    const auto reader = settled({batch_topic});
    Job item = an_item(2, JobState::running);
    item.progress.attempt = 1;
    item.progress.total = 10;
    for (int done = 1; done <= 5; ++done) {
        item.progress.done = done;
        world.notice().progress.push_back(std::make_shared<const Job>(item));
        world.publish_all();
    }
    world.pass(1s);
    // The first at once, then the latest.
    EXPECT_EQ(std::ranges::count(reader->events(), "batch"), 2);
    EXPECT_EQ(reader->last("batch")->number("/items/0/progress/done"), 5);
    EXPECT_EQ(reader->last("batch")->id, "");

    item.progress.done = 6;
    world.notice().progress.push_back(std::make_shared<const Job>(item));
    world.publish_all();
    item.progress.done = 7;
    world.notice().progress.push_back(std::make_shared<const Job>(item));
    world.publish_all();
    end_items(2, {an_item(2, JobState::succeeded)});
    world.pass(1s);
    EXPECT_EQ(reader->last("batch")->text("/batch/state"), "sealed") << "progress came behind the end";
}

TEST_F(HubWork, TellsTheListOfBatchesByRowsWithoutItems)
{
    end_items(1);
    const auto reader = settled({"batches"});
    EXPECT_EQ(reader->got[1].text("/items/0/id"), freshet::to_text(BatchId{70}));
    end_items(2, {an_item(3, JobState::succeeded)});
    world.pass(1s);
    ASSERT_NE(reader->last("batch"), nullptr);
    EXPECT_EQ(reader->last("batch")->number("/batch/counts/done"), 2);
    EXPECT_THAT(reader->last("batch")->data, Not(HasSubstr("\"items\"")));
}

TEST_F(HubWork, TellsChangedRowsOfQueuesAtMostFourTimesASecond)
{
    world.lists[Topic::Kind::queues] = {{"mail", R"({"name":"mail","n":1})"},
                                        {"reports", R"({"name":"reports","n":1})"}};
    const auto reader = settled({"queues"});
    EXPECT_EQ(reader->got[1].text("/items/1/name"), "reports");
    for (int i = 0; i < 20; ++i) {
        world.lists[Topic::Kind::queues]["reports"] = R"({"name":"reports","n":)" + std::to_string(i + 2) + "}";
        world.put_job(an_item(10 + i, JobState::queued));
        world.pass(50ms);
    }
    world.pass(1s);
    const auto told = std::ranges::count(reader->events(), "change");
    EXPECT_LE(told, 6);
    EXPECT_EQ(reader->got.back().number("/items/0/n"), 21);
    EXPECT_EQ(reader->got.back().text("/items/1/name"), "") << "mail did not change";
}

TEST_F(HubWork, LooksAtNoListThatNobodyReads)
{
    world.put_job(an_item(1, JobState::queued));
    world.pass(1s);
    const auto reader = settled({"queues"});
    world.hub->leave(reader->number);
    const int read = world.rows_read;
    world.put_job(an_item(2, JobState::queued));
    world.pass(1s);
    EXPECT_EQ(world.rows_read, read);
}

TEST_F(HubWork, TellsWorkersOfTheTenantAsTheyChange)
{
    world.lists[Topic::Kind::workers] = {{"w1", R"({"id":"w1"})"}};
    const auto reader = settled({"workers"});
    EXPECT_EQ(reader->got[1].text("/items/0/id"), "w1");
    WorkerView worker;
    worker.id = "w2";
    worker.tenant = tenant_name;
    worker.state = WorkerView::State::lost;
    WorkerView foreign = worker;
    foreign.tenant = "other";
    foreign.id = "w3";
    world.notice().workers = {std::make_shared<const WorkerView>(worker), std::make_shared<const WorkerView>(foreign)};
    world.publish_all();
    world.pass(1s);
    ASSERT_NE(reader->last("worker"), nullptr);
    EXPECT_EQ(reader->last("worker")->text("/worker/state"), "lost");
    EXPECT_EQ(std::ranges::count(reader->events(), "worker"), 1) << "the other tenant's is nobody's business";
}

TEST_F(HubWork, BeginsAVolatileListWithItsStateAlsoAfterAGoodCursor)
{
    world.lists[Topic::Kind::workers] = {{"w1", R"({"id":"w1"})"}};
    world.change("rates");
    const auto reader = settled({"workers"}, to_text(Cursor{5, world.head()}));
    EXPECT_EQ(reader->got.front().text("/resume"), "ok");
    EXPECT_EQ(reader->got.back().event, "snapshot");
    EXPECT_EQ(reader->got.back().text("/items/0/id"), "w1");
}

TEST_F(HubWork, TellsFiresToReadersOfSchedules)
{
    const auto reader = settled({"schedules"});
    world.fire("rates");
    world.pass(1s);
    ASSERT_NE(reader->last("fire"), nullptr);
    EXPECT_EQ(reader->last("fire")->text("/schedule"), "rates");
}

} // namespace
} // namespace freshet::streams::test
