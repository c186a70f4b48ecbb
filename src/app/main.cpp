// SPDX-License-Identifier: Apache-2.0
// The one program: the server, the commands that speak to it, and the children that the server starts of itself.

#include "app/backup_command.hpp"
#include "app/serve.hpp"
#include "base/failure.hpp"
#include "cli/commands.hpp"
#include "runners/command/warden.hpp"
#include "runners/shape/child.hpp"

#include <iostream>
#include <string_view>

int main(int argc, char** argv)
{
    using namespace std::string_view_literals;
    // Before anything else is set up: what a child is given is its whole world.
    if (argc >= 2 && argv[1] == "child"sv)
        return argc >= 3 && argv[2] == "command"sv ? freshet::run_command_child()
                                                   : freshet::run_shape_child(freshet::shape_child_fd);

    const freshet::SystemClock clock;
    freshet::cli::CliContext context = freshet::cli::process_context(clock);
    CLI::App app{"Keeps slow data fresh, and says how fresh it is.", "freshet"};
    app.set_version_flag("--version", "freshet " FRESHET_VERSION);
    app.require_subcommand(1);
    freshet::add_serve(app, context);
    freshet::add_backup(app, context);
    freshet::cli::add_client_commands(app, context);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return freshet::cli::tell_usage(app, error, context);
    } catch (const freshet::Failure& failure) {
        std::cerr << failure.what() << '\n';
        return freshet::cli::exit_failed;
    }
    // A value that never reached its file is no success: > /dev/full, or a full disk.
    if (context.exit_code == freshet::cli::exit_done && !std::cout.flush()) {
        std::cerr << "the output could not be written.   try: df -h; look at where it is sent\n";
        return freshet::cli::exit_failed;
    }
    return context.exit_code;
}
