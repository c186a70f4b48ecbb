// SPDX-License-Identifier: Apache-2.0
#pragma once
// One hand-out of a job, as the worker's threads share it: what was claimed, what the handler said since, and whether
// it is to stop.
//
// Life: made of a claim's answer, kept in the worker's table until the server has taken its end. Threads: what was
// claimed never changes; `said` is guarded by its mutex, so that progress costs one uncontended lock; `beat_due` and
// `lease` belong to the beater.

#include "freshet/job.hpp"

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <vector>

namespace freshet {
inline namespace sdk_v1 {
namespace detail {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

struct Claimed {
    std::string id, queue, tenant, worker, input = "null", checkpoint, deadline_at;
    std::uint64_t fence = 0;
    int attempt = 1, generation = 1;
    milliseconds lease{30'000};
};

struct LogLine {
    LogLevel level = LogLevel::info;
    std::string text;
};

/// What the handler said and the server has not been told yet. The numbers count what was said, so that a call that
/// was on its way meanwhile is not taken for having told it.
struct Said {
    Progress progress;
    int phase_index = 0;
    bool any_progress = false;
    std::uint64_t progress_said = 0, progress_told = 0;
    std::string checkpoint;
    std::uint64_t checkpoint_said = 0, checkpoint_told = 0;
    std::vector<LogLine> log;
    std::size_t log_bytes = 0, log_dropped = 0;
    Clock::time_point progress_sent{}; ///< when progress last left

    bool has_progress() const { return progress_said != progress_told; }
    bool has_checkpoint() const { return checkpoint_said != checkpoint_told; }
};

struct Attempt {
    explicit Attempt(Claimed of) : claimed{std::move(of)} {}

    const Claimed claimed;
    mutable std::mutex mutex;
    Said said;
    std::stop_source stop;
    std::atomic<StopReason> stop_reason{StopReason::none};
    std::atomic<bool> begun{false};
    std::atomic<bool> over{false};  ///< its end was decided: what the handler still says or answers does not count
    std::atomic<bool> noted{false}; ///< the beater knows that there is something to tell
    std::function<void()> wake;     ///< called when there is something to tell and the beater does not know yet
    std::function<void(const Progress&)> on_progress; ///< of tests without a server
    std::function<void(const std::string&)> on_checkpoint, on_log;

    Clock::time_point beat_due{};
    bool in_beat = false; ///< a beat under way tells news of it; guarded by the core's mutex

    std::once_flag input_parsed, checkpoint_parsed;
    Json input, checkpoint;

    /// The first reason stands. Threads: any.
    void request_stop(StopReason reason)
    {
        auto none = StopReason::none;
        if (stop_reason.compare_exchange_strong(none, reason)) stop.request_stop();
    }
    void something_to_tell()
    {
        if (!noted.exchange(true) && wake) wake();
    }
};

/// How an attempt ended.
struct Ended {
    enum class How : std::uint8_t { completed, failed, released, discarded };
    How how = How::completed;
    std::string result;                     ///< of completed: JSON
    std::string error_class, code, message; ///< of failed
    std::optional<milliseconds> retry_after;
    milliseconds wait{0}; ///< of released
    std::string reason;
};

/// Calls the handler and tells how it ended. Never throws.
Ended call_handler(const std::function<Result(Job&)>& handler, const std::shared_ptr<Attempt>& attempt);

} // namespace detail
} // namespace sdk_v1
} // namespace freshet
