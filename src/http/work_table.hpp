// SPDX-License-Identifier: Apache-2.0
#pragma once
// What one core knows of remote work beside the read cache: the workers, the queues, and the progress of running jobs,
// as notices told of them.
//
// Life: one per core, ends with it. Threads: the loop's only. Always holds: the same on every core that has applied the
// same notices; workers are those of this process's life, since a worker is known by its calls. Progress is written to
// its job's row now and then only: whoever shows a job that was read from the store shows it with_progress().

#include "engine/view.hpp"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>

namespace freshet::http {

class WorkTable {
public:
    using Workers = std::map<std::pair<std::string, std::string>, std::shared_ptr<const WorkerView>>;

    void apply(const Notice& notice)
    {
        for (const auto& worker : notice.workers) {
            const auto name = std::pair{worker->tenant, worker->id};
            if (worker->state == WorkerView::State::gone)
                workers_.erase(name);
            else
                workers_[name] = worker;
        }
        for (const auto& queue : notice.queues) queues_[queue->queue] = queue;
        for (const auto& job : notice.progress) moving_[job->id.value] = job;
        for (const auto& job : notice.jobs)
            if (job->state != JobState::running) moving_.erase(job->id.value);
    }

    /// As far as notices told; each process tells anew what was set before it.
    bool queue_paused(std::string_view queue) const
    {
        const auto found = queues_.find(queue);
        return found != queues_.end() && found->second->paused;
    }
    /// The job as those see it who watched it: a later reader is told no less (F6).
    Job with_progress(Job job) const
    {
        const auto found = moving_.find(job.id.value);
        if (found == moving_.end() || job.state != JobState::running || found->second->fence != job.fence) return job;
        const Job& known = *found->second;
        if (job.progress_at && known.progress_at < job.progress_at) return job;
        job.progress = known.progress;
        job.progress_at = known.progress_at;
        job.beat_at = std::max(job.beat_at, known.beat_at);
        return job;
    }
    /// By tenant and id.
    const Workers& workers() const { return workers_; }
    /// Open claims of this core: each is told when the server begins to stop. The number ends it.
    void open_claim(std::uint64_t offer, std::function<void()> stop) { claims_.emplace(offer, std::move(stop)); }
    void close_claim(std::uint64_t offer) { claims_.erase(offer); }
    void stop()
    {
        for (const auto& [offer, told] : std::exchange(claims_, {})) told();
    }
    /// Names a claim of this core, for its withdrawal; never the same on two cores.
    std::uint64_t next_offer(int core) { return (++offers_ << 8U) + static_cast<std::uint64_t>(core & 0xFF); }

private:
    Workers workers_;
    std::map<std::string, std::shared_ptr<const QueueView>, std::less<>> queues_;
    std::unordered_map<std::int64_t, std::shared_ptr<const Job>> moving_; ///< running, with progress
    std::map<std::uint64_t, std::function<void()>> claims_;
    std::uint64_t offers_ = 0;
};

} // namespace freshet::http
