// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a sync writes: executions and workflows of one client, each once, whatever is read again.
//
// Life of an execution: stored as it was read, read again until it ended, in a roll-up the night after, dropped 90 days
// later. Always holds: one that ended is counted in the roll-ups or by itself, never in both, never in neither.

#include "database.hpp"
#include "n8n.hpp"

namespace metrics {

constexpr std::int64_t raw_days = 90;

/// What came of storing one page.
struct Stored {
    std::int64_t added = 0, changed = 0;
    std::int64_t lag_ms = 0;  ///< the longest of those that were added, from their end to now
    bool met_settled = false; ///< the last row, and so all that is older, was read by a sync that came to its end
};

/// One transaction.
Stored store(Database& database, const std::string& client, const std::vector<Execution>& page, std::int64_t now);
/// Takes the place of the workflows that were known.
void store(Database& database, const std::string& client, const std::vector<Workflow>& workflows);
std::int64_t workflows_known(Database& database, const std::string& client);
/// It was deleted upstream before it ended: it counts as it stood, and is not asked for again.
void give_up(Database& database, const std::string& client, const std::string& id, std::int64_t now);

bool knows_settled(Database& database, const std::string& client);
/// Executions that did not end and were not read since, longest ago first.
std::vector<std::string> unfinished(Database& database, const std::string& client, std::int64_t read_before,
                                    int count_max);

/// The sync came to its end. Where it met nothing of what is known, what is between is in doubt: then the rows count as
/// settled only when a second sync finds the same. @return whether it is in doubt
bool settle(Database& database, const std::string& client, bool in_doubt, std::int64_t now);

} // namespace metrics
