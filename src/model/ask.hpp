// SPDX-License-Identifier: Apache-2.0
#pragma once
// What becomes of a request to refresh a key: the rules of uniqueness (F3, F5). Pure.
//
// Per key at most one job runs and at most one is queued. Who wants data read after now never joins a flight that began
// before: he gets the one job behind it, which all later callers share. Nothing attaches to a job that is being
// cancelled.

#include "model/job.hpp"
#include "model/snapshot.hpp"

#include <optional>
#include <string>
#include <variant>

namespace freshet {

struct AskTerms {
    bool read_after_now = true;    ///< false: whatever runs already will do
    std::optional<Millis> max_age; ///< a flight that began within this will do
    bool attach_only = false;      ///< never begin a flight
    bool person = true;            ///< asked for by someone who waits or looks; false: the background's own wish
    Seq head = 0;                  ///< the tenant's ledger head now: what was claimed later was read later
};

struct AskAttach {
    JobId to;
    bool raise_asked = false; ///< the job must be told: data read at or before `head` will not do
    bool due_now = false;     ///< it waits for a retry; a person's ask ends the wait
};
struct AskEnqueue {
    JobId behind; ///< 0: claimable at once
};
struct AskRefuse {
    Refusal refusal = Refusal::limited;
    std::string message;
    std::optional<WallTime> retry_at;
};
using AskDecision = std::variant<AskAttach, AskEnqueue, AskRefuse>;

/// @param running, queued  the key's live jobs, if any.
/// @param open_until       of the breaker of its origin, if open.
AskDecision decide_ask(const KeyRecord& record, const Job* running, const Job* queued, const AskTerms& terms,
                       std::optional<WallTime> open_until, WallTime now);

} // namespace freshet
