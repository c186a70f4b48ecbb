// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the steps of one load share: the problems so far and the place of everything that was read.

#include "config/load.hpp"
#include "config/settings.hpp"
#include "config/toml_tree.hpp"

#include <map>
#include <string>
#include <vector>

namespace freshet {

struct Reading {
    const Environment& environment;
    std::filesystem::path folder;
    std::vector<ConfigProblem> problems, warnings;
    /// "source.rates.url" -> where its name or table stands.
    std::map<std::string, ConfigPlace, std::less<>> places{};
    const ConfigChecks& checks;

    bool has(std::string_view path) const { return places.contains(path); }
    /// The place of a setting, or of the nearest table around it.
    ConfigPlace place(std::string_view path) const;
    void problem(ConfigPlace at, std::string message, std::string try_ = {});
    void problem(std::string_view path, std::string message, std::string try_ = {})
    {
        problem(place(path), std::move(message), std::move(try_));
    }
    void warning(std::string_view path, std::string message, std::string try_ = {});
};

/// The one of `names` that `name` was perhaps meant to be; empty if none is near.
std::string nearest_name(std::string_view name, const std::vector<std::string>& names);

/// Cron expression and zone of a schedule; nothing if it has no cron.
void check_cron(Reading& reading, const SourceSchedule& schedule, const std::string& path);

/// Reads a TOML table by its declaration into `into` (the struct that the table's accessors belong to). `kinds`: which
/// rows apply; `path`: as errors call it ("source.rates"). Required settings are asked for unless `defaults`.
void read_settings(Reading& reading, const TomlNode& node, const SettingTable& table, void* into,
                   const std::string& path, unsigned kinds = for_all, bool defaults = false);

/// What no single setting can say: names, placeholders, cycles, schedules, tenants; and what works but is odd.
/// @param alone  there are neither facades nor pages.
void check_definitions(Reading& reading, const Definitions& definitions, bool alone);
/// Of schedules of tasks: when, into which queue, for whom.
void check_schedules(Reading& reading, const Definitions& definitions);
/// Of facades and pages: paths, keys and queues that exist, expressions that compile.
void check_facades(Reading& reading, const Definitions& definitions, const FacadeSet& facades);
/// How errors call the nth facade or page.
std::string numbered_path(std::string_view what, std::size_t index);
/// The checks of one source by itself.
void check_source(Reading& reading, const SourceDefinition& source, const std::string& path);

} // namespace freshet
