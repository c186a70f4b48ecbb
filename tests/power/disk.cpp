// SPDX-License-Identifier: Apache-2.0
#include "power/disk.hpp"

#include "power/vfs.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <sqlite3.h>
#include <utility>

namespace freshet::power {

namespace {

void replay(std::string& content, const Change& change)
{
    const auto offset = static_cast<std::size_t>(change.offset);
    if (!change.bytes) {
        content.resize(offset);
        return;
    }
    if (content.size() < offset + change.bytes->size()) content.resize(offset + change.bytes->size());
    content.replace(offset, change.bytes->size(), *change.bytes);
}

std::string new_name()
{
    static std::atomic<int> made{0};
    return "freshet-power-" + std::to_string(++made);
}

} // namespace

Disk::Disk(std::uint64_t seed) : rng_{seed}, name_{new_name()}, vfs_{make_vfs(*this)}
{
    sqlite3_vfs_register(vfs_.get(), 0);
}

Disk::~Disk()
{
    sqlite3_vfs_unregister(vfs_.get());
}

// Power.

void Disk::cut_power_after(std::int64_t changes)
{
    const std::lock_guard guard{mutex_};
    cut_in_ = changes;
}

void Disk::cut_power()
{
    const std::lock_guard guard{mutex_};
    if (on_) go_dark();
}

bool Disk::is_on() const
{
    const std::lock_guard guard{mutex_};
    return on_;
}

Counts Disk::counts() const
{
    const std::lock_guard guard{mutex_};
    return counts_;
}

void Disk::power_on()
{
    const std::lock_guard guard{mutex_};
    on_ = true;
    ++life_;
}

bool Disk::survives()
{
    ++counts_.changes;
    if (!cut_in_ || --*cut_in_ > 0) return true;
    go_dark();
    return false;
}

void Disk::go_dark()
{
    on_ = false;
    cut_in_.reset();
    ++counts_.cuts;
    // A delete that was not synced may not have happened; a file whose name was not synced may have none.
    for (auto& [path, file] : deleted_)
        if (rng_.below(2) == 0) files_.try_emplace(path, file);
    deleted_.clear();
    std::map<std::string, std::shared_ptr<File>> left;
    for (const auto& [path, file] : files_) {
        if (!file->is_named && rng_.below(2) == 0) continue;
        auto kept = std::make_shared<File>();
        kept->seen = kept->safe = fate(*file);
        kept->is_named = true;
        left.emplace(path, std::move(kept));
    }
    files_ = std::move(left);
}

std::string Disk::fate(const File& file)
{
    std::string content = file.safe;
    // How a cut treats writes: none stay, all stay, a prefix, any of them, any sector of them.
    const std::uint64_t manner = rng_.below(5);
    const std::size_t prefix = rng_.below(file.unsynced.size() + 1);
    for (std::size_t i = 0; i < file.unsynced.size(); ++i) {
        const Change& change = file.unsynced[i];
        const bool last = i + 1 == file.unsynced.size();
        if (manner == 0 || (manner == 2 && i >= prefix) || (manner == 3 && rng_.below(2) == 0)) continue;
        if (change.bytes && (manner == 4 || last)) {
            // Sector by sector; the last write is torn at one of its edges.
            const auto size = static_cast<std::int64_t>(change.bytes->size());
            const std::int64_t torn_at =
                last ? static_cast<std::int64_t>(rng_.below(static_cast<std::uint64_t>(size / sector_bytes + 2))) *
                           sector_bytes
                     : size;
            for (std::int64_t from = 0; from < size;) {
                const std::int64_t edge = ((change.offset + from) / sector_bytes + 1) * sector_bytes - change.offset;
                const std::int64_t to = std::min(edge, size);
                if (from < torn_at && (manner != 4 || rng_.below(2) == 0))
                    replay(content, {change.offset + from, change.bytes->substr(static_cast<std::size_t>(from),
                                                                                static_cast<std::size_t>(to - from))});
                from = to;
            }
            continue;
        }
        replay(content, change);
    }
    return content;
}

// Files.

std::optional<Disk::Handle> Disk::open(const std::string& path, OpenAs as)
{
    const std::lock_guard guard{mutex_};
    if (!on_) return std::nullopt;
    auto found = files_.find(path);
    if (found == files_.end()) {
        if (!as.create) return std::nullopt;
        found = files_.emplace(path, std::make_shared<File>()).first;
    }
    return Handle{.file = found->second,
                  .path = path,
                  .life = life_,
                  .delete_on_close = as.delete_on_close,
                  .syncs_names = as.syncs_names};
}

bool Disk::exists(const std::string& path)
{
    const std::lock_guard guard{mutex_};
    return on_ && files_.contains(path);
}

bool Disk::remove(const std::string& path, bool synced)
{
    const std::lock_guard guard{mutex_};
    if (!on_ || !survives()) return false;
    const auto found = files_.find(path);
    if (found == files_.end()) return true;
    if (found->second->is_named) deleted_[path] = found->second;
    files_.erase(found);
    if (synced) sync_names();
    return true;
}

void Disk::close(Handle& handle)
{
    const std::lock_guard guard{mutex_};
    release_locks(handle);
    if (handle.delete_on_close && is_live(handle)) files_.erase(handle.path);
    handle.file.reset();
}

std::int64_t Disk::read(const Handle& handle, char* into, std::int64_t size, std::int64_t offset)
{
    const std::lock_guard guard{mutex_};
    if (!is_live(handle)) return -1;
    const std::string& content = handle.file->seen;
    const std::int64_t there = std::clamp<std::int64_t>(static_cast<std::int64_t>(content.size()) - offset, 0, size);
    std::memset(into, 0, static_cast<std::size_t>(size));
    if (there > 0) std::memcpy(into, content.data() + offset, static_cast<std::size_t>(there));
    return there;
}

bool Disk::write(const Handle& handle, std::string_view bytes, std::int64_t offset)
{
    const std::lock_guard guard{mutex_};
    if (!is_live(handle)) return false;
    handle.file->unsynced.push_back({offset, std::string{bytes}});
    replay(handle.file->seen, handle.file->unsynced.back());
    return survives();
}

bool Disk::truncate(const Handle& handle, std::int64_t size)
{
    const std::lock_guard guard{mutex_};
    if (!is_live(handle)) return false;
    handle.file->unsynced.push_back({size, std::nullopt});
    replay(handle.file->seen, handle.file->unsynced.back());
    return survives();
}

void Disk::sync_names()
{
    deleted_.clear();
    for (auto& [path, file] : files_) file->is_named = true;
}

bool Disk::sync(Handle& handle)
{
    const std::lock_guard guard{mutex_};
    if (!is_live(handle)) return false;
    // The power may go before or after a sync did its work; whoever called is told neither.
    const bool in_time = cut_in_ != 1 || rng_.below(2) == 0;
    if (in_time) {
        ++counts_.syncs;
        handle.file->safe = handle.file->seen;
        handle.file->unsynced.clear();
        if (std::exchange(handle.syncs_names, false)) sync_names();
    }
    return survives();
}

std::int64_t Disk::size(const Handle& handle)
{
    const std::lock_guard guard{mutex_};
    return is_live(handle) ? static_cast<std::int64_t>(handle.file->seen.size()) : -1;
}

std::uint64_t Disk::random()
{
    const std::lock_guard guard{mutex_};
    return rng_.next();
}

// Locks: SQLite's protocol (shared, one reserved, exclusive when nobody shares), counted per file.

int Disk::lock(Handle& handle, int level)
{
    const std::lock_guard guard{mutex_};
    if (!is_live(handle)) return SQLITE_IOERR_LOCK;
    Sharing& s = handle.file->sharing;
    if (level <= handle.lock) return SQLITE_OK;
    if (level == SQLITE_LOCK_SHARED) {
        if (s.exclusive != 0) return SQLITE_BUSY;
        ++s.shared;
    } else if (handle.lock < SQLITE_LOCK_RESERVED) {
        if (s.reserved != 0) return SQLITE_BUSY;
        s.reserved = 1;
        handle.lock = SQLITE_LOCK_RESERVED;
    }
    if (level == SQLITE_LOCK_EXCLUSIVE) {
        if (s.shared > 1) return SQLITE_BUSY;
        s.exclusive = 1;
    }
    handle.lock = level;
    return SQLITE_OK;
}

int Disk::unlock(Handle& handle, int level)
{
    const std::lock_guard guard{mutex_};
    if (!handle.file) return SQLITE_OK;
    Sharing& s = handle.file->sharing;
    if (handle.lock >= SQLITE_LOCK_EXCLUSIVE && level < SQLITE_LOCK_EXCLUSIVE) s.exclusive = 0;
    if (handle.lock >= SQLITE_LOCK_RESERVED && level < SQLITE_LOCK_RESERVED) s.reserved = 0;
    if (handle.lock >= SQLITE_LOCK_SHARED && level < SQLITE_LOCK_SHARED) --s.shared;
    handle.lock = std::min(handle.lock, level);
    return SQLITE_OK;
}

bool Disk::is_reserved(const Handle& handle)
{
    const std::lock_guard guard{mutex_};
    return handle.file->sharing.reserved != 0;
}

void Disk::release_locks(Handle& handle)
{
    unlock(handle, SQLITE_LOCK_NONE);
    shm_unmap(handle, false);
}

// Shared memory of the write-ahead log.

int Disk::shm_map(Handle& handle, int region, int size, bool extend, volatile void** at)
{
    const std::lock_guard guard{mutex_};
    *at = nullptr;
    if (!is_live(handle)) return SQLITE_IOERR_SHMMAP;
    Sharing& s = handle.file->sharing;
    if (!handle.shm_mapped) handle.shm_mapped = true, ++s.shm_users;
    while (s.regions.size() <= static_cast<std::size_t>(region)) {
        if (!extend) return SQLITE_OK;
        s.regions.push_back(std::make_unique<char[]>(static_cast<std::size_t>(size)));
    }
    *at = s.regions[static_cast<std::size_t>(region)].get();
    return SQLITE_OK;
}

int Disk::shm_lock(Handle& handle, int first, int count, int flags)
{
    const std::lock_guard guard{mutex_};
    if (!is_live(handle)) return SQLITE_IOERR_SHMLOCK;
    Sharing& s = handle.file->sharing;
    const auto bit = [](int slot) { return static_cast<std::uint16_t>(1U << slot); };
    const bool exclusive = (flags & SQLITE_SHM_EXCLUSIVE) != 0;
    if ((flags & SQLITE_SHM_LOCK) != 0)
        for (int slot = first; slot < first + count; ++slot) {
            const bool mine = (handle.shm_exclusive & bit(slot)) != 0;
            const int others = s.shm_shared[slot] - ((handle.shm_shared & bit(slot)) != 0 ? 1 : 0);
            if ((s.shm_exclusive[slot] && !mine) || (exclusive && others > 0)) return SQLITE_BUSY;
        }
    for (int slot = first; slot < first + count; ++slot) {
        std::uint16_t& held = exclusive ? handle.shm_exclusive : handle.shm_shared;
        const bool had = (held & bit(slot)) != 0;
        const bool has = (flags & SQLITE_SHM_LOCK) != 0;
        if (had == has) continue;
        held = static_cast<std::uint16_t>(held ^ bit(slot));
        if (exclusive)
            s.shm_exclusive[slot] = has;
        else
            s.shm_shared[slot] += has ? 1 : -1;
    }
    return SQLITE_OK;
}

void Disk::shm_unmap(Handle& handle, bool remove)
{
    const std::lock_guard guard{mutex_};
    if (!handle.file || !handle.shm_mapped) return;
    Sharing& s = handle.file->sharing;
    for (int slot = 0; slot < 8; ++slot) {
        if ((handle.shm_shared >> slot & 1) != 0) --s.shm_shared[slot];
        if ((handle.shm_exclusive >> slot & 1) != 0) s.shm_exclusive[slot] = false;
    }
    handle.shm_shared = handle.shm_exclusive = 0;
    handle.shm_mapped = false;
    // The memory stays while anybody maps it, as a file's would.
    if (--s.shm_users == 0 && remove) s.regions.clear();
}

} // namespace freshet::power
