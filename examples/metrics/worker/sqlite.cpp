// SPDX-License-Identifier: Apache-2.0
#include "database.hpp"

#include <sqlite3.h>

namespace metrics {

namespace {

class Sqlite final : public Database {
public:
    explicit Sqlite(const std::string& file)
    {
        if (sqlite3_open(file.c_str(), &handle_) != SQLITE_OK) {
            const std::string why = sqlite3_errmsg(handle_);
            sqlite3_close(handle_);
            throw DatabaseError(file + ": " + why);
        }
        // Another worker's transaction is waited for.
        sqlite3_busy_timeout(handle_, 10'000);
    }
    ~Sqlite() override { sqlite3_close(handle_); }
    Sqlite(const Sqlite&) = delete;
    Sqlite& operator=(const Sqlite&) = delete;

    std::vector<Row> run(std::string_view text, const std::vector<Value>& values) override
    {
        sqlite3_stmt* statement = nullptr;
        if (sqlite3_prepare_v2(handle_, text.data(), static_cast<int>(text.size()), &statement, nullptr) != SQLITE_OK)
            fail();
        const std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)> owner(statement, &sqlite3_finalize);
        for (std::size_t i = 0; i < values.size(); ++i) bind(statement, static_cast<int>(i + 1), values[i]);
        std::vector<Row> rows;
        for (;;) {
            const int step = sqlite3_step(statement);
            if (step == SQLITE_DONE) return rows;
            if (step != SQLITE_ROW) fail();
            Row& row = rows.emplace_back();
            for (int i = 0; i < sqlite3_column_count(statement); ++i) row.push_back(cell(statement, i));
        }
    }

    void begin(const std::string&) override { run("begin immediate", {}); }

private:
    static void bind(sqlite3_stmt* statement, int at, const Value& value)
    {
        if (const auto* const number = std::get_if<std::int64_t>(&value))
            sqlite3_bind_int64(statement, at, *number);
        else if (const auto* const real = std::get_if<double>(&value))
            sqlite3_bind_double(statement, at, *real);
        else if (const auto* const text = std::get_if<std::string>(&value))
            sqlite3_bind_text(statement, at, text->data(), static_cast<int>(text->size()), SQLITE_TRANSIENT);
        else
            sqlite3_bind_null(statement, at);
    }

    static Cell cell(sqlite3_stmt* statement, int at)
    {
        if (sqlite3_column_type(statement, at) == SQLITE_NULL) return std::nullopt;
        const void* const bytes = sqlite3_column_blob(statement, at);
        const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, at));
        return std::string(static_cast<const char*>(bytes), size);
    }

    [[noreturn]] void fail() const
    {
        throw DatabaseError(std::string("The worker's database: ") + sqlite3_errmsg(handle_));
    }

    sqlite3* handle_ = nullptr;
};

} // namespace

std::unique_ptr<Database> open_sqlite(const std::string& file)
{
    auto database = std::make_unique<Sqlite>(file);
    database->run("pragma journal_mode = wal", {});
    database->run("pragma synchronous = full", {});
    return database;
}

} // namespace metrics
