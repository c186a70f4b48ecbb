// SPDX-License-Identifier: Apache-2.0
// PostgreSQL sources over a real server, which these tests start for themselves: a socket in a folder of its own, no
// TCP.
#include "runners/sql/test_world.hpp"

#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <glob.h>
#include <libpq-fe.h>
#include <memory>
#include <pwd.h>
#include <spawn.h>
#include <sstream>
#include <sys/wait.h>
#include <thread>

namespace freshet::test {

namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

std::string newest_programs()
{
    glob_t found{};
    std::string folder;
    if (::glob("/usr/lib/postgresql/*/bin/initdb", 0, nullptr, &found) == 0)
        folder = std::filesystem::path{found.gl_pathv[found.gl_pathc - 1]}.parent_path();
    ::globfree(&found);
    return folder;
}

/// A server that lives as long as these tests, also when they are killed.
class Server {
public:
    Server()
    {
        const std::string programs = newest_programs();
        if (programs.empty()) {
            why_ =
                "no PostgreSQL server is installed, which these tests start for themselves: apt-get install postgresql";
            return;
        }
        folder_ = fmt::format("{}freshet-pg-{}", testing::TempDir(), ::getpid());
        std::filesystem::create_directory(folder_);
        // The server refuses to run as root: its folder and its processes belong to the user of the package.
        std::vector<std::string> as{"/usr/bin/setpriv", "--pdeathsig", "QUIT"};
        if (::geteuid() == 0) {
            const passwd* user = ::getpwnam("postgres");
            if (user == nullptr || ::chown(folder_.c_str(), user->pw_uid, user->pw_gid) != 0) {
                why_ = "there is no user postgres to run the server as";
                return;
            }
            as.insert(as.end(), {"--reuid=postgres", "--regid=postgres", "--clear-groups"});
        }
        const std::string data = folder_ + "/data";
        if (!finish(run(as, {programs + "/initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8",
                             "--locale=C.UTF-8", "-N"})))
            return;
        std::ofstream{data + "/pg_hba.conf"} << "local all guarded scram-sha-256\nlocal all all trust\n";
        pid_ =
            run(as, {programs + "/postgres", "-D", data, "-k", folder_, "-c", "listen_addresses=", "-c", "fsync=off"});
        const std::string address = url("postgres");
        const auto until = std::chrono::steady_clock::now() + 30s;
        while (PQping(address.c_str()) != PQPING_OK) {
            if (::waitpid(pid_, nullptr, WNOHANG) != 0 || std::chrono::steady_clock::now() > until) {
                why_ = "the server did not start:\n" + log();
                return;
            }
            std::this_thread::sleep_for(20ms);
        }
        admin_.reset(PQconnectdb(address.c_str()));
        run_sql("create role guarded login password 's3cret'");
        run_sql("create table sales (region text, day date, amount bigint); insert into sales values "
                "('north', '2026-10-24', 1), ('north', '2026-10-25', 2), ('south', '2026-11-24', 9007199254740993)");
    }
    ~Server()
    {
        admin_.reset();
        if (pid_ > 0) ::kill(pid_, SIGINT), ::waitpid(pid_, nullptr, 0);
        if (!folder_.empty()) std::filesystem::remove_all(folder_);
    }

    const std::string& why() const { return why_; }
    std::string url(const std::string& user) const
    {
        return fmt::format("postgres://{}@/postgres?host={}", user, folder_);
    }
    const std::string& folder() const { return folder_; }

    /// The first value of the first row.
    std::string run_sql(const std::string& text)
    {
        PGresult* result = PQexec(admin_.get(), text.c_str());
        const bool good = PQresultStatus(result) == PGRES_COMMAND_OK || PQresultStatus(result) == PGRES_TUPLES_OK;
        EXPECT_TRUE(good) << PQresultErrorMessage(result);
        std::string value = PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "";
        PQclear(result);
        return value;
    }
    /// Waits until the query gives `value`; false after 10 s.
    bool comes_to(const std::string& text, const std::string& value)
    {
        const auto until = std::chrono::steady_clock::now() + 10s;
        while (run_sql(text) != value) {
            if (std::chrono::steady_clock::now() > until) return false;
            std::this_thread::sleep_for(2ms);
        }
        return true;
    }

private:
    pid_t run(std::vector<std::string> words, const std::vector<std::string>& more)
    {
        words.insert(words.end(), more.begin(), more.end());
        std::vector<char*> argv;
        for (std::string& word : words) argv.push_back(word.data());
        argv.push_back(nullptr);
        posix_spawn_file_actions_t files;
        posix_spawn_file_actions_init(&files);
        posix_spawn_file_actions_addopen(&files, 1, log_path().c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
        posix_spawn_file_actions_adddup2(&files, 1, 2);
        pid_t pid = -1;
        if (::posix_spawn(&pid, argv[0], &files, nullptr, argv.data(), environ) != 0)
            why_ = words[0] + " cannot be run";
        posix_spawn_file_actions_destroy(&files);
        return pid;
    }
    bool finish(pid_t pid)
    {
        int status = -1;
        if (pid > 0 && ::waitpid(pid, &status, 0) == pid && status == 0) return true;
        why_ += "initdb failed:\n" + log();
        return false;
    }
    std::string log_path() const { return folder_ + "/log"; }
    std::string log() const
    {
        std::ifstream file{log_path()};
        std::ostringstream text;
        text << file.rdbuf();
        return text.str();
    }

    struct Finish {
        void operator()(PGconn* connection) const { PQfinish(connection); }
    };
    std::string folder_, why_;
    pid_t pid_ = -1;
    std::unique_ptr<PGconn, Finish> admin_;
};

class PostgresSource : public testing::Test {
protected:
    static void SetUpTestSuite() { server_ = std::make_unique<Server>(); }
    static void TearDownTestSuite() { server_.reset(); }
    void SetUp() override { ASSERT_EQ(server_->why(), ""); }

    static SourceDefinition source(std::string query) { return source_of(server_->url("postgres"), std::move(query)); }
    std::string json(std::string query) { return world_.json(source(std::move(query))); }

    static std::unique_ptr<Server> server_;
    World world_;
};
std::unique_ptr<Server> PostgresSource::server_;

constexpr const char* sleepers =
    "select count(*) from pg_stat_activity where state = 'active' and query like '%pg_sleep(1000%' "
    "and pid <> pg_backend_pid()";

} // namespace

TEST_F(PostgresSource, GivesRowsAsObjectsAndKeepsTheirTypes)
{
    EXPECT_EQ(json("select region, day, amount, amount > 1 as more, null as none from sales order by day limit 1"),
              R"([{"region":"north","day":"2026-10-24","amount":1,"more":false,"none":null}])");
    EXPECT_EQ(json("select max(amount) as big, 2::smallint as s, 0.1::float8 as f, 0.1::real as r, 100::float8 as h "
                   "from sales"),
              R"([{"big":9007199254740993,"s":2,"f":0.1,"r":0.1,"h":100.0}])");
    EXPECT_EQ(json("select sum(amount) as whole, 12.50::numeric as exact, avg(amount) from sales where amount < 5"),
              R"([{"whole":3,"exact":12.50,"avg":1.5000000000000000}])");
    EXPECT_EQ(json(R"(select '{"a": [1, 2]}'::jsonb as j, array['a','b'] as l, '\"'::text as q)"),
              R"([{"j":{"a": [1, 2]},"l":"{a,b}","q":"\\\""}])");
    EXPECT_EQ(json("select '2026-11-24 18:00:00+02'::timestamptz as at, '2026-11-24 18:00:00.5'::timestamp as local, "
                   "'infinity'::timestamptz as ever"),
              R"([{"at":"2026-11-24T16:00:00Z","local":"2026-11-24T18:00:00.5","ever":"infinity"}])");
    EXPECT_EQ(json("select * from sales where amount < 0"), "[]");
}

TEST_F(PostgresSource, BindsValuesAndNeverPastesThem)
{
    SourceDefinition given = source("select count(*) as n, :who::text as who -- :who\nfrom sales "
                                    "where day >= :since::date and amount < :most and region <> ':who'");
    given.params = {{"who", {}, ".*"}};
    given.sql.bind = {{"since", "today-30d"}, {"who", "{who}"}, {"most", "100"}};
    EXPECT_EQ(world_.json(given, [](FlightOrder& order) { order.params = {"x'; drop table sales; --"}; }),
              R"([{"n":1,"who":"x'; drop table sales; --"}])");
    EXPECT_EQ(json("select :x::int as x"),
              "bad_query: source sales: the query asks for :x, which bind does not give; try bind = { x = \"...\" }");
}

TEST_F(PostgresSource, RefusesWhatAnObjectOfJsonCannotSay)
{
    EXPECT_THAT(json("select region, day as region from sales where false"),
                HasSubstr("two columns are named \"region\""));
    EXPECT_EQ(json("select '\\x00ff'::bytea as b"), "bad_value: source sales: column \"b\" of row 1 holds bytes, which "
                                                    "JSON cannot say; select encode(..., 'hex') instead");
    EXPECT_THAT(json("select 'NaN'::float8 as f"), HasSubstr("no finite number"));
    EXPECT_THAT(json("select 'NaN'::numeric as f"), HasSubstr("no finite number"));
    EXPECT_THAT(json("select 1e30::numeric as f"), HasSubstr("more than 64 bits"));
    EXPECT_THAT(json("select '[1e999]'::json as j"), HasSubstr("cannot be passed on exactly"));
    EXPECT_THAT(json("select repeat('[', 200)::text || repeat(']', 200) as j"), StartsWith("[{"));
    EXPECT_THAT(json("select (repeat('[', 200)::text || repeat(']', 200))::json as j"),
                HasSubstr("cannot be passed on exactly"));
}

TEST_F(PostgresSource, OnlyReads)
{
    server_->run_sql("create or replace function sneak() returns int language sql as 'delete from sales returning 1'");
    server_->run_sql("create sequence if not exists counter");
    for (const char* query :
         {"with gone as (delete from sales returning 1) select * from gone", "select sneak() as x",
          "select nextval('counter') as x", "select 1 as x into other", "select 1 as x from sales for update"}) {
        const FlightFailure failure = world_.failure(source(query));
        EXPECT_EQ(failure.code, "not_read_only") << query << ": " << failure.message;
        EXPECT_EQ(failure.error_class, ErrorClass::fatal);
    }
    for (const char* query :
         {"delete from sales", "set transaction read write", "commit", "copy sales to stdout", "do $$begin end$$"})
        EXPECT_THAT(json(query), StartsWith("bad_query: source sales: the query begins with ")) << query;
    EXPECT_EQ(json("select count(*) as n from sales"), R"([{"n":3}])");
}

TEST_F(PostgresSource, TakesOneStatement)
{
    EXPECT_EQ(json("select 1 as a; drop table sales"),
              "bad_query: source sales: the query is more than one statement; leave one");
    EXPECT_EQ(json("select 1 as a; -- end"), R"([{"a":1}])");
}

TEST_F(PostgresSource, SaysWhatIsWrongWithAQueryAndOnWhichLine)
{
    const FlightFailure failure = world_.failure(source("select region\nfrom sales\nwhere amout > 1"));
    EXPECT_EQ(failure.error_class, ErrorClass::fatal);
    EXPECT_EQ(failure.code, "bad_query");
    EXPECT_EQ(failure.message, "source sales: line 3: column \"amout\" does not exist");
    EXPECT_EQ(json("select 1/0 as x"), "bad_query: source sales: division by zero");
}

TEST_F(PostgresSource, BoundsRowsAndBytes)
{
    SourceDefinition many = source("select generate_series(1, 2000000000) as i");
    many.sql.rows_max = 1000;
    FlightFailure failure = world_.failure(many);
    EXPECT_EQ(failure.error_class, ErrorClass::retryable);
    EXPECT_EQ(failure.code, "too_large");
    EXPECT_EQ(failure.message, "source sales: the answer has more than 1000 rows (max_rows)");
    EXPECT_EQ(json("select repeat('x', 9000000) as t"),
              "too_large: source sales: the answer is larger than 8 MiB (max_bytes)");
    EXPECT_TRUE(server_->comes_to(
        "select count(*) from pg_stat_activity where query like '%generate_series%' and pid <> pg_backend_pid()", "0"));
}

TEST_F(PostgresSource, ShowsNoSecretWhenItCannotConnect)
{
    const std::string at = "@/postgres?host=" + server_->folder();
    FlightFailure failure = world_.failure(source_of("postgres://guarded:wr0ng-s3cret" + at, "select 1 as a"));
    EXPECT_EQ(failure.error_class, ErrorClass::fatal);
    EXPECT_EQ(failure.code, "auth");
    EXPECT_EQ(failure.message,
              "source sales: the database does not let us in: password authentication failed for user \"guarded\"");
    EXPECT_EQ(world_.failure(source_of("postgres://guarded" + at, "select 1 as a")).code, "auth");
    EXPECT_EQ(world_.json(source_of("postgres://guarded:s3cret" + at, "select 1 as a")), R"([{"a":1}])");

    for (const char* url :
         {"postgres://u:s3cret@/db?host=/no/such/folder", "postgres://u:s3cret@127.0.0.1:1/db",
          "postgres://u:p@s3cret@no-such-host.invalid/db", "postgres://u:s3cret@127.0.0.1:1/s3cret"}) {
        failure = world_.failure(source_of(url, "select 1 as a"));
        EXPECT_EQ(failure.error_class, ErrorClass::retryable) << url;
        EXPECT_EQ(failure.code, "connect") << url;
        EXPECT_THAT(failure.message, StartsWith("source sales: cannot connect to the database: "));
        EXPECT_THAT(failure.message, Not(HasSubstr("s3cret")));
    }
    for (const char* url :
         {"postgres://u:s3cret@host:port/db", "postgres://u:s3cret@host/db?s3cret", "postgres://u:%zz@host/s3cret"}) {
        failure = world_.failure(source_of(url, "select 1 as a"));
        EXPECT_THAT(failure.message, Not(HasSubstr("s3cret"))) << url;
    }
    EXPECT_EQ(world_.failure(source_of("postgres://u:%zz@host/db", "select 1 as a")).code, "bad_database");
    EXPECT_EQ(world_.json(source_of("postgres://postgres:s3cret@/s3cret?host=" + server_->folder(), "select 1 as a")),
              "connect: source sales: cannot connect to the database: database \"***\" does not exist");
}

TEST_F(PostgresSource, F7EndsAtItsRunLimitAndEndsTheServersWorkToo)
{
    const FlightFailure failure =
        world_.failure(source("select pg_sleep(1000) as s"), [](FlightOrder& order) { order.run_limit = 150ms; });
    EXPECT_EQ(failure.error_class, ErrorClass::retryable);
    EXPECT_EQ(failure.code, "timeout");
    EXPECT_EQ(failure.message, "source sales: the database had not answered (limit: run_limit 150ms)");
    EXPECT_TRUE(server_->comes_to(sleepers, "0"));
}

TEST_F(PostgresSource, F7IsCancelledAndEndsTheServersWorkToo)
{
    const JobId job = world_.start(source("select pg_sleep(1000) as s"));
    ASSERT_TRUE(server_->comes_to(sleepers, "1"));
    world_.runner.cancel(job, 7);
    const FlightEnd end = world_.sink.wait(job);
    EXPECT_EQ(std::get<FlightFailure>(end).error_class, ErrorClass::cancelled);
    EXPECT_TRUE(server_->comes_to(sleepers, "0"));

    const JobId last = world_.start(source("select pg_sleep(1000) as s"));
    ASSERT_TRUE(server_->comes_to(sleepers, "1"));
    world_.runner.stop();
    EXPECT_EQ(std::get<FlightFailure>(world_.sink.wait(last)).message, "source sales: the server is stopping");
    EXPECT_TRUE(server_->comes_to(sleepers, "0"));
}

TEST_F(PostgresSource, IsRetryableWhenTheServerEndsTheConnectionOrAnotherHoldsALock)
{
    const JobId job = world_.start(source("select pg_sleep(1000) as s"));
    ASSERT_TRUE(server_->comes_to(sleepers, "1"));
    server_->run_sql("select pg_terminate_backend(pid) from pg_stat_activity where query like '%pg_sleep(1000%' and "
                     "pid <> pg_backend_pid()");
    const FlightEnd end = world_.sink.wait(job);
    EXPECT_EQ(std::get<FlightFailure>(end).error_class, ErrorClass::retryable);
    EXPECT_EQ(std::get<FlightFailure>(end).code, "database");

    server_->run_sql("alter database postgres set lock_timeout = '50ms'");
    server_->run_sql("begin; lock table sales");
    const FlightFailure failure = world_.failure(source("select * from sales"));
    EXPECT_EQ(failure.error_class, ErrorClass::retryable);
    EXPECT_EQ(failure.code, "locked");
    server_->run_sql("rollback");
}

} // namespace freshet::test
