// SPDX-License-Identifier: Apache-2.0
#pragma once
// bench: how fast the server answers reads of one key, as seen from here. Starts no work on the server.

#include "cli/commands.hpp"

namespace freshet::cli {

struct BenchOptions {
    CommonOptions common;
    std::string key;
    int clients = 8;
    Millis length{5'000};
};
/// Reads the key again and again over so many connections, and tells the rate and how long the answers took.
int run_bench(CliContext& context, const BenchOptions& options);

} // namespace freshet::cli
