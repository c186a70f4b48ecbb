// SPDX-License-Identifier: Apache-2.0
// The test program is its own shaping child, as the server is: `freshet_runner_http_test child`.
#include "runners/shape/child.hpp"

#include <gtest/gtest.h>
#include <string_view>

int main(int argc, char** argv)
{
    if (argc > 1 && std::string_view{argv[1]} == "child") return freshet::run_shape_child(freshet::shape_child_fd);
    testing::InitGoogleTest(&argc, argv);
    return RUN_ALL_TESTS();
}
