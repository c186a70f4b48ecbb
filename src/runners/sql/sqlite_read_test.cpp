// SPDX-License-Identifier: Apache-2.0
// SQLite sources over real files: what a query gives, what it may not do, and how it ends.
#include "runners/sql/test_world.hpp"

#include <fstream>
#include <sys/stat.h>

namespace freshet::test {

namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* sales =
    "create table sales (region text, day text, amount integer, rate real);"
    "insert into sales values ('north', '2026-10-24', 1, 0.5), ('north', '2026-10-25', 2, 0.1),"
    "('south', '2026-11-24', 9007199254740993, null);";

// Counts for as long as it is let.
constexpr const char* endless =
    "with recursive n(i) as (select 1 union all select i + 1 from n) select max(i) as m from n";

std::string code_of(const SourceDefinition& source)
{
    return World{}.failure(source).code;
}

} // namespace

TEST(SqliteSource, GivesRowsAsObjectsAndKeepsTheirTypes)
{
    const SqliteFile file{sales};
    World world;
    const FlightEnd end =
        world.read(file.source("select region, amount, rate, amount > 1 as more from sales order by day"));
    const auto& data = std::get<FlightData>(end);
    EXPECT_EQ(data.json, R"([{"region":"north","amount":1,"rate":0.5,"more":0},)"
                         R"({"region":"north","amount":2,"rate":0.1,"more":1},)"
                         R"({"region":"south","amount":9007199254740993,"rate":null,"more":1}])");
    EXPECT_EQ(data.facts.bytes_in, static_cast<std::int64_t>(data.json.size()));
    ASSERT_EQ(data.facts.phases.size(), 2u);
    EXPECT_EQ(data.facts.phases[0].name, "connect");
    EXPECT_EQ(data.facts.phases[1].name, "read");
}

TEST(SqliteSource, GivesAnEmptyListWithoutRows)
{
    const SqliteFile file{sales};
    EXPECT_EQ(World{}.json(file.source("select * from sales where amount < 0; -- none\n")), "[]");
}

TEST(SqliteSource, BindsValuesAndNeverPastesThem)
{
    const SqliteFile file{sales};
    World world;
    SourceDefinition source =
        file.source("select count(*) as n, :who as who from sales where day >= :since and amount < :most");
    source.params = {{"who", {}, ".*"}};
    source.sql.bind = {{"since", "today-30d"}, {"who", "{who}"}, {"most", "100"}};
    const auto given = [](FlightOrder& order) { order.params = {"x' or 1=1; drop table sales; --"}; };
    EXPECT_EQ(world.json(source, given), R"([{"n":1,"who":"x' or 1=1; drop table sales; --"}])");
}

TEST(SqliteSource, BindsWholeNumbersAsNumbersAndLeavesTextsThatOnlyLookLikeThem)
{
    const SqliteFile file{sales};
    SourceDefinition source = file.source("select count(*) > :least as many, typeof(:code) as kind from sales");
    source.sql.bind = {{"least", "0"}, {"code", "007"}};
    EXPECT_EQ(World{}.json(source), R"([{"many":1,"kind":"text"}])");
}

TEST(SqliteSource, RefusesNamesThatAreNotBound)
{
    const SqliteFile file{sales};
    World world;
    EXPECT_EQ(world.json(file.source("select :x as x")),
              "bad_query: source sales: the query asks for :x, which bind does not give; try bind = { x = \"...\" }");
    for (const char* mark : {"?", "?7", "@x", "$x"})
        EXPECT_THAT(world.json(file.source(fmt::format("select {} as x", mark))), HasSubstr("name it, as :since"))
            << mark;
}

TEST(SqliteSource, RefusesWhatAnObjectOfJsonCannotSay)
{
    const SqliteFile file{sales};
    World world;
    EXPECT_EQ(world.json(file.source("select region, day as region from sales")),
              "bad_query: source sales: two columns are named \"region\"; name them apart, as in select a.id as a_id");
    EXPECT_EQ(
        world.json(file.source("select 1 as a, x'00ff' as b")),
        "bad_value: source sales: column \"b\" of row 1 holds bytes, which JSON cannot say; select hex(...) instead");
    EXPECT_THAT(world.json(file.source("select 9e999 as big")), HasSubstr("\"big\" of row 1 holds no finite number"));
    EXPECT_THAT(world.json(file.source("select cast(x'ff' as text) as t")), HasSubstr("text that is not UTF-8"));
    EXPECT_EQ(world.json(file.source("select 'a' || char(0) || '\"' as t")), R"([{"t":"a\u0000\""}])");
}

TEST(SqliteSource, OnlyReads)
{
    SqliteFile file{sales};
    World world;
    const std::string other = file.path() + "-other";
    for (const std::string& query : {
             std::string{"delete from sales"},
             std::string{"insert into sales(region) values ('x') returning region"},
             std::string{"update sales set amount = 0 returning amount"},
             std::string{"create table other(x)"},
             std::string{"create temp table other(x)"},
             std::string{"drop table sales"},
             std::string{"pragma query_only = off"},
             std::string{"pragma journal_mode = delete"},
             std::string{"select * from pragma_table_info('sales')"},
             fmt::format("attach '{}' as other", other),
             fmt::format("vacuum into '{}'", other),
             std::string{"begin"},
             std::string{"select load_extension('x')"},
         }) {
        const FlightFailure failure = world.failure(file.source(query));
        EXPECT_EQ(failure.error_class, ErrorClass::fatal) << query;
        EXPECT_EQ(failure.code, "not_read_only") << query << ": " << failure.message;
        EXPECT_THAT(failure.message, HasSubstr("only reading is allowed")) << query;
    }
    EXPECT_EQ(world.failure(file.source("update sqlite_master set sql = ''")).error_class, ErrorClass::fatal);
    EXPECT_FALSE(std::filesystem::exists(other));
    EXPECT_EQ(world.json(file.source("select count(*) as n from sales")), R"([{"n":3}])");
}

TEST(SqliteSource, TakesOneStatement)
{
    const SqliteFile file{sales};
    World world;
    for (const char* query : {"select 1 as a; select 2 as b", "select 1 as a; drop table sales",
                              "select 1 as a; nonsense", ";;select 1 as a;;select 2"})
        EXPECT_THAT(world.json(file.source(query)), Not(HasSubstr("[{"))) << query;
    EXPECT_EQ(world.json(file.source("select 1 as a; select 2 as b")),
              "bad_query: source sales: the query is more than one statement; leave one");
    EXPECT_EQ(world.json(file.source("select 1 as a; /* end */ -- x")), R"([{"a":1}])");
    EXPECT_EQ(world.json(file.source(" -- nothing")), "bad_query: source sales: the query is empty");
}

TEST(SqliteSource, ReadsFullTextTables)
{
    const SqliteFile file{
        "create virtual table notes using fts5(body); insert into notes values ('fresh water'), ('salt');"};
    EXPECT_EQ(World{}.json(file.source("select body from notes where notes match 'fresh'")),
              R"([{"body":"fresh water"}])");
}

TEST(SqliteSource, SaysWhatIsWrongWithAQuery)
{
    const SqliteFile file{sales};
    const FlightFailure failure = World{}.failure(file.source("select amout from sales"));
    EXPECT_EQ(failure.error_class, ErrorClass::fatal);
    EXPECT_EQ(failure.code, "bad_query");
    EXPECT_EQ(failure.message, "source sales: no such column: amout");
}

TEST(SqliteSource, SaysThatThereIsNoSuchFileWithoutNamingIt)
{
    World world;
    const FlightFailure failure = world.failure(source_of("sqlite:/no/such/s3cret.db", "select 1 as a"));
    EXPECT_EQ(failure.error_class, ErrorClass::retryable);
    EXPECT_EQ(failure.code, "connect");
    EXPECT_THAT(failure.message, Not(HasSubstr("s3cret")));
    EXPECT_FALSE(std::filesystem::exists("/no"));

    const SqliteFile file;
    std::ofstream{file.path(), std::ios::trunc} << std::string(4096, 'x');
    EXPECT_EQ(code_of(file.source("select 1 as a from sqlite_master")), "bad_database");
}

TEST(SqliteSource, NamesAMissingSecretAndAnUnknownKindOfDatabase)
{
    World world;
    SourceDefinition source = source_of("", "select 1 as a");
    source.sql.database = {Secret::From::env, "FRESHET_TEST_ABSENT"};
    EXPECT_EQ(world.json(source), "secret_missing: source sales: database is taken from the environment variable "
                                  "FRESHET_TEST_ABSENT, which is not there");
    for (const char* database : {"mysql://root:s3cret@host/db", "sqlite:", ""})
        EXPECT_EQ(world.json(source_of(database, "select 1 as a")),
                  "bad_database: source sales: database must be sqlite:PATH or postgres://...");
}

TEST(SqliteSource, BoundsRowsAndBytes)
{
    const SqliteFile file{sales};
    World world;
    SourceDefinition source = file.source("select region from sales");
    source.sql.rows_max = 3;
    EXPECT_THAT(world.json(source), HasSubstr("[{")) << "exactly the limit";
    source.sql.rows_max = 2;
    FlightFailure failure = world.failure(source);
    EXPECT_EQ(failure.error_class, ErrorClass::retryable);
    EXPECT_EQ(failure.code, "too_large");
    EXPECT_EQ(failure.message, "source sales: the answer has more than 2 rows (max_rows)");

    source = file.source("select 'ab' as t");
    source.bytes_max = 12;
    EXPECT_EQ(world.json(source), R"([{"t":"ab"}])") << "exactly the limit";
    source.bytes_max = 11;
    EXPECT_EQ(world.json(source), "too_large: source sales: the answer is larger than 11 bytes (max_bytes)");
    source = file.source("select hex(zeroblob(30000000)) as t");
    EXPECT_EQ(world.json(source), "too_large: source sales: the answer is larger than 8 MiB (max_bytes)");
    source = file.source("select length(zeroblob(100000000) || 'x') as n");
    EXPECT_EQ(code_of(source), "too_large") << "one value, though it is not shown";
}

TEST(F7SqliteSource, EndsAtItsRunLimit)
{
    const SqliteFile file{sales};
    World world;
    const FlightFailure failure =
        world.failure(file.source(endless), [](FlightOrder& order) { order.run_limit = 100ms; });
    EXPECT_EQ(failure.error_class, ErrorClass::retryable);
    EXPECT_EQ(failure.code, "timeout");
    EXPECT_EQ(failure.message, "source sales: the database had not answered (limit: run_limit 100ms)");
}

TEST(F7SqliteSource, IsCancelledWhileItReadsAndWhileItWaits)
{
    const SqliteFile file{sales};
    World world{1};
    const JobId reading = world.start(file.source(endless));
    const JobId waiting = world.start(file.source("select 1 as a"));
    world.runner.cancel(waiting, 6);
    world.runner.cancel(JobId{99}, 7);
    EXPECT_EQ(world.sink.ends(waiting), 0u) << "neither another fence nor another job ends it";
    world.runner.cancel(waiting, 7);
    EXPECT_EQ(std::get<FlightFailure>(world.sink.wait(waiting)).error_class, ErrorClass::cancelled);
    EXPECT_EQ(world.sink.ends(reading), 0u);
    world.runner.cancel(reading, 7);
    EXPECT_EQ(std::get<FlightFailure>(world.sink.wait(reading)).code, "cancelled");
    EXPECT_EQ(world.json(file.source("select 1 as a")), R"([{"a":1}])") << "the reader is free again";
    world.runner.cancel(reading, 7);
    world.runner.stop();
    EXPECT_EQ(world.sink.ends(reading), 1u);
    EXPECT_EQ(world.sink.ends(waiting), 1u);
}

TEST(F7SqliteSource, EndsAtItsRunLimitAlsoWhileItWaitsForAReader)
{
    const SqliteFile file{sales};
    World world{1};
    world.start(file.source(endless));
    EXPECT_EQ(world.failure(file.source("select 1 as a"), [](FlightOrder& order) { order.run_limit = 50ms; }).code,
              "timeout");
}

TEST(F7SqliteSource, EndsWithTheRunner)
{
    const SqliteFile file{sales};
    World world{1};
    const JobId reading = world.start(file.source(endless)), waiting = world.start(file.source(endless));
    world.runner.stop();
    EXPECT_EQ(std::get<FlightFailure>(world.sink.wait(reading)).message, "source sales: the server is stopping");
    EXPECT_EQ(std::get<FlightFailure>(world.sink.wait(waiting)).error_class, ErrorClass::cancelled);
    EXPECT_EQ(world.failure(file.source("select 1 as a")).error_class, ErrorClass::cancelled) << "a start after it";
    EXPECT_EQ(world.sink.ends(reading) + world.sink.ends(waiting), 2u);
}

TEST(F7SqliteSource, WaitsForALockUntilItIsToldToEnd)
{
    SqliteFile file{sales};
    file.run("begin exclusive");
    World world;
    const JobId patient = world.start(file.source("select count(*) as n from sales"));
    const FlightFailure failure = world.failure(file.source("select count(*) as n from sales"),
                                                [](FlightOrder& order) { order.run_limit = 50ms; });
    EXPECT_EQ(failure.code, "timeout");
    EXPECT_EQ(world.sink.ends(patient), 0u);
    file.run("commit");
    EXPECT_EQ(std::get<FlightData>(world.sink.wait(patient)).json, R"([{"n":3}])");
}

TEST(SqliteSource, CallsALockedDatabaseRetryable)
{
    SqliteFile file{sales};
    file.run("begin exclusive");
    const FlightFailure failure = World{}.failure(file.source("select count(*) as n from sales"));
    EXPECT_EQ(failure.error_class, ErrorClass::retryable);
    EXPECT_EQ(failure.code, "locked");
    EXPECT_EQ(failure.message, "source sales: another program held the database for 5s: database is locked");
    file.run("commit");
}

TEST(F7SqliteSource, EndsOnceThoughItsReaderHangs)
{
    // A pipe in place of the file: opening it for reading waits for a writer, and nothing can call the reader back.
    const std::string pipe = fmt::format("{}freshet-sql-pipe-{}", testing::TempDir(), ::getpid());
    ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
    World world{1};
    const JobId job =
        world.start(source_of("sqlite:" + pipe, "select 1 as a"), [](FlightOrder& order) { order.run_limit = 50ms; });
    EXPECT_EQ(std::get<FlightFailure>(world.sink.wait(job)).code, "timeout");
    std::fstream writer{pipe};
    world.runner.stop();
    EXPECT_EQ(world.sink.ends(job), 1u);
    std::filesystem::remove(pipe);
}

TEST(SqliteSource, LeavesNoDescriptorBehind)
{
    const SqliteFile file{sales};
    World world{1};
    const auto open = [] {
        const std::filesystem::directory_iterator all{"/proc/self/fd"};
        return std::distance(begin(all), end(all));
    };
    const auto before = open();
    for (int i = 0; i < 10; ++i) {
        world.json(file.source("select * from sales"));
        world.json(file.source("nonsense"));
    }
    world.runner.stop();
    EXPECT_EQ(open(), before);
}

} // namespace freshet::test
