// SPDX-License-Identifier: Apache-2.0
// One query of a SQLite file that belongs to somebody else: opened for reading, closed after it.
//
// The file is opened read-only, the connection is query_only, and an authorizer lets nothing through but reading; each
// alone would do. The progress handler looks for the word to stop, so that no query outlives its flight.
#include "runners/sql/rows_json.hpp"
#include "runners/sql/sql_read.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <memory>
#include <sqlite3.h>
#include <utility>

namespace freshet {

namespace {

constexpr int look_every_steps = 10'000; // between two looks: well under a millisecond
constexpr Millis busy_wait{5000}, busy_step{25};
constexpr int value_bytes_max = 64 << 20; // one value or one stored row, also where it is only passed over

struct Close {
    void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};

// A text that is the one way to write a whole number is bound as one: against an expression without a column SQLite
// would never take '3' for 3, and a column of texts takes the number for its text all the same.
std::optional<std::int64_t> whole_number(std::string_view text)
{
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || std::to_string(value) != text) return std::nullopt;
    return value;
}

class SqliteRead {
public:
    explicit SqliteRead(const SqlRead& read) : read_{read}, rows_{read} {}

    SqlAnswer run(const std::string& path)
    {
        const SteadyTime began = read_.clock.steady();
        auto failure = open(path);
        const SteadyTime opened = read_.clock.steady();
        read_.phases.push_back({"connect", opened - began});
        if (!failure) failure = prepare();
        if (!failure) failure = bind();
        if (!failure) failure = fetch();
        read_.phases.push_back({"read", read_.clock.steady() - opened});
        if (failure) return std::unexpected(std::move(*failure));
        return rows_.take();
    }

private:
    std::optional<FlightFailure> open(const std::string& path)
    {
        sqlite3* db = nullptr;
        const int code = sqlite3_open_v2(path.c_str(), &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, nullptr);
        db_.reset(db);
        if (code != SQLITE_OK)
            return read_.failure(ErrorClass::retryable, "connect",
                                 "the database file cannot be opened; is it there, and readable?");
        sqlite3_extended_result_codes(db, 0);
        sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
        sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, nullptr);
        sqlite3_limit(db, SQLITE_LIMIT_LENGTH, value_bytes_max);
        sqlite3_busy_handler(db, &SqliteRead::busy, this);
        sqlite3_progress_handler(db, look_every_steps, &SqliteRead::look, this);
        if (sqlite3_exec(db, "pragma query_only = on", nullptr, nullptr, nullptr) != SQLITE_OK) return said();
        sqlite3_set_authorizer(db, &SqliteRead::authorize, this);
        return std::nullopt;
    }

    std::optional<FlightFailure> prepare()
    {
        const std::string& query = read_.source.sql.query;
        const char* tail = nullptr;
        statement_ = prepared(query.data(), query.data() + query.size(), tail);
        if (!statement_) return error_ ? said() : bad_query("the query is empty");
        for (const char* next = tail; next != query.data() + query.size(); next = tail) {
            const Statement another = prepared(next, query.data() + query.size(), tail);
            if (another || error_ || tail == next) return bad_query("the query is more than one statement; leave one");
        }
        if (sqlite3_stmt_readonly(statement_.get()) == 0)
            return read_.failure(ErrorClass::fatal, "not_read_only", "the query would write; only reading is allowed");
        const int count = sqlite3_column_count(statement_.get());
        if (count == 0)
            return bad_query("the query gives no rows; only reading statements are run (select, with, values)");
        std::vector<std::string> names;
        for (int i = 0; i < count; ++i) {
            const char* name = sqlite3_column_name(statement_.get(), i);
            names.emplace_back(name != nullptr ? name : "");
        }
        return rows_.columns(std::move(names));
    }

    std::optional<FlightFailure> bind()
    {
        const int count = sqlite3_bind_parameter_count(statement_.get());
        for (int i = 1; i <= count; ++i) {
            const char* raw = sqlite3_bind_parameter_name(statement_.get(), i);
            const std::string_view name = raw != nullptr ? raw : "?";
            if (!name.starts_with(':'))
                return bad_query(fmt::format("the query has {}; name it, as :since, and give it in bind", name));
            const std::string* value = find_value(read_.values, name.substr(1));
            if (value == nullptr) return read_.not_bound(name.substr(1));
            const std::optional<std::int64_t> number = whole_number(*value);
            // The values outlive the statement.
            if ((number ? sqlite3_bind_int64(statement_.get(), i, *number)
                        : sqlite3_bind_text64(statement_.get(), i, value->data(), value->size(), SQLITE_STATIC,
                                              SQLITE_UTF8)) != SQLITE_OK)
                return said();
        }
        return std::nullopt;
    }

    std::optional<FlightFailure> fetch()
    {
        const int count = sqlite3_column_count(statement_.get());
        for (;;) {
            const int code = sqlite3_step(statement_.get());
            if (code == SQLITE_DONE) return std::nullopt;
            if (read_.stop) return read_.stopped();
            if (code != SQLITE_ROW) return said();
            rows_.begin_row();
            for (int i = 0; i < count; ++i) cell(i);
            if (auto failure = rows_.end_row()) return failure;
        }
    }

    void cell(int i)
    {
        sqlite3_stmt* row = statement_.get();
        switch (sqlite3_column_type(row, i)) {
        case SQLITE_INTEGER: return rows_.whole(sqlite3_column_int64(row, i));
        case SQLITE_FLOAT: return rows_.real(sqlite3_column_double(row, i));
        case SQLITE_NULL: return rows_.null();
        case SQLITE_BLOB: return rows_.refuse("bytes, which JSON cannot say", "hex(...)");
        default: break;
        }
        const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(row, i));
        rows_.text({text != nullptr ? text : "", static_cast<std::size_t>(sqlite3_column_bytes(row, i))});
    }

    using Statement = std::unique_ptr<sqlite3_stmt, Close>;
    Statement prepared(const char* from, const char* end, const char*& tail)
    {
        sqlite3_stmt* statement = nullptr;
        error_ = sqlite3_prepare_v2(db_.get(), from, static_cast<int>(end - from), &statement, &tail) != SQLITE_OK;
        return Statement{statement};
    }

    FlightFailure bad_query(std::string_view what) const { return read_.failure(ErrorClass::fatal, "bad_query", what); }

    // What SQLite said last, in our classes. Its words are of the query and the schema, never of the path.
    FlightFailure said() const
    {
        if (read_.stop) return read_.stopped();
        if (!denied_.empty())
            return read_.failure(ErrorClass::fatal, "not_read_only",
                                 fmt::format("the query asks for {}; only reading is allowed", denied_));
        const char* words = sqlite3_errmsg(db_.get());
        const auto retryable = [&](std::string_view code, std::string_view what) {
            return read_.failure(ErrorClass::retryable, code, fmt::format("{}: {}", what, words));
        };
        switch (sqlite3_errcode(db_.get()) & 0xff) {
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            return retryable("locked", fmt::format("another program held the database for {}", to_text(busy_wait)));
        case SQLITE_CANTOPEN: return retryable("connect", "the database file cannot be opened");
        case SQLITE_CORRUPT:
        case SQLITE_FULL:
        case SQLITE_IOERR:
        case SQLITE_NOMEM:
        case SQLITE_PROTOCOL:
        case SQLITE_SCHEMA: return retryable("database", "the database cannot be read");
        case SQLITE_TOOBIG:
            return retryable("too_large", fmt::format("one value is larger than {} MiB", value_bytes_max >> 20));
        case SQLITE_NOTADB: return read_.failure(ErrorClass::fatal, "bad_database", "the file is no SQLite database");
        case SQLITE_READONLY:
            return read_.failure(ErrorClass::fatal, "not_read_only", fmt::format("only reading is allowed: {}", words));
        default: return bad_query(words);
        }
    }

    // --- called by SQLite ---

    static int look(void* self) { return static_cast<SqliteRead*>(self)->read_.stop ? 1 : 0; }

    static int busy(void* self, int times)
    {
        if (times * busy_step >= busy_wait) return 0;
        return static_cast<SqliteRead*>(self)->read_.stop.wait(busy_step) ? 0 : 1;
    }

    static int authorize(void* self, int action, const char* first, const char* second, const char*, const char*)
    {
        const std::string_view one = first != nullptr ? first : "", two = second != nullptr ? second : "";
        switch (action) {
        case SQLITE_SELECT:
        case SQLITE_READ:
        case SQLITE_RECURSIVE: return SQLITE_OK;
        case SQLITE_FUNCTION:
            if (two != "load_extension") return SQLITE_OK;
            break;
        case SQLITE_PRAGMA:
            // Full-text tables ask for it on their own when they are read.
            if (one == "data_version" && two.empty()) return SQLITE_OK;
            break;
        case SQLITE_UPDATE:
            // Asked when a virtual table is opened, though nothing is written; a query that says it is refused anyway.
            if (one == "sqlite_master") return SQLITE_OK;
            break;
        default: break;
        }
        static_cast<SqliteRead*>(self)->denied_ = words_of(action, one, two);
        return SQLITE_DENY;
    }

    static std::string words_of(int action, std::string_view one, std::string_view two)
    {
        switch (action) {
        case SQLITE_ATTACH:
        case SQLITE_DETACH: return "another database (attach)";
        case SQLITE_PRAGMA: return fmt::format("pragma {}", one);
        case SQLITE_FUNCTION: return fmt::format("{}()", two);
        case SQLITE_TRANSACTION:
        case SQLITE_SAVEPOINT: return "a transaction";
        case SQLITE_INSERT:
        case SQLITE_UPDATE:
        case SQLITE_DELETE: return fmt::format("a change of {}", one);
        default: return "a change of the database";
        }
    }

    const SqlRead& read_;
    RowsJson rows_;
    std::unique_ptr<sqlite3, Close> db_;
    Statement statement_; // after db_: finalized before it is closed
    std::string denied_;
    bool error_ = false;
};

} // namespace

SqlAnswer read_sqlite(const SqlRead& read, const std::string& path)
{
    return SqliteRead{read}.run(path);
}

} // namespace freshet
