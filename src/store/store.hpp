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
#include "model/batch.hpp"
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
    std::string tag;        ///< empty: any
    std::optional<JobKind> kind;
    JobId before; ///< 0: any; else only older ones (keyset paging)
    int limit = 50;
    JobId after{}; ///< 0: any; else only newer ones
    bool oldest_first = false;
};

struct ItemFilter {
    BatchId batch;
    std::optional<JobState> state;
    JobId after; ///< 0: any; else only later ones (keyset paging)
    int limit = 50;
    JobId before{}; ///< 0: any; else only earlier ones
    bool newest_first = false;
};

struct BatchFilter {
    std::string tenant;
    std::optional<BatchState> state;
    BatchId before; ///< 0: any
    int limit = 50;
    BatchId after{}; ///< 0: any
    bool oldest_first = false;
};

struct AuditFilter {
    std::string tenant;
    std::int64_t before = 0; ///< row number; 0: any
    int limit = 50;
    std::int64_t after = 0;
    bool oldest_first = false;
};
struct AuditRow {
    std::int64_t number = 0;
    AuditRecord record;
};

/// What a tenant keeps of its jobs, items among them.
struct KeptFigures {
    std::int64_t ended = 0, ended_bytes = 0; ///< jobs that ended: how many, and their records and results
    std::int64_t live_bytes = 0;             ///< inputs and checkpoints of those that did not
    std::int64_t log_bytes = 0;              ///< lines of both
    friend bool operator==(const KeptFigures&, const KeptFigures&) = default;
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
    /// Newest first, unless the filter says so; as batches() and audit().
    virtual std::vector<Job> jobs(const JobFilter& filter) = 0;
    /// Earlier attempts, those that another one followed, in order; the last is told by the job itself.
    virtual std::vector<AttemptRecord> attempts(JobId job) = 0;
    /// Maintained with each put_job() and drop_job(), in order of queue and state; zeros are left out.
    virtual std::vector<JobCount> job_counts(std::string_view tenant) = 0;
    /// The queued job of a queue that was asked for first; 0: none.
    virtual JobId oldest_queued(std::string_view tenant, std::string_view queue) = 0;
    /// Lines with number > `after`, in order.
    virtual std::vector<LogLine> job_log(JobId job, std::int64_t after, int limit) = 0;

    virtual std::optional<Batch> batch(BatchId id) = 0;
    /// Newest first.
    virtual std::vector<Batch> batches(const BatchFilter& filter) = 0;
    /// Jobs of a batch, in the order of their ids, which is the order in which they were given; or from the last one.
    virtual std::vector<Job> items(const ItemFilter& filter) = 0;
    virtual std::optional<Job> item(BatchId batch, std::string_view item) = 0;

    /// By name.
    virtual std::vector<TokenRecord> tokens() = 0;
    virtual std::vector<QueueLimits> queue_limits() = 0;
    /// Resets whose rows have not all been ended yet.
    virtual std::vector<ResetRecord> resets() = 0;
    virtual std::vector<ScheduleRecord> schedules(std::string_view tenant) = 0;
    /// Newest first.
    virtual std::vector<AuditRow> audit(const AuditFilter& filter) = 0;
    /// Latest nominal instant first.
    virtual std::vector<FireRecord> fires(std::string_view tenant, std::string_view key, int limit) = 0;
    /// Rows of model/pauses.hpp.
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
    virtual Seq append(std::string_view tenant, const Event& event, WallTime now) = 0;

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

    /// Inserts or replaces; tenant, kind, queue, key, batch, item and tags of a job never change. After each call at
    /// most one refresh per (tenant, key) is running and at most one queued, and the same per (tenant, queue, unique
    /// slot) of live jobs (else StoreFailure). A payload that `result_payload` names goes with the job.
    /// @param timer_at  when the server must look at the job though nobody speaks (next_timer()); nullopt: never.
    virtual void put_job(const Job& job, std::optional<WallTime> timer_at) = 0;
    /// Jobs that hold the unique slot (unique_slot()), newest first, at most 3: live ones, and ended ones of scope
    /// window.
    virtual std::vector<Job> holding(std::string_view tenant, std::string_view queue, std::string_view slot) = 0;
    virtual void put_attempt(const AttemptRecord& attempt) = 0;
    /// Removes an ended job with its attempts, its lines and its result's payload.
    virtual void drop_job(JobId id) = 0;
    /// Queued jobs of a tenant in a queue that are due, behind nobody and not gated: highest priority first, then
    /// earliest due, then id. Here and below `now` never falls: what was due once stays due. When very many become due
    /// at once a store may hand them out little by little, the earliest first.
    virtual std::vector<Job> claimable(std::string_view queue, std::string_view tenant, WallTime now, int limit) = 0;
    /// Tenants with a claimable job in the queue, in byte order, those above `after` first and then from the beginning.
    virtual std::vector<std::string> ready_tenants(std::string_view queue, std::string_view after, WallTime now,
                                                   int limit) = 0;
    /// Live jobs whose timer_at is at or before `now`, earliest first.
    virtual std::vector<Job> timers_due(WallTime now, int limit) = 0;
    /// All running jobs whose worker's name begins with `worker_prefix`.
    virtual std::vector<Job> running_jobs(std::string_view worker_prefix, int limit) = 0;
    /// Number of running jobs by queue.
    virtual std::vector<std::pair<std::string, std::int64_t>> running_counts() = 0;
    /// Keys whose next_at is at or before `now`, earliest first.
    virtual std::vector<KeyRecord> keys_due(WallTime now, int limit) = 0;
    /// Names of the queues that hold a claimable job, and the earliest instant later than `now` at which another one
    /// becomes due, a timer of a job or batch runs out, or the next_at of a key or schedule comes.
    virtual std::vector<std::string> ready_queues(WallTime now) = 0;
    virtual std::optional<WallTime> next_wake(WallTime now) = 0;
    /// A tenant's ended jobs of no batch that finished before `before`, oldest first. Items go with their batch: see
    /// ended_batches().
    virtual std::vector<Ended<JobId>> ended_jobs(std::string_view tenant, WallTime before, int limit) = 0;
    /// Maintained with each put_job(), append_log() and drop_job(), never counted by a scan.
    virtual KeptFigures kept_figures(std::string_view tenant) = 0;
    /// Keys > `after`, in byte order, that have a queued or running refresh.
    virtual std::vector<std::string> live_refresh_keys(std::string_view tenant, std::string_view after, int limit) = 0;
    /// The highest id of jobs and batches.
    virtual JobId last_job_id() = 0;
    /// Queued items of a batch that are gated, in order.
    virtual std::vector<Job> gated_items(BatchId batch, int limit) = 0;
    /// Inserts or replaces by number. The job must be there (else StoreFailure).
    virtual void append_log(const LogLine& line) = 0;

    /// Inserts or replaces. @param timer_at  when the server must look at it: seal deadline, a change that goes on, a
    /// driver that left.
    virtual void put_batch(const Batch& batch, std::optional<WallTime> timer_at) = 0;
    virtual std::vector<Batch> batch_timers_due(WallTime now, int limit) = 0;
    /// A tenant's ended batches that finished before `before`, oldest first; drop_batch() needs its items gone.
    virtual std::vector<Ended<BatchId>> ended_batches(std::string_view tenant, WallTime before, int limit) = 0;
    virtual void drop_batch(BatchId id) = 0;

    /// Inserts or replaces by name.
    virtual void put_token(const TokenRecord& token) = 0;
    virtual bool drop_token(std::string_view name) = 0;
    /// Both members unset: the row goes.
    virtual void put_queue_limits(const QueueLimits& limits) = 0;
    virtual void put_reset(const ResetRecord& reset) = 0;
    virtual void drop_reset(std::string_view tenant, std::string_view queue) = 0;
    virtual void put_schedule(const ScheduleRecord& schedule) = 0;
    /// Those that are not paused, earliest first.
    virtual std::vector<ScheduleRecord> schedules_due(WallTime now, int limit) = 0;

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
    virtual void drop_audit(WallTime before) = 0;
    /// Drops the oldest audit rows of a tenant that has more than `rows_max`.
    virtual void trim_audit(std::string_view tenant, std::int64_t rows_max) = 0;
    virtual void put_paused(std::string_view row, bool paused) = 0;
    /// By name.
    virtual std::vector<RemovedSource> removed_sources() = 0;
    /// @param removed_at  nullopt: it came back.
    virtual void put_removed_source(std::string_view name, std::optional<WallTime> removed_at) = 0;
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
    /// Between transactions, once the answers of the last one went out: what the store may put off until nobody waits
    /// for it. Called after each; short when there is little to do. Threads: the engine's only.
    virtual void settle() = 0;
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
