// SPDX-License-Identifier: Apache-2.0
#pragma once
// A few threads that do work which may take long: hash, compare, compress, read the disk.
//
// Life: threads from the constructor to stop() or the destructor; work that waits then is done first. Threads: submit()
// from any, also from inside work. Always holds: at most waiting_max pieces wait; work never throws (what it has to
// say it says to its own caller), an exception that gets out ends the process.

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace freshet {

class Pool {
public:
    Pool(int threads, std::size_t waiting_max);
    ~Pool() { stop(); }
    Pool(const Pool&) = delete;
    Pool& operator=(const Pool&) = delete;

    /// False when waiting_max pieces wait already, or after stop(): `work` is not called then.
    bool submit(std::function<void()> work);

    /// Takes no more, does what waits, joins. Idempotent, from one thread.
    void stop();

private:
    void run();

    const std::size_t waiting_max_;
    std::mutex mutex_;
    std::condition_variable work_or_stop_;
    std::deque<std::function<void()>> waiting_; ///< guarded by mutex_
    bool stopping_ = false;                     ///< guarded by mutex_
    std::vector<std::thread> threads_;
};

} // namespace freshet
