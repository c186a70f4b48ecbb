// SPDX-License-Identifier: Apache-2.0
#pragma once
// The worker's own database: an SQLite file, or PostgreSQL where METRICS_DATABASE is a postgres:// URL. One set of
// statements for both, with ? where a value is bound.
//
// Life: a connection per job, closed at its end. Threads: one at a time. Always holds: what was written in a
// transaction that was not committed is not there.

#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace metrics {

using Value = std::variant<std::nullptr_t, std::int64_t, double, std::string>;

/// A column of an answer, as text; absent where it is null.
using Cell = std::optional<std::string>;
using Row = std::vector<Cell>;

std::int64_t whole(const Cell& cell); ///< 0 where it is null
std::optional<std::int64_t> whole_if(const Cell& cell);
double number(const Cell& cell);
Value value_of(const std::optional<std::int64_t>& number);

/// The database refused, or is not there; the words say what.
class DatabaseError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

class Database {
public:
    virtual ~Database() = default;
    /// One statement. @throws DatabaseError
    virtual std::vector<Row> run(std::string_view statement, const std::vector<Value>& values = {}) = 0;
    /// Of a transaction that writes what is of this client: one at a time, so that an execution which a sync changes
    /// while a roll-up counts it is counted once.
    virtual void begin(const std::string& client) = 0;
    void commit() { run("commit"); }
    void roll_back() noexcept;
};

/// Opens it; the first of a process makes the tables where they are missing. @throws DatabaseError
std::unique_ptr<Database> open_database(const std::string& where);
std::unique_ptr<Database> open_sqlite(const std::string& file);
std::unique_ptr<Database> open_postgres(const std::string& url);

/// Commits at its end, or takes all back where it was left by an exception.
template <class Work>
auto in_transaction(Database& database, const std::string& client, const Work& work)
{
    database.begin(client);
    try {
        auto result = work();
        database.commit();
        return result;
    } catch (...) {
        database.roll_back();
        throw;
    }
}

} // namespace metrics
