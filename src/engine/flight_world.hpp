// SPDX-License-Identifier: Apache-2.0
#pragma once
// For tests of runners: orders of flights, a sink that remembers what was told of them, and the two kinds of ends.

#include "engine/runner.hpp"

#include <condition_variable>
#include <functional>
#include <gtest/gtest.h>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

namespace freshet::test {

constexpr Seq flight_fence = 7;

inline FlightOrder an_order(std::int64_t job, const SourceDefinition& source, WallTime now)
{
    FlightOrder order;
    order.job = JobId{job};
    order.fence = flight_fence;
    order.source = std::make_shared<const SourceDefinition>(source);
    order.now = now;
    order.run_limit = 30s;
    return order;
}

/// Threads: any, as a runner's sink.
class RememberingSink : public FlightSink {
public:
    void progress(JobId job, Seq fence, Progress progress) override
    {
        EXPECT_EQ(fence, flight_fence);
        const std::lock_guard lock{mutex_};
        EXPECT_TRUE(ends_[job].empty()) << "progress after the end";
        told_[job].push_back(std::move(progress));
        changed_.notify_all();
    }
    void ended(JobId job, Seq fence, FlightEnd end) override
    {
        EXPECT_EQ(fence, flight_fence);
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

} // namespace freshet::test
