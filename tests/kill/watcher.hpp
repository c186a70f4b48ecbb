// SPDX-License-Identifier: Apache-2.0
#pragma once
// The one who watches a batch by SSE: comes back with the last id it has read whenever the stream is cut, and holds the
// server to what a progress display needs. No counter falls, no item that ended is shown in another state, and the end
// comes.
//
// Life: watches from its constructor until it has seen the end, or its destructor. Threads: its own; the calls are for
// any.

#include "tests/http/harness.hpp"

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <thread>

namespace freshet::outside {

class Watcher {
public:
    struct Seen {
        std::int64_t total = 0, done = 0, succeeded = 0, failed = 0;
        std::string state; ///< the terminal one, once it was read
        int connects = 0, resumed = 0, resets = 0, events = 0;
        std::map<std::string, std::string> ended; ///< state of each item that was shown as ended, by key
    };

    Watcher(std::string url, std::string batch);
    ~Watcher();
    Watcher(const Watcher&) = delete;
    Watcher& operator=(const Watcher&) = delete;

    /// True once at least so many items were seen as done; false when `within` is over first.
    bool await_done(std::int64_t count, Millis within);
    /// True once the batch's end was read.
    bool await_end(Millis within);
    Seen seen() const;

private:
    void watch();
    void take(const StreamEvent& event);
    void take_counts(const StreamEvent& event);
    void take_items(const StreamEvent& event);

    std::string url_, batch_;
    std::string cursor_; ///< the thread's
    mutable std::mutex mutex_;
    std::condition_variable came_;
    Seen seen_; ///< guarded by mutex_
    std::atomic<bool> leave_{false};
    std::thread thread_;
};

} // namespace freshet::outside
