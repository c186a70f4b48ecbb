// SPDX-License-Identifier: Apache-2.0
#include "runners/command/command_run.hpp"

#include "base/bytes.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fmt/format.h>
#include <limits>
#include <sys/socket.h>
#include <sys/wait.h>

namespace freshet {

namespace {

constexpr int not_found_status = 127; // what shells and env answer for a program that is not there

std::string name_of_signal(int number)
{
    const char* name = ::sigabbrev_np(number);
    return name != nullptr ? fmt::format("SIG{}", name) : fmt::format("signal {}", number);
}

} // namespace

CommandRun::CommandRun(const FlightOrder& order, CommandLine line)
    : source_{order.source->name}, directory_{order.source->command.directory}, bytes_max_{order.source->bytes_max},
      memory_max_{order.source->command.memory_max}, line_{std::move(line)}, gate_{order.attempt}
{
}

FlightFailure CommandRun::failure(ErrorClass error_class, std::string_view code, std::string_view what) const
{
    FlightFailure failure;
    failure.error_class = error_class;
    failure.code = code;
    failure.message = fmt::format("{}: {}", shown(), what);
    return failure;
}

FlightFailure CommandRun::too_large() const
{
    return failure(
        ErrorClass::retryable, "too_large",
        fmt::format("the output is larger than {} (max_bytes of source {})", shown_bytes(bytes_max_), source_));
}

std::optional<FlightFailure> CommandRun::prepare(Millis grace)
{
    const std::string order =
        encode(WardenOrder{line_.arguments, line_.environment, line_.directory, static_cast<std::uint64_t>(memory_max_),
                           static_cast<std::uint32_t>(grace.count())});
    if (order.size() > warden_order_bytes_max)
        return failure(
            ErrorClass::fatal, "bad_command",
            fmt::format("arguments and environment are larger than {} together", shown_bytes(warden_order_bytes_max)));
    if (const int error = make_pipes(pipes_); error != 0)
        return failure(ErrorClass::retryable, "spawn",
                       fmt::format("the server could not make a pipe: {}", ::strerror(error)));
    if (::send(pipes_.control.get(), order.data(), order.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        return failure(ErrorClass::retryable, "spawn",
                       fmt::format("its order could not be sent: {}", ::strerror(errno)));
    return std::nullopt;
}

void CommandRun::sent()
{
    for (Descriptor& fd : pipes_.child) fd.close();
}

void CommandRun::terminate()
{
    if (std::exchange(terminating_, true)) return;
    // It cannot be full: two packets at most go this way.
    ::send(pipes_.control.get(), &terminate_word, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

bool CommandRun::read(Pipe pipe)
{
    constexpr int rounds = 8; // then the other runs have their turn
    switch (pipe) {
    case Pipe::control: return true;
    case Pipe::out: return read_some(pipes_.out, pipe, rounds);
    case Pipe::err: return read_some(pipes_.err, pipe, rounds);
    case Pipe::progress: return read_some(pipes_.progress, pipe, rounds);
    }
    return true;
}

bool CommandRun::read_some(Descriptor& fd, Pipe pipe, int rounds)
{
    std::array<char, 64 << 10> bytes;
    while (fd && rounds-- > 0) {
        const ssize_t size = ::read(fd.get(), bytes.data(), bytes.size());
        if (size < 0 && errno == EINTR) continue;
        if (size < 0 && errno == EAGAIN) return true;
        if (size <= 0) {
            fd.close();
            return true;
        }
        if (!take(pipe, {bytes.data(), static_cast<std::size_t>(size)})) {
            fd.close();
            return false;
        }
    }
    return true;
}

bool CommandRun::take(Pipe pipe, std::string_view bytes)
{
    switch (pipe) {
    case Pipe::control: break;
    case Pipe::err: words_.feed(bytes, gate_); break;
    case Pipe::progress: progress_lines_.feed(bytes, [this](std::string_view line) { gate_.line(line); }); break;
    case Pipe::out:
        bytes_in_ += static_cast<std::int64_t>(bytes.size());
        if (bytes_in_ > bytes_max_) {
            too_large_ = true;
            output_ = {};
            return false;
        }
        output_ += bytes;
        break;
    }
    return true;
}

std::optional<CommandRun::Report> CommandRun::take_report()
{
    Report taken;
    const ssize_t size = ::recv(pipes_.control.get(), &taken.report, sizeof taken.report, MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return std::nullopt;
    taken.lost = size != sizeof taken.report;
    return taken;
}

std::optional<FlightFailure> CommandRun::ended(const Report& report)
{
    // Nobody writes any more, so each pipe ends; one that somebody outside the tree holds open is left where it is.
    constexpr int all = std::numeric_limits<int>::max();
    read_some(pipes_.out, Pipe::out, all);
    read_some(pipes_.err, Pipe::err, 64);
    read_some(pipes_.progress, Pipe::progress, 64);
    words_.finish(gate_);
    progress_lines_.finish([this](std::string_view line) { gate_.line(line); });
    pipes_ = {};

    if (report.lost) return failure(ErrorClass::retryable, "lost", "the process that watched over it was lost");
    strays_ = report.report.strays;
    return verdict(report.report);
}

FlightFailure CommandRun::not_started(const WardenReport& report) const
{
    const char* why = ::strerror(report.error);
    switch (report.failed) {
    case WardenStep::none:
    case WardenStep::fork:
        return failure(ErrorClass::retryable, "spawn", fmt::format("no process could be made: {}", why));
    case WardenStep::directory:
        return failure(ErrorClass::fatal, "bad_directory", fmt::format("cannot run in {}: {}", directory_, why));
    case WardenStep::exec: break;
    }
    if (report.error == ENOENT)
        return failure(ErrorClass::fatal, "not_found",
                       shown().find('/') != std::string::npos
                           ? "there is no such program (or its interpreter is missing)"
                           : "there is no such program in PATH");
    if (report.error == ENOEXEC)
        return failure(ErrorClass::fatal, "not_executable",
                       "this is no program; a script must begin with #! and its interpreter");
    if (report.error == ENOMEM || report.error == EAGAIN)
        return failure(ErrorClass::retryable, "spawn", fmt::format("it could not be started: {}", why));
    return failure(ErrorClass::fatal, "not_executable", fmt::format("it cannot be run: {}", why));
}

std::string CommandRun::last_words() const
{
    const std::string words = presentable(words_.tail(), words_.cut(), line_.secrets);
    return words.empty() ? words : fmt::format(": {}", words);
}

std::optional<FlightFailure> CommandRun::verdict(const WardenReport& report)
{
    if (report.failed != WardenStep::none) return not_started(report);
    if (WIFSIGNALED(report.status)) {
        const int number = WTERMSIG(report.status);
        source_status_ = 128 + number;
        const bool memory = number == SIGSEGV || number == SIGABRT || number == SIGBUS || number == SIGKILL;
        return failure(ErrorClass::retryable, "signal",
                       fmt::format("ended by {}{}{}", name_of_signal(number),
                                   memory ? fmt::format(" (it may use {} of memory: max_memory of source {})",
                                                        shown_bytes(memory_max_), source_)
                                          : "",
                                   last_words()));
    }
    source_status_ = WEXITSTATUS(report.status);
    if (too_large_) return too_large();
    if (source_status_ == not_found_status)
        return failure(ErrorClass::fatal, "not_found",
                       fmt::format("exit code 127: a program that it runs is not there{}", last_words()));
    if (source_status_ != 0)
        return failure(ErrorClass::retryable, "exit_code", fmt::format("exit code {}{}", source_status_, last_words()));
    return std::nullopt;
}

} // namespace freshet
