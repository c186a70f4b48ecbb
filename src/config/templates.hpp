// SPDX-License-Identifier: Apache-2.0
#pragma once
// Names inside configured texts: {param} in templates, :name in SQL, and where in a URL a {param} stands. Pure.

#include <string>
#include <string_view>
#include <vector>

namespace freshet {

/// The names of all {name} where name could be a parameter's (letters, digits, _ and -); other braces are text.
std::vector<std::string> placeholders(std::string_view text);

/// The names of all :name of a SQL text, outside of strings, comments, quoted names, dollar quotes and ::casts.
std::vector<std::string> sql_names(std::string_view query);

/// The parts of an absolute URL template: "https", "user@host:port", and the rest. Empty scheme: it is none.
struct UrlParts {
    std::string_view scheme, authority, rest;
};
UrlParts split_url(std::string_view url);

} // namespace freshet
