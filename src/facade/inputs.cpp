// SPDX-License-Identifier: Apache-2.0
#include "facade/inputs.hpp"

#include "http/body.hpp"
#include "http/gate.hpp"
#include "http/problems.hpp"
#include "model/key.hpp"
#include "wire/json_out.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <simdjson.h>

namespace freshet::facade {

namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

constexpr std::size_t text_bytes_max = 64 << 10;

void add_pairs(JsonOut& out, std::string_view name, const Pairs& pairs)
{
    out.begin(name);
    std::vector<std::string_view> seen;
    for (const auto& [key, value] : pairs) {
        if (std::ranges::find(seen, key) != seen.end()) continue;
        seen.push_back(key);
        out.text(key, value);
    }
    out.end();
}

// A member that the facade declares, held against its rule. What is wrong is kept by the reader.
void check_member(const http::BodyValue& value, const BodyRule& rule, const std::vector<std::string>& callbacks)
{
    constexpr std::int64_t highest = (1LL << 53) - 1, lowest = -highest; // what jq keeps whole
    const auto size = [](const std::optional<std::int64_t>& bound, std::size_t otherwise) {
        return bound ? static_cast<std::size_t>(std::max<std::int64_t>(*bound, 0)) : otherwise;
    };
    switch (rule.type) {
    case BodyRule::Type::text: value.text({size(rule.min, 0), size(rule.max, text_bytes_max)}); return;
    case BodyRule::Type::whole: value.whole(rule.min.value_or(lowest), rule.max.value_or(highest)); return;
    case BodyRule::Type::number:
        value.number(static_cast<double>(rule.min.value_or(lowest)), static_cast<double>(rule.max.value_or(highest)));
        return;
    case BodyRule::Type::yes_no: value.yes(); return;
    case BodyRule::Type::list:
        value.list(size(rule.min, 0), size(rule.max, 100'000), [](const http::BodyValue&) {});
        return;
    case BodyRule::Type::object: value.object(); return;
    case BodyRule::Type::word: {
        const auto word = value.text({1, text_bytes_max});
        if (word && std::ranges::find(rule.words, *word) == rule.words.end()) value.refuse(rule.takes());
        return;
    }
    case BodyRule::Type::callback: {
        const auto url = value.text({1, 2048});
        if (url && !is_listed_url(*url, callbacks)) value.refuse(rule.takes());
        return;
    }
    }
}

// Texts, numbers and truth values of the body: what a template can name.
void add_scalars(Pairs& params, const std::string& body)
{
    simdjson::dom::parser parser;
    simdjson::dom::object object;
    if (parser.parse(body).get(object) != simdjson::SUCCESS) return;
    for (const auto [name, value] : object) {
        if (value.is_string())
            params.emplace_back(name, std::string_view{value});
        else if (value.is_number() || value.is_bool())
            params.emplace_back(name, simdjson::minify(value));
    }
}

Problem bad_value(std::string_view name, std::string_view value, const ParamRule& rule)
{
    return http::make_problem(400, "bad_value", "A value is not allowed",
                              fmt::format("{} is \"{}\".", name, value.substr(0, 128)),
                              fmt::format("It takes {}.", rule.takes()));
}

} // namespace

const std::string* Inputs::find(std::string_view name) const
{
    const auto found = std::ranges::find(params, name, &std::pair<std::string, std::string>::first);
    return found == params.end() ? nullptr : &found->second;
}

Inputs early_inputs(const PathPattern& pattern, const Pairs& defaults, const http::HttpRequest& request,
                    std::span<const std::string> captures)
{
    Inputs inputs;
    std::size_t next = 0;
    for (const PathPattern::Segment& segment : pattern.segments)
        if (segment.is_capture && next < captures.size()) inputs.params.emplace_back(segment.text, captures[next++]);
    for (const auto& pair : request.query) inputs.params.push_back(pair);
    for (const auto& pair : defaults) inputs.params.push_back(pair);
    return inputs;
}

std::expected<Inputs, Problem> read_inputs(const FacadeRow& row, const http::HttpRequest& request,
                                           std::span<const std::string> captures, const http::Caller& caller)
{
    const bool has_body = !request.body.empty();
    if (has_body || !row.body.empty()) {
        http::BodyReader reader{request.body, true};
        if (!row.body.empty()) {
            http::BodyObject body = reader.object();
            for (const auto& [name, rule] : row.body) {
                if (!rule.optional) body.need(name, rule.takes());
                if (const http::BodyValue* value = body.find(name)) check_member(*value, rule, row.def.callbacks);
            }
        }
        if (reader.problem()) return std::unexpected(*reader.problem());
    }
    Inputs inputs = early_inputs(row.pattern, {}, request, captures);
    const std::size_t of_path = captures.size();
    if (has_body) add_scalars(inputs.params, request.body);
    for (const auto& pair : row.def.defaults) inputs.params.push_back(pair);
    for (const ParamRule& rule : row.params) {
        const auto found = std::ranges::find(inputs.params, rule.name, &std::pair<std::string, std::string>::first);
        // An empty one is as good as none, for templates, too.
        if (found == inputs.params.end() || found->second.empty() || rule.allows(found->second)) continue;
        // A path with another value is another path, which is not there.
        if (static_cast<std::size_t>(found - inputs.params.begin()) < of_path)
            return std::unexpected(http::make_problem(
                404, "not_found", "No such thing", fmt::format("There is nothing at {}.", request.path.substr(0, 300)),
                fmt::format("{} takes {}.", rule.name, rule.takes())));
        return std::unexpected(bad_value(rule.name, found->second, rule));
    }
    inputs.body = request.body;
    JsonOut out;
    out.begin();
    out.text("method", request.method == "HEAD" ? "GET" : std::string_view{request.method});
    out.text("path", request.path);
    add_pairs(out, "params", inputs.params);
    add_pairs(out, "query", request.query);
    out.key("body");
    out.raw(has_body ? std::string_view{inputs.body} : "null");
    out.begin("caller");
    out.text("name", caller.name);
    out.text("role", http::role_word(caller.role));
    out.text("tenant", caller.tenant);
    out.end();
    out.end();
    inputs.request = out.take();
    return inputs;
}

std::expected<std::string, Problem> fill(std::string_view text, const Inputs& inputs, Encode encode)
{
    std::string filled;
    while (!text.empty()) {
        const auto open = text.find('{');
        const auto close = open == std::string_view::npos ? open : text.find('}', open);
        if (close == std::string_view::npos) break;
        const std::string_view name = text.substr(open + 1, close - open - 1);
        const std::string* value = inputs.find(name);
        if (value == nullptr || value->empty())
            return std::unexpected(http::make_problem(400, "value_missing", "A value is missing",
                                                      fmt::format("The request says no {}.", name.substr(0, 64)),
                                                      fmt::format("Give {}.", name.substr(0, 64))));
        filled += text.substr(0, open);
        filled += encode != nullptr ? encode(*value) : *value;
        text.remove_prefix(close + 1);
    }
    filled += text;
    return filled;
}

Pairs fill_query(std::string_view query, const Inputs& inputs)
{
    Pairs pairs;
    while (!query.empty()) {
        const auto end = query.find('&');
        const std::string_view pair = query.substr(0, end);
        query.remove_prefix(end == std::string_view::npos ? query.size() : end + 1);
        const auto equals = pair.find('=');
        if (equals == std::string_view::npos) continue;
        const auto value = fill(pair.substr(equals + 1), inputs);
        if (value && !value->empty()) pairs.emplace_back(pair.substr(0, equals), *value);
    }
    return pairs;
}

} // namespace freshet::facade
