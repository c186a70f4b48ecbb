// SPDX-License-Identifier: Apache-2.0
// What belongs to the SQLite file: damage, versions, one server, checkpoints.
#include "store/sqlite/schema.hpp"
#include "stores.hpp"

#include <gmock/gmock.h>
#include <sqlite3.h>

#include <csignal>
#include <fmt/format.h>
#include <fstream>

namespace freshet::contract {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class SqliteFile : public testing::Test {
protected:
    std::unique_ptr<Store> open() { return open_sqlite_store({.data_dir = directory_.path()}); }
    std::string file() const { return (directory_.path() / "freshet.db").string(); }

    /// Runs SQL in the file behind the store's back.
    void tamper(const std::string& sql)
    {
        sqlite3* db = nullptr;
        ASSERT_EQ(sqlite3_open(file().c_str(), &db), SQLITE_OK);
        char* words = nullptr;
        EXPECT_EQ(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, &words), SQLITE_OK) << (words ? words : "");
        sqlite3_close(db);
    }
    std::string why_not_open()
    {
        try {
            open();
        } catch (const StoreFailure& failure) {
            return failure.what();
        }
        return "it opened";
    }
    std::string why_no_payload(std::int64_t id)
    {
        try {
            open()->reader()->payload(id);
        } catch (const StoreFailure& failure) {
            return failure.what();
        }
        return "it was read";
    }
    std::int64_t put_payload(std::string_view bytes)
    {
        const auto store = open();
        const auto t = store->begin();
        const std::int64_t id = t->put_payload(bytes);
        t->append("acme", an_event("a1"), t0);
        t->commit();
        return id;
    }

    test::Folder directory_;
};

TEST_F(SqliteFile, RefusesASecondServerInWords)
{
    const auto first = open();
    EXPECT_THAT(why_not_open(), AllOf(HasSubstr("another freshet"), HasSubstr(std::to_string(getpid()))));
}

TEST_F(SqliteFile, MayBeOpenedAgainAfterItWasClosed)
{
    open();
    EXPECT_EQ(why_not_open(), "it opened");
}

TEST_F(SqliteFile, RefusesANewerSchemaNamingBothVersions)
{
    open();
    tamper("PRAGMA user_version = 99");
    EXPECT_THAT(why_not_open(),
                AllOf(HasSubstr("version 99"), HasSubstr(fmt::format("up to {}", sqlite::newest_schema())),
                      HasSubstr("newer freshet")));
}

TEST_F(SqliteFile, RefusesTheDatabaseOfAnotherProgram)
{
    tamper("CREATE TABLE songs (title TEXT)");
    EXPECT_THAT(why_not_open(), HasSubstr("another program"));
}

TEST_F(SqliteFile, RefusesAFileThatIsNoDatabase)
{
    std::ofstream{file()} << std::string(8192, 'x');
    EXPECT_THAT(why_not_open(), HasSubstr("not a database"));
}

TEST_F(SqliteFile, FindsAByteThatChangedInAPayload)
{
    const std::int64_t id = put_payload(std::string(ahead_chunk_bytes_max + 10, 'p'));
    tamper("UPDATE payload_chunks SET bytes = CAST('q' || substr(CAST(bytes AS TEXT), 2) AS BLOB) WHERE place = "
           "(SELECT max(place) FROM payload_chunks)");
    EXPECT_THAT(why_no_payload(id), AllOf(HasSubstr("payload 1 is damaged"), HasSubstr("checksum")));
}

TEST_F(SqliteFile, FindsAChunkThatIsGone)
{
    const std::int64_t id = put_payload(std::string(ahead_chunk_bytes_max + 10, 'p'));
    tamper("DELETE FROM payload_chunks WHERE place = (SELECT max(place) FROM payload_chunks)");
    EXPECT_THAT(why_no_payload(id), HasSubstr("1 of 2 chunks"));
}

TEST_F(SqliteFile, FindsAByteThatChangedInTheLedger)
{
    put_payload("p");
    tamper("UPDATE ledger SET events = CAST('x' || CAST(events AS TEXT) AS BLOB)");
    EXPECT_THROW(open()->reader()->ledger("acme", 0, 10), StoreFailure);
}

TEST_F(SqliteFile, KeepsOneLedgerRowPerTenantAndCommit)
{
    {
        const auto store = open();
        const auto t = store->begin();
        for (int i = 0; i < 100; ++i) t->append(i % 2 == 0 ? "acme" : "globex", an_event("e"), t0);
        t->commit();
    }
    tamper("CREATE TEMP TABLE two (n INTEGER CHECK (n = 2)); INSERT INTO two SELECT count(*) FROM ledger");
}

TEST_F(SqliteFile, LeavesNoChunksOfWhatItDropped)
{
    {
        const auto store = open();
        store->append_ahead(store->begin_ahead(), "never kept");
        const auto t = store->begin();
        t->drop_payload(t->put_payload(std::string(2 * ahead_chunk_bytes_max, 'p')));
        t->commit();
    }
    open();
    tamper("CREATE TEMP TABLE none (n INTEGER CHECK (n = 0)); INSERT INTO none SELECT count(*) FROM payload_chunks; "
           "INSERT INTO none SELECT count(*) FROM payloads");
}

TEST_F(SqliteFile, KeepsTheLogShortByCheckpointsOfItsOwn)
{
    const auto store = open();
    const auto wal = directory_.path() / "freshet.db-wal";
    for (int i = 0; i < 100; ++i) {
        const auto t = store->begin();
        t->put_payload(std::string(250'000, 'p'));
        t->commit();
        store->settle();
    }
    EXPECT_LT(std::filesystem::file_size(wal), 3 * wal_bytes_kept);
    EXPECT_GT(store->bytes_stored(), 100 * 250'000);
}

TEST_F(SqliteFile, CutsALogThatAReaderMadeLongOnceThatIsGone)
{
    const auto store = open();
    const auto wal = directory_.path() / "freshet.db-wal";
    const auto write = [&] {
        const auto t = store->begin();
        t->drop_payload(t->put_payload("small"));
        t->put_payload(std::string(4 << 20, 'p'));
        t->commit();
        store->settle();
    };
    write();
    const auto reader = store->reader();
    reader->in_one_view([&] {
        reader->payload(1);
        for (int i = 0; i < 20; ++i) write();
        EXPECT_GT(std::filesystem::file_size(wal), std::uintmax_t{wal_bytes_max});
    });
    for (int i = 0; i < 3; ++i) write();
    EXPECT_LT(std::filesystem::file_size(wal), std::uintmax_t{wal_bytes_max} / 2);
}

TEST_F(SqliteFile, LetsReadersChangeNothing)
{
    const auto store = open();
    const auto reader = store->reader();
    const auto size = std::filesystem::file_size(file());
    EXPECT_FALSE(reader->job(JobId{1}));
    EXPECT_EQ(std::filesystem::file_size(file()), size);
}

} // namespace
} // namespace freshet::contract
