// SPDX-License-Identifier: Apache-2.0
#pragma once
// Whether a queue is paused for a tenant, as far as this loop knows. Threads: the loop's.

#include "http/core.hpp"
#include "model/pauses.hpp"

namespace freshet::http {

/// As far as notices told: by a pause for all, or by the tenant's own, which is told under its row.
inline bool queue_paused(Core& core, std::string_view tenant, std::string_view queue)
{
    return core.work().queue_paused(queue) || core.work().queue_paused(Pauses::row(tenant, queue));
}

} // namespace freshet::http
