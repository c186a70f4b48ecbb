// SPDX-License-Identifier: Apache-2.0
#pragma once
// Reads sources of kind "http": the engine's Runner over libcurl, with shaping done elsewhere.
//
// Life: the constructor starts one thread, stop() (or the destructor) ends it. That thread drives all flights: it takes
// starts, cancels and shaping results from an inbox, lets Connections move bytes, asks Flight what comes next, keeps
// the time limits and speaks to the sinks, at most four times a second and flight before the end. Threads: start(),
// cancel(), stop() as Runner says; the sinks are called from the runner's thread only (from start()'s where it comes
// after stop()). Always holds: each started flight ends exactly once; nothing but its inbox outlives stop(), and what
// arrives there later is dropped; how many flights run at once is the host's business.

#include "base/clock.hpp"
#include "engine/runner.hpp"
#include "runners/shape/shape.hpp"

#include <memory>
#include <string>
#include <vector>

namespace freshet {

struct HttpLimits {
    Millis connect = 10s; ///< resolve, connect and TLS of one request together
    Millis stall = 30s;   ///< without a byte, once the answer has begun; before that only run_limit counts
    /// "host:port:address": these names are not asked of DNS. For tests; the address is checked as any other.
    std::vector<std::string> names;
};

class HttpRunner final : public Runner {
public:
    /// @param clock  steady() measures the limits; must outlive the runner.
    /// @throws Failure when there are no descriptors left for the runner's own two.
    HttpRunner(const Clock& clock, ShapeCall shape, HttpLimits limits = {});
    ~HttpRunner() override;

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
