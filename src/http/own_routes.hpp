// SPDX-License-Identifier: Apache-2.0
#pragma once
// Routes that the config makes, behind those that the server has: what a floor above hangs into the loops.
//
// Life: one per server, made by app, ends after it. Threads: find() on each loop's own.

#include "http/core.hpp"
#include "http/exchange.hpp"
#include "http/router.hpp"

#include <expected>

namespace freshet::http {

class OwnRoutes {
public:
    virtual ~OwnRoutes() = default;
    /// Asked for what no route of the server answers. What matches brings its own `run`.
    virtual std::expected<Match, NoMatch> find(Core& core, const HttpRequest& request) = 0;
};

} // namespace freshet::http
