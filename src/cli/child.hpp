// SPDX-License-Identifier: Apache-2.0
#pragma once
// One program that works on one job: started, fed, listened to, stopped, with everything it started in turn.
//
// Life: run_child() returns when the program and its process group are gone. The program gets the input on stdin, its
// words come from stderr, progress from fd 3, the result from stdout. Stopping is SIGTERM to the whole group, SIGKILL
// to what is left after `kill_after`. Threads: any number of children at once, each in its caller's thread.

#include "base/time.hpp"

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace freshet::cli {

struct ChildOrder {
    std::vector<std::string> command;     ///< the program by its name or path, then its arguments; no shell
    std::vector<std::string> environment; ///< NAME=value, the whole of it
    std::string input;
    Millis kill_after{10'000};
    std::function<void(std::string_view)> on_words;    ///< of stderr, as they come
    std::function<void(std::string_view)> on_progress; ///< of fd 3, as they come
};

struct ChildEnd {
    std::string start_error; ///< not empty: it did not start
    std::string output;
    bool output_too_large = false; ///< it was stopped for that
    bool stopped = false;          ///< the stop was asked for while it ran
    int exit_code = 0;             ///< if it ended by itself
    int signal = 0;                ///< else what ended it
    static constexpr std::size_t output_bytes_max = 64 << 20;
};

ChildEnd run_child(const ChildOrder& order, std::stop_token stop);

} // namespace freshet::cli
