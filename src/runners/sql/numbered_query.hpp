// SPDX-License-Identifier: Apache-2.0
#pragma once
// A query with :name made into one with $1, as PostgreSQL takes it. Pure.
//
// Strings ('', E'' with its backslashes), quoted names, dollar quotes, comments (nested too) and ::casts are left as
// they are. Always holds: nothing but the names is changed, no line feed is added or lost, so that a place in the
// result is on the line where it is in the query.

#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace freshet {

struct NumberedQuery {
    std::string text;
    std::vector<std::string> names; ///< $1 is the first; each once
};

/// One sentence where the query is not one reading statement: more than one, another verb, numbers of its own.
std::expected<NumberedQuery, std::string> number_names(std::string_view query);

} // namespace freshet
