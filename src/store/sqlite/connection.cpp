// SPDX-License-Identifier: Apache-2.0
#include "store/sqlite/connection.hpp"

#include <fmt/format.h>

namespace freshet::sqlite {

namespace {

std::string_view what_to_try(int code)
{
    switch (code & 0xff) {
    case SQLITE_FULL: return " Free space on the disk that holds data_dir; nothing of this commit was kept.";
    case SQLITE_BUSY: return " Another program holds the database: end it (a backup should use the online backup).";
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return " The file is damaged or not a database: restore data_dir from a backup.";
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM: return " Check that data_dir exists and that this user may write in it.";
    default: return "";
    }
}

} // namespace

Connection::Connection(const std::string& path, const std::string& vfs)
{
    sqlite3* db = nullptr;
    const int code =
        sqlite3_open_v2(path.c_str(), &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                        vfs.empty() ? nullptr : vfs.c_str());
    db_.reset(db);
    if (db != nullptr) sqlite3_extended_result_codes(db, 1);
    if (code != SQLITE_OK) fail(code);
}

sqlite3_stmt* Connection::prepared(const char* sql)
{
    auto& kept = statements_[sql];
    if (!kept) {
        sqlite3_stmt* statement = nullptr;
        const int code = sqlite3_prepare_v3(raw(), sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
        if (code != SQLITE_OK) fail(code);
        kept.reset(statement);
    }
    return kept.get();
}

void Connection::execute(const char* sql)
{
    const int code = sqlite3_exec(raw(), sql, nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) fail(code);
}

std::int64_t Connection::number(const char* sql)
{
    Query query{*this, sql};
    return query.row() ? query.next<std::int64_t>() : 0;
}

void Connection::roll_back() noexcept
{
    if (in_transaction()) sqlite3_exec(raw(), "ROLLBACK", nullptr, nullptr, nullptr);
}

void Connection::fail(int code) const
{
    const int extended = db_ ? sqlite3_extended_errcode(raw()) : code;
    const char* words = db_ ? sqlite3_errmsg(raw()) : sqlite3_errstr(code);
    throw SqliteFailure{
        extended != SQLITE_OK ? extended : code,
        fmt::format("the store cannot go on: {} (SQLite code {}).{}", words, extended, what_to_try(code))};
}

void Query::put(const Hash128& hash)
{
    char bytes[16];
    for (int i = 0; i < 8; ++i) {
        bytes[i] = static_cast<char>(hash.high >> (56 - 8 * i) & 0xff);
        bytes[8 + i] = static_cast<char>(hash.low >> (56 - 8 * i) & 0xff);
    }
    check(sqlite3_bind_blob(statement_, ++bound_, bytes, sizeof bytes, SQLITE_TRANSIENT));
}

void Query::get(Hash128& hash)
{
    const std::string_view bytes = view();
    if (bytes.size() != 16)
        throw StoreFailure{"a hash in the store does not have 16 bytes: restore data_dir from a backup"};
    hash = {};
    for (std::size_t i = 0; i < 8; ++i) {
        hash.high = hash.high << 8 | static_cast<unsigned char>(bytes[i]);
        hash.low = hash.low << 8 | static_cast<unsigned char>(bytes[8 + i]);
    }
}

bool Query::row()
{
    const int code = sqlite3_step(statement_);
    column_ = 0;
    if (code == SQLITE_ROW) return true;
    if (code != SQLITE_DONE) connection_.fail(code);
    return false;
}

} // namespace freshet::sqlite
