// SPDX-License-Identifier: Apache-2.0
#pragma once
// The writing connection and what transactions share: commits, checkpoints, payload chunks, the answer to a device
// error. Threads: the engine's; bytes_stored() any.

#include "store/sqlite/connection.hpp"
#include "store/sqlite/gathered_wal.hpp"
#include "store/sqlite/schema.hpp"
#include "store/sqlite/sqlite_store.hpp"

#include <atomic>

namespace freshet::sqlite {

class Writer {
public:
    Writer(const std::string& path, const SqliteOptions& options);
    ~Writer();
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;

    Connection& connection() { return connection_; }
    Life life() const { return life_; }
    void begin();
    void commit();
    /// Checkpoints if the WAL is large.
    void settle();
    /// At most one transaction is open.
    bool is_open() const { return connection_.in_transaction(); }

    /// True if `id` is above every one that was put, which makes it the highest.
    bool is_new_job(JobId id)
    {
        const bool above = id > highest_job_;
        if (above) highest_job_ = id;
        return above;
    }

    std::int64_t put_payload(std::string_view bytes);
    std::int64_t begin_ahead();
    void append_ahead(std::int64_t payload, std::string_view chunk);
    void drop_payload(std::int64_t id);
    std::int64_t bytes_stored() const { return database_bytes_ + wal_bytes_; }

private:
    /// Null where nothing is synced: bytes would wait when others look for them.
    static std::unique_ptr<GatheredWal> files_for(const SqliteOptions& options);
    void put_chunk(std::int64_t payload, std::int64_t number, std::string_view bytes);
    void sweep_ahead();
    void begin_log_anew();
    /// Runs `work`, which ends in a commit or a checkpoint; device errors in it do not come back.
    template <class Work>
    void on_device(Work&& work);
    void measure();

    std::string path_;
    std::function<void(std::string_view)> device_failed_;
    std::unique_ptr<GatheredWal> files_; ///< null: the base as it is
    Connection connection_;
    Life life_;
    JobId highest_job_; ///< at least the highest id in the table; a rollback may leave it above
    std::int64_t page_bytes_ = 4096;
    std::int64_t checkpoint_at_ = wal_bytes_kept; ///< bytes of WAL at which the next checkpoint is due
    std::int64_t wal_file_bytes_ = 0;             ///< how large the WAL file has grown since it was last cut
    std::atomic<std::int64_t> wal_bytes_{0}, database_bytes_{0};
};

} // namespace freshet::sqlite
