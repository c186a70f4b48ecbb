// SPDX-License-Identifier: Apache-2.0
#include "runners/command/command_runner.hpp"

#include "base/failure.hpp"
#include "base/log.hpp"
#include "runners/command/command_run.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <deque>
#include <fmt/format.h>
#include <map>
#include <mutex>
#include <optional>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <thread>
#include <variant>

namespace freshet {

namespace {

using Pipe = CommandRun::Pipe;

/// After this long a flight that was told to end is ended, whether or not its processes could be.
constexpr Millis end_after{1950};

struct Start {
    FlightOrder order;
    FlightSink* sink;
    SteadyTime at;
};
struct Cancel {
    JobId job;
    Seq fence;
};
struct ShapeEnd {
    std::uint64_t serial;
    ShapeResult<Shaped> result;
};
using Message = std::variant<Start, Cancel, ShapeEnd>;

FlightFailure given_up(std::string message)
{
    FlightFailure end;
    end.error_class = ErrorClass::cancelled;
    end.code = "cancelled";
    end.message = std::move(message);
    return end;
}

ErrorClass class_of(ShapeErrorCode code)
{
    if (code == ShapeErrorCode::bad_program) return ErrorClass::fatal;
    const bool ended = code == ShapeErrorCode::cancelled || code == ShapeErrorCode::stopped;
    return ended ? ErrorClass::cancelled : ErrorClass::retryable;
}

ShapeOrder shape_order(const SourceDefinition& source, std::string output)
{
    ShapeOrder order;
    order.input = std::move(output);
    order.format = source.format;
    order.select = source.select;
    order.rows = source.rows;
    order.cells = source.cells;
    order.as_of = source.as_of;
    return order;
}

} // namespace

// What other threads hand to the loop. Outlives it: late shaping results find it closed.
struct CommandRunner::Inbox {
    std::mutex mutex;
    std::vector<Message> messages;                             // guarded by mutex
    bool stopping = false;                                     // guarded by mutex
    Descriptor wake{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)}; // as long as the inbox

    /// False once stopping; `message` is untouched then.
    bool put(Message&& message)
    {
        const std::lock_guard lock{mutex};
        if (stopping) return false;
        messages.push_back(std::move(message));
        ring();
        return true;
    }
    void ring() const { ::eventfd_write(wake.get(), 1); }
};

class CommandRunner::Loop {
public:
    Loop(const Clock& clock, ShapeCall shape, CommandOptions options, std::shared_ptr<Inbox> inbox)
        : clock_{clock}, shape_{std::move(shape)}, grace_{options.grace}, inbox_{std::move(inbox)},
          spawner_{std::move(options.program), std::move(options.arguments)}, epoll_{::epoll_create1(EPOLL_CLOEXEC)}
    {
        if (!epoll_ || !inbox_->wake || !watch(inbox_->wake.get(), inbox_tag, EPOLLIN))
            throw Failure{fmt::format("the command runner has no descriptors: {}", ::strerror(errno))};
        thread_ = std::thread{[this] { run(); }};
    }
    SteadyTime now() const { return clock_.steady(); }
    void join()
    {
        if (thread_.joinable()) thread_.join();
    }

private:
    struct Active {
        FlightOrder order;
        FlightSink* sink;
        CommandRun run;
        SteadyTime began, deadline;
        std::optional<SteadyTime> shaping_since;
        std::optional<FlightFailure> cause;   ///< why it was told to end
        std::optional<SteadyTime> give_up_at; ///< set with cause, while processes may live
        Millis ran{0}, shaped{0};
        bool told = false; ///< its end went to the sink; only its processes are waited for
    };
    using Runs = std::map<std::uint64_t, Active>;

    static constexpr std::uint64_t inbox_tag = 0; // tags of runs are serial * 4 + pipe, serial > 0

    bool watch(int fd, std::uint64_t tag, std::uint32_t events, int operation = EPOLL_CTL_ADD)
    {
        epoll_event event{};
        event.events = events;
        event.data.u64 = tag;
        return ::epoll_ctl(epoll_.get(), operation, fd, &event) == 0;
    }

    void run();
    void take_inbox();
    void take(Start& start);
    void take(Cancel& cancel);
    void take(ShapeEnd& answer);
    void take_event(const epoll_event& event);
    void take_spawner_event(std::uint32_t events);

    void hand_over(Runs::iterator at);
    void hand_over_waiting();
    void told_to_end(Runs::iterator at, FlightFailure cause);
    void processes_ended(Runs::iterator at, const CommandRun::Report& report);
    void shape(Runs::iterator at);
    void end(Runs::iterator at, FlightEnd end);
    void keep_time();
    int wait_ms() const;
    FlightFacts facts(const Active& active) const;

    const Clock& clock_;
    ShapeCall shape_;
    Millis grace_;
    std::shared_ptr<Inbox> inbox_;
    Spawner spawner_;
    /// A serial of its own for each spawner: what epoll told of one that is gone must not be taken for its follower.
    std::uint64_t spawner_tag_ = 0;
    Descriptor epoll_;
    Runs runs_;
    std::deque<std::uint64_t> waiting_; ///< not handed over yet: the spawner's socket is full
    std::uint64_t serials_ = 0;
    bool stopping_ = false;
    std::thread thread_;
};

void CommandRunner::Loop::run()
{
    std::array<epoll_event, 64> events;
    const auto any_untold = [this] {
        return std::ranges::any_of(runs_, [](const auto& run) { return !run.second.told; });
    };
    while (!stopping_ || any_untold()) {
        const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), wait_ms());
        for (int i = 0; i < count; ++i) take_event(events.at(static_cast<std::size_t>(i)));
        keep_time();
    }
    runs_.clear(); // closes the control sockets, at which what still lives is killed
    spawner_.end();
}

int CommandRunner::Loop::wait_ms() const
{
    std::optional<SteadyTime> next;
    const auto by = [&](std::optional<SteadyTime> at) {
        if (at && (!next || *at < *next)) next = at;
    };
    for (const auto& [serial, active] : runs_) {
        if (active.told) continue;
        by(active.give_up_at ? active.give_up_at : active.cause ? std::nullopt : std::optional{active.deadline});
        by(active.run.gate().due());
    }
    if (!next) return -1;
    return static_cast<int>(std::clamp<std::int64_t>((*next - clock_.steady()).count(), 0, 60'000));
}

void CommandRunner::Loop::keep_time()
{
    const SteadyTime now = clock_.steady();
    for (auto next = runs_.begin(); next != runs_.end();) {
        const auto at = next++;
        Active& active = at->second;
        if (active.told) continue;
        if (const auto progress = active.run.gate().take(now))
            active.sink->progress(active.order.job, active.order.fence, *progress);
        if (active.give_up_at && now >= *active.give_up_at) {
            active.give_up_at.reset();
            end(at, *active.cause);
        } else if (!active.cause && now >= active.deadline) {
            const std::string limit = fmt::format("(limit: run_limit {})", to_text(active.order.run_limit));
            told_to_end(at, active.run.failure(ErrorClass::retryable, "timeout",
                                               active.shaping_since ? "ended while shaping the output " + limit
                                                                    : "it still ran " + limit));
        }
    }
}

void CommandRunner::Loop::take_event(const epoll_event& event)
{
    const std::uint64_t tag = event.data.u64;
    if (tag == inbox_tag) return take_inbox();
    if (tag == spawner_tag_) return take_spawner_event(event.events);
    const auto at = runs_.find(tag >> 2);
    if (at == runs_.end()) return;
    CommandRun& run = at->second.run;
    const auto pipe = static_cast<Pipe>(tag & 3);
    if (pipe == Pipe::control) {
        if (const auto report = run.take_report()) processes_ended(at, *report);
    } else if (!run.read(pipe) && !at->second.cause) {
        told_to_end(at, run.too_large());
    }
}

void CommandRunner::Loop::take_inbox()
{
    eventfd_t ignored = 0;
    ::eventfd_read(inbox_->wake.get(), &ignored);
    std::vector<Message> messages;
    bool stop = false;
    {
        const std::lock_guard lock{inbox_->mutex};
        messages.swap(inbox_->messages);
        stop = inbox_->stopping;
    }
    for (Message& message : messages) std::visit([this](auto& m) { take(m); }, message);
    if (!stop || std::exchange(stopping_, true)) return;
    for (auto next = runs_.begin(); next != runs_.end();) {
        const auto at = next++;
        if (!at->second.cause) told_to_end(at, given_up("the server is stopping"));
    }
}

void CommandRunner::Loop::take(Start& start)
{
    auto line = command_line(start.order);
    if (!line) return start.sink->ended(start.order.job, start.order.fence, std::move(line.error()));
    const std::uint64_t serial = ++serials_;
    CommandRun run{start.order, std::move(*line)};
    const SteadyTime deadline = start.at + start.order.run_limit;
    const auto at =
        runs_.emplace(serial, Active{std::move(start.order), start.sink, std::move(run), start.at, deadline}).first;
    if (auto failure = at->second.run.prepare(grace_)) return end(at, std::move(*failure));
    const RunPipes& pipes = at->second.run.pipes();
    const bool watched =
        watch(pipes.control.get(), serial * 4 + 0, EPOLLIN) && watch(pipes.out.get(), serial * 4 + 1, EPOLLIN) &&
        watch(pipes.err.get(), serial * 4 + 2, EPOLLIN) && watch(pipes.progress.get(), serial * 4 + 3, EPOLLIN);
    if (!watched)
        return end(at, at->second.run.failure(ErrorClass::retryable, "spawn", "the server could not watch it"));
    // Those that came before go first.
    if (!waiting_.empty()) return waiting_.push_back(serial);
    hand_over(at);
}

void CommandRunner::Loop::hand_over(Runs::iterator at)
{
    int error = 0;
    for (int tries = 0; tries < 2; ++tries) {
        if (!spawner_.running()) {
            error = spawner_.start();
            spawner_tag_ = ++serials_ * 4;
            if (error == 0 && !watch(spawner_.socket(), spawner_tag_, EPOLLIN)) error = errno;
            if (error != 0) break;
        }
        error = spawner_.send(at->second.run.pipes().child);
        if (error == 0) return at->second.run.sent();
        if (error == EAGAIN) {
            watch(spawner_.socket(), spawner_tag_, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
            return waiting_.push_back(at->first);
        }
        if (error == ETOOMANYREFS || error == EMFILE) break;
        spawner_.stop(); // it is gone: once more with a new one
    }
    spawner_.stop();
    end(at, at->second.run.failure(ErrorClass::retryable, "spawn",
                                   fmt::format("no process could be made: {}", ::strerror(error))));
}

void CommandRunner::Loop::hand_over_waiting()
{
    std::deque<std::uint64_t> waiting;
    waiting.swap(waiting_);
    for (const std::uint64_t serial : waiting) {
        const auto at = runs_.find(serial);
        if (at == runs_.end()) continue;
        if (!waiting_.empty())
            waiting_.push_back(serial);
        else
            hand_over(at);
    }
}

void CommandRunner::Loop::take_spawner_event(std::uint32_t events)
{
    if (!spawner_.running()) return;
    if ((events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0) {
        // It never speaks, so this is its end. Wardens go on without it; runs it had not begun see their socket close.
        log::warn("the process that starts commands was lost; the next run starts another");
        spawner_.stop();
    } else {
        watch(spawner_.socket(), spawner_tag_, EPOLLIN, EPOLL_CTL_MOD);
    }
    hand_over_waiting();
}

void CommandRunner::Loop::take(Cancel& cancel)
{
    for (auto at = runs_.begin(); at != runs_.end(); ++at) {
        Active& active = at->second;
        if (active.order.job != cancel.job || active.order.fence != cancel.fence || active.told) continue;
        if (!active.cause) told_to_end(at, given_up("cancelled on request"));
        return;
    }
}

void CommandRunner::Loop::told_to_end(Runs::iterator at, FlightFailure cause)
{
    Active& active = at->second;
    active.cause = std::move(cause);
    // While it waits for the spawner and while it is shaped there is no process.
    if (active.shaping_since || std::erase(waiting_, at->first) > 0) return end(at, *active.cause);
    active.run.terminate();
    active.give_up_at = clock_.steady() + end_after;
}

void CommandRunner::Loop::processes_ended(Runs::iterator at, const CommandRun::Report& report)
{
    Active& active = at->second;
    auto failure = active.run.ended(report);
    active.give_up_at.reset();
    active.ran = clock_.steady() - active.began;
    if (active.told) {
        runs_.erase(at);
        return;
    }
    if (active.cause) return end(at, *active.cause);
    if (failure) return end(at, std::move(*failure));
    shape(at);
}

void CommandRunner::Loop::shape(Runs::iterator at)
{
    Active& active = at->second;
    const SteadyTime now = clock_.steady();
    const Millis left = std::max(active.deadline - now, Millis{1});
    active.shaping_since = now;
    shape_(shape_order(*active.order.source, active.run.take_output()), left,
           [inbox = inbox_, serial = at->first](ShapeResult<Shaped> result) {
               inbox->put(ShapeEnd{serial, std::move(result)});
           });
}

void CommandRunner::Loop::take(ShapeEnd& answer)
{
    const auto at = runs_.find(answer.serial);
    if (at == runs_.end()) return; // ended meanwhile
    Active& active = at->second;
    active.shaped = clock_.steady() - *active.shaping_since;
    if (!answer.result) {
        const ShapeErrorCode code = answer.result.error().code;
        const std::string_view word = code == ShapeErrorCode::timed_out ? "timeout" : to_text(code);
        return end(at, active.run.failure(class_of(code), word, answer.result.error().message));
    }
    end(at, FlightData{std::move(answer.result->json), answer.result->as_of, {}, {}});
}

FlightFacts CommandRunner::Loop::facts(const Active& active) const
{
    FlightFacts facts;
    facts.source_status = active.run.source_status();
    facts.bytes_in = active.run.bytes_in();
    const SteadyTime now = clock_.steady();
    facts.phases.push_back({"run", active.shaping_since ? active.ran : now - active.began});
    if (active.shaping_since) facts.phases.push_back({"shape", now - *active.shaping_since});
    if (active.run.strays() > 0)
        facts.notes.push_back(fmt::format("{} processes that it had started could not be ended", active.run.strays()));
    return facts;
}

void CommandRunner::Loop::end(Runs::iterator at, FlightEnd end)
{
    Active& active = at->second;
    std::visit([&](auto& e) { e.facts = facts(active); }, end);
    if (const auto progress = active.run.gate().take(clock_.steady(), true))
        active.sink->progress(active.order.job, active.order.fence, *progress);
    active.told = true;
    FlightSink& sink = *active.sink;
    const JobId job = active.order.job;
    const Seq fence = active.order.fence;
    // Processes that outlive the end keep the run, so that their warden is heard and its socket stays open.
    const bool lives_on =
        active.cause && !active.shaping_since && active.run.pipes().control && !active.run.pipes().child[control_fd];
    if (!lives_on) runs_.erase(at);
    sink.ended(job, fence, std::move(end));
}

CommandRunner::CommandRunner(const Clock& clock, ShapeCall shape, CommandOptions options)
    : inbox_{std::make_shared<Inbox>()},
      loop_{std::make_unique<Loop>(clock, std::move(shape), std::move(options), inbox_)}
{
}

CommandRunner::~CommandRunner()
{
    stop();
}

void CommandRunner::start(FlightOrder order, FlightSink& sink)
{
    const JobId job = order.job;
    const Seq fence = order.fence;
    Message message = Start{std::move(order), &sink, loop_->now()};
    if (!inbox_->put(std::move(message))) sink.ended(job, fence, given_up("the server is stopping"));
}

void CommandRunner::cancel(JobId job, Seq fence)
{
    inbox_->put(Cancel{job, fence});
}

void CommandRunner::stop()
{
    {
        const std::lock_guard lock{inbox_->mutex};
        inbox_->stopping = true;
        inbox_->ring();
    }
    loop_->join();
}

} // namespace freshet
