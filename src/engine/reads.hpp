// SPDX-License-Identifier: Apache-2.0
#pragma once
// Questions to the store for those who may not see it (http): misses, versions, lists, the ledger of a resume.
//
// Life: one object, made by app. Each call borrows a query-only connection from a small pool and gives it back.
// Threads: any, but never an event loop: calls read the disk. Throws StoreFailure (a Failure).

#include "engine/view.hpp"
#include "store/store.hpp"

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace freshet {

class Reads {
public:
    explicit Reads(std::function<std::unique_ptr<Reader>()> make_reader) : make_reader_{std::move(make_reader)} {}

    /// The key as it stands on disk, with its body; a view with an empty record (gen 0, has_data false) if unknown.
    std::shared_ptr<const KeyView> view(std::string_view tenant, std::string_view key);
    /// As view(), without the body's bytes (view->body is null).
    std::shared_ptr<const KeyView> meta(std::string_view tenant, std::string_view key);

    struct VersionBody {
        VersionRecord version;
        std::shared_ptr<const Body> body;
    };
    std::optional<VersionBody> version(std::string_view tenant, std::string_view key, std::int64_t ver);
    std::vector<VersionRecord> versions(std::string_view tenant, std::string_view key, std::int64_t before_ver,
                                        int limit);
    /// Keys of a tenant (of one source if named) in byte order after `after`, without bodies.
    std::vector<std::shared_ptr<const KeyView>> keys(std::string_view tenant, std::string_view source,
                                                     std::string_view after, int limit);

    /// Any questions, answered in one view of the store.
    void in_one_view(const std::function<void(StoreReads&)>& questions);

    std::optional<Job> job(JobId id);
    std::vector<Job> jobs(const JobFilter& filter);
    std::vector<AttemptRecord> attempts(JobId id);
    std::vector<ScheduleRecord> schedules(std::string_view tenant);
    std::vector<FireRecord> fires(std::string_view tenant, std::string_view key, int limit);

    std::vector<TokenRecord> tokens();

    std::uint64_t epoch();
    LedgerHead ledger_head(std::string_view tenant);
    /// Entries after `after`, and the head and floor they were read under, in one view.
    struct LedgerSlice {
        LedgerHead head;
        std::vector<LedgerEntry> entries;
    };
    LedgerSlice ledger(std::string_view tenant, Seq after, int limit);

private:
    template <class Question>
    auto ask(Question&& question);

    std::function<std::unique_ptr<Reader>()> make_reader_;
    std::mutex mutex_;
    std::vector<std::unique_ptr<Reader>> idle_; ///< guarded by mutex_
};

/// The flight that a key's live jobs amount to: what runs, else what waits for a slot; a wait for a retry is none.
std::optional<FlightView> flight_of(const std::vector<Job>& live);

} // namespace freshet
