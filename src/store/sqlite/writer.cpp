// SPDX-License-Identifier: Apache-2.0
#include "store/sqlite/writer.hpp"

#include "base/assert.hpp"
#include "base/log.hpp"
#include "store/sqlite/job_statements.hpp"
#include "store/sqlite/reads.hpp"
#include "store/sqlite/schema.hpp"
#include "store/sqlite/statements.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <unistd.h>
#include <utility>

namespace freshet::sqlite {

namespace {

// Debian builds SQLite with SECURE_DELETE, which writes zeroes over each dropped row: twice the pages per commit for
// nothing that a backup would not have anyway.
constexpr char set_up_writer[] = "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; PRAGMA mmap_size = 0; "
                                 "PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY; PRAGMA secure_delete = OFF; "
                                 "PRAGMA trusted_schema = OFF;";
constexpr char synchronous_full[] = "PRAGMA synchronous = FULL";
constexpr char synchronous_off[] = "PRAGMA synchronous = OFF";
constexpr char page_size[] = "PRAGMA page_size";
constexpr int busy_ms_max = 2'000;
constexpr int frame_head_bytes = 24;

void end_process(std::string_view words)
{
    log::error("the disk failed, what it holds is unknown; ending so that a restart reads it anew", {{"error", words}});
    _exit(74); // EX_IOERR of sysexits.h
}

} // namespace

std::unique_ptr<GatheredWal> Writer::files_for(const SqliteOptions& options)
{
    if (options.synchronous == Synchronous::off) return nullptr;
    return std::make_unique<GatheredWal>(options.vfs);
}

Writer::Writer(const std::string& path, const SqliteOptions& options)
    : path_{path}, device_failed_{options.device_failed ? options.device_failed : end_process},
      files_{files_for(options)}, connection_{path, files_ ? files_->vfs() : options.vfs}
{
    sqlite3_busy_timeout(connection_.raw(), busy_ms_max);
    on_device([&] {
        connection_.execute(set_up_writer);
        connection_.execute(options.synchronous == Synchronous::full ? synchronous_full : synchronous_off);
        migrate(connection_, path_);
        sweep_ahead();
    });
    life_ = stored_life(connection_);
    highest_job_ = JobId{connection_.number(sql::last_job_id)};
    page_bytes_ = connection_.number(page_size);
    sqlite3_wal_hook(
        connection_.raw(),
        [](void* self, sqlite3*, const char*, int frames) {
            auto& writer = *static_cast<Writer*>(self);
            const std::int64_t bytes = std::int64_t{frames} * (writer.page_bytes_ + frame_head_bytes);
            writer.wal_bytes_ = bytes;
            writer.wal_file_bytes_ = std::max(writer.wal_file_bytes_, bytes);
            return SQLITE_OK;
        },
        this);
    measure();
}

Writer::~Writer()
{
    connection_.roll_back();
}

template <class Work>
void Writer::on_device(Work&& work)
{
    try {
        std::forward<Work>(work)();
    } catch (const SqliteFailure& failure) {
        if (!failure.is_device_error()) throw;
        device_failed_(fmt::format("{}: {}", path_, failure.what()));
        FRESHET_ASSERT(!"device_failed must not return");
    }
}

void Writer::begin()
{
    FRESHET_ASSERT(!is_open());
    Query{connection_, sql::begin}.run();
}

void Writer::commit()
{
    on_device([&] { Query{connection_, sql::commit}.run(); });
}

void Writer::measure()
{
    database_bytes_ = connection_.number(sql::page_count) * page_bytes_;
}

void Writer::settle()
{
    FRESHET_ASSERT(!is_open());
    if (wal_bytes_ < checkpoint_at_) return;
    int frames = 0, copied = 0;
    int code = sqlite3_wal_checkpoint_v2(connection_.raw(), nullptr, SQLITE_CHECKPOINT_PASSIVE, &frames, &copied);
    const bool complete = code == SQLITE_OK && frames == copied;
    if (complete && wal_file_bytes_ > wal_bytes_max) {
        // Does not wait: whoever reads now keeps the file as it is until the next time.
        sqlite3_busy_timeout(connection_.raw(), 0);
        code = sqlite3_wal_checkpoint_v2(connection_.raw(), nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
        sqlite3_busy_timeout(connection_.raw(), busy_ms_max);
        if (code == SQLITE_OK) wal_file_bytes_ = 0;
    }
    // A reader that still needs old pages makes a checkpoint incomplete: it is tried again after as much growth.
    checkpoint_at_ = complete ? wal_bytes_kept : wal_bytes_ + wal_bytes_kept;
    if (complete) wal_bytes_ = 0;
    if (code == SQLITE_OK || (code & 0xff) == SQLITE_BUSY) {
        measure();
        if (complete) begin_log_anew();
        return;
    }
    on_device([&] {
        try {
            connection_.fail(code);
        } catch (const SqliteFailure& failure) {
            if (failure.is_device_error()) throw;
            // The WAL still holds everything, so a full disk costs nothing yet.
            log::warn("the write-ahead log could not be copied into the database; it grows until that works",
                      {{"database", path_}, {"error", failure.what()}});
        }
    });
}

// The first commit of a log that begins anew writes and syncs its head as well; so it is made here, where nobody waits.
void Writer::begin_log_anew()
{
    try {
        begin();
        Query{connection_, sql::count_checkpoint}.run();
        commit();
    } catch (const SqliteFailure& failure) {
        connection_.roll_back();
        log::warn("the write-ahead log could not be begun anew; the next commit does it",
                  {{"database", path_}, {"error", failure.what()}});
    }
}

// Payloads.

void Writer::put_chunk(std::int64_t payload, std::int64_t number, std::string_view bytes)
{
    if (number >= chunks_max)
        throw StoreFailure{
            fmt::format("payload {} has more than {} chunks of {} bytes", payload, chunks_max, ahead_chunk_bytes_max)};
    Query query{connection_, sql::put_chunk};
    query.bind(payload * chunks_max + number, hash128(bytes)).put_blob(bytes);
    query.run();
}

std::int64_t Writer::put_payload(std::string_view bytes)
{
    const std::size_t chunks = (bytes.size() + ahead_chunk_bytes_max - 1) / ahead_chunk_bytes_max;
    Query{connection_, sql::put_payload}.bind(true, chunks, bytes.size()).run();
    const std::int64_t id = sqlite3_last_insert_rowid(connection_.raw());
    for (std::size_t number = 0; number < chunks; ++number)
        put_chunk(id, static_cast<std::int64_t>(number),
                  bytes.substr(number * ahead_chunk_bytes_max, ahead_chunk_bytes_max));
    return id;
}

std::int64_t Writer::begin_ahead()
{
    begin();
    try {
        Query{connection_, sql::put_payload}.bind(false, 0, 0).run();
        const std::int64_t id = sqlite3_last_insert_rowid(connection_.raw());
        commit();
        return id;
    } catch (...) {
        connection_.roll_back();
        throw;
    }
}

void Writer::append_ahead(std::int64_t payload, std::string_view chunk)
{
    FRESHET_ASSERT(chunk.size() <= ahead_chunk_bytes_max);
    begin();
    try {
        std::int64_t chunks = 0, bytes = 0;
        {
            Query query{connection_, sql::read_payload};
            if (!query.bind(payload).row() || query.next<bool>())
                throw StoreFailure{fmt::format("payload {} is not one that is being written ahead", payload)};
            query.get(chunks);
            query.get(bytes);
        }
        put_chunk(payload, chunks, chunk);
        Query{connection_, sql::grow_payload}
            .bind(chunks + 1, bytes + static_cast<std::int64_t>(chunk.size()), payload)
            .run();
        commit();
    } catch (...) {
        connection_.roll_back();
        throw;
    }
}

void Writer::drop_payload(std::int64_t id)
{
    Query{connection_, sql::drop_payload}.bind(id).run();
    Query{connection_, sql::drop_chunks}.bind(id * chunks_max, (id + 1) * chunks_max).run();
}

void Writer::sweep_ahead()
{
    std::vector<std::int64_t> unkept;
    {
        Query query{connection_, sql::unkept_payloads};
        while (query.row()) unkept.push_back(query.next<std::int64_t>());
    }
    // One commit each: what a crash left may be large, and half of a sweep is as good as none.
    for (const std::int64_t id : unkept) {
        Query{connection_, sql::begin}.run();
        drop_payload(id);
        Query{connection_, sql::commit}.run();
    }
}

} // namespace freshet::sqlite
