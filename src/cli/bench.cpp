// SPDX-License-Identifier: Apache-2.0
// One thread and one connection per client, each asking again when it has its answer. What this client costs is in the
// figures: they compare two servers, or one before and after a change, and are no server's limit.
#include "cli/bench.hpp"

#include "cli/client.hpp"
#include "cli/words.hpp"
#include "wire/json_out.hpp"

#include <algorithm>
#include <chrono>
#include <fmt/format.h>
#include <thread>

namespace freshet::cli {

namespace {

// Finer than the milliseconds of CliContext's clock: an answer may take less.
using Clock = std::chrono::steady_clock;

struct Reader {
    std::vector<std::chrono::nanoseconds> took;
    std::int64_t failed = 0;
    std::optional<CliError> error; ///< the first
};

void read_until(CliContext& context, const Target& target, const HttpRequest& request, Clock::time_point until,
                Reader& reader)
{
    HttpClient client{context, target};
    while (!context.stopped()) {
        const auto began = Clock::now();
        if (began >= until) return;
        const auto answer = client.ask(request);
        if (answer && answer->ok()) {
            reader.took.push_back(Clock::now() - began);
            continue;
        }
        ++reader.failed;
        if (!reader.error) reader.error = answer ? error_of(*answer, request.path) : answer.error();
        if (!answer) return; // the server is gone
    }
}

double ms_of(std::chrono::nanoseconds length)
{
    return std::chrono::duration<double, std::milli>{length}.count();
}

CliResult<void> bench(CliContext& context, const BenchOptions& options)
{
    const auto path = key_path(options.key);
    if (!path) return std::unexpected(path.error());
    const auto target = find_target(context, options.common.config, options.common.tenant);
    if (!target) return std::unexpected(target.error());
    const HttpRequest request{.path = *path, .headers = {{"Cache-Control", "only-if-cached"}}};
    HttpClient first{context, *target};
    const auto there = first.ask(request);
    if (!there) return std::unexpected(there.error());
    if (there->status == 504 || there->status == 202)
        return std::unexpected(CliError{exit_not_fresh, fmt::format("{} has no data that could be read", options.key),
                                        fmt::format("freshet refresh {} --wait 30s", options.key)});
    if (!there->ok()) return std::unexpected(error_of(*there, options.key));

    std::vector<Reader> readers(static_cast<std::size_t>(options.clients));
    const auto began = Clock::now(), until = began + options.length;
    {
        std::vector<std::jthread> threads;
        for (Reader& reader : readers)
            threads.emplace_back([&] { read_until(context, *target, request, until, reader); });
    }
    const auto lasted = Clock::now() - began;

    std::vector<std::chrono::nanoseconds> took;
    std::int64_t failed = 0;
    std::optional<CliError> error;
    for (Reader& reader : readers) {
        took.insert(took.end(), reader.took.begin(), reader.took.end());
        failed += reader.failed;
        if (!error) error = reader.error;
    }
    if (context.stopped() && took.empty()) return std::unexpected(CliError{exit_interrupted, {}, {}});
    std::ranges::sort(took);
    const auto at = [&](std::size_t percent) {
        return took.empty() ? 0.0 : ms_of(took[std::min(took.size() - 1, took.size() * percent / 100)]);
    };
    const double rate = static_cast<double>(took.size()) / std::chrono::duration<double>{lasted}.count();
    if (options.common.json) {
        const auto us = [&](std::size_t percent) { return static_cast<std::int64_t>(at(percent) * 1000); };
        JsonOut out;
        out.begin();
        out.whole("reads", static_cast<std::int64_t>(took.size()));
        out.whole("failed", failed);
        out.whole("reads_per_second", static_cast<std::int64_t>(rate));
        out.whole("p50_us", us(50));
        out.whole("p99_us", us(99));
        out.whole("longest_us", us(100));
        out.whole("clients", options.clients);
        out.whole("bytes", static_cast<std::int64_t>(there->body.size()));
        out.end();
        context.out << out.take() << std::endl;
    } else {
        context.out << fmt::format("{:.0f} reads/s   p50 {:.2f} ms   p99 {:.2f} ms   longest {:.2f} ms", rate, at(50),
                                   at(99), at(100))
                    << std::endl;
        context.err << fmt::format("{} reads of {} bytes in {} over {} connections, {} failed", took.size(),
                                   there->body.size(), length_words(std::chrono::duration_cast<Millis>(lasted)),
                                   options.clients, failed)
                    << std::endl;
    }
    if (error) return std::unexpected(*error);
    return {};
}

} // namespace

int run_bench(CliContext& context, const BenchOptions& options)
{
    const InterruptGuard guard{context};
    const auto done = bench(context, options);
    return done ? exit_done : tell(context, done.error());
}

} // namespace freshet::cli
