// SPDX-License-Identifier: Apache-2.0
#include "app/config_checks.hpp"

#include "app/own_program.hpp"
#include "base/log.hpp"
#include "http/within.hpp"
#include "runners/shape/child_pool.hpp"

#include <memory>

namespace freshet {

namespace {

/// Compiling takes some 20 ms; starting the child some more.
constexpr Millis compile_within = 10s;

} // namespace

std::optional<std::string> wrong_expression(const ShapeError& error, std::string_view expression)
{
    if (error.code == ShapeErrorCode::timed_out) {
        // A machine that is busy says nothing about the expression: one that is wrong is told by its answers.
        log::warn("config: an expression could not be tried", {{"expression", std::string{expression.substr(0, 200)}}});
        return std::nullopt;
    }
    constexpr std::string_view what = "select: ";
    std::string words = error.message;
    if (words.starts_with(what)) words.erase(0, what.size());
    return words;
}

ConfigChecks config_checks()
{
    auto pool = std::make_shared<std::unique_ptr<ShapePool>>();
    ConfigChecks checks;
    checks.jq = [pool](const std::string& expression) -> std::optional<std::string> {
        if (!*pool) *pool = std::make_unique<ShapePool>(ShapePoolOptions{.executable = own_program, .count_max = 1});
        ShapeOrder order;
        order.input = "null";
        order.format = InputFormat::json;
        order.select = expression;
        order.check_only = true;
        const auto result = (*pool)->shape(std::move(order), compile_within);
        return result ? std::nullopt : wrong_expression(result.error(), expression);
    };
    checks.call = [](std::string_view method, std::string_view path) { return http::check_within(method, path); };
    return checks;
}

} // namespace freshet
