// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a Worker is inside: the table of held jobs and the threads around it.
//
//   claimer   one open claim; what it brings goes to `waiting_`
//   slots     take from `waiting_`, call the handler, put its end into `ends_`
//   sender    tells ends, many per call; before the end of a job what its handler said last
//   beater    beats for every held job, with progress and checkpoints; learns of cancels and lost leases
//   run()     waits for a signal, then ends all that in order
//
// Life: made with the worker; run() starts the threads and joins them. A handler that cannot be stopped keeps its
// thread, which is then left alone and holds the core. Always holds: a job leaves `held_` only when the server has
// taken or refused its end, or has said that the lease is lost and the handler is over, so that a claim which names
// what is held (`holds`) is right at any moment.

#include "attempt.hpp"
#include "connection.hpp"
#include "freshet/worker.hpp"
#include "wire.hpp"

#include <condition_variable>
#include <deque>
#include <map>
#include <thread>

namespace freshet {
inline namespace sdk_v1 {

class Worker::Core : public std::enable_shared_from_this<Worker::Core> {
public:
    explicit Core(WorkerOptions options);
    ~Core();

    void add(std::string queue, Handler handler);
    int run();
    void stop();
    void drain();
    const std::string& id() const { return options_.id; }

private:
    using AttemptPtr = std::shared_ptr<detail::Attempt>;
    /// How far the end has come. Only grows.
    enum class Phase : std::uint8_t { running, draining, stopping, abandoning, over };

    // core.cpp: start, end, and what a stop does.
    void start_threads();
    void wait_for_end();
    void give_back_waiting();
    void request_stop_of_all(StopReason reason);
    void hand_back_the_stubborn();
    bool await(std::chrono::milliseconds within, const std::function<bool()>& done);
    void join_threads();
    void say(const std::string& line) const;

    // core_claim.cpp
    void claim_loop();
    int free_slots() const; ///< locked
    void take(detail::ClaimAnswer answer);
    void slot_loop();
    void work_on(const AttemptPtr& attempt);
    bool store_large(detail::EndOf& end);

    // core_beat.cpp
    void beat_loop();
    std::chrono::milliseconds beat_length(std::chrono::milliseconds lease) const;
    std::chrono::milliseconds until_next_beat(std::chrono::milliseconds lease) const;
    std::vector<detail::BeatOf> due_beats(detail::Clock::time_point now, detail::Clock::time_point& next); ///< locked
    bool beat(detail::Connection& connection, const std::vector<detail::BeatOf>& jobs, detail::Backoff& backoff,
              std::chrono::milliseconds& wait);
    void learn(const std::vector<detail::BeatOf>& told, const detail::BeatAnswer& answer);

    // core_send.cpp
    void send_loop();
    bool tell_last_words(detail::Connection& connection, std::deque<detail::EndOf>& ends, detail::Answer& failure);
    bool tell_beats(detail::Connection& connection, std::vector<detail::BeatOf> beats, detail::Answer& failure);
    bool tell_log(detail::Connection& connection, const AttemptPtr& attempt, detail::Answer& failure);
    bool tell_ends(detail::Connection& connection, std::deque<detail::EndOf>& ends, detail::Ended::How how,
                   detail::Answer& failure);
    void push_end(detail::EndOf end);
    void forget(const detail::Attempt& attempt);

    WorkerOptions options_;
    detail::Endpoint endpoint_;
    std::string host_;
    std::map<std::string, Handler> handlers_;
    std::vector<std::string> queues_;
    int wake_read_ = -1, wake_write_ = -1; ///< a pipe: signals and stop() end run()'s wait
    bool ran_ = false;

    mutable std::mutex mutex_; ///< guards all below
    std::condition_variable claimer_cv_, slots_cv_, beater_cv_, sender_cv_, ends_cv_;
    Phase phase_ = Phase::running;
    int exit_code_ = 0;
    std::map<std::pair<std::string, std::uint64_t>, AttemptPtr> held_;
    std::deque<AttemptPtr> waiting_; ///< claimed, no slot yet
    std::deque<detail::EndOf> ends_;
    std::vector<AttemptPtr> logs_; ///< have lines to send
    int working_ = 0;              ///< handlers that run
    int slots_idle_ = 0;
    bool sending_ = false, to_tell_ = false, claim_open_ = false;
    std::atomic<bool> beat_refused_{false}; ///< said once
    std::atomic<bool> drained_{false};
    std::optional<detail::Clock::time_point> failing_since_; ///< the beater's: since when no beat was answered
    std::vector<std::thread> slot_threads_;
    std::thread claimer_, beater_, sender_;
    std::unique_ptr<detail::Connection> claim_connection_;
};

} // namespace sdk_v1
} // namespace freshet
