// SPDX-License-Identifier: Apache-2.0
#include "runners/shape/json_check.hpp"

#include "runners/shape/text_input.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>
#include <rapidjson/writer.h>
#include <simdjson.h>

namespace freshet {

namespace {

constexpr std::string_view number_largest_exact = "9007199254740992"; // 2^53

bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

struct Refusal {
    rapidjson::ParseErrorCode code = rapidjson::kParseErrorNone;
    std::string words; // with line and column; empty when RapidJSON finds nothing
};

// What a slower parser says and where it stops. Only asked about documents that simdjson refused.
Refusal refusal_of(std::string_view json)
{
    rapidjson::MemoryStream stream{json.data(), json.size()};
    rapidjson::BaseReaderHandler<> nothing;
    rapidjson::Reader reader;
    constexpr unsigned flags = rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag;
    const rapidjson::ParseResult result = reader.Parse<flags>(stream, nothing);
    if (!result.IsError()) return {};
    const std::size_t at = std::min(result.Offset(), json.size());
    const auto line_start = at == 0 ? std::string_view::npos : json.rfind('\n', at - 1);
    const std::size_t column = line_start == std::string_view::npos ? at + 1 : at - line_start;
    return {result.Code(), fmt::format("line {}, column {}: {}", line_of(json, at), column,
                                       rapidjson::GetParseError_En(result.Code()))};
}

ShapeResult<void> check(simdjson::dom::parser& parser, const char* json, std::size_t size)
{
    if (const auto error = parser.allocate(std::max<std::size_t>(size, 64), json_depth_max); error != simdjson::SUCCESS)
        return shape_error(ShapeErrorCode::out_of_memory, "there is not enough memory to read the answer");
    const auto error = parser.parse(json, size, false).error();
    switch (error) {
    case simdjson::SUCCESS: return {};
    case simdjson::MEMALLOC:
        return shape_error(ShapeErrorCode::out_of_memory, "there is not enough memory to read the answer");
    case simdjson::EMPTY: return shape_error(ShapeErrorCode::bad_input, "not JSON: the answer is empty");
    case simdjson::DEPTH_ERROR:
        return shape_error(ShapeErrorCode::bad_input, fmt::format("JSON nested deeper than {} levels", json_depth_max));
    default: break;
    }
    const Refusal refusal = refusal_of({json, size});
    // RapidJSON takes whole numbers of any length: what simdjson alone refuses among numbers is their size.
    const bool too_large = refusal.code == rapidjson::kParseErrorNumberTooBig ||
                           (refusal.words.empty() && error == simdjson::NUMBER_ERROR);
    if (too_large)
        return shape_error(ShapeErrorCode::number_too_large,
                           "a number in the JSON fits no 64 bits; let the source send it as text");
    return shape_error(ShapeErrorCode::bad_input,
                       fmt::format("not JSON: {}", refusal.words.empty() ? std::string{simdjson::error_message(error)}
                                                                         : refusal.words));
}

} // namespace

ShapeResult<void> check_json(std::string& json)
{
    json.reserve(json.size() + simdjson::SIMDJSON_PADDING);
    simdjson::dom::parser parser;
    return check(parser, json.data(), json.size());
}

ShapeResult<std::string> json_of_ndjson(std::string& lines)
{
    lines.reserve(lines.size() + simdjson::SIMDJSON_PADDING);
    simdjson::dom::parser parser;
    JsonListWriter list;
    std::size_t line_number = 0;
    for (std::size_t at = 0; at < lines.size();) {
        const std::size_t end = std::min(lines.find('\n', at), lines.size());
        const std::string_view line = without_space_around(std::string_view{lines}.substr(at, end - at));
        ++line_number;
        at = end + 1;
        if (line.empty()) continue;
        // The line's own end is followed by more text or by the reserved room, so the parser may read past it.
        if (const auto checked = check(parser, line.data(), line.size()); !checked)
            return shape_error(checked.error().code,
                               fmt::format("line {} of the JSON lines: {}", line_number, checked.error().message));
        list.add_valid(line);
    }
    return std::move(list).take();
}

std::string_view find_number_jq_rounds(std::string_view json)
{
    for (std::size_t at = 0; at < json.size(); ++at) {
        if (json[at] == '"') {
            for (++at; at < json.size() && json[at] != '"'; ++at)
                if (json[at] == '\\') ++at;
            continue;
        }
        if (!is_digit(json[at])) continue;
        const std::size_t start = at;
        while (at < json.size() && is_digit(json[at])) ++at;
        const std::string_view whole = json.substr(start, at - start);
        bool approximate = false;
        for (; at < json.size() && (is_digit(json[at]) || std::string_view{".eE+-"}.contains(json[at])); ++at)
            approximate = approximate || json[at] == 'e' || json[at] == 'E';
        const bool past = whole.size() > number_largest_exact.size() ||
                          (whole.size() == number_largest_exact.size() && whole > number_largest_exact);
        if (past && !approximate) return json.substr(start, at - start);
        --at; // the loop's own step
    }
    return {};
}

bool is_plain_number(std::string_view text)
{
    if (text == "-0") return false;
    if (text.starts_with('-')) text.remove_prefix(1);
    const std::size_t whole = std::min(text.find('.'), text.size());
    const std::string_view fraction = whole < text.size() ? text.substr(whole + 1) : "";
    if (whole == 0 || (whole < text.size() && fraction.empty())) return false;
    if (whole > 1 && text.front() == '0') return false;
    return whole + fraction.size() <= 15 && std::ranges::all_of(text.substr(0, whole), is_digit) &&
           std::ranges::all_of(fraction, is_digit);
}

struct JsonListWriter::Parts {
    rapidjson::StringBuffer buffer;
    rapidjson::Writer<rapidjson::StringBuffer> writer{buffer};
};

JsonListWriter::JsonListWriter() : parts_{std::make_unique<Parts>()}
{
    parts_->writer.StartArray();
}
JsonListWriter::~JsonListWriter() = default;
void JsonListWriter::add_valid(std::string_view json)
{
    parts_->writer.RawValue(json.data(), json.size(), rapidjson::kObjectType);
}
std::string JsonListWriter::take() &&
{
    parts_->writer.EndArray();
    return {parts_->buffer.GetString(), parts_->buffer.GetSize()};
}

struct JsonRowsWriter::Parts {
    rapidjson::StringBuffer buffer;
    rapidjson::Writer<rapidjson::StringBuffer> writer{buffer};
};

JsonRowsWriter::JsonRowsWriter() : parts_{std::make_unique<Parts>()}
{
    parts_->writer.StartArray();
}
JsonRowsWriter::~JsonRowsWriter() = default;
void JsonRowsWriter::start_row()
{
    parts_->writer.StartObject();
}
void JsonRowsWriter::end_row()
{
    parts_->writer.EndObject();
}
void JsonRowsWriter::name(std::string_view name)
{
    parts_->writer.Key(name.data(), static_cast<rapidjson::SizeType>(name.size()));
}
void JsonRowsWriter::text(std::string_view text)
{
    parts_->writer.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
}
void JsonRowsWriter::number(std::string_view text)
{
    parts_->writer.RawValue(text.data(), text.size(), rapidjson::kNumberType);
}
void JsonRowsWriter::real(double value)
{
    // XPath knows doubles only: a count is written as the whole number it is.
    if (!std::isfinite(value))
        parts_->writer.Null();
    else if (std::trunc(value) == value && std::abs(value) < 9007199254740992.0)
        parts_->writer.Int64(static_cast<std::int64_t>(value));
    else
        parts_->writer.Double(value);
}
void JsonRowsWriter::truth(bool value)
{
    parts_->writer.Bool(value);
}
void JsonRowsWriter::null()
{
    parts_->writer.Null();
}
std::size_t JsonRowsWriter::bytes() const
{
    return parts_->buffer.GetSize();
}
std::string JsonRowsWriter::take() &&
{
    parts_->writer.EndArray();
    return {parts_->buffer.GetString(), parts_->buffer.GetSize()};
}

} // namespace freshet
