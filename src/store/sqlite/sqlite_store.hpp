// SPDX-License-Identifier: Apache-2.0
#pragma once
// The embedded store: one SQLite file in WAL mode beside the server.
//
// One connection writes and checkpoints, readers only ask. A commit is one write and one fsync of the WAL (synchronous
// = FULL; gathered_wal.hpp). Checkpoints are made by settle(), when the WAL has grown by wal_bytes_kept, so that the
// answers of a commit never wait for one.
// Always holds: nobody else writes (a lock file in data_dir refuses a second server); what a device error left behind
// is never built upon: `device_failed` ends the process, and the next one starts from what is on disk.

#include "store/store.hpp"

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace freshet {

/// Above this settle() copies the WAL into the database.
inline constexpr std::int64_t wal_bytes_kept = 4 << 20;
/// A WAL file that grew beyond this (long readers, one large commit) is cut when nobody reads.
inline constexpr std::int64_t wal_bytes_max = 64 << 20;

/// `off` loses commits when the power goes: it is the control of the power tests, and no setting leads to it.
enum class Synchronous : std::uint8_t { full, off };

struct SqliteOptions {
    /// Made if it is missing. Holds freshet.db, its -wal and -shm, and freshet.lock.
    std::filesystem::path data_dir;
    /// Name of a registered sqlite3_vfs that holds data_dir; empty: the system's files. Only those have a lock file.
    std::string vfs;
    Synchronous synchronous = Synchronous::full;
    /// Told in words when the device refused a write or a sync, so that what is on disk is unknown. Must not return (it
    /// may throw); empty: logs and ends the process.
    std::function<void(std::string_view)> device_failed;
};

/// Opens the store, brings its schema up to date and sweeps what was written ahead and never kept.
/// @throws StoreFailure in words: another server, a newer schema, another program's file, a damaged file.
std::unique_ptr<Store> open_sqlite_store(SqliteOptions options);

} // namespace freshet
