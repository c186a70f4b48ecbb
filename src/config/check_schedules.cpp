// SPDX-License-Identifier: Apache-2.0
// What the settings of a task's schedule say together: when it fires, into which queue, for whom.
#include "config/reading.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace freshet {

namespace {

bool good_queue(std::string_view name)
{
    return std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
               c == '.';
    });
}

void check_when(Reading& reading, const TaskSchedule& schedule, const std::string& path)
{
    const bool by_cron = reading.has(path + ".cron"), by_interval = reading.has(path + ".every");
    if (by_cron && by_interval)
        reading.problem(path + ".every", path + ".every and cron stand side by side; one of them decides",
                        "leave one out");
    if (!by_cron && !by_interval)
        reading.problem(path, path + " says not when: it needs cron or every", "cron = \"0 6 * * MON-FRI\"");
    check_cron(reading, schedule.when, path);
    if (!by_cron)
        for (const std::string_view name : {"timezone", "gap", "fold"})
            if (const std::string at = fmt::format("{}.{}", path, name); reading.has(at))
                reading.warning(at, fmt::format("{} is for cron; an interval knows no wall clock", at),
                                fmt::format("leave {} out", name));
}

void check_queue(Reading& reading, const Definitions& definitions, const TaskSchedule& schedule,
                 const std::string& path)
{
    if (schedule.queue.empty()) return; // told already: it is required
    const std::string at = path + ".queue";
    if (!good_queue(schedule.queue))
        reading.problem(at, fmt::format("{} \"{}\" is no queue's name", at, schedule.queue),
                        "letters, digits, '-', '_' and '.'");
    if (schedule.queue.starts_with("freshet."))
        reading.problem(at, fmt::format("{} \"{}\": queues named freshet.* are the server's own", at, schedule.queue),
                        "a name of your own");
    const SourceDefinition* source = definitions.source(schedule.queue);
    if (source != nullptr && source->kind != SourceKind::worker)
        reading.problem(at, fmt::format("{} \"{}\" is a source, which has a schedule of its own", at, schedule.queue),
                        fmt::format("every or schedule in [source.{}]", schedule.queue));
}

void check_tenants(Reading& reading, const Definitions& definitions, const TaskSchedule& schedule,
                   const std::string& path)
{
    std::vector<std::string> names;
    for (const auto& [name, tenant] : definitions.tenants) names.push_back(name);
    if (names.empty()) names.emplace_back("default");
    for (const std::string& tenant : schedule.tenants) {
        if (std::ranges::find(names, tenant) != names.end() || reading.has("tenant." + tenant)) continue;
        const std::string near = nearest_name(tenant, names);
        reading.problem(path + ".tenants",
                        fmt::format("{}.tenants names tenant \"{}\", which does not exist{}", path, tenant,
                                    near.empty() ? "" : ", did you mean " + near),
                        fmt::format("[tenant.{}]", near.empty() ? "NAME" : near));
    }
}

} // namespace

void check_schedules(Reading& reading, const Definitions& definitions)
{
    for (const auto& [name, schedule] : definitions.schedules) {
        const std::string path = "schedule." + name;
        if (reading.has("source." + name))
            reading.problem(path, fmt::format("{} has the name of a source; both are listed as schedules by it", path),
                            fmt::format("[schedule.{}-task]", name));
        check_when(reading, schedule, path);
        check_queue(reading, definitions, schedule, path);
        check_tenants(reading, definitions, schedule, path);
    }
}

} // namespace freshet
