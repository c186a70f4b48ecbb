// SPDX-License-Identifier: Apache-2.0
#include "runners/http/http_runner.hpp"

#include "runners/http/connections.hpp"
#include "runners/http/flight.hpp"

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <variant>
#include <vector>

namespace freshet {

namespace {

constexpr Millis progress_every = 250ms;

FlightFailure given_up(std::string message)
{
    FlightFailure end;
    end.error_class = ErrorClass::cancelled;
    end.code = "cancelled";
    end.message = std::move(message);
    return end;
}

struct Start {
    FlightOrder order;
    FlightSink* sink;
    SteadyTime at;
};
struct Cancel {
    JobId job;
    Seq fence;
};
struct ShapeDone {
    std::uint64_t serial;
    ShapeResult<Shaped> result;
};
using Message = std::variant<Start, Cancel, ShapeDone>;

// Connections of a source are its own; what was opened while private ranges were allowed is not used once they are not.
std::string pool_name(const SourceDefinition& source)
{
    return source.name + (source.http.allow_private ? "\nprivate\n" : "\n\n") + source.http.proxy;
}

} // namespace

// What other threads hand to the loop. Outlives it: late shaping results find it closed.
struct HttpRunner::Inbox {
    std::mutex mutex;
    std::vector<Message> messages; // guarded by mutex
    Connections* reader = nullptr; // guarded by mutex; null: closed
    bool stopping = false;         // guarded by mutex

    /// False once closed; `message` is untouched then.
    bool put(Message&& message)
    {
        const std::lock_guard lock{mutex};
        if (reader == nullptr || stopping) return false;
        messages.push_back(std::move(message));
        reader->wake();
        return true;
    }
};

class HttpRunner::Loop {
public:
    Loop(const Clock& clock, ShapeCall shape, HttpLimits limits, std::shared_ptr<Inbox> inbox)
        : clock_{clock}, shape_{std::move(shape)}, limits_{limits}, inbox_{std::move(inbox)},
          connections_{clock, [this](Transfer& transfer, int code) { transferred(transfer, code); }}
    {
        inbox_->reader = &connections_;
        thread_ = std::thread{[this] { run(); }};
    }

    void join()
    {
        if (thread_.joinable()) thread_.join();
    }

    SteadyTime now() const { return clock_.steady(); }

private:
    struct Active {
        Flight flight;
        FlightSink* sink;
        SteadyTime deadline;
        std::unique_ptr<Transfer> transfer; // null: shaping
        SteadyTime step_began{};            // of the transfer or the shaping
        std::int64_t pulse = 0;             // the transfer's, when it last grew
        SteadyTime pulse_at{};
        std::optional<Progress> told;
        SteadyTime told_at{};
    };
    using Flights = std::map<std::uint64_t, Active>;

    void run();
    bool take_messages();
    void take(Start& start);
    void take(const Cancel& cancel);
    void take(ShapeDone& answer);
    void transferred(Transfer& transfer, int code);
    void go(Flights::iterator at, Flight::Step step);
    void end(Flights::iterator at, FlightEnd end);
    void end_all();
    void look_after();
    bool end_if_late(Flights::iterator at, SteadyTime now);
    void tell(Active& active, SteadyTime now);
    void due_by(SteadyTime at) { look_again_ = std::min(look_again_, at); }

    const Clock& clock_;
    ShapeCall shape_;
    HttpLimits limits_;
    std::shared_ptr<Inbox> inbox_;

    // The loop's thread only.
    Flights flights_;
    std::map<const Transfer*, std::uint64_t> by_transfer_;
    std::uint64_t serial_ = 0;
    SteadyTime look_again_ = SteadyTime::max();
    Connections connections_;

    std::thread thread_;
};

void HttpRunner::Loop::run()
{
    constexpr Millis idle = 1h;
    while (take_messages()) {
        if (now() >= look_again_) look_after();
        const Millis wait = look_again_ == SteadyTime::max() ? idle : std::max<Millis>(look_again_ - now(), 0ms);
        connections_.run(wait);
    }
    end_all();
}

bool HttpRunner::Loop::take_messages()
{
    std::vector<Message> messages;
    {
        const std::lock_guard lock{inbox_->mutex};
        messages.swap(inbox_->messages);
        if (inbox_->stopping) {
            inbox_->reader = nullptr;
            inbox_->messages = std::move(messages); // end_all() answers the starts among them
            return false;
        }
    }
    for (Message& message : messages) std::visit([this](auto& what) { take(what); }, message);
    return true;
}

void HttpRunner::Loop::take(Start& start)
{
    const Millis limit = std::max(start.order.run_limit, 1ms);
    const SteadyTime deadline = start.at + limit;
    const auto [at, added] = flights_.emplace(
        ++serial_, Active{Flight{std::move(start.order), std::min(limits_.connect, limit)}, start.sink, deadline});
    due_by(deadline);
    go(at, at->second.flight.begin());
}

void HttpRunner::Loop::take(const Cancel& cancel)
{
    for (auto at = flights_.begin(); at != flights_.end();) {
        const auto here = at++;
        const FlightOrder& order = here->second.flight.order();
        if (order.job == cancel.job && order.fence == cancel.fence)
            end(here, here->second.flight.ended(given_up("cancelled on request"), here->second.transfer.get()));
    }
}

void HttpRunner::Loop::take(ShapeDone& answer)
{
    const auto at = flights_.find(answer.serial);
    if (at == flights_.end()) return;
    const Millis took = now() - at->second.step_began;
    go(at, at->second.flight.shaped(std::move(answer.result), took));
}

void HttpRunner::Loop::transferred(Transfer& transfer, int code)
{
    const auto found = by_transfer_.find(&transfer);
    const auto at = flights_.find(found->second);
    by_transfer_.erase(found);
    const std::unique_ptr<Transfer> done = std::move(at->second.transfer);
    go(at, at->second.flight.answered(*done, code));
}

void HttpRunner::Loop::go(Flights::iterator at, Flight::Step step)
{
    Active& active = at->second;
    const SteadyTime began = now();
    active.step_began = began;
    if (auto* over = std::get_if<FlightEnd>(&step)) {
        end(at, std::move(*over));
        return;
    }
    if (auto* request = std::get_if<HttpRequest>(&step)) {
        request->names = limits_.names;
        active.transfer = std::make_unique<Transfer>(std::move(*request));
        active.pulse = 0;
        by_transfer_.emplace(active.transfer.get(), at->first);
        connections_.add(pool_name(*active.flight.order().source), *active.transfer);
        due_by(began + limits_.connect);
    } else {
        const Millis left = std::max<Millis>(active.deadline - began, 1ms);
        shape_(std::move(std::get<ShapeOrder>(step)), left,
               [inbox = inbox_, serial = at->first](ShapeResult<Shaped> result) {
                   inbox->put(ShapeDone{serial, std::move(result)});
               });
    }
    tell(active, began);
    due_by(began + progress_every);
}

void HttpRunner::Loop::end(Flights::iterator at, FlightEnd end)
{
    Active& active = at->second;
    if (active.transfer) {
        by_transfer_.erase(active.transfer.get());
        connections_.remove(*active.transfer);
        active.transfer.reset();
    }
    const JobId job = active.flight.order().job;
    const Seq fence = active.flight.order().fence;
    FlightSink& sink = *active.sink;
    flights_.erase(at);
    sink.ended(job, fence, std::move(end));
}

void HttpRunner::Loop::end_all()
{
    while (!flights_.empty()) {
        const auto at = flights_.begin();
        end(at, at->second.flight.ended(given_up("the server is stopping"), at->second.transfer.get()));
    }
    std::vector<Message> left;
    {
        const std::lock_guard lock{inbox_->mutex};
        left.swap(inbox_->messages);
    }
    for (Message& message : left)
        if (auto* start = std::get_if<Start>(&message))
            start->sink->ended(start->order.job, start->order.fence, given_up("the server is stopping"));
}

// Limits and progress, a few times a second and whenever a limit is due.
void HttpRunner::Loop::look_after()
{
    const SteadyTime at = now();
    look_again_ = SteadyTime::max();
    for (auto next = flights_.begin(); next != flights_.end();) {
        const auto here = next++;
        if (end_if_late(here, at)) continue;
        tell(here->second, at);
    }
    if (!flights_.empty()) due_by(at + progress_every);
}

bool HttpRunner::Loop::end_if_late(Flights::iterator at, SteadyTime now)
{
    Active& active = at->second;
    const Transfer* transfer = active.transfer.get();
    const auto late = [&](Millis limit, std::string_view name) {
        end(at, active.flight.timed_out(transfer, limit, name));
        return true;
    };
    if (now >= active.deadline) return late(active.flight.order().run_limit, "run_limit");
    due_by(active.deadline);
    if (transfer == nullptr) return false;
    if (transfer->pulse() != active.pulse) active.pulse = transfer->pulse(), active.pulse_at = now;
    switch (transfer->phase()) {
    case HttpPhase::resolving:
    case HttpPhase::connecting:
    case HttpPhase::tls:
        if (now >= active.step_began + limits_.connect) return late(limits_.connect, "connect");
        due_by(active.step_began + limits_.connect);
        return false;
    case HttpPhase::waiting: return false;
    case HttpPhase::reading:
        if (now >= active.pulse_at + limits_.stall) return late(limits_.stall, "without a byte");
        return false;
    }
    return false;
}

void HttpRunner::Loop::tell(Active& active, SteadyTime now)
{
    if (active.told && now - active.told_at < progress_every) return;
    Progress progress = active.flight.progress(active.transfer.get());
    if (active.told && (progress == *active.told || !moves_forward(*active.told, progress))) return;
    active.told = progress;
    active.told_at = now;
    active.sink->progress(active.flight.order().job, active.flight.order().fence, std::move(progress));
}

HttpRunner::HttpRunner(const Clock& clock, ShapeCall shape, HttpLimits limits)
    : inbox_{std::make_shared<Inbox>()}, loop_{std::make_unique<Loop>(clock, std::move(shape), limits, inbox_)}
{
}

HttpRunner::~HttpRunner()
{
    stop();
}

void HttpRunner::start(FlightOrder order, FlightSink& sink)
{
    const JobId job = order.job;
    const Seq fence = order.fence;
    if (!inbox_->put(Start{std::move(order), &sink, loop_->now()}))
        sink.ended(job, fence, given_up("the server is stopping"));
}

void HttpRunner::cancel(JobId job, Seq fence)
{
    inbox_->put(Cancel{job, fence});
}

void HttpRunner::stop()
{
    {
        const std::lock_guard lock{inbox_->mutex};
        if (!inbox_->stopping && inbox_->reader != nullptr) {
            inbox_->stopping = true;
            inbox_->reader->wake();
        }
    }
    loop_->join();
}

} // namespace freshet
