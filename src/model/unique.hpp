// SPDX-License-Identifier: Apache-2.0
#pragma once
// What becomes of an enqueue whose unique key may be taken (spec "Uniqueness and Refresh"). Pure.
//
// Whoever holds the slot decides how long the key is taken (its own scope); the newcomer decides what follows from it
// (its on_conflict). A queued holder is attached to in any case but `reject`: it has yet to begin, or to begin again.
// Nothing attaches to a job that is being cancelled, nor to a debounced one that runs: a trailing job goes behind it.

#include "model/job.hpp"

#include <optional>
#include <span>
#include <variant>

namespace freshet {

struct UniqueEnqueue {
    JobId behind; ///< not claimable until that one ended
    WallTime due_at;
};
struct UniqueAttach {
    JobId to;
    std::optional<WallTime> due_at; ///< what the holder's due time becomes
    bool raise_asked = false;       ///< the holder's next hand-out must not rest on what was read before this ask
};
struct UniqueTaken {
    JobId by;
};
using UniqueDecision = std::variant<UniqueEnqueue, UniqueAttach, UniqueTaken>;

/// @param holders  jobs that hold the slot, newest first (Transaction::holding())
/// @param due_at   when the newcomer wants to be due
UniqueDecision decide_unique(const UniqueTerms& terms, std::span<const Job> holders, WallTime due_at, WallTime now);

} // namespace freshet
