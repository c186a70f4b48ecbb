// SPDX-License-Identifier: Apache-2.0
#pragma once
// The open transaction of the SQLite store. Rows are written when they come, by statements prepared once; the ledger
// row of each tenant is written by commit(), when all events of it are known, and until then lives in `tails_`.

#include "store/sqlite/reads.hpp"
#include "store/sqlite/writer.hpp"

#include <map>
#include <set>

namespace freshet::sqlite {

class SqliteTransaction final : public AnsweredByReads<Transaction> {
public:
    explicit SqliteTransaction(Writer& writer);
    ~SqliteTransaction() override;

    LedgerHead ledger_head(std::string_view tenant) override;
    std::vector<LedgerEntry> ledger(std::string_view tenant, Seq after, int limit) override;
    Seq append(std::string_view tenant, Event event, WallTime now) override;
    void put_key(const KeyRecord& key) override;
    void put_version(std::string_view tenant, std::string_view key, const VersionRecord& version) override;
    void drop_version(std::string_view tenant, std::string_view key, std::int64_t ver) override;
    std::int64_t put_payload(std::string_view bytes) override { return writer_.put_payload(bytes); }
    void keep_payload(std::int64_t ahead) override;
    void drop_payload(std::int64_t id) override { writer_.drop_payload(id); }
    void put_job(const Job& job, std::optional<WallTime> timer_at) override;
    void put_attempt(const AttemptRecord& attempt) override;
    void drop_job(JobId id) override;
    std::vector<Job> claimable(std::string_view queue, WallTime now, int limit) override;
    std::vector<Job> timers_due(WallTime now, int limit) override;
    std::vector<Job> running_jobs(std::string_view worker_prefix, int limit) override;
    std::vector<std::pair<std::string, std::int64_t>> running_counts() override;
    std::vector<KeyRecord> keys_due(WallTime now, int limit) override;
    std::vector<std::string> ready_queues(WallTime now) override;
    std::optional<WallTime> next_wake(WallTime now) override;
    std::vector<JobId> ended_jobs(WallTime before, int limit) override;
    JobId last_job_id() override;
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
    void put_paused(std::string_view name, bool paused) override;
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
    /// @return false: no row was there to be changed.
    bool write_job(const char* statement, const Job& job, std::optional<WallTime> timer_at);
    bool is_named(std::int64_t payload, std::string_view tenant, std::string_view key);
    void drop_unnamed_payloads();
    void note_unnamed(std::int64_t payload, std::string_view tenant, std::string_view key);
    void note_payload_of_version(std::string_view tenant, std::string_view key, std::int64_t ver);
    void put_tails();

    Writer& writer_;
    Connection& connection_;
    std::map<std::string, Tail, std::less<>> tails_;
    std::set<std::tuple<std::int64_t, std::string, std::string>> unnamed_; ///< payloads that lost a name of that key
};

} // namespace freshet::sqlite
