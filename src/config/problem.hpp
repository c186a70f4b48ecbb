// SPDX-License-Identifier: Apache-2.0
#pragma once
// What is wrong with a config file, as a person needs it: where, what, and what to write instead.

#include <string>
#include <string_view>
#include <vector>

namespace freshet {

/// A place in the file, both counted from 1; 0: the file as a whole.
struct ConfigPlace {
    int line = 0, column = 0;
};

struct ConfigProblem {
    int line = 0, column = 0;
    std::string message;
    std::string try_; ///< what to do about it; may be empty
    friend bool operator==(const ConfigProblem&, const ConfigProblem&) = default;
};

/// "freshet.toml:12:3: message.   try: ...", the one form in which config problems are shown and logged.
std::string to_line(const ConfigProblem& problem, std::string_view file);
/// As to_line(), one line each.
std::string to_lines(const std::vector<ConfigProblem>& problems, std::string_view file);

} // namespace freshet
