// SPDX-License-Identifier: Apache-2.0
#pragma once
// The rows of MemoryStore. Seen by its own source files only.

#include "store/memory.hpp"

#include <map>
#include <mutex>
#include <set>
#include <tuple>
#include <variant>

namespace freshet {

/// Which of its two sides a table is asked for.
enum class Side : std::uint8_t { working, committed };

/// One table, kept twice; `touched_` names the rows in which the sides may differ.
template <class Id, class Row>
class KeptTwice {
public:
    using Rows = std::map<Id, Row>;
    const Rows& rows(Side side) const { return side == Side::working ? working_ : committed_; }

    void put(const Id& id, Row row)
    {
        working_.insert_or_assign(id, std::move(row));
        touched_.insert(id);
    }
    void drop(const Id& id)
    {
        if (working_.erase(id) != 0) touched_.insert(id);
    }
    void commit() { copy_touched(working_, committed_); }
    void roll_back() { copy_touched(committed_, working_); }

private:
    void copy_touched(const Rows& from, Rows& to)
    {
        for (const Id& id : touched_) {
            const auto found = from.find(id);
            if (found == from.end())
                to.erase(id);
            else
                to.insert_or_assign(id, found->second);
        }
        touched_.clear();
    }

    Rows working_, committed_;
    std::set<Id> touched_;
};

struct LedgerRow {
    WallTime at;
    std::int64_t bytes = 0;
    std::vector<LedgerEntry> entries;
};

struct PayloadRow {
    std::string bytes;
    bool kept = false;
};

struct StoredJob {
    Job job;
    std::optional<WallTime> timer_at;
};

struct StoredBatch {
    Batch batch;
    std::optional<WallTime> timer_at;
};

using KeyId = std::pair<std::string, std::string>; ///< tenant, key

struct MemoryStore::Tables {
    std::uint64_t epoch = 1;
    std::int64_t numbers_base = 0;
    std::mutex mutex; ///< guards the committed side
    bool transaction_open = false;
    std::function<bool()> refuses_commit; ///< may be empty

    KeptTwice<std::string, LedgerHead> heads;
    KeptTwice<std::pair<std::string, Seq>, LedgerRow> ledger; ///< by tenant and last seq
    KeptTwice<KeyId, KeyRecord> keys;
    KeptTwice<std::tuple<std::string, std::string, std::int64_t>, VersionRecord> versions;
    KeptTwice<std::int64_t, PayloadRow> payloads;
    KeptTwice<std::monostate, std::int64_t> last_payload; ///< ids are never given twice
    KeptTwice<JobId, StoredJob> jobs;
    KeptTwice<JobId, std::monostate> live; ///< queued and running ones
    KeptTwice<std::pair<JobId, Seq>, AttemptRecord> attempts;
    KeptTwice<std::tuple<std::string, std::string, WallTime>, FireRecord> fires;
    KeptTwice<std::tuple<std::string, std::string, std::string, std::string>, IdempotencyRecord> idempotency;
    KeptTwice<std::tuple<std::string, std::string, std::string>, BreakerRecord> breakers;
    KeptTwice<std::int64_t, AuditRecord> audit;
    KeptTwice<std::string, std::monostate> paused;
    KeptTwice<std::string, RemovedSource> removed_sources;
    KeptTwice<std::pair<JobId, std::int64_t>, LogLine> log;
    KeptTwice<BatchId, StoredBatch> batches;
    KeptTwice<std::string, TokenRecord> tokens;
    KeptTwice<std::string, QueueLimits> queue_limits;
    KeptTwice<std::pair<std::string, std::string>, ResetRecord> resets;       ///< by tenant and queue
    KeptTwice<std::pair<std::string, std::string>, ScheduleRecord> schedules; ///< by tenant and name

    template <class Do>
    void each(Do&& act)
    {
        act(heads), act(ledger), act(keys), act(versions), act(payloads), act(last_payload), act(jobs), act(live);
        act(attempts), act(fires), act(idempotency), act(breakers), act(audit), act(paused), act(log), act(batches);
        act(tokens), act(queue_limits), act(resets), act(schedules), act(removed_sources);
    }
    void commit()
    {
        const std::lock_guard guard{mutex};
        each([](auto& table) { table.commit(); });
    }
    void roll_back()
    {
        each([](auto& table) { table.roll_back(); });
    }
    std::int64_t new_payload()
    {
        const auto& rows = last_payload.rows(Side::working);
        const std::int64_t id = (rows.empty() ? 0 : rows.begin()->second) + 1;
        last_payload.put({}, id);
        return id;
    }
};

/// Answers StoreReads from one side of the tables.
class MemoryReads {
public:
    MemoryReads(const MemoryStore::Tables& tables, Side side) : tables_{tables}, side_{side} {}

    LedgerHead ledger_head(std::string_view tenant) const;
    std::vector<LedgerEntry> ledger(std::string_view tenant, Seq after, int limit) const;
    std::optional<KeyRecord> key(std::string_view tenant, std::string_view key) const;
    std::vector<KeyRecord> keys(std::string_view tenant, std::string_view source, std::string_view after,
                                int limit) const;
    std::int64_t keys_count(std::string_view tenant, std::string_view source) const;
    std::vector<VersionRecord> versions(std::string_view tenant, std::string_view key, std::int64_t before_ver,
                                        int limit) const;
    std::optional<VersionRecord> version(std::string_view tenant, std::string_view key, std::int64_t ver) const;
    std::optional<std::string> payload(std::int64_t id) const;
    std::optional<Job> job(JobId id) const;
    std::vector<Job> live_jobs(std::string_view tenant, std::string_view key) const;
    std::vector<Job> jobs(const JobFilter& filter) const;
    std::vector<AttemptRecord> attempts(JobId job) const;
    std::vector<JobCount> job_counts(std::string_view tenant) const;
    JobId oldest_queued(std::string_view tenant, std::string_view queue) const;
    std::vector<LogLine> job_log(JobId job, std::int64_t after, int limit) const;
    std::optional<Batch> batch(BatchId id) const;
    std::vector<Batch> batches(const BatchFilter& filter) const;
    std::vector<Job> items(const ItemFilter& filter) const;
    std::optional<Job> item(BatchId batch, std::string_view item) const;
    std::vector<TokenRecord> tokens() const;
    std::vector<QueueLimits> queue_limits() const;
    std::vector<ResetRecord> resets() const;
    std::vector<ScheduleRecord> schedules(std::string_view tenant) const;
    std::vector<AuditRow> audit(const AuditFilter& filter) const;
    std::vector<FireRecord> fires(std::string_view tenant, std::string_view key, int limit) const;
    std::vector<std::string> paused() const;

private:
    const MemoryStore::Tables& tables_;
    Side side_;
};

} // namespace freshet
