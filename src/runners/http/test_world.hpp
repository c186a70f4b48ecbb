// SPDX-License-Identifier: Apache-2.0
#pragma once
// A runner with a sink that remembers, for the tests of this folder. Shaping is done in place, by the child's own code,
// unless a test gives it a pool.

#include "base/clock.hpp"
#include "runners/http/http_runner.hpp"
#include "runners/http/test_server.hpp"
#include "runners/shape/shaper.hpp"

#include <condition_variable>
#include <functional>
#include <gtest/gtest.h>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

namespace freshet::test {

class RememberingSink final : public FlightSink {
public:
    void progress(JobId job, Seq, Progress progress) override
    {
        const std::lock_guard lock{mutex_};
        progress_[job].push_back(std::move(progress));
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
        const bool came = changed_.wait_for(lock, std::chrono::seconds{60}, [&] { return ends_.contains(job); });
        EXPECT_TRUE(came) << "the flight did not end";
        return came ? ends_[job].front() : FlightEnd{FlightFailure{ErrorClass::fatal, "never_ended", "", {}, {}}};
    }
    std::size_t ends(JobId job)
    {
        const std::lock_guard lock{mutex_};
        return ends_[job].size();
    }
    std::vector<Progress> told(JobId job)
    {
        const std::lock_guard lock{mutex_};
        return progress_[job];
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::map<JobId, std::vector<FlightEnd>> ends_;
    std::map<JobId, std::vector<Progress>> progress_;
};

inline ShapeCall shape_in_place()
{
    return [shaper = std::make_shared<Shaper>()](ShapeOrder order, Millis, const ShapeAnswer& answer) {
        answer(shaper->shape(std::move(order), {}));
    };
}

/// A source over loopback, which is allowed to it.
inline SourceDefinition source_at(std::string url)
{
    SourceDefinition source;
    source.name = "rates";
    source.kind = SourceKind::http;
    source.format = InputFormat::json;
    source.http.url = std::move(url);
    source.http.allow_private = true;
    return source;
}

struct World {
    SystemClock clock;
    RememberingSink sink;
    HttpRunner runner;
    std::int64_t jobs = 0;

    explicit World(HttpLimits limits = {}, ShapeCall shape = shape_in_place()) : runner{clock, std::move(shape), limits}
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
    FlightEnd fetch(const SourceDefinition& source, const std::function<void(FlightOrder&)>& change = {})
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

#define EXPECT_HAS(text, part) EXPECT_TRUE(::freshet::test::has(text, part)) << text

} // namespace freshet::test
