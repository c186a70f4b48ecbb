// SPDX-License-Identifier: Apache-2.0
#include "runners/sql/numbered_query.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <utility>

namespace freshet {

namespace {

// PostgreSQL's names may hold any byte above ASCII.
bool is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}
bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}
bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

std::size_t word_length(std::string_view text)
{
    std::size_t end = 0;
    while (end < text.size() && (is_letter(text[end]) || is_digit(text[end]) || text[end] == '$')) ++end;
    return end;
}

// What does not end takes the rest; the server then says so.
std::size_t until(std::string_view text, std::string_view end, std::size_t from)
{
    const auto at = text.find(end, from);
    return at == std::string_view::npos ? text.size() : at + end.size();
}

std::size_t escaped_string_length(std::string_view text, std::size_t quote)
{
    for (std::size_t at = quote + 1; at < text.size(); ++at) {
        if (text[at] == '\\')
            ++at;
        else if (text[at] == '\'')
            return at + 1;
    }
    return text.size();
}

std::size_t nested_comment_length(std::string_view text)
{
    int depth = 0;
    for (std::size_t at = 0; at + 1 < text.size(); ++at) {
        const std::string_view two = text.substr(at, 2);
        if (two == "/*")
            ++depth, ++at;
        else if (two == "*/" && ++at && --depth == 0)
            return at + 1;
    }
    return text.size();
}

std::size_t comment_length(std::string_view text)
{
    if (text.starts_with("--")) return until(text, "\n", 2);
    if (text.starts_with("/*")) return nested_comment_length(text);
    return 0;
}

// A string or quoted name that begins here; a doubled quote within it is two strings side by side, which is the same.
std::size_t quoted_length(std::string_view text)
{
    if (text[0] == '\'' || text[0] == '"') return until(text, text.substr(0, 1), 1);
    if ((text[0] == 'e' || text[0] == 'E') && text.size() > 1 && text[1] == '\'') return escaped_string_length(text, 1);
    if (text[0] != '$' || text.size() < 2 || is_digit(text[1])) return 0;
    std::size_t end = 1;
    while (end < text.size() && (is_letter(text[end]) || is_digit(text[end]))) ++end;
    return end < text.size() && text[end] == '$' ? until(text, text.substr(0, end + 1), end + 1) : 0;
}

bool reads(std::string_view word)
{
    constexpr std::array<std::string_view, 6> verbs{"select", "with", "values", "table", "show", "explain"};
    std::string lower{word};
    std::ranges::transform(lower, lower.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return std::ranges::find(verbs, lower) != verbs.end();
}

class Numbering {
public:
    std::expected<NumberedQuery, std::string> run(std::string_view query)
    {
        while (!query.empty() && refusal_.empty()) {
            const std::size_t size = take(query);
            query.remove_prefix(size);
        }
        if (refusal_.empty() && !began_) refusal_ = "the query is empty";
        if (!refusal_.empty()) return std::unexpected(std::move(refusal_));
        return std::move(out_);
    }

private:
    /// @return how many bytes of the query were taken.
    std::size_t take(std::string_view rest)
    {
        if (is_space(rest[0])) return keep(rest, 1);
        if (const std::size_t size = comment_length(rest); size > 0) return keep(rest, size);
        if (rest[0] == ';') return ended_ = began_, 1;
        if (ended_) return refuse("the query is more than one statement; leave one");
        if (const std::size_t size = quoted_length(rest); size > 0) return began_ = true, keep(rest, size);
        if (rest[0] == '(' && !began_) return keep(rest, 1);
        if (is_letter(rest[0])) return word(rest, word_length(rest));
        began_ = true;
        if (is_digit(rest[0])) return keep(rest, std::max<std::size_t>(1, word_length(rest)));
        if (rest.starts_with("::")) return keep(rest, 2);
        if (rest[0] == ':' && rest.size() > 1 && is_letter(rest[1])) return name(rest);
        if (rest[0] == '$' && rest.size() > 1 && is_digit(rest[1]))
            return refuse(fmt::format("the query has {}; name it, as :since, and give it in bind",
                                      rest.substr(0, word_length(rest))));
        return keep(rest, 1);
    }
    std::size_t word(std::string_view rest, std::size_t size)
    {
        if (!std::exchange(began_, true) && !reads(rest.substr(0, size)))
            return refuse(
                fmt::format("the query begins with {}; only reading statements are run (select, with, values)",
                            rest.substr(0, std::min<std::size_t>(size, 40))));
        return keep(rest, size);
    }
    std::size_t name(std::string_view rest)
    {
        std::size_t end = 1;
        while (end < rest.size() && (is_letter(rest[end]) || is_digit(rest[end]))) ++end;
        const std::string_view name = rest.substr(1, end - 1);
        auto& names = out_.names;
        const auto found = std::ranges::find(names, name);
        const auto number = found - names.begin() + 1;
        if (found == names.end()) names.emplace_back(name);
        out_.text += fmt::format("${}", number);
        return end;
    }
    std::size_t keep(std::string_view rest, std::size_t size)
    {
        out_.text += rest.substr(0, size);
        return size;
    }
    std::size_t refuse(std::string words)
    {
        refusal_ = std::move(words);
        return 0;
    }

    NumberedQuery out_;
    std::string refusal_;
    bool began_ = false, ended_ = false;
};

} // namespace

std::expected<NumberedQuery, std::string> number_names(std::string_view query)
{
    return Numbering{}.run(query);
}

} // namespace freshet
