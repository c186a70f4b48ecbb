// SPDX-License-Identifier: Apache-2.0
// A data directory of each schema that was released, opened by this one.
#include "store/kept_bytes.hpp"
#include "store/sqlite/connection.hpp"
#include "store/sqlite/migrations.hpp"
#include "stores.hpp"

#include <gmock/gmock.h>

namespace freshet::contract {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

/// As version 1 left it: three jobs of one key, one that runs, one that waits behind it, one that ended at its second
/// attempt; and a waiting one of another queue that is due later.
constexpr char rows_1[] = R"sql(
PRAGMA application_id = 1718776680; PRAGMA user_version = 1;
INSERT INTO meta VALUES ('epoch', 4711);
INSERT INTO ledger_heads VALUES ('acme', 40, 3, 0);
INSERT INTO jobs (id, kind, tenant, queue, key, priority, state, trigger, behind, superseded_by, requested_at,
    requested_by, due_at, began_at, finished_at, deadline_at, generation, attempt, failed, lost, rate_limited, released,
    asked, fence, data_fence, worker, lease_until_at, beat_at, progress_at, cancel_requested_at, progress_attempt,
    progress_phase, progress_phase_index, progress_phases, progress_done, progress_total, progress_unit,
    progress_message, callers, definition, took_p50_ms, took_p90_ms, took_p95_ms, outcome, forced,
    finished_before_cancel, error_class, error_code, error_message, seq, timer_at, input, checkpoint, receipt)
VALUES
(7, 'refresh', 'acme', 'prices', 'prices/eu', 2, 'running', 'schedule', 0, 0, 1000, 'ann', 1001, 1002, NULL, NULL, 1, 2,
    1, 0, 0, 0, 5, 30, 29, 'builtin-boot-1', 9000, 8000, 7000, NULL, 2, 'fetch', 1, 3, 4, 10, 'rows', 'page 4', 6, -2,
    11, 12, 13, NULL, 0, 0, 'retryable', 'http_500', 'the origin said 500', 31, 9000, 'in', '{"page":4}', ''),
(8, 'refresh', 'acme', 'prices', 'prices/eu', 1, 'queued', 'manual', 7, 0, 1100, 'bob', 1100, NULL, NULL, NULL, 1, 0,
    0, 0, 0, 0, 30, 0, 0, '', NULL, NULL, NULL, NULL, 0, '', 0, 0, 0, NULL, '', '', 1, 0,
    NULL, NULL, NULL, NULL, 0, 0, NULL, NULL, NULL, 32, NULL, '', '', ''),
(5, 'refresh', 'acme', 'prices', 'prices/eu', 1, 'succeeded', 'manual', 0, 0, 500, 'bob', 500, 700, 800, NULL, 1, 2,
    1, 0, 0, 0, 1, 20, 20, 'builtin-boot-1', NULL, NULL, NULL, NULL, 0, '', 0, 0, 0, NULL, '', '', 1, 77,
    NULL, NULL, NULL, 'updated', 0, 0, NULL, NULL, NULL, 22, NULL, '', '', '{"gen":3}'),
(9, 'refresh', 'acme', 'stocks', 'stocks', 1, 'queued', 'schedule', 0, 0, 500, '', 5000, NULL, NULL, 6000, 1, 0,
    0, 0, 0, 0, 0, 0, 0, '', NULL, NULL, NULL, NULL, 0, '', 0, 0, 0, NULL, '', '', 1, 0,
    NULL, NULL, NULL, NULL, 0, 0, NULL, NULL, NULL, 33, NULL, '', '', '');
INSERT INTO attempts (job, fence, generation, attempt, worker, began_at, finished_at, end, error_class, error_code,
    error_message)
VALUES (5, 10, 1, 1, 'builtin-boot-1', 500, 600, 'failed', 'retryable', 'c', 'm'),
       (5, 20, 1, 2, 'builtin-boot-1', 700, 800, 'succeeded', NULL, NULL, NULL),
       (7, 29, 1, 1, 'builtin-boot-1', 900, 950, 'failed', 'retryable', 'c', 'm'),
       (7, 30, 1, 2, 'builtin-boot-1', 1002, NULL, 'running', NULL, NULL, NULL);
INSERT INTO idempotency VALUES ('acme', 't', 'POST /r', 'k', x'000102030405060708090a0b0c0d0e0f', 7, 99000);
INSERT INTO audit (tenant, actor, action, object, detail, acted_at) VALUES ('acme', 'ann', 'pause', 'prices', '', 1);
)sql";

class SqliteMigration : public testing::Test {
protected:
    SqliteMigration()
    {
        sqlite::Connection connection{database(), ""};
        connection.execute("BEGIN");
        sqlite::migrate_to_1(connection);
        connection.execute("COMMIT");
        connection.execute(rows_1);
    }
    std::string database() const { return (directory_.path() / "freshet.db").string(); }
    std::unique_ptr<Store> open() { return open_sqlite_store({.data_dir = directory_.path()}); }

private:
    test::Folder directory_;
};

Job the_running_one()
{
    Job job;
    job.id = JobId{7}, job.kind = JobKind::refresh, job.tenant = "acme", job.queue = "prices", job.key = "prices/eu";
    job.priority = 2, job.state = JobState::running, job.trigger = Trigger::schedule, job.requested_at = from_ms(1000);
    job.requested_by = "ann", job.due_at = from_ms(1001), job.began_at = from_ms(1002), job.attempt = 2, job.failed = 1;
    job.asked = 5, job.fence = 30, job.data_fence = 29, job.worker = "builtin-boot-1", job.lease_until = from_ms(9000);
    job.beat_at = from_ms(8000), job.progress_at = from_ms(7000), job.callers = 6;
    job.progress = {2, "fetch", 1, 3, 4, 10, "rows", "page 4"}, job.definition = static_cast<std::uint64_t>(-2);
    job.took_p50 = 11ms, job.took_p90 = 12ms, job.took_p95 = 13ms, job.seq = 31;
    job.error = ErrorInfo{ErrorClass::retryable, "http_500", "the origin said 500"};
    job.input = "in", job.checkpoint = R"({"page":4})";
    return job;
}

TEST_F(SqliteMigration, KeepsTheJobsOfVersion1)
{
    for (int time = 0; time < 2; ++time) {
        const auto store = open();
        const auto reader = store->reader();
        EXPECT_EQ(reader->epoch(), 4711U);
        EXPECT_EQ(reader->job(JobId{7}), the_running_one());
        EXPECT_THAT(ids(reader->live_jobs("acme", "prices/eu")), ElementsAre(7, 8));
        const auto ended = reader->job(JobId{5});
        ASSERT_TRUE(ended);
        EXPECT_EQ(ended->outcome, Outcome::updated);
        EXPECT_EQ(ended->receipt, R"({"gen":3})");
        EXPECT_EQ(ended->finished_at, from_ms(800));
        EXPECT_THAT(ids(reader->jobs({.tenant = "acme"})), ElementsAre(9, 8, 7, 5));
        EXPECT_THAT(ids(reader->jobs({.tenant = "acme", .state = JobState::succeeded})), ElementsAre(5));
    }
}

TEST_F(SqliteMigration, GoesOnWithTheJobsOfVersion1)
{
    const auto store = open();
    const auto t = store->begin();
    EXPECT_EQ(t->last_job_id(), JobId{9});
    EXPECT_THAT(ids(t->running_jobs("builtin-", 10)), ElementsAre(7));
    EXPECT_EQ(t->next_wake(from_ms(2000)), from_ms(5000));
    EXPECT_EQ(t->next_wake(from_ms(5000)), from_ms(6000)) << "a waiting job's deadline";
    EXPECT_THAT(ids(t->timers_due(from_ms(9000), 10)), ElementsAre(9, 7));
    EXPECT_THAT(ids(t->claimable("stocks", "acme", from_ms(5000), 10)), ElementsAre(9));
    EXPECT_THAT(t->claimable("prices", "acme", from_ms(5000), 10), IsEmpty()) << "it waits behind the running one";
    EXPECT_THAT(t->ended_jobs("acme", from_ms(801), 10), ElementsAre(Ended<JobId>{JobId{5}, from_ms(800)}));
    EXPECT_EQ(t->job_counts("acme").size(), 4U);
    const KeptFigures kept = t->kept_figures("acme");
    EXPECT_EQ(kept.ended, 1);
    EXPECT_EQ(kept.live_bytes, 2 + 10) << "what job 7 brings along";
    t->drop_job(JobId{5});
    EXPECT_EQ(t->kept_figures("acme"), (KeptFigures{.ended = 0, .ended_bytes = 0, .live_bytes = 12, .log_bytes = 0}))
        << "what version 3 counted is what it takes away";
    Job second = *t->job(JobId{8});
    second.state = JobState::running;
    EXPECT_THROW(t->put_job(second, {}), StoreFailure);
}

TEST_F(SqliteMigration, CountsTheLinesThatVersion4Kept)
{
    {
        sqlite::Connection connection{database(), ""};
        connection.execute("BEGIN");
        for (const auto step : {sqlite::migrate_to_2, sqlite::migrate_to_3, sqlite::migrate_to_4}) step(connection);
        connection.execute("COMMIT; PRAGMA user_version = 4;"
                           "INSERT INTO job_log VALUES (7, 1, 30, 1, 'info', 'שלום'), (7, 2, 30, 2, 'info', 'line'),"
                           "(5, 1, 20, 1, 'info', ''), (99, 1, 1, 1, 'info', 'of a job that is gone')");
    }
    for (int time = 0; time < 2; ++time) {
        const auto store = open();
        EXPECT_EQ(store->begin()->kept_figures("acme").log_bytes, 8 + 4 + 3 * log_row_bytes);
        EXPECT_THAT(store->reader()->job_log(JobId{99}, 0, 10), IsEmpty());
    }
}

TEST_F(SqliteMigration, KeepsTheShortTokensOfVersion5AsTheyWere)
{
    {
        sqlite::Connection connection{database(), ""};
        connection.execute("BEGIN");
        for (const auto step : {sqlite::migrate_to_2, sqlite::migrate_to_3, sqlite::migrate_to_4, sqlite::migrate_to_5})
            step(connection);
        connection.execute("COMMIT; PRAGMA user_version = 5;"
                           "INSERT INTO tokens VALUES ('site~1', 'acme', 'viewer', 1, 'prices\n', 'ab', 'site', 5, 9)");
    }
    const auto tokens = open()->reader()->tokens();
    ASSERT_EQ(tokens.size(), 1U);
    EXPECT_EQ(tokens[0].scope, (TokenScope{{"prices"}, {}}));
    EXPECT_EQ(tokens[0].sha256, "ab");
    EXPECT_EQ(tokens[0].expires_at, from_ms(9));
}

TEST_F(SqliteMigration, KeepsTheAttemptsThatTheJobDoesNotTell)
{
    const auto store = open();
    const auto reader = store->reader();
    ASSERT_EQ(reader->attempts(JobId{5}).size(), 1U);
    EXPECT_EQ(reader->attempts(JobId{5})[0].fence, 10U);
    EXPECT_EQ(reader->attempts(JobId{5})[0].end, AttemptEnd::failed);
    ASSERT_EQ(reader->attempts(JobId{7}).size(), 1U);
    EXPECT_EQ(reader->attempts(JobId{7})[0].fence, 29U);
}

TEST_F(SqliteMigration, KeepsIdempotencyKeysAndTheAudit)
{
    const auto store = open();
    const auto record = store->begin()->idempotency("acme", "t", "POST /r", "k");
    ASSERT_TRUE(record);
    EXPECT_EQ(record->made, to_text(JobId{7}));
    EXPECT_EQ(record->expires_at, from_ms(99000));
    EXPECT_EQ(to_hex(record->request), "000102030405060708090a0b0c0d0e0f");
    EXPECT_EQ(store->reader()->audit({.tenant = "acme"}).size(), 1U);
}

} // namespace
} // namespace freshet::contract
