// SPDX-License-Identifier: Apache-2.0
#pragma once
// SQL of jobs and batches, as statements.hpp. Conditions that only repeat what an index says of itself ("batch <> 0")
// are there to let SQLite know that the index holds all that is asked for.

#define FRESHET_JOB_COLUMNS "id, kind, tenant, queue, key, batch, item, state, priority, due_at, record"
#define FRESHET_BATCH_COLUMNS "id, tenant, queue, state, texts, record"
#define FRESHET_ATTEMPT_COLUMNS                                                                                        \
    "job, fence, generation, attempt, worker, began_at, finished_at, end, error_class, error_code, error_message"

namespace freshet::sqlite::sql {

// One job.
inline constexpr char read_job[] = "SELECT " FRESHET_JOB_COLUMNS " FROM jobs WHERE id = ?";
// Two statements instead of one upsert, which would make every index entry to find out that the row is there. What a
// job is and where it belongs never changes, so the update leaves the indexes on that alone.
inline constexpr char insert_job[] =
    "INSERT INTO jobs (" FRESHET_JOB_COLUMNS ", waits, slot, timer_at, ended_at, payload) VALUES ("
    "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
inline constexpr char update_job[] =
    "UPDATE jobs SET state = ?8, priority = ?9, due_at = ?10, record = ?11, waits = ?12, slot = ?13, timer_at = ?14, "
    "ended_at = ?15, payload = ?16 "
    "WHERE id = ?1 AND kind = ?2 AND tenant = ?3 AND queue = ?4 AND key = ?5 AND batch = ?6 AND item = ?7";
inline constexpr char drop_job[] = "DELETE FROM jobs WHERE id = ?";
inline constexpr char last_job_id[] = "SELECT max(id) FROM jobs";
inline constexpr char last_batch_id[] = "SELECT max(id) FROM batches";
inline constexpr char put_tag[] = "INSERT INTO job_tags (tenant, tag, job) VALUES (?, ?, ?)";
inline constexpr char drop_tag[] = "DELETE FROM job_tags WHERE tenant = ? AND tag = ? AND job = ?";

// Uniqueness.
inline constexpr char read_live_jobs[] =
    "SELECT " FRESHET_JOB_COLUMNS " FROM jobs INDEXED BY jobs_one_live "
    "WHERE kind = 'refresh' AND state IN ('queued', 'running') AND tenant = ? AND key = ? ORDER BY state DESC, id";
inline constexpr char read_live_refresh_keys[] =
    "SELECT DISTINCT key FROM jobs INDEXED BY jobs_one_live "
    "WHERE kind = 'refresh' AND state IN ('queued', 'running') AND tenant = ? AND key > ? ORDER BY key LIMIT ?";
inline constexpr char read_live_holders[] =
    "SELECT " FRESHET_JOB_COLUMNS " FROM jobs INDEXED BY jobs_one_slot "
    "WHERE slot <> '' AND state IN ('queued', 'running') AND tenant = ? AND queue = ? AND slot = ?";
inline constexpr char read_ended_holders[] =
    "SELECT " FRESHET_JOB_COLUMNS " FROM jobs INDEXED BY jobs_window WHERE slot <> '' AND state NOT IN ('queued', "
    "'running') AND tenant = ? AND queue = ? AND slot = ? ORDER BY id DESC LIMIT 3";

// What waits.
inline constexpr char read_claimable[] = "SELECT " FRESHET_JOB_COLUMNS " FROM jobs INDEXED BY jobs_ready "
                                         "WHERE waits = 'ready' AND queue = ? AND tenant = ? "
                                         "ORDER BY priority DESC, due_at, id LIMIT ?";
inline constexpr char next_queue[] = "SELECT queue FROM jobs INDEXED BY jobs_ready "
                                     "WHERE waits = 'ready' AND queue > ? ORDER BY queue LIMIT 1";
inline constexpr char next_tenant[] = "SELECT tenant FROM jobs INDEXED BY jobs_ready "
                                      "WHERE waits = 'ready' AND queue = ? AND tenant > ? ORDER BY tenant LIMIT 1";
inline constexpr char next_job_due[] =
    "SELECT due_at FROM jobs INDEXED BY jobs_due WHERE waits = 'due' ORDER BY due_at LIMIT 1";
inline constexpr char make_ready[] =
    "UPDATE jobs SET waits = 'ready' WHERE id IN (SELECT id FROM jobs INDEXED BY jobs_due "
    "WHERE waits = 'due' AND due_at <= ? ORDER BY due_at LIMIT ?)";
inline constexpr char read_gated[] = "SELECT " FRESHET_JOB_COLUMNS " FROM jobs INDEXED BY jobs_gated "
                                     "WHERE waits = 'gated' AND batch = ? ORDER BY id LIMIT ?";
inline constexpr char read_waiting_timers_due[] =
    "SELECT timer_at, " FRESHET_JOB_COLUMNS " FROM jobs INDEXED BY jobs_timers "
    "WHERE state = 'queued' AND timer_at IS NOT NULL AND timer_at <= ? ORDER BY timer_at, id LIMIT ?";
inline constexpr char next_waiting_timer[] = "SELECT min(timer_at) FROM jobs INDEXED BY jobs_timers "
                                             "WHERE state = 'queued' AND timer_at IS NOT NULL AND timer_at > ?";

// What runs.
inline constexpr char read_running_timers_due[] =
    "SELECT timer_at, " FRESHET_JOB_COLUMNS " FROM jobs INDEXED BY jobs_running "
    "WHERE state = 'running' AND timer_at <= ? ORDER BY timer_at, id LIMIT ?";
inline constexpr char next_running_timer[] =
    "SELECT min(timer_at) FROM jobs INDEXED BY jobs_running WHERE state = 'running' AND timer_at > ?";
inline constexpr char read_running[] =
    "SELECT " FRESHET_JOB_COLUMNS " FROM jobs INDEXED BY jobs_running WHERE state = 'running'";

// Lists. Each finds ids in one range of an index; what they name is read after ranges were merged.
// Newest first and oldest first, within two bounds.
#define FRESHET_LIST_JOBS(order)                                                                                       \
    "SELECT id FROM jobs INDEXED BY jobs_by_state WHERE state <> 'running' AND tenant = ? AND queue = ? AND state = "  \
    "? "                                                                                                               \
    "AND id < ? AND id > ? AND (?6 = '' OR kind = ?6) ORDER BY id" order " LIMIT ?"
#define FRESHET_LIST_RUNNING_JOBS(order)                                                                               \
    "SELECT id FROM jobs INDEXED BY jobs_running WHERE state = 'running' AND tenant = ? AND queue = ? AND id < ? "     \
    "AND id > ? AND (?5 = '' OR kind = ?5) ORDER BY id" order " LIMIT ?"
#define FRESHET_LIST_JOBS_BY_KEY(order)                                                                                \
    "SELECT id FROM jobs INDEXED BY jobs_by_key WHERE key <> '' AND tenant = ? AND key = ? AND id < ? AND id > ? "     \
    "AND (?5 = '' OR state = ?5) AND (?6 = '' OR queue = ?6) AND (?7 = '' OR kind = ?7) ORDER BY id" order " LIMIT ?"
#define FRESHET_LIST_JOBS_BY_TAG(order)                                                                                \
    "SELECT jobs.id FROM job_tags CROSS JOIN jobs ON jobs.id = job_tags.job "                                          \
    "WHERE job_tags.tenant = ? AND tag = ? AND job < ? AND job > ? AND (?5 = '' OR state = ?5) "                       \
    "AND (?6 = '' OR queue = ?6) AND (?7 = '' OR kind = ?7) AND (?8 = '' OR key = ?8) ORDER BY job" order " LIMIT ?"
inline constexpr char list_jobs[] = FRESHET_LIST_JOBS(" DESC"), list_jobs_up[] = FRESHET_LIST_JOBS("");
inline constexpr char list_running_jobs[] = FRESHET_LIST_RUNNING_JOBS(" DESC"),
                      list_running_jobs_up[] = FRESHET_LIST_RUNNING_JOBS("");
inline constexpr char list_jobs_by_key[] = FRESHET_LIST_JOBS_BY_KEY(" DESC"),
                      list_jobs_by_key_up[] = FRESHET_LIST_JOBS_BY_KEY("");
inline constexpr char list_jobs_by_tag[] = FRESHET_LIST_JOBS_BY_TAG(" DESC"),
                      list_jobs_by_tag_up[] = FRESHET_LIST_JOBS_BY_TAG("");
inline constexpr char oldest_queued[] =
    "SELECT id FROM jobs INDEXED BY jobs_by_state "
    "WHERE state <> 'running' AND tenant = ? AND queue = ? AND state = 'queued' ORDER BY id LIMIT 1";
#define FRESHET_LIST_ITEMS(order)                                                                                      \
    "SELECT id FROM jobs INDEXED BY jobs_items WHERE batch <> 0 AND batch = ? AND state = ? AND id < ? AND id > ? "    \
    "ORDER BY id" order " LIMIT ?"
inline constexpr char list_items[] = FRESHET_LIST_ITEMS(""), list_items_down[] = FRESHET_LIST_ITEMS(" DESC");
inline constexpr char read_item[] = "SELECT " FRESHET_JOB_COLUMNS " FROM jobs INDEXED BY jobs_one_item "
                                    "WHERE batch <> 0 AND batch = ? AND item = ?";
inline constexpr char read_ended[] =
    "SELECT id, ended_at FROM jobs INDEXED BY jobs_ended "
    "WHERE ended_at IS NOT NULL AND tenant = ? AND ended_at < ? ORDER BY ended_at, id LIMIT ?";
inline constexpr char read_record_bytes[] = "SELECT length(record) FROM jobs WHERE id = ?";
inline constexpr char read_kept[] = "SELECT ended, ended_bytes, live_bytes, log_bytes FROM kept WHERE tenant = ?";
inline constexpr char put_kept[] =
    "INSERT OR REPLACE INTO kept (tenant, ended, ended_bytes, live_bytes, log_bytes) VALUES (?, ?, ?, ?, ?)";

// How many there are.
inline constexpr char read_count[] = "SELECT state, count FROM job_counts WHERE tenant = ? AND queue = ?";
inline constexpr char read_counts[] = "SELECT tenant, queue, state, count FROM job_counts WHERE tenant = ?";
inline constexpr char put_count[] =
    "INSERT OR REPLACE INTO job_counts (tenant, queue, state, count) VALUES (?, ?, ?, ?)";
inline constexpr char drop_count[] = "DELETE FROM job_counts WHERE tenant = ? AND queue = ? AND state = ?";
inline constexpr char count_running[] =
    "SELECT queue, sum(count) FROM job_counts WHERE state = 'running' GROUP BY queue ORDER BY queue";

// What goes with a job.
inline constexpr char read_attempts[] = "SELECT " FRESHET_ATTEMPT_COLUMNS " FROM attempts WHERE job = ? ORDER BY fence";
inline constexpr char put_attempt[] = "INSERT OR REPLACE INTO attempts (" FRESHET_ATTEMPT_COLUMNS ") "
                                      "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
inline constexpr char drop_attempts[] = "DELETE FROM attempts WHERE job = ?";
inline constexpr char read_log[] = "SELECT job, number, fence, said_at, level, text FROM job_log "
                                   "WHERE job = ? AND number > ? ORDER BY number LIMIT ?";
inline constexpr char put_log[] =
    "INSERT OR REPLACE INTO job_log (job, number, fence, said_at, level, text) VALUES (?, ?, ?, ?, ?, ?)";
// Whose job it is, and what the line of that number counts for, if there is one: text, and log_row_bytes for its row.
inline constexpr char read_log_before[] =
    "SELECT tenant, (SELECT length(CAST(text AS BLOB)) + ?3 FROM job_log WHERE job = ?1 AND number = ?2) "
    "FROM jobs WHERE id = ?1";
inline constexpr char read_log_bytes[] =
    "SELECT coalesce(sum(length(CAST(text AS BLOB)) + ?2), 0) FROM job_log WHERE job = ?1";
inline constexpr char drop_log[] = "DELETE FROM job_log WHERE job = ?";

// Batches.
inline constexpr char read_batch[] = "SELECT " FRESHET_BATCH_COLUMNS " FROM batches WHERE id = ?";
inline constexpr char read_batch_before[] = "SELECT texts FROM batches WHERE id = ?";
inline constexpr char insert_batch[] =
    "INSERT INTO batches (" FRESHET_BATCH_COLUMNS ", timer_at, ended_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
inline constexpr char update_batch[] =
    "UPDATE batches SET state = ?4, texts = ?5, record = ?6, timer_at = ?7, ended_at = ?8 "
    "WHERE id = ?1 AND tenant = ?2 AND queue = ?3";
inline constexpr char drop_batch[] = "DELETE FROM batches WHERE id = ?";
inline constexpr char has_items[] = "SELECT 1 FROM jobs INDEXED BY jobs_items WHERE batch <> 0 AND batch = ? LIMIT 1";
#define FRESHET_LIST_BATCHES(order)                                                                                    \
    "SELECT id FROM batches INDEXED BY batches_by_state WHERE tenant = ? AND state = ? AND id < ? AND id > ? "         \
    "ORDER BY id" order " LIMIT ?"
inline constexpr char list_batches[] = FRESHET_LIST_BATCHES(" DESC"), list_batches_up[] = FRESHET_LIST_BATCHES("");
inline constexpr char read_batch_timers_due[] =
    "SELECT " FRESHET_BATCH_COLUMNS " FROM batches INDEXED BY batches_timers "
    "WHERE timer_at IS NOT NULL AND timer_at <= ? ORDER BY timer_at, id LIMIT ?";
inline constexpr char next_batch_timer[] = "SELECT min(timer_at) FROM batches INDEXED BY batches_timers "
                                           "WHERE timer_at IS NOT NULL AND timer_at > ?";
inline constexpr char read_ended_batches[] =
    "SELECT id, ended_at FROM batches INDEXED BY batches_ended "
    "WHERE ended_at IS NOT NULL AND tenant = ? AND ended_at < ? ORDER BY ended_at, id LIMIT ?";
inline constexpr char read_batch_texts[] = "SELECT input, items FROM batch_texts WHERE batch = ?";
inline constexpr char put_batch_texts[] = "INSERT OR REPLACE INTO batch_texts (batch, input, items) VALUES (?, ?, ?)";
inline constexpr char drop_batch_texts[] = "DELETE FROM batch_texts WHERE batch = ?";

} // namespace freshet::sqlite::sql
