// SPDX-License-Identifier: Apache-2.0
#pragma once
// The engine's thread and the inbox in front of it.
//
// What waits while the last commit ran is the next group: that is all there is to group commit. Between groups the
// thread sleeps until a post, or until the instant that the engine named. Life: made over an engine that was started;
// start(), then posts from anywhere; stop() takes no more, serves what waits, joins.
// Threads: post(), hint() and figures from any; start() and stop() from one.
// Always holds: the inbox never exceeds its bounds; a request that post() took is handed to the engine exactly once; of
// an inbox no tenant holds more than half, so that one who asks too much leaves room for the others (F9).

#include "base/clock.hpp"
#include "base/metrics.hpp"
#include "engine/engine.hpp"

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace freshet {

struct InboxLimits {
    std::size_t requests_max = 8192;
    std::size_t bytes_max = 128UL << 20; ///< of results that wait; one alone may be larger
    std::size_t backlog_max = 16'384;    ///< entries that a core has not read: above it nothing more is taken
};

/// Engine::step, or what stands for it in a test. Throws StoreFailure when the group was not kept; whoever waits for it
/// has been answered then.
using EngineStep = std::function<std::optional<WallTime>(std::vector<Posted> group, WallTime now)>;

class EngineThread final : public EnginePort {
public:
    /// @param backlog  Tail::backlog(): a core that does not read must not make the others' memory grow.
    /// @param clock    engine time; must outlive this.
    EngineThread(EngineStep step, std::function<std::size_t()> backlog, const Clock& clock, Metrics& metrics,
                 InboxLimits limits = {});
    ~EngineThread() override { stop(); }

    void start();
    void stop();

    bool post(Request request, int core, ReplyTo reply) override;
    bool hint(Request request) override;

    /// How long the step that runs now has been running; 0 between steps. For /readyz.
    Millis busy_for() const;
    /// The last group was not kept. For /readyz.
    bool store_failing() const { return store_failing_.load(std::memory_order_relaxed); }

private:
    struct Waiting {
        Posted posted;
        std::size_t bytes = 0;
        std::string tenant; ///< whose half it counts against; empty: nobody's
    };
    bool take(Posted posted, bool is_hint);
    void run();
    bool sleep(std::optional<WallTime> wake);
    std::vector<Posted> next_group();
    std::optional<WallTime> step(std::vector<Posted> group);
    void note_pause(std::string_view where, SteadyTime expected_end);

    const EngineStep step_;
    const std::function<std::size_t()> backlog_;
    const Clock& clock_;
    const InboxLimits limits_;
    prometheus::Histogram& group_requests_;
    prometheus::Histogram& step_seconds_;
    prometheus::Counter& refused_;
    prometheus::Counter& store_failures_;
    prometheus::Counter& pauses_;

    mutable std::mutex mutex_;
    // Guarded by mutex_.
    std::condition_variable post_or_stop_;
    std::deque<Waiting> inbox_;
    std::size_t inbox_bytes_ = 0;
    std::map<std::string, std::size_t, std::less<>> waiting_of_tenant_;
    bool taking_ = false;
    bool stopping_ = false;

    std::atomic<std::int64_t> step_began_ms_{0}; ///< steady; 0: between steps
    std::atomic<bool> store_failing_{false};
    Millis back_off_{0}; ///< the thread's: after a store failure, until the store answers again
    std::thread thread_;
};

} // namespace freshet
