// SPDX-License-Identifier: Apache-2.0
#pragma once
// A backup: one file that holds a copy of a store, compressed, behind a page that says what it is.
//
// The page is a skippable frame of zstd (4096 bytes with its head): a hash of what follows in it, then JSON. Behind it
// lies one frame of zstd with the database. So `zstd -dc FILE` gives the database to whoever has no freshet at hand,
// and the page is read without touching the rest. Every byte is covered: the page by its hash, the rest by the page's.
// Threads: any; a file belongs to one call at a time.

#include "base/descriptor.hpp"
#include "base/failure.hpp"
#include "base/hash.hpp"
#include "store/sqlite/backup.hpp"

#include <filesystem>
#include <functional>
#include <string>

namespace freshet {

/// Why a backup can not be made, read or restored, and what to try.
class BackupFailure : public Failure {
public:
    BackupFailure(const std::string& words, std::string way) : Failure{words}, try_{std::move(way)} {}
    const std::string& what_to_try() const { return try_; }

private:
    std::string try_;
};

struct BackupManifest {
    int format = 0;
    int schema = 0;
    std::string freshet; ///< the version that made it
    WallTime created_at;
    std::uint64_t epoch = 0;
    std::int64_t numbers_base = 0;
    std::int64_t database_bytes = 0;
    std::int64_t bytes = 0; ///< of the whole file
    Hash128 checksum;       ///< of all behind the page
    StoreRows rows;
};

inline constexpr std::size_t backup_page_bytes = 4096;

/// Told how much of the bytes that are read has been; false ends it with a BackupFailure.
using BackupProgress = std::function<bool(std::int64_t done, std::int64_t total)>;

/// As JSON, for the page and for people.
std::string manifest_json(const BackupManifest& manifest);
/// @throws BackupFailure in words: no backup, damaged, of a newer format or schema.
BackupManifest parse_page(std::string_view page);

/// Compresses `database` into `file`, which is new, with its page, and syncs it.
BackupManifest write_backup(const std::filesystem::path& database, const StoreFacts& facts, WallTime now, int file,
                            const BackupProgress& progress);

/// Reads the page and checks the size of the file.
BackupManifest read_backup_page(const std::filesystem::path& file);

/// Checks every byte and unpacks the database into a file that does not exist yet; it is synced.
void unpack_backup(const std::filesystem::path& file, const BackupManifest& manifest,
                   const std::filesystem::path& database, const BackupProgress& progress);

/// Unpacks into `scratch`, checks that the database is whole and that it is the one that the page tells of.
StoreFacts verify_backup(const std::filesystem::path& file, const BackupManifest& manifest,
                         const std::filesystem::path& scratch, const BackupProgress& progress);

/// The freshet.db of a data directory, and files beside it that a process left when it was killed.
std::filesystem::path database_of(const std::filesystem::path& data_dir);
inline constexpr std::string_view scratch_prefix = "backup-scratch-";
/// A new name below `folder`; what is at it goes with the object.
class ScratchFile {
public:
    explicit ScratchFile(const std::filesystem::path& folder);
    ~ScratchFile();
    ScratchFile(const ScratchFile&) = delete;
    ScratchFile& operator=(const ScratchFile&) = delete;
    const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};
/// Removes what ScratchFiles of a killed process left. Nobody else may use the folder.
void sweep_scratch(const std::filesystem::path& folder);

} // namespace freshet
