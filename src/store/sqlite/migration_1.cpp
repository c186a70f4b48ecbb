// SPDX-License-Identifier: Apache-2.0
#include "store/sqlite/migrations.hpp"

namespace freshet::sqlite {

namespace {

constexpr char migration_1[] = R"sql(
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE ledger_heads (
    tenant TEXT PRIMARY KEY, head INTEGER NOT NULL, floor INTEGER NOT NULL, bytes INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- One row per tenant and commit; store/packed_events.hpp tells what is in `events`, `checksum` is its hash64.
CREATE TABLE ledger (
    tenant TEXT NOT NULL, last_seq INTEGER NOT NULL, first_seq INTEGER NOT NULL, committed_at INTEGER NOT NULL,
    checksum INTEGER NOT NULL, events BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX ledger_by_seq ON ledger (tenant, last_seq);

CREATE TABLE keys (
    tenant TEXT NOT NULL, key TEXT NOT NULL, source TEXT NOT NULL, gen INTEGER NOT NULL, ver INTEGER NOT
    NULL, has_data INTEGER NOT NULL, data_fence INTEGER NOT NULL, definition INTEGER NOT NULL, payload
    INTEGER NOT NULL, hash BLOB NOT NULL, rows INTEGER NOT NULL, bytes INTEGER NOT NULL, as_of_at INTEGER,
    as_of_by TEXT NOT NULL, checked_at INTEGER, changed_at INTEGER, trigger TEXT NOT NULL, etag TEXT NOT
    NULL, last_modified TEXT NOT NULL, attempts INTEGER NOT NULL, retry_at INTEGER, parked INTEGER NOT NULL,
    error_class TEXT, error_code TEXT, error_message TEXT, last_outcome TEXT, last_job INTEGER NOT NULL,
    last_finished_at INTEGER, stale_seq INTEGER NOT NULL, gone_seq INTEGER NOT NULL, held_reason TEXT,
    held_message TEXT, held_payload INTEGER, held_hash BLOB, held_rows INTEGER, held_bytes INTEGER, held_job
    INTEGER, held_at INTEGER, held_data_fence INTEGER, held_as_of_at INTEGER, held_etag TEXT,
    held_last_modified TEXT, held_definition INTEGER, held_added INTEGER, held_removed INTEGER, held_changed
    INTEGER, held_total INTEGER, read_at INTEGER, next_at INTEGER, seq INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX keys_by_text ON keys (tenant, key);
CREATE INDEX keys_by_source ON keys (tenant, source, key);
CREATE INDEX keys_due ON keys (next_at, tenant, key) WHERE next_at IS NOT NULL;

CREATE TABLE versions (
    tenant TEXT NOT NULL, key TEXT NOT NULL, ver INTEGER NOT NULL, gen INTEGER NOT NULL, payload INTEGER NOT NULL,
    hash BLOB NOT NULL, rows INTEGER NOT NULL, bytes INTEGER NOT NULL, as_of_at INTEGER, changed_at INTEGER NOT NULL,
    added INTEGER NOT NULL, removed INTEGER NOT NULL, changed INTEGER NOT NULL, total INTEGER NOT NULL,
    PRIMARY KEY (tenant, key, ver)
) STRICT, WITHOUT ROWID;

-- AUTOINCREMENT: an id is never given twice, so that a cached body cannot be taken for another's.
CREATE TABLE payloads (
    id INTEGER PRIMARY KEY AUTOINCREMENT, kept INTEGER NOT NULL, chunks INTEGER NOT NULL, bytes INTEGER NOT NULL
) STRICT;
CREATE INDEX payloads_unkept ON payloads (id) WHERE kept = 0;
-- place = payload * 4096 + number of the chunk.
CREATE TABLE payload_chunks (place INTEGER PRIMARY KEY, checksum BLOB NOT NULL, bytes BLOB NOT NULL) STRICT;

CREATE TABLE jobs (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, tenant TEXT NOT NULL, queue TEXT NOT NULL, key TEXT NOT
    NULL, priority INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 3), state TEXT NOT NULL, trigger TEXT NOT
    NULL, behind INTEGER NOT NULL, superseded_by INTEGER NOT NULL, requested_at INTEGER NOT NULL,
    requested_by TEXT NOT NULL, due_at INTEGER NOT NULL, began_at INTEGER, finished_at INTEGER, deadline_at
    INTEGER, generation INTEGER NOT NULL, attempt INTEGER NOT NULL, failed INTEGER NOT NULL, lost INTEGER
    NOT NULL, rate_limited INTEGER NOT NULL, released INTEGER NOT NULL, asked INTEGER NOT NULL, fence
    INTEGER NOT NULL, data_fence INTEGER NOT NULL, worker TEXT NOT NULL, lease_until_at INTEGER, beat_at
    INTEGER, progress_at INTEGER, cancel_requested_at INTEGER, progress_attempt INTEGER NOT NULL,
    progress_phase TEXT NOT NULL, progress_phase_index INTEGER NOT NULL, progress_phases INTEGER NOT NULL,
    progress_done INTEGER NOT NULL, progress_total INTEGER, progress_unit TEXT NOT NULL, progress_message
    TEXT NOT NULL, callers INTEGER NOT NULL, definition INTEGER NOT NULL, took_p50_ms INTEGER, took_p90_ms
    INTEGER, took_p95_ms INTEGER, outcome TEXT, forced INTEGER NOT NULL, finished_before_cancel INTEGER NOT
    NULL, error_class TEXT, error_code TEXT, error_message TEXT, seq INTEGER NOT NULL, timer_at INTEGER,
    input TEXT NOT NULL, checkpoint TEXT NOT NULL, receipt TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX jobs_one_live ON jobs (tenant, key, state) WHERE kind = 'refresh' AND state IN ('queued', 'running');
CREATE INDEX jobs_ready ON jobs (queue, priority DESC, due_at) WHERE state = 'queued' AND behind = 0;
CREATE INDEX jobs_due ON jobs (due_at) WHERE state = 'queued' AND behind = 0;
CREATE INDEX jobs_timers ON jobs (timer_at) WHERE state = 'running';
CREATE INDEX jobs_running ON jobs (worker, id, queue) WHERE state = 'running';
CREATE INDEX jobs_ended ON jobs (finished_at) WHERE state IN ('succeeded', 'failed', 'cancelled');
CREATE INDEX jobs_by_state ON jobs (tenant, state);
CREATE INDEX jobs_by_queue ON jobs (tenant, queue);
CREATE INDEX jobs_by_key ON jobs (tenant, key) WHERE key <> '';

CREATE TABLE attempts (
    job INTEGER NOT NULL, fence INTEGER NOT NULL, generation INTEGER NOT NULL, attempt INTEGER NOT NULL,
    worker TEXT NOT NULL, began_at INTEGER NOT NULL, finished_at INTEGER, end TEXT NOT NULL, error_class TEXT,
    error_code TEXT, error_message TEXT, PRIMARY KEY (job, fence)
) STRICT, WITHOUT ROWID;

CREATE TABLE fires (
    tenant TEXT NOT NULL, key TEXT NOT NULL, nominal_at INTEGER NOT NULL, fired_at INTEGER NOT NULL,
    decision TEXT NOT NULL, reason TEXT NOT NULL, job INTEGER NOT NULL, PRIMARY KEY (tenant, key, nominal_at)
) STRICT, WITHOUT ROWID;
CREATE INDEX fires_by_time ON fires (fired_at);

CREATE TABLE idempotency (
    tenant TEXT NOT NULL, caller TEXT NOT NULL, route TEXT NOT NULL, key TEXT NOT NULL, request BLOB NOT NULL,
    job INTEGER NOT NULL, expires_at INTEGER NOT NULL, PRIMARY KEY (tenant, caller, route, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_expiring ON idempotency (expires_at);

CREATE TABLE breakers (
    tenant TEXT NOT NULL, source TEXT NOT NULL, host TEXT NOT NULL, failures INTEGER NOT NULL, open_until_at INTEGER,
    probe INTEGER NOT NULL, PRIMARY KEY (tenant, source, host)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
    id INTEGER PRIMARY KEY, tenant TEXT NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL, object TEXT NOT NULL,
    detail TEXT NOT NULL, acted_at INTEGER NOT NULL
) STRICT;

CREATE TABLE paused (name TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
)sql";

} // namespace

void migrate_to_1(Connection& connection)
{
    connection.execute(migration_1);
}

} // namespace freshet::sqlite
