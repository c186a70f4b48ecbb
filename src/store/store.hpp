// SPDX-License-Identifier: Apache-2.0
#pragma once
// What every store must do. The contract suite (tests/contract) is the specification; memory and SQLite pass it, a
// PostgreSQL adapter can.
//
// One Transaction at a time per engine: the group commit. It reads what it wrote; nobody else sees anything of it
// before commit() returns, and after commit() returned all of it is on disk (F10). Dropping it without commit() rolls
// back. SQL only compares and writes: every decision was taken in `model`.
// Several engines on one database (PostgreSQL): job() and key() of a Transaction lock the row, claimable() skips rows
// locked by others, append() locks the tenant's head, which gives the ledger its order without holes.
// Threads: a Transaction belongs to the engine thread; each Reader to one thread at a time.
// Errors: every call throws StoreFailure when the store cannot answer; the transaction is then dead.

#include "base/failure.hpp"
#include "model/event.hpp"
#include "model/job.hpp"
#include "model/records.hpp"
#include "model/snapshot.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace freshet {

class StoreFailure : public Failure {
public:
    using Failure::Failure;
};

/// Where a tenant's ledger stands. `floor` is the highest seq that was trimmed: a cursor below it gets a reset.
struct LedgerHead {
    Seq head = 0, floor = 0;
    friend bool operator==(const LedgerHead&, const LedgerHead&) = default;
};

struct JobFilter {
    std::string tenant;
    std::optional<JobState> state;
    std::string queue, key; ///< empty: any
    JobId before;           ///< 0: from the newest; else only older ones (keyset paging)
    int limit = 50;
};

/// Questions that change nothing.
class StoreReads {
public:
    virtual ~StoreReads() = default;

    /// Changes with every restore, so that cursors of another life are known as such. Never 0.
    virtual std::uint64_t epoch() = 0;
    virtual LedgerHead ledger_head(std::string_view tenant) = 0;
    /// Entries with seq > `after`, in order, at most `limit`.
    virtual std::vector<LedgerEntry> ledger(std::string_view tenant, Seq after, int limit) = 0;

    virtual std::optional<KeyRecord> key(std::string_view tenant, std::string_view key) = 0;
    /// Keys with text > `after` in byte order; of one source where `source` is not empty.
    virtual std::vector<KeyRecord> keys(std::string_view tenant, std::string_view source, std::string_view after,
                                        int limit) = 0;
    virtual std::int64_t keys_count(std::string_view tenant, std::string_view source) = 0;
    /// Newest first, those below `before_ver`; 0: from the newest.
    virtual std::vector<VersionRecord> versions(std::string_view tenant, std::string_view key, std::int64_t before_ver,
                                                int limit) = 0;
    virtual std::optional<VersionRecord> version(std::string_view tenant, std::string_view key, std::int64_t ver) = 0;
    /// The bytes, after their checksum was verified; nullopt if there is no such payload, or nobody kept it yet.
    virtual std::optional<std::string> payload(std::int64_t id) = 0;

    virtual std::optional<Job> job(JobId id) = 0;
    /// Queued and running refreshes of a key, running first, then by id.
    virtual std::vector<Job> live_jobs(std::string_view tenant, std::string_view key) = 0;
    /// Newest first.
    virtual std::vector<Job> jobs(const JobFilter& filter) = 0;
    virtual std::vector<AttemptRecord> attempts(JobId job) = 0;
    /// Latest nominal instant first.
    virtual std::vector<FireRecord> fires(std::string_view tenant, std::string_view key, int limit) = 0;
    /// Names of the sources that are paused.
    virtual std::vector<std::string> paused() = 0;
};

class Reader : public StoreReads {
public:
    /// Everything asked inside `questions` sees one state of the store.
    virtual void in_one_view(const std::function<void()>& questions) = 0;
};

class Transaction : public StoreReads {
public:
    /// The seq that the next append() for this tenant returns.
    Seq next_seq(std::string_view tenant) { return ledger_head(tenant).head + 1; }
    /// Adds one event to the tenant's ledger. Events of one tenant and transaction end up in one row.
    virtual Seq append(std::string_view tenant, Event event, WallTime now) = 0;

    /// Inserts or replaces.
    virtual void put_key(const KeyRecord& key) = 0;
    virtual void put_version(std::string_view tenant, std::string_view key, const VersionRecord& version) = 0;
    /// Drops a version's row. A payload belongs to one key and goes, at commit, with the last of what names it: that
    /// key's row, its held result, its versions. What never had a name stays until drop_payload().
    virtual void drop_version(std::string_view tenant, std::string_view key, std::int64_t ver) = 0;
    /// Stores bytes with their checksum; returns the payload's id. Bytes written ahead are only kept.
    virtual std::int64_t put_payload(std::string_view bytes) = 0;
    virtual void keep_payload(std::int64_t ahead) = 0;
    virtual void drop_payload(std::int64_t id) = 0;

    /// Inserts or replaces; tenant, kind, queue and key of a job never change, and per (tenant, key) at most one
    /// refresh is running and at most one queued after each call (else StoreFailure). @param timer_at of a running job:
    /// when the server must look at it (next_timer()).
    virtual void put_job(const Job& job, std::optional<WallTime> timer_at) = 0;
    virtual void put_attempt(const AttemptRecord& attempt) = 0;
    /// Removes an ended job with its attempts.
    virtual void drop_job(JobId id) = 0;
    /// Queued jobs of a queue that are due and behind nobody: highest priority first, then earliest due, then id.
    virtual std::vector<Job> claimable(std::string_view queue, WallTime now, int limit) = 0;
    /// Running jobs whose timer_at is at or before `now`, earliest first.
    virtual std::vector<Job> timers_due(WallTime now, int limit) = 0;
    /// All running jobs whose worker's name begins with `worker_prefix`.
    virtual std::vector<Job> running_jobs(std::string_view worker_prefix, int limit) = 0;
    /// Number of running jobs by queue.
    virtual std::vector<std::pair<std::string, std::int64_t>> running_counts() = 0;
    /// Keys whose next_at is at or before `now`, earliest first.
    virtual std::vector<KeyRecord> keys_due(WallTime now, int limit) = 0;
    /// Names of the queues that hold a claimable job, and the earliest instant later than `now` at which another one
    /// becomes due, a timer runs out or a key's next_at comes.
    virtual std::vector<std::string> ready_queues(WallTime now) = 0;
    virtual std::optional<WallTime> next_wake(WallTime now) = 0;
    /// Ended jobs that finished before `before`, oldest first.
    virtual std::vector<JobId> ended_jobs(WallTime before, int limit) = 0;
    virtual JobId last_job_id() = 0;

    virtual std::optional<IdempotencyRecord> idempotency(std::string_view tenant, std::string_view caller,
                                                         std::string_view route, std::string_view key) = 0;
    virtual void put_idempotency(const IdempotencyRecord& record) = 0;
    virtual void drop_idempotency(WallTime expired_before) = 0;
    virtual std::optional<BreakerRecord> breaker(std::string_view tenant, std::string_view source,
                                                 std::string_view host) = 0;
    virtual void put_breaker(const BreakerRecord& breaker) = 0;
    /// False if that (tenant, key, nominal) has a row already: it fired.
    virtual bool put_fire(const FireRecord& fire) = 0;
    /// Drops fires that were decided before `before`.
    virtual void drop_fires(WallTime before) = 0;
    virtual void put_audit(const AuditRecord& record) = 0;
    virtual void put_paused(std::string_view name, bool paused) = 0;
    /// Names of all tenants that have a ledger.
    virtual std::vector<std::string> tenants() = 0;
    /// Drops ledger rows older than `before`, and the oldest while the tenant's rows exceed `bytes_max`; moves the
    /// floor.
    virtual void trim_ledger(std::string_view tenant, WallTime before, std::int64_t bytes_max) = 0;

    /// Everything of this transaction is on disk when this returns.
    /// @throws StoreFailure nothing of it happened. A failed fsync ends the process instead: what is on disk is
    /// unknown.
    virtual void commit() = 0;
};

/// Payloads above this are written ahead, in chunks of this size.
inline constexpr std::size_t ahead_chunk_bytes_max = 256 << 10;

class Store {
public:
    virtual ~Store() = default;
    /// Threads: the engine's only. At most one at a time.
    virtual std::unique_ptr<Transaction> begin() = 0;
    /// Large payloads are written ahead, in chunks of at most ahead_chunk_bytes_max and in commits of their own, so
    /// that no commit stalls the others: begin_ahead() names a payload, append_ahead() adds to it, and the transaction
    /// that publishes it calls keep_payload(). What no transaction kept is swept when the store is opened. Threads: the
    /// engine's only, no transaction open. @throws StoreFailure
    virtual std::int64_t begin_ahead() = 0;
    virtual void append_ahead(std::int64_t payload, std::string_view chunk) = 0;
    /// A new query-only connection. Threads: any.
    virtual std::unique_ptr<Reader> reader() = 0;
    /// Bytes on disk (0 for memory).
    virtual std::int64_t bytes_stored() = 0;
};

} // namespace freshet
