// SPDX-License-Identifier: Apache-2.0
#pragma once
// One SQLite connection with its prepared statements, and Query: one run of a statement.
//
// A statement is prepared when it is first asked for and kept as long as the connection; the address of its SQL
// constant is its name. A Query borrows it, binds values in the order of their question marks, reads columns from left
// to right and resets it when it goes. One Query per statement at a time. Threads: one at a time. Every call that fails
// throws StoreFailure in words, with SQLite's code in it.

#include "base/hash.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"
#include "store/store.hpp"

#include <sqlite3.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>

namespace freshet::sqlite {

/// A StoreFailure that knows SQLite's extended result code.
class SqliteFailure final : public StoreFailure {
public:
    SqliteFailure(int code, const std::string& words) : StoreFailure{words}, code_{code} {}
    int code() const { return code_; }
    /// True if the device said no (not: disk full, busy): what is on disk may be unknown.
    bool is_device_error() const { return (code_ & 0xff) == SQLITE_IOERR; }

private:
    int code_;
};

class Connection {
public:
    /// Opens or creates the file. @param vfs  empty: the system's.
    Connection(const std::string& path, const std::string& vfs);
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    sqlite3* raw() const { return db_.get(); }
    sqlite3_stmt* prepared(const char* sql);
    /// Lets go of all prepared statements: those that read a table keep it from being dropped.
    void forget_statements() { statements_.clear(); }
    /// Runs one or more statements that answer nothing.
    void execute(const char* sql);
    std::int64_t number(const char* sql);
    bool in_transaction() const { return sqlite3_get_autocommit(raw()) == 0; }
    /// Throws away an open transaction, whatever state it is in.
    void roll_back() noexcept;
    [[noreturn]] void fail(int code) const;

private:
    struct Close {
        void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
        void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
    };
    std::unique_ptr<sqlite3, Close> db_;
    std::unordered_map<const char*, std::unique_ptr<sqlite3_stmt, Close>> statements_;
};

class Query {
public:
    Query(Connection& connection, const char* sql) : connection_{connection}, statement_{connection.prepared(sql)} {}
    ~Query() { sqlite3_reset(statement_); }
    Query(const Query&) = delete;
    Query& operator=(const Query&) = delete;

    /// Texts and blobs are borrowed until the Query goes.
    template <class... Values>
    Query& bind(const Values&... values)
    {
        (put(values), ...);
        return *this;
    }
    void put(std::nullptr_t) { check(sqlite3_bind_null(statement_, ++bound_)); }
    template <class Number>
        requires std::is_integral_v<Number>
    void put(Number value)
    {
        check(sqlite3_bind_int64(statement_, ++bound_, static_cast<sqlite3_int64>(value)));
    }
    void put(std::string_view text)
    {
        // A null pointer would bind NULL; an empty view may have one.
        check(sqlite3_bind_text64(statement_, ++bound_, text.data() ? text.data() : "", text.size(), SQLITE_STATIC,
                                  SQLITE_UTF8));
    }
    void put(const std::string& text) { put(std::string_view{text}); }
    void put(const char* text) { put(std::string_view{text}); }
    void put(JobId id) { put(id.value); }
    void put(BatchId id) { put(id.value); }
    void put(WallTime at) { put(to_ms(at)); }
    void put(Millis length) { put(length.count()); }
    void put(const Hash128& hash);
    void put_blob(std::string_view bytes)
    {
        check(sqlite3_bind_blob64(statement_, ++bound_, bytes.data() ? bytes.data() : "", bytes.size(), SQLITE_STATIC));
    }

    /// Steps to the next row. @return false: there is none.
    bool row();
    /// Steps to the end.
    void run()
    {
        while (row()) {
        }
    }

    bool is_null() const { return sqlite3_column_type(statement_, column_) == SQLITE_NULL; }
    void skip(int columns) { column_ += columns; }
    template <class Number>
        requires std::is_integral_v<Number>
    void get(Number& value)
    {
        const sqlite3_int64 stored = sqlite3_column_int64(statement_, column_++);
        if constexpr (std::is_same_v<Number, bool>)
            value = stored != 0;
        else
            value = static_cast<Number>(stored);
    }
    void get(std::string& text) { text = view(); }
    void get(JobId& id) { get(id.value); }
    void get(BatchId& id) { get(id.value); }
    void get(WallTime& at) { at = from_ms(next<std::int64_t>()); }
    void get(Millis& length) { length = Millis{next<std::int64_t>()}; }
    void get(Hash128& hash);
    template <class T>
    T next()
    {
        T value{};
        get(value);
        return value;
    }
    /// Text or blob of the next column; borrowed until the next step.
    std::string_view view()
    {
        const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_, column_));
        const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column_++));
        return {bytes ? bytes : "", size};
    }

private:
    void check(int code)
    {
        if (code != SQLITE_OK) connection_.fail(code);
    }

    Connection& connection_;
    sqlite3_stmt* statement_;
    int bound_ = 0, column_ = 0;
};

} // namespace freshet::sqlite
