// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the config floor asks of those above it when it reads facades: whether an expression compiles, which is found
// out in a child, and whether a request of /v1 exists. Threads: one.

#include "config/load.hpp"
#include "runners/shape/shape.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace freshet {

/// What is wrong with an expression that did not compile; nullopt where it could not be tried.
std::optional<std::string> wrong_expression(const ShapeError& error, std::string_view expression);

/// A child is started with the first expression and ends with the checks.
ConfigChecks config_checks();

} // namespace freshet
