// SPDX-License-Identifier: Apache-2.0
#pragma once
// GET /v1/explain/{key}. Within the floor `http`; its row is among those of versions.cpp, which start no work either.

#include "http/route.hpp"

namespace freshet::http {

void explain(Core& core, const ExchangePtr& exchange, std::span<const std::string> captures);

} // namespace freshet::http
