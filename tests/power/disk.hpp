// SPDX-License-Identifier: Apache-2.0
#pragma once
// A disk that can lose its power: files in memory, an sqlite3_vfs over them, and a memory of what was synced.
//
// Every file has what a process reads (`seen`) and what a sync made safe (`safe`); between them lie the writes not yet
// synced, in order. cut_power_after(n) ends the n-th change from now (write, sync, truncate, delete) in a power cut:
// of what was not synced a random part stays, the last write may be torn at a sector's edge, and every further call
// fails. A name (a file made, a file deleted) is safe only once the directory was synced, as SQLite does with the first
// sync of a journal or a write-ahead log. power_on() hands out what the platters hold then; handles of before stay
// dead. Shared memory (-shm) is memory: it is gone with the power. One seed, one fate. Life: must outlive every
// connection opened through vfs_name(). Threads: any.

#include "base/rng.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct sqlite3_vfs;

namespace freshet::power {

inline constexpr std::int64_t sector_bytes = 512;

/// A write (or, without bytes, a truncate to `offset`) that no sync has followed yet.
struct Change {
    std::int64_t offset = 0;
    std::optional<std::string> bytes;
};

/// Locks and shared memory of one file, as every connection to it sees them.
struct Sharing {
    int shared = 0, reserved = 0, exclusive = 0; ///< file locks held
    std::vector<std::unique_ptr<char[]>> regions;
    int shm_shared[8] = {};
    bool shm_exclusive[8] = {};
    int shm_users = 0;
};

struct File {
    std::string seen, safe;
    std::vector<Change> unsynced;
    bool is_named = false; ///< its name would survive
    Sharing sharing;
};

struct Counts {
    std::int64_t changes = 0, syncs = 0, cuts = 0;
};

class Disk {
public:
    explicit Disk(std::uint64_t seed);
    ~Disk();
    Disk(const Disk&) = delete;
    Disk& operator=(const Disk&) = delete;

    /// For sqlite3_open_v2 and SqliteOptions::vfs.
    const std::string& vfs_name() const { return name_; }
    void cut_power_after(std::int64_t changes);
    void cut_power();
    void power_on();
    bool is_on() const;
    Counts counts() const;

    // What the vfs calls. A handle is of one life of the disk: `life` tells whether that is over.
    struct Handle {
        std::shared_ptr<File> file;
        std::string path;
        std::int64_t life = 0;
        bool delete_on_close = false;
        bool syncs_names = false; ///< the next sync is one of the directory too
        int lock = 0;
        bool shm_mapped = false;
        std::uint16_t shm_shared = 0, shm_exclusive = 0; ///< slots held
    };
    struct OpenAs {
        bool create = false, delete_on_close = false, syncs_names = false;
    };
    std::optional<Handle> open(const std::string& path, OpenAs as);
    bool exists(const std::string& path);
    bool remove(const std::string& path, bool synced);
    void close(Handle& handle);
    /// @return bytes read, the rest of the buffer is zero; -1: no power.
    std::int64_t read(const Handle& handle, char* into, std::int64_t size, std::int64_t offset);
    bool write(const Handle& handle, std::string_view bytes, std::int64_t offset);
    bool truncate(const Handle& handle, std::int64_t size);
    bool sync(Handle& handle);
    std::int64_t size(const Handle& handle);
    /// SQLite's answers (SQLITE_OK, SQLITE_BUSY, SQLITE_IOERR).
    int lock(Handle& handle, int level);
    int unlock(Handle& handle, int level);
    bool is_reserved(const Handle& handle);
    int shm_map(Handle& handle, int region, int size, bool extend, volatile void** at);
    int shm_lock(Handle& handle, int first, int count, int flags);
    void shm_unmap(Handle& handle, bool remove);
    std::uint64_t random();

private:
    bool is_live(const Handle& handle) const { return on_ && handle.life == life_; }
    /// Counts a change; @return false if the power went with it.
    bool survives();
    void sync_names();
    void go_dark();
    std::string fate(const File& file);
    void release_locks(Handle& handle);

    mutable std::recursive_mutex mutex_;
    Rng rng_;
    std::string name_;
    std::unique_ptr<sqlite3_vfs> vfs_;
    std::map<std::string, std::shared_ptr<File>> files_;
    std::map<std::string, std::shared_ptr<File>> deleted_; ///< deletes that no sync of the directory has followed
    bool on_ = true;
    std::int64_t life_ = 1;
    std::optional<std::int64_t> cut_in_;
    Counts counts_;
};

} // namespace freshet::power
