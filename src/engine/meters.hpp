// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the engine counts for Prometheus. Families are made once; a counter of a new label set at its first event.

#include "base/metrics.hpp"
#include "model/job.hpp"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>

namespace freshet {

class Meters {
public:
    explicit Meters(Metrics& metrics);

    void refresh_ended(const Job& job, Outcome outcome);
    void began(const Job& job, WallTime now);
    void moved(std::string_view queue, std::optional<JobState> from, JobState to);
    void published(const std::string& tenant, const std::string& source, WallTime as_of);
    void committed(std::size_t requests, std::size_t events);
    void commit_failed() { commits_failed_.Increment(); }

private:
    /// What each job of a queue moves: found once, since the library looks a figure up by its labels, as texts.
    struct OfQueue {
        prometheus::Gauge& queued;
        prometheus::Gauge& running;
        prometheus::Histogram& waits;
    };
    OfQueue& of_queue(std::string_view queue);

    prometheus::Family<prometheus::Counter>& refreshes_;
    prometheus::Family<prometheus::Histogram>& durations_;
    prometheus::Family<prometheus::Histogram>& waits_;
    prometheus::Family<prometheus::Gauge>& jobs_;
    prometheus::Family<prometheus::Gauge>& as_of_;
    prometheus::Counter& commits_;
    prometheus::Counter& commits_failed_;
    prometheus::Counter& events_;
    prometheus::Histogram& group_;
    std::map<std::string, OfQueue, std::less<>> queues_;
};

} // namespace freshet
