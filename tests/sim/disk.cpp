// SPDX-License-Identifier: Apache-2.0
#include "sim/disk.hpp"

#include "store/memory.hpp"
#include "store/sqlite/backup.hpp"
#include "store/sqlite/sqlite_store.hpp"

#include <stdlib.h>

namespace freshet::sim {

Disk::Disk(bool embedded)
{
    if (embedded) {
        std::string name = (std::filesystem::temp_directory_path() / "freshet-sim-XXXXXX").string();
        if (mkdtemp(name.data()) == nullptr) throw StoreFailure{"no temporary directory for the store"};
        directory_ = name;
    } else {
        store_ = std::make_unique<MemoryStore>();
    }
}

Disk::~Disk()
{
    store_.reset();
    std::error_code ignored;
    if (!directory_.empty()) std::filesystem::remove_all(directory_, ignored);
}

void Disk::reopen()
{
    if (directory_.empty()) return static_cast<MemoryStore&>(*store_).reopen();
    store_.reset();
    // Processes die here and machines do not: what the system holds is as good as on the device.
    store_ = open_sqlite_store({.data_dir = directory_, .synchronous = Synchronous::off});
}

void Disk::back_up()
{
    const std::filesystem::path copy = directory_ / "backup.db";
    std::filesystem::remove(copy);
    copy_store(directory_ / "freshet.db", copy, [] { return true; });
    backup_base_ = base_;
}

Disk::Restored Disk::restore()
{
    store_.reset();
    const std::filesystem::path database = directory_ / "freshet.db";
    for (const char* beside : {"-wal", "-shm"}) std::filesystem::remove(database.string() + beside);
    std::filesystem::copy_file(directory_ / "backup.db", database, std::filesystem::copy_options::overwrite_existing);
    base_ += static_cast<Seq>(restore_jump);
    begin_new_life(database, static_cast<std::int64_t>(base_));
    reopen();
    return {base_ - backup_base_.value(), base_};
}

void Disk::refuse_commits(std::function<bool()> refuses)
{
    if (directory_.empty()) static_cast<MemoryStore&>(*store_).refuse_commits(std::move(refuses));
}

} // namespace freshet::sim
