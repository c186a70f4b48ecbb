// SPDX-License-Identifier: Apache-2.0
#include "app/serve.hpp"

#include "app/assembly.hpp"
#include "app/config_file.hpp"
#include "base/log.hpp"
#include "cli/target.hpp"
#include "http/sign_in_links.hpp"
#include "runtime/notify.hpp"
#include "runtime/signals.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <thread>

namespace freshet {

namespace {

log::Level level_of(const std::string& word)
{
    if (word == "debug") return log::Level::debug;
    if (word == "warn") return log::Level::warn;
    return word == "error" ? log::Level::error : log::Level::info;
}

/// As many descriptors as we may have: a connection each, and the soft limit is often a thousand.
void raise_descriptor_limit()
{
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

void tell_ready(const cli::CliContext& context, const Definitions& definitions, Assembly& assembly)
{
    std::string listen = definitions.server.listen;
    listen.replace(listen.rfind(':'), std::string::npos, fmt::format(":{}", assembly.port()));
    const std::string url = cli::url_of_listen(listen);
    context.out << "freshet " FRESHET_VERSION " listens on " << url << std::endl;
    std::string base = definitions.server.public_url.empty() ? url : definitions.server.public_url;
    while (base.ends_with('/')) base.pop_back();
    context.out << "  console  " << base << assembly.sign_in_link() << "\n           (signs one browser in, within "
                << to_text(http::sign_in_link_lives) << "; another: freshet console)" << std::endl;
    if (context.out_terminal) {
        const std::string key = definitions.sources.empty() ? "KEY" : definitions.sources.begin()->first;
        context.out << "  refresh  freshet refresh " << key << " --wait 30s" << std::endl;
    }
    log::info("ready", {{"url", url}, {"sources", definitions.sources.size()}});
    if (definitions.speed != 1.0)
        log::warn("configured lengths of time are divided; not for production", {{"speed", definitions.speed}});
    notify_manager("READY=1");
}

/// Waits for the first of them to be readable, at most so long; a negative one never is.
void wait_for(std::array<int, 2> fds, Millis at_most)
{
    std::array<pollfd, 2> polled{pollfd{fds[0], POLLIN, 0}, pollfd{fds[1], POLLIN, 0}};
    ::poll(polled.data(), polled.size(), static_cast<int>(at_most.count()));
}

/// Ends the server; another signal meanwhile ends the process at once.
void stop_in_order(Assembly& assembly, Signals& signals)
{
    const Descriptor done{::eventfd(0, EFD_CLOEXEC)};
    std::thread stopper{[&] {
        assembly.stop();
        const std::uint64_t one = 1;
        (void)!::write(done.get(), &one, sizeof one);
    }};
    while (true) {
        wait_for({signals.fd(), done.get()}, Millis{60'000});
        pollfd over{done.get(), POLLIN, 0};
        if (::poll(&over, 1, 0) == 1) break;
        if (const auto number = signals.take(); number && *number != SIGHUP) {
            log::warn("ended at once; leases of what was in flight end with this process");
            std::_Exit(128 + *number);
        }
    }
    stopper.join();
}

void supervise(Assembly& assembly, ConfigFile& file, Signals& signals, const Clock& clock)
{
    while (true) {
        const SteadyTime now = clock.steady();
        const auto due = file.due();
        const Millis left = due ? std::clamp<Millis>(*due - now, 0ms, 1min) : 1min;
        wait_for({signals.fd(), file.watch_fd()}, left);
        while (const auto number = signals.take()) {
            if (*number == SIGHUP) {
                file.ask();
                continue;
            }
            log::info("stopping", {{"signal", *number == SIGINT ? "SIGINT" : "SIGTERM"}});
            return;
        }
        file.watched(clock.steady());
        if (auto definitions = file.reload(clock.steady());
            definitions && !assembly.reconfigure(definitions, file.facades()))

            file.again(clock.steady());
    }
}

} // namespace

int run_serve(cli::CliContext& context, const ServeOptions& options)
{
    ConfigFile file{options.config, {options.listen, options.speed}};
    const auto loaded = file.load();
    if (!loaded) {
        context.err << to_lines(loaded.error(), options.config) << std::flush;
        return cli::exit_usage;
    }
    context.err << to_lines(loaded->warnings, options.config) << std::flush;
    if (options.check) {
        context.out << "ok" << std::endl;
        return cli::exit_done;
    }

    Signals signals; // before any thread
    std::signal(SIGPIPE, SIG_IGN);
    raise_descriptor_limit();
    log::set_up(level_of(loaded->definitions->server.log));
    try {
        Assembly assembly{loaded->definitions, loaded->facades};
        assembly.start();
        tell_ready(context, *loaded->definitions, assembly);
        supervise(assembly, file, signals, context.clock);
        notify_manager("STOPPING=1");
        stop_in_order(assembly, signals);
    } catch (const Failure& failure) {
        log::error("cannot serve", {{"error", failure.what()}});
        return cli::exit_failed;
    }
    log::info("stopped");
    return cli::exit_done;
}

void add_serve(CLI::App& app, cli::CliContext& context)
{
    CLI::App* command = app.add_subcommand("serve", "Run the server");
    const auto options = std::make_shared<ServeOptions>();
    command->add_option("--config", options->config, "The config file; ./freshet.toml if not given")->type_name("FILE");
    command->add_flag("--check", options->check, "Read the config, say what is wrong with it, and end");
    command->add_option("--speed", options->speed, "Divide every configured length of time, to watch a day in minutes")
        ->type_name("X")
        ->check(CLI::Range(0.001, 1'000'000.0));
    command->add_option("--listen", options->listen, "Listen here instead of where the config says")
        ->type_name("HOST:PORT");
    command->callback([&context, options] { context.exit_code = run_serve(context, *options); });
}

} // namespace freshet
