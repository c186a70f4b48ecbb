// SPDX-License-Identifier: Apache-2.0
#include "store/packed_job.hpp"
#include "store/sqlite/migrations.hpp"

#include <map>
#include <string>

namespace freshet::sqlite {

namespace {

// One row per tenant, so that a commit that ends a job writes one row of figures and not three.
constexpr char make_kept[] = R"sql(
ALTER TABLE ended RENAME TO kept;
ALTER TABLE kept RENAME COLUMN jobs TO ended;
ALTER TABLE kept RENAME COLUMN bytes TO ended_bytes;
ALTER TABLE kept ADD COLUMN live_bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE kept ADD COLUMN log_bytes INTEGER NOT NULL DEFAULT 0;

INSERT INTO kept (tenant, ended, ended_bytes, log_bytes)
    SELECT jobs.tenant, 0, 0, sum(length(CAST(text AS BLOB)) + 32)
    FROM job_log JOIN jobs ON jobs.id = job_log.job WHERE true GROUP BY jobs.tenant
    ON CONFLICT (tenant) DO UPDATE SET log_bytes = excluded.log_bytes;
DELETE FROM job_log WHERE job NOT IN (SELECT id FROM jobs);
)sql";

constexpr char read_live[] = "SELECT tenant, record FROM jobs WHERE state IN ('queued', 'running')";
constexpr char add_live[] = "INSERT INTO kept (tenant, ended, ended_bytes, live_bytes) VALUES (?, 0, 0, ?) "
                            "ON CONFLICT (tenant) DO UPDATE SET live_bytes = excluded.live_bytes";

} // namespace

void migrate_to_5(Connection& connection)
{
    connection.execute(make_kept);
    std::map<std::string, std::int64_t> live;
    {
        std::string tenant;
        Query query{connection, read_live};
        while (query.row()) {
            query.get(tenant);
            Job job;
            unpack_job(query.view(), job);
            live[tenant] += static_cast<std::int64_t>(job.input.size() + job.checkpoint.size());
        }
    }
    for (const auto& [tenant, bytes] : live) Query{connection, add_live}.bind(tenant, bytes).run();
    connection.forget_statements();
}

} // namespace freshet::sqlite
