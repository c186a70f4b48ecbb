// SPDX-License-Identifier: Apache-2.0
#pragma once
// Small stored rows beside keys and jobs: attempts, fires, idempotency, breakers, pauses, audit.

#include "base/ids.hpp"
#include "model/definition.hpp"
#include "model/names.hpp"
#include "model/snapshot.hpp"
#include "model/token_scope.hpp"

#include <optional>
#include <string>
#include <vector>

namespace freshet {

/// One hand-out of a job. A row is written when another one follows (a retry, a new generation) and stays until the job
/// goes; the last hand-out is told by the job itself (last_attempt()).
struct AttemptRecord {
    JobId job;
    int generation = 1, attempt = 0;
    Seq fence = 0;
    std::string worker;
    WallTime began_at;
    std::optional<WallTime> finished_at;
    AttemptEnd end = AttemptEnd::running;
    std::optional<ErrorInfo> error;
    friend bool operator==(const AttemptRecord&, const AttemptRecord&) = default;
};

/// One nominal instant of a schedule and what was decided about it. (tenant, key, nominal) is unique.
struct FireRecord {
    std::string tenant, key;
    WallTime nominal, fired_at;
    std::string decision; ///< ran, skipped, coalesced, shifted
    std::string reason;
    JobId job; ///< 0 unless one was asked for
    friend bool operator==(const FireRecord&, const FireRecord&) = default;
};

/// What a POST with an Idempotency-Key came to. Scope: tenant, caller and route; kept 24 h.
struct IdempotencyRecord {
    std::string tenant, caller, route, key;
    Hash128 request;  ///< of what was asked: the same key with another request is refused
    std::string made; ///< ids of what was made, in order, joined by ',': "j_..." or "b_..."
    WallTime expires_at;
    friend bool operator==(const IdempotencyRecord&, const IdempotencyRecord&) = default;
};

/// The circuit breaker of one (tenant, source, origin host). Opens after limits::breaker_failures in a row.
struct BreakerRecord {
    std::string tenant, source, host;
    int failures = 0;
    std::optional<WallTime> open_until; ///< set: open; nothing but one probe runs, and that not before
    JobId probe;                        ///< half-open: the job that tries
    friend bool operator==(const BreakerRecord&, const BreakerRecord&) = default;
};

/// An operator's act, kept apart from the ledger.
struct AuditRecord {
    std::string tenant, actor, action, object, detail;
    WallTime at;
    friend bool operator==(const AuditRecord&, const AuditRecord&) = default;
};

/// A token that was made over the API. The token itself is shown once and never stored.
struct TokenRecord {
    std::string name;   ///< unique; what audit and limits call its bearer
    std::string tenant; ///< "*": all
    Role role = Role::viewer;
    bool refresh = false; ///< a viewer that may refresh
    TokenScope scope;     ///< of short tokens of foreign pages
    std::string sha256;   ///< 64 lower-case hex digits
    std::string made_by;
    WallTime made_at;
    std::optional<WallTime> expires_at;
    friend bool operator==(const TokenRecord&, const TokenRecord&) = default;
};

/// What a person set on a queue at run time; wins over the config until it is cleared.
struct QueueLimits {
    std::string queue;
    std::optional<int> concurrency;
    std::optional<RateLimit> rate;
    friend bool operator==(const QueueLimits&, const QueueLimits&) = default;
};

/// Lines that a job's worker said, in order.
struct LogLine {
    JobId job;
    std::int64_t number = 0; ///< from 1, within the job
    Seq fence = 0;
    WallTime at;
    std::string level, text; ///< level: debug, info, warn, error
    friend bool operator==(const LogLine&, const LogLine&) = default;
};

/// A schedule that fires tasks, as configured by [schedule.NAME]: where it stands.
struct ScheduleRecord {
    std::string tenant, name;
    std::optional<WallTime> next_at; ///< next nominal fire
    bool paused = false;
    friend bool operator==(const ScheduleRecord&, const ScheduleRecord&) = default;
};

/// A tenant's reset (row 13): what was handed out at or before `seq` has no right any more, what was asked by then
/// ends.
struct ResetRecord {
    std::string tenant, queue; ///< queue: empty for all
    Seq seq = 0;
    friend bool operator==(const ResetRecord&, const ResetRecord&) = default;
};

/// How many jobs of a queue are in a state; kept with each change, never counted by a scan.
struct JobCount {
    std::string tenant, queue;
    JobState state = JobState::queued;
    std::int64_t count = 0;
    friend bool operator==(const JobCount&, const JobCount&) = default;
};

} // namespace freshet
