// SPDX-License-Identifier: Apache-2.0
#pragma once
// The help behind each problem's `type`: what the code means and what to do. One table. Never changes.

#include <span>
#include <string>
#include <string_view>

namespace freshet::http {

struct ProblemHelp {
    std::string_view code, title, meaning, advice;
};

std::span<const ProblemHelp> problem_helps();

/// The page of a code; of an unknown one a page that says so. @param style  address of the style sheet.
std::string problem_page(std::string_view code, std::string_view style);

} // namespace freshet::http
