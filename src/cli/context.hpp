// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a client command runs in: where values and words go, what the terminal can show, the environment and the clock.
//
// Values go to `out`, words to `err`. A terminal changes looks (colour, icons, a bar), never data. Tests make one of
// string streams; main makes one of the process. One thread.

#include "base/clock.hpp"
#include "config/load.hpp"

#include <atomic>
#include <expected>
#include <filesystem>
#include <ostream>
#include <string>
#include <string_view>

namespace freshet::cli {

/// The exit codes of every command.
enum Exit : int {
    exit_done = 0,
    exit_failed = 1,
    exit_usage = 2,
    exit_not_fresh = 3,
    exit_not_allowed = 4,
    exit_not_found = 5,
    exit_unreachable = 6,
    exit_timed_out = 7,
    exit_interrupted = 130,
};

struct CliContext {
    std::ostream& out;
    std::ostream& err;
    const Clock& clock;
    Environment environment;
    std::filesystem::path folder = "."; ///< where ./freshet.toml is looked for
    bool out_terminal = false;
    bool err_terminal = false;
    bool color = false; ///< only ever true with a terminal
    int width = 80;
    std::atomic<bool>* interrupted = nullptr; ///< set by SIGINT; null: never
    int exit_code = exit_done;                ///< of the command that ran

    bool stopped() const { return interrupted != nullptr && interrupted->load(std::memory_order_relaxed); }
};

/// The process's own streams, terminal, environment and working folder. NO_COLOR and TERM=dumb switch colour off.
CliContext process_context(const Clock& clock);

/// While it lives SIGINT and SIGTERM set the flag of the context instead of ending the process.
class InterruptGuard {
public:
    explicit InterruptGuard(CliContext& context);
    ~InterruptGuard();
    InterruptGuard(const InterruptGuard&) = delete;
    InterruptGuard& operator=(const InterruptGuard&) = delete;

private:
    CliContext& context_;
    bool ours_ = false;
};

/// Why a command ends otherwise than well.
struct CliError {
    int exit_code = exit_failed;
    std::string what; ///< without a full stop
    std::string try_;
};
template <class T>
using CliResult = std::expected<T, CliError>;

/// Writes "what.   try: ..." to `err` and answers the exit code; an interrupt is told by its code alone.
int tell(CliContext& context, const CliError& error);

} // namespace freshet::cli
