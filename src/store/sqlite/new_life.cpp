// SPDX-License-Identifier: Apache-2.0
// A copy of a store becomes the store of a new life (backup.hpp).
#include "store/sqlite/backup.hpp"
#include "store/sqlite/job_statements.hpp"
#include "store/sqlite/reads.hpp"
#include "store/sqlite/rows.hpp"
#include "store/sqlite/schema.hpp"

#include <fmt/format.h>

namespace freshet {

namespace sqlite {

namespace {

// 0 says that there was none yet, and stays.
constexpr char raise_keys[] =
    "UPDATE keys SET gen = iif(gen > 0, gen + ?1, 0), ver = iif(ver > 0, ver + ?1, 0), "
    "data_fence = iif(data_fence > 0, data_fence + ?1, 0), stale_seq = iif(stale_seq > 0, stale_seq + ?1, 0), "
    "gone_seq = iif(gone_seq > 0, gone_seq + ?1, 0), "
    "held_data_fence = iif(held_data_fence > 0, held_data_fence + ?1, held_data_fence), "
    "seq = iif(seq > 0, seq + ?1, 0)";
constexpr char raise_versions[] = "UPDATE versions SET ver = ver + ?1, gen = gen + ?1";
constexpr char raise_attempts[] = "UPDATE attempts SET fence = fence + ?1";
constexpr char raise_log[] = "UPDATE job_log SET fence = fence + ?1 WHERE fence > 0";
constexpr char raise_resets[] = "UPDATE resets SET seq = seq + ?1";
// Cursors of another epoch are reset whatever they say, so nobody reads what was told in the last life.
constexpr char raise_heads[] = "UPDATE ledger_heads SET head = head + ?1, floor = head + ?1, bytes = 0";
constexpr char drop_ledger[] = "DELETE FROM ledger";

constexpr char next_jobs[] = "SELECT " FRESHET_JOB_COLUMNS " FROM jobs WHERE id > ? ORDER BY id LIMIT 512";
constexpr char put_record[] = "UPDATE jobs SET record = ? WHERE id = ?";
constexpr char put_running[] = "UPDATE jobs SET record = ?, timer_at = 0 WHERE id = ?";
constexpr char next_batches[] = "SELECT " FRESHET_BATCH_COLUMNS " FROM batches WHERE id > ? ORDER BY id LIMIT 512";
constexpr char put_batch_record[] = "UPDATE batches SET record = ? WHERE id = ?";
// Records got longer or shorter by the numbers in them; inputs, checkpoints and lines did not.
constexpr char count_ended[] =
    "UPDATE kept SET ended_bytes = counted.bytes FROM (SELECT tenant, "
    "sum(length(record) + coalesce((SELECT bytes FROM payloads WHERE payloads.id = jobs.payload), 0)) AS bytes "
    "FROM jobs WHERE state NOT IN ('queued', 'running') GROUP BY tenant) AS counted WHERE counted.tenant = kept.tenant";

void raise_jobs(Connection& connection, Seq by)
{
    const auto raise = [by](Seq& seq) { seq += seq > 0 ? by : 0; };
    for (JobId after{};;) {
        std::vector<Job> page;
        {
            Query query{connection, next_jobs};
            query.bind(after);
            while (query.row()) page.push_back(take_job(query));
        }
        if (page.empty()) return;
        after = page.back().id;
        for (Job& job : page) {
            for (Seq* seq : {&job.asked, &job.fence, &job.data_fence, &job.checkpoint_fence, &job.seq}) raise(*seq);
            if (job.late) raise(job.late->fence);
            const bool runs = job.state == JobState::running;
            if (runs) job.lease_until = lease_of_another_life;
            const std::string record = pack_job(job);
            Query query{connection, runs ? put_running : put_record};
            query.put_blob(record);
            query.bind(job.id).run();
        }
    }
}

void raise_batches(Connection& connection, Seq by)
{
    Reads reads{connection, 0};
    for (BatchId after{};;) {
        std::vector<Batch> page;
        {
            Query query{connection, next_batches};
            query.bind(after);
            while (query.row()) page.push_back(reads.take_batch(query));
        }
        if (page.empty()) return;
        after = page.back().id;
        for (Batch& batch : page) {
            batch.seq += batch.seq > 0 ? by : 0;
            const std::string record = pack_batch(batch);
            Query query{connection, put_batch_record};
            query.put_blob(record);
            query.bind(batch.id).run();
        }
    }
}

} // namespace

} // namespace sqlite

void begin_new_life(const std::filesystem::path& copy, std::int64_t numbers_base)
{
    using namespace sqlite;
    Connection connection{copy.string(), ""};
    connection.execute("PRAGMA synchronous = FULL; PRAGMA secure_delete = OFF; PRAGMA temp_store = MEMORY");
    migrate(connection, copy.string());
    const Life before = stored_life(connection);
    const std::int64_t by = numbers_base - before.numbers_base;
    if (by < restore_jump)
        throw StoreFailure{fmt::format("numbers must rise by at least {}, not {}", restore_jump, by)};
    connection.execute("BEGIN IMMEDIATE");
    try {
        for (const char* statement : {raise_keys, raise_versions, raise_attempts, raise_log, raise_resets, raise_heads})
            Query{connection, statement}.bind(by).run();
        raise_jobs(connection, static_cast<Seq>(by));
        raise_batches(connection, static_cast<Seq>(by));
        for (const char* statement : {drop_ledger, count_ended}) Query{connection, statement}.run();
        begin_life(connection, numbers_base);
        connection.execute("COMMIT");
    } catch (...) {
        connection.roll_back();
        throw;
    }
}

} // namespace freshet
