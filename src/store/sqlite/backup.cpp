// SPDX-License-Identifier: Apache-2.0
#include "store/sqlite/backup.hpp"

#include "store/sqlite/connection.hpp"
#include "store/sqlite/schema.hpp"

#include <fmt/format.h>

namespace freshet {

namespace sqlite {

namespace {

constexpr char copy_into[] = "VACUUM INTO ?";
constexpr char integrity_check[] = "PRAGMA integrity_check(1)";
constexpr char read_schema[] = "PRAGMA user_version";
constexpr char read_pages[] = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size";
/// Of SQLite's virtual machine: about a millisecond.
constexpr int steps_per_question = 20'000;
constexpr int busy_ms_max = 10'000;

constexpr char count_tenants[] = "SELECT count(*) FROM ledger_heads";
constexpr char count_keys[] = "SELECT count(*) FROM keys";
constexpr char count_versions[] = "SELECT count(*) FROM versions";
constexpr char count_jobs[] = "SELECT count(*) FROM jobs";
constexpr char count_live_jobs[] = "SELECT count(*) FROM jobs WHERE state IN ('queued', 'running')";
constexpr char count_batches[] = "SELECT count(*) FROM batches";
constexpr char count_tokens[] = "SELECT count(*) FROM tokens";
constexpr char count_payloads[] = "SELECT count(*) FROM payloads";

/// For a file that must be there: SQLite would make one.
void need_file(const std::filesystem::path& path)
{
    std::error_code error;
    if (!std::filesystem::is_regular_file(path, error))
        throw StoreFailure{fmt::format("there is no database at {}", path.string())};
}

} // namespace

} // namespace sqlite

int newest_store_schema()
{
    return sqlite::newest_schema();
}

void copy_store(const std::filesystem::path& database, const std::filesystem::path& copy,
                const std::function<bool()>& go_on)
{
    using namespace sqlite;
    need_file(database);
    Connection connection{database.string(), ""};
    sqlite3_busy_timeout(connection.raw(), busy_ms_max);
    // Whoever closes last would checkpoint; that is the writer's alone.
    sqlite3_db_config(connection.raw(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    sqlite3_progress_handler(
        connection.raw(), steps_per_question,
        [](void* question) { return (*static_cast<const std::function<bool()>*>(question))() ? 0 : 1; },
        const_cast<std::function<bool()>*>(&go_on));
    const std::string target = copy.string();
    Query{connection, copy_into}.bind(target).run();
}

StoreFacts check_store(const std::filesystem::path& copy)
{
    using namespace sqlite;
    need_file(copy);
    Connection connection{copy.string(), ""};
    const auto schema = connection.number(read_schema);
    if (schema > newest_schema())
        throw StoreFailure{fmt::format("it has schema version {}, and this freshet ({}) knows versions up to {}",
                                       schema, FRESHET_VERSION, newest_schema())};
    {
        Query query{connection, integrity_check};
        const std::string found = query.row() ? query.next<std::string>() : "no answer";
        if (found != "ok") throw StoreFailure{fmt::format("its database is damaged: {}", found)};
    }
    migrate(connection, copy.string());
    const Life life = stored_life(connection);
    StoreFacts facts{.epoch = life.epoch, .numbers_base = life.numbers_base};
    facts.bytes = connection.number(read_pages);
    facts.rows = {.tenants = connection.number(count_tenants),
                  .keys = connection.number(count_keys),
                  .versions = connection.number(count_versions),
                  .jobs = connection.number(count_jobs),
                  .live_jobs = connection.number(count_live_jobs),
                  .batches = connection.number(count_batches),
                  .tokens = connection.number(count_tokens),
                  .payloads = connection.number(count_payloads)};
    return facts;
}

std::optional<std::int64_t> numbers_base_of(const std::filesystem::path& database)
{
    using namespace sqlite;
    try {
        need_file(database);
        Connection connection{database.string(), ""};
        return stored_life(connection).numbers_base;
    } catch (const StoreFailure&) {
        return std::nullopt;
    }
}

void fold_log(const std::filesystem::path& database)
{
    using namespace sqlite;
    try {
        need_file(database);
        Connection connection{database.string(), ""};
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)");
    } catch (const StoreFailure&) {
        // Its log is kept beside it, so nothing is lost that was not lost before.
        return;
    }
}

} // namespace freshet
