// SPDX-License-Identifier: Apache-2.0
// run: any program as a worker. By the C++ SDK, which claims, beats and tells ends; each job is one process.
#include "cli/child.hpp"
#include "cli/child_lines.hpp"
#include "cli/commands.hpp"
#include "cli/target.hpp"
#include "cli/words.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <freshet/worker.hpp>
#include <map>
#include <mutex>
#include <ranges>
#include <unistd.h>

extern char** environ;

namespace freshet::cli {

namespace {

namespace sdk = freshet::sdk_v1;

constexpr std::size_t variable_bytes_max = 96 << 10; // the kernel takes no longer ones; stdin always has it

// What the program is told besides its own environment.
std::vector<std::string> environment_of(const sdk::Job& job)
{
    std::map<std::string, std::string> more{
        {"FRESHET_JOB", job.id()},
        {"FRESHET_INPUT", job.input_text().size() <= variable_bytes_max ? job.input_text() : std::string{}},
        {"FRESHET_FENCE", std::to_string(job.fence())},
        {"FRESHET_ATTEMPT", std::to_string(job.attempt())},
        {"FRESHET_GENERATION", std::to_string(job.generation())},
        {"FRESHET_QUEUE", job.queue()},
        {"FRESHET_TENANT", job.tenant()},
        {"FRESHET_WORKER", job.worker()},
        {"FRESHET_CHECKPOINT", job.checkpoint().null() ? std::string{} : job.checkpoint().dump()},
        {"FRESHET_DEADLINE_AT", job.deadline_at()},
    };
    std::vector<std::string> all;
    for (char** at = environ; *at != nullptr; ++at) {
        const std::string_view text{*at};
        if (!more.contains(std::string{text.substr(0, text.find('='))})) all.emplace_back(text);
    }
    for (const auto& [name, value] : more)
        if (!value.empty()) all.push_back(fmt::format("{}={}", name, value));
    return all;
}

// A program's lines become the job's progress, checkpoints and log; its words are also ours.
ChildLines::Heard heard_for(sdk::Job& job, std::ostream& err, std::mutex& streams)
{
    ChildLines::Heard heard;
    heard.word = [&](std::string_view line) {
        job.log(line);
        const std::lock_guard lock{streams};
        err << line << std::endl;
    };
    heard.progress = [&](const auto& now) {
        job.progress({now.done, now.total, now.phase, now.unit, now.message, now.phases});
    };
    heard.checkpoint = [&](const std::string& json) {
        try {
            job.checkpoint_text(json);
        } catch (const std::exception& error) {
            const std::lock_guard lock{streams};
            err << job.id() << ": " << error.what() << std::endl;
        }
    };
    return heard;
}

// JSON as it is; anything else as a text, without the line end that programs put behind their last word.
sdk::Result result_of(std::string output)
{
    while (output.ends_with('\n') || output.ends_with('\r')) output.pop_back();
    if (output.empty()) return {};
    try {
        return sdk::Result::of_text(output);
    } catch (const std::invalid_argument&) {
        return sdk::Json{std::move(output)};
    }
}

[[noreturn]] void fail(const ChildEnd& end, const std::string& last_words)
{
    if (end.output_too_large)
        throw sdk::Fatal{fmt::format("the result is larger than {} MiB", ChildEnd::output_bytes_max >> 20),
                         "result_too_large"};
    const std::string how = end.signal != 0 ? fmt::format("ended by signal {} ({})", end.signal, strsignal(end.signal))
                                            : fmt::format("exit code {}", end.exit_code);
    const std::string code =
        end.signal != 0 ? fmt::format("signal_{}", end.signal) : fmt::format("exit_{}", end.exit_code);
    throw sdk::Retryable{last_words.empty() ? how : fmt::format("{}: {}", how, last_words), code};
}

class Runner {
public:
    Runner(CliContext& context, const RunOptions& options) : context_{context}, options_{options} {}

    sdk::Result work(sdk::Job& job)
    {
        ChildLines lines{job.attempt(), heard_for(job, context_.err, mutex_)};
        ChildOrder order;
        order.command = options_.command;
        order.environment = environment_of(job);
        order.input = job.input_text();
        order.kill_after = options_.kill_after;
        order.on_words = [&](std::string_view bytes) { lines.from_stderr(bytes); };
        order.on_progress = [&](std::string_view bytes) { lines.from_progress(bytes); };
        say(job, "began", {});
        const SteadyTime began = context_.clock.steady();
        const ChildEnd end = run_child(order, job.stop_token());
        lines.finish();
        const Millis took = context_.clock.steady() - began;
        if (!end.start_error.empty()) {
            say(job, "not started", took);
            throw sdk::Fatal{fmt::format("{} cannot be started: {}", options_.command.front(), end.start_error),
                             "not_started"};
        }
        if (end.signal == 0 && end.exit_code == 0 && !end.output_too_large) {
            say(job, "done", took);
            return result_of(end.output);
        }
        say(job, end.stopped ? "stopped" : "failed", took, &end);
        if (end.stopped) job.check();
        fail(end, lines.last_word());
    }

    void say(std::string_view line)
    {
        const std::lock_guard lock{mutex_};
        context_.err << safe(line) << std::endl;
    }

private:
    // Words for people; with --json a line for programs at each end.
    void say(const sdk::Job& job, std::string_view what, std::optional<Millis> took, const ChildEnd* end = nullptr)
    {
        const std::lock_guard lock{mutex_};
        if (!options_.common.json) {
            context_.err << fmt::format("{}  {}  attempt {}  {}{}", job.id(), safe(job.queue()), job.attempt(), what,
                                        took ? " in " + length_words(*took) : std::string{})
                         << std::endl;
            return;
        }
        if (!took) return;
        sdk::Json line{{"job", job.id()},      {"queue", job.queue()}, {"attempt", job.attempt()},
                       {"fence", job.fence()}, {"end", what},          {"ms", took->count()}};
        if (end != nullptr && end->signal != 0)
            line.set("signal", end->signal);
        else if (end != nullptr)
            line.set("exit_code", end->exit_code);
        context_.out << line.dump() << std::endl;
    }

    CliContext& context_;
    const RunOptions& options_;
    std::mutex mutex_; ///< the streams: a line of one job is not cut by another's
};

// As execvp() looks for it. Jobs are not claimed for a program that is not there: each of them would fail for good.
std::string start_error(const std::string& program)
{
    if (program.contains('/')) return access(program.c_str(), X_OK) == 0 ? std::string{} : strerror(errno);
    const char* const path = std::getenv("PATH");
    for (const auto part : std::views::split(std::string_view{path == nullptr ? "/bin:/usr/bin" : path}, ':')) {
        const std::string folder{part.begin(), part.end()};
        if (access(fmt::format("{}/{}", folder.empty() ? "." : folder, program).c_str(), X_OK) == 0) return {};
    }
    return "it is in no folder of PATH";
}

CliResult<int> run_jobs(CliContext& context, const RunOptions& options)
{
    if (const std::string error = start_error(options.command.front()); !error.empty())
        return std::unexpected(CliError{exit_usage,
                                        fmt::format("{} cannot be started: {}", options.command.front(), error),
                                        "freshet run --queue Q -- ./program arguments"});
    const auto target = find_target(context, options.common.config, options.common.tenant);
    if (!target) return std::unexpected(target.error());
    Runner runner{context, options};
    sdk::WorkerOptions worker_options;
    worker_options.url = target->url;
    worker_options.token = target->token;
    worker_options.id = options.worker;
    worker_options.slots = options.slots;
    worker_options.grace = options.grace;
    // A program that is told to end has kill_after to do so; the job is handed back behind it.
    worker_options.stop_wait = options.kill_after + 2s;
    worker_options.say = [&runner](std::string_view line) { runner.say(line); };
    try {
        sdk::Worker worker{worker_options};
        for (const std::string& queue : options.queues)
            worker.task(queue, [&runner](sdk::Job& job) { return runner.work(job); });
        runner.say(fmt::format("worker {} serves {} at {}", worker.id(), fmt::join(options.queues, ", "), target->url));
        return worker.run();
    } catch (const std::invalid_argument& error) {
        return std::unexpected(CliError{exit_usage, error.what(), "freshet run --help"});
    }
}

} // namespace

int run_run(CliContext& context, const RunOptions& options)
{
    // A program that ends without reading its input must not end us.
    struct sigaction ignore{}, before{};
    ignore.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &ignore, &before);
    const auto done = run_jobs(context, options);
    sigaction(SIGPIPE, &before, nullptr);
    return done ? *done : tell(context, done.error());
}

} // namespace freshet::cli
