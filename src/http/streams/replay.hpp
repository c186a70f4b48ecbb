// SPDX-License-Identifier: Apache-2.0
#pragma once
// Reads from the ledger what a reader who comes back has missed. Off the loop; bounded in entries and bytes.

#include "engine/reads.hpp"
#include "http/streams/frame.hpp"
#include "http/streams/topic.hpp"

#include <optional>
#include <set>
#include <string>
#include <vector>

namespace freshet::streams {

/// More entries than `scanned_max`, or more wanted bytes, make a reset: the present state is then cheaper.
struct ReplayLimits {
    int page = 500;
    std::size_t scanned_max = 20'000;
    std::size_t wanted_max = 5'000;
    std::size_t wanted_bytes_max = 2 << 20;
    std::size_t keys_max = 500;
};

struct Replay {
    std::string reset_reason;         ///< not empty: no replay, the present state instead
    std::vector<LedgerEntry> entries; ///< wanted ones after the cursor, in order
    std::vector<LedgerEntry> shared;  ///< the same of the ledger of shared sources
    Seq head = 0, shared_head = 0;    ///< the ledgers were read up to here
    /// Keys whose rows in a list may have changed.
    std::set<std::string, std::less<>> rows;
    /// Keys whose meta may have changed without an event of their own (a refresh began) and since their last change
    /// event, and the first seq at which.
    std::set<std::string, std::less<>> metas;
    Cursor metas_from;
};

/// The key that an event is about: of a refresh's job the key of its job, of a fire that of its schedule; empty: none.
std::string key_told_of(const Event& event);

/// What a reader wants of each ledger that it is told of.
struct LedgerFilters {
    TopicFilter own;
    std::optional<TopicFilter> shared; ///< absent: its tenant lists no shared source
};

/// @throws StoreFailure
Replay read_replay(Reads& reads, std::string_view tenant, Cursor cursor, std::uint64_t epoch,
                   const LedgerFilters& filters, const ReplayLimits& limits = {});

} // namespace freshet::streams
