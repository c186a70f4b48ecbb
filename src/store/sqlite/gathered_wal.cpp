// SPDX-License-Identifier: Apache-2.0
#include "store/sqlite/gathered_wal.hpp"

#include "store/store.hpp"

#include <fmt/format.h>

#include <cstddef>
#include <new>
#include <sqlite3.h>

namespace freshet::sqlite {

namespace {

/// A transaction larger than this goes out in several writes. SQLite's own files take less than 128 KiB at a time.
constexpr std::size_t gathered_max = 64 << 10;

/// SQLite gives the memory, and behind it that of the base's file; pMethods must come first.
struct Log {
    sqlite3_file file;
    sqlite3_file* base;
    sqlite3_int64 begin; ///< where the first gathered byte belongs
    std::string gathered;
};

Log& of(sqlite3_file* file)
{
    return *reinterpret_cast<Log*>(file);
}

/// Aligned as the base's file must be.
constexpr int log_bytes =
    (sizeof(Log) + alignof(std::max_align_t) - 1) / alignof(std::max_align_t) * alignof(std::max_align_t);

int write_out(Log& log)
{
    if (log.gathered.empty()) return SQLITE_OK;
    const int code =
        log.base->pMethods->xWrite(log.base, log.gathered.data(), static_cast<int>(log.gathered.size()), log.begin);
    log.gathered.clear();
    return code;
}

int close(sqlite3_file* file)
{
    Log& log = of(file);
    const int written = write_out(log);
    const int closed = log.base->pMethods->xClose(log.base);
    log.~Log();
    return written == SQLITE_OK ? closed : written;
}

int write(sqlite3_file* file, const void* from, int size, sqlite3_int64 offset)
{
    Log& log = of(file);
    const bool follows = offset == log.begin + static_cast<sqlite3_int64>(log.gathered.size());
    if (!follows || log.gathered.size() + static_cast<std::size_t>(size) > gathered_max)
        if (const int code = write_out(log); code != SQLITE_OK) return code;
    if (log.gathered.empty()) log.begin = offset;
    log.gathered.append(static_cast<const char*>(from), static_cast<std::size_t>(size));
    return SQLITE_OK;
}

/// A call to the base, once all is written.
template <auto method, class... Arguments>
int after_writing(sqlite3_file* file, Arguments... arguments)
{
    Log& log = of(file);
    if (const int code = write_out(log); code != SQLITE_OK) return code;
    return (log.base->pMethods->*method)(log.base, arguments...);
}

template <auto method, class... Arguments>
int at_once(sqlite3_file* file, Arguments... arguments)
{
    Log& log = of(file);
    return (log.base->pMethods->*method)(log.base, arguments...);
}

// Of version 1: a log is neither shared memory nor mapped.
constexpr sqlite3_io_methods methods{1,
                                     close,
                                     after_writing<&sqlite3_io_methods::xRead, void*, int, sqlite3_int64>,
                                     write,
                                     after_writing<&sqlite3_io_methods::xTruncate, sqlite3_int64>,
                                     after_writing<&sqlite3_io_methods::xSync, int>,
                                     after_writing<&sqlite3_io_methods::xFileSize, sqlite3_int64*>,
                                     at_once<&sqlite3_io_methods::xLock, int>,
                                     at_once<&sqlite3_io_methods::xUnlock, int>,
                                     at_once<&sqlite3_io_methods::xCheckReservedLock, int*>,
                                     at_once<&sqlite3_io_methods::xFileControl, int, void*>,
                                     at_once<&sqlite3_io_methods::xSectorSize>,
                                     at_once<&sqlite3_io_methods::xDeviceCharacteristics>,
                                     nullptr,
                                     nullptr,
                                     nullptr,
                                     nullptr,
                                     nullptr,
                                     nullptr};

/// What SQLite is given; it keeps the address.
struct Files {
    sqlite3_vfs vfs; ///< a copy of the base's under another name; must come first
    sqlite3_vfs* base;
};

int open(sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags, int* flags_out)
{
    sqlite3_vfs* const base = reinterpret_cast<Files*>(vfs)->base;
    if ((flags & SQLITE_OPEN_WAL) == 0) return base->xOpen(base, path, file, flags, flags_out);
    file->pMethods = nullptr;
    auto* below = reinterpret_cast<sqlite3_file*>(reinterpret_cast<char*>(file) + log_bytes);
    if (const int code = base->xOpen(base, path, below, flags, flags_out); code != SQLITE_OK) {
        if (below->pMethods != nullptr) below->pMethods->xClose(below);
        return code;
    }
    new (file) Log{{&methods}, below, 0, {}};
    return SQLITE_OK;
}

} // namespace

struct GatheredWal::Registered {
    std::string name;
    Files files;
};

GatheredWal::GatheredWal(const std::string& base) : registered_{std::make_unique<Registered>()}
{
    sqlite3_vfs* const found = sqlite3_vfs_find(base.empty() ? nullptr : base.c_str());
    if (found == nullptr) throw StoreFailure{fmt::format("SQLite knows no files of the kind \"{}\"", base)};
    Files& files = registered_->files;
    // One name each: a process may have several stores, and their bases may come and go.
    registered_->name = fmt::format("gathered-wal-{}", static_cast<const void*>(&files));
    files = {*found, found};
    files.vfs.szOsFile += log_bytes;
    files.vfs.zName = registered_->name.c_str();
    files.vfs.xOpen = open;
    if (sqlite3_vfs_register(&files.vfs, 0) != SQLITE_OK) throw StoreFailure{"SQLite takes no files of ours"};
}

GatheredWal::~GatheredWal()
{
    sqlite3_vfs_unregister(&registered_->files.vfs);
}

const std::string& GatheredWal::vfs() const
{
    return registered_->name;
}

} // namespace freshet::sqlite
