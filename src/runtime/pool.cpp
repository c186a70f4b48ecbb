// SPDX-License-Identifier: Apache-2.0
#include "runtime/pool.hpp"

#include "base/assert.hpp"

namespace freshet {

Pool::Pool(int threads, std::size_t waiting_max) : waiting_max_{waiting_max}
{
    FRESHET_ASSERT(threads > 0);
    for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
}

bool Pool::submit(std::function<void()> work)
{
    {
        const std::lock_guard lock{mutex_};
        if (stopping_ || waiting_.size() >= waiting_max_) return false;
        waiting_.push_back(std::move(work));
    }
    work_or_stop_.notify_one();
    return true;
}

void Pool::stop()
{
    {
        const std::lock_guard lock{mutex_};
        stopping_ = true;
    }
    work_or_stop_.notify_all();
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
}

void Pool::run()
{
    std::unique_lock lock{mutex_};
    while (true) {
        work_or_stop_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
        if (waiting_.empty()) return;
        const std::function<void()> work = std::move(waiting_.front());
        waiting_.pop_front();
        lock.unlock();
        work();
        lock.lock();
    }
}

} // namespace freshet
