// SPDX-License-Identifier: Apache-2.0
// The test program is its own shaping child, as the server is: `freshet_shape_test child`.
// As `freshet_shape_test orphan` it starts a child, gives it work without end, says its process id and is gone.
#include "base/clock.hpp"
#include "runners/shape/child.hpp"
#include "runners/shape/child_process.hpp"

#include <cstdio>
#include <gtest/gtest.h>
#include <string_view>
#include <unistd.h>

namespace {

[[noreturn]] void leave_an_orphan()
{
    const auto child = freshet::ShapeChild::start("/proc/self/exe");
    if (!child) _exit(1);
    freshet::ShapeRequest request;
    request.parent = getpid();
    request.order.input = "1";
    request.order.select = "last(range(infinite))";
    request.limits.run_max = freshet::Millis{30'000};
    // The order is under way and nobody will wait for its end.
    (void)(*child)->exchange(request, freshet::SystemClock{}.steady() + freshet::Millis{300}, -1);
    std::printf("%d\n", static_cast<int>((*child)->pid()));
    std::fflush(stdout);
    _exit(0);
}

} // namespace

int main(int argc, char** argv)
{
    const std::string_view mode = argc > 1 ? argv[1] : "";
    if (mode == "child") return freshet::run_shape_child(freshet::shape_child_fd);
    if (mode == "orphan") leave_an_orphan();
    testing::InitGoogleTest(&argc, argv);
    return RUN_ALL_TESTS();
}
