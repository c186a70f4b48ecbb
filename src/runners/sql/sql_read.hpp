// SPDX-License-Identifier: Apache-2.0
#pragma once
// One reading of one database: what both kinds of database are given, and how they say that it failed.
//
// Messages name the source and what the database said of the query; they never contain the database's address, which
// may hold a password, nor bound values of ours. Threads: the pool thread that reads.

#include "base/clock.hpp"
#include "engine/runner.hpp"
#include "runners/sql/bound_values.hpp"
#include "runners/sql/flight_stop.hpp"

#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace freshet {

struct SqlRead {
    const SourceDefinition& source;
    const BoundValues& values;
    const FlightStop& stop;
    const Clock& clock;
    Millis run_limit; ///< of the whole flight, for words
    Millis left;      ///< of it
    std::vector<PhaseTime>& phases;

    FlightFailure failure(ErrorClass error_class, std::string_view code, std::string_view what) const;
    /// The failure that the stop asks for; only where stop is set.
    FlightFailure stopped() const;
    /// The query names `name`, which `bind` does not give.
    FlightFailure not_bound(std::string_view name) const;
};

/// The rows as one JSON list.
using SqlAnswer = std::expected<std::string, FlightFailure>;

/// @param path  of the file; opened for reading only.
SqlAnswer read_sqlite(const SqlRead& read, const std::string& path);
/// @param url  postgres://..., with whatever secret it holds.
SqlAnswer read_postgres(const SqlRead& read, const std::string& url);

} // namespace freshet
