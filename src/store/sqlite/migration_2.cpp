// SPDX-License-Identifier: Apache-2.0
#include "store/packed_job.hpp"
#include "store/sqlite/migrations.hpp"
#include "store/sqlite/rows.hpp"

#include <map>

namespace freshet::sqlite {

namespace {

// A job is in few indexes at a time, and each of them holds what waits, runs or ended, not all that ever was, so that
// neither a claim nor an end gets slower with the history. `waits` says in which one a queued job is: ready (may be
// handed out), due (at due_at), behind (another job), gated; '' once it runs. `record` is store/packed_job.hpp's.
//   jobs_running   also lists: what runs at a time is bounded by those who run it
//   jobs_by_state  lists everything else, one range per queue and state
//   jobs_ended     jobs of no batch; items go with their batch, so they need no entry
constexpr char make_jobs[] = R"sql(
DROP INDEX jobs_one_live; DROP INDEX jobs_ready; DROP INDEX jobs_due; DROP INDEX jobs_timers; DROP INDEX jobs_running;
DROP INDEX jobs_ended; DROP INDEX jobs_by_state; DROP INDEX jobs_by_queue; DROP INDEX jobs_by_key;
ALTER TABLE jobs RENAME TO jobs_1;

CREATE TABLE jobs (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, tenant TEXT NOT NULL, queue TEXT NOT NULL, key TEXT NOT NULL,
    batch INTEGER NOT NULL, item TEXT NOT NULL, state TEXT NOT NULL,
    priority INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 3), due_at INTEGER NOT NULL, waits TEXT NOT NULL,
    slot TEXT NOT NULL, timer_at INTEGER, ended_at INTEGER, payload INTEGER NOT NULL, record BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX jobs_one_live ON jobs (tenant, key, state) WHERE kind = 'refresh' AND state IN ('queued', 'running');
CREATE UNIQUE INDEX jobs_one_slot ON jobs (tenant, queue, slot, state) WHERE slot <> '' AND state IN ('queued', 'running');
CREATE UNIQUE INDEX jobs_one_item ON jobs (batch, item) WHERE batch <> 0;
CREATE INDEX jobs_window ON jobs (tenant, queue, slot) WHERE slot <> '' AND state NOT IN ('queued', 'running');
CREATE INDEX jobs_ready ON jobs (queue, tenant, priority DESC, due_at) WHERE waits = 'ready';
CREATE INDEX jobs_due ON jobs (due_at) WHERE waits = 'due';
CREATE INDEX jobs_gated ON jobs (batch) WHERE waits = 'gated';
CREATE INDEX jobs_timers ON jobs (timer_at) WHERE state = 'queued' AND timer_at IS NOT NULL;
CREATE INDEX jobs_running ON jobs (timer_at) WHERE state = 'running';
CREATE INDEX jobs_ended ON jobs (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX jobs_by_state ON jobs (tenant, queue, state) WHERE state <> 'running';
CREATE INDEX jobs_by_key ON jobs (tenant, key) WHERE key <> '';
CREATE INDEX jobs_items ON jobs (batch, state) WHERE batch <> 0;

CREATE TABLE job_counts (
    tenant TEXT NOT NULL, queue TEXT NOT NULL, state TEXT NOT NULL, count INTEGER NOT NULL,
    PRIMARY KEY (tenant, queue, state)
) STRICT, WITHOUT ROWID;
CREATE TABLE job_tags (
    tenant TEXT NOT NULL, tag TEXT NOT NULL, job INTEGER NOT NULL, PRIMARY KEY (tenant, tag, job)
) STRICT, WITHOUT ROWID;
CREATE TABLE job_log (
    job INTEGER NOT NULL, number INTEGER NOT NULL, fence INTEGER NOT NULL, said_at INTEGER NOT NULL,
    level TEXT NOT NULL, text TEXT NOT NULL, PRIMARY KEY (job, number)
) STRICT, WITHOUT ROWID;

-- `texts` is a hash of what batch_texts holds of the follow-up, which never changes and may be long; 0: nothing.
CREATE TABLE batches (
    id INTEGER PRIMARY KEY, tenant TEXT NOT NULL, queue TEXT NOT NULL, state TEXT NOT NULL, texts INTEGER NOT NULL,
    timer_at INTEGER, ended_at INTEGER, record BLOB NOT NULL
) STRICT;
CREATE INDEX batches_by_state ON batches (tenant, state);
CREATE INDEX batches_timers ON batches (timer_at) WHERE timer_at IS NOT NULL;
CREATE INDEX batches_ended ON batches (ended_at) WHERE ended_at IS NOT NULL;
CREATE TABLE batch_texts (batch INTEGER PRIMARY KEY, input TEXT NOT NULL, items TEXT NOT NULL) STRICT;

CREATE TABLE tokens (
    name TEXT PRIMARY KEY, tenant TEXT NOT NULL, role TEXT NOT NULL, refresh INTEGER NOT NULL, sources TEXT NOT NULL,
    sha256 TEXT NOT NULL, made_by TEXT NOT NULL, made_at INTEGER NOT NULL, expires_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE TABLE queue_limits (
    queue TEXT PRIMARY KEY, concurrency INTEGER, rate_count INTEGER, rate_per_ms INTEGER
) STRICT, WITHOUT ROWID;
CREATE TABLE resets (
    tenant TEXT NOT NULL, queue TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (tenant, queue)
) STRICT, WITHOUT ROWID;
CREATE TABLE schedules (
    tenant TEXT NOT NULL, name TEXT NOT NULL, next_at INTEGER, paused INTEGER NOT NULL, PRIMARY KEY (tenant, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX schedules_due ON schedules (next_at) WHERE paused = 0 AND next_at IS NOT NULL;

DROP INDEX idempotency_expiring;
ALTER TABLE idempotency RENAME TO idempotency_1;
CREATE TABLE idempotency (
    tenant TEXT NOT NULL, caller TEXT NOT NULL, route TEXT NOT NULL, key TEXT NOT NULL, request BLOB NOT NULL,
    made TEXT NOT NULL, expires_at INTEGER NOT NULL, PRIMARY KEY (tenant, caller, route, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_expiring ON idempotency (expires_at);

CREATE INDEX audit_by_tenant ON audit (tenant);
CREATE INDEX audit_by_time ON audit (acted_at);
)sql";

constexpr char drop_old[] = "DROP TABLE jobs_1; DROP TABLE idempotency_1";

constexpr char read_jobs_1[] =
    "SELECT id, kind, tenant, queue, key, priority, state, trigger, behind, superseded_by, requested_at, "
    "requested_by, due_at, began_at, finished_at, deadline_at, generation, attempt, failed, lost, rate_limited, "
    "released, asked, fence, data_fence, worker, lease_until_at, beat_at, progress_at, cancel_requested_at, "
    "progress_attempt, progress_phase, progress_phase_index, progress_phases, progress_done, progress_total, "
    "progress_unit, progress_message, callers, definition, took_p50_ms, took_p90_ms, took_p95_ms, outcome, forced, "
    "finished_before_cancel, error_class, error_code, error_message, seq, timer_at, input, checkpoint, receipt "
    "FROM jobs_1 ORDER BY id";
constexpr char insert_job_2[] =
    "INSERT INTO jobs (id, kind, tenant, queue, key, batch, item, state, priority, due_at, waits, slot, timer_at, "
    "ended_at, payload, record) VALUES (?, ?, ?, ?, ?, 0, '', ?, ?, ?, ?, '', ?, ?, 0, ?)";
constexpr char drop_attempt[] = "DELETE FROM attempts WHERE job = ? AND fence = ?";
constexpr char count_jobs[] =
    "INSERT INTO job_counts SELECT tenant, queue, state, count(*) FROM jobs GROUP BY tenant, queue, state";
constexpr char read_idempotency_1[] = "SELECT tenant, caller, route, key, request, job, expires_at FROM idempotency_1";
constexpr char insert_idempotency_2[] =
    "INSERT INTO idempotency (tenant, caller, route, key, request, made, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?)";

struct Job1 {
    Job job;
    std::optional<WallTime> timer_at;
};

Job1 take_job_1(Query& query)
{
    Job1 row;
    Job& j = row.job;
    Taker take{query};
    take(j.id, j.kind, j.tenant, j.queue, j.key, j.priority, j.state, j.trigger, j.behind, j.superseded_by);
    take(j.requested_at, j.requested_by, j.due_at, j.began_at, j.finished_at, j.deadline_at, j.generation, j.attempt);
    take(j.failed, j.lost, j.rate_limited, j.released, j.asked, j.fence, j.data_fence, j.worker, j.lease_until);
    take(j.beat_at, j.progress_at, j.cancel_requested_at);
    Progress& p = j.progress;
    take(p.attempt, p.phase, p.phase_index, p.phases, p.done, p.total, p.unit, p.message);
    take(j.callers, j.definition, j.took_p50, j.took_p90, j.took_p95, j.outcome, j.forced, j.finished_before_cancel);
    take(j.error, j.seq, row.timer_at, j.input, j.checkpoint, j.receipt);
    return row;
}

void move_job(Connection& connection, const Job1& row)
{
    const Job& job = row.job;
    const char* waits = job.state != JobState::queued ? "" : job.behind ? "behind" : "due";
    const std::string record = pack_job(job);
    Query query{connection, insert_job_2};
    Binder bind{query};
    // Version 1 kept timers of running jobs only; a waiting one has its deadline.
    bind(job.id, job.kind, job.tenant, job.queue, job.key, job.state, job.priority, job.due_at);
    query.bind(waits);
    bind(job.state == JobState::running  ? row.timer_at
         : job.state == JobState::queued ? job.deadline_at
                                         : std::nullopt);
    bind(is_terminal(job.state) ? job.finished_at : std::nullopt);
    query.put_blob(record);
    query.run();
    // Version 1 had a row for each hand-out; now the job tells the last one.
    if (const auto last = last_attempt(job)) Query{connection, drop_attempt}.bind(job.id, last->fence).run();
}

} // namespace

void migrate_to_2(Connection& connection)
{
    connection.execute(make_jobs);
    {
        Query query{connection, read_jobs_1};
        while (query.row()) move_job(connection, take_job_1(query));
    }
    {
        Query query{connection, read_idempotency_1};
        while (query.row()) {
            std::string tenant, caller, route, key;
            Hash128 request;
            JobId job;
            WallTime expires_at;
            Taker{query}(tenant, caller, route, key, request, job, expires_at);
            Query{connection, insert_idempotency_2}
                .bind(tenant, caller, route, key, request, job ? to_text(job) : std::string{}, expires_at)
                .run();
        }
    }
    connection.execute(count_jobs);
    connection.forget_statements();
    connection.execute(drop_old);
}

} // namespace freshet::sqlite
