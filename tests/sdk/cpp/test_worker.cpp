// SPDX-License-Identifier: Apache-2.0
// The C++ test worker of the shared SDK suite: the tasks that tests/sdk/README.md names, written as a user would.

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <freshet/worker.hpp>
#include <ranges>
#include <thread>
#include <unistd.h>

namespace {

using freshet::Job;
using freshet::Json;
using std::chrono::milliseconds;

std::string environment(const char* name, const char* otherwise)
{
    const char* const value = std::getenv(name);
    return value == nullptr ? otherwise : value;
}

void tell(const std::string& line)
{
    std::fputs((line + "\n").c_str(), stdout);
    std::fflush(stdout);
}

void tell(const char* what, const Job& job)
{
    tell(std::string{what} + " " + job.queue() + " " + job.id() + " " + std::to_string(job.attempt()));
}

void tell_stop(const Job& job, freshet::StopReason reason)
{
    const char* why = "shutdown";
    if (reason == freshet::StopReason::cancelled) why = "cancelled";
    if (reason == freshet::StopReason::lost) why = "lost";
    tell("stop " + job.queue() + " " + job.id() + " " + std::to_string(job.attempt()) + " " + why);
}

void rest(std::int64_t ms)
{
    std::this_thread::sleep_for(milliseconds{ms});
}

/// A handler with its lines around it; what it throws goes on.
template <class Function>
auto told(Function function)
{
    return [function](Job& job) {
        tell("begin", job);
        try {
            Json result = function(job);
            tell("end", job);
            return result;
        } catch (const freshet::Stopped& stopped) {
            tell_stop(job, stopped.reason);
            throw;
        }
    };
}

Json who(Job& job)
{
    return Json{
        {"id", job.id()},       {"fence", job.fence()},   {"attempt", job.attempt()}, {"generation", job.generation()},
        {"queue", job.queue()}, {"worker", job.worker()}, {"pid", getpid()}};
}

Json fail(Job& job)
{
    const Json& input = job.input();
    const std::string message = input["message"].text(), kind = input["class"].text("retryable"),
                      code = input["code"].text();
    if (const auto until = input["until"].whole(0); until > 0 && job.attempt() >= until)
        return Json{{"attempt", job.attempt()}};
    if (kind == "fatal") throw freshet::Fatal{message, code};
    if (kind == "rate_limited")
        throw freshet::RateLimited{message, milliseconds{input["retry_after_ms"].whole(0)}, code};
    throw std::runtime_error{message};
}

Json slow(Job& job)
{
    const auto ms = job.input()["ms"].whole(1000), steps = job.input()["steps"].whole(10);
    for ([[maybe_unused]] const auto step :
         job.track(std::views::iota(std::int64_t{0}, steps), job.input()["phase"].text("work")))
        rest(ms / steps);
    return Json{{"steps", steps}, {"attempt", job.attempt()}};
}

Json busy(Job& job)
{
    const std::string until = job.input()["until"].text();
    volatile std::uint64_t sum = 0;
    while (!std::filesystem::exists(until))
        for (std::uint64_t i = 0; i < 10'000'000; ++i) sum = sum + i;
    return Json{{"attempt", job.attempt()}};
}

Json stubborn(Job& job)
{
    rest(job.input()["ms"].whole(1000));
    if (job.stop_reason() != freshet::StopReason::none) tell_stop(job, job.stop_reason());
    return Json{{"attempt", job.attempt()}};
}

Json hurry(Job& job)
{
    const auto count = job.input()["count"].whole(10'000);
    const std::string phase = job.input()["phase"].text("count");
    for (std::int64_t i = 1; i <= count; ++i) job.progress(i, count, phase);
    return Json{{"count", count}};
}

Json checkpoint(Job& job)
{
    const Json& input = job.input();
    const auto steps = input["steps"].whole(10), ms = input["step_ms"].whole(50), die_at = input["die_at"].whole(0);
    const auto from = job.checkpoint()["done"].whole(0);
    for (std::int64_t done = from + 1; done <= steps; ++done) {
        rest(ms);
        job.progress(done, steps, "step");
        job.checkpoint(Json{{"done", done}});
        if (done == die_at && job.attempt() == 1) {
            rest(200);
            std::raise(SIGKILL);
        }
        if (done < steps) job.check();
    }
    return Json{{"from", from}, {"done", steps}, {"attempt", job.attempt()}};
}

Json hand_back(Job& job)
{
    if (job.attempt() == 1) {
        job.checkpoint(Json{{"paused", true}});
        job.release(milliseconds{job.input()["wait_ms"].whole(100)}, job.input()["reason"].text("later"));
    }
    return Json{{"attempt", job.attempt()}, {"checkpoint", job.checkpoint()}};
}

Json write_log(Job& job)
{
    for (const Json& line : job.input()["lines"].items()) job.log(line.text());
    return Json{{"lines", job.input()["lines"].size()}};
}

} // namespace

int main()
{
    freshet::WorkerOptions options{.id = environment("WORKER_ID", ""),
                                   .slots = std::atoi(environment("WORKER_SLOTS", "4").c_str()),
                                   .ahead = std::atoi(environment("WORKER_AHEAD", "0").c_str())};
    if (const std::string grace = environment("WORKER_GRACE_MS", ""); !grace.empty())
        options.grace = milliseconds{std::atoi(grace.c_str())};
    freshet::Worker worker{options};
    worker.task("echo", [](Job& job) { return freshet::Result::of_text(job.input_text()); });
    worker.task("who", told(who));
    worker.task("fail", told(fail));
    worker.task("slow", told(slow));
    worker.task("busy", told(busy));
    worker.task("stubborn", told(stubborn));
    worker.task("hurry", told(hurry));
    worker.task("checkpoint", told(checkpoint));
    worker.task("pause", told(hand_back));
    worker.task("big", told([](Job& job) {
                    return Json{std::string(static_cast<std::size_t>(job.input()["bytes"].whole(1'000'000)), 'x')};
                }));
    worker.task("log", told(write_log));
    tell("ready " + std::to_string(getpid()));
    return worker.run();
}
