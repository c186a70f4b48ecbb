// SPDX-License-Identifier: Apache-2.0
#include "runners/sql/bound_values.hpp"

#include "model/key.hpp"

#include <algorithm>
#include <chrono>
#include <fmt/format.h>

namespace freshet {

namespace {

using std::chrono::days;

FlightFailure refused(const FlightOrder& order, std::string code, std::string what)
{
    FlightFailure failure;
    failure.error_class = ErrorClass::fatal;
    failure.code = std::move(code);
    failure.message = fmt::format("source {}: {}", order.source->name, what);
    return failure;
}

std::string as_it_is(std::string_view text)
{
    return std::string{text};
}

std::string date_of(WallTime at)
{
    return to_rfc3339(at).substr(0, 10);
}

// "now-6h" and the like. An empty result: the text is no time word.
std::expected<std::string, std::string> time_word(std::string_view text, WallTime now)
{
    const bool today = text.starts_with("today");
    if (!today && !text.starts_with("now")) return "";
    const std::string_view move = text.substr(today ? 5 : 3);
    Millis by{0};
    if (!move.empty()) {
        // "now-or-never" is a text; "now-6x" is a mistake that must not be sent as one.
        if (move.size() < 2 || (move[0] != '-' && move[0] != '+') || move[1] < '0' || move[1] > '9') return "";
        const auto length = parse_duration(move.substr(1));
        if (!length)
            return std::unexpected(fmt::format("\"{}\" has no length of time behind {}; try \"{}-30d\"", text, move[0],
                                               text.substr(0, today ? 5 : 3)));
        by = move[0] == '-' ? -*length : *length;
    }
    if (!today) return to_rfc3339(now + by);
    if (by % days{1} != Millis{0})
        return std::unexpected(fmt::format("\"{}\" is no whole number of days; try \"now{}\"", text, move));
    return date_of(std::chrono::floor<days>(now) + by);
}

} // namespace

std::expected<BoundValues, FlightFailure> bound_values(const FlightOrder& order)
{
    const SourceDefinition& source = *order.source;
    if (order.params.size() != source.params.size())
        return std::unexpected(
            refused(order, "bad_param",
                    fmt::format("it takes {} parameters and was given {}", source.params.size(), order.params.size())));
    BoundValues values;
    for (const auto& [name, text] : source.sql.bind) {
        auto value = time_word(text, order.now);
        if (!value)
            return std::unexpected(refused(order, "bad_bind", fmt::format("{} in bind: {}", name, value.error())));
        if (value->empty()) *value = fill_template(text, source, order.params, &as_it_is);
        if (value->find('\0') != std::string::npos)
            return std::unexpected(
                refused(order, "bad_param", fmt::format("what is bound to :{} has a NUL byte", name)));
        values.emplace_back(name, std::move(*value));
    }
    return values;
}

const std::string* find_value(const BoundValues& values, std::string_view name)
{
    const auto found = std::ranges::find(values, name, &BoundValues::value_type::first);
    return found == values.end() ? nullptr : &found->second;
}

} // namespace freshet
