// SPDX-License-Identifier: Apache-2.0
#include "runners/shape/child_pool.hpp"

#include "base/assert.hpp"
#include "base/failure.hpp"
#include "runners/shape/child_process.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <future>
#include <sys/eventfd.h>
#include <unistd.h>

namespace freshet {

struct ShapePool::Watcher {
    Watcher() : wake_fd{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)}
    {
        if (wake_fd < 0) throw Failure{"no descriptor for a shaping thread"};
    }
    ~Watcher() { close(wake_fd); }
    Watcher(const Watcher&) = delete;
    Watcher& operator=(const Watcher&) = delete;
    void wake() const { eventfd_write(wake_fd, 1); }
    void forget_wakes() const
    {
        eventfd_t count = 0;
        eventfd_read(wake_fd, &count);
    }

    const int wake_fd;
    std::unique_ptr<ShapeChild> child; // the thread's own
    Ticket running = 0;                // guarded by the pool's mutex; 0: none
    std::thread thread;
};

namespace {

std::unexpected<ShapeError> late_before_start()
{
    return shape_error(ShapeErrorCode::timed_out, "no shaping child was free in time");
}
std::unexpected<ShapeError> ending()
{
    return shape_error(ShapeErrorCode::stopped, "the server is stopping");
}

} // namespace

ShapePool::ShapePool(ShapePoolOptions options) : options_{std::move(options)}
{
    FRESHET_ASSERT(options_.count_max > 0);
    for (int i = 0; i < options_.count_max; ++i) watchers_.push_back(std::make_unique<Watcher>());
    // Threads begin when everything they look at is there.
    for (const auto& watcher : watchers_)
        watcher->thread = std::thread{[this, &watcher = *watcher] { watch(watcher); }};
    expirer_ = std::thread{[this] { expire(); }};
}

ShapePool::~ShapePool()
{
    stop();
}

ShapeResult<ShapePool::Ticket> ShapePool::submit(ShapeOrder order, Millis within, Callback done)
{
    const std::size_t bytes = order.input.size();
    if (bytes > options_.limits.input_bytes_max)
        return shape_error(ShapeErrorCode::too_large, fmt::format("{} bytes to shape, at most {} are taken", bytes,
                                                                  options_.limits.input_bytes_max));
    const SteadyTime until = clock_.steady() + std::clamp<Millis>(within, 0ms, 24h);
    const std::lock_guard lock{mutex_};
    if (stopping_) return ending();
    const bool full = waiting_.size() >= options_.waiting_max ||
                      (!waiting_.empty() && waiting_bytes_ + bytes > options_.waiting_bytes_max);
    if (full)
        return shape_error(ShapeErrorCode::busy, fmt::format("{} orders with {} bytes wait to be shaped already",
                                                             waiting_.size(), waiting_bytes_));
    const Ticket ticket = ++ticket_last_;
    waiting_.push_back({ticket, std::move(order), until, std::move(done)});
    waiting_bytes_ += bytes;
    ++stats_.orders_total;
    work_or_stop_.notify_one();
    deadline_or_stop_.notify_one();
    return ticket;
}

void ShapePool::cancel(Ticket ticket)
{
    Callback done;
    {
        const std::lock_guard lock{mutex_};
        const auto found = std::ranges::find(waiting_, ticket, &Waiting::ticket);
        if (found != waiting_.end()) {
            done = std::move(found->done);
            waiting_bytes_ -= found->order.input.size();
            waiting_.erase(found);
        } else {
            for (const auto& watcher : watchers_)
                if (ticket != 0 && watcher->running == ticket) watcher->wake();
        }
    }
    if (done) done(shape_error(ShapeErrorCode::cancelled, "cancelled before it was shaped"));
}

ShapeResult<Shaped> ShapePool::shape(ShapeOrder order, Millis within)
{
    // Shared: the pool's thread may still be inside set_value() when the answer is here already.
    const auto promise = std::make_shared<std::promise<ShapeResult<Shaped>>>();
    std::future<ShapeResult<Shaped>> answer = promise->get_future();
    const ShapeResult<Ticket> ticket = submit(
        std::move(order), within, [promise](ShapeResult<Shaped> result) { promise->set_value(std::move(result)); });
    if (!ticket) return std::unexpected(ticket.error());
    return answer.get();
}

void ShapePool::stop()
{
    const std::lock_guard one_at_a_time{stop_mutex_};
    std::deque<Waiting> left;
    {
        const std::lock_guard lock{mutex_};
        stopping_ = true;
        left.swap(waiting_);
        waiting_bytes_ = 0;
        for (const auto& watcher : watchers_) watcher->wake();
        work_or_stop_.notify_all();
        deadline_or_stop_.notify_all();
    }
    for (Waiting& waiting : left) waiting.done(ending());
    for (const auto& watcher : watchers_)
        if (watcher->thread.joinable()) watcher->thread.join();
    if (expirer_.joinable()) expirer_.join();
}

ShapePoolStats ShapePool::stats() const
{
    const std::lock_guard lock{mutex_};
    ShapePoolStats stats = stats_;
    stats.waiting = waiting_.size();
    return stats;
}

void ShapePool::watch(Watcher& watcher)
{
    for (;;) {
        Waiting next;
        {
            std::unique_lock lock{mutex_};
            work_or_stop_.wait(lock, [&] { return stopping_ || !waiting_.empty(); });
            if (stopping_) break;
            next = std::move(waiting_.front());
            waiting_.pop_front();
            waiting_bytes_ -= next.order.input.size();
            // Under the lock: a cancel() that comes from here on finds the ticket and its wake is not forgotten.
            watcher.forget_wakes();
            watcher.running = next.ticket;
        }
        ShapeResult<Shaped> result = shape_in_child(watcher, next);
        {
            const std::lock_guard lock{mutex_};
            watcher.running = 0;
            if (!result && result.error().code == ShapeErrorCode::cancelled && stopping_) result = ending();
        }
        next.done(std::move(result));
    }
    if (!watcher.child) return;
    watcher.child.reset();
    const std::lock_guard lock{mutex_};
    --stats_.children;
}

ShapeResult<Shaped> ShapePool::shape_in_child(Watcher& watcher, Waiting& waiting)
{
    std::unique_ptr<ShapeChild>& child = watcher.child;
    const SteadyTime now = clock_.steady();
    if (waiting.until <= now) return late_before_start();
    const auto count = [this](int children, std::uint64_t started, std::uint64_t lost) {
        const std::lock_guard lock{mutex_};
        stats_.children += children;
        stats_.children_started_total += started;
        stats_.children_lost_total += lost;
    };
    // One that died while it waited (the kernel took its memory, an administrator) costs no order.
    if (child && !child->alive()) {
        child.reset();
        count(-1, 0, 1);
    }
    if (!child) {
        ShapeResult<std::unique_ptr<ShapeChild>> started = ShapeChild::start(options_.executable);
        if (!started) return std::unexpected(started.error());
        child = std::move(*started);
        count(1, 1, 0);
    }
    const Millis left = std::min(options_.limits.run_max, waiting.until - now);
    ShapeRequest request{getpid(), options_.limits, std::move(waiting.order)};
    request.limits.run_max = left;
    ShapeResult<Shaped> result = child->exchange(request, now + left, watcher.wake_fd);
    const bool worn_or_lost = child->spent();
    if (worn_or_lost || child->orders() >= options_.orders_per_child_max) {
        child.reset();
        count(-1, 0, worn_or_lost && !result ? 1 : 0);
    }
    return result;
}

void ShapePool::expire()
{
    std::unique_lock lock{mutex_};
    while (!stopping_) {
        const SteadyTime now = clock_.steady();
        std::vector<Callback> late;
        SteadyTime next = now + 1h;
        for (auto waiting = waiting_.begin(); waiting != waiting_.end();) {
            if (waiting->until > now) {
                next = std::min(next, waiting->until);
                ++waiting;
                continue;
            }
            waiting_bytes_ -= waiting->order.input.size();
            late.push_back(std::move(waiting->done));
            waiting = waiting_.erase(waiting);
        }
        if (late.empty()) {
            deadline_or_stop_.wait_for(lock, next - now);
            continue;
        }
        lock.unlock();
        for (const Callback& done : late) done(late_before_start());
        lock.lock();
    }
}

} // namespace freshet
