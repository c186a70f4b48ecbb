// SPDX-License-Identifier: Apache-2.0
#include "config/toml_tree.hpp"

#include <algorithm>
#include <tuple>

// toml++ 3.3 asserts that a table header has a name ("[[[" has none) and, with NDEBUG, tells the compiler to rely on
// it; the code behind the assert reports the mistake properly. So its asserts are neither kept nor relied on.
#undef NDEBUG
#define TOML_ASSERT(expression) static_cast<void>(0)
#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#include <toml++/toml.h>

namespace freshet {

namespace {

ConfigPlace place_of(const toml::source_region& region)
{
    return {static_cast<int>(region.begin.line), static_cast<int>(region.begin.column)};
}

TomlNode copy(const toml::node& node)
{
    using Kind = TomlNode::Kind;
    TomlNode made;
    made.at = place_of(node.source());
    if (const auto* table = node.as_table()) {
        made.kind = Kind::table;
        for (const auto& [key, value] : *table)
            made.entries.push_back({std::string{key.str()}, place_of(key.source()), copy(value)});
        std::ranges::stable_sort(made.entries, {},
                                 [](const TomlEntry& entry) { return std::pair{entry.at.line, entry.at.column}; });
    } else if (const auto* list = node.as_array()) {
        made.kind = Kind::list;
        for (const toml::node& item : *list) made.items.push_back(copy(item));
    } else if (const auto* text = node.as_string()) {
        made.kind = Kind::text;
        made.text = text->get();
    } else if (const auto* whole = node.as_integer()) {
        made.kind = Kind::whole;
        made.whole = whole->get();
        made.real = static_cast<double>(made.whole);
    } else if (const auto* real = node.as_floating_point()) {
        made.kind = Kind::real;
        made.real = real->get();
    } else if (const auto* yes = node.as_boolean()) {
        made.kind = Kind::yes_no;
        made.yes = yes->get();
    } else {
        made.kind = Kind::time;
    }
    return made;
}

} // namespace

const TomlEntry* TomlNode::find(std::string_view name) const
{
    const auto found = std::ranges::find(entries, name, &TomlEntry::name);
    return found == entries.end() ? nullptr : &*found;
}

std::string_view words_for(TomlNode::Kind kind)
{
    switch (kind) {
    case TomlNode::Kind::text: return "a text";
    case TomlNode::Kind::whole:
    case TomlNode::Kind::real: return "a number";
    case TomlNode::Kind::yes_no: return "true or false";
    case TomlNode::Kind::time: return "a date or time";
    case TomlNode::Kind::list: return "a list";
    case TomlNode::Kind::table: return "a table";
    }
    return "something else";
}

std::expected<TomlNode, ConfigProblem> parse_toml(std::string_view text)
{
    const toml::parse_result parsed = toml::parse(text);
    if (parsed) return copy(parsed.table());
    const toml::parse_error& error = parsed.error();
    const ConfigPlace at = place_of(error.source());
    std::string words{error.description()};
    while (!words.empty() && (words.back() == '.' || words.back() == ' ')) words.pop_back();
    return std::unexpected(ConfigProblem{at.line, at.column, "this is not TOML: " + words,
                                         "mind quotes around texts and lengths of time, and one setting per line"});
}

} // namespace freshet
