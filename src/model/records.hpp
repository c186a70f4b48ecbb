// SPDX-License-Identifier: Apache-2.0
#pragma once
// Small stored rows beside keys and jobs: attempts, fires, idempotency, breakers, pauses, audit.

#include "base/ids.hpp"
#include "model/names.hpp"
#include "model/snapshot.hpp"

#include <optional>
#include <string>

namespace freshet {

/// One hand-out of a job; its row stays until the job goes.
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
    Hash128 request; ///< of what was asked: the same key with another request is refused
    JobId job;
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

} // namespace freshet
