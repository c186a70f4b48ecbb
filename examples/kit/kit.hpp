// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the workers of the examples share: requests that end when the job is to stop, waits that do, and the environment
// that examples/run hands them. Compiled into each worker's own project; it knows the SDK and libcurl, nothing else.
//
// Threads: every function from any, also at once. A wait or a request within a handler throws freshet::Stopped once the
// job is cancelled, lost or handed back.

#include <chrono>
#include <freshet/worker.hpp>
#include <optional>
#include <string>
#include <vector>

namespace kit {

using std::chrono::milliseconds;

/// The variable, or what is said here when it is not set or empty.
std::string environment(const char* name, const std::string& otherwise);
/// Where the stand-in sites are: UPSTREAM_URL.
std::string upstream();
/// The length divided by FRESHET_SPEED, as the server divides those of its config.
milliseconds scaled(milliseconds length);

/// Waits, and ends early by freshet::Stopped.
void wait(freshet::Job& job, milliseconds length);

struct Request {
    std::string url = {}, method = "GET", body = {}; ///< a body is JSON
    std::vector<std::string> headers = {};
    milliseconds time_limit{120'000};
};

struct Answer {
    long status = 0;
    std::string content_type, body;
    std::optional<milliseconds> retry_after;
};

/// Asks once. @throws freshet::Stopped; freshet::Retryable when there was no answer, with words that name the address.
Answer ask(freshet::Job& job, const Request& request);

/// What an answer that is not 200 means for a job: 429 is RateLimited, 401 and 403 are Fatal, all else is Retryable.
[[noreturn]] void refuse(const std::string& who, const Answer& answer);

/// Options of every worker of the examples: an id that says whose it is, and an end within 3 seconds.
freshet::WorkerOptions options(const std::string& name, int slots);

} // namespace kit
