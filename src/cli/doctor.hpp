// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the doctor finds, before it is printed: a list of findings, each with a way out. The checks that need no server
// are here as functions of their own, so that tests can give them a broken world.

#include "cli/client.hpp"
#include "cli/json.hpp"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace freshet::cli {

enum class Grade : std::uint8_t { fail, warn, ok };

struct Finding {
    Grade grade = Grade::ok;
    std::string what; ///< of ok: the name of what is well ("storage")
    std::string try_;
};

using Findings = std::vector<Finding>;

/// The whole file with its warnings, and where the data lives: folder, rights, free space.
void check_config(Findings& findings, const CliContext& context, const std::filesystem::path& config);
void check_data_dir(Findings& findings, const std::filesystem::path& data_dir, const std::string& config_file);

/// Everything that needs the server. Answers false if none answers.
bool check_server(Findings& findings, CliContext& context, HttpClient& client);

/// /readyz with its components as an object by name or a list of {name, ...}; answers how many there are.
int check_components(Findings& findings, const Json& ready);
/// The rows of /v1/freshness.
void check_sources(Findings& findings, const Json& freshness);

/// What /v1/queues, /v1/workers and the running jobs of /v1/jobs tell: work that nobody does, workers that take none,
/// jobs that do not get on. Queues are those of one tenant.
void check_queues(Findings& findings, const Json& queues, WallTime now, std::string_view tenant = {});
void check_workers(Findings& findings, const Json& workers, WallTime now);
void check_jobs(Findings& findings, const Json& jobs, WallTime now);
/// /v1/schedules: one whose time is over and that did not fire.
void check_schedules(Findings& findings, const Json& schedules, WallTime now);

/// The upstreams and databases that the config declares: whether something is there.
void check_upstreams(Findings& findings, const CliContext& context, const Definitions& definitions);

/// FAIL first, then WARN, then one line of all that is well.
std::string findings_words(const Findings& findings, bool color);
std::string findings_json(const Findings& findings);

} // namespace freshet::cli
