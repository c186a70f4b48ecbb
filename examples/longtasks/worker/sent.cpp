// SPDX-License-Identifier: Apache-2.0
#include "sent.hpp"

#include <sqlite3.h>
#include <stdexcept>

namespace {

struct Statement {
    sqlite3_stmt* statement = nullptr;
    Statement(sqlite3* database, const char* text, const std::string& run, const std::string& recipient)
    {
        if (sqlite3_prepare_v2(database, text, -1, &statement, nullptr) != SQLITE_OK)
            throw std::runtime_error(std::string("The worker's database: ") + sqlite3_errmsg(database));
        sqlite3_bind_text(statement, 1, run.data(), static_cast<int>(run.size()), SQLITE_TRANSIENT);
        sqlite3_bind_text(statement, 2, recipient.data(), static_cast<int>(recipient.size()), SQLITE_TRANSIENT);
    }
    ~Statement() { sqlite3_finalize(statement); }
    Statement(const Statement&) = delete;
    Statement& operator=(const Statement&) = delete;
};

} // namespace

Sent::Sent(const std::string& file)
{
    constexpr const char* table = "pragma journal_mode = wal; pragma synchronous = full;"
                                  "create table if not exists sent (run text, recipient text, "
                                  "at text default current_timestamp, primary key (run, recipient)) without rowid";
    if (sqlite3_open(file.c_str(), &database_) == SQLITE_OK) sqlite3_busy_timeout(database_, 5000);
    if (sqlite3_exec(database_, table, nullptr, nullptr, nullptr) != SQLITE_OK) {
        const std::string why = sqlite3_errmsg(database_);
        sqlite3_close(database_);
        throw std::runtime_error(file + ": " + why);
    }
}

Sent::~Sent()
{
    sqlite3_close(database_);
}

bool Sent::has(const std::string& run, const std::string& recipient)
{
    const std::scoped_lock lock(mutex_);
    const Statement found(database_, "select 1 from sent where run = ? and recipient = ?", run, recipient);
    return sqlite3_step(found.statement) == SQLITE_ROW;
}

void Sent::mark(const std::string& run, const std::string& recipient)
{
    const std::scoped_lock lock(mutex_);
    const Statement written(database_, "insert or ignore into sent (run, recipient) values (?, ?)", run, recipient);
    if (sqlite3_step(written.statement) != SQLITE_DONE)
        throw std::runtime_error(std::string("The worker's database: ") + sqlite3_errmsg(database_));
}
