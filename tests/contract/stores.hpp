// SPDX-License-Identifier: Apache-2.0
#pragma once
// The stores that the suite runs over, and small values to put into them. A new store adds itself to all_stores().

#include "base/folder_world.hpp"
#include "store/memory.hpp"
#include "store/sqlite/sqlite_store.hpp"

#include <gtest/gtest.h>

#include <fmt/format.h>
#include <functional>
#include <memory>
#include <string>

namespace freshet::contract {

/// Ids of what ended_jobs() or ended_batches() found.
template <class Id>
std::vector<std::int64_t> ended_ids(const std::vector<Ended<Id>>& found)
{
    std::vector<std::int64_t> ids;
    for (const Ended<Id>& ended : found) ids.push_back(ended.id.value);
    return ids;
}

/// A store with what it lives on; reopen() is the end of a process and the start of the next.
class World {
public:
    virtual ~World() = default;
    virtual Store& store() = 0;
    virtual void reopen() = 0;
};

class MemoryWorld final : public World {
public:
    Store& store() override { return store_; }
    void reopen() override { store_.reopen(); }

private:
    MemoryStore store_{77};
};

class SqliteWorld final : public World {
public:
    explicit SqliteWorld(Synchronous synchronous = Synchronous::full) : synchronous_{synchronous} { reopen(); }
    Store& store() override { return *store_; }
    void reopen() override
    {
        store_.reset();
        store_ = open_sqlite_store({.data_dir = directory_.path(), .synchronous = synchronous_});
    }

private:
    Synchronous synchronous_;
    test::Folder directory_;
    std::unique_ptr<Store> store_;
};

struct StoreKind {
    std::string name;
    std::function<std::unique_ptr<World>()> make;
};

inline std::vector<StoreKind> all_stores()
{
    return {{"memory", [] { return std::make_unique<MemoryWorld>(); }},
            {"sqlite", [] { return std::make_unique<SqliteWorld>(); }}};
}

inline std::string name_of(const testing::TestParamInfo<StoreKind>& kind)
{
    return kind.param.name;
}

class StoreContract : public testing::TestWithParam<StoreKind> {
protected:
    Store& store() { return world_->store(); }
    void reopen() { world_->reopen(); }
    /// One transaction with `act`, committed.
    void commit(const std::function<void(Transaction&)>& act)
    {
        const auto transaction = store().begin();
        act(*transaction);
        transaction->commit();
    }

private:
    std::unique_ptr<World> world_ = GetParam().make();
};

class JobContract : public StoreContract {
protected:
    void put(const std::vector<Job>& jobs, std::optional<WallTime> timer_at = {})
    {
        commit([&](Transaction& t) {
            for (const Job& job : jobs) t.put_job(job, timer_at);
        });
    }
};

#define FRESHET_CONTRACT(Suite) INSTANTIATE_TEST_SUITE_P(Stores, Suite, testing::ValuesIn(all_stores()), name_of)

inline constexpr WallTime t0 = from_ms(1'790'000'000'000);

inline Event an_event(std::string data)
{
    return {EventKind::change, "data/prices", std::move(data), "", false};
}

inline Job a_job(std::int64_t id, std::string queue = "prices")
{
    Job job;
    job.id = JobId{id};
    job.kind = JobKind::task;
    job.tenant = "acme";
    job.queue = std::move(queue);
    job.requested_at = t0;
    job.due_at = t0;
    return job;
}

inline Job a_refresh(std::int64_t id, std::string key = "prices")
{
    Job job = a_job(id);
    job.kind = JobKind::refresh;
    job.key = std::move(key);
    return job;
}

inline Job running(Job job, std::string worker = "w1")
{
    job.state = JobState::running;
    job.worker = std::move(worker);
    return job;
}

inline Job ended(Job job, WallTime at, JobState state = JobState::succeeded)
{
    job.state = state;
    job.finished_at = at;
    return job;
}

inline KeyRecord a_key(std::string text, std::string tenant = "acme")
{
    KeyRecord key;
    key.tenant = std::move(tenant);
    key.source = text.substr(0, text.find('/'));
    key.key = std::move(text);
    return key;
}

inline VersionRecord a_version(std::int64_t ver, std::int64_t payload)
{
    VersionRecord version;
    version.ver = version.gen = ver;
    version.payload = payload;
    version.changed_at = t0 + Millis{ver};
    return version;
}

inline std::vector<std::int64_t> ids(const std::vector<Job>& jobs)
{
    std::vector<std::int64_t> found;
    for (const Job& job : jobs) found.push_back(job.id.value);
    return found;
}

} // namespace freshet::contract
