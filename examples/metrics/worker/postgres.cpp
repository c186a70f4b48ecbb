// SPDX-License-Identifier: Apache-2.0
#include "database.hpp"

#include <libpq-fe.h>

namespace metrics {

namespace {

/// ? becomes $1, $2 ... None of our statements has one in a text.
std::string numbered(std::string_view statement)
{
    std::string out;
    int count = 0;
    for (const char c : statement) {
        if (c == '?')
            out += "$" + std::to_string(++count);
        else
            out += c;
    }
    return out;
}

Cell text_of(const Value& value)
{
    if (const auto* const number = std::get_if<std::int64_t>(&value)) return std::to_string(*number);
    if (const auto* const real = std::get_if<double>(&value)) return std::to_string(*real);
    if (const auto* const text = std::get_if<std::string>(&value)) return *text;
    return std::nullopt;
}

class Postgres final : public Database {
public:
    explicit Postgres(const std::string& url) : handle_(PQconnectdb(url.c_str()), &PQfinish)
    {
        if (PQstatus(handle_.get()) != CONNECTION_OK) fail();
        PQsetNoticeProcessor(handle_.get(), [](void*, const char*) {}, nullptr);
    }

    std::vector<Row> run(std::string_view statement, const std::vector<Value>& values) override
    {
        std::vector<Cell> texts;
        for (const Value& value : values) texts.push_back(text_of(value));
        std::vector<const char*> bound;
        for (const Cell& text : texts) bound.push_back(text ? text->c_str() : nullptr);
        const std::unique_ptr<PGresult, decltype(&PQclear)> result(
            PQexecParams(handle_.get(), numbered(statement).c_str(), static_cast<int>(bound.size()), nullptr,
                         bound.data(), nullptr, nullptr, 0),
            &PQclear);
        const ExecStatusType status = PQresultStatus(result.get());
        if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) fail();
        std::vector<Row> rows(static_cast<std::size_t>(PQntuples(result.get())));
        for (std::size_t i = 0; i < rows.size(); ++i)
            for (int column = 0; column < PQnfields(result.get()); ++column)
                rows[i].push_back(cell(*result, static_cast<int>(i), column));
        return rows;
    }

    void begin(const std::string& client) override
    {
        run("begin", {});
        run("select pg_advisory_xact_lock(7879, hashtext(?))", {client});
    }

private:
    static Cell cell(const PGresult& result, int row, int column)
    {
        if (PQgetisnull(&result, row, column) != 0) return std::nullopt;
        return std::string(PQgetvalue(&result, row, column),
                           static_cast<std::size_t>(PQgetlength(&result, row, column)));
    }

    [[noreturn]] void fail() const
    {
        std::string why = PQerrorMessage(handle_.get());
        while (!why.empty() && why.back() == '\n') why.pop_back();
        throw DatabaseError("The worker's database: " + why);
    }

    std::unique_ptr<PGconn, decltype(&PQfinish)> handle_;
};

} // namespace

std::unique_ptr<Database> open_postgres(const std::string& url)
{
    return std::make_unique<Postgres>(url);
}

} // namespace metrics
