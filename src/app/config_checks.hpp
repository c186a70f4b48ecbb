// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the config floor asks of those above it when it reads facades: whether an expression compiles, which is found
// out in a child, and whether a request of /v1 exists. Threads: one.

#include "config/load.hpp"

namespace freshet {

/// A child is started with the first expression and ends with the checks.
ConfigChecks config_checks();

} // namespace freshet
