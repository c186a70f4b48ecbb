// SPDX-License-Identifier: Apache-2.0
#pragma once
// Pages of the config: an index at a path that may have captures, and its files below the fixed part of that path.
//
// What is asked for is told by its name alone: a last segment with an extension is a file, anything else an index.
// Files are read off the loop, each time anew, so that a page that is built again is there at once; a name that carries
// a hash of its content is kept by browsers for ever, everything else is asked for again by its ETag, the index is
// never kept. Nothing outside of `dir` is ever opened, through links neither. Threads: the loop's; reading on the
// pool's.

#include "facade/row.hpp"
#include "http/core.hpp"
#include "http/exchange.hpp"
#include "http/router.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace freshet::facade {

struct PageRow {
    explicit PageRow(PageDefinition page);

    PageDefinition def;
    PathPattern pattern;
    std::string fixed; ///< the path before the first capture
    http::Route route; ///< of the index
    http::Route file_route;
    std::vector<ParamRule> params;
    std::string policy; ///< Content-Security-Policy
};

using PageRows = std::vector<std::shared_ptr<const PageRow>>;

/// The index or the file that the path names; nullopt: no page has it.
std::optional<http::Match> find_page(const PageRows& pages, const http::HttpRequest& request);

/// True for names such as app-3f9c1a20.js: what follows the last '-' or '.' before the extension is a hash.
bool is_hashed_name(std::string_view name);

/// The path below a page's folder that these segments name; nullopt for one that leads out of it, or to a hidden file.
std::optional<std::string> safe_path(std::string_view below);

} // namespace freshet::facade
