// SPDX-License-Identifier: Apache-2.0
#pragma once
// A long poll of one status resource: answered at once when its seq is above the one that is known or it is over, else
// with its next change, at the latest when the time is up (spec "The wire contract" §2). Threads: the loop's.

#include "http/core.hpp"
#include "http/exchange.hpp"

#include <functional>
#include <optional>
#include <string>

namespace freshet::http {

inline constexpr Millis watch_max = 10min;

/// The resource as it was read.
struct Watched {
    Seq seq = 0;
    bool over = false;
    std::function<std::string()> json; ///< called on the loop
};

struct Watch {
    std::string topic;                                  ///< its changes are told under
    std::function<std::optional<Watched>(Reads&)> read; ///< off the loop; nullopt: it is not there, or not the caller's
    Problem missing;
};

/// Answers with what is watched, by the query's after_seq and the wait that the request prefers.
void answer_watched(Core& core, const ExchangePtr& exchange, Watch watch);

} // namespace freshet::http
