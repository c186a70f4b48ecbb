// SPDX-License-Identifier: Apache-2.0
#pragma once
// Histories of transactions on a disk that loses its power, again and again, compared with what was acknowledged.
//
// The memory twin holds what was acknowledged. After each cut the SQLite store is opened again and must be, whole, in
// the state of the twin, or in that state with the one transaction that was under way added: nothing else.

#include "store/sqlite/sqlite_store.hpp"

#include <cstdint>
#include <string>

namespace freshet::power {

/// Thrown by the store's device_failed when the power went; no Failure, so that nobody takes it for one.
struct PowerCut {};

struct HistoryOptions {
    std::uint64_t seed = 1;
    int cuts = 10;
    Synchronous synchronous = Synchronous::full;
    bool answer_before_commit = false; ///< a control: acknowledges what commit() has not confirmed
};

struct HistoryReport {
    int cuts = 0;
    std::int64_t acknowledged = 0; ///< transactions
    std::int64_t under_way_kept = 0, under_way_lost = 0;
    std::int64_t checkpoints_at_least = 0; ///< orderly ends of the store, each of which makes one
    std::string loss;                      ///< empty: none; else what was found, and it is the end of the history
};

HistoryReport run_history(const HistoryOptions& options);

} // namespace freshet::power
