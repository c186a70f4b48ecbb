// SPDX-License-Identifier: Apache-2.0
#include "runners/shape/shaper.hpp"

#include "runners/shape/json_check.hpp"
#include "runners/shape/markup.hpp"
#include "runners/shape/rows_input.hpp"
#include "runners/shape/text_input.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fmt/format.h>

namespace freshet {

namespace {

// Checked and without the space around it, otherwise byte for byte.
ShapeResult<std::string> checked_json(std::string input)
{
    const std::string_view document = without_space_around(input);
    const auto start = static_cast<std::size_t>(document.data() - input.data());
    input.resize(start + document.size());
    input.erase(0, start);
    if (const auto checked = check_json(input); !checked) return std::unexpected(checked.error());
    return input;
}

ShapeResult<std::string> json_of_text(ShapeOrder& order, InputFormat format)
{
    // JSON is UTF-8 whatever a header says, and the check holds it to that; only a byte order mark must go.
    if (format == InputFormat::json || format == InputFormat::ndjson) {
        if (order.input.starts_with("\xEF\xBB\xBF")) order.input.erase(0, 3);
        return format == InputFormat::json ? checked_json(std::move(order.input)) : json_of_ndjson(order.input);
    }
    // What tools print may name files in any bytes; in CSV such a byte means that the charset is wrong.
    const bool strict = format == InputFormat::csv;
    const ShapeResult<std::string> text =
        to_utf8(std::move(order.input), parse_content_type(order.content_type).charset, strict);
    if (!text) return text;
    if (format == InputFormat::csv) return json_of_csv(*text);
    if (format == InputFormat::table) return json_of_table(*text);
    return json_of_lines(*text);
}

ShapeResult<std::string> answer_of(ShapeOrder& order, const ShapeLimits& limits)
{
    const ShapeResult<InputFormat> format = format_of(order);
    if (!format) return std::unexpected(format.error());
    if (*format == InputFormat::html || *format == InputFormat::xml) return json_of_markup(order, *format, limits);
    return json_of_text(order, *format);
}

// Seconds up to the year 5138, milliseconds from 1973: no real time is ambiguous.
std::optional<WallTime> time_of_number(double value)
{
    constexpr double seconds_max = 1e11, ms_max = 253'402'300'800'000; // the year 10000
    if (!std::isfinite(value) || value < 0 || value >= ms_max) return std::nullopt;
    return from_ms(static_cast<std::int64_t>(value < seconds_max ? value * 1000 : value));
}

std::optional<WallTime> time_of_text(std::string_view text)
{
    text = without_space_around(text);
    if (const auto time = from_rfc3339(text)) return time;
    if (const auto time = from_http_date(text)) return time;
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
    return error == std::errc{} && end == text.data() + text.size() ? time_of_number(value) : std::nullopt;
}

ShapeResult<std::optional<WallTime>> time_of(const JqValue& value)
{
    if (value.kind() == JV_KIND_NULL) return std::nullopt;
    std::optional<WallTime> time;
    if (value.kind() == JV_KIND_STRING) time = time_of_text(value.text());
    if (value.kind() == JV_KIND_NUMBER) time = time_of_number(value.number());
    if (!time)
        return shape_error(ShapeErrorCode::program_failed,
                           fmt::format("as_of: it gives {}, which is no time", quoted_start(value.json())));
    return time;
}

} // namespace

bool needs_child(const ShapeOrder& order)
{
    // HTML and XML without `rows` are refused before libxml2 sees them.
    return order.check_only || !order.select.empty() || !order.as_of.empty() || !order.extracts.empty() ||
           !order.rows.empty();
}

ShapeResult<JqProgram*> Shaper::program(std::string_view what, const std::string& expression)
{
    const auto kept = std::ranges::find(programs_, expression, &Kept::expression);
    if (kept != programs_.end()) {
        programs_.splice(programs_.begin(), programs_, kept);
        return &programs_.front().program;
    }
    ShapeResult<JqProgram> compiled = JqProgram::compile(what, expression);
    if (!compiled) return std::unexpected(compiled.error());
    programs_.push_front({expression, std::move(*compiled)});
    if (programs_.size() > programs_max) programs_.pop_back();
    return &programs_.front().program;
}

ShapeResult<JqValue> Shaper::run(std::string_view what, const std::string& expression, const JqValue& document,
                                 bool nothing_is_null)
{
    const ShapeResult<JqProgram*> compiled = program(what, expression);
    if (!compiled) return std::unexpected(compiled.error());
    return (*compiled)->run(what, document, nothing_is_null);
}

ShapeResult<void> Shaper::check(const ShapeOrder& order)
{
    if (!order.select.empty())
        if (const auto compiled = program("select", order.select); !compiled) return std::unexpected(compiled.error());
    if (!order.as_of.empty())
        if (const auto compiled = program("as_of", order.as_of); !compiled) return std::unexpected(compiled.error());
    for (const auto& [name, expression] : order.extracts)
        if (const auto compiled = program(name, expression); !compiled) return std::unexpected(compiled.error());
    return check_xpaths(order);
}

ShapeResult<void> Shaper::run_jq(const ShapeOrder& order, Shaped& shaped)
{
    const ShapeResult<JqValue> answer = jq_read(shaped.json);
    if (!answer) return std::unexpected(answer.error());
    if (!order.as_of.empty()) {
        const ShapeResult<JqValue> value = run("as_of", order.as_of, *answer, true);
        if (!value) return std::unexpected(value.error());
        const ShapeResult<std::optional<WallTime>> time = time_of(*value);
        if (!time) return std::unexpected(time.error());
        shaped.as_of = *time;
    }
    for (const auto& [name, expression] : order.extracts) {
        const ShapeResult<JqValue> value = run(name, expression, *answer, true);
        if (!value) return std::unexpected(value.error());
        shaped.extracts.emplace_back(name, value->json());
    }
    if (order.select.empty()) return {};
    const ShapeResult<JqValue> selected = run("select", order.select, *answer, false);
    if (!selected) return std::unexpected(selected.error());
    shaped.json = selected->json();
    // An expression may build what no reader behind takes: too deep.
    if (const auto checked = check_json(shaped.json); !checked)
        return shape_error(ShapeErrorCode::program_failed, "select: " + checked.error().message);
    return {};
}

ShapeResult<Shaped> Shaper::shape(ShapeOrder order, const ShapeLimits& limits)
{
    if (order.check_only) {
        if (const auto checked = check(order); !checked) return std::unexpected(checked.error());
        return Shaped{"null", {}, {}};
    }
    if (order.input.size() > limits.input_bytes_max)
        return shape_error(ShapeErrorCode::too_large, fmt::format("{} bytes to shape, at most {} are taken",
                                                                  order.input.size(), limits.input_bytes_max));
    ShapeResult<std::string> answer = answer_of(order, limits);
    if (!answer) return std::unexpected(answer.error());

    Shaped shaped{std::move(*answer), {}, {}};
    const bool wants_jq = !order.select.empty() || !order.as_of.empty() || !order.extracts.empty();
    if (wants_jq)
        if (const auto ran = run_jq(order, shaped); !ran) return std::unexpected(ran.error());
    if (shaped.json.size() > limits.output_bytes_max)
        return shape_error(ShapeErrorCode::too_large, fmt::format("the result is {} bytes, at most {} are taken",
                                                                  shaped.json.size(), limits.output_bytes_max));
    return shaped;
}

} // namespace freshet
