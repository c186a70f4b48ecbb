// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the server's store lives on: memory, whose commits can be refused, or a directory with the embedded store.
//
// A process that died takes nothing with it but what it did not commit; reopen() is the start of the next one, and may
// be another Store. Power cuts and torn writes are not of here (tests/power). Threads: one.

#include "store/store.hpp"

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>

namespace freshet::sim {

class Disk {
public:
    explicit Disk(bool embedded);
    ~Disk();
    Disk(const Disk&) = delete;
    Disk& operator=(const Disk&) = delete;

    /// There is none before the first reopen().
    Store& store() { return *store_; }
    /// What a new process does; nobody may hold the store of the one before.
    void reopen();
    /// Keeps a copy of the embedded store, as a backup beside a running server does.
    void back_up();
    struct Restored {
        Seq by = 0;           ///< how much higher than in the copy all numbers lie now
        Seq numbers_base = 0; ///< above all that any life before gave out
    };
    /// Makes the last copy the store of a new life and opens it. There must be one, and nobody may hold the store.
    Restored restore();
    bool has_backup() const { return backup_base_.has_value(); }

    /// Asked at each commit; true: it fails and nothing changed. The embedded store is never asked: it only fails where
    /// its device does.
    void refuse_commits(std::function<bool()> refuses);

private:
    std::filesystem::path directory_; ///< empty: in memory
    Seq base_ = 0;                    ///< of the numbers of this life
    std::optional<Seq> backup_base_;
    std::unique_ptr<Store> store_;
};

} // namespace freshet::sim
