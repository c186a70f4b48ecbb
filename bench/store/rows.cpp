// SPDX-License-Identifier: Apache-2.0
#include "bench/store/rows.hpp"

#include <array>
#include <chrono>
#include <fmt/format.h>
#include <span>
#include <sqlite3.h>
#include <stdexcept>
#include <string_view>

namespace freshet::bench {

namespace {

// As the store opens it.
constexpr char set_up[] = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -16384; "
                          "PRAGMA temp_store = MEMORY; PRAGMA secure_delete = OFF;";

// Rows as the engine wrote them serve as the model of those to come; what tells them apart is set before each refresh.
constexpr char take_models[] = R"sql(
CREATE TEMP TABLE job AS SELECT * FROM main.jobs WHERE state = 'succeeded' ORDER BY id DESC LIMIT 1;
CREATE TEMP TABLE version AS SELECT * FROM main.versions WHERE (tenant, key) = (SELECT tenant, key FROM job) ORDER BY ver DESC LIMIT 1;
CREATE TEMP TABLE chunk AS SELECT * FROM main.payload_chunks ORDER BY place DESC LIMIT 1;
CREATE TEMP TABLE event AS SELECT tenant, last_seq + 1000000 AS seq, committed_at, checksum,
    substr(events, 1, length(events) / (last_seq - first_seq + 1)) AS bytes FROM main.ledger ORDER BY last_seq DESC LIMIT 1;
)sql";
constexpr char next_refresh[] = R"sql(
UPDATE temp.job SET id = id + 1000, state = 'queued', waits = 'ready', ended_at = NULL;
UPDATE temp.version SET ver = ver + 1;
UPDATE temp.chunk SET place = place + 4096;
UPDATE temp.event SET seq = seq + 4;
)sql";

constexpr char put_event[] = "INSERT INTO main.ledger (tenant, last_seq, first_seq, committed_at, checksum, events) "
                             "SELECT tenant, (SELECT max(last_seq) + 1 FROM main.ledger WHERE tenant = event.tenant), "
                             "seq, committed_at, checksum, bytes FROM temp.event";
constexpr char change_key[] = "UPDATE main.keys SET seq = seq + 1, read_at = read_at + 1, gen = gen + 1 "
                              "WHERE tenant = (SELECT tenant FROM temp.job) AND key = (SELECT key FROM temp.job)";

constexpr std::array ask{
    "INSERT INTO main.jobs SELECT * FROM temp.job",
    change_key,
    put_event,
};
constexpr std::array claim{
    "UPDATE main.jobs SET state = 'running', waits = '', timer_at = due_at WHERE id = (SELECT id FROM temp.job)",
    put_event,
};
constexpr std::array complete{
    "INSERT INTO main.payloads (kept, chunks, bytes) VALUES (1, 1, 400)",
    "INSERT INTO main.payload_chunks SELECT * FROM temp.chunk",
    "INSERT INTO main.versions SELECT * FROM temp.version",
    change_key,
    "UPDATE main.jobs SET state = 'succeeded', ended_at = due_at, timer_at = NULL WHERE id = (SELECT id FROM "
    "temp.job)",
    put_event,
    put_event,
};

// Copies of the newest ended refresh, as keys "doc/1000000" and on: all that one leaves behind.
constexpr char forget_models[] = "DROP TABLE temp.job; DROP TABLE temp.version; "
                                 "DROP TABLE temp.chunk; DROP TABLE temp.event";
constexpr char take_key_and_payload[] =
    "CREATE TEMP TABLE key AS SELECT * FROM main.keys WHERE (tenant, key) = (SELECT tenant, key FROM temp.job);"
    "CREATE TEMP TABLE payload AS SELECT * FROM main.payloads ORDER BY id DESC LIMIT 1";

struct Copied {
    const char* table;
    const char* model; ///< temporary table with one row
    std::map<std::string, std::string, std::less<>>
        changed; ///< what differs from the model, by column; `i` counts from 0
};

std::string in_quotes(std::string_view name)
{
    return fmt::format("\"{}\"", name);
}

} // namespace

Rows::Rows(const std::filesystem::path& file)
{
    if (sqlite3_open(file.c_str(), &database_) != SQLITE_OK)
        throw std::runtime_error{fmt::format("{} can not be opened", file.string())};
    run(set_up);
    run(take_models);
}

Rows::~Rows()
{
    for (const auto& [sql, statement] : prepared_) sqlite3_finalize(statement);
    sqlite3_close(database_);
}

void Rows::copy_refreshes(std::int64_t count)
{
    run(take_key_and_payload);
    const std::string key = "'doc/' || (1000000 + i)";
    const std::array<Copied, 5> copies{{
        {"keys", "key", {{"key", key}, {"payload", "payload + 1 + i"}, {"last_job", "last_job + 1 + i"}}},
        {"versions", "version", {{"key", key}, {"payload", "payload + 1 + i"}}},
        {"payloads", "payload", {{"id", "id + 1 + i"}}},
        {"payload_chunks", "chunk", {{"place", "place + 4096 * (1 + i)"}}},
        {"jobs", "job", {{"key", key}, {"id", "id + 1 + i"}}},
    }};
    run("BEGIN IMMEDIATE");
    for (const Copied& copy : copies) {
        std::string into, from;
        for (const std::string& column : columns_of(copy.table)) {
            const auto found = copy.changed.find(column);
            into += (into.empty() ? "" : ", ") + in_quotes(column);
            from += (from.empty() ? "" : ", ") + (found == copy.changed.end() ? in_quotes(column) : found->second);
        }
        run(fmt::format("WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {}) "
                        "INSERT INTO main.{} ({}) SELECT {} FROM temp.{}, n",
                        count, copy.table, into, from, copy.model)
                .c_str());
    }
    run("COMMIT");
    run("PRAGMA wal_checkpoint(TRUNCATE)");
    // The next refreshes begin behind the copies.
    run(forget_models);
    run(take_models);
}

std::vector<std::string> Rows::columns_of(const char* table)
{
    std::vector<std::string> columns;
    const auto add = [](void* to, int, char** values, char**) {
        static_cast<std::vector<std::string>*>(to)->emplace_back(values[0]);
        return 0;
    };
    const std::string sql = fmt::format("SELECT name FROM pragma_table_info('{}')", table);
    if (sqlite3_exec(database_, sql.c_str(), add, &columns, nullptr) != SQLITE_OK)
        throw std::runtime_error{fmt::format("{}: {}", sql, sqlite3_errmsg(database_))};
    return columns;
}

void Rows::run(const char* sql)
{
    if (sqlite3_exec(database_, sql, nullptr, nullptr, nullptr) != SQLITE_OK)
        throw std::runtime_error{fmt::format("{}: {}", sql, sqlite3_errmsg(database_))};
}

void Rows::run_prepared(const char* sql)
{
    sqlite3_stmt*& statement = prepared_[sql];
    if ((statement == nullptr && sqlite3_prepare_v2(database_, sql, -1, &statement, nullptr) != SQLITE_OK) ||
        sqlite3_step(statement) != SQLITE_DONE || sqlite3_reset(statement) != SQLITE_OK)
        throw std::runtime_error{fmt::format("{}: {}", sql, sqlite3_errmsg(database_))};
}

void Rows::refresh(CommitOf each)
{
    run(next_refresh);
    for (const std::span<const char* const> step : {std::span<const char* const>{ask}, {claim}, {complete}}) {
        if (each == CommitOf::step) run("BEGIN IMMEDIATE");
        for (const char* row : step) run_prepared(row);
        if (each == CommitOf::step) run("COMMIT");
    }
}

double Rows::seconds_per_refresh(CommitOf each, double seconds)
{
    using SteadyClock = std::chrono::steady_clock;
    const auto begun = SteadyClock::now();
    int count = 0;
    double taken = 0;
    while (taken < seconds) {
        refresh(each);
        ++count;
        taken = std::chrono::duration<double>(SteadyClock::now() - begun).count();
    }
    return taken / count;
}

} // namespace freshet::bench
