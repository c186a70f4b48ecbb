// SPDX-License-Identifier: Apache-2.0
#include "database.hpp"

#include <array>
#include <cstdlib>
#include <mutex>

namespace metrics {

namespace {

// Instants are milliseconds, days are counted from 1970. An execution is of a client: ids of two clients may be the
// same.
//   ended    it has come to its end and is not read again
//   rolled   the roll-ups contain it; every execution that ended is either in a roll-up or counted from here
//   settled  a sync that came to its end has seen it: what is older was read, too
constexpr std::array tables{
    "create table if not exists clients (client text primary key, synced_at bigint, rolled_at bigint, "
    "raw_from bigint not null default 0, gaps bigint not null default 0)",
    "create table if not exists workflows (client text not null, id text not null, name text not null, "
    "active bigint not null, archived bigint not null, primary key (client, id))",
    "create table if not exists executions (client text not null, id text not null, workflow text not null, "
    "status text not null, started bigint, stopped bigint, day bigint not null, ended bigint not null, "
    "rolled bigint not null default 0, settled bigint not null default 0, read_at bigint not null, "
    "primary key (client, id))",
    "create index if not exists executions_counted on executions (client, rolled, day)",
    "create index if not exists executions_open on executions (client, read_at) where ended = 0",
    "create index if not exists executions_unsettled on executions (client) where settled = 0",
};
// One shape of row for every length of time.
constexpr std::array lengths{"daily", "weekly", "monthly"};

} // namespace

std::int64_t whole(const Cell& cell)
{
    return cell ? std::strtoll(cell->c_str(), nullptr, 10) : 0;
}

std::optional<std::int64_t> whole_if(const Cell& cell)
{
    return cell ? std::optional(whole(cell)) : std::nullopt;
}

double number(const Cell& cell)
{
    return cell ? std::strtod(cell->c_str(), nullptr) : 0;
}

Value value_of(const std::optional<std::int64_t>& number)
{
    return number ? Value{*number} : Value{nullptr};
}

void Database::roll_back() noexcept
{
    try {
        run("rollback");
    } catch (const DatabaseError&) {
        // The connection is gone, and with it the transaction.
    }
}

namespace {

void make_tables(Database& database, bool postgres)
{
    // Two workers that begin at once: there the second would fail, here it waits anyway.
    if (postgres) database.run("select pg_advisory_lock(7878)");
    for (const char* const table : tables) database.run(table);
    for (const std::string length : lengths)
        database.run("create table if not exists " + length +
                     " (client text not null, workflow text not null, day bigint not null, executions bigint not null, "
                     "successful bigint not null, failed bigint not null, timed bigint not null, "
                     "duration_ms bigint not null, last_activity bigint, primary key (client, workflow, day))");
    if (postgres) database.run("select pg_advisory_unlock(7878)");
}

} // namespace

std::unique_ptr<Database> open_database(const std::string& where)
{
    static std::once_flag made;
    const bool postgres = where.starts_with("postgres://") || where.starts_with("postgresql://");
    auto database = postgres ? open_postgres(where) : open_sqlite(where);
    std::call_once(made, [&] { make_tables(*database, postgres); });
    return database;
}

} // namespace metrics
