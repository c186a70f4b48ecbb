// SPDX-License-Identifier: Apache-2.0
#pragma once
// A SQL runner with a sink that remembers ends, for the tests of this folder.

#include "base/clock.hpp"
#include "engine/flight_world.hpp"
#include "runners/sql/sql_runner.hpp"

#include <filesystem>
#include <fmt/format.h>
#include <functional>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace freshet::test {

class QuerySink final : public RememberingSink {
public:
    void progress(JobId, Seq, Progress) override { ADD_FAILURE() << "a query has no progress to tell"; }
};

struct World {
    SystemClock clock;
    QuerySink sink;
    SqlRunner runner;
    std::int64_t jobs = 0;

    explicit World(int threads = 2) : runner{clock, SqlOptions{threads}} {}

    JobId start(const SourceDefinition& source, const std::function<void(FlightOrder&)>& change = {})
    {
        FlightOrder order = an_order(++jobs, source, from_rfc3339("2026-11-24T16:00:00Z").value());
        if (change) change(order);
        const JobId job = order.job;
        runner.start(std::move(order), sink);
        return job;
    }
    FlightEnd read(const SourceDefinition& source, const std::function<void(FlightOrder&)>& change = {})
    {
        return sink.wait(start(source, change));
    }
    std::string json(const SourceDefinition& source, const std::function<void(FlightOrder&)>& change = {})
    {
        const FlightEnd end = read(source, change);
        if (const auto* failure = std::get_if<FlightFailure>(&end)) return failure->code + ": " + failure->message;
        return std::get<FlightData>(end).json;
    }
    FlightFailure failure(const SourceDefinition& source, const std::function<void(FlightOrder&)>& change = {})
    {
        return failure_of(read(source, change));
    }
};

inline SourceDefinition source_of(const std::string& database, std::string query)
{
    SourceDefinition source;
    source.name = "sales";
    source.kind = SourceKind::sql;
    source.sql.database = {Secret::From::literal, database};
    source.sql.query = std::move(query);
    return source;
}

/// A SQLite file of the test's own, filled by a script and removed at its end.
class SqliteFile {
public:
    explicit SqliteFile(const std::string& script = "")
    {
        static int count = 0;
        path_ = fmt::format("{}freshet-sql-{}-{}.db", testing::TempDir(), ::getpid(), ++count);
        EXPECT_EQ(sqlite3_open(path_.c_str(), &db_), SQLITE_OK);
        run(script);
    }
    ~SqliteFile()
    {
        sqlite3_close(db_);
        for (const char* end : {"", "-wal", "-shm", "-journal"}) std::filesystem::remove(path_ + end);
    }
    SqliteFile(const SqliteFile&) = delete;
    SqliteFile& operator=(const SqliteFile&) = delete;

    void run(const std::string& script)
    {
        char* error = nullptr;
        EXPECT_EQ(sqlite3_exec(db_, script.c_str(), nullptr, nullptr, &error), SQLITE_OK) << error;
    }
    SourceDefinition source(std::string query) const { return source_of("sqlite:" + path_, std::move(query)); }
    const std::string& path() const { return path_; }

private:
    std::string path_;
    sqlite3* db_ = nullptr;
};

} // namespace freshet::test
