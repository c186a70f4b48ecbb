// SPDX-License-Identifier: Apache-2.0
#include "runners/sql/rows_json.hpp"

#include "base/bytes.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <simdjson.h>

namespace freshet {

namespace {

constexpr std::size_t value_depth_max = 100;

rapidjson::SizeType length_of(std::string_view text)
{
    return static_cast<rapidjson::SizeType>(text.size());
}

} // namespace

RowsJson::RowsJson(const SqlRead& read) : read_{read}, writer_{buffer_}
{
    writer_.StartArray();
}

std::optional<FlightFailure> RowsJson::columns(std::vector<std::string> names)
{
    names_ = std::move(names);
    std::vector<std::string> sorted = names_;
    std::ranges::sort(sorted);
    const auto twice = std::ranges::adjacent_find(sorted);
    if (twice != sorted.end())
        return read_.failure(
            ErrorClass::fatal, "bad_query",
            fmt::format("two columns are named \"{}\"; name them apart, as in select a.id as a_id", *twice));
    for (const std::string& name : names_)
        if (!simdjson::validate_utf8(name))
            return read_.failure(ErrorClass::fatal, "bad_query", "a column's name is not UTF-8; give it one with as");
    return std::nullopt;
}

void RowsJson::begin_row()
{
    column_ = 0;
    writer_.StartObject();
}

void RowsJson::name()
{
    const std::string& name = names_.at(column_++);
    writer_.Key(name.data(), length_of(name));
}

// Asked before a value is copied: one alone may be larger than all that may be kept.
bool RowsJson::fits(std::size_t more)
{
    if (static_cast<std::int64_t>(buffer_.GetSize() + more) <= read_.source.bytes_max) return true;
    if (!failure_) failure_ = too_large();
    writer_.Null();
    return false;
}

FlightFailure RowsJson::too_large() const
{
    return read_.failure(ErrorClass::retryable, "too_large",
                         fmt::format("the answer is larger than {} (max_bytes)", shown_bytes(read_.source.bytes_max)));
}

void RowsJson::null()
{
    name();
    writer_.Null();
}

void RowsJson::yes(bool value)
{
    name();
    writer_.Bool(value);
}

void RowsJson::whole(std::int64_t value)
{
    name();
    writer_.Int64(value);
}

void RowsJson::real(double value)
{
    if (!std::isfinite(value)) return refuse("no finite number, which JSON cannot say", "cast(... as text)");
    name();
    writer_.Double(value);
}

void RowsJson::text(std::string_view value)
{
    if (!simdjson::validate_utf8(value)) return refuse("text that is not UTF-8", "its hex form");
    name();
    if (fits(value.size())) writer_.String(value.data(), length_of(value));
}

void RowsJson::json(std::string_view value)
{
    simdjson::dom::parser parser;
    if (value.size() >= simdjson::SIMDJSON_MAXSIZE_BYTES ||
        parser.allocate(value.size(), value_depth_max) != simdjson::SUCCESS ||
        parser.parse(value.data(), value.size()).error() != simdjson::SUCCESS)
        return refuse("a number or a document that cannot be passed on exactly", "cast(... as text)");
    name();
    if (fits(value.size())) writer_.RawValue(value.data(), value.size(), rapidjson::kObjectType);
}

void RowsJson::refuse(std::string_view kind, std::string_view instead)
{
    if (!failure_)
        failure_ = read_.failure(ErrorClass::fatal, "bad_value",
                                 fmt::format("column \"{}\" of row {} holds {}; select {} instead", names_.at(column_),
                                             rows_ + 1, kind, instead));
    name();
    writer_.Null();
}

std::optional<FlightFailure> RowsJson::end_row()
{
    writer_.EndObject();
    if (failure_) return failure_;
    if (++rows_ > read_.source.sql.rows_max)
        return read_.failure(ErrorClass::retryable, "too_large",
                             fmt::format("the answer has more than {} rows (max_rows)", read_.source.sql.rows_max));
    if (static_cast<std::int64_t>(buffer_.GetSize()) >= read_.source.bytes_max)
        return too_large(); // the ] is still to come
    return std::nullopt;
}

std::string RowsJson::take()
{
    writer_.EndArray();
    return std::string{buffer_.GetString(), buffer_.GetSize()};
}

} // namespace freshet
