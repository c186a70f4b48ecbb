// SPDX-License-Identifier: Apache-2.0
// freshet-bench-jobs: what bench/jobs/run measures the server with, apart from the SDKs' own rows.
//
//   add     puts jobs into a queue, many per call
//   work    a worker of the C++ SDK whose handler does nothing; ends at SIGTERM
//   starts  from asking for a job to the first line of its handler, in turns with a bare write and fdatasync
//   claims  what a claim costs that finds its jobs ready: its time, and CPU time of the server
//
// Each prints one JSON object, when it is over. The token comes from FRESHET_TOKEN.

#include "bench/http/histogram.hpp"
#include "bench/http/server_cpu.hpp"
#include "bench/jobs/http.hpp"
#include "bench/jobs/starts.hpp"

#include <chrono>
#include <CLI/CLI.hpp>
#include <cstdlib>
#include <fmt/format.h>
#include <freshet/worker.hpp>
#include <string>

namespace freshet::bench {

namespace {

using SteadyClock = std::chrono::steady_clock;

std::string token()
{
    const char* const value = std::getenv("FRESHET_TOKEN");
    return value == nullptr ? std::string{} : std::string{value};
}

double ms_since(SteadyClock::time_point begin)
{
    return std::chrono::duration<double, std::milli>{SteadyClock::now() - begin}.count();
}

struct Adding {
    int port = 0, count = 20'000, per_call = 1'000;
    std::string queue = "noop";
};

void add(const Adding& options)
{
    Http http{options.port, token()};
    const auto begin = SteadyClock::now();
    for (int added = 0; added < options.count;) {
        std::string body = "[";
        const int end = std::min(options.count, added + options.per_call);
        for (; added < end; ++added)
            fmt::format_to(std::back_inserter(body), "{}{{\"queue\":\"{}\",\"input\":{{\"n\":{}}}}}",
                           body.size() > 1 ? "," : "", options.queue, added);
        body += "]";
        http.ask("POST", "/v1/jobs", body);
    }
    fmt::print("{{\"added\":{},\"ms\":{:.1f}}}\n", options.count, ms_since(begin));
}

struct Working {
    int port = 0, slots = 4, ahead = 1'000;
    std::string queue = "noop";
};

int work(const Working& options)
{
    Worker worker{{.url = fmt::format("http://127.0.0.1:{}", options.port),
                   .token = token(),
                   .id = "bench",
                   .slots = options.slots,
                   .ahead = options.ahead}};
    worker.task(options.queue, [](Job&) {});
    return worker.run();
}

struct Claiming {
    int port = 0, calls = 200, slots = 10;
    std::string queue = "noop";
    pid_t server = 0;
};

// The jobs that a claim brought: of the answer only what an end must name.
std::string ends_of(const std::string& claimed)
{
    std::string ends;
    const Json answer = Json::parse(claimed);
    for (const Json& job : answer["jobs"].items())
        fmt::format_to(std::back_inserter(ends), "{}{{\"id\":\"{}\",\"fence\":{}}}", ends.empty() ? "" : ",",
                       job["id"].text(), job["fence"].whole());
    return ends;
}

void claims(const Claiming& options)
{
    Http http{options.port, token()};
    const std::string claim = fmt::format("{{\"worker\":\"claimer\",\"queues\":[\"{}\"],\"slots\":{},\"wait\":10}}",
                                          options.queue, options.slots);
    Histogram took;
    std::chrono::nanoseconds cpu{};
    for (int i = 0; i < options.calls; ++i) {
        const auto cpu_before = cpu_of_tree(options.server);
        const auto begin = SteadyClock::now();
        const std::string claimed = http.ask("POST", "/v1/work/claim", claim);
        took.record(static_cast<std::uint64_t>((SteadyClock::now() - begin).count()));
        cpu += cpu_of_tree(options.server) - cpu_before;
        const std::string ends = ends_of(claimed);
        if (ends.empty()) throw std::runtime_error{"a claim brought no job: the queue is empty"};
        http.ask("POST", "/v1/work/complete", fmt::format("{{\"worker\":\"claimer\",\"jobs\":[{}]}}", ends));
    }
    fmt::print("{{\"calls\":{},\"slots\":{},\"p50_us\":{:.1f},\"p99_us\":{:.1f},\"cpu_us\":{:.1f}}}\n", options.calls,
               options.slots, static_cast<double>(took.quantile(0.5)) / 1e3,
               static_cast<double>(took.quantile(0.99)) / 1e3,
               std::chrono::duration<double, std::micro>{cpu}.count() / options.calls);
}

} // namespace

} // namespace freshet::bench

int main(int argc, char** argv)
{
    using namespace freshet::bench;
    CLI::App app{"What bench/jobs/run measures a freshet server with."};
    app.require_subcommand(1);

    Adding adding;
    CLI::App* const add_command = app.add_subcommand("add", "puts jobs into a queue");
    add_command->add_option("--port", adding.port)->required();
    add_command->add_option("--queue", adding.queue);
    add_command->add_option("--count", adding.count);
    add_command->add_option("--per-call", adding.per_call);

    Working working;
    CLI::App* const work_command = app.add_subcommand("work", "works on jobs that do nothing");
    work_command->add_option("--port", working.port)->required();
    work_command->add_option("--queue", working.queue);
    work_command->add_option("--slots", working.slots);
    work_command->add_option("--ahead", working.ahead);

    Claiming claiming;
    CLI::App* const claims_command = app.add_subcommand("claims", "what a claim costs");
    claims_command->add_option("--port", claiming.port)->required();
    claims_command->add_option("--queue", claiming.queue);
    claims_command->add_option("--calls", claiming.calls);
    claims_command->add_option("--slots", claiming.slots);
    claims_command->add_option("--server", claiming.server)->required();

    StartOptions starts;
    CLI::App* const starts_command = app.add_subcommand("starts", "from asking for a job to its start");
    starts_command->add_option("--port", starts.port)->required();
    starts_command->add_option("--queue", starts.queue);
    starts_command->add_option("--server", starts.server)->required();
    starts_command->add_option("--folder", starts.folder, "on the server's disk")->required();
    starts_command->add_option("--rate", starts.rate);
    starts_command->add_option("--seconds", starts.seconds, "of each turn");
    starts_command->add_option("--turns", starts.turns);

    CLI11_PARSE(app, argc, argv);
    try {
        if (*add_command) add(adding);
        if (*work_command) return work(working);
        if (*claims_command) claims(claiming);
        if (*starts_command) measure_starts(starts, token());
        return 0;
    } catch (const std::exception& error) {
        fmt::print(stderr, "{}\n", error.what());
        return 1;
    }
}
