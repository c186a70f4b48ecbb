// SPDX-License-Identifier: Apache-2.0
#pragma once
// The open transaction of MemoryStore: works on the working side, one at a time, on the engine thread.

#include "store/memory_tables.hpp"

namespace freshet {

class MemoryTransaction final : public Transaction {
public:
    explicit MemoryTransaction(MemoryStore::Tables& tables);
    ~MemoryTransaction() override;

    std::uint64_t epoch() override { return tables_.epoch; }
    LedgerHead ledger_head(std::string_view tenant) override { return reads_.ledger_head(tenant); }
    std::vector<LedgerEntry> ledger(std::string_view tenant, Seq after, int limit) override;
    std::optional<KeyRecord> key(std::string_view tenant, std::string_view key) override
    {
        return reads_.key(tenant, key);
    }
    std::vector<KeyRecord> keys(std::string_view tenant, std::string_view source, std::string_view after,
                                int limit) override
    {
        return reads_.keys(tenant, source, after, limit);
    }
    std::int64_t keys_count(std::string_view tenant, std::string_view source) override
    {
        return reads_.keys_count(tenant, source);
    }
    std::vector<VersionRecord> versions(std::string_view tenant, std::string_view key, std::int64_t before_ver,
                                        int limit) override
    {
        return reads_.versions(tenant, key, before_ver, limit);
    }
    std::optional<VersionRecord> version(std::string_view tenant, std::string_view key, std::int64_t ver) override
    {
        return reads_.version(tenant, key, ver);
    }
    std::optional<std::string> payload(std::int64_t id) override { return reads_.payload(id); }
    std::optional<Job> job(JobId id) override { return reads_.job(id); }
    std::vector<Job> live_jobs(std::string_view tenant, std::string_view key) override
    {
        return reads_.live_jobs(tenant, key);
    }
    std::vector<Job> jobs(const JobFilter& filter) override { return reads_.jobs(filter); }
    std::vector<AttemptRecord> attempts(JobId job) override { return reads_.attempts(job); }
    std::vector<JobCount> job_counts(std::string_view tenant) override { return reads_.job_counts(tenant); }
    JobId oldest_queued(std::string_view tenant, std::string_view queue) override
    {
        return reads_.oldest_queued(tenant, queue);
    }
    std::vector<LogLine> job_log(JobId job, std::int64_t after, int limit) override
    {
        return reads_.job_log(job, after, limit);
    }
    std::optional<Batch> batch(BatchId id) override { return reads_.batch(id); }
    std::vector<Batch> batches(const BatchFilter& filter) override { return reads_.batches(filter); }
    std::vector<Job> items(const ItemFilter& filter) override { return reads_.items(filter); }
    std::optional<Job> item(BatchId batch, std::string_view item) override { return reads_.item(batch, item); }
    std::vector<TokenRecord> tokens() override { return reads_.tokens(); }
    std::vector<QueueLimits> queue_limits() override { return reads_.queue_limits(); }
    std::vector<ResetRecord> resets() override { return reads_.resets(); }
    std::vector<ScheduleRecord> schedules(std::string_view tenant) override { return reads_.schedules(tenant); }
    std::vector<AuditRow> audit(const AuditFilter& filter) override { return reads_.audit(filter); }
    std::vector<FireRecord> fires(std::string_view tenant, std::string_view key, int limit) override
    {
        return reads_.fires(tenant, key, limit);
    }

    Seq append(std::string_view tenant, const Event& event, WallTime now) override;
    void put_key(const KeyRecord& key) override;
    void put_version(std::string_view tenant, std::string_view key, const VersionRecord& version) override;
    void drop_version(std::string_view tenant, std::string_view key, std::int64_t ver) override;
    std::int64_t put_payload(std::string_view bytes) override;
    void keep_payload(std::int64_t ahead) override;
    void drop_payload(std::int64_t id) override;
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
    std::vector<std::string> paused() override { return reads_.paused(); }
    void put_paused(std::string_view name, bool paused) override;
    std::vector<RemovedSource> removed_sources() override;
    void put_removed_source(std::string_view name, std::optional<WallTime> removed_at) override;
    std::vector<std::string> tenants() override;
    void trim_ledger(std::string_view tenant, WallTime before, std::int64_t bytes_max) override;
    void commit() override;

private:
    template <class Test>
    std::vector<const StoredJob*> live_where(Test&& test) const;
    void check_unique(const Job& job);
    /// Ends the transaction with a StoreFailure.
    [[noreturn]] void refuse(const std::string& words);
    void drop_unnamed_payloads();

    MemoryStore::Tables& tables_;
    MemoryReads reads_;
    std::map<std::string, LedgerRow, std::less<>> told_; ///< events of this transaction by tenant
    std::set<std::pair<std::int64_t, KeyId>> unnamed_;   ///< payloads that lost a name, with the key that named them
    bool over_ = false;                                  ///< committed, or ended by a failure
};

} // namespace freshet
