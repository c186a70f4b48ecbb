// SPDX-License-Identifier: Apache-2.0
#pragma once
// The open transaction of the SQLite store. Rows are written when they come, by statements prepared once; the ledger
// row of each tenant is written by commit(), when all events of it are known, and until then lives in `tails_`; the
// same with how many jobs there are of each state (`counts_`). What was read of a job is remembered (`before_`), so
// that putting it need not look again.

#include "store/sqlite/reads.hpp"
#include "store/sqlite/writer.hpp"

#include <array>
#include <map>
#include <set>
#include <unordered_map>

namespace freshet::sqlite {

class SqliteTransaction final : public AnsweredByReads<Transaction> {
public:
    explicit SqliteTransaction(Writer& writer);
    ~SqliteTransaction() override;

    LedgerHead ledger_head(std::string_view tenant) override;
    std::vector<LedgerEntry> ledger(std::string_view tenant, Seq after, int limit) override;
    std::optional<Job> job(JobId id) override;
    std::vector<Job> live_jobs(std::string_view tenant, std::string_view key) override;
    std::vector<Job> jobs(const JobFilter& filter) override;
    std::vector<Job> items(const ItemFilter& filter) override;
    std::optional<Job> item(BatchId batch, std::string_view item) override;
    std::vector<JobCount> job_counts(std::string_view tenant) override;
    Seq append(std::string_view tenant, const Event& event, WallTime now) override;
    void put_key(const KeyRecord& key) override;
    void put_version(std::string_view tenant, std::string_view key, const VersionRecord& version) override;
    void drop_version(std::string_view tenant, std::string_view key, std::int64_t ver) override;
    std::int64_t put_payload(std::string_view bytes) override { return writer_.put_payload(bytes); }
    void keep_payload(std::int64_t ahead) override;
    void drop_payload(std::int64_t id) override { writer_.drop_payload(id); }
    void put_job(const Job& job, std::optional<WallTime> timer_at) override;
    std::vector<Job> holding(std::string_view tenant, std::string_view queue, std::string_view slot) override;
    void put_attempt(const AttemptRecord& attempt) override;
    void drop_job(JobId id) override;
    std::vector<Job> claimable(std::string_view queue, std::string_view tenant, WallTime now, int limit) override;
    std::vector<std::string> ready_tenants(std::string_view queue, std::string_view after, WallTime now,
                                           int limit) override;
    std::vector<Job> timers_due(WallTime now, int limit) override;
    std::vector<Job> running_jobs(std::string_view worker_prefix, int limit) override;
    std::vector<std::pair<std::string, std::int64_t>> running_counts() override;
    std::vector<KeyRecord> keys_due(WallTime now, int limit) override;
    std::vector<std::string> ready_queues(WallTime now) override;
    std::optional<WallTime> next_wake(WallTime now) override;
    std::vector<Ended<JobId>> ended_jobs(std::string_view tenant, WallTime before, int limit) override;
    KeptFigures kept_figures(std::string_view tenant) override;
    std::vector<std::string> live_refresh_keys(std::string_view tenant, std::string_view after, int limit) override;
    JobId last_job_id() override;
    std::vector<Job> gated_items(BatchId batch, int limit) override;
    void append_log(const LogLine& line) override;
    void put_batch(const Batch& batch, std::optional<WallTime> timer_at) override;
    std::vector<Batch> batch_timers_due(WallTime now, int limit) override;
    std::vector<Ended<BatchId>> ended_batches(std::string_view tenant, WallTime before, int limit) override;
    void drop_batch(BatchId id) override;
    void put_token(const TokenRecord& token) override;
    bool drop_token(std::string_view name) override;
    void put_queue_limits(const QueueLimits& limits) override;
    void put_reset(const ResetRecord& reset) override;
    void drop_reset(std::string_view tenant, std::string_view queue) override;
    void put_schedule(const ScheduleRecord& schedule) override;
    std::vector<ScheduleRecord> schedules_due(WallTime now, int limit) override;
    std::optional<IdempotencyRecord> idempotency(std::string_view tenant, std::string_view caller,
                                                 std::string_view route, std::string_view key) override;
    void put_idempotency(const IdempotencyRecord& record) override;
    void drop_idempotency(WallTime expired_before) override;
    void drop_fires(WallTime before) override;
    std::optional<BreakerRecord> breaker(std::string_view tenant, std::string_view source,
                                         std::string_view host) override;
    void put_breaker(const BreakerRecord& breaker) override;
    bool put_fire(const FireRecord& fire) override;
    void put_audit(const AuditRecord& record) override;
    void drop_audit(WallTime before) override;
    void trim_audit(std::string_view tenant, std::int64_t rows_max) override;
    void put_paused(std::string_view name, bool paused) override;
    std::vector<RemovedSource> removed_sources() override;
    void put_removed_source(std::string_view name, std::optional<WallTime> removed_at) override;
    std::vector<std::string> tenants() override;
    void trim_ledger(std::string_view tenant, WallTime before, std::int64_t bytes_max) override;
    void commit() override;

private:
    /// Where a tenant's ledger stands within this transaction.
    struct Tail {
        LedgerHead head;
        std::int64_t bytes = 0; ///< of the rows that are stored
        bool moved = false;     ///< head or floor is not as stored
        Seq first = 0;          ///< of the events below
        WallTime at;            ///< of the first of them
        std::string events;     ///< packed
    };
    Tail& tail(std::string_view tenant);
    /// Ends the transaction with a StoreFailure.
    [[noreturn]] void refuse(const std::string& words);
    /// What a job's row says that other rows depend on.
    struct Before {
        JobState state = JobState::queued;
        std::int64_t payload = 0;
        std::int64_t live_bytes = 0;
    };
    static Before before_of(const Job& job);
    /// Bytes of the record as it is stored; asked of ended jobs alone, which seldom change.
    std::int64_t record_bytes(JobId id);
    /// Remembers jobs that were read, so that putting them need not look again.
    std::vector<Job> noted(std::vector<Job> jobs);
    std::optional<Before> before(JobId id);
    /// @return bytes of its record; nullopt: no row was there to be changed.
    std::optional<std::int64_t> write_job(const char* statement, const Job& job, std::optional<WallTime> timer_at);
    /// Jobs of each state in one queue of one tenant: read when they first change, written by put_counts().
    struct Counts {
        std::array<std::int64_t, 5> by_state{}, stored{};
    };
    void count(const std::string& tenant, const std::string& queue, JobState state, int by);
    void put_counts();
    /// The same for what a tenant keeps of its jobs.
    struct KeptSum {
        KeptFigures now, stored;
    };
    KeptFigures& kept(std::string_view tenant);
    /// @param bytes  of the record
    void count_ended(const Job& job, std::int64_t bytes, int by);
    void put_kept();
    std::int64_t payload_bytes(std::int64_t id);
    std::int64_t log_bytes(JobId id);
    /// Moves jobs whose time has come to those that are ready, the earliest first, so many at once.
    void make_ready(WallTime now);
    bool is_named(std::int64_t payload, std::string_view tenant, std::string_view key);
    void drop_unnamed_payloads();
    void note_unnamed(std::int64_t payload, std::string_view tenant, std::string_view key);
    void note_payload_of_version(std::string_view tenant, std::string_view key, std::int64_t ver);
    void put_tails();

    Writer& writer_;
    Connection& connection_;
    std::map<std::string, Tail, std::less<>> tails_;
    std::unordered_map<std::int64_t, Before> before_;
    std::map<std::pair<std::string, std::string>, Counts> counts_; ///< by tenant and queue
    std::map<std::string, KeptSum, std::less<>> kept_;             ///< by tenant
    std::optional<WallTime> next_due_;                             ///< no waiting job is due before; unset: unknown
    std::set<std::tuple<std::int64_t, std::string, std::string>> unnamed_; ///< payloads that lost a name of that key
};

} // namespace freshet::sqlite
