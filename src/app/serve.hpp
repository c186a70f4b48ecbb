// SPDX-License-Identifier: Apache-2.0
#pragma once
// `freshet serve`: from a config file to a running server, and back down in order.

#include "cli/context.hpp"

#include <CLI/CLI.hpp>
#include <string>

namespace freshet {

struct ServeOptions {
    std::string config = "freshet.toml";
    std::string listen; ///< instead of the config's; empty: the config's
    bool check = false; ///< read the config, say what is wrong with it, end
    double speed = 1.0; ///< divides every configured length of time
};

/// Runs until SIGTERM or SIGINT. Exit codes: 0 ended as asked, 1 could not run, 2 the config is wrong.
int run_serve(cli::CliContext& context, const ServeOptions& options);

/// Adds the command; its callback leaves the code in context.exit_code.
void add_serve(CLI::App& app, cli::CliContext& context);

} // namespace freshet
