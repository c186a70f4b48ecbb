// SPDX-License-Identifier: Apache-2.0
#include "facade/row.hpp"

#include "base/assert.hpp"
#include "model/key.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>

namespace freshet::facade {

namespace {

int whole_status(const std::string& text)
{
    int status = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), status);
    return error == std::errc{} && end == text.data() + text.size() ? status : 0;
}

} // namespace

std::optional<std::vector<std::string>> lay_path(const PathPattern& pattern, std::string_view path)
{
    std::vector<std::string> captures;
    if (path.starts_with('/')) path.remove_prefix(1);
    bool over = false;
    for (const PathPattern::Segment& segment : pattern.segments) {
        if (over) return std::nullopt;
        const auto slash = path.find('/');
        const std::string_view here = path.substr(0, slash);
        over = slash == std::string_view::npos;
        path.remove_prefix(over ? path.size() : slash + 1);
        if (!segment.is_capture) {
            if (segment.text != here) return std::nullopt;
            continue;
        }
        auto value = percent_decode(here);
        if (!value || value->empty()) return std::nullopt;
        captures.push_back(std::move(*value));
    }
    return over ? std::optional{std::move(captures)} : std::nullopt;
}

bool ParamRule::allows(const std::string& value) const
{
    if (pattern) return std::regex_match(value, *pattern);
    return std::ranges::find(values, value) != values.end();
}

std::string ParamRule::takes() const
{
    return pattern ? fmt::format("a text that matches {}", pattern_text)
                   : fmt::format("one of {}", fmt::join(values, ", "));
}

std::vector<ParamRule> rules_of(const std::vector<ParamDeclaration>& params)
{
    std::vector<ParamRule> rules;
    for (const ParamDeclaration& param : params) {
        ParamRule rule{param.name, param.values, std::nullopt, param.pattern};
        if (!param.pattern.empty()) rule.pattern.emplace(param.pattern, std::regex::ECMAScript | std::regex::optimize);
        rules.push_back(std::move(rule));
    }
    return rules;
}

http::Right right_of(const FacadeDefinition& facade)
{
    using http::Right;
    if (facade.access == "public") return Right::anyone;
    if (facade.access == "viewer") return Right::read;
    if (facade.access == "operator") return Right::operate;
    if (facade.access == "admin") return Right::administer;
    if (facade.access == "worker") return Right::enqueue;
    if (!facade.refresh.empty() || !facade.refresh_all.empty()) return Right::refresh;
    if (!facade.enqueue.empty()) return Right::enqueue;
    return Right::read;
}

FacadeRow::FacadeRow(FacadeDefinition facade, std::size_t n, std::size_t body_bytes_max)
    : def{std::move(facade)}, number{n}, params{rules_of(def.params)}, status{whole_status(def.status)},
      respond{def.respond}, status_of{def.status}, problem_of{def.respond_problem}, force{def.force_when}
{
    auto parsed = parse_path_pattern(def.on);
    FRESHET_ASSERT(parsed.has_value());
    pattern = std::move(*parsed);
    route = http::Route{.method = pattern.method,
                        .pattern = def.on,
                        .right = right_of(def),
                        .handle = nullptr,
                        .bytes_max = body_bytes_max,
                        .by_scope = true};
    for (const auto& [name, text] : def.body)
        if (auto rule = parse_body_rule(text)) body.emplace_back(name, std::move(*rule));
    decides = !def.check.empty() || !def.input.empty() || (forces() && !forces_by_meta());
    decides_once = !Mentions{def.check}.has("now") && !Mentions{def.input}.has("now") && !force.has("now");
}

} // namespace freshet::facade
