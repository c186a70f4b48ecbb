// SPDX-License-Identifier: Apache-2.0
#include "config/templates.hpp"

#include <algorithm>

namespace freshet {

namespace {

bool is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}
bool is_name(char c)
{
    return is_letter(c) || (c >= '0' && c <= '9');
}

void add_once(std::vector<std::string>& names, std::string_view name)
{
    if (std::ranges::find(names, name) == names.end()) names.emplace_back(name);
}

// How many bytes of `text` are a string, quoted name, comment or dollar quote that begins here; 0: none. One that does
// not end takes the rest.
std::size_t opaque_length(std::string_view text)
{
    const auto until = [&](std::string_view end, std::size_t from) {
        const auto at = text.find(end, from);
        return at == std::string_view::npos ? text.size() : at + end.size();
    };
    if (text[0] == '\'' || text[0] == '"') return until(text.substr(0, 1), 1);
    if (text.starts_with("--")) return until("\n", 2);
    if (text.starts_with("/*")) return until("*/", 2);
    if (text[0] != '$') return 0;
    std::size_t end = 1;
    while (end < text.size() && is_name(text[end])) ++end;
    if (end == text.size() || text[end] != '$') return 0;
    return until(text.substr(0, end + 1), end + 1);
}

} // namespace

std::vector<std::string> placeholders(std::string_view text)
{
    std::vector<std::string> names;
    for (std::size_t open = text.find('{'); open != std::string_view::npos; open = text.find('{', open + 1)) {
        std::size_t end = open + 1;
        while (end < text.size() && (is_name(text[end]) || text[end] == '-')) ++end;
        if (end < text.size() && text[end] == '}' && end > open + 1 && is_letter(text[open + 1]))
            add_once(names, text.substr(open + 1, end - open - 1));
    }
    return names;
}

std::vector<std::string> sql_names(std::string_view query)
{
    std::vector<std::string> names;
    std::size_t at = 0;
    while (at < query.size()) {
        if (const std::size_t opaque = opaque_length(query.substr(at)); opaque > 0) {
            at += opaque;
        } else if (query.substr(at).starts_with("::")) {
            at += 2;
        } else if (query[at] == ':' && at + 1 < query.size() && is_letter(query[at + 1])) {
            std::size_t end = at + 1;
            while (end < query.size() && is_name(query[end])) ++end;
            add_once(names, query.substr(at + 1, end - at - 1));
            at = end;
        } else {
            ++at;
        }
    }
    return names;
}

UrlParts split_url(std::string_view url)
{
    const auto colon = url.find("://");
    if (colon == std::string_view::npos) return {};
    const std::string_view after = url.substr(colon + 3);
    const auto end = std::min(after.find_first_of("/?#"), after.size());
    return {url.substr(0, colon), after.substr(0, end), after.substr(end)};
}

} // namespace freshet
