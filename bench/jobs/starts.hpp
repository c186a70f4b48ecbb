// SPDX-License-Identifier: Apache-2.0
#pragma once
// From asking for a job to the first line of its handler, at an even rate, in turns with what no durable queue can be
// quicker than: writing the same bytes and waiting for fdatasync, at the same rate, on the same disk.
//
// Asker and worker are one process, so that one clock tells both ends; the worker is the SDK's, with a claim open. The
// bytes are those that the server itself wrote per job in a turn before, halved: a job's start is one commit (an
// enqueue and the claim that it feeds), its end is another.

#include <string>
#include <sys/types.h>

namespace freshet::bench {

struct StartOptions {
    int port = 0, rate = 50, turns = 6;
    double seconds = 4;
    pid_t server = 0;
    std::string queue = "starts", folder;
};

/// Prints one JSON object. @throws std::runtime_error
void measure_starts(const StartOptions& options, const std::string& token);

} // namespace freshet::bench
