// SPDX-License-Identifier: Apache-2.0
#pragma once
// What will be run: a definition and a key's parameters become an argument list and an environment, or a refusal.
//
// Always holds: one declared argument is one argument of the program, whatever the parameters contain, and no shell
// reads it. A parameter can become neither an option (an argument that did not begin with '-' never does) nor the
// choice of a program out of PATH. The environment holds PATH, HOME and LANG of the server and what the source
// declares, nothing else.
// Threads: any; pure but for secrets, which are read here, and the server's own environment.

#include "engine/runner.hpp"

#include <expected>
#include <string>
#include <vector>

namespace freshet {

struct CommandLine {
    std::vector<std::string> arguments;   ///< the first is the program
    std::vector<std::string> environment; ///< "NAME=value"
    std::string directory;                ///< empty: the server's
    std::vector<std::string> secrets;     ///< values that must not be shown
};

/// Refusals are fatal and have the codes `bad_param`, `bad_command` and `secret_missing`.
std::expected<CommandLine, FlightFailure> command_line(const FlightOrder& order);

/// The end of a command's stderr as it may be shown: secrets struck out, one valid UTF-8 text without control
/// characters but for line feeds.
/// @param cut  true if bytes before `tail` were dropped; its first, partial line then goes too.
std::string presentable(std::string tail, bool cut, const std::vector<std::string>& secrets);

} // namespace freshet
