// SPDX-License-Identifier: Apache-2.0
#include "stores.hpp"

#include <gmock/gmock.h>

namespace freshet::contract {
namespace {

using testing::ElementsAre;

class Ledger : public StoreContract {
protected:
    void append(std::string_view tenant, std::string data, WallTime now = t0)
    {
        commit([&](Transaction& t) { t.append(tenant, an_event(std::move(data)), now); });
    }
    std::vector<Seq> seqs(StoreReads& from, std::string_view tenant, Seq after = 0, int limit = 1000)
    {
        std::vector<Seq> found;
        for (const LedgerEntry& entry : from.ledger(tenant, after, limit)) found.push_back(entry.seq);
        return found;
    }
};
FRESHET_CONTRACT(Ledger);

TEST_P(Ledger, IsEmptyAtFirstAndHasAnEpoch)
{
    const auto reader = store().reader();
    EXPECT_NE(reader->epoch(), 0U);
    EXPECT_EQ(reader->ledger_head("acme"), LedgerHead{});
    EXPECT_TRUE(reader->ledger("acme", 0, 10).empty());
    EXPECT_EQ(store().begin()->epoch(), reader->epoch());
}

TEST_P(Ledger, GivesEachTenantSeqsWithoutHolesOverCommits)
{
    commit([&](Transaction& t) {
        EXPECT_EQ(t.next_seq("acme"), 1U);
        EXPECT_EQ(t.append("acme", an_event("a1"), t0), 1U);
        EXPECT_EQ(t.append("globex", an_event("g1"), t0), 1U);
        EXPECT_EQ(t.append("acme", an_event("a2"), t0), 2U);
        EXPECT_EQ(t.next_seq("acme"), 3U);
        EXPECT_THAT(t.tenants(), ElementsAre("acme", "globex"));
    });
    append("acme", "a3");
    const auto reader = store().reader();
    EXPECT_THAT(seqs(*reader, "acme"), ElementsAre(1, 2, 3));
    EXPECT_THAT(seqs(*reader, "globex"), ElementsAre(1));
    EXPECT_EQ(reader->ledger_head("acme"), (LedgerHead{3, 0}));
}

TEST_P(Ledger, GivesEventsBackAsTheyWere)
{
    const Event event{EventKind::job, "job/j_1", std::string{"{\"a\":\0 1}", 9}, "jobs/prices", true};
    commit([&](Transaction& t) {
        t.append("acme", event, t0);
        t.append("acme", {EventKind::fire, "", "", "", false}, t0);
        EXPECT_EQ(t.ledger("acme", 0, 10).at(0), (LedgerEntry{1, event}));
    });
    EXPECT_EQ(store().reader()->ledger("acme", 0, 10).at(0), (LedgerEntry{1, event}));
    EXPECT_EQ(store().reader()->ledger("acme", 0, 10).at(1).event.kind, EventKind::fire);
}

TEST_P(Ledger, GivesBackTheValuesOfAJobThatWasTold)
{
    Job job = a_job(7);
    job.batch = BatchId{9}, job.item = "a/b", job.state = JobState::running, job.priority = 3, job.worker = "w1";
    job.fence = job.seq = 1, job.error = ErrorInfo{ErrorClass::fatal, "no", "it is gone"};
    const Event event = job_event({std::make_shared<const Job>(job), true, 4, t0 + 1min, t0 + 2s}, true);
    EXPECT_EQ(event.topic, "job/" + to_text(job.id));
    EXPECT_EQ(event.also, "jobs/" + job.queue);
    commit([&](Transaction& t) {
        t.append("acme", event, t0);
        t.append("acme", an_event("between"), t0);
        t.append("acme", job_event({std::make_shared<const Job>(a_job(8)), false, 0, {}, t0}, false), t0);
        EXPECT_EQ(t.ledger("acme", 0, 10).at(0), (LedgerEntry{1, event}));
    });
    const auto entries = store().reader()->ledger("acme", 0, 10);
    ASSERT_EQ(entries.size(), 3U);
    EXPECT_EQ(entries.at(0), (LedgerEntry{1, event}));
    EXPECT_EQ(entries.at(1).event.data, "between");
    EXPECT_EQ(*entries.at(2).event.told->job, a_job(8));
    EXPECT_FALSE(entries.at(2).event.terminal);
}

TEST_P(Ledger, StartsAndStopsInTheMiddleOfACommit)
{
    commit([&](Transaction& t) {
        for (int i = 0; i < 5; ++i) t.append("acme", an_event("first"), t0);
    });
    commit([&](Transaction& t) {
        for (int i = 0; i < 5; ++i) t.append("acme", an_event("second"), t0);
        EXPECT_THAT(seqs(t, "acme", 3, 4), ElementsAre(4, 5, 6, 7));
    });
    EXPECT_THAT(seqs(*store().reader(), "acme", 3, 4), ElementsAre(4, 5, 6, 7));
    EXPECT_THAT(seqs(*store().reader(), "acme", 9, 4), ElementsAre(10));
    EXPECT_TRUE(seqs(*store().reader(), "acme", 10, 4).empty());
}

TEST_P(Ledger, ShowsNothingOfATransactionBeforeItsCommit) // F10
{
    const auto reader = store().reader();
    {
        const auto open = store().begin();
        open->append("acme", an_event("a1"), t0);
        open->put_job(a_job(1), {});
        open->put_key(a_key("prices"));
        EXPECT_EQ(reader->ledger_head("acme").head, 0U);
        EXPECT_TRUE(reader->ledger("acme", 0, 10).empty());
        EXPECT_FALSE(reader->job(JobId{1}));
        EXPECT_FALSE(reader->key("acme", "prices"));
        open->commit();
    }
    EXPECT_EQ(reader->ledger_head("acme").head, 1U);
    EXPECT_TRUE(reader->job(JobId{1}));
    EXPECT_TRUE(reader->key("acme", "prices"));
}

TEST_P(Ledger, ForgetsATransactionThatWasDropped)
{
    append("acme", "kept");
    {
        const auto dropped = store().begin();
        EXPECT_EQ(dropped->append("acme", an_event("lost"), t0), 2U);
        dropped->put_job(a_job(1), {});
        dropped->put_payload("bytes");
        dropped->put_paused("prices", true);
    }
    commit([&](Transaction& t) {
        EXPECT_EQ(t.next_seq("acme"), 2U);
        EXPECT_FALSE(t.job(JobId{1}));
        EXPECT_FALSE(t.payload(1));
        EXPECT_TRUE(t.paused().empty());
        EXPECT_EQ(t.append("acme", an_event("taken again"), t0), 2U);
    });
    EXPECT_EQ(store().reader()->ledger("acme", 1, 10).at(0).event.data, "taken again");
}

TEST_P(Ledger, ShowsOneStateWithinAView)
{
    append("acme", "a1");
    const auto reader = store().reader();
    std::exception_ptr thrown;
    reader->in_one_view([&] {
        EXPECT_EQ(reader->ledger_head("acme").head, 1U);
        // The memory twin lets nobody commit meanwhile; SQLite goes on beside the view.
        if (GetParam().name != "memory") append("acme", "a2");
        EXPECT_EQ(reader->ledger_head("acme").head, 1U);
        EXPECT_THAT(seqs(*reader, "acme"), ElementsAre(1));
    });
    append("acme", "a3");
    EXPECT_EQ(reader->ledger_head("acme").head, GetParam().name == "memory" ? 2U : 3U);
}

TEST_P(Ledger, EndsAViewWhoseQuestionsThrow)
{
    const auto reader = store().reader();
    EXPECT_THROW(reader->in_one_view([] { throw StoreFailure{"asked too much"}; }), StoreFailure);
    append("acme", "a1");
    EXPECT_EQ(reader->ledger_head("acme").head, 1U);
    reader->in_one_view([&] { EXPECT_EQ(reader->ledger_head("acme").head, 1U); });
}

TEST_P(Ledger, TrimsByAgeAndMovesTheFloorInTheSameCommit)
{
    append("acme", "old", t0);
    append("acme", "older than it looks", t0 + 1h);
    append("acme", "new", t0 + 2h);
    {
        const auto dropped = store().begin();
        dropped->trim_ledger("acme", t0 + 2h, 1 << 20);
        EXPECT_EQ(dropped->ledger_head("acme"), (LedgerHead{3, 2}));
    }
    EXPECT_EQ(store().reader()->ledger_head("acme"), (LedgerHead{3, 0}));
    commit([](Transaction& t) { t.trim_ledger("acme", t0 + 2h, 1 << 20); });
    EXPECT_EQ(store().reader()->ledger_head("acme"), (LedgerHead{3, 2}));
    EXPECT_THAT(seqs(*store().reader(), "acme"), ElementsAre(3));
}

TEST_P(Ledger, TrimsTheOldestWhileThereAreTooManyBytes)
{
    for (int i = 0; i < 10; ++i) append("acme", std::string(1000, 'x'));
    append("globex", std::string(1000, 'x'));
    commit([](Transaction& t) { t.trim_ledger("acme", t0, 3 * 1100); });
    EXPECT_THAT(seqs(*store().reader(), "acme"), ElementsAre(8, 9, 10));
    EXPECT_EQ(store().reader()->ledger_head("acme"), (LedgerHead{10, 7}));
    EXPECT_THAT(seqs(*store().reader(), "globex"), ElementsAre(1));
}

TEST_P(Ledger, TrimsNoMoreAtOnceThanIsAllowed)
{
    const int all = rows_per_trim + 5;
    for (int i = 0; i < all; ++i) append("acme", "event");
    const auto trim = [this] { commit([](Transaction& t) { t.trim_ledger("acme", t0 + 1h, 1 << 20); }); };
    trim();
    EXPECT_EQ(store().reader()->ledger_head("acme"), (LedgerHead{Seq(all), Seq(rows_per_trim)}));
    trim();
    EXPECT_EQ(store().reader()->ledger_head("acme"), (LedgerHead{Seq(all), Seq(all)}));
}

TEST_P(Ledger, GoesOnAboveTheFloorAfterEverythingWasTrimmed)
{
    append("acme", "a1");
    commit([](Transaction& t) { t.trim_ledger("acme", t0 + 1h, 0); });
    reopen();
    EXPECT_EQ(store().reader()->ledger_head("acme"), (LedgerHead{1, 1}));
    append("acme", "a2");
    EXPECT_THAT(seqs(*store().reader(), "acme"), ElementsAre(2));
}

TEST_P(Ledger, StaysOverARestart)
{
    append("acme", "a1");
    const std::uint64_t epoch = store().reader()->epoch();
    reopen();
    EXPECT_EQ(store().reader()->epoch(), epoch);
    EXPECT_EQ(store().reader()->ledger("acme", 0, 10).at(0).event, an_event("a1"));
}

} // namespace
} // namespace freshet::contract
