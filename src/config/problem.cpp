// SPDX-License-Identifier: Apache-2.0
#include "config/problem.hpp"

#include <fmt/format.h>

namespace freshet {

std::string to_line(const ConfigProblem& problem, std::string_view file)
{
    std::string line{file};
    if (problem.line > 0) line += fmt::format(":{}:{}", problem.line, problem.column);
    line += fmt::format(": {}.", problem.message);
    if (!problem.try_.empty()) line += fmt::format("   try: {}", problem.try_);
    return line;
}

std::string to_lines(const std::vector<ConfigProblem>& problems, std::string_view file)
{
    std::string lines;
    for (const ConfigProblem& problem : problems) lines += to_line(problem, file) + "\n";
    return lines;
}

} // namespace freshet
