// SPDX-License-Identifier: Apache-2.0
#pragma once
// The ends of jobs as remote workers tell them: complete, fail, release, one or many at once.
//
// A worker's refresh brings a snapshot: the engine says `unprepared` of such a result, which is then made ready off the
// loop (hashed, counted, compared with what is published) and told again. Each job is taken or refused by itself.
// Threads: the loop's.

#include "engine/requests.hpp"
#include "http/core.hpp"
#include "http/exchange.hpp"

#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace freshet::http {

using WorkEnd = std::variant<CompleteJob, FailJob, ReleaseJob>;

struct WorkEnds {
    std::string worker;
    std::vector<WorkEnd> jobs;
    std::optional<WallTime> as_of; ///< of a single complete: the source's own time of the data
};

/// Tells the engine; `then` comes with one answer per job, in order. A full inbox or a failed store is answered here.
void end_work(Core& core, const ExchangePtr& exchange, WorkEnds ends,
              std::function<void(std::vector<std::expected<std::shared_ptr<const Job>, Refused>>)> then);

/// Makes the JSON of a worker's refresh ready for publishing. Reads the disk: off the loop.
std::expected<PreparedResult, Refused> prepare_result(Reads& reads, const Definitions& definitions, const Job& job,
                                                      std::string json, std::optional<WallTime> as_of);

} // namespace freshet::http
