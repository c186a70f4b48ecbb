// SPDX-License-Identifier: Apache-2.0
#pragma once
// Shaping for the server: orders wait in a bounded queue and are shaped in children that are kept warm.
//
// Life: each of `count_max` threads owns at most one child, started when its first order comes, and replaced after
// an order that took too long, ate its memory or broke it, after `orders_per_child_max` orders, and when it asks for
// it. stop() ends everything: the running orders' children are killed, the waiting orders answered, the threads joined.
// Threads: all calls from any thread. A callback runs on a pool thread, or on the thread that calls cancel() or stop();
// it must not throw, block for long, nor call stop().
// Always holds: every order that submit() took is answered exactly once; no process and no descriptor outlives stop();
// waiting orders never exceed waiting_max nor waiting_bytes_max.

#include "base/clock.hpp"
#include "runners/shape/shape.hpp"

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace freshet {

class ShapeChild;

struct ShapePoolOptions {
    std::string executable; ///< started as `executable child`: the server's own binary
    int count_max = 2;      ///< children, and threads that watch them
    std::size_t waiting_max = 1024;
    std::size_t waiting_bytes_max = 256UL << 20; ///< of inputs; one alone may be larger
    int orders_per_child_max = 1000;
    ShapeLimits limits;
};

struct ShapePoolStats {
    int children = 0;
    std::size_t waiting = 0;
    std::uint64_t orders_total = 0;
    std::uint64_t children_started_total = 0;
    std::uint64_t children_lost_total = 0; ///< killed or died over an order
};

class ShapePool {
public:
    /// Names an order for cancel(); never given twice.
    using Ticket = std::uint64_t;
    using Callback = ShapeAnswer;

    explicit ShapePool(ShapePoolOptions options);
    ~ShapePool();
    ShapePool(const ShapePool&) = delete;
    ShapePool& operator=(const ShapePool&) = delete;

    /// Queues an order.
    ///
    /// @param within  counted from now, waiting included; in a child an order is given limits.run_max at most. The
    ///                order ends timed_out after the shorter of the two.
    /// @return a ticket; busy, too_large or stopped, and then the callback is never called.
    ShapeResult<Ticket> submit(ShapeOrder order, Millis within, Callback done);

    /// Ends an order with ShapeErrorCode::cancelled; one that is over already is ignored. Does not block.
    void cancel(Ticket ticket);

    /// As submit(), and waits for the answer. Not from a callback.
    ShapeResult<Shaped> shape(ShapeOrder order, Millis within);

    /// Returns when every order is answered, every callback has returned, every child is gone. Idempotent.
    void stop();

    ShapePoolStats stats() const;

private:
    struct Waiting {
        Ticket ticket = 0;
        ShapeOrder order;
        SteadyTime until;
        Callback done;
    };
    struct Watcher; // one thread, its wake-up descriptor and its child

    void watch(Watcher& watcher);
    ShapeResult<Shaped> shape_in_child(Watcher& watcher, Waiting& waiting);
    void expire();

    const ShapePoolOptions options_;
    const SystemClock clock_;

    mutable std::mutex mutex_;
    // Guarded by mutex_.
    std::condition_variable work_or_stop_;
    std::condition_variable deadline_or_stop_;
    std::deque<Waiting> waiting_;
    std::size_t waiting_bytes_ = 0;
    Ticket ticket_last_ = 0;
    bool stopping_ = false;
    ShapePoolStats stats_;

    std::mutex stop_mutex_; // one stop() at a time; taken before mutex_
    std::vector<std::unique_ptr<Watcher>> watchers_;
    std::thread expirer_; // answers orders whose time is over before a child was free
};

} // namespace freshet
