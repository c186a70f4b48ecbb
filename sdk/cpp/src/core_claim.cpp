// SPDX-License-Identifier: Apache-2.0
// The claimer and the slots: how jobs come in and are worked on.
#include "core.hpp"

#include <algorithm>

namespace freshet {
inline namespace sdk_v1 {

using detail::Clock;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds claim_wait{25'000}, claim_spare{10'000};
constexpr milliseconds call_time{30'000};
constexpr std::size_t inline_bytes_max = 256 << 10; ///< larger results go by PUT, each on its own connection
constexpr std::size_t result_bytes_max = 64 << 20;
constexpr int exit_not_let_in = 4;
constexpr std::size_t ends_waiting_max = 2'000;

} // namespace

/// What may be claimed now. Work ahead is claimed by halves, so that calls are few when jobs are short.
int Worker::Core::free_slots() const
{
    const int most = options_.slots + options_.ahead;
    // While the server takes no ends, what waits for it stays bounded.
    if (held_.size() >= static_cast<std::size_t>(most) + ends_waiting_max) return 0;
    const int free = std::min(most - working_ - static_cast<int>(waiting_.size()), 1'000);
    return free > options_.ahead / 2 ? free : 0;
}

void Worker::Core::claim_loop()
{
    detail::Backoff backoff;
    // What a claim brought is not known if its answer was lost; the next one says what is held, and what the server
    // believes beyond that goes back at once. So does what a process of the same id held before.
    bool name_holds = true, told = false;
    for (;;) {
        detail::ClaimCall call{options_.id, host_, &queues_, 0, claim_wait, {}};
        {
            std::unique_lock lock{mutex_};
            claimer_cv_.wait(lock, [this] { return phase_ != Phase::running || free_slots() > 0; });
            if (phase_ != Phase::running) return;
            call.slots = free_slots();
            claim_open_ = true;
            if (name_holds) {
                call.holds.emplace();
                for (const auto& [key, attempt] : held_) call.holds->push_back(key);
            }
        }
        const detail::Answer answer =
            claim_connection_->ask("POST", "/v1/work/claim", claim_body(call), claim_wait + claim_spare, true);
        {
            const std::lock_guard lock{mutex_};
            claim_open_ = false;
            ends_cv_.notify_all();
            if (phase_ != Phase::running && !answer.ok()) return;
        }
        if (answer.aborted) { // told to reconnect
            claim_connection_->rearm();
            claim_connection_->reconnect();
            name_holds = true;
            continue;
        }
        std::optional<detail::ClaimAnswer> claimed;
        if (answer.ok()) claimed = detail::parse_claim(answer.body, options_.id);
        if (claimed) {
            if (told) say("the server answers again");
            told = name_holds = false;
            backoff.reset();
            if (claimed->drain) drain();
            take(std::move(*claimed));
            continue;
        }
        name_holds = true;
        if (!answer.ok() && !answer.worth_repeating()) {
            say("cannot claim from " + endpoint_.url + ": " + answer.words());
            const std::lock_guard lock{mutex_};
            exit_code_ = answer.not_let_in() ? exit_not_let_in : 1;
            stop();
            return;
        }
        if (!told)
            say("cannot claim from " + endpoint_.url + ": " +
                (answer.ok() ? "this is no answer of a freshet server" : answer.words()) + "; trying again");
        told = true;
        std::unique_lock lock{mutex_};
        claimer_cv_.wait_for(lock, backoff.next(answer), [this] { return phase_ != Phase::running; });
    }
}

void Worker::Core::take(detail::ClaimAnswer answer)
{
    if (answer.jobs.empty()) return;
    const auto now = Clock::now();
    std::vector<AttemptPtr> attempts;
    milliseconds shortest{600'000};
    for (detail::Claimed& claimed : answer.jobs) {
        auto attempt = std::make_shared<detail::Attempt>(std::move(claimed));
        shortest = std::min(shortest, attempt->claimed.lease);
        attempt->beat_due = now + until_next_beat(attempt->claimed.lease);
        attempt->wake = [this] {
            const std::lock_guard lock{mutex_};
            to_tell_ = true;
            beater_cv_.notify_one();
        };
        attempts.push_back(std::move(attempt));
    }
    std::unique_lock lock{mutex_};
    for (AttemptPtr& attempt : attempts) {
        held_[{attempt->claimed.id, attempt->claimed.fence}] = attempt;
        waiting_.push_back(std::move(attempt));
    }
    // Threads are made when they are first needed and then kept.
    const int wanted = std::min(options_.slots, working_ + static_cast<int>(waiting_.size()));
    while (static_cast<int>(slot_threads_.size()) < wanted)
        slot_threads_.emplace_back([self = shared_from_this()] { self->slot_loop(); });
    // The beater looks once a second; a lease that is shorter than a few of those needs it sooner.
    const bool beats_soon = shortest < milliseconds{6'000};
    if (beats_soon) to_tell_ = true;
    const std::size_t wakes = std::min(attempts.size(), slot_threads_.size());
    // A thread that is woken while the lock is held, or for nothing, is in the way of those that have work.
    lock.unlock();
    for (std::size_t woken = 0; woken < wakes; ++woken) slots_cv_.notify_one();
    if (beats_soon) beater_cv_.notify_one();
}

void Worker::Core::slot_loop()
{
    for (;;) {
        AttemptPtr attempt;
        {
            std::unique_lock lock{mutex_};
            slots_cv_.wait(lock, [this] { return phase_ == Phase::over || !waiting_.empty(); });
            if (waiting_.empty()) return;
            attempt = std::move(waiting_.front());
            waiting_.pop_front();
            ++working_;
            attempt->begun = true;
        }
        work_on(attempt);
        {
            const std::lock_guard lock{mutex_};
            --working_;
            if (free_slots() > 0) claimer_cv_.notify_one();
            if (phase_ != Phase::running) ends_cv_.notify_all();
        }
    }
}

void Worker::Core::work_on(const AttemptPtr& attempt)
{
    detail::EndOf end{attempt, {}, {}, {}};
    const auto handler = handlers_.find(attempt->claimed.queue);
    if (attempt->stop_reason == StopReason::lost)
        end.end.how = detail::Ended::How::discarded;
    else if (handler == handlers_.end())
        end.end = {.how = detail::Ended::How::released, .reason = "no task of this queue here"};
    else
        end.end = detail::call_handler(handler->second, attempt);
    // A lease that was lost before the handler ended makes its result nobody's.
    if (attempt->stop_reason == StopReason::lost) end.end.how = detail::Ended::How::discarded;
    if (end.end.how == detail::Ended::How::completed && end.end.result.size() > inline_bytes_max && !store_large(end))
        return;
    if (attempt->over.exchange(true)) return; // handed back meanwhile
    push_end(std::move(end));
}

/// Puts a large result there before the job's end names it. False: the attempt is over otherwise.
bool Worker::Core::store_large(detail::EndOf& end)
{
    if (end.end.result.size() > result_bytes_max) {
        end.end = {.how = detail::Ended::How::failed,
                   .error_class = "fatal",
                   .code = "result_too_large",
                   .message = "the result has " + std::to_string(end.end.result.size()) + " bytes; at most " +
                              std::to_string(result_bytes_max) + " can be kept"};
        return true;
    }
    const detail::Claimed& job = end.attempt->claimed;
    detail::Connection connection{endpoint_};
    detail::Backoff backoff;
    while (!end.attempt->over) {
        const detail::Answer answer =
            connection.ask("PUT", "/v1/work/" + job.id + "/result?fence=" + std::to_string(job.fence), end.end.result,
                           call_time + call_time);
        if (answer.ok()) {
            try {
                end.stored = Json::parse(answer.body)["payload"].whole(0);
                if (*end.stored > 0) return true;
                end.stored.reset();
            } catch (const std::invalid_argument&) {
                // Said below.
            }
            say("PUT of a result: this is no answer of a freshet server; trying again");
        } else if (!answer.worth_repeating()) {
            say("the result of " + job.id + " was refused: " + answer.words());
            end.end.how = detail::Ended::How::discarded;
            return true;
        }
        if (end.attempt->stop_reason == StopReason::lost) {
            end.end.how = detail::Ended::How::discarded;
            return true;
        }
        std::unique_lock lock{mutex_};
        claimer_cv_.wait_for(lock, backoff.next(answer), [this] { return phase_ >= Phase::abandoning; });
    }
    return false;
}

} // namespace sdk_v1
} // namespace freshet
