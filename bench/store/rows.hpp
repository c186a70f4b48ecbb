// SPDX-License-Identifier: Apache-2.0
#pragma once
// The same rows in the same tables, written by plain SQLite without an engine that groups them: what a refresh costs
// when each row, or each step (ask, claim, complete), is a commit of its own. Nothing is decided and nothing read.

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

struct sqlite3;
struct sqlite3_stmt;

namespace freshet::bench {

enum class CommitOf { row, step };

class Rows {
public:
    /// @param file  a database that the store made and that holds at least one ended refresh; nobody else has it open.
    explicit Rows(const std::filesystem::path& file);
    ~Rows();
    Rows(const Rows&) = delete;
    Rows& operator=(const Rows&) = delete;

    /// Adds what so many ended refreshes of keys "doc/1000000" and on leave behind: key, version, payload, job.
    void copy_refreshes(std::int64_t count);

    /// Writes refreshes one after another until `seconds` are over. @return how long one took.
    double seconds_per_refresh(CommitOf each, double seconds);

private:
    void run(const char* sql);
    void run_prepared(const char* sql);
    void refresh(CommitOf each);
    std::vector<std::string> columns_of(const char* table);

    sqlite3* database_ = nullptr;
    std::map<const char*, sqlite3_stmt*> prepared_; ///< by the address of its text, which is a constant
};

} // namespace freshet::bench
