// SPDX-License-Identifier: Apache-2.0
// The file of the specification loads as it is meant; each way to get one wrong is told with its place and a way out.
#include "config/load.hpp"

#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace freshet {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

const Environment nothing_set = [](const std::string&) -> std::optional<std::string> { return std::nullopt; };
const Environment all_set = [](const std::string&) -> std::optional<std::string> { return "x"; };

ConfigResult parse(std::string_view text)
{
    return parse_config(text, "/etc/freshet", all_set);
}

std::vector<ConfigProblem> problems_of(std::string_view text)
{
    auto result = parse(text);
    return result ? std::vector<ConfigProblem>{} : result.error();
}

std::vector<ConfigProblem> warnings_of(std::string_view text)
{
    auto result = parse(text);
    EXPECT_TRUE(result.has_value()) << (result ? "" : to_lines(result.error(), "t.toml"));
    return result ? result->warnings : std::vector<ConfigProblem>{};
}

// docs of the specification, section 2, with a real hash in place of its ellipsis and the `import` that sales follows.
constexpr std::string_view the_example = R"toml(
[server]
listen   = "127.0.0.1:7878"
data_dir = "./data"
[defaults]
fresh_for     = "1m"             # younger than this is fresh
overdue_after = "1h"
retry         = { attempts = 3, wait = "2s", max_wait = "1m" }
manual_limit  = "6/min"
keep_warm     = "7d"
[source.rates]
kind    = "http"
url     = "https://api.example.com/rates?base={base}"
params  = { base = ["USD", "EUR", "ILS"] }
headers = { Authorization = { env = "RATES_AUTH" } }
select  = ".rates | to_entries"
as_of   = ".updated_at"
every   = "5m"
run_limit     = "30s"
max_bytes     = "8MiB"
allow_private = false
public        = false
rate          = "40/s"
concurrency   = 10
shared        = false
[source.listing]
kind  = "http"
url   = "https://shop.example.com/list"
rows  = "//div[@class='offer']"
cells = { name = ".//h3", price = ".//b" }
key   = ["name"]
guard = { min_rows = 1, shrink = "50%" }
fresh_for = "6d"
cold_wait = "30s"
[source.disk]
kind  = "command"
run   = ["df", "--output=target,pcent"]
format = "table"
every = "30s"
[source.sales]
kind     = "sql"
database = { env = "WAREHOUSE_URL" }
query    = "select region, sum(amount) as total from sales where day >= :since group by region"
bind     = { since = "today-30d" }
key      = ["region"]
schedule = { cron = "*/10 6-20 * * SUN-THU", timezone = "Asia/Jerusalem" }
overlap  = "skip"
misfire  = "coalesce"
misfire_grace = "60s"
gap = "shift"
fold = "first"
after    = ["import"]
[source.import]
kind = "command"
run  = ["./import.sh"]
[source.forecast]
kind  = "worker"
queue = "forecast"
[queue.forecast]
lease   = "30s"
on_lost = "retry"
[tenant.acme]
sources = ["sales", "forecast", "rates", "listing", "disk", "import"]
limits  = { refreshes = "60/min", waiting_jobs = 200, storage = "2GiB" }
[token.acme-dashboard]
tenant = "acme"
role   = "viewer"
hash   = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
)toml";

TEST(Config, LoadsTheExampleOfTheSpecification)
{
    const auto result = parse(the_example);
    ASSERT_TRUE(result.has_value()) << to_lines(result.error(), "freshet.toml");
    const Definitions& made = *result->definitions;
    EXPECT_EQ(made.server.data_dir, "/etc/freshet/data");

    const SourceDefinition& rates = *made.source("rates");
    EXPECT_EQ(rates.kind, SourceKind::http);
    EXPECT_THAT(rates.params.at(0).values, ElementsAre("USD", "EUR", "ILS"));
    EXPECT_EQ(rates.http.headers.at(0).second, (Secret{Secret::From::env, "RATES_AUTH"}));
    EXPECT_EQ(rates.schedule.every, 5min);
    EXPECT_EQ(rates.bytes_max, 8 << 20);
    EXPECT_EQ(rates.rate.count, 40);
    EXPECT_EQ(rates.rate.per, 1s);
    EXPECT_EQ(rates.concurrency, 10);
    EXPECT_EQ(rates.queue, "rates");

    const SourceDefinition& listing = *made.source("listing");
    EXPECT_EQ(listing.cells.at(1), std::pair(std::string{"price"}, std::string{".//b"}));
    EXPECT_DOUBLE_EQ(listing.guard.shrink, 0.5);
    EXPECT_EQ(listing.guard.min_rows, 1);
    EXPECT_EQ(listing.fresh_for, 144h);
    EXPECT_EQ(listing.overdue_after, 1h);

    EXPECT_EQ(made.source("disk")->format, InputFormat::table);
    EXPECT_EQ(made.source("disk")->command.directory, "/etc/freshet/");
    const SourceDefinition& sales = *made.source("sales");
    EXPECT_EQ(sales.schedule.cron, "*/10 6-20 * * SUN-THU");
    EXPECT_EQ(sales.schedule.timezone, "Asia/Jerusalem");
    EXPECT_THAT(sales.sql.bind, ElementsAre(std::pair<std::string, std::string>("since", "today-30d")));
    EXPECT_THAT(sales.after, ElementsAre("import"));
    EXPECT_EQ(made.source("forecast")->kind, SourceKind::worker);
    EXPECT_EQ(made.tenants.at("acme").limits.storage_bytes, 2LL << 30);
    EXPECT_EQ(made.tokens.at("acme-dashboard").sha256.size(), 64U);
    EXPECT_EQ(made.queues.at("forecast").retry.attempts, 5);
}

TEST(Config, TakesDefaultsSettingBySettingAlsoInsideTables)
{
    const auto result = parse("[defaults]\nfresh_for = '2m'\nretry = { wait = '5s' }\n"
                              "[source.a]\nkind='command'\nrun=['df']\nretry={attempts=9}\n[source.b]\nkind='command'"
                              "\nrun=['df']\nfresh_for='3m'");
    ASSERT_TRUE(result.has_value()) << to_lines(result.error(), "t");
    EXPECT_EQ(result->definitions->source("a")->fresh_for, 2min);
    EXPECT_EQ(result->definitions->source("a")->retry.attempts, 9);
    EXPECT_EQ(result->definitions->source("a")->retry.wait, 5s);
    EXPECT_EQ(result->definitions->source("b")->retry.attempts, 3);
    EXPECT_EQ(result->definitions->source("b")->fresh_for, 3min);
}

TEST(Config, KeepsParametersInTheOrderOfTheFile)
{
    const auto result =
        parse("[source.a]\nkind='http'\nurl='https://h/{z}/{b}/{a}'\nparams = { z = ['1'], b = ['2'], a = 'x{1,3}' }");
    ASSERT_TRUE(result.has_value()) << to_lines(result.error(), "t");
    const auto& params = result->definitions->source("a")->params;
    ASSERT_EQ(params.size(), 3U);
    EXPECT_EQ(params[0].name, "z");
    EXPECT_EQ(params[1].name, "b");
    EXPECT_EQ(params[2].pattern, "x{1,3}");
}

TEST(Config, ReadsWhatIsKeptAndTheTagsOfASource)
{
    const auto result = parse("[retention]\njobs_keep='7d'\njobs_max=5\njobs_max_bytes='2MiB'\nversions_keep='1d'\n"
                              "versions_max_bytes='1GiB'\naudit_keep='30d'\naudit_max=9\n"
                              "[source.a]\nkind='command'\nrun=['df']\ntags=['disk', 'host']");
    ASSERT_TRUE(result.has_value()) << to_lines(result.error(), "t");
    const RetentionLimits& kept = result->definitions->retention;
    EXPECT_EQ(kept.jobs_keep, 168h);
    EXPECT_EQ(kept.jobs_max, 5);
    EXPECT_EQ(kept.jobs_bytes_max, 2 << 20);
    EXPECT_EQ(kept.versions_keep, 24h);
    EXPECT_EQ(kept.versions_bytes_max, 1 << 30);
    EXPECT_EQ(kept.audit_keep, 720h);
    EXPECT_EQ(kept.audit_max, 9);
    EXPECT_THAT(result->definitions->source("a")->tags, ElementsAre("disk", "host"));
    const auto untagged = parse("[source.a]\nkind='command'\nrun=['df']");
    ASSERT_TRUE(untagged.has_value());
    EXPECT_EQ(result->definitions->source("a")->hash, untagged->definitions->source("a")->hash)
        << "a tag is policy: what is kept stays fresh";
}

struct Mistake {
    const char* what;
    const char* text;
    int line, column;
    const char* message;
    const char* try_;
};

std::ostream& operator<<(std::ostream& out, const Mistake& mistake)
{
    return out << mistake.what;
}

class ConfigMistakes : public testing::TestWithParam<Mistake> {};

TEST_P(ConfigMistakes, AreToldWithPlaceAndWayOut)
{
    const Mistake& mistake = GetParam();
    const auto problems = problems_of(mistake.text);
    ASSERT_EQ(problems.size(), 1U) << to_lines(problems, "t.toml");
    EXPECT_EQ(problems[0].line, mistake.line) << problems[0].message;
    EXPECT_EQ(problems[0].column, mistake.column) << problems[0].message;
    EXPECT_THAT(problems[0].message, HasSubstr(mistake.message));
    EXPECT_THAT(problems[0].try_, HasSubstr(mistake.try_));
    EXPECT_FALSE(problems[0].try_.empty());
}

#define COMMAND "[source.a]\nkind = 'command'\nrun = ['df']\n"
#define HTTP "[source.a]\nkind = 'http'\nurl = 'https://h/x'\n"
#define SQL "[source.a]\nkind = 'sql'\ndatabase = 'sqlite:a.db'\n"

INSTANTIATE_TEST_SUITE_P(
    All, ConfigMistakes,
    testing::Values(
        Mistake{"no TOML", "[source.a\nkind = 1", 1, 10, "this is not TOML", "quotes"},
        Mistake{"bare duration", COMMAND "every = 30s", 4, 11, "this is not TOML", "quotes"},
        Mistake{"unknown table", "[surce.a]\nx = 1", 1, 2, "there is no table \"surce\", did you mean source",
                "[source.NAME]"},
        Mistake{"unknown setting", COMMAND "frehs_for = '1m'", 4, 1,
                "source.a has no setting \"frehs_for\", did you mean fresh_for", "fresh_for"},
        Mistake{"unknown inside", COMMAND "retry = { atempts = 2 }", 4, 11, "source.a.retry has no setting \"atempts\"",
                "attempts"},
        Mistake{"nothing near", COMMAND "zzzzzzzz = 1", 4, 1, "has no setting \"zzzzzzzz\"", "help config source"},
        Mistake{"number for duration", COMMAND "every = 30", 4, 9, "must be a length of time in quotes",
                "every = \"30s\""},
        Mistake{"wrong unit", COMMAND "every = '30x'", 4, 9, "not \"30x\"", "every = \"30s\""},
        Mistake{"out of range", COMMAND "lease = '20m'", 4, 9, "must be 1s to 10m", "within 1s to 10m"},
        Mistake{"negative count", COMMAND "concurrency = -1", 4, 15, "must be 1 to 1000", "within"},
        Mistake{"bad size", COMMAND "max_bytes = '8 MB'", 4, 13, "must be a size", "\"8MiB\""},
        Mistake{"bad rate", COMMAND "rate = '6'", 4, 8, "must be a rate", "\"6/min\""},
        Mistake{"bad share", COMMAND "guard = { shrink = '150%' }", 4, 20, "must be a percentage", "\"50%\""},
        Mistake{"text for boolean", COMMAND "public = 'yes'", 4, 10, "must be true or false, not a text",
                "public = true"},
        Mistake{"bad word", COMMAND "format = 'jsno'", 4, 10, "must be one of auto, json", "format = \"json\""},
        Mistake{"list of numbers", "[source.a]\nkind = 'command'\nrun = [1, 2]", 3, 7, "must be a list of texts",
                "run = "},
        Mistake{"empty run", "[source.a]\nkind = 'command'\nrun = []", 3, 7, "must not be empty", "run = "},
        Mistake{"shell text", "[source.a]\nkind = 'command'\nrun = 'df -h'", 3, 7,
                "must be a list of texts, not a text", "run = ["},
        Mistake{"no kind", "[source.a]\nurl = 'https://h'", 1, 9, "source.a needs kind", "kind = \"http\""},
        Mistake{"no url", "[source.a]\nkind = 'http'", 1, 9, "source.a needs url", "url = "},
        Mistake{"of another kind", COMMAND "url = 'https://h'", 4, 1,
                "is for kind http, and this source is of kind command", "leave url out"},
        Mistake{"in defaults", "[defaults]\nevery = '5m'\n" COMMAND, 2, 1, "belongs to one source", "[source.NAME]"},
        Mistake{"bad name", "[source.'A b']\nkind = 'command'\nrun = ['df']", 1, 9, "is no name", "a"},
        Mistake{"word of the API", "[source.refresh]\nkind = 'command'\nrun = ['df']", 1, 9, "a word of the API",
                "refresh-data"},
        Mistake{"bad secret", HTTP "headers = { A = { enw = 'X' } }", 4, 17, "must be a text, { env", "env"},
        Mistake{"bad header", HTTP "headers = { 'A B' = 'x' }", 4, 1, "no header name", "letters"},
        Mistake{"our header", HTTP "headers = { host = 'x' }", 4, 1, "the connection decides", "leave host out"},
        Mistake{"undeclared placeholder",
                "[source.a]\nkind = 'http'\nurl = 'https://h/{bse}'\nparams = { base = ['a'] }\nbody = "
                "'{base}'\nmethod = 'POST'",
                3, 1, "has {bse}, which params does not declare", "{base}"},
        Mistake{"unused parameter", HTTP "params = { base = ['a'] }", 4, 1, "declares base, which url does not use",
                "{base} in url"},
        Mistake{"pattern in host", "[source.a]\nkind = 'http'\nurl = 'https://{h}.example.com/'\nparams = { h = '.*' }",
                3, 1, "whom to ask", "params"},
        Mistake{"password in url", "[source.a]\nkind = 'http'\nurl = 'https://u:p@h/'", 3, 1, "user or password",
                "Authorization"},
        Mistake{"no scheme", "[source.a]\nkind = 'http'\nurl = 'h/x'", 3, 1, "http:// or https://", "https"},
        Mistake{"body of a GET", HTTP "body = 'x'", 4, 1, "with POST only", "method"},
        Mistake{"bad pattern", "[source.a]\nkind = 'http'\nurl = 'https://h/{u}'\nparams = { u = '(' }", 4, 16,
                "no regular expression", "ECMAScript"},
        Mistake{"value with slash", "[source.a]\nkind = 'http'\nurl = 'https://h/{u}'\nparams = { u = ['a/b'] }", 4, 17,
                "no key can hold", "without /"},
        Mistake{"paging without next", HTTP "paging = { kind = 'cursor', param = 'c' }", 4, 1, "needs next", "next ="},
        Mistake{"program by parameter", "[source.a]\nkind = 'command'\nrun = ['{p}']\nparams = { p = ['ls'] }", 3, 1,
                "choose the program", "first"},
        Mistake{"unbound name", SQL "query = 'select :x'", 4, 1, "asks for :x", "bind = { x"},
        Mistake{"bound for nothing", SQL "query = 'select 1'\nbind = { x = '1' }", 5, 1, "does not ask for",
                ":x in query"},
        Mistake{"pasted value", SQL "query = 'select {x}, :x'\nparams = { x = ['1'] }\nbind = { x = '{x}' }", 4, 1,
                "bound, never pasted", ":x and bind"},
        Mistake{"unknown database", "[source.a]\nkind = 'sql'\ndatabase = 'mysql://h'\nquery = 'select 1'", 3, 1,
                "sqlite: or postgres://", "sqlite"},
        Mistake{"cron", COMMAND "schedule = { cron = '61 * * * *' }", 4, 14, "must lie between 0 and 59", "cron ="},
        Mistake{"zone", COMMAND "schedule = { cron = '1 * * * *', timezone = 'Asia/Jerusalm' }", 4, 34, "no time zone",
                "IANA"},
        Mistake{"every and schedule", COMMAND "every = '5m'\nschedule = { cron = '0 * * * *' }", 4, 1, "side by side",
                "leave one out"},
        Mistake{"cells without rows", COMMAND "cells = { a = '.' }", 4, 1, "needs rows", "rows ="},
        Mistake{"rows of JSON", COMMAND "format = 'json'\nrows = '//a'", 5, 1, "HTML and XML only", "select"},
        Mistake{"waits fall", COMMAND "retry = { wait = '2m', max_wait = '1m' }", 4, 1, "max_wait 1m below wait 2m",
                "max_wait = \"2m\""},
        Mistake{"after nobody", COMMAND "after = ['b']", 4, 1, "source \"b\", which does not exist", "[source.b]"},
        Mistake{"shared after own", COMMAND "shared = true\nafter = ['b']\n[source.b]\nkind = 'command'\nrun = ['df']",
                5, 1, "source a is shared and comes after b", "shared = true in [source.b]"},
        Mistake{"after itself", COMMAND "after = ['a']", 4, 1, "in a circle: a -> a", "leave one"},
        Mistake{"circle", COMMAND "after = ['b']\n[source.b]\nkind = 'command'\nrun = ['df']\nafter = ['a']", 4, 1,
                "a -> b -> a", "leave one"},
        Mistake{"schedule never", "[schedule.s]\nqueue = 'q'", 1, 11, "needs cron or every", "cron ="},
        Mistake{"schedule twice", "[schedule.s]\nqueue = 'q'\ncron = '0 * * * *'\nevery = '1h'", 4, 1, "side by side",
                "leave one out"},
        Mistake{"schedule of a source", COMMAND "[schedule.s]\nqueue = 'a'\nevery = '1h'", 5, 1, "is a source",
                "[source.a]"},
        Mistake{"schedule named as a source", COMMAND "[schedule.a]\nqueue = 'q'\nevery = '1h'", 4, 11,
                "has the name of a source", "[schedule.a-task]"},
        Mistake{"schedule of the server's", "[schedule.s]\nqueue = 'freshet.bulk'\nevery = '1h'", 2, 1, "server's own",
                "of your own"},
        Mistake{"schedule for nobody", "[schedule.s]\nqueue = 'q'\nevery = '1h'\ntenants = ['x']\n[tenant.acme]", 4, 1,
                "tenant \"x\", which does not exist", "[tenant."},
        Mistake{"schedule's zone", "[schedule.s]\nqueue = 'q'\ncron = '0 * * * *'\ntimezone = 'Mars'", 4, 1,
                "no time zone", "IANA"},
        Mistake{"input with a date", "[schedule.s]\nqueue = 'q'\nevery = '1h'\ninput = { day = 2026-01-01 }", 4, 9,
                "that JSON does not have", "in quotes"},
        Mistake{"input is no JSON", "[schedule.s]\nqueue = 'q'\nevery = '1h'\ninput = '{'", 4, 9, "is no JSON",
                "input ="},
        Mistake{"tenant of nothing", COMMAND "[tenant.t]\nsources = ['aa']", 5, 1,
                "source \"aa\", which does not exist, did you mean a", "a"},
        Mistake{"token hash", COMMAND "[token.t]\ntenant = 'default'\nhash = 'md5:x'", 6, 1, "sha256: and 64",
                "sha256sum"},
        Mistake{
            "token of nobody",
            COMMAND
            "[token.t]\ntenant = 'x'\nhash = 'sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'",
            5, 1, "tenant \"x\", which does not exist", "[tenant.x]"},
        Mistake{"listen", "[server]\nlisten = '7878'\n" COMMAND, 2, 1, "HOST:PORT", "127.0.0.1"},
        Mistake{"open listen", "[server]\nlisten = '0.0.0.0:80'\n" COMMAND, 2, 1, "open to others", "behind_proxy"},
        Mistake{"console without address", "[server]\nconsoles = { staging = 'a/console/' }\n" COMMAND, 2, 1,
                "no address", "staging = \"https://HOST/console/\""},
        Mistake{"origin with path", "[server]\norigins = ['https://a/b']\n" COMMAND, 2, 1, "no origin", "no path"},
        Mistake{"log", "[server]\nlog = 'loud'\n" COMMAND, 2, 7, "debug, info, warn, error", "log ="},
        Mistake{"server is text", "server = 'x'\n" COMMAND, 1, 1, "server must be a table", "[server]"},
        Mistake{"source is text", "source = 'x'\n", 1, 1, "source must be tables", "[source.NAME]"}));

TEST(Config, TellsAllMistakesInTheOrderOfTheFile)
{
    const auto problems = problems_of(
        "[source.b]\nkind = 'command'\nrun = ['df']\nzzzzzzz = 1\n[source.a]\nkind = 'http'\nurl = 3\nevery = '1'");
    ASSERT_EQ(problems.size(), 3U) << to_lines(problems, "t");
    EXPECT_EQ(problems[0].line, 4);
    EXPECT_EQ(problems[1].line, 7);
    EXPECT_EQ(problems[2].line, 8);
    EXPECT_THAT(to_line(problems[0], "freshet.toml"),
                StartsWith("freshet.toml:4:1: source.b has no setting \"zzzzzzz\".   try: "));
}

TEST(Config, TakesTheInputOfAScheduleAsATableOrAsJson)
{
    const auto loaded = parse_config("[schedule.a]\nqueue = 'q'\nevery = '1h'\npriority = 3\n"
                                     "input = { z = 1, a = [1.5, true, 'x'], t = { n = 'm' } }\n"
                                     "[schedule.b]\nqueue = 'q'\ncron = '30 2 * * *'\ntimezone = 'Europe/Berlin'\n"
                                     "gap = 'skip'\nfold = 'both'\noverlap = 'queue_one'\nmisfire = 'all'\n"
                                     "misfire_max = 3\nmisfire_grace = '5m'\ninput = '{\"z\": 1}'",
                                     ".", nothing_set);
    ASSERT_TRUE(loaded.has_value()) << to_lines(loaded.error(), "t");
    EXPECT_THAT(loaded->warnings, IsEmpty());
    const TaskSchedule& a = loaded->definitions->schedules.at("a");
    EXPECT_EQ(a.input, R"({"z":1,"a":[1.5,true,"x"],"t":{"n":"m"}})");
    EXPECT_EQ(a.when.every, 1h);
    EXPECT_EQ(a.priority, 3);
    const TaskSchedule& b = loaded->definitions->schedules.at("b");
    EXPECT_EQ(b.input, R"({"z": 1})");
    EXPECT_EQ(b.when.timezone, "Europe/Berlin");
    EXPECT_EQ(b.when.gap, GapRule::skip);
    EXPECT_EQ(b.when.fold, FoldRule::both);
    EXPECT_EQ(b.when.overlap, OverlapRule::queue_one);
    EXPECT_EQ(b.when.misfire, MisfireRule::all);
    EXPECT_EQ(b.when.misfire_all_max, 3);
    EXPECT_EQ(b.when.misfire_grace, 5min);
    EXPECT_EQ(b.priority, -1);
}

TEST(Config, WarnsOfWhatIsStaleOrOverdueByDesign)
{
    const auto stale = warnings_of(COMMAND "every = '15m'\nfresh_for = '5m'");
    ASSERT_EQ(stale.size(), 1U);
    EXPECT_EQ(stale[0].message, "source a: every 15m is longer than fresh_for 5m: stale by design");
    EXPECT_EQ(stale[0].try_, "fresh_for = \"20m\"");
    EXPECT_EQ(stale[0].line, 4);
    EXPECT_THAT(warnings_of(COMMAND "every = '3h'")[0].message, HasSubstr("overdue by design"));
    EXPECT_THAT(warnings_of(COMMAND "every = '1m'"), IsEmpty());
}

TEST(Config, WarnsOfSecretsThatAreNotThereWithoutReadingThem)
{
    const auto result = parse_config(HTTP "headers = { A = { env = 'NOT_SET' }, B = { file = 'no/such' } }",
                                     "/etc/freshet", nothing_set);
    ASSERT_TRUE(result.has_value()) << to_lines(result.error(), "t");
    ASSERT_EQ(result->warnings.size(), 2U);
    EXPECT_THAT(result->warnings[0].message, HasSubstr("NOT_SET is not set"));
    EXPECT_THAT(result->warnings[1].message, HasSubstr("/etc/freshet/no/such"));
}

TEST(Config, WarnsOfAParameterThatMayBecomeAnOption)
{
    EXPECT_THAT(warnings_of("[source.a]\nkind='command'\nrun=['grep', '{x}', 'f']\nparams={x='.*'}")[0].message,
                HasSubstr("may begin with -"));
    EXPECT_THAT(warnings_of("[source.a]\nkind='command'\nrun=['grep', '{x}', 'f']\nparams={x='[a-z]+'}"), IsEmpty());
}

TEST(Config, LeavesBracesOfArgumentsAndBodiesAlone)
{
    EXPECT_THAT(problems_of("[source.a]\nkind='command'\nrun=['awk', '{print}']"), IsEmpty());
    EXPECT_THAT(problems_of(HTTP "method='POST'\nbody='{\"q\": {a}}'"), IsEmpty());
}

TEST(Config, ResolvesPathsFromTheFolderOfTheFileAndHashesThemAsWritten)
{
    const char* text = SQL "query = 'select 1'\n[source.c]\nkind='command'\nrun=['x']\ndirectory='jobs'";
    const auto here = parse_config(text, "/srv/one", all_set), there = parse_config(text, "/srv/two", all_set);
    ASSERT_TRUE(here.has_value() && there.has_value());
    EXPECT_EQ(here->definitions->source("a")->sql.database.text, "sqlite:/srv/one/a.db");
    EXPECT_EQ(here->definitions->source("c")->command.directory, "/srv/one/jobs");
    EXPECT_EQ(here->definitions->source("a")->hash, there->definitions->source("a")->hash);
    EXPECT_EQ(here->definitions->source("c")->hash, there->definitions->source("c")->hash);
}

TEST(Config, ReadsAFileAndSaysWhenItCannot)
{
    const auto missing = load_config("/no/such/freshet.toml");
    ASSERT_FALSE(missing.has_value());
    EXPECT_THAT(to_line(missing.error()[0], "f"), HasSubstr("f: the config file cannot be read"));

    const auto file = std::filesystem::path{testing::TempDir()} / "freshet_load_test.toml";
    std::ofstream{file} << COMMAND;
    const auto result = load_config(file);
    std::filesystem::remove(file);
    ASSERT_TRUE(result.has_value());
    EXPECT_EQ(result->definitions->sources.size(), 1U);
}

TEST(Config, ReadsSecretsWhenTheyAreUsed)
{
    EXPECT_EQ(read_secret({Secret::From::literal, "a"}).value(), "a");
    EXPECT_EQ(read_secret({Secret::From::env, "A"}, all_set).value(), "x");
    EXPECT_THAT(read_secret({Secret::From::env, "A"}, nothing_set).error(), HasSubstr("A is not set"));
    const auto file = std::filesystem::path{testing::TempDir()} / "freshet_secret_test";
    std::ofstream{file} << "s3cret\n";
    EXPECT_EQ(read_secret({Secret::From::file, file.string()}).value(), "s3cret");
    std::filesystem::remove(file);
    EXPECT_FALSE(read_secret({Secret::From::file, file.string()}).has_value());
}

TEST(Config, SurvivesHostileText)
{
    EXPECT_FALSE(problems_of("\xff\xfe").empty());
    EXPECT_FALSE(problems_of(std::string(5000, '[')).empty());
    for (const char* text : {"[[[", "[[=", "[=", "[.a]", "a.=1", "=", "[[a", "[a].b", "a=[1,", "a={b", "a=\"",
                             "a=\'\'\'", "a=2026-01-01T", "[a]\n[a]"})
        EXPECT_FALSE(problems_of(text).empty()) << text;
    EXPECT_EQ(problems_of("[server]\n[[[")[0].line, 2);
    EXPECT_FALSE(problems_of("a = " + std::string(100000, '{')).empty());
    EXPECT_THAT(problems_of(""), IsEmpty());
}

} // namespace
} // namespace freshet
