// SPDX-License-Identifier: Apache-2.0
#pragma once
// A TOML file as a plain tree: every value with its place, the entries of a table in the order in which they were
// written (the order of params is part of a key, and toml++ sorts by name). Only toml_tree.cpp includes toml++.

#include "config/problem.hpp"

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace freshet {

struct TomlEntry;

struct TomlNode {
    enum class Kind : std::uint8_t { text, whole, real, yes_no, time, list, table };
    Kind kind = Kind::table;
    ConfigPlace at;
    std::string text;       ///< of text
    std::int64_t whole = 0; ///< of whole
    double real = 0;        ///< of real, and of whole
    bool yes = false;       ///< of yes_no
    std::vector<TomlNode> items;
    std::vector<TomlEntry> entries;

    /// Null unless this is a table that has it.
    const TomlEntry* find(std::string_view name) const;
};

struct TomlEntry {
    std::string name;
    ConfigPlace at; ///< of the name
    TomlNode node;
};

/// "a text", "a number" ...: what a value is, as errors call it.
std::string_view words_for(TomlNode::Kind kind);

/// The whole file as one table; the first syntax error otherwise (also for text that is not UTF-8).
std::expected<TomlNode, ConfigProblem> parse_toml(std::string_view text);

} // namespace freshet
