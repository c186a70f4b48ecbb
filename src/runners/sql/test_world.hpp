// SPDX-License-Identifier: Apache-2.0
#pragma once
// A SQL runner with a sink that remembers ends, for the tests of this folder.

#include "base/clock.hpp"
#include "runners/sql/sql_runner.hpp"

#include <condition_variable>
#include <filesystem>
#include <fmt/format.h>
#include <functional>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <mutex>
#include <sqlite3.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace freshet::test {

class EndSink final : public FlightSink {
public:
    void progress(JobId, Seq, Progress) override { ADD_FAILURE() << "a query has no progress to tell"; }
    void ended(JobId job, Seq fence, FlightEnd end) override
    {
        EXPECT_EQ(fence, 7u);
        const std::lock_guard lock{mutex_};
        ends_[job].push_back(std::move(end));
        changed_.notify_all();
    }
    /// The end of the flight; the test fails if there is none in 60 s.
    FlightEnd wait(JobId job)
    {
        std::unique_lock lock{mutex_};
        const bool came = changed_.wait_for(lock, 60s, [&] { return !ends_[job].empty(); });
        EXPECT_TRUE(came) << "the flight did not end";
        return came ? ends_[job].front() : FlightEnd{FlightFailure{ErrorClass::fatal, "never_ended", "", {}, {}}};
    }
    std::size_t ends(JobId job)
    {
        const std::lock_guard lock{mutex_};
        return ends_[job].size();
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::map<JobId, std::vector<FlightEnd>> ends_;
};

struct World {
    SystemClock clock;
    EndSink sink;
    SqlRunner runner;
    std::int64_t jobs = 0;

    explicit World(int threads = 2) : runner{clock, SqlOptions{threads}} {}

    JobId start(const SourceDefinition& source, const std::function<void(FlightOrder&)>& change = {})
    {
        FlightOrder order;
        order.job = JobId{++jobs};
        order.fence = 7;
        order.source = std::make_shared<const SourceDefinition>(source);
        order.now = from_rfc3339("2026-11-24T16:00:00Z").value();
        order.run_limit = 30s;
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
        const FlightEnd end = read(source, change);
        const auto* failure = std::get_if<FlightFailure>(&end);
        EXPECT_NE(failure, nullptr) << "no failure";
        return failure != nullptr ? *failure : FlightFailure{};
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
