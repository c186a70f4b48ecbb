// SPDX-License-Identifier: Apache-2.0
#pragma once
// Schedules of tasks as rows of a list, read off the loop and shown on it. Within the floor `http`.

#include "engine/reads.hpp"
#include "model/definition.hpp"
#include "wire/json_out.hpp"

#include <string>
#include <vector>

namespace freshet::http {

inline constexpr int fires_shown = 5;

/// The words of a schedule's rules, on the wire as in the config.
std::string_view to_word(OverlapRule rule);
std::string_view to_word(MisfireRule rule);

/// Where the schedules of a tenant stand: of tasks, and of keys whose schedule was paused by itself.
struct ScheduleStands {
    Seq head = 0; ///< of the ledger, before they were read
    std::vector<ScheduleRecord> records;
    std::vector<std::pair<ScheduleRecord, std::vector<FireRecord>>> tasks; ///< with their last fires

    bool paused(std::string_view name) const;
};
ScheduleStands read_stands(Reads& reads, const Definitions& definitions, const std::string& tenant);

/// One row of `tasks`; nothing where the schedule has left the config.
void task_schedule_row(JsonOut& out, const Definitions& definitions, const ScheduleRecord& record,
                       const std::vector<FireRecord>& fires, Seq seq);

/// Cron, interval and rules, as every schedule's row shows them.
void schedule_terms(JsonOut& out, const SourceSchedule& schedule);
/// The stored next fire, and what follows from it.
void schedule_next(JsonOut& out, const SourceSchedule& schedule, std::optional<WallTime> next);

} // namespace freshet::http
