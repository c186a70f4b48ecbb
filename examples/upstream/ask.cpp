// SPDX-License-Identifier: Apache-2.0
#include "ask.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace upstream {

namespace {

char lower(char c)
{
    return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
}

std::string decoded(std::string_view text, bool plus_is_space)
{
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        unsigned value = 0;
        if (text[i] == '%' && i + 2 < text.size() &&
            std::from_chars(text.data() + i + 1, text.data() + i + 3, value, 16).ptr == text.data() + i + 3) {
            out += static_cast<char>(value);
            i += 2;
        } else {
            out += plus_is_space && text[i] == '+' ? ' ' : text[i];
        }
    }
    return out;
}

std::string_view trimmed(std::string_view text)
{
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

/// Cuts the part before the separator off `text`.
std::string_view next_part(std::string_view& text, char separator)
{
    const std::size_t end = std::min(text.find(separator), text.size());
    const std::string_view part = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return part;
}

} // namespace

bool equal_no_case(std::string_view a, std::string_view b)
{
    return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

bool accepts_token(std::string_view list, std::string_view token)
{
    while (!list.empty()) {
        std::string_view entry = next_part(list, ',');
        if (!equal_no_case(trimmed(next_part(entry, ';')), token)) continue;
        const std::string_view weight = trimmed(entry);
        return weight.find_first_of("123456789") != std::string_view::npos || weight.empty();
    }
    return false;
}

std::optional<std::string_view> Ask::header(std::string_view name) const
{
    for (const auto& [key, value] : headers)
        if (equal_no_case(key, name)) return value;
    return std::nullopt;
}

std::optional<std::string_view> Ask::param(const std::string& name) const
{
    const auto found = query.find(name);
    if (found == query.end()) return std::nullopt;
    return found->second;
}

std::string Ask::base() const
{
    return std::string(tls ? "https://" : "http://") + std::string(header("Host").value_or("localhost"));
}

void take_apart(Ask& ask)
{
    std::string_view rest = ask.target;
    for (const std::string_view scheme : {"http://", "https://"}) {
        if (!rest.starts_with(scheme)) continue;
        rest.remove_prefix(std::min(rest.find('/', scheme.size()), rest.size()));
        break;
    }
    std::string_view path = next_part(rest, '?');
    std::string_view query = next_part(rest, '#');
    if (path.starts_with('/')) path.remove_prefix(1);
    ask.site = decoded(next_part(path, '/'), false);
    ask.rest = decoded(path, false);
    while (!query.empty()) {
        std::string_view pair = next_part(query, '&');
        const std::string name = decoded(next_part(pair, '='), true);
        ask.query[name] = decoded(pair, true);
    }
}

} // namespace upstream
