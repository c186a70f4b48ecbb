// SPDX-License-Identifier: Apache-2.0
#pragma once
// The other face of a transaction: what only retention asks of it, so that nobody else need know.
//
// Both stores' transactions are one; the contract suite covers it. Life, threads and errors: as Transaction.

#include "store/store.hpp"

namespace freshet {

/// What a tenant keeps of jobs that ended, items among them: how many, and the bytes of their records and results.
struct EndedFigures {
    std::int64_t jobs = 0, bytes = 0;
    friend bool operator==(const EndedFigures&, const EndedFigures&) = default;
};

/// A job or batch that ended, and when.
template <class Id>
struct Ended {
    Id id;
    WallTime at;
    friend bool operator==(const Ended&, const Ended&) = default;
};

/// A source that the config no longer has, and since when.
struct RemovedSource {
    std::string name;
    WallTime removed_at;
    friend bool operator==(const RemovedSource&, const RemovedSource&) = default;
};

/// The most that one call of trim_ledger(), drop_fires(), drop_idempotency() or drop_audit() takes away, the oldest
/// first, so that no commit gets long: the next call goes on.
inline constexpr int rows_per_trim = 1'000;

/// lease_until of what ran when the backup was made from which a store was restored: it is over, and no time is added.
inline constexpr WallTime lease_of_another_life{};

class Housekeeping {
public:
    virtual ~Housekeeping() = default;

    /// A tenant's ended jobs of no batch that finished before `before`, oldest first. Items go with their batch.
    virtual std::vector<Ended<JobId>> ended_jobs_of(std::string_view tenant, WallTime before, int limit) = 0;
    /// A tenant's ended batches that finished before `before`, oldest first; drop_batch() needs its items gone.
    virtual std::vector<Ended<BatchId>> ended_batches_of(std::string_view tenant, WallTime before, int limit) = 0;
    /// Maintained with each put_job() and drop_job().
    virtual EndedFigures ended_figures(std::string_view tenant) = 0;

    /// Keys > `after`, in byte order, that have a queued or running refresh.
    virtual std::vector<std::string> live_refresh_keys(std::string_view tenant, std::string_view after, int limit) = 0;

    /// By name.
    virtual std::vector<RemovedSource> removed_sources() = 0;
    /// @param removed_at  nullopt: it came back.
    virtual void put_removed_source(std::string_view name, std::optional<WallTime> removed_at) = 0;
};

/// The face of this transaction. Every store's has one.
Housekeeping& housekeeping(Transaction& transaction);

} // namespace freshet
