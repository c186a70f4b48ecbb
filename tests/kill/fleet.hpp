// SPDX-License-Identifier: Apache-2.0
#pragma once
// Workers as real processes, and what befalls them: killed, stopped past their lease, told to go.
//
// Life: all are started by the constructor and killed by the destructor; each has a place, and whoever goes is followed
// by another in that place. Threads: one. What always holds: every place has a process, running or stopped.

#include "tests/sdk/test_worker.hpp"

#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace freshet::outside {

class Fleet {
public:
    /// @param log  the file that takes what they say about themselves.
    Fleet(std::string url, std::string log, int size, int slots);

    int size() const { return static_cast<int>(places_.size()); }
    bool stopped(int place) const { return places_[static_cast<std::size_t>(place)].stopped_at.has_value(); }
    int stopped_count() const;

    /// SIGKILL, and another worker. With the same id its first claim tells the server that it holds nothing; with
    /// another only the end of the lease does.
    void kill(int place, bool same_id);
    /// SIGTERM: it hands back what does not end at once, and goes with 0. One that has not begun to work may not have
    /// its handler yet: it goes by the signal. @return false if it went otherwise.
    bool terminate(int place);
    /// SIGSTOP.
    void stop(int place);
    /// SIGCONT for those that were stopped at least so long ago.
    void go_on(Millis after);

    /// Reads what all have said, so that no pipe is full.
    void hear();
    /// The hand-outs (job, attempt) whose handler was begun, as far as heard.
    const std::set<std::pair<std::string, int>>& begun() const { return begun_; }
    /// How many handlers learned that their lease was lost, as far as heard.
    int told_lost() const { return told_lost_; }

private:
    struct Place {
        std::unique_ptr<TestWorker> worker;
        std::string id;
        int successors = 0;
        bool began = false; ///< it has worked
        std::optional<std::chrono::steady_clock::time_point> stopped_at;
    };
    void start(Place& place);
    void hear(Place& place);

    std::string url_, log_;
    int slots_;
    Language language_;
    std::vector<Place> places_;
    std::set<std::pair<std::string, int>> begun_;
    int told_lost_ = 0;
};

} // namespace freshet::outside
