// SPDX-License-Identifier: Apache-2.0
#include "http/router.hpp"

#include "model/key.hpp"

#include <algorithm>

namespace freshet::http {

namespace {

std::vector<std::string_view> split_path(std::string_view path)
{
    std::vector<std::string_view> segments;
    if (path.starts_with('/')) path.remove_prefix(1);
    while (true) {
        const auto slash = path.find('/');
        segments.push_back(path.substr(0, slash));
        if (slash == std::string_view::npos) return segments;
        path.remove_prefix(slash + 1);
    }
}

enum class Fit : std::uint8_t { no, yes, bad_key };

struct Fitting {
    Fit fit = Fit::no;
    std::vector<std::string> captures;
    std::string tenant, source;
    KeyRefusal refusal{KeyRefusal::Code::unknown_source, {}};
};

// Lays a pattern onto a path, segment by segment; a key takes as many as its source declares.
Fitting lay(const std::vector<std::string_view>& pattern, std::string_view path, const Definitions& definitions)
{
    Fitting fitting;
    if (path.starts_with('/')) path.remove_prefix(1);
    bool over = false;
    for (const std::string_view segment : pattern) {
        if (over) return {};
        if (segment == "{key}") {
            auto key = parse_key(path, definitions);
            if (!key) {
                fitting.fit = Fit::bad_key;
                fitting.refusal = std::move(key.error());
                return fitting;
            }
            fitting.captures.push_back(to_text(key->key));
            fitting.source = key->key.source;
            over = key->rest.empty();
            // A slash at the end names nothing.
            if (over && path.ends_with('/')) return {};
            path = key->rest;
            continue;
        }
        if (segment == "{path...}") {
            fitting.captures.emplace_back(path);
            fitting.fit = Fit::yes;
            return fitting;
        }
        const auto slash = path.find('/');
        const std::string_view here = path.substr(0, slash);
        over = slash == std::string_view::npos;
        path.remove_prefix(over ? path.size() : slash + 1);
        if (!segment.starts_with('{')) {
            if (segment != here) return {};
            continue;
        }
        auto value = percent_decode(here);
        if (!value || value->empty()) return {};
        if (segment == "{tenant}") fitting.tenant = *value;
        fitting.captures.push_back(std::move(*value));
    }
    if (!over) return {};
    fitting.fit = Fit::yes;
    return fitting;
}

} // namespace

Router::Router(std::span<const Routes> tables)
{
    for (const Routes& table : tables)
        for (const Route& route : table) rows_.push_back({&route, split_path(route.pattern)});
}

std::expected<Match, NoMatch> Router::find(std::string_view method, std::string_view path,
                                           const Definitions& definitions) const
{
    const std::string_view wanted = method == "HEAD" ? "GET" : method;
    NoMatch none;
    for (const Row& row : rows_) {
        Fitting fitting = lay(row.segments, path, definitions);
        if (fitting.fit == Fit::no) continue;
        if (fitting.fit == Fit::bad_key) {
            if (none.why == NoMatch::Why::unknown_path) {
                none.why = NoMatch::Why::key;
                none.message = std::move(fitting.refusal.message);
                none.bad_param = fitting.refusal.code == KeyRefusal::Code::bad_param;
            }
            continue;
        }
        if (row.route->method == wanted)
            return Match{row.route, std::move(fitting.captures), std::move(fitting.tenant), std::move(fitting.source)};
        none.why = NoMatch::Why::method;
        if (!none.allow.empty()) none.allow += ", ";
        none.allow += row.route->method;
        if (row.route->method == "GET") none.allow += ", HEAD";
    }
    return std::unexpected(std::move(none));
}

std::optional<std::vector<std::pair<std::string, std::string>>> parse_query(std::string_view query)
{
    std::vector<std::pair<std::string, std::string>> params;
    while (!query.empty()) {
        const auto end = query.find('&');
        const std::string_view pair = query.substr(0, end);
        query.remove_prefix(end == std::string_view::npos ? query.size() : end + 1);
        if (pair.empty()) continue;
        const auto equals = pair.find('=');
        const auto decode = [](std::string_view text) {
            std::string spaced{text};
            std::ranges::replace(spaced, '+', ' ');
            return percent_decode(spaced);
        };
        auto name = decode(pair.substr(0, equals));
        auto value = decode(equals == std::string_view::npos ? std::string_view{} : pair.substr(equals + 1));
        if (!name || !value) return std::nullopt;
        params.emplace_back(std::move(*name), std::move(*value));
    }
    return params;
}

} // namespace freshet::http
