// SPDX-License-Identifier: Apache-2.0
#pragma once
// The commands of work that people put in and watch: jobs add, retry, cancel, run, logs; batches; schedules. Each
// answers its exit code; what they add or change is on stdout as its id or its line, words are on stderr.

#include "cli/commands.hpp"

namespace freshet::cli {

struct JobsAddOptions {
    CommonOptions common;
    std::string queue;
    std::string input; ///< JSON; "-": from stdin; empty: none
    std::vector<std::string> tags;
    std::string unique; ///< its key; a live job of the same key is answered instead
    std::optional<int> priority, attempts;
    std::optional<Millis> in; ///< due after it
};
/// Prints the id of the new job, or of the one that it was attached to.
int run_jobs_add(CliContext& context, const JobsAddOptions& options);

struct JobVerbOptions {
    CommonOptions common;
    std::string id;
    std::string verb;  ///< "retry", "cancel", "run"
    std::string input; ///< of retry: JSON that replaces the former; empty: the former
};
/// Prints the job after it.
int run_job_verb(CliContext& context, const JobVerbOptions& options);

struct JobsLogsOptions {
    CommonOptions common;
    std::string id;
};
/// The lines that its attempts wrote; on a terminal with their times.
int run_jobs_logs(CliContext& context, const JobsLogsOptions& options);

struct BatchesCreateOptions {
    CommonOptions common;
    std::string queue, name;
    std::string file = "-"; ///< NDJSON or one JSON list
    std::optional<int> concurrency;
    std::string policy, driver; ///< as the server names them; empty: its defaults
};
/// Prints the new batch's id. Large ones are given in parts and then sealed.
int run_batches_create(CliContext& context, const BatchesCreateOptions& options);

struct BatchesListOptions {
    CommonOptions common;
    std::string state, after;
    int limit = 50;
};
int run_batches_list(CliContext& context, const BatchesListOptions& options);

struct BatchOptions {
    CommonOptions common;
    std::string id;
    std::string verb;   ///< "", "cancel", "retry-failed"; "": show
    bool items = false; ///< of show: also those that failed
};
int run_batch(CliContext& context, const BatchOptions& options);

struct SchedulesOptions {
    CommonOptions common;
    std::string source; ///< of one; empty: all
};
int run_schedules(CliContext& context, const SchedulesOptions& options);

/// The items of a batch: of one JSON list, or one JSON value per line. An object with `key` or `input` is an item as
/// the server takes it; any other value is an item's input. Items without a key get their number, from 1.
CliResult<std::vector<std::string>> batch_items(std::string_view text);

/// Hangs the verbs on `jobs`, and batches and schedules on `app`.
void add_work_commands(CLI::App& app, CLI::App& jobs, CliContext& context);

} // namespace freshet::cli
