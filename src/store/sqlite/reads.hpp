// SPDX-License-Identifier: Apache-2.0
#pragma once
// Answers StoreReads from one connection; the writer's and each reader's are the same code.

#include "store/sqlite/connection.hpp"

#include <limits>

namespace freshet::sqlite {

/// place = payload * chunks_max + number; so a payload has at most 1 GiB.
inline constexpr std::int64_t chunks_max = 4096;

class Reads {
public:
    explicit Reads(Connection& connection) : connection_{connection} {}

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
    std::vector<FireRecord> fires(std::string_view tenant, std::string_view key, int limit);
    std::vector<std::string> paused();

private:
    void jobs_of_state(const JobFilter& filter, JobState state, std::vector<Job>& found);

    Connection& connection_;
};

/// Makes a Reader or a Transaction of Base by handing every question to `reads_`.
template <class Base>
class AnsweredByReads : public Base {
public:
    AnsweredByReads(Connection& connection, std::uint64_t epoch) : reads_{connection}, epoch_{epoch} {}

    std::uint64_t epoch() override { return epoch_; }
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
    std::vector<FireRecord> fires(std::string_view tenant, std::string_view key, int limit) override
    {
        return reads_.fires(tenant, key, limit);
    }
    std::vector<std::string> paused() override { return reads_.paused(); }

protected:
    Reads reads_;

private:
    std::uint64_t epoch_;
};

} // namespace freshet::sqlite
