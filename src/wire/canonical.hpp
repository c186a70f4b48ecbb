// SPDX-License-Identifier: Apache-2.0
#pragma once
// When two documents have the same content, and how many rows a document has.
//
// Canonical form: no blanks; members sorted by the bytes of their UTF-8 names, of names given twice the last one;
// lists in their order; strings with the fewest escapes. Numbers count by value: whole ones within 64 bits exactly,
// 1.0 and 1e0 as 1, all others as the shortest text that reads back to the same double. -0 is 0.
// Only hashes of it are stored: the bytes that readers get stay as the source or `select` made them.
// What must never change, as hashes are stored: this form and the hash (XXH3, 128 bits).
//
// Rows of a document: the elements of a list; of an envelope, which is an object whose only list is its only member
// or has one of the usual names (items, data, rows, results, records, entries, list, values), the elements of that
// list; none of null; one of everything else.
//
// Pure; any thread. Documents are what `shape` lets through: nested at most 200 deep, numbers within 64 bits or
// doubles.

#include "base/hash.hpp"

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace freshet {

/// Words where the text is no JSON of the bounds above.
std::expected<std::string, std::string> canonical_json(std::string_view json);

/// Words where the text is no JSON; nullopt: it is.
std::optional<std::string> json_problem(std::string_view json);

/// The same JSON without blanks between its tokens, where it has line ends: streams frame by lines. Numbers and strings
/// keep their text.
std::string one_line_json(std::string json);

struct Content {
    Hash128 hash; ///< of the canonical form
    std::int64_t rows = 0;
    std::string key_problem; ///< why the rows are not named by the key fields asked for; empty: they are
};

/// Reads a document once for all that a publish asks of it.
/// @param key  fields that must name each row; each row must then be an object that has them all, not null, and no two
///             rows may have the same.
std::expected<Content, std::string> content_of(std::string_view json, std::span<const std::string> key = {});

/// 0 for what is no JSON.
std::int64_t rows_of(std::string_view json);

} // namespace freshet
