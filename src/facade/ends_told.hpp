// SPDX-License-Identifier: Apache-2.0
#pragma once
// Which ends were logged when they were served (log_end): each job or batch once, whoever asks again, of any core.
//
// Life: one per Facades, over reloads; a restart forgets it. Threads: any but a loop's, which never waits for a lock.
// Always holds: at most `ids_max` are known, the oldest are forgotten first.

#include <cstddef>
#include <deque>
#include <mutex>
#include <string>
#include <unordered_set>

namespace freshet::facade {

class EndsTold {
public:
    explicit EndsTold(std::size_t ids_max = 100'000) : ids_max_{ids_max} {}

    /// True for the first who asks about that id.
    bool first(const std::string& id)
    {
        const std::scoped_lock lock{mutex_};
        if (!known_.insert(id).second) return false;
        order_.push_back(id);
        if (order_.size() > ids_max_) {
            known_.erase(order_.front());
            order_.pop_front();
        }
        return true;
    }

private:
    std::mutex mutex_;
    std::size_t ids_max_;
    std::unordered_set<std::string> known_;
    std::deque<std::string> order_;
};

} // namespace freshet::facade
