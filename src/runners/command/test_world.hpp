// SPDX-License-Identifier: Apache-2.0
#pragma once
// A command runner with a sink that remembers, and a look at the processes of this machine, for the tests of this
// folder. Shaping is done in place, by the child's own code; the spawner is this test program
// (command_runner_test.cpp).

#include "base/clock.hpp"
#include "runners/command/command_runner.hpp"
#include "runners/shape/shaper.hpp"

#include <condition_variable>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <functional>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <iterator>
#include <map>
#include <mutex>
#include <sstream>
#include <sys/types.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace freshet::test {

class RememberingSink final : public FlightSink {
public:
    void progress(JobId job, Seq, Progress progress) override
    {
        const std::lock_guard lock{mutex_};
        EXPECT_TRUE(ends_[job].empty()) << "progress after the end";
        told_[job].push_back(std::move(progress));
        changed_.notify_all();
    }
    void ended(JobId job, Seq, FlightEnd end) override
    {
        const std::lock_guard lock{mutex_};
        ends_[job].push_back(std::move(end));
        changed_.notify_all();
    }

    /// The end of the flight; the test fails if there is none in 60 s.
    FlightEnd wait(JobId job)
    {
        std::unique_lock lock{mutex_};
        const bool came = changed_.wait_for(lock, 60s, [&] { return !ends_[job].empty(); });
        EXPECT_TRUE(came) << "the flight did not end";
        return came ? ends_[job].front() : FlightEnd{FlightFailure{ErrorClass::fatal, "never_ended", "", {}, {}}};
    }
    /// The first progress: how a command says that it is where the test wants it.
    Progress wait_progress(JobId job)
    {
        std::unique_lock lock{mutex_};
        const bool came = changed_.wait_for(lock, 60s, [&] { return !told_[job].empty() || !ends_[job].empty(); });
        EXPECT_TRUE(came && !told_[job].empty()) << "no progress came";
        return told_[job].empty() ? Progress{} : told_[job].front();
    }
    std::size_t ends(JobId job)
    {
        const std::lock_guard lock{mutex_};
        return ends_[job].size();
    }
    std::vector<Progress> told(JobId job)
    {
        const std::lock_guard lock{mutex_};
        return told_[job];
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::map<JobId, std::vector<FlightEnd>> ends_;
    std::map<JobId, std::vector<Progress>> told_;
};

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
        FlightOrder order;
        order.job = JobId{++jobs};
        order.fence = 7;
        order.source = std::make_shared<const SourceDefinition>(source);
        order.now = clock.wall();
        order.run_limit = 30s;
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

inline const FlightData& data_of(const FlightEnd& end)
{
    static const FlightData none{};
    if (const auto* failure = std::get_if<FlightFailure>(&end))
        ADD_FAILURE() << failure->code << ": " << failure->message;
    const auto* data = std::get_if<FlightData>(&end);
    EXPECT_NE(data, nullptr) << "no data";
    return data != nullptr ? *data : none;
}

inline const FlightFailure& failure_of(const FlightEnd& end)
{
    static const FlightFailure none{};
    const auto* failure = std::get_if<FlightFailure>(&end);
    EXPECT_NE(failure, nullptr) << "no failure";
    return failure != nullptr ? *failure : none;
}

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
