// SPDX-License-Identifier: Apache-2.0
#pragma once
// Pages of the config: an index at a path that may have captures, and its files below the fixed part of that path.
//
// What is asked for is told by its name alone: a last segment with an extension is a file, anything else an index.
// How a file is read and sent is in page_files.hpp. Threads: the loop's.

#include "facade/core_state.hpp"
#include "facade/row.hpp"
#include "http/core.hpp"
#include "http/exchange.hpp"
#include "http/router.hpp"

#include <memory>
#include <optional>
#include <string>
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
std::optional<http::Match> find_page(const PageRows& pages, const std::shared_ptr<CoreState>& state,
                                     const http::HttpRequest& request);

} // namespace freshet::facade
