// SPDX-License-Identifier: Apache-2.0
#pragma once
// What one core knows of remote work beside the read cache: the workers and the queues as notices told of them.
//
// Life: one per core, ends with it. Threads: the loop's only. Always holds: the same on every core that has applied the
// same notices; workers are those of this process's life, since a worker is known by its calls.

#include "engine/view.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
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
    }

    /// As far as notices told: a pause of an earlier process is on disk only.
    bool queue_paused(std::string_view queue) const
    {
        const auto found = queues_.find(queue);
        return found != queues_.end() && found->second->paused;
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
    std::map<std::uint64_t, std::function<void()>> claims_;
    std::uint64_t offers_ = 0;
};

} // namespace freshet::http
