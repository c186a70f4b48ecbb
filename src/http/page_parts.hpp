// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the pages that the server writes by itself are put together from. Pure; any thread.

#include <string>
#include <string_view>

namespace freshet::http {

/// For HTML, between tags and within quotes.
std::string escaped(std::string_view text);

/// From the page at that path up to the server's root: addresses in pages are relative, and so work below any prefix.
std::string way_up(std::string_view path);

/// The file of this floor's own table whose name ends so: "assets/help-1a2b3c.css".
std::string_view embedded_name(std::string_view extension);

} // namespace freshet::http
