// SPDX-License-Identifier: Apache-2.0
#pragma once
// The layers below the server's memory (L1): roll-ups (L2), and what is computed from raw rows for what no roll-up
// contains yet (L3).

#include "database.hpp"

#include <freshet/json.hpp>
#include <map>
#include <utility>

namespace metrics {

/// Minutes that a run saves, where they are not the 30 of all others: by client and workflow.
using Minutes = std::map<std::pair<std::string, std::string>, double>;
/// Lines of client,workflow,minutes; none where there is no such file.
Minutes read_minutes(const std::string& file);

/// A client's numbers and the layers that they came from; 0 and null where nothing was ever read.
freshet::Json numbers(Database& database, const std::string& client, const Minutes& minutes);

/// Adds the days that are over to the daily roll-up, and drops raw rows that are older than 90 days.
freshet::Json roll_up_days(Database& database, const std::string& client, std::int64_t now);
/// Makes the weeks or months anew from the days.
freshet::Json roll_up_weeks(Database& database, const std::string& client, std::int64_t now);
freshet::Json roll_up_months(Database& database, const std::string& client, std::int64_t now);

} // namespace metrics
