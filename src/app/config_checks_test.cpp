// SPDX-License-Identifier: Apache-2.0
#include "app/config_checks.hpp"

#include <gtest/gtest.h>

namespace freshet {
namespace {

TEST(ConfigChecks, AnExpressionThatDoesNotCompileIsToldWithoutTheNameOfItsSetting)
{
    EXPECT_EQ(wrong_expression({ShapeErrorCode::bad_program, "select: syntax error, unexpected end"}, "(("),
              "syntax error, unexpected end");
}

TEST(ConfigChecks, AMachineThatIsTooBusyToTryItMakesNoExpressionWrong)
{
    EXPECT_EQ(wrong_expression({ShapeErrorCode::timed_out, "select: not done within 10s"}, ".data"), std::nullopt);
}

} // namespace
} // namespace freshet
