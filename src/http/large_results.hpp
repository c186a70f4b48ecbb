// SPDX-License-Identifier: Apache-2.0
#pragma once
// Large results of refreshes, between the PUT that brings one and the complete that names it.
//
// A task's large result goes to disk at once. That of a refresh has to be made ready (hashed, compared) before the
// engine takes it, so its bytes wait here. Life: one per server. Threads: any; it guards itself. Always holds: at most
// `bytes_max` in all and one per hand-out; the oldest make room, and their worker is told to send them again.

#include "base/ids.hpp"

#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <string>

namespace freshet::http {

class LargeResults {
public:
    using Bytes = std::shared_ptr<const std::string>;
    static constexpr std::size_t bytes_max = 256 << 20;

    void put(JobId job, Seq fence, Bytes bytes)
    {
        const std::lock_guard lock{mutex_};
        drop(job);
        held_ += bytes->size();
        rows_.push_back({job, fence, std::move(bytes)});
        while (held_ > bytes_max && rows_.size() > 1) {
            held_ -= rows_.front().bytes->size();
            rows_.pop_front();
        }
    }
    /// Null if it is not here (any more).
    Bytes get(JobId job, Seq fence)
    {
        const std::lock_guard lock{mutex_};
        for (const Row& row : rows_)
            if (row.job == job && row.fence == fence) return row.bytes;
        return nullptr;
    }
    void forget(JobId job)
    {
        const std::lock_guard lock{mutex_};
        drop(job);
    }

private:
    struct Row {
        JobId job;
        Seq fence;
        Bytes bytes;
    };
    void drop(JobId job)
    {
        std::erase_if(rows_, [&](const Row& row) {
            if (row.job == job) held_ -= row.bytes->size();
            return row.job == job;
        });
    }

    std::mutex mutex_;
    // Guarded by mutex_.
    std::deque<Row> rows_;
    std::size_t held_ = 0;
};

} // namespace freshet::http
