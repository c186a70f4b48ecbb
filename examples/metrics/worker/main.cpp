// SPDX-License-Identifier: Apache-2.0
// metrics-worker: reads each client's n8n into a database of its own, rolls it up, and computes each client's numbers.
//   metrics-worker ingest     waits for foreign servers: so many at once that a slow one holds up nobody
//   metrics-worker compute    numbers and roll-ups, from the database alone
// METRICS_DATABASE is a file, or a postgres:// URL; METRICS_MINUTES a file of client,workflow,minutes.

#include "database.hpp"
#include "ingest.hpp"
#include "kit.hpp"
#include "layers.hpp"
#include "times.hpp"

#include <cstdio>

namespace {

using freshet::Job;
using freshet::Json;

constexpr int ingest_slots = 16, compute_slots = 4;

/// What a handler does with its own connection.
template <class Work>
auto with_database(const Work& work)
{
    return [work](Job& job) -> Json {
        try {
            const auto database = metrics::open_database(kit::environment("METRICS_DATABASE", "metrics.db"));
            return work(job, *database);
        } catch (const metrics::DatabaseError& error) {
            throw freshet::Retryable(error.what(), "database");
        }
    };
}

} // namespace

int main(int count, char** arguments)
{
    const std::string what = count > 1 ? arguments[1] : "";
    if (what == "ingest") {
        freshet::Worker worker{kit::options("metrics-ingest", ingest_slots)};
        worker.task("ingest", with_database(metrics::ingest));
        return worker.run();
    }
    if (what == "compute") {
        freshet::Worker worker{kit::options("metrics-compute", compute_slots)};
        worker.task("metrics", with_database([](Job& job, metrics::Database& database) {
                        return metrics::numbers(
                            database, job.tenant(),
                            metrics::read_minutes(kit::environment("METRICS_MINUTES", "minutes.csv")));
                    }));
        const auto roll_up = [&](const char* queue,
                                 Json (*make)(metrics::Database&, const std::string&, std::int64_t)) {
            worker.task(queue, with_database([make](Job& job, metrics::Database& database) {
                            return make(database, job.tenant(), metrics::now_ms());
                        }));
        };
        roll_up("rollup-daily", &metrics::roll_up_days);
        roll_up("rollup-weekly", &metrics::roll_up_weeks);
        roll_up("rollup-monthly", &metrics::roll_up_months);
        return worker.run();
    }
    std::fputs("metrics-worker ingest|compute\n", stderr);
    return 2;
}
