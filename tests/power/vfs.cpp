// SPDX-License-Identifier: Apache-2.0
#include "power/vfs.hpp"

#include <cstring>
#include <new>

namespace freshet::power {

namespace {

/// SQLite gives the memory; pMethods must come first.
struct OpenFile {
    sqlite3_file base;
    Disk* disk;
    Disk::Handle handle;
};

OpenFile& of(sqlite3_file* file)
{
    return *reinterpret_cast<OpenFile*>(file);
}

Disk& of(sqlite3_vfs* vfs)
{
    return *static_cast<Disk*>(vfs->pAppData);
}

int close(sqlite3_file* file)
{
    OpenFile& open = of(file);
    open.disk->close(open.handle);
    open.handle.~Handle();
    return SQLITE_OK;
}

int read(sqlite3_file* file, void* into, int size, sqlite3_int64 offset)
{
    const std::int64_t got = of(file).disk->read(of(file).handle, static_cast<char*>(into), size, offset);
    if (got < 0) return SQLITE_IOERR_READ;
    return got < size ? SQLITE_IOERR_SHORT_READ : SQLITE_OK;
}

int write(sqlite3_file* file, const void* from, int size, sqlite3_int64 offset)
{
    const std::string_view bytes{static_cast<const char*>(from), static_cast<std::size_t>(size)};
    return of(file).disk->write(of(file).handle, bytes, offset) ? SQLITE_OK : SQLITE_IOERR_WRITE;
}

int truncate(sqlite3_file* file, sqlite3_int64 size)
{
    return of(file).disk->truncate(of(file).handle, size) ? SQLITE_OK : SQLITE_IOERR_TRUNCATE;
}

int sync(sqlite3_file* file, int)
{
    return of(file).disk->sync(of(file).handle) ? SQLITE_OK : SQLITE_IOERR_FSYNC;
}

int file_size(sqlite3_file* file, sqlite3_int64* size)
{
    *size = of(file).disk->size(of(file).handle);
    return *size < 0 ? SQLITE_IOERR_FSTAT : SQLITE_OK;
}

int lock(sqlite3_file* file, int level)
{
    return of(file).disk->lock(of(file).handle, level);
}

int unlock(sqlite3_file* file, int level)
{
    return of(file).disk->unlock(of(file).handle, level);
}

int check_reserved(sqlite3_file* file, int* reserved)
{
    *reserved = of(file).disk->is_reserved(of(file).handle) ? 1 : 0;
    return SQLITE_OK;
}

int control(sqlite3_file*, int, void*)
{
    return SQLITE_NOTFOUND;
}

int sector_size(sqlite3_file*)
{
    return static_cast<int>(sector_bytes);
}

/// What SQLite's own unix vfs promises: bytes beside a write are safe when the power goes.
int characteristics(sqlite3_file*)
{
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

int shm_map(sqlite3_file* file, int region, int size, int extend, volatile void** at)
{
    return of(file).disk->shm_map(of(file).handle, region, size, extend != 0, at);
}

int shm_lock(sqlite3_file* file, int first, int count, int flags)
{
    return of(file).disk->shm_lock(of(file).handle, first, count, flags);
}

void shm_barrier(sqlite3_file*)
{
    __sync_synchronize();
}

int shm_unmap(sqlite3_file* file, int remove)
{
    of(file).disk->shm_unmap(of(file).handle, remove != 0);
    return SQLITE_OK;
}

constexpr sqlite3_io_methods methods{
    2,         close,          read,    write,       truncate,        sync,    file_size, lock,
    unlock,    check_reserved, control, sector_size, characteristics, shm_map, shm_lock,  shm_barrier,
    shm_unmap, nullptr,        nullptr};

int open(sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags, int* flags_out)
{
    file->pMethods = nullptr;
    Disk& disk = of(vfs);
    const std::string name = path != nullptr ? path : "temporary-" + std::to_string(disk.random());
    constexpr int journals = SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_WAL;
    auto handle = disk.open(name, {.create = (flags & SQLITE_OPEN_CREATE) != 0,
                                   .delete_on_close = (flags & SQLITE_OPEN_DELETEONCLOSE) != 0,
                                   .syncs_names = (flags & SQLITE_OPEN_CREATE) != 0 && (flags & journals) != 0});
    if (!handle) return SQLITE_CANTOPEN;
    OpenFile& made = of(file);
    made.disk = &disk;
    new (&made.handle) Disk::Handle{std::move(*handle)};
    file->pMethods = &methods;
    if (flags_out != nullptr) *flags_out = flags;
    return SQLITE_OK;
}

int remove(sqlite3_vfs* vfs, const char* path, int synced)
{
    if (!of(vfs).exists(path)) return of(vfs).is_on() ? SQLITE_IOERR_DELETE_NOENT : SQLITE_IOERR_DELETE;
    return of(vfs).remove(path, synced != 0) ? SQLITE_OK : SQLITE_IOERR_DELETE;
}

int access(sqlite3_vfs* vfs, const char* path, int, int* answer)
{
    *answer = of(vfs).exists(path) ? 1 : 0;
    return SQLITE_OK;
}

int full_pathname(sqlite3_vfs*, const char* path, int size, char* full)
{
    if (std::strlen(path) >= static_cast<std::size_t>(size)) return SQLITE_CANTOPEN;
    std::strcpy(full, path);
    return SQLITE_OK;
}

int randomness(sqlite3_vfs* vfs, int size, char* bytes)
{
    for (int i = 0; i < size; ++i) bytes[i] = static_cast<char>(of(vfs).random());
    return size;
}

/// Waiting for a lock costs nothing here: one thread at a time drives the tests.
int sleep(sqlite3_vfs*, int micros)
{
    return micros;
}

int current_time(sqlite3_vfs*, double* days)
{
    *days = 2'461'000.5;
    return SQLITE_OK;
}

int last_error(sqlite3_vfs*, int, char*)
{
    return 0;
}

} // namespace

std::unique_ptr<sqlite3_vfs> make_vfs(Disk& disk)
{
    auto vfs = std::make_unique<sqlite3_vfs>();
    vfs->iVersion = 1;
    vfs->szOsFile = sizeof(OpenFile);
    vfs->mxPathname = 512;
    vfs->zName = disk.vfs_name().c_str();
    vfs->pAppData = &disk;
    vfs->xOpen = open;
    vfs->xDelete = remove;
    vfs->xAccess = access;
    vfs->xFullPathname = full_pathname;
    vfs->xRandomness = randomness;
    vfs->xSleep = sleep;
    vfs->xCurrentTime = current_time;
    vfs->xGetLastError = last_error;
    return vfs;
}

} // namespace freshet::power
