// SPDX-License-Identifier: Apache-2.0
#include "store/sqlite/migrations.hpp"

namespace freshet::sqlite {

namespace {

// What ended is found by tenant, since what is kept is bounded by tenant: by age, by number, by bytes. `ended` is kept
// with each change, so that nobody counts by a scan. `bytes` is that of the records and of the results beside them.
constexpr char make_ended[] = R"sql(
DROP INDEX jobs_ended; DROP INDEX batches_ended;
CREATE INDEX jobs_ended ON jobs (tenant, ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX batches_ended ON batches (tenant, ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE ended (tenant TEXT PRIMARY KEY, jobs INTEGER NOT NULL, bytes INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO ended SELECT tenant, count(*),
    sum(length(record) + coalesce((SELECT bytes FROM payloads WHERE payloads.id = jobs.payload), 0))
    FROM jobs WHERE state NOT IN ('queued', 'running') GROUP BY tenant;

CREATE TABLE removed_sources (name TEXT PRIMARY KEY, removed_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
)sql";

} // namespace

void migrate_to_3(Connection& connection)
{
    connection.execute(make_ended);
}

} // namespace freshet::sqlite
