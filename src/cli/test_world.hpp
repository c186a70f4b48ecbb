// SPDX-License-Identifier: Apache-2.0
#pragma once
// A command in a world of its own for tests: string streams, an environment of the test's, a folder that goes away.

#include "base/folder_world.hpp"
#include "cli/commands.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace freshet::cli {

class TestWorld {
public:
    TestWorld() { context.folder = folder.path(); }
    explicit TestWorld(const std::string& url) : TestWorld() { variables["FRESHET_URL"] = url; }

    /// Runs a command line as main does and answers the exit code.
    int run(std::vector<std::string> words)
    {
        out.str({}), err.str({});
        context.exit_code = exit_done;
        CLI::App app{"freshet", "freshet"};
        app.require_subcommand(1);
        add_client_commands(app, context);
        std::vector<std::string> reversed{words.rbegin(), words.rend()};
        try {
            app.parse(reversed);
        } catch (const CLI::ParseError& error) {
            return tell_usage(app, error, context);
        }
        return context.exit_code;
    }

    void write(const std::string& name, const std::string& text) const { std::ofstream{context.folder / name} << text; }
    std::string read(const std::string& name) const
    {
        std::stringstream text;
        text << std::ifstream{context.folder / name}.rdbuf();
        return text.str();
    }

    test::Folder folder;
    std::map<std::string, std::string> variables;
    std::ostringstream out, err;
    SystemClock clock;
    CliContext context{out, err, clock, [this](const std::string& name) {
                           const auto found = variables.find(name);
                           return found == variables.end() ? std::nullopt : std::optional{found->second};
                       }};
};

} // namespace freshet::cli
