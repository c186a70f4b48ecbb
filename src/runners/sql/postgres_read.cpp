// SPDX-License-Identifier: Apache-2.0
// One query of a PostgreSQL database that belongs to somebody else: a connection of its own, a transaction that may
// only read, and nothing that waits without looking for the word to stop.
//
// What libpq says of a connection that fails may quote the address, so only the server's own words after "FATAL:", or
// the system's after the last colon, are passed on, with the password struck out of them.
#include "runners/sql/numbered_query.hpp"
#include "runners/sql/rows_json.hpp"
#include "runners/sql/sql_read.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <libpq-fe.h>
#include <memory>
#include <poll.h>
#include <utility>

namespace freshet {

namespace {

// Object ids of built-in types, as in pg_type.dat; they never change.
enum Type : Oid {
    type_bool = 16,
    type_bytea = 17,
    type_int8 = 20,
    type_int2 = 21,
    type_int4 = 23,
    type_oid = 26,
    type_json = 114,
    type_float4 = 700,
    type_float8 = 701,
    type_timestamp = 1114,
    type_timestamptz = 1184,
    type_numeric = 1700,
    type_jsonb = 3802,
};

struct Free {
    void operator()(PGconn* connection) const { PQfinish(connection); }
    void operator()(PGresult* result) const { PQclear(result); }
    void operator()(PGcancel* cancel) const { PQfreeCancel(cancel); }
    void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
    void operator()(char* text) const { PQfreemem(text); }
};
using Result = std::unique_ptr<PGresult, Free>;

std::string_view first_line(std::string_view text)
{
    text = text.substr(0, text.find('\n'));
    const auto from = text.find_first_not_of(' ');
    return from == std::string_view::npos ? std::string_view{} : text.substr(from);
}

std::string_view after(std::string_view text, std::string_view mark)
{
    const auto at = text.find(mark);
    return at == std::string_view::npos ? std::string_view{} : first_line(text.substr(at + mark.size()));
}

std::string_view field(const PGresult* result, int code)
{
    const char* text = PQresultErrorField(result, code);
    return text != nullptr ? text : "";
}

// "2026-11-24 16:00:00+00" as the rest of the world writes it. "infinity" and years before Christ stay as they are.
std::string iso_time(std::string_view text)
{
    std::string out{text};
    if (out.size() < 19 || out[10] != ' ' || out.ends_with("BC")) return out;
    out[10] = 'T';
    if (out.ends_with("+00")) out.replace(out.size() - 3, 3, "Z");
    return out;
}

class PostgresRead {
public:
    explicit PostgresRead(const SqlRead& read) : read_{read}, rows_{read} {}

    SqlAnswer run(const std::string& url)
    {
        auto query = number_names(read_.source.sql.query);
        if (!query) return std::unexpected(bad_query(query.error()));
        const SteadyTime began = read_.clock.steady();
        auto failure = connect(url);
        const SteadyTime connected = read_.clock.steady();
        read_.phases.push_back({"connect", connected - began});
        if (!failure) failure = begin();
        if (!failure) failure = send(*query);
        if (!failure) failure = fetch();
        read_.phases.push_back({"read", read_.clock.steady() - connected});
        if (failure) return std::unexpected(std::move(*failure));
        return rows_.take();
    }

private:
    using Failed = std::optional<FlightFailure>;

    Failed connect(const std::string& url)
    {
        char* raw_error = nullptr;
        const std::unique_ptr<PQconninfoOption, Free> options{PQconninfoParse(url.c_str(), &raw_error)};
        const std::unique_ptr<char, Free> error{raw_error}; // quotes the address: not for anybody's eyes
        if (!options)
            return read_.failure(
                ErrorClass::fatal, "bad_database",
                "the database's address cannot be read; it has the form postgres://USER:PASSWORD@HOST:PORT/NAME, "
                "where USER and PASSWORD are percent-encoded");
        for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; ++option)
            if (std::string_view{option->keyword} == "password" && option->val != nullptr) password_ = option->val;

        const char* const names[] = {"dbname", "client_encoding", "fallback_application_name", nullptr};
        const char* const values[] = {url.c_str(), "UTF8", "freshet", nullptr};
        connection_.reset(PQconnectStartParams(names, values, 1));
        if (!connection_) return read_.failure(ErrorClass::retryable, "connect", "there is no memory for a connection");
        PQsetNoticeReceiver(connection_.get(), [](void*, const PGresult*) {}, nullptr);
        PostgresPollingStatusType next = PGRES_POLLING_WRITING;
        while (PQstatus(connection_.get()) != CONNECTION_BAD && next != PGRES_POLLING_OK &&
               next != PGRES_POLLING_FAILED) {
            const short events = next == PGRES_POLLING_READING ? POLLIN : POLLOUT;
            if (!read_.stop.wait_for(PQsocket(connection_.get()), events)) return read_.stopped();
            next = PQconnectPoll(connection_.get());
        }
        if (PQstatus(connection_.get()) != CONNECTION_OK) return not_connected();
        PQsetnonblocking(connection_.get(), 1);
        return std::nullopt;
    }

    Failed not_connected() const
    {
        const std::string_view all = PQerrorMessage(connection_.get());
        std::string words{after(all, "FATAL:")};
        for (const std::string_view mark : {"failed: ", "to address: ", "SSL"})
            if (words.empty()) words = after(all, mark);
        if (words.empty()) words = "no connection";
        if (!password_.empty())
            for (auto at = words.find(password_); at != std::string::npos; at = words.find(password_, at + 3))
                words.replace(at, password_.size(), "***");
        const bool refused = PQconnectionNeedsPassword(connection_.get()) != 0 ||
                             words.find("authentication failed") != std::string::npos;
        if (refused)
            return read_.failure(ErrorClass::fatal, "auth", fmt::format("the database does not let us in: {}", words));
        return read_.failure(ErrorClass::retryable, "connect",
                             fmt::format("cannot connect to the database: {}", words));
    }

    // The server's own limits stand behind ours: a query whose connection was lost ends too.
    Failed begin()
    {
        const std::string text = fmt::format("begin read only; set local statement_timeout = {0}; "
                                             "set local idle_in_transaction_session_timeout = {0}; "
                                             "set local standard_conforming_strings = on; set local timezone = 'UTC'; "
                                             "set local datestyle = 'ISO, YMD'; set local bytea_output = 'hex'; "
                                             "set local extra_float_digits = 1",
                                             std::clamp<std::int64_t>(read_.left.count() + 1000, 1000, 1 << 30));
        if (PQsendQuery(connection_.get(), text.c_str()) == 0) return lost();
        for (;;) {
            Result result;
            if (auto failure = next(result)) return failure;
            if (!result) return std::nullopt;
            if (PQresultStatus(result.get()) != PGRES_COMMAND_OK) return said(result.get());
        }
    }

    Failed send(const NumberedQuery& query)
    {
        query_ = query.text;
        std::vector<const char*> values;
        for (const std::string& name : query.names) {
            const std::string* value = find_value(read_.values, name);
            if (value == nullptr) return read_.not_bound(name);
            values.push_back(value->c_str());
        }
        // Without types and in text form: the server takes each value as what its place in the query asks for.
        if (PQsendQueryParams(connection_.get(), query_.c_str(), static_cast<int>(values.size()), nullptr,
                              values.data(), nullptr, nullptr, 0) == 0)
            return lost();
        PQsetSingleRowMode(connection_.get());
        return std::nullopt;
    }

    Failed fetch()
    {
        for (bool named = false;;) {
            Result result;
            if (auto failure = next(result)) return failure;
            if (!result) return std::nullopt;
            const ExecStatusType status = PQresultStatus(result.get());
            if (status == PGRES_COMMAND_OK || status == PGRES_COPY_OUT || status == PGRES_COPY_IN ||
                status == PGRES_COPY_BOTH)
                return bad_query("the query gives no rows; only reading statements are run (select, with, values)");
            if (status != PGRES_SINGLE_TUPLE && status != PGRES_TUPLES_OK) return said(result.get());
            if (!std::exchange(named, true))
                if (auto failure = name_columns(result.get())) return give_up(std::move(*failure));
            for (int row = 0; row < PQntuples(result.get()); ++row)
                if (auto failure = take_row(result.get(), row)) return give_up(std::move(*failure));
        }
    }

    Failed name_columns(const PGresult* result)
    {
        std::vector<std::string> names;
        for (int i = 0; i < PQnfields(result); ++i) names.emplace_back(PQfname(result, i));
        return rows_.columns(std::move(names));
    }

    Failed take_row(const PGresult* result, int row)
    {
        rows_.begin_row();
        for (int i = 0; i < PQnfields(result); ++i) {
            if (PQgetisnull(result, row, i) != 0)
                rows_.null();
            else
                cell(PQftype(result, i),
                     {PQgetvalue(result, row, i), static_cast<std::size_t>(PQgetlength(result, row, i))});
        }
        return rows_.end_row();
    }

    void cell(Oid type, std::string_view value)
    {
        switch (type) {
        case type_bool: return rows_.yes(value == "t");
        case type_int2:
        case type_int4:
        case type_int8:
        case type_oid: return whole(value);
        case type_float4:
        case type_float8: return real(value);
        case type_numeric: return numeric(value);
        case type_json:
        case type_jsonb: return rows_.json(value);
        case type_bytea: return rows_.refuse("bytes, which JSON cannot say", "encode(..., 'hex')");
        case type_timestamp:
        case type_timestamptz: return rows_.text(iso_time(value));
        default: return rows_.text(value);
        }
    }

    void whole(std::string_view value)
    {
        std::int64_t number = 0;
        const auto read = std::from_chars(value.data(), value.data() + value.size(), number);
        if (read.ec != std::errc{} || read.ptr != value.data() + value.size())
            return rows_.refuse("a whole number of more than 64 bits", "cast(... as text)");
        rows_.whole(number);
    }

    void real(std::string_view value)
    {
        double number = 0;
        std::from_chars(value.data(), value.data() + value.size(), number); // "NaN" and "Infinity" too
        rows_.real(number);
    }

    // Exact decimals keep all their digits.
    void numeric(std::string_view value)
    {
        if (value.find_first_not_of("-0123456789.") != std::string_view::npos) return real(value); // NaN, Infinity
        value.find('.') == std::string_view::npos ? whole(value) : rows_.json(value);
    }

    /// The next result of what was sent; null after the last. Waits, but not beyond the word to stop.
    Failed next(Result& result)
    {
        PGconn* connection = connection_.get();
        for (;;) {
            const int unsent = PQflush(connection);
            if (unsent < 0) return lost();
            if (unsent == 0 && PQisBusy(connection) == 0) break;
            if (!read_.stop.wait_for(PQsocket(connection), static_cast<short>(unsent > 0 ? POLLIN | POLLOUT : POLLIN)))
                return give_up(read_.stopped());
            if (PQconsumeInput(connection) == 0) return lost();
        }
        if (read_.stop) return give_up(read_.stopped());
        result.reset(PQgetResult(connection));
        return std::nullopt;
    }

    /// Has the server end the query now, not at its next row; the connection goes with this object.
    FlightFailure give_up(FlightFailure failure) const
    {
        const std::unique_ptr<PGcancel, Free> cancel{PQgetCancel(connection_.get())};
        char error[256]; // says nothing that anybody could act on: the connection is closed next
        if (cancel) PQcancel(cancel.get(), error, sizeof error);
        return failure;
    }

    FlightFailure bad_query(std::string_view what) const { return read_.failure(ErrorClass::fatal, "bad_query", what); }
    FlightFailure lost() const
    {
        return read_.failure(ErrorClass::retryable, "connect",
                             "the connection to the database was lost; is the server still up?");
    }

    /// What the server said of a statement, in our classes (SQLSTATE, PostgreSQL's appendix A).
    FlightFailure said(const PGresult* result) const
    {
        const std::string_view state = field(result, PG_DIAG_SQLSTATE), words = field(result, PG_DIAG_MESSAGE_PRIMARY);
        if (state.empty()) return lost();
        const std::string_view family = state.substr(0, 2);
        if (state == "57014")
            return read_.failure(ErrorClass::retryable, "timeout",
                                 fmt::format("the database ended the query: {}", words));
        if (state == "40P01" || state == "55P03") return read_.failure(ErrorClass::retryable, "locked", words);
        if (state == "25006")
            return read_.failure(ErrorClass::fatal, "not_read_only", fmt::format("only reading is allowed: {}", words));
        constexpr std::string_view passing[] = {"08", "40", "53", "55", "57", "58", "XX"};
        if (std::ranges::find(passing, family) != std::end(passing))
            return read_.failure(ErrorClass::retryable, "database", words);
        return bad_query(fmt::format("{}{}", line_of(field(result, PG_DIAG_STATEMENT_POSITION)), words));
    }

    // "line 3: ", from the place in characters; names became shorter, but lines stayed where they are.
    std::string line_of(std::string_view position) const
    {
        std::size_t characters = 0;
        std::from_chars(position.data(), position.data() + position.size(), characters);
        if (characters == 0) return "";
        int line = 1;
        for (const char c : query_) {
            const bool begins_character = (static_cast<unsigned char>(c) & 0xc0) != 0x80;
            if (begins_character && --characters == 0) break;
            if (c == '\n') ++line;
        }
        return fmt::format("line {}: ", line);
    }

    const SqlRead& read_;
    RowsJson rows_;
    std::unique_ptr<PGconn, Free> connection_;
    std::string query_, password_;
};

} // namespace

SqlAnswer read_postgres(const SqlRead& read, const std::string& url)
{
    return PostgresRead{read}.run(url);
}

} // namespace freshet
