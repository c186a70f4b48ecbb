// SPDX-License-Identifier: Apache-2.0
#include "http/exchange.hpp"

#include <algorithm>

namespace freshet::http {

namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

Pairs::const_iterator first_of(const Pairs& pairs, std::string_view name)
{
    return std::ranges::find(pairs, name, [](const auto& pair) -> std::string_view { return pair.first; });
}

} // namespace

std::string_view HttpRequest::header(std::string_view name) const
{
    const auto found = first_of(headers, name);
    return found == headers.end() ? std::string_view{} : std::string_view{found->second};
}

std::optional<std::string_view> HttpRequest::param(std::string_view name) const
{
    const auto found = first_of(query, name);
    if (found == query.end()) return std::nullopt;
    return found->second;
}

bool HttpRequest::has_header(std::string_view name) const
{
    return first_of(headers, name) != headers.end();
}

} // namespace freshet::http
