// SPDX-License-Identifier: Apache-2.0
#pragma once
// Every SQL statement that asks or changes rows, by name; those of jobs and batches are in job_statements.hpp. SQL only
// compares and writes; what to write was decided before.
//
// INDEXED BY makes a plan that walks a table an error when the statement is prepared, not a slow server later.
// The order of columns is that of visit_*() in rows.hpp.

#define FRESHET_KEY_COLUMNS                                                                                            \
    "tenant, key, source, gen, ver, has_data, data_fence, definition, payload, hash, rows, bytes, as_of_at, "          \
    "as_of_by, checked_at, changed_at, trigger, etag, last_modified, attempts, retry_at, parked, error_class, "        \
    "error_code, error_message, last_outcome, last_job, last_finished_at, stale_seq, gone_seq, held_reason, "          \
    "held_message, held_payload, held_hash, held_rows, held_bytes, held_job, held_at, held_data_fence, "               \
    "held_as_of_at, held_etag, held_last_modified, held_definition, held_added, held_removed, held_changed, "          \
    "held_total, read_at, next_at, seq, day"
#define FRESHET_VERSION_COLUMNS                                                                                        \
    "ver, gen, payload, hash, rows, bytes, as_of_at, changed_at, added, removed, changed, total"

namespace freshet::sqlite::sql {

// The ledger.
inline constexpr char read_head[] = "SELECT head, floor, bytes FROM ledger_heads WHERE tenant = ?";
inline constexpr char put_head[] =
    "INSERT INTO ledger_heads (tenant, head, floor, bytes) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (tenant) DO UPDATE SET head = excluded.head, floor = excluded.floor, bytes = excluded.bytes";
inline constexpr char read_tenants[] = "SELECT tenant FROM ledger_heads ORDER BY tenant";
inline constexpr char read_ledger[] =
    "SELECT first_seq, last_seq, checksum, events FROM ledger INDEXED BY ledger_by_seq "
    "WHERE tenant = ? AND last_seq > ? ORDER BY last_seq";
inline constexpr char put_ledger_row[] =
    "INSERT INTO ledger (tenant, last_seq, first_seq, committed_at, checksum, events) VALUES (?, ?, ?, ?, ?, ?)";
inline constexpr char oldest_ledger_rows[] = "SELECT last_seq, committed_at, length(events) FROM ledger "
                                             "INDEXED BY ledger_by_seq WHERE tenant = ? ORDER BY last_seq";
inline constexpr char drop_ledger_rows[] =
    "DELETE FROM ledger INDEXED BY ledger_by_seq WHERE tenant = ? AND last_seq <= ?";

// Keys and their versions.
inline constexpr char read_key[] =
    "SELECT " FRESHET_KEY_COLUMNS " FROM keys INDEXED BY keys_by_text WHERE tenant = ? AND key = ?";
inline constexpr char read_keys[] = "SELECT " FRESHET_KEY_COLUMNS " FROM keys INDEXED BY keys_by_text "
                                    "WHERE tenant = ? AND key > ? ORDER BY key LIMIT ?";
inline constexpr char read_keys_of_source[] = "SELECT " FRESHET_KEY_COLUMNS " FROM keys INDEXED BY keys_by_source "
                                              "WHERE tenant = ? AND source = ? AND key > ? ORDER BY key LIMIT ?";
inline constexpr char count_keys[] = "SELECT count(*) FROM keys INDEXED BY keys_by_text WHERE tenant = ?";
inline constexpr char count_keys_of_source[] =
    "SELECT count(*) FROM keys INDEXED BY keys_by_source WHERE tenant = ? AND source = ?";
inline constexpr char read_key_names[] =
    "SELECT source, payload, held_payload FROM keys INDEXED BY keys_by_text WHERE tenant = ? AND key = ?";
inline constexpr char put_key[] =
    "INSERT INTO keys (" FRESHET_KEY_COLUMNS ") VALUES ("
    "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
    "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?"
    ") "
    "ON CONFLICT (tenant, key) DO UPDATE SET "
    "gen = excluded.gen, ver = excluded.ver, has_data = excluded.has_data, data_fence = excluded.data_fence, "
    "definition = excluded.definition, payload = excluded.payload, hash = excluded.hash, rows = "
    "excluded.rows, bytes = excluded.bytes, as_of_at = excluded.as_of_at, as_of_by = excluded.as_of_by, "
    "checked_at = excluded.checked_at, changed_at = excluded.changed_at, trigger = excluded.trigger, etag = "
    "excluded.etag, last_modified = excluded.last_modified, attempts = excluded.attempts, retry_at = "
    "excluded.retry_at, parked = excluded.parked, error_class = excluded.error_class, error_code = "
    "excluded.error_code, error_message = excluded.error_message, last_outcome = excluded.last_outcome, "
    "last_job = excluded.last_job, last_finished_at = excluded.last_finished_at, stale_seq = "
    "excluded.stale_seq, gone_seq = excluded.gone_seq, held_reason = excluded.held_reason, held_message = "
    "excluded.held_message, held_payload = excluded.held_payload, held_hash = excluded.held_hash, held_rows = "
    "excluded.held_rows, held_bytes = excluded.held_bytes, held_job = excluded.held_job, held_at = "
    "excluded.held_at, held_data_fence = excluded.held_data_fence, held_as_of_at = excluded.held_as_of_at, "
    "held_etag = excluded.held_etag, held_last_modified = excluded.held_last_modified, held_definition = "
    "excluded.held_definition, held_added = excluded.held_added, held_removed = excluded.held_removed, "
    "held_changed = excluded.held_changed, held_total = excluded.held_total, read_at = excluded.read_at, "
    "next_at = excluded.next_at, seq = excluded.seq, day = excluded.day";
inline constexpr char read_keys_due[] = "SELECT " FRESHET_KEY_COLUMNS " FROM keys INDEXED BY keys_due "
                                        "WHERE next_at <= ? ORDER BY next_at, tenant, key LIMIT ?";
inline constexpr char next_key_due[] = "SELECT min(next_at) FROM keys INDEXED BY keys_due WHERE next_at > ?";

inline constexpr char read_versions[] = "SELECT " FRESHET_VERSION_COLUMNS " FROM versions "
                                        "WHERE tenant = ? AND key = ? AND ver < ? ORDER BY ver DESC LIMIT ?";
inline constexpr char read_version[] =
    "SELECT " FRESHET_VERSION_COLUMNS " FROM versions WHERE tenant = ? AND key = ? AND ver = ?";
inline constexpr char put_version[] = "INSERT OR REPLACE INTO versions (tenant, key, " FRESHET_VERSION_COLUMNS ") "
                                      "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
inline constexpr char drop_version[] = "DELETE FROM versions WHERE tenant = ? AND key = ? AND ver = ?";
inline constexpr char version_names_payload[] =
    "SELECT 1 FROM versions WHERE tenant = ? AND key = ? AND payload = ? LIMIT 1";

// Payloads.
inline constexpr char read_payload[] = "SELECT kept, chunks, bytes FROM payloads WHERE id = ?";
inline constexpr char read_chunks[] =
    "SELECT checksum, bytes FROM payload_chunks WHERE place >= ? AND place < ? ORDER BY place";
inline constexpr char put_payload[] = "INSERT INTO payloads (kept, chunks, bytes) VALUES (?, ?, ?)";
inline constexpr char put_chunk[] = "INSERT INTO payload_chunks (place, checksum, bytes) VALUES (?, ?, ?)";
inline constexpr char grow_payload[] = "UPDATE payloads SET chunks = ?, bytes = ? WHERE id = ?";
inline constexpr char keep_payload[] = "UPDATE payloads SET kept = 1 WHERE id = ?";
inline constexpr char drop_payload[] = "DELETE FROM payloads WHERE id = ?";
inline constexpr char drop_chunks[] = "DELETE FROM payload_chunks WHERE place >= ? AND place < ?";
inline constexpr char unkept_payloads[] = "SELECT id FROM payloads INDEXED BY payloads_unkept WHERE kept = 0";

// Small rows.
inline constexpr char read_fires[] = "SELECT tenant, key, nominal_at, fired_at, decision, reason, job FROM fires "
                                     "WHERE tenant = ? AND key = ? ORDER BY nominal_at DESC LIMIT ?";
inline constexpr char put_fire[] = "INSERT INTO fires (tenant, key, nominal_at, fired_at, decision, reason, job) "
                                   "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING";
inline constexpr char drop_fires[] =
    "DELETE FROM fires WHERE (tenant, key, nominal_at) IN (SELECT tenant, key, nominal_at FROM fires "
    "INDEXED BY fires_by_time WHERE fired_at < ? ORDER BY fired_at LIMIT ?)";
inline constexpr char read_idempotency[] =
    "SELECT tenant, caller, route, key, request, made, expires_at FROM idempotency "
    "WHERE tenant = ? AND caller = ? AND route = ? AND key = ?";
inline constexpr char put_idempotency[] =
    "INSERT OR REPLACE INTO idempotency "
    "(tenant, caller, route, key, request, made, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?)";
inline constexpr char drop_idempotency[] =
    "DELETE FROM idempotency WHERE (tenant, caller, route, key) IN (SELECT tenant, caller, route, key "
    "FROM idempotency INDEXED BY idempotency_expiring WHERE expires_at < ? ORDER BY expires_at LIMIT ?)";
inline constexpr char read_breaker[] = "SELECT tenant, source, host, failures, open_until_at, probe FROM breakers "
                                       "WHERE tenant = ? AND source = ? AND host = ?";
inline constexpr char put_breaker[] =
    "INSERT OR REPLACE INTO breakers (tenant, source, host, failures, open_until_at, probe) VALUES (?, ?, ?, ?, ?, ?)";
inline constexpr char put_audit[] =
    "INSERT INTO audit (tenant, actor, action, object, detail, acted_at) VALUES (?, ?, ?, ?, ?, ?)";
#define FRESHET_READ_AUDIT(order)                                                                                      \
    "SELECT id, tenant, actor, action, object, detail, acted_at FROM audit INDEXED BY audit_by_tenant "                \
    "WHERE tenant = ? AND id < ? AND id > ? ORDER BY id" order " LIMIT ?"
inline constexpr char read_audit[] = FRESHET_READ_AUDIT(" DESC"), read_audit_up[] = FRESHET_READ_AUDIT("");
inline constexpr char newest_audit_beyond[] =
    "SELECT id FROM audit INDEXED BY audit_by_tenant WHERE tenant = ? ORDER BY id DESC LIMIT 1 OFFSET ?";
inline constexpr char drop_audit_to[] =
    "DELETE FROM audit WHERE id IN (SELECT id FROM audit INDEXED BY audit_by_tenant WHERE tenant = ? AND id <= ? "
    "ORDER BY id LIMIT ?)";
inline constexpr char drop_audit[] =
    "DELETE FROM audit WHERE id IN (SELECT id FROM audit INDEXED BY audit_by_time WHERE acted_at < ? "
    "ORDER BY acted_at LIMIT ?)";
inline constexpr char read_tokens[] =
    "SELECT name, tenant, role, refresh, sources, queues, sha256, made_by, made_at, expires_at FROM tokens "
    "ORDER BY name";
inline constexpr char put_token[] =
    "INSERT OR REPLACE INTO tokens "
    "(name, tenant, role, refresh, sources, queues, sha256, made_by, made_at, expires_at) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
inline constexpr char drop_token[] = "DELETE FROM tokens WHERE name = ?";
inline constexpr char read_queue_limits[] =
    "SELECT queue, concurrency, rate_count, rate_per_ms FROM queue_limits ORDER BY queue";
inline constexpr char put_queue_limits[] =
    "INSERT OR REPLACE INTO queue_limits (queue, concurrency, rate_count, rate_per_ms) VALUES (?, ?, ?, ?)";
inline constexpr char drop_queue_limits[] = "DELETE FROM queue_limits WHERE queue = ?";
inline constexpr char read_resets[] = "SELECT tenant, queue, seq FROM resets ORDER BY tenant, queue";
inline constexpr char put_reset[] = "INSERT OR REPLACE INTO resets (tenant, queue, seq) VALUES (?, ?, ?)";
inline constexpr char drop_reset[] = "DELETE FROM resets WHERE tenant = ? AND queue = ?";
inline constexpr char read_schedules[] =
    "SELECT tenant, name, next_at, paused FROM schedules WHERE tenant = ? ORDER BY name";
inline constexpr char put_schedule[] =
    "INSERT OR REPLACE INTO schedules (tenant, name, next_at, paused) VALUES (?, ?, ?, ?)";
inline constexpr char read_schedules_due[] =
    "SELECT tenant, name, next_at, paused FROM schedules INDEXED BY schedules_due "
    "WHERE paused = 0 AND next_at IS NOT NULL AND next_at <= ? ORDER BY next_at, tenant, name LIMIT ?";
inline constexpr char next_schedule_due[] = "SELECT min(next_at) FROM schedules INDEXED BY schedules_due "
                                            "WHERE paused = 0 AND next_at IS NOT NULL AND next_at > ?";
inline constexpr char read_paused[] = "SELECT name FROM paused ORDER BY name";
inline constexpr char put_paused[] = "INSERT OR IGNORE INTO paused (name) VALUES (?)";
inline constexpr char drop_paused[] = "DELETE FROM paused WHERE name = ?";
inline constexpr char read_removed_sources[] = "SELECT name, removed_at FROM removed_sources ORDER BY name";
inline constexpr char put_removed_source[] = "INSERT OR REPLACE INTO removed_sources (name, removed_at) VALUES (?, ?)";
inline constexpr char drop_removed_source[] = "DELETE FROM removed_sources WHERE name = ?";

// The transaction itself.
inline constexpr char begin[] = "BEGIN IMMEDIATE";
inline constexpr char begin_view[] = "BEGIN";
inline constexpr char commit[] = "COMMIT";
// A row that stays the same would not be written.
inline constexpr char count_checkpoint[] = "INSERT INTO meta (name, value) VALUES ('checkpoints', 1) "
                                           "ON CONFLICT (name) DO UPDATE SET value = value + 1";
inline constexpr char page_count[] = "PRAGMA page_count";

} // namespace freshet::sqlite::sql
