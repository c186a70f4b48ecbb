// SPDX-License-Identifier: Apache-2.0
// A disk without room, and a store that keeps nothing for a while.
#include "engine/engine_world.hpp"

#include <gmock/gmock.h>

namespace freshet {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class FullDisk : public ::testing::Test, public EngineWorld {
protected:
    FullDisk() { queue("mails").lease = 30s; }
    void refuse_commits(bool refuses)
    {
        static_cast<MemoryStore&>(*store).refuse_commits([refuses] { return refuses; });
    }
    static Refusal refusal_of(const Reply& reply) { return reply ? Refusal::not_found : reply.error().refusal; }
};

TEST_F(FullDisk, RefusesNewWorkInTheWordsOfTheDisk)
{
    start();
    no_room = "the disk is full";
    const Reply added = ask_engine(adding({task("mails")}));
    ASSERT_FALSE(added);
    EXPECT_EQ(added.error().refusal, Refusal::storage_full);
    EXPECT_EQ(added.error().message, "the disk is full");
    EXPECT_EQ(refusal_of(ask_engine(refresh_of())), Refusal::storage_full);
    no_room.clear();
    EXPECT_TRUE(ask_engine(refresh_of()));
}

TEST_F(FullDisk, F7LetsWhatRunsEndAndHandsOutNothing)
{
    start();
    add_one("mails");
    const JobId waits = add_one("mails");
    const auto held = claim_from("mails");
    ASSERT_EQ(held.size(), 1U);
    no_room = "the disk is full";
    EXPECT_EQ(beat(held).answers.size(), 1U);
    EXPECT_THAT(claim_from("mails", "w2"), IsEmpty());
    EXPECT_TRUE(end(done(held[0])));
    EXPECT_EQ(job(held[0].job->id).state, JobState::succeeded);
    EXPECT_LE(step().value(), now + 1s) << "nobody else tells what waits that there is room";
    no_room.clear();
    const auto next = claim_from("mails", "w2");
    ASSERT_EQ(next.size(), 1U);
    EXPECT_EQ(next[0].job->id, waits);
}

TEST_F(FullDisk, F7LetsLeasesStandStillWhileNothingCanBeKept)
{
    start();
    add_one("mails");
    const auto held = claim_from("mails");
    ASSERT_EQ(held.size(), 1U);
    refuse_commits(true);
    for (int i = 0; i < 100; ++i) { // more than three leases
        now += 3s;
        const Reply beaten = ask_engine(BeatWork{"w1", {{held[0].job->id, {.fence = held[0].job->fence}}}, "*"});
        (void)beaten;
        step();
    }
    refuse_commits(false);
    now += 200ms;
    step();
    EXPECT_EQ(job(held[0].job->id).state, JobState::running) << "its worker was not silent, we were deaf";
    now += 20s;
    EXPECT_TRUE(end(done(held[0]))) << "and the same hand-out may end it";
}

TEST_F(FullDisk, F7EndsALeaseOnceTheStoreIsBackAndItsWorkerIsNot)
{
    start();
    add_one("mails");
    const auto held = claim_from("mails");
    refuse_commits(true);
    for (int i = 0; i < 20; ++i) now += 3s, step();
    refuse_commits(false);
    step();
    EXPECT_EQ(job(held[0].job->id).state, JobState::running);
    now += 31s;
    step();
    EXPECT_EQ(job(held[0].job->id).state, JobState::queued);
    EXPECT_EQ(job(held[0].job->id).lost, 1);
}

TEST_F(FullDisk, GivesNoTimeToALeaseOfAnotherLife)
{
    start();
    add_one("mails");
    const auto held = claim_from("mails");
    ASSERT_EQ(held.size(), 1U);
    Job restored = job(held[0].job->id);
    restored.lease_until = lease_of_another_life;
    {
        const auto t = store->begin();
        t->put_job(restored, from_ms(0));
        t->commit();
    }
    start();
    step();
    EXPECT_EQ(job(restored.id).state, JobState::queued);
    EXPECT_EQ(job(restored.id).lost, 1);
}

/// Keeps what it is given, and then can not tidy up.
class Untidy : public Store {
public:
    std::unique_ptr<Transaction> begin() override { return memory.begin(); }
    void settle() override
    {
        ++asked;
        throw StoreFailure{"page 7 could not be read"};
    }
    std::int64_t begin_ahead() override { return memory.begin_ahead(); }
    void append_ahead(std::int64_t payload, std::string_view chunk) override { memory.append_ahead(payload, chunk); }
    std::unique_ptr<Reader> reader() override { return memory.reader(); }
    std::int64_t bytes_stored() override { return 0; }

    MemoryStore memory;
    int asked = 0;
};

TEST(UntidyStore, CostsNobodyWhatWasCommittedAndIsToldInItsOwnWords)
{
    auto given = std::make_unique<Untidy>();
    const Untidy& store = *given;
    EngineWorld world{std::move(given)};
    world.start();
    testing::internal::CaptureStdout(); // of the log
    const Asked asked = world.refresh();
    const std::string said = testing::internal::GetCapturedStdout();
    EXPECT_EQ(store.asked, 1);
    EXPECT_THAT(said, HasSubstr("after a commit, which stands"));
    EXPECT_THAT(said, HasSubstr("page 7 could not be read"));
    EXPECT_THAT(said, Not(HasSubstr("commit failed")));
    EXPECT_FALSE(world.engine->store_failing());
    EXPECT_EQ(world.job(asked.job->id).state, JobState::queued);
    world.complete(world.claim().at(0), "[1]");
    EXPECT_EQ(world.key().gen, 1);
    EXPECT_GT(store.asked, 1) << "it is asked again";
}

} // namespace
} // namespace freshet
