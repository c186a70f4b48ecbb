// SPDX-License-Identifier: Apache-2.0
#pragma once
// Reads sources of kind "command": the engine's Runner over local processes, with shaping done elsewhere.
//
// Life: the constructor starts one thread, stop() (or the destructor) ends it. That thread watches all runs by epoll:
// pipes, control sockets, time limits; it takes starts, cancels and shaping results from an inbox and speaks to the
// sinks. The processes themselves are made and ended by a child of small memory (warden.hpp says why).
// Threads: start(), cancel(), stop() as Runner says; sinks are called from the runner's thread only (from start()'s
// where it comes after stop()). Always holds: each started flight ends exactly once, when its whole process tree is
// gone, and at the latest 2 s after it was told to; a run that ends leaves no process, zombie or descriptor behind.

#include "base/clock.hpp"
#include "engine/runner.hpp"
#include "runners/shape/shape.hpp"

#include <memory>
#include <string>
#include <vector>

namespace freshet {

struct CommandOptions {
    /// How to call this binary so that it ends up in run_command_child() (warden.hpp).
    std::string program = "/proc/self/exe";
    std::vector<std::string> arguments{"child", "command"};
    /// Between SIGTERM and SIGKILL: the rest of the seam's 2 s is for the end itself.
    Millis grace{1700};
};

class CommandRunner final : public Runner {
public:
    /// @param clock  steady() measures the limits; must outlive the runner.
    /// @throws Failure when there are no descriptors left for the runner's own two.
    CommandRunner(const Clock& clock, ShapeCall shape, CommandOptions options = {});
    ~CommandRunner() override;

    void start(FlightOrder order, FlightSink& sink) override;
    void cancel(JobId job, Seq fence) override;
    void stop() override;

private:
    class Loop;
    struct Inbox;
    std::shared_ptr<Inbox> inbox_;
    std::unique_ptr<Loop> loop_;
};

} // namespace freshet
