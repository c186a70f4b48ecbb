// SPDX-License-Identifier: Apache-2.0
#include "cli/context.hpp"

#include "cli/words.hpp"

#include <csignal>
#include <iostream>
#include <sys/ioctl.h>
#include <unistd.h>

namespace freshet::cli {

namespace {

// The one thing a signal handler may touch.
std::atomic<bool> interrupt_flag{false};
static_assert(std::atomic<bool>::is_always_lock_free);
struct sigaction before_int, before_term;

void on_signal(int)
{
    interrupt_flag.store(true, std::memory_order_relaxed);
}

int terminal_width()
{
    winsize size{};
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

} // namespace

CliContext process_context(const Clock& clock)
{
    CliContext context{std::cout, std::cerr, clock, process_environment()};
    context.out_terminal = isatty(STDOUT_FILENO) != 0;
    context.err_terminal = isatty(STDERR_FILENO) != 0;
    const auto no_color = context.environment("NO_COLOR"), term = context.environment("TERM");
    context.color =
        context.out_terminal && context.err_terminal && (!no_color || no_color->empty()) && term.value_or("") != "dumb";
    context.width = terminal_width();
    return context;
}

InterruptGuard::InterruptGuard(CliContext& context) : context_{context}
{
    if (context.interrupted != nullptr) return;
    interrupt_flag = false;
    context.interrupted = &interrupt_flag;
    ours_ = true;
    struct sigaction action{};
    action.sa_handler = on_signal; // without SA_RESTART: a wait ends at once
    sigaction(SIGINT, &action, &before_int);
    sigaction(SIGTERM, &action, &before_term);
}

InterruptGuard::~InterruptGuard()
{
    if (!ours_) return;
    sigaction(SIGINT, &before_int, nullptr);
    sigaction(SIGTERM, &before_term, nullptr);
    context_.interrupted = nullptr;
}

int tell(CliContext& context, const CliError& error)
{
    if (error.exit_code == exit_interrupted) {
        if (context.err_terminal) context.err << '\n';
        return error.exit_code;
    }
    context.err << safe(error.what) << '.';
    if (!error.try_.empty()) context.err << "   try: " << safe(error.try_);
    context.err << std::endl;
    return error.exit_code;
}

} // namespace freshet::cli
