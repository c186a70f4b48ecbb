// SPDX-License-Identifier: Apache-2.0
#pragma once
// The in-memory twin of the stores: the same contract without a disk, for tests and the simulation.
//
// Every table is kept twice, as the open transaction sees it and as it was committed. A transaction notes which rows it
// touched: commit() copies those to the committed side, dropping it copies them back. So both cost what was changed.
// Threads: as Store says; readers are kept apart from commits by one mutex.

#include "store/store.hpp"

namespace freshet {

class MemoryStore final : public Store {
public:
    /// @param epoch  what epoch() answers; not 0. @param numbers_base  where the ledger of a new tenant stands.
    explicit MemoryStore(std::uint64_t epoch = 1, std::int64_t numbers_base = 0);
    ~MemoryStore() override;

    std::unique_ptr<Transaction> begin() override;
    void settle() override {}
    std::int64_t begin_ahead() override;
    void append_ahead(std::int64_t payload, std::string_view chunk) override;
    /// The reader must not outlive the store.
    std::unique_ptr<Reader> reader() override;
    std::int64_t bytes_stored() override { return 0; }
    /// For simulations of a disk that is full or fails: asked at each commit; true makes it a StoreFailure that changed
    /// nothing.
    void refuse_commits(std::function<bool()> refuses);
    /// What a new process would do on opening: sweeps what was written ahead and never kept.
    void reopen();

    struct Tables;

private:
    std::unique_ptr<Tables> tables_;
};

} // namespace freshet
