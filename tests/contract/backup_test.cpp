// SPDX-License-Identifier: Apache-2.0
// Copies of the embedded store: what they hold, and what a new life does to them.
#include "store/kept_bytes.hpp"
#include "store/sqlite/backup.hpp"
#include "stores.hpp"

#include <gmock/gmock.h>

namespace freshet::contract {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::int64_t base = restore_jump;

bool on()
{
    return true;
}

class Copy : public testing::Test {
protected:
    Copy()
    {
        const auto store = open_sqlite_store({.data_dir = from_.path()});
        const auto t = store->begin();
        for (int i = 0; i < 3; ++i) t->append("acme", an_event("told"), t0);
        KeyRecord key;
        key.tenant = "acme", key.key = key.source = "prices", key.gen = 5, key.ver = 2, key.has_data = true;
        key.payload = t->put_payload("[2]"), key.data_fence = 2, key.stale_seq = 0, key.gone_seq = 1, key.seq = 3;
        t->put_key(key);
        VersionRecord version;
        version.ver = 2, version.gen = 4, version.payload = key.payload, version.bytes = 3, version.changed_at = t0;
        t->put_version("acme", "prices", version);
        KeyRecord never;
        never.tenant = "acme", never.key = never.source = "alerts", never.seq = 1;
        t->put_key(never);
        Job runs = a_job(1);
        runs.state = JobState::running, runs.worker = "w1", runs.attempt = 1, runs.fence = runs.data_fence = 2;
        runs.seq = 2, runs.lease_until = t0 + 1h, runs.began_at = t0, runs.beat_at = t0;
        runs.input = "in";
        t->put_job(runs, t0 + 1h);
        t->append_log({JobId{1}, 1, 2, t0, "info", "began"});
        Job over = ended(a_job(2), t0 + 1s);
        over.seq = 3, over.fence = 3, over.late = LateResult{.fence = 2, .worker = "w0", .result = "1", .at = t0};
        t->put_job(over, {});
        t->put_attempt({JobId{2}, 1, 1, 1, "w0", t0, t0, AttemptEnd::lost, {}});
        Batch batch;
        batch.id = BatchId{100}, batch.tenant = "acme", batch.queue = "prices", batch.seq = 3;
        batch.then = FollowUp{.label = "next", .items = "[1]"};
        t->put_batch(batch, {});
        t->put_reset({"acme", "mails", 2});
        t->commit();
        epoch_ = store->reader()->epoch();
        copy_store(from_.path() / "freshet.db", copy(), &on); // beside the open store
    }
    std::filesystem::path copy() const { return to_.path() / "freshet.db"; }
    std::unique_ptr<Store> open() { return open_sqlite_store({.data_dir = to_.path()}); }

    std::uint64_t epoch_ = 0;

private:
    test::Folder from_, to_;
};

TEST_F(Copy, HoldsTheWholeStoreAsItWas)
{
    const StoreFacts facts = check_store(copy());
    EXPECT_EQ(facts.epoch, epoch_);
    EXPECT_EQ(facts.numbers_base, 0);
    EXPECT_EQ(facts.rows, (StoreRows{.tenants = 1,
                                     .keys = 2,
                                     .versions = 1,
                                     .jobs = 2,
                                     .live_jobs = 1,
                                     .batches = 1,
                                     .tokens = 0,
                                     .payloads = 1}));
    const auto reader = open()->reader();
}

TEST_F(Copy, RaisesEveryNumberByTheSameLengthInANewLife)
{
    begin_new_life(copy(), base);
    const auto store = open();
    const auto reader = store->reader();
    EXPECT_NE(reader->epoch(), epoch_);
    EXPECT_EQ(reader->ledger_head("acme"), (LedgerHead{base + 3, base + 3}));
    EXPECT_THAT(reader->ledger("acme", 0, 10), IsEmpty());
    const KeyRecord key = reader->key("acme", "prices").value();
    EXPECT_EQ(key.gen, base + 5);
    EXPECT_EQ(key.ver, base + 2);
    EXPECT_EQ(key.data_fence, Seq(base + 2));
    EXPECT_EQ(key.gone_seq, Seq(base + 1));
    EXPECT_EQ(key.stale_seq, 0U) << "there was none";
    EXPECT_EQ(reader->key("acme", "alerts")->gen, 0) << "it never had data";
    EXPECT_EQ(reader->version("acme", "prices", base + 2)->gen, base + 4);
    EXPECT_EQ(reader->payload(key.payload), "[2]");
    const Job over = reader->job(JobId{2}).value();
    EXPECT_EQ(over.seq, Seq(base + 3));
    EXPECT_EQ(over.late->fence, Seq(base + 2));
    EXPECT_EQ(reader->attempts(JobId{2}).at(0).fence, Seq(base + 1));
    const Batch batch = reader->batch(BatchId{100}).value();
    EXPECT_EQ(batch.seq, Seq(base + 3));
    EXPECT_EQ(batch.then->items, "[1]");
    EXPECT_THAT(reader->resets(), ElementsAre(ResetRecord{"acme", "mails", Seq(base + 2)}));
}

TEST_F(Copy, EndsTheLeasesOfWhatRan)
{
    begin_new_life(copy(), base);
    const auto store = open();
    const auto t = store->begin();
    const auto due = t->timers_due(t0, 10);
    ASSERT_EQ(due.size(), 1U);
    EXPECT_EQ(due[0].id, JobId{1});
    EXPECT_EQ(due[0].fence, Seq(base + 2));
    EXPECT_EQ(due[0].lease_until, lease_of_another_life);
    EXPECT_EQ(t->kept_figures("acme").ended, 1);
    t->drop_job(JobId{2});
    const KeptFigures of_the_other{.ended = 0, .ended_bytes = 0, .live_bytes = 2, .log_bytes = 5 + log_row_bytes};
    EXPECT_EQ(t->kept_figures("acme"), of_the_other) << "counted with the longer numbers of its new life";
}

TEST_F(Copy, BeginsNewTenantsAtTheBaseOfTheirLife)
{
    begin_new_life(copy(), base);
    begin_new_life(copy(), 2 * base);
    EXPECT_EQ(numbers_base_of(copy()), 2 * base);
    const auto store = open();
    EXPECT_EQ(store->reader()->ledger_head("globex"), (LedgerHead{2 * base, 2 * base}));
    const auto t = store->begin();
    EXPECT_EQ(t->append("globex", an_event("first"), t0), Seq(2 * base + 1));
    EXPECT_EQ(t->ledger_head("acme").head, Seq(2 * base + 3));
}

TEST_F(Copy, IsNotMadeOnceItIsNotWanted)
{
    test::Folder other, another;
    {
        const auto store = open_sqlite_store({.data_dir = other.path()});
        const auto t = store->begin();
        for (int i = 1; i < 3'000; ++i) t->put_job(a_job(i), {});
        t->commit();
    }
    EXPECT_THROW(copy_store(other.path() / "freshet.db", another.path() / "copy", [] { return false; }), StoreFailure);
    EXPECT_THROW(copy_store(other.path() / "none.db", another.path() / "copy", &on), StoreFailure);
}

TEST_F(Copy, IsNoNewLifeWithoutAJump)
{
    EXPECT_THROW(begin_new_life(copy(), restore_jump - 1), StoreFailure);
    EXPECT_EQ(check_store(copy()).epoch, epoch_) << "and nothing changed";
}

} // namespace
} // namespace freshet::contract
