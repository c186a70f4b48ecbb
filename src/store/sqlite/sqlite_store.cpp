// SPDX-License-Identifier: Apache-2.0
#include "store/sqlite/sqlite_store.hpp"

#include "base/assert.hpp"
#include "store/sqlite/lock_file.hpp"
#include "store/sqlite/reads.hpp"
#include "store/sqlite/statements.hpp"
#include "store/sqlite/transaction.hpp"
#include "store/sqlite/writer.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <mutex>
#include <system_error>
#include <unistd.h>

namespace freshet {

namespace sqlite {

namespace {

constexpr char set_up_reader[] = "PRAGMA query_only = ON; PRAGMA wal_autocheckpoint = 0; PRAGMA mmap_size = 0; "
                                 "PRAGMA cache_size = -4096; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;";
// In WAL mode a reader waits for nobody but a recovery or the cut of the WAL, which are short.
constexpr int reader_busy_ms_max = 2'000;

/// A connection that only asks. A base of SqliteReader, since it must be made before what answers from it.
struct ReadingConnection {
    ReadingConnection(const std::string& path, const std::string& vfs) : connection{path, vfs}
    {
        sqlite3_busy_timeout(connection.raw(), reader_busy_ms_max);
        // Whoever closes last would checkpoint; that is the writer's alone.
        sqlite3_db_config(connection.raw(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
        connection.execute(set_up_reader);
    }
    Connection connection;
};

class SqliteReader final : ReadingConnection, public AnsweredByReads<Reader> {
public:
    SqliteReader(const std::string& path, const std::string& vfs, Life life)
        : ReadingConnection{path, vfs}, AnsweredByReads{connection, life}
    {
    }

    void in_one_view(const std::function<void()>& questions) override
    {
        FRESHET_ASSERT(!connection.in_transaction());
        Query{connection, sql::begin_view}.run();
        try {
            questions();
        } catch (...) {
            connection.roll_back();
            throw;
        }
        Query{connection, sql::commit}.run();
    }
};

class SqliteStore final : public Store {
public:
    SqliteStore(std::unique_ptr<LockFile> lock, std::string path, const SqliteOptions& options)
        : lock_{std::move(lock)}, path_{std::move(path)}, vfs_{options.vfs}, writer_{path_, options}
    {
    }

    std::unique_ptr<Transaction> begin() override { return std::make_unique<SqliteTransaction>(writer_); }
    void settle() override { writer_.settle(); }
    std::int64_t begin_ahead() override { return writer_.begin_ahead(); }
    void append_ahead(std::int64_t payload, std::string_view chunk) override { writer_.append_ahead(payload, chunk); }
    std::unique_ptr<Reader> reader() override { return std::make_unique<SqliteReader>(path_, vfs_, writer_.life()); }
    std::int64_t bytes_stored() override { return writer_.bytes_stored(); }

private:
    std::unique_ptr<LockFile> lock_; ///< held until the writer is closed
    std::string path_, vfs_;
    Writer writer_;
};

/// So that a data directory that was just made is still there after a power cut. SQLite syncs what is in it.
void sync_directory(const std::filesystem::path& directory)
{
    const int fd = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool synced = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0) close(fd);
    if (!synced) throw StoreFailure{fmt::format("cannot sync the directory {}", directory.string())};
}

std::unique_ptr<LockFile> take_directory(const std::filesystem::path& data_dir)
{
    std::error_code error;
    if (std::filesystem::create_directories(data_dir, error)) {
        std::filesystem::permissions(data_dir, std::filesystem::perms::owner_all, error);
        sync_directory(std::filesystem::absolute(data_dir).parent_path());
    }
    if (error)
        throw StoreFailure{
            fmt::format("cannot make the data directory {}: {}. Name another data_dir, or make it and let "
                        "this user write in it.",
                        data_dir.string(), error.message())};
    return std::make_unique<LockFile>(data_dir / "freshet.lock");
}

} // namespace

} // namespace sqlite

std::unique_ptr<Store> open_sqlite_store(SqliteOptions options)
{
    // SQLite's count of memory in use takes a lock at each allocation, and nobody asks for it. Refused, which costs
    // speed alone, if SQLite was used before.
    static std::once_flag configured;
    std::call_once(configured, [] { sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); });
    std::unique_ptr<sqlite::LockFile> lock;
    if (options.vfs.empty()) lock = sqlite::take_directory(options.data_dir);
    return std::make_unique<sqlite::SqliteStore>(std::move(lock), (options.data_dir / "freshet.db").string(), options);
}

} // namespace freshet
