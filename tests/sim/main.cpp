// SPDX-License-Identifier: Apache-2.0
// freshet-sim: runs simulated worlds by seed and says which promise broke where. The same seed, the same world.
#include "sim/world.hpp"

#include <CLI/CLI.hpp>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

namespace {

using namespace freshet;

constexpr int seeds_that_see_all = 1000;

/// What is said when the server's own assertions end the process.
std::uint64_t seed_now = 0;
int steps_now = 0;
bool embedded_now = false;
std::string replay()
{
    return fmt::format("replay: ./dev sim --seed {} --steps {}{}", seed_now, steps_now,
                       embedded_now ? " --embedded" : "");
}
void aborted(int)
{
    fmt::print("seed {} broke a promise: an invariant of the server's own (above).\n  {}\n", seed_now, replay());
    std::fflush(stdout);
    std::_Exit(1);
}

struct Options {
    std::uint64_t seed = 0, first = 1;
    int seeds = 2000, steps = 2000;
    bool told = false, embedded = false;
};

/// The words of what broke; nothing if all held.
std::optional<std::string> run_one(std::uint64_t seed, const Options& options, sim::Coverage& coverage)
{
    seed_now = seed;
    steps_now = options.steps;
    embedded_now = options.embedded;
    try {
        sim::World world{{.seed = seed, .steps = options.steps, .told = options.told, .embedded = options.embedded}};
        world.run();
        coverage.add(world.coverage());
        return std::nullopt;
    } catch (const sim::Broken& broken) {
        return broken.what();
    } catch (const Failure& failure) {
        return fmt::format("the engine failed: {}", failure.what());
    }
}

} // namespace

int main(int argc, char** argv)
{
    Options options;
    CLI::App app{"Simulated worlds of the real engine: crashes, lost messages, full disks, by seed"};
    app.add_option("--seed", options.seed, "Replay this one world, telling each event")->type_name("N");
    app.add_option("--first", options.first, "The first of --seeds")->type_name("N");
    app.add_option("--seeds", options.seeds, "How many worlds")->type_name("N");
    app.add_option("--steps", options.steps, "Events in each before faults stop")->type_name("N");
    app.add_flag("--embedded", options.embedded, "Over the embedded store, in a directory of its own");
    app.add_flag("--told", options.told, "Tell each event");
    CLI11_PARSE(app, argc, argv);
    if (options.seed != 0) options.first = options.seed, options.seeds = 1, options.told = true;
    spdlog::set_level(spdlog::level::off); // thousands of worlds, each with its troubles

    std::signal(SIGABRT, aborted);
    sim::Coverage coverage;
    const auto began = std::chrono::steady_clock::now();
    for (int i = 0; i < options.seeds; ++i) {
        const std::uint64_t seed = options.first + static_cast<std::uint64_t>(i);
        if (const auto broken = run_one(seed, options, coverage)) {
            fmt::print("seed {} broke a promise after {} worlds.\n  {}\n  {}\n", seed, i, *broken, replay());
            return 1;
        }
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    fmt::print("{}", coverage.shown());
    // Few worlds need not see all there is; backups are of the embedded store.
    if (!options.embedded) coverage.saw(sim::Seen::restores);
    if (const auto never = coverage.never_seen(); options.seeds >= seeds_that_see_all && !never.empty()) {
        fmt::print("No world saw: {}.   try: make it happen in tests/sim/actors.cpp or workers.cpp\n",
                   fmt::join(never, ", "));
        return 1;
    }
    fmt::print("{} worlds of {} steps held every promise, in {:.1f} s\n", options.seeds, options.steps, took.count());
    return 0;
}
