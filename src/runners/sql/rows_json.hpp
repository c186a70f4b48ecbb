// SPDX-License-Identifier: Apache-2.0
#pragma once
// Rows of a database as one JSON list of objects, within the source's bounds.
//
// Life: columns() once, then per row begin_row(), one call per column, end_row(); then take(). A value that JSON cannot
// say is a failure, never a guess: what is published is what the database holds. Which means: whole numbers stay whole
// and exact, reals are written with the fewest digits that read back the same, bytes and NaN are refused in words.
// Threads: one. Always holds: at most rows_max rows and bytes_max bytes are kept.

#include "runners/sql/sql_read.hpp"

#include <optional>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>
#include <string>
#include <string_view>
#include <vector>

namespace freshet {

class RowsJson {
public:
    explicit RowsJson(const SqlRead& read);

    /// Refuses names that would hide one another in an object.
    std::optional<FlightFailure> columns(std::vector<std::string> names);

    void begin_row();
    void null();
    void yes(bool value);
    void whole(std::int64_t value);
    void real(double value);
    /// As the database gave it; refused if it is no UTF-8.
    void text(std::string_view value);
    /// A number or document that is JSON already and is not rewritten; refused if it is not, or deeper than 100.
    void json(std::string_view value);
    /// A value that is not shown; `kind` and `instead` say what it is and what to write in the query.
    void refuse(std::string_view kind, std::string_view instead);
    std::optional<FlightFailure> end_row();

    std::string take();

private:
    void name();
    bool fits(std::size_t more);
    FlightFailure too_large() const;

    const SqlRead& read_;
    rapidjson::StringBuffer buffer_;
    rapidjson::Writer<rapidjson::StringBuffer> writer_;
    std::vector<std::string> names_;
    std::optional<FlightFailure> failure_; ///< of this row, the first
    std::size_t column_ = 0;
    std::int64_t rows_ = 0;
};

} // namespace freshet
