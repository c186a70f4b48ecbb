// SPDX-License-Identifier: Apache-2.0
#include "engine/meters.hpp"

namespace freshet {

namespace {

using prometheus::BuildCounter;
using prometheus::BuildGauge;
using prometheus::BuildHistogram;

double seconds(Millis length)
{
    return static_cast<double>(length.count()) / 1000.0;
}

const prometheus::Histogram::BucketBoundaries durations{0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300};

} // namespace

Meters::Meters(Metrics& metrics)
    : refreshes_{BuildCounter()
                     .Name("freshet_refreshes_total")
                     .Help("Refreshes that ended")
                     .Register(metrics.registry())},
      durations_{BuildHistogram()
                     .Name("freshet_refresh_duration_seconds")
                     .Help("From the claim to the end of a good refresh")
                     .Register(metrics.registry())},
      waits_{BuildHistogram()
                 .Name("freshet_job_wait_seconds")
                 .Help("From the request to the first claim")
                 .Register(metrics.registry())},
      jobs_{BuildGauge().Name("freshet_jobs").Help("Live jobs").Register(metrics.registry())},
      as_of_{BuildGauge()
                 .Name("freshet_snapshot_as_of_timestamp_seconds")
                 .Help("When the newest data of a source was true")
                 .Register(metrics.registry())},
      commits_{BuildCounter().Name("freshet_commits_total").Help("Group commits").Register(metrics.registry()).Add({})},
      commits_failed_{BuildCounter()
                          .Name("freshet_commits_failed_total")
                          .Help("Group commits that the store refused")
                          .Register(metrics.registry())
                          .Add({})},
      events_{BuildCounter()
                  .Name("freshet_ledger_events_total")
                  .Help("Events in the ledger")
                  .Register(metrics.registry())
                  .Add({})},
      group_{BuildHistogram()
                 .Name("freshet_commit_requests")
                 .Help("Requests that one commit served")
                 .Register(metrics.registry())
                 .Add({}, prometheus::Histogram::BucketBoundaries{1, 2, 4, 8, 16, 32, 64, 128, 256, 512})}
{
}

void Meters::refresh_ended(const Job& job, Outcome outcome)
{
    refreshes_
        .Add({{"source", job.queue},
              {"trigger", std::string{to_text(job.trigger)}},
              {"outcome", std::string{to_text(outcome)}}})
        .Increment();
    if (job.began_at && job.finished_at && (outcome == Outcome::updated || outcome == Outcome::unchanged))
        durations_.Add({{"source", job.queue}}, durations).Observe(seconds(*job.finished_at - *job.began_at));
}

void Meters::began(const Job& job, WallTime now)
{
    if (job.attempt == 1) of_queue(job.queue).waits.Observe(seconds(now - job.requested_at));
}

Meters::OfQueue& Meters::of_queue(std::string_view queue)
{
    if (const auto known = queues_.find(queue); known != queues_.end()) return known->second;
    const std::string name{queue};
    const auto live = [&](JobState state) -> prometheus::Gauge& {
        return jobs_.Add({{"queue", name}, {"state", std::string{to_text(state)}}});
    };
    return queues_
        .emplace(name,
                 OfQueue{live(JobState::queued), live(JobState::running), waits_.Add({{"queue", name}}, durations)})
        .first->second;
}

void Meters::moved(std::string_view queue, std::optional<JobState> from, JobState to)
{
    if (from == to) return;
    OfQueue& of = of_queue(queue);
    const auto gauge = [&](JobState state) -> prometheus::Gauge& {
        return state == JobState::queued ? of.queued : of.running;
    };
    if (from && !is_terminal(*from)) gauge(*from).Decrement();
    if (!is_terminal(to)) gauge(to).Increment();
}

void Meters::published(const std::string& tenant, const std::string& source, WallTime as_of)
{
    as_of_.Add({{"tenant", tenant}, {"source", source}}).Set(static_cast<double>(to_ms(as_of)) / 1000.0);
}

void Meters::committed(std::size_t requests, std::size_t events)
{
    commits_.Increment();
    events_.Increment(static_cast<double>(events));
    group_.Observe(static_cast<double>(requests));
}

} // namespace freshet
