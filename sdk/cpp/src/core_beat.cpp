// SPDX-License-Identifier: Apache-2.0
// The beater: keeps leases, tells progress and checkpoints, learns of cancels and lost leases.
#include "core.hpp"

#include <algorithm>

namespace freshet {
inline namespace sdk_v1 {

using detail::Clock;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds progress_gap{250};
constexpr std::size_t jobs_per_call_max = 1'000, call_bytes_max = 700'000;
constexpr milliseconds call_time_min{2'000};

} // namespace

/// The longest between two beats of a job.
milliseconds Worker::Core::beat_length(milliseconds lease) const
{
    return options_.beat_every.count() > 0 ? std::min(lease / 3, options_.beat_every) : lease / 3;
}

/// Up to a fifth less, so that many do not beat at once.
milliseconds Worker::Core::until_next_beat(milliseconds lease) const
{
    const auto longest = static_cast<double>(beat_length(lease).count());
    return milliseconds{static_cast<std::int64_t>(longest * (0.8 + 0.2 * detail::jitter()))};
}

/// What is to be told now, and when there will be more. A beat that is due soon comes along with one that is due now.
std::vector<detail::BeatOf> Worker::Core::due_beats(Clock::time_point now, Clock::time_point& next)
{
    std::vector<detail::BeatOf> due;
    std::size_t bytes = 0;
    next = Clock::time_point::max();
    for (const auto& [key, attempt] : held_) {
        const milliseconds soon = beat_length(attempt->claimed.lease) / 4;
        bool now_due = attempt->beat_due <= now + soon;
        detail::BeatOf beat{attempt, {}, 0, {}, 0, 0};
        // A job that is over is kept alive until its end is told; what its handler said last goes before that end.
        if (attempt->noted && !attempt->over) {
            const std::lock_guard said_lock{attempt->mutex};
            const detail::Said& said = attempt->said;
            const auto progress_due = said.progress_sent + progress_gap;
            if (said.has_checkpoint() || (said.has_progress() && progress_due <= now)) now_due = true;
            if (now_due) {
                if (said.has_progress()) {
                    beat.progress = said.progress;
                    beat.phase_index = said.phase_index;
                    beat.progress_said = said.progress_said;
                }
                if (said.has_checkpoint()) {
                    beat.checkpoint = said.checkpoint;
                    beat.checkpoint_said = said.checkpoint_said;
                }
            } else if (said.has_progress()) {
                next = std::min(next, progress_due);
            }
            if (!said.log.empty() && std::ranges::find(logs_, attempt) == logs_.end()) {
                logs_.push_back(attempt);
                sender_cv_.notify_one();
            }
            if (!said.has_progress() && !said.has_checkpoint()) attempt->noted = false;
        }
        if (!now_due || due.size() >= jobs_per_call_max || bytes > call_bytes_max) {
            next = std::min(next, now_due ? now : attempt->beat_due - soon);
            continue;
        }
        bytes += 200 + beat.checkpoint.size();
        attempt->in_beat = beat.progress || !beat.checkpoint.empty();
        due.push_back(std::move(beat));
    }
    return due;
}

void Worker::Core::beat_loop()
{
    detail::Connection connection{endpoint_};
    detail::Backoff backoff;
    std::unique_lock lock{mutex_};
    while (phase_ != Phase::over) {
        Clock::time_point next;
        to_tell_ = false;
        std::vector<detail::BeatOf> due = due_beats(Clock::now(), next);
        if (due.empty()) {
            const auto woken = [this] { return phase_ == Phase::over || to_tell_; };
            beater_cv_.wait_until(lock, std::min(next, Clock::now() + milliseconds{1'000}), woken);
            continue;
        }
        lock.unlock();
        milliseconds wait{0};
        const bool told = beat(connection, due, backoff, wait);
        lock.lock();
        for (const detail::BeatOf& job : due) job.attempt->in_beat = false;
        sender_cv_.notify_one();
        if (!told) beater_cv_.wait_for(lock, wait, [this] { return phase_ == Phase::over; });
    }
}

bool Worker::Core::beat(detail::Connection& connection, const std::vector<detail::BeatOf>& jobs,
                        detail::Backoff& backoff, milliseconds& wait)
{
    const auto now = Clock::now();
    milliseconds shortest{600'000};
    for (const detail::BeatOf& job : jobs) {
        shortest = std::min(shortest, job.attempt->claimed.lease);
        const std::lock_guard said_lock{job.attempt->mutex};
        if (job.progress) job.attempt->said.progress_sent = now;
    }
    const detail::Answer answer =
        connection.ask("POST", "/v1/work/beat", beat_body(options_.id, jobs), std::max(call_time_min, shortest / 3));
    const auto words = answer.ok() ? detail::parse_beat(answer.body) : std::nullopt;
    if (!words) {
        if (answer.status != 0 && !answer.worth_repeating() && !beat_refused_.exchange(true))
            say("a beat was refused: " + answer.words());
        // A lease is worth more than a progress: the next beat comes without what may have been refused.
        if (answer.status != 0 && !answer.worth_repeating() && !answer.not_let_in())
            for (const detail::BeatOf& job : jobs) {
                const std::lock_guard said_lock{job.attempt->mutex};
                if (job.progress) job.attempt->said.progress_told = job.progress_said;
                if (!job.checkpoint.empty()) job.attempt->said.checkpoint_told = job.checkpoint_said;
            }
        // Nothing is lost: what was to be told stays to be told, and the server's own timer judges the lease. Soon
        // again while a lease can be saved; then ever more rarely, since the server may be gone for good.
        wait = backoff.next(answer);
        if (now - failing_since_.value_or(now) < shortest) wait = std::min(wait, shortest / 6);
        if (!failing_since_) failing_since_ = now;
        return false;
    }
    backoff.reset();
    failing_since_.reset();
    {
        const std::lock_guard lock{mutex_};
        for (const detail::BeatOf& job : jobs) {
            job.attempt->beat_due = now + until_next_beat(job.attempt->claimed.lease);
            const std::lock_guard said_lock{job.attempt->mutex};
            if (job.progress) job.attempt->said.progress_told = job.progress_said;
            if (!job.checkpoint.empty()) job.attempt->said.checkpoint_told = job.checkpoint_said;
        }
    }
    learn(jobs, *words);
    return true;
}

void Worker::Core::learn(const std::vector<detail::BeatOf>& told, const detail::BeatAnswer& answer)
{
    using Word = detail::BeatAnswer::Word;
    for (const auto& [id, word] : answer.jobs) {
        if (word == Word::ok) continue;
        const auto job = std::ranges::find(
            told, id, [](const auto& beat) -> const std::string& { return beat.attempt->claimed.id; });
        if (job == told.end() || job->attempt->over) continue;
        const bool known = job->attempt->stop_reason != StopReason::none;
        job->attempt->request_stop(word == Word::lost ? StopReason::lost : StopReason::cancelled);
        if (word == Word::lost) {
            job->attempt->stop_reason = StopReason::lost; // also of one that was to be cancelled
            if (!known) say("lost the lease of " + id + "; its handler is told to stop, its result will not count");
        }
    }
    if (answer.drain) drain();
    if (answer.reconnect) claim_connection_->abort();
}

} // namespace sdk_v1
} // namespace freshet
