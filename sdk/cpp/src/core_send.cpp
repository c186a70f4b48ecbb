// SPDX-License-Identifier: Apache-2.0
// The sender: tells how jobs ended, many per call, and their logs.
//
// While one call is on its way the next ends gather: few and slow jobs are told at once, many and short ones by the
// hundred. What could not be told is told again; the server answers the same end twice in the same way.
#include "core.hpp"

#include <algorithm>

namespace freshet {
inline namespace sdk_v1 {

using detail::Ended;
using std::chrono::milliseconds;

namespace {

constexpr std::size_t ends_per_call_max = 1'000, call_bytes_max = 700'000;
constexpr milliseconds call_time{30'000};

const char* path_of(Ended::How how)
{
    switch (how) {
    case Ended::How::completed: return "/v1/work/complete";
    case Ended::How::failed: return "/v1/work/fail";
    case Ended::How::released:
    case Ended::How::discarded: break;
    }
    return "/v1/work/release";
}

/// A result that the server cannot take will not be better at another try.
void refuse_result(Ended& end, const std::string& words)
{
    end = {.how = Ended::How::failed, .error_class = "fatal", .code = "result_refused", .message = words};
}

} // namespace

void Worker::Core::push_end(detail::EndOf end)
{
    const std::lock_guard lock{mutex_};
    ends_.push_back(std::move(end));
    sender_cv_.notify_one();
}

void Worker::Core::forget(const detail::Attempt& attempt)
{
    held_.erase({attempt.claimed.id, attempt.claimed.fence});
    claimer_cv_.notify_one();
}

void Worker::Core::send_loop()
{
    detail::Connection connection{endpoint_};
    detail::Backoff backoff;
    std::deque<detail::EndOf> ends; // taken, not told yet
    bool complained = false;
    for (;;) {
        std::vector<AttemptPtr> logs;
        {
            std::unique_lock lock{mutex_};
            sending_ = !ends.empty();
            if (!sending_) ends_cv_.notify_all();
            sender_cv_.wait(lock,
                            [&] { return phase_ == Phase::over || !ends.empty() || !ends_.empty() || !logs_.empty(); });
            if (phase_ == Phase::over) return;
            sending_ = true;
            std::ranges::move(ends_, std::back_inserter(ends));
            ends_.clear();
            logs.swap(logs_);
        }
        detail::Answer failure;
        bool told = true;
        for (const AttemptPtr& attempt : logs) told = told && tell_log(connection, attempt, failure);
        told = told && tell_last_words(connection, ends, failure);
        for (const Ended::How how : {Ended::How::completed, Ended::How::failed, Ended::How::released})
            told = told && tell_ends(connection, ends, how, failure);
        if (told) {
            if (complained) say("the server takes ends of jobs again");
            complained = false;
            backoff.reset();
            continue;
        }
        if (!complained && !ends.empty())
            say("the ends of " + std::to_string(ends.size()) + " jobs wait for the server: " + failure.words());
        complained = complained || !ends.empty();
        std::unique_lock lock{mutex_};
        std::ranges::copy(logs, std::back_inserter(logs_));
        sender_cv_.wait_for(lock, backoff.next(failure), [this] { return phase_ == Phase::over; });
        if (phase_ == Phase::over) return;
    }
}

/// What handlers said last, before the fence is spent: log, progress ("3 of 3"), checkpoint. Drops what was discarded.
bool Worker::Core::tell_last_words(detail::Connection& connection, std::deque<detail::EndOf>& ends,
                                   detail::Answer& failure)
{
    {
        std::unique_lock lock{mutex_};
        // An older message of the beater, on its own connection, could arrive behind the last one.
        sender_cv_.wait(lock, [&] {
            return phase_ == Phase::over ||
                   std::ranges::none_of(ends, [](const detail::EndOf& end) { return end.attempt->in_beat; });
        });
        std::erase_if(ends, [this](const detail::EndOf& end) {
            if (end.end.how != Ended::How::discarded) return false;
            forget(*end.attempt);
            return true;
        });
    }
    std::vector<detail::BeatOf> beats;
    std::size_t bytes = 0;
    for (detail::EndOf& end : ends) {
        if (!tell_log(connection, end.attempt, failure)) return false;
        detail::BeatOf beat{end.attempt, {}, 0, {}, 0, 0};
        {
            const std::lock_guard said_lock{end.attempt->mutex};
            detail::Said& said = end.attempt->said;
            // A hand-back carries its checkpoint itself.
            if (end.end.how == Ended::How::released && said.has_checkpoint()) {
                end.checkpoint = said.checkpoint;
                said.checkpoint_told = said.checkpoint_said;
            }
            if (!said.has_progress() && !said.has_checkpoint()) continue;
            beat = {end.attempt, {}, said.phase_index, {}, said.progress_said, said.checkpoint_said};
            if (said.has_progress()) beat.progress = said.progress;
            if (said.has_checkpoint()) beat.checkpoint = said.checkpoint;
        }
        bytes += 300 + beat.checkpoint.size();
        if (!beats.empty() && (bytes > call_bytes_max || beats.size() >= ends_per_call_max)) {
            if (!tell_beats(connection, std::move(beats), failure)) return false;
            beats.clear();
            bytes = 0;
        }
        beats.push_back(std::move(beat));
    }
    return beats.empty() || tell_beats(connection, std::move(beats), failure);
}

bool Worker::Core::tell_beats(detail::Connection& connection, std::vector<detail::BeatOf> beats,
                              detail::Answer& failure)
{
    failure = connection.ask("POST", "/v1/work/beat", beat_body(options_.id, beats), call_time);
    if (failure.worth_repeating()) return false;
    if (!failure.ok())
        say("the last progress of " + std::to_string(beats.size()) + " jobs was refused: " + failure.words());
    for (const detail::BeatOf& beat : beats) {
        const std::lock_guard said_lock{beat.attempt->mutex};
        beat.attempt->said.progress_told = beat.progress_said;
        beat.attempt->said.checkpoint_told = beat.checkpoint_said;
    }
    return true;
}

bool Worker::Core::tell_log(detail::Connection& connection, const AttemptPtr& attempt, detail::Answer& failure)
{
    std::vector<detail::LogLine> lines;
    {
        const std::lock_guard said_lock{attempt->mutex};
        detail::Said& said = attempt->said;
        lines.swap(said.log);
        said.log_bytes = 0;
        if (said.log_dropped > 0)
            lines.push_back(
                {LogLevel::warning, std::to_string(said.log_dropped) + " lines were dropped: too many at once"});
        said.log_dropped = 0;
    }
    if (lines.empty()) return true;
    failure = connection.ask("POST", "/v1/work/" + attempt->claimed.id + "/log",
                             log_body(attempt->claimed.fence, lines), call_time);
    if (!failure.worth_repeating()) return true; // also a refusal: a log is not worth more than its job
    const std::lock_guard said_lock{attempt->mutex};
    detail::Said& said = attempt->said;
    for (const detail::LogLine& line : lines) said.log_bytes += line.text.size();
    said.log.insert(said.log.begin(), std::make_move_iterator(lines.begin()), std::make_move_iterator(lines.end()));
    return false;
}

bool Worker::Core::tell_ends(detail::Connection& connection, std::deque<detail::EndOf>& ends, Ended::How how,
                             detail::Answer& failure)
{
    bool alone = false; // the call was refused as a whole: one by one it is seen which end is to blame
    for (;;) {
        std::vector<detail::EndOf*> call;
        std::size_t bytes = 0;
        for (detail::EndOf& end : ends) {
            if (end.end.how != how) continue;
            bytes += 200 + end.end.message.size() + end.checkpoint.size() + (end.stored ? 0 : end.end.result.size());
            if (call.size() >= (alone ? 1 : ends_per_call_max) || (!call.empty() && bytes > call_bytes_max)) break;
            call.push_back(&end);
        }
        if (call.empty()) return true;
        failure = connection.ask("POST", path_of(how), ends_body(options_.id, how, call), call_time);
        if (failure.worth_repeating()) return false;
        std::optional<std::vector<detail::EndAnswer>> answers;
        if (failure.ok()) answers = detail::parse_ends(failure.body);
        if (failure.ok() && !answers) {
            failure.status = 0;
            failure.error = "this is no answer of a freshet server";
            return false;
        }
        if (!answers) {
            if (call.size() > 1 && !failure.not_let_in()) {
                alone = true;
                continue;
            }
            say("the end of " + call[0]->attempt->claimed.id + " was refused: " + failure.words());
            if (how == Ended::How::completed && !failure.not_let_in()) {
                refuse_result(call[0]->end, failure.words());
                continue;
            }
        }
        // Answers come in the order of the call.
        bool again = false;
        for (std::size_t i = 0; answers && i < answers->size() && i < call.size(); ++i) {
            const detail::EndAnswer& answer = (*answers)[i];
            if (answer.taken) continue;
            if (answer.again) {
                call[i] = nullptr;
                again = true;
                failure.error = answer.words;
                failure.status = 0;
                continue;
            }
            say("the end of " + answer.id + " was refused: " + (answer.words.empty() ? answer.code : answer.words));
            if (how == Ended::How::completed && answer.code == "bad_request") {
                refuse_result(call[i]->end, answer.words);
                call[i] = nullptr;
            }
        }
        const std::lock_guard lock{mutex_};
        for (const detail::EndOf* const end : call)
            if (end != nullptr) forget(*end->attempt);
        std::erase_if(ends, [this](const detail::EndOf& end) {
            return !held_.contains({end.attempt->claimed.id, end.attempt->claimed.fence});
        });
        if (again) return false;
    }
}

} // namespace sdk_v1
} // namespace freshet
