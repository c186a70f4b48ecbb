// SPDX-License-Identifier: Apache-2.0
#pragma once
// Answers StoreReads from one connection; the writer's and each reader's are the same code.

#include "store/sqlite/connection.hpp"
#include "store/sqlite/schema.hpp"

#include <limits>

namespace freshet::sqlite {

/// place = payload * chunks_max + number; so a payload has at most 1 GiB.
inline constexpr std::int64_t chunks_max = 4096;

/// The bound of a page that ends before `before`; 0: from the newest.
constexpr std::int64_t below(std::int64_t before)
{
    return before > 0 ? before : std::numeric_limits<std::int64_t>::max();
}

class Reads {
public:
    /// @param numbers_base  where the ledger of a tenant that has none yet stands
    Reads(Connection& connection, std::int64_t numbers_base) : connection_{connection}, numbers_base_{numbers_base} {}

    /// Appends rows after `after` until there are `limit` entries.
    std::vector<LedgerEntry> ledger(std::string_view tenant, Seq after, int limit);
    LedgerHead ledger_head(std::string_view tenant);
    std::optional<KeyRecord> key(std::string_view tenant, std::string_view key);
    std::vector<KeyRecord> keys(std::string_view tenant, std::string_view source, std::string_view after, int limit);
    std::int64_t keys_count(std::string_view tenant, std::string_view source);
    std::vector<VersionRecord> versions(std::string_view tenant, std::string_view key, std::int64_t before_ver,
                                        int limit);
    std::optional<VersionRecord> version(std::string_view tenant, std::string_view key, std::int64_t ver);
    std::optional<std::string> payload(std::int64_t id);
    std::optional<Job> job(JobId id);
    std::vector<Job> live_jobs(std::string_view tenant, std::string_view key);
    std::vector<Job> jobs(const JobFilter& filter);
    std::vector<AttemptRecord> attempts(JobId job);
    std::vector<JobCount> job_counts(std::string_view tenant);
    JobId oldest_queued(std::string_view tenant, std::string_view queue);
    std::vector<LogLine> job_log(JobId job, std::int64_t after, int limit);
    std::optional<Batch> batch(BatchId id);
    std::vector<Batch> batches(const BatchFilter& filter);
    std::vector<Job> items(const ItemFilter& filter);
    std::optional<Job> item(BatchId batch, std::string_view item);
    std::vector<TokenRecord> tokens();
    std::vector<QueueLimits> queue_limits();
    std::vector<ResetRecord> resets();
    std::vector<ScheduleRecord> schedules(std::string_view tenant);
    std::vector<AuditRow> audit(const AuditFilter& filter);
    std::vector<FireRecord> fires(std::string_view tenant, std::string_view key, int limit);
    std::vector<std::string> paused();
    Batch take_batch(Query& query);

private:
    std::vector<JobId> job_ids(const JobFilter& filter);

    Connection& connection_;
    std::int64_t numbers_base_;
};

/// Makes a Reader or a Transaction of Base by handing every question to `reads_`.
template <class Base>
class AnsweredByReads : public Base {
public:
    AnsweredByReads(Connection& connection, Life life) : reads_{connection, life.numbers_base}, life_{life} {}

    std::uint64_t epoch() override { return life_.epoch; }
    LedgerHead ledger_head(std::string_view tenant) override { return reads_.ledger_head(tenant); }
    std::vector<LedgerEntry> ledger(std::string_view tenant, Seq after, int limit) override
    {
        return reads_.ledger(tenant, after, limit);
    }
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
    std::vector<std::string> paused() override { return reads_.paused(); }

protected:
    Reads reads_;

private:
    Life life_;
};

} // namespace freshet::sqlite
