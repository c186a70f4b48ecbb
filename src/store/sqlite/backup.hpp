// SPDX-License-Identifier: Apache-2.0
#pragma once
// Copies of the embedded store: made beside a running server, looked at, and made the beginning of a new life.
//
// Threads: any; each call has a connection of its own. A copy is one file without a write-ahead log, which nobody else
// writes. Errors: StoreFailure in words.

#include "store/store.hpp"

#include <filesystem>
#include <functional>

namespace freshet {

/// How far the numbers of a restored store lie above those of its backup (spec "The wire contract" §1).
inline constexpr std::int64_t restore_jump = std::int64_t{1} << 20;

/// Rows that a person counts by.
struct StoreRows {
    std::int64_t tenants = 0, keys = 0, versions = 0, jobs = 0, live_jobs = 0, batches = 0, tokens = 0, payloads = 0;
    friend bool operator==(const StoreRows&, const StoreRows&) = default;
};

struct StoreFacts {
    std::uint64_t epoch = 0;
    std::int64_t numbers_base = 0;
    std::int64_t bytes = 0;
    StoreRows rows;
};

/// The schema that this build writes; what is newer it cannot read.
int newest_store_schema();

/// A consistent copy of a store as it is now, into a file that does not exist yet. Readers and the writer go on: it
/// holds one view of the database, so the write-ahead log grows until it is done.
/// @param go_on  asked now and then; false ends the copy with a StoreFailure.
void copy_store(const std::filesystem::path& database, const std::filesystem::path& copy,
                const std::function<bool()>& go_on);

/// What a copy holds, after its whole content was checked (integrity_check, the schema's number, the epoch) and its
/// schema brought up to date.
StoreFacts check_store(const std::filesystem::path& copy);

/// Where the numbers of the store in this file begin; nullopt if it can not be read.
std::optional<std::int64_t> numbers_base_of(const std::filesystem::path& database);

/// Takes what is in the write-ahead log of a store that nobody has open into its file. A damaged one stays as it is.
void fold_log(const std::filesystem::path& database);

/// Makes a copy the store of a new life: its schema is brought up to date, it gets a new epoch and an empty ledger; all
/// seqs, fences, gens and vers are raised by the same length, so that what came first stays first; what was running has
/// no lease any more. On disk when it returns.
/// @param numbers_base  of the new life; at least restore_jump above that of the copy.
void begin_new_life(const std::filesystem::path& copy, std::int64_t numbers_base);

} // namespace freshet
