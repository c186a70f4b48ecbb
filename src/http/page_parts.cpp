// SPDX-License-Identifier: Apache-2.0
#include "http/page_parts.hpp"

#include "http/embedded.hpp"

#include <algorithm>

namespace freshet::http {

std::string escaped(std::string_view text)
{
    std::string out;
    for (const char c : text) {
        if (c == '<')
            out += "&lt;";
        else if (c == '>')
            out += "&gt;";
        else if (c == '&')
            out += "&amp;";
        else if (c == '"')
            out += "&quot;";
        else
            out += c;
    }
    return out;
}

std::string way_up(std::string_view path)
{
    std::string up;
    for (auto levels = std::ranges::count(path, '/') - 1; levels > 0; --levels) up += "../";
    return up;
}

std::string_view embedded_name(std::string_view extension)
{
    for (const EmbeddedFile& file : embedded_files())
        if (file.name.ends_with(extension)) return file.name;
    return {};
}

} // namespace freshet::http
