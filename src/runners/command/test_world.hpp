// SPDX-License-Identifier: Apache-2.0
#pragma once
// A command runner with a sink that remembers, and a look at the processes of this machine, for the tests of this
// folder. Shaping is done in place, by the child's own code; the spawner is this test program
// (command_runner_test.cpp).

#include "base/clock.hpp"
#include "engine/flight_world.hpp"
#include "runners/command/command_runner.hpp"
#include "runners/shape/shaper.hpp"

#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <functional>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <iterator>
#include <sstream>
#include <sys/types.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace freshet::test {

inline ShapeCall shape_in_place()
{
    return [shaper = std::make_shared<Shaper>()](ShapeOrder order, Millis,
                                                 const std::function<void(ShapeResult<Shaped>)>& answer) {
        answer(shaper->shape(std::move(order), {}));
    };
}

inline SourceDefinition source_of(std::vector<std::string> run)
{
    SourceDefinition source;
    source.name = "disk";
    source.kind = SourceKind::command;
    source.format = InputFormat::text;
    source.command.run = std::move(run);
    return source;
}

/// The test's own script: what a source's author would write to have a shell on purpose.
inline SourceDefinition script(std::string text)
{
    return source_of({"/bin/sh", "-c", std::move(text)});
}

struct World {
    SystemClock clock;
    RememberingSink sink;
    CommandRunner runner;
    std::int64_t jobs = 0;

    explicit World(CommandOptions options = {}, ShapeCall shape = shape_in_place())
        : runner{clock, std::move(shape), std::move(options)}
    {
    }

    JobId start(const SourceDefinition& source, const std::function<void(FlightOrder&)>& change = {})
    {
        FlightOrder order = an_order(++jobs, source, clock.wall());
        if (change) change(order);
        const JobId job = order.job;
        runner.start(std::move(order), sink);
        return job;
    }
    FlightEnd run(const SourceDefinition& source, const std::function<void(FlightOrder&)>& change = {})
    {
        return sink.wait(start(source, change));
    }
};

/// A text that no other process of this machine has in its arguments: the length of a very long sleep.
inline std::string marker()
{
    static int count = 0;
    return fmt::format("{}{:04}", 1'000'000 + ::getpid(), ++count);
}

/// Living processes with an argument that contains `text`; zombies have no arguments.
inline std::vector<pid_t> processes_with(const std::string& text)
{
    std::vector<pid_t> found;
    for (const auto& entry : std::filesystem::directory_iterator{"/proc"}) {
        const std::string name = entry.path().filename();
        if (name.find_first_not_of("0123456789") != std::string::npos) continue;
        std::ifstream file{entry.path() / "cmdline"};
        std::ostringstream line; // reading into it fails quietly where the process has just gone
        line << file.rdbuf();
        if (line.view().find(text) != std::string_view::npos) found.push_back(std::stoi(name));
    }
    return found;
}

inline std::ptrdiff_t open_descriptors()
{
    const std::filesystem::directory_iterator all{"/proc/self/fd"};
    return std::distance(begin(all), end(all));
}

} // namespace freshet::test
