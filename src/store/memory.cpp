// SPDX-License-Identifier: Apache-2.0
#include "store/memory.hpp"

#include "base/assert.hpp"
#include "store/memory_tables.hpp"
#include "store/memory_transaction.hpp"

#include <type_traits>

namespace freshet {

namespace {

/// Reads the committed side, under the tables' mutex: per call, or for the whole of in_one_view().
class MemoryReader final : public Reader {
public:
    explicit MemoryReader(MemoryStore::Tables& tables) : tables_{tables}, reads_{tables, Side::committed} {}

    void in_one_view(const std::function<void()>& questions) override
    {
        FRESHET_ASSERT(!in_view_);
        const std::lock_guard guard{tables_.mutex};
        in_view_ = true;
        const std::unique_ptr<bool, void (*)(bool*)> leave{&in_view_, [](bool* in_view) { *in_view = false; }};
        questions();
    }

    std::uint64_t epoch() override { return tables_.epoch; }
    LedgerHead ledger_head(std::string_view tenant) override
    {
        return locked([&] { return reads_.ledger_head(tenant); });
    }
    std::vector<LedgerEntry> ledger(std::string_view tenant, Seq after, int limit) override
    {
        return locked([&] { return reads_.ledger(tenant, after, limit); });
    }
    std::optional<KeyRecord> key(std::string_view tenant, std::string_view key) override
    {
        return locked([&] { return reads_.key(tenant, key); });
    }
    std::vector<KeyRecord> keys(std::string_view tenant, std::string_view source, std::string_view after,
                                int limit) override
    {
        return locked([&] { return reads_.keys(tenant, source, after, limit); });
    }
    std::int64_t keys_count(std::string_view tenant, std::string_view source) override
    {
        return locked([&] { return reads_.keys_count(tenant, source); });
    }
    std::vector<VersionRecord> versions(std::string_view tenant, std::string_view key, std::int64_t before_ver,
                                        int limit) override
    {
        return locked([&] { return reads_.versions(tenant, key, before_ver, limit); });
    }
    std::optional<VersionRecord> version(std::string_view tenant, std::string_view key, std::int64_t ver) override
    {
        return locked([&] { return reads_.version(tenant, key, ver); });
    }
    std::optional<std::string> payload(std::int64_t id) override
    {
        return locked([&] { return reads_.payload(id); });
    }
    std::optional<Job> job(JobId id) override
    {
        return locked([&] { return reads_.job(id); });
    }
    std::vector<Job> live_jobs(std::string_view tenant, std::string_view key) override
    {
        return locked([&] { return reads_.live_jobs(tenant, key); });
    }
    std::vector<Job> jobs(const JobFilter& filter) override
    {
        return locked([&] { return reads_.jobs(filter); });
    }
    std::vector<AttemptRecord> attempts(JobId job) override
    {
        return locked([&] { return reads_.attempts(job); });
    }
    std::vector<JobCount> job_counts(std::string_view tenant) override
    {
        return locked([&] { return reads_.job_counts(tenant); });
    }
    JobId oldest_queued(std::string_view tenant, std::string_view queue) override
    {
        return locked([&] { return reads_.oldest_queued(tenant, queue); });
    }
    std::vector<LogLine> job_log(JobId job, std::int64_t after, int limit) override
    {
        return locked([&] { return reads_.job_log(job, after, limit); });
    }
    std::optional<Batch> batch(BatchId id) override
    {
        return locked([&] { return reads_.batch(id); });
    }
    std::vector<Batch> batches(const BatchFilter& filter) override
    {
        return locked([&] { return reads_.batches(filter); });
    }
    std::vector<Job> items(const ItemFilter& filter) override
    {
        return locked([&] { return reads_.items(filter); });
    }
    std::optional<Job> item(BatchId batch, std::string_view item) override
    {
        return locked([&] { return reads_.item(batch, item); });
    }
    std::vector<TokenRecord> tokens() override
    {
        return locked([&] { return reads_.tokens(); });
    }
    std::vector<QueueLimits> queue_limits() override
    {
        return locked([&] { return reads_.queue_limits(); });
    }
    std::vector<ResetRecord> resets() override
    {
        return locked([&] { return reads_.resets(); });
    }
    std::vector<ScheduleRecord> schedules(std::string_view tenant) override
    {
        return locked([&] { return reads_.schedules(tenant); });
    }
    std::vector<AuditRow> audit(const AuditFilter& filter) override
    {
        return locked([&] { return reads_.audit(filter); });
    }
    std::vector<FireRecord> fires(std::string_view tenant, std::string_view key, int limit) override
    {
        return locked([&] { return reads_.fires(tenant, key, limit); });
    }
    std::vector<std::string> paused() override
    {
        return locked([&] { return reads_.paused(); });
    }

private:
    template <class Ask>
    std::invoke_result_t<Ask> locked(Ask&& ask)
    {
        if (in_view_) return ask();
        const std::lock_guard guard{tables_.mutex};
        return ask();
    }

    MemoryStore::Tables& tables_;
    MemoryReads reads_;
    bool in_view_ = false;
};

} // namespace

MemoryStore::MemoryStore(std::uint64_t epoch, std::int64_t numbers_base) : tables_{std::make_unique<Tables>()}
{
    FRESHET_ASSERT(epoch != 0);
    tables_->epoch = epoch;
    tables_->numbers_base = numbers_base;
}

MemoryStore::~MemoryStore() = default;

std::unique_ptr<Transaction> MemoryStore::begin()
{
    FRESHET_ASSERT(!tables_->transaction_open);
    return std::make_unique<MemoryTransaction>(*tables_);
}

void MemoryStore::refuse_commits(std::function<bool()> refuses)
{
    tables_->refuses_commit = std::move(refuses);
}

std::int64_t MemoryStore::begin_ahead()
{
    FRESHET_ASSERT(!tables_->transaction_open);
    const std::int64_t id = tables_->new_payload();
    tables_->payloads.put(id, {});
    tables_->commit();
    return id;
}

void MemoryStore::append_ahead(std::int64_t payload, std::string_view chunk)
{
    FRESHET_ASSERT(!tables_->transaction_open && chunk.size() <= ahead_chunk_bytes_max);
    const auto& rows = tables_->payloads.rows(Side::working);
    const auto found = rows.find(payload);
    if (found == rows.end() || found->second.kept)
        throw StoreFailure{"payload " + std::to_string(payload) + " is not one that is being written ahead"};
    PayloadRow row = found->second;
    row.bytes += chunk;
    tables_->payloads.put(payload, std::move(row));
    tables_->commit();
}

std::unique_ptr<Reader> MemoryStore::reader()
{
    return std::make_unique<MemoryReader>(*tables_);
}

void MemoryStore::reopen()
{
    FRESHET_ASSERT(!tables_->transaction_open);
    std::vector<std::int64_t> unkept;
    for (const auto& [id, payload] : tables_->payloads.rows(Side::working))
        if (!payload.kept) unkept.push_back(id);
    for (const std::int64_t id : unkept) tables_->payloads.drop(id);
    tables_->commit();
}

} // namespace freshet
