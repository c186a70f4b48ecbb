// SPDX-License-Identifier: Apache-2.0
#include "facade/mentions.hpp"

#include <algorithm>
#include <array>

namespace freshet::facade {

namespace {

// Functions that need no '.' to take what they are given.
constexpr std::array<std::string_view, 22> whole_words{
    "tojson",     "tostring", "to_entries", "with_entries", "keys_unsorted", "del",     "delpaths", "paths",
    "leaf_paths", "getpath",  "walk",       "tostream",     "map_values",    "recurse", "json",     "text",
    "path",       "setpath",  "ascii",      "implode",      "input",         "getpath"};

bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

} // namespace

Mentions::Mentions(std::string_view expression)
{
    for (std::size_t i = 0; i < expression.size();) {
        const char c = expression[i];
        if (c == '.') {
            const char next = i + 1 < expression.size() ? expression[i + 1] : ' ';
            const char before = i > 0 ? expression[i - 1] : ' ';
            // ".name" and "1.5" look at something; ".", ".." and ".[...]" may look at anything, and so does ." ".
            const bool names = is_word(next);
            const bool goes_on = is_word(before) || before == ']' || before == ')' || before == '"' || before == '?';
            if (!names && !goes_on) whole_ = true;
            ++i;
            continue;
        }
        if (!is_word(c)) {
            ++i;
            continue;
        }
        const std::size_t from = i;
        while (i < expression.size() && is_word(expression[i])) ++i;
        const std::string_view word = expression.substr(from, i - from);
        const bool is_member = from > 0 && expression[from - 1] == '.';
        words_.emplace(word);
        if (word == "now" || word == "age_ms") time_ = true;
        if (word == "meta" && !(i + 1 < expression.size() && expression[i] == '.' && is_word(expression[i + 1])))
            time_ = true;
        if (!is_member && std::ranges::find(whole_words, word) != whole_words.end()) whole_ = true;
    }
}

} // namespace freshet::facade
