// SPDX-License-Identifier: Apache-2.0
#pragma once
// The commands that speak to a server, and those that need none: get, refresh, watch, jobs, doctor, top, completion,
// init. Each answers its exit code; add_client_commands() hangs them on main's CLI::App.

#include "cli/context.hpp"

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

namespace freshet::cli {

/// What every command takes.
struct CommonOptions {
    bool json = false;
    std::string config; ///< --config FILE; empty: ./freshet.toml
    std::string tenant; ///< --tenant NAME; empty: the token's
};

struct GetOptions {
    CommonOptions common;
    std::string key;
    std::optional<Millis> max_age;
    bool meta = false;
};
/// The value on stdout, byte for byte. It compares ages itself and never starts work.
int run_get(CliContext& context, const GetOptions& options);

struct RefreshOptions {
    CommonOptions common;
    std::string key;
    Millis wait{0}; ///< 0: asks and does not wait
};
int run_refresh(CliContext& context, const RefreshOptions& options);

struct WatchOptions {
    CommonOptions common;
    std::vector<std::string> keys;
};
/// A line for each state and change, until it is interrupted or the server says that there is no more.
int run_watch(CliContext& context, const WatchOptions& options);

struct JobsListOptions {
    CommonOptions common;
    std::string state, queue, kind, key, tag, after;
    int limit = 50;
};
int run_jobs_list(CliContext& context, const JobsListOptions& options);

struct JobsShowOptions {
    CommonOptions common;
    std::string id;
};
int run_jobs_show(CliContext& context, const JobsShowOptions& options);

struct RunOptions {
    CommonOptions common;
    std::vector<std::string> queues;
    std::vector<std::string> command;
    int slots = 1;
    std::string worker;        ///< its id; empty: host and process id
    Millis grace{20'000};      ///< after SIGTERM: for what runs to end by itself
    Millis kill_after{10'000}; ///< between SIGTERM and SIGKILL of a program that is to stop
};
/// A worker whose jobs are each one process, until it is told to stop.
int run_run(CliContext& context, const RunOptions& options);

struct TokenNewOptions {
    CommonOptions common;
    std::string name, tenant, role = "viewer";
    bool refresh = false;
    std::optional<Millis> expires_in;
};
/// The token on stdout, alone: it is shown this once.
int run_token_new(CliContext& context, const TokenNewOptions& options);

struct ConsoleOptions {
    CommonOptions common;
};
int run_console(CliContext& context, const ConsoleOptions& options);

struct TokenListOptions {
    CommonOptions common;
    std::string tenant, after;
    int limit = 50;
};
int run_token_list(CliContext& context, const TokenListOptions& options);

struct TokenRevokeOptions {
    CommonOptions common;
    std::string name;
};
int run_token_revoke(CliContext& context, const TokenRevokeOptions& options);

struct TopOptions {
    CommonOptions common;
    bool once = false;
};
/// The freshness table; on a terminal redrawn until it is interrupted, elsewhere once.
int run_top(CliContext& context, const TopOptions& options);

/// Works with the server up or down; exit 1 if anything is a FAIL.
int run_doctor(CliContext& context, const CommonOptions& options);

/// Writes a freshet.toml (or options.config) that works as it is; never over another.
int run_init(CliContext& context, const CommonOptions& options);
/// The file that init writes.
std::string_view init_text();

/// A completion script for bash, zsh or fish, made of the commands and options that `app` has.
std::string completion_script(const CLI::App& app, std::string_view shell);

/// Adds the commands to `app`. Their callbacks run them and leave the code in context.exit_code; `app` and `context`
/// must outlive the parse.
void add_client_commands(CLI::App& app, CliContext& context);

/// For main's catch of CLI::ParseError: prints help and version as asked (0), or what is wrong with a try line (2).
int tell_usage(const CLI::App& app, const CLI::ParseError& error, CliContext& context);

} // namespace freshet::cli
