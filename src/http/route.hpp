// SPDX-License-Identifier: Apache-2.0
#pragma once
// The route table's row: what a handler is, and the right that a caller needs. A route without a right does not
// compile.

#include "http/core.hpp"
#include "http/exchange.hpp"

#include <span>
#include <string_view>

namespace freshet::http {

enum class Right : std::uint8_t {
    anyone,  ///< no token needed
    read,    ///< viewer and above, worker
    refresh, ///< viewer with refresh, operator, admin
    operate, ///< operator, admin
    administer,
};

/// `pattern`: segments; "{name}" takes one, "{key}" takes a whole key (source and its declared parameters), so that
/// what follows it can be told apart. Captures are decoded, but for the key, which is in its text form.
struct Route {
    std::string_view method;
    std::string_view pattern;
    Right right;
    void (*handle)(Core& core, const ExchangePtr& exchange, std::span<const std::string> captures);
};

/// Routes of one subject, collected by the server into its table.
using Routes = std::span<const Route>;
Routes data_routes();     ///< data.cpp: reading
Routes refresh_routes();  ///< refresh.cpp: refresh, purge, delete, held
Routes version_routes();  ///< versions.cpp: versions and diffs
Routes job_routes();      ///< jobs.cpp
Routes overview_routes(); ///< overview.cpp: freshness, sources, me
Routes stream_routes();   ///< stream_routes.cpp: SSE and long poll
Routes system_routes();   ///< system.cpp: health, metrics, openapi, problem pages, the status page

} // namespace freshet::http
