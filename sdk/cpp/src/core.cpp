// SPDX-License-Identifier: Apache-2.0
#include "core.hpp"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <iostream>
#include <poll.h>
#include <stdexcept>
#include <unistd.h>

namespace freshet {
inline namespace sdk_v1 {

using detail::Clock;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds last_claim{
    250}; ///< for an answer that is on its way: its jobs go back instead of being lost with it
constexpr milliseconds last_calls{5'000}; ///< for what is said when handlers are over or given up

std::string environment(const char* name, std::string otherwise = {})
{
    const char* const value = std::getenv(name);
    return value == nullptr || *value == 0 ? std::move(otherwise) : std::string{value};
}

std::string host_name()
{
    char name[256] = {};
    return gethostname(name, sizeof name - 1) == 0 && name[0] != 0 ? name : "worker";
}

std::string counted(std::size_t count)
{
    return std::to_string(count) + (count == 1 ? " job" : " jobs");
}

/// Where the handler of SIGTERM and SIGINT writes; one worker at a time listens.
std::atomic<int> signal_pipe{-1};

void on_signal(int)
{
    const int error = errno;
    if (const int pipe = signal_pipe.load(); pipe >= 0) [[maybe_unused]]
        const auto written = write(pipe, "s", 1);
    errno = error;
}

/// While it lives SIGTERM and SIGINT end the worker instead of the process.
class Signals {
public:
    Signals(bool wanted, int pipe)
    {
        int none = -1;
        ours_ = wanted && signal_pipe.compare_exchange_strong(none, pipe);
        if (!ours_) return;
        struct sigaction action{};
        action.sa_handler = on_signal;
        action.sa_flags = SA_RESTART;
        sigaction(SIGTERM, &action, &terminate_);
        sigaction(SIGINT, &action, &interrupt_);
    }
    ~Signals()
    {
        if (!ours_) return;
        sigaction(SIGTERM, &terminate_, nullptr);
        sigaction(SIGINT, &interrupt_, nullptr);
        signal_pipe = -1;
    }
    Signals(const Signals&) = delete;
    Signals& operator=(const Signals&) = delete;

private:
    bool ours_ = false;
    struct sigaction terminate_{}, interrupt_{};
};

} // namespace

Worker::Core::Core(WorkerOptions options) : options_{std::move(options)}, host_{host_name()}
{
    const auto within = [](const char* name, int value, int least, int most) {
        if (value < least || value > most)
            throw std::invalid_argument{std::string{name} + " is " + std::to_string(value) + "; it must be " +
                                        std::to_string(least) + " to " + std::to_string(most)};
    };
    within("slots", options_.slots, 1, 1'000);
    within("ahead", options_.ahead, 0, 1'000);
    if (options_.url.empty()) options_.url = environment("FRESHET_URL", "http://127.0.0.1:7878");
    if (options_.token.empty()) options_.token = environment("FRESHET_TOKEN");
    if (options_.id.empty()) options_.id = host_ + "-" + std::to_string(getpid());
    endpoint_ = {options_.url, options_.token};
    while (endpoint_.url.ends_with('/')) endpoint_.url.pop_back();
    if (!endpoint_.url.starts_with("http://") && !endpoint_.url.starts_with("https://"))
        throw std::invalid_argument{"\"" + options_.url +
                                    "\" is no address of a server, such as http://127.0.0.1:7878"};
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) throw std::runtime_error{"no descriptors are left for a worker"};
    wake_read_ = ends[0];
    wake_write_ = ends[1];
}

Worker::Core::~Core()
{
    close(wake_read_);
    close(wake_write_);
}

void Worker::Core::say(const std::string& line) const
{
    if (options_.say)
        options_.say(line);
    else
        std::cerr << ("worker " + options_.id + ": " + line + "\n") << std::flush;
}

void Worker::Core::add(std::string queue, Handler handler)
{
    if (ran_) throw std::logic_error{"tasks are registered before run()"};
    if (!handlers_.emplace(queue, std::move(handler)).second)
        throw std::logic_error{"there is a task for queue " + queue + " already"};
    queues_.push_back(std::move(queue));
}

void Worker::Core::stop()
{
    [[maybe_unused]] const auto written = write(wake_write_, "s", 1);
}

// Each beat says it anew: only a person's second word means hurry.
void Worker::Core::drain()
{
    if (drained_.exchange(true)) return;
    say("the server wants no more work done here");
    const std::lock_guard lock{mutex_};
    if (phase_ == Phase::running) stop();
}

int Worker::Core::run()
{
    if (ran_) throw std::logic_error{"a worker runs once"};
    if (handlers_.empty()) throw std::logic_error{"a worker needs a task"};
    ran_ = true;
    const Signals signals{options_.signals, wake_write_};
    start_threads();
    wait_for_end();
    join_threads();
    return exit_code_;
}

void Worker::Core::start_threads()
{
    claim_connection_ = std::make_unique<detail::Connection>(endpoint_);
    beater_ = std::thread{[self = shared_from_this()] { self->beat_loop(); }};
    sender_ = std::thread{[self = shared_from_this()] { self->send_loop(); }};
    claimer_ = std::thread{[self = shared_from_this()] { self->claim_loop(); }};
}

/// Waits until `done` (called locked), a further signal, or the time is up. True: done.
bool Worker::Core::await(milliseconds within, const std::function<bool()>& done)
{
    const auto until = Clock::now() + within;
    std::unique_lock lock{mutex_};
    while (!done()) {
        const auto now = Clock::now();
        if (now >= until) return false;
        pollfd hear{wake_read_, POLLIN, 0};
        lock.unlock();
        const bool called = poll(&hear, 1, 0) > 0;
        lock.lock();
        if (called) {
            char bytes[16];
            if (read(wake_read_, bytes, sizeof bytes) > 0) return false;
        }
        ends_cv_.wait_until(lock, std::min(until, now + milliseconds{50}));
    }
    return true;
}

// In order: no more claims, what did not begin goes back, what runs may end, then is told to, then is given up.
void Worker::Core::wait_for_end()
{
    pollfd hear{wake_read_, POLLIN, 0};
    while (poll(&hear, 1, -1) < 0) {
    }
    char bytes[16];
    [[maybe_unused]] const auto heard = read(wake_read_, bytes, sizeof bytes);
    {
        const std::lock_guard lock{mutex_};
        phase_ = Phase::draining;
    }
    claimer_cv_.notify_all();
    {
        std::unique_lock lock{mutex_};
        ends_cv_.wait_for(lock, last_claim, [this] { return !claim_open_; });
    }
    claim_connection_->abort();
    claimer_.join();
    give_back_waiting();

    std::size_t left = 0;
    {
        const std::lock_guard lock{mutex_};
        left = static_cast<std::size_t>(working_);
    }
    if (left > 0)
        say("takes no more; " + counted(left) + " may end within " +
            std::to_string(std::chrono::ceil<std::chrono::seconds>(options_.grace).count()) + " s");
    const auto nobody_works = [this] { return working_ == 0; };
    if (!await(options_.grace, nobody_works)) {
        {
            const std::lock_guard lock{mutex_};
            phase_ = Phase::stopping;
        }
        request_stop_of_all(StopReason::shutdown);
        if (!await(options_.stop_wait, nobody_works)) hand_back_the_stubborn();
    }
    const bool told = await(last_calls, [this] { return ends_.empty() && !sending_; });
    if (!told) {
        const std::lock_guard lock{mutex_};
        say(counted(held_.size()) + " could not be told or handed back; their leases run out");
        exit_code_ = exit_code_ == 0 ? 1 : exit_code_;
    }
}

void Worker::Core::give_back_waiting()
{
    std::deque<AttemptPtr> waiting;
    {
        const std::lock_guard lock{mutex_};
        waiting.swap(waiting_);
    }
    for (const AttemptPtr& attempt : waiting) {
        attempt->over = true;
        push_end({attempt, {.how = detail::Ended::How::released}, {}, {}});
    }
}

void Worker::Core::request_stop_of_all(StopReason reason)
{
    std::vector<AttemptPtr> all;
    {
        const std::lock_guard lock{mutex_};
        for (const auto& [key, attempt] : held_) all.push_back(attempt);
    }
    // Outside of the lock: a stop callback is the handler's code.
    for (const AttemptPtr& attempt : all)
        if (!attempt->over) attempt->request_stop(reason);
}

void Worker::Core::hand_back_the_stubborn()
{
    std::vector<AttemptPtr> stubborn;
    {
        const std::lock_guard lock{mutex_};
        phase_ = Phase::abandoning;
        for (const auto& [key, attempt] : held_)
            if (attempt->begun && !attempt->over.exchange(true)) stubborn.push_back(attempt);
    }
    if (stubborn.empty()) return;
    say(counted(stubborn.size()) + " did not stop; handed back, what they still do does not count");
    for (const AttemptPtr& attempt : stubborn) push_end({attempt, {.how = detail::Ended::How::released}, {}, {}});
    const std::lock_guard lock{mutex_};
    exit_code_ = exit_code_ == 0 ? 1 : exit_code_;
}

void Worker::Core::join_threads()
{
    bool stuck = false;
    {
        const std::lock_guard lock{mutex_};
        phase_ = Phase::over;
        stuck = working_ > 0;
    }
    for (std::condition_variable* cv : {&slots_cv_, &beater_cv_, &sender_cv_}) cv->notify_all();
    beater_.join();
    sender_.join();
    for (std::thread& thread : slot_threads_) {
        // Nothing can end a handler that does not want to; the process's end will.
        if (stuck)
            thread.detach();
        else
            thread.join();
    }
}

// --- Worker ---

Worker::Worker(WorkerOptions options) : core_{std::make_shared<Core>(std::move(options))} {}
Worker::~Worker() = default;
Worker::Worker(Worker&&) noexcept = default;
Worker& Worker::operator=(Worker&&) noexcept = default;

Worker& Worker::add(std::string queue, Handler handler)
{
    core_->add(std::move(queue), std::move(handler));
    return *this;
}
int Worker::run()
{
    return core_->run();
}
void Worker::stop()
{
    core_->stop();
}
const std::string& Worker::id() const
{
    return core_->id();
}

} // namespace sdk_v1
} // namespace freshet
