// SPDX-License-Identifier: Apache-2.0
#pragma once
// The work on an order: format, expressions, result. What a shaping child does, as a plain call.
//
// Keeps the last compiled jq programs, since compiling costs more than most runs. May take any time and memory that the
// expressions of the order want, and libjq ends the process when memory is out: the server calls it through a child
// only. Threads: one.

#include "runners/shape/jq_program.hpp"
#include "runners/shape/shape.hpp"

#include <list>
#include <string>
#include <string_view>

namespace freshet {

/// Whether an order would meet jq or libxml2, which only children may. What is left (JSON as it is, CSV, tables, lines)
/// is our own and simdjson's work, bounded by the size of its input.
bool needs_child(const ShapeOrder& order);

class Shaper {
public:
    ShapeResult<Shaped> shape(ShapeOrder order, const ShapeLimits& limits);

private:
    struct Kept {
        std::string expression;
        JqProgram program;
    };

    ShapeResult<JqProgram*> program(std::string_view what, const std::string& expression);
    ShapeResult<void> check(const ShapeOrder& order);
    ShapeResult<void> run_jq(const ShapeOrder& order, Shaped& shaped);
    ShapeResult<JqValue> run(std::string_view what, const std::string& expression, const JqValue& document,
                             bool nothing_is_null);

    static constexpr std::size_t programs_max = 16;
    std::list<Kept> programs_; // the last used in front
};

} // namespace freshet
