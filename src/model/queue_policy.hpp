// SPDX-License-Identifier: Apache-2.0
#pragma once
// Which policy a job waits and runs under: of a refresh by a built-in runner its source's, of all else its queue's.

#include "model/definition.hpp"
#include "model/job.hpp"

namespace freshet {

/// A built-in runner ends its flights itself at run_limit, with better words; this much later the engine does.
inline constexpr Millis run_limit_grace = 5s;

/// As the config says, or the defaults.
QueueDefinition queue_of(const Definitions& definitions, std::string_view queue);
QueuePolicy policy_of(const Definitions& definitions, const Job& job);

/// The attempts that a job may have in all.
int attempts_max_of(const Job& job, const QueuePolicy& policy);

} // namespace freshet
