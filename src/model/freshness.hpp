// SPDX-License-Identifier: Apache-2.0
#pragma once
// The freshness rule: what word a key's data has now. One function, used by every read, view and metric (F2).
//
// Order of precedence: empty, fresh, failing, overdue, stale: the first that holds. The client SDKs follow the same
// rule from the instants in meta; api/state-vectors.json is the table that both are tested from.

#include "model/definition.hpp"
#include "model/snapshot.hpp"

namespace freshet {

struct Freshness {
    SnapshotState state = SnapshotState::empty;
    Millis age{0};
    std::optional<WallTime> stale_at;   ///< when fresh ends by time alone
    std::optional<WallTime> overdue_at; ///< when stale becomes overdue
    /// The instant up to which `state` holds if nothing happens; nullopt: for ever.
    std::optional<WallTime> holds_until;
};

/// @param record  the key as stored.
/// @param source  the policy that applies now, and the definition whose hash must be the record's for fresh.
Freshness derive_freshness(const KeyRecord& record, const SourceDefinition& source, WallTime now);

} // namespace freshet
