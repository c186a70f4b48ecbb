// SPDX-License-Identifier: Apache-2.0
#pragma once
// The values that a query is given beside its text: `bind` of the definition, with parameters and instants filled in.
//
// All are texts here; what a column compares with is the database's business (SQLite is given whole numbers as
// numbers). What `bind` says:
//   "today", "today-30d", "today+1d"   a date, UTC, from the flight's start, moved by whole days: 2026-10-25
//   "now", "now-6h"                    an instant: 2026-11-24T10:00:00.000Z
//   anything else                      that text, each {param} replaced by the key's value, whatever it contains
// Pure.

#include "engine/runner.hpp"

#include <expected>
#include <string>
#include <utility>
#include <vector>

namespace freshet {

using BoundValues = std::vector<std::pair<std::string, std::string>>;

/// Refusals are fatal and have the codes `bad_param` and `bad_bind`.
std::expected<BoundValues, FlightFailure> bound_values(const FlightOrder& order);
/// nullptr if there is none of that name.
const std::string* find_value(const BoundValues& values, std::string_view name);

} // namespace freshet
