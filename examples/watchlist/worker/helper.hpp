// SPDX-License-Identifier: Apache-2.0
#pragma once
// The program that opens a page in a browser (helper/open.mjs, or what WATCHLIST_HELPER names): started for one page,
// ended with it, with all that it started.

#include <freshet/worker.hpp>
#include <string>

namespace watchlist {

struct Opened {
    int code = 0;     ///< of its end; 128 and more: it was killed
    std::string html; ///< what it printed
    std::string said; ///< the last line of what it complained of
};

/// Runs `program` by the shell with the URL behind it. @throws freshet::Stopped when the job is to stop,
/// freshet::Retryable when it can not be started or prints without an end.
Opened open_page(freshet::Job& job, const std::string& program, const std::string& url);

} // namespace watchlist
