// SPDX-License-Identifier: Apache-2.0
#pragma once
// The route table's row: what a handler is, and the right that a caller needs. A route without a right does not
// compile.

#include "http/core.hpp"
#include "http/exchange.hpp"

#include <cstddef>
#include <span>
#include <string_view>

namespace freshet::http {

enum class Right : std::uint8_t {
    anyone,  ///< no token needed
    read,    ///< viewer and above, worker
    refresh, ///< viewer with refresh, operator, admin
    operate, ///< operator, admin
    administer,
    work,    ///< worker, admin: claim, beat and end work
    enqueue, ///< worker, operator, admin: jobs of queues
};

/// What a body may have unless its route says otherwise.
inline constexpr std::size_t body_bytes_max = 1 << 20;
/// The largest of all: a result of remote work, as its raw body.
inline constexpr std::size_t any_result_bytes_max = 64 << 20;

/// `pattern`: segments; "{name}" takes one, "{key}" takes a whole key (source and its declared parameters), so that
/// what follows it can be told apart, "{path...}" takes all that is left, which may be nothing. Captures are decoded,
/// but for the key, which is in its text form.
struct Route {
    std::string_view method;
    std::string_view pattern;
    Right right;
    void (*handle)(Core& core, const ExchangePtr& exchange, std::span<const std::string> captures);
    std::size_t bytes_max = body_bytes_max; ///< of the body
    /// A token that is limited may call it: the handler keeps it to its scope. Routes of a key are always so.
    bool by_scope = false;
    bool by_ticket = false; ///< takes ?ticket= instead of a token
};

/// Routes of one subject, collected by the server into its table.
using Routes = std::span<const Route>;
Routes data_routes();       ///< data.cpp: reading
Routes refresh_routes();    ///< refresh.cpp: refresh, held
Routes purge_routes();      ///< purge.cpp: purge, delete
Routes version_routes();    ///< versions.cpp: versions and diffs
Routes job_routes();        ///< jobs.cpp
Routes batch_routes();      ///< batches.cpp
Routes job_add_routes();    ///< jobs_add.cpp: enqueueing
Routes job_output_routes(); ///< job_outputs.cpp: logs and results of jobs
Routes work_routes();       ///< work.cpp: claim, beat, complete, fail, release, log, results
Routes worker_routes();     ///< workers.cpp
Routes queue_routes();      ///< queues.cpp
Routes operate_routes();    ///< operate.cpp: bulk, audit, reset
Routes overview_routes();   ///< overview.cpp: freshness, sources
Routes schedule_routes();   ///< schedules.cpp
Routes stream_routes();     ///< stream_routes.cpp: SSE and long poll
Routes access_routes();     ///< access.cpp: tokens, tickets
Routes session_routes();    ///< session_routes.cpp: who asks, signing a browser in and out
Routes page_routes();       ///< pages.cpp: the console, the elements, their files, problem pages
Routes system_routes();     ///< system.cpp: health, metrics, openapi

} // namespace freshet::http
