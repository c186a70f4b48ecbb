// SPDX-License-Identifier: Apache-2.0
// What commands answer and what becomes of it, with real processes. This program is its own spawner: see main().
#include "runners/command/test_world.hpp"
#include "runners/command/warden.hpp"

#include <cstdlib>

namespace freshet::test {

namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

FlightFailure failure_from(const SourceDefinition& source)
{
    World world;
    return failure_of(world.run(source));
}

std::string json_from(SourceDefinition source, InputFormat format)
{
    World world;
    source.format = format;
    return data_of(world.run(source)).json;
}

} // namespace

TEST(CommandRunner, TakesStdoutAsTheResultAndSaysWhatItTook)
{
    World world;
    SourceDefinition source = source_of({"echo", R"({"at":"2026-11-24T15:00:00Z","rows":[1,2]})"});
    source.format = InputFormat::json;
    source.select = ".rows";
    source.as_of = ".at";
    const FlightData data = data_of(world.run(source));
    EXPECT_EQ(data.json, "[1,2]");
    EXPECT_EQ(data.as_of, from_rfc3339("2026-11-24T15:00:00Z"));
    EXPECT_EQ(data.facts.source_status, 0);
    EXPECT_EQ(data.facts.bytes_in, 43);
    ASSERT_EQ(data.facts.phases.size(), 2u);
    EXPECT_EQ(data.facts.phases[0].name, "run");
    EXPECT_EQ(data.facts.phases[1].name, "shape");
    EXPECT_THAT(data.facts.notes, ::testing::IsEmpty());
}

TEST(CommandRunner, ShapesByFormat)
{
    EXPECT_EQ(json_from(source_of({"printf", R"({"a":1}\n{"a":2}\n)"}), InputFormat::ndjson), R"([{"a":1},{"a":2}])");
    EXPECT_EQ(json_from(source_of({"printf", "name,size\na,1\n"}), InputFormat::csv), R"([{"name":"a","size":1}])");
    EXPECT_EQ(json_from(source_of({"printf", "Target Use%%\n/ 40%%\n"}), InputFormat::table),
              R"([{"Target":"/","Use%":"40%"}])");
    EXPECT_EQ(json_from(source_of({"printf", "a\nb\n"}), InputFormat::text), R"(["a","b"])");
}

TEST(CommandRunner, PassesArgumentsWithoutAShell)
{
    World world;
    SourceDefinition source = source_of({"printf", "%s\n", "{name}", "$HOME", "*"});
    source.params = {{"name", {}, ".*"}};
    const auto end = world.run(source, [](FlightOrder& order) { order.params = {"a b; echo x"}; });
    EXPECT_EQ(data_of(end).json, R"(["a b; echo x","$HOME","*"])");
}

TEST(CommandRunner, GivesAnEmptyInputAndNothingButTheDeclaredEnvironment)
{
    ::setenv("FRESHET_TEST_SECRET", "s3cret", 1);
    ::setenv("FRESHET_TEST_OTHER", "not for commands", 1);
    SourceDefinition source = script("cat; env | grep -v -e ^PWD -e ^SHLVL -e ^_ -e ^OLDPWD | sort | cut -d= -f1");
    source.command.env = {{"TOKEN", {Secret::From::env, "FRESHET_TEST_SECRET"}}};
    EXPECT_EQ(json_from(source, InputFormat::text), R"(["HOME","LANG","PATH","TOKEN"])");
}

TEST(CommandRunner, PassesNoDescriptorButTheFourOfTheRun)
{
    // The fourth pipe is progress; what else is listed is ls itself looking.
    EXPECT_EQ(json_from(script("ls /proc/$$/fd"), InputFormat::text), R"(["0","1","2","3"])");
}

TEST(CommandRunner, RunsInTheDeclaredDirectoryAndInAGroupOfItsOwn)
{
    SourceDefinition source = script("pwd; [ $(cut -d' ' -f5 /proc/$$/stat) = $$ ] && echo leads its group");
    source.command.directory = "/usr/lib";
    EXPECT_EQ(json_from(source, InputFormat::text), R"(["/usr/lib","leads its group"])");
}

TEST(CommandRunner, TellsProgressFromBothWaysInOrder)
{
    World world;
    const JobId job = world.start(script(R"(echo '{"phase":"load","done":1,"total":2}' >&3
        echo '::progress {"phase":"load","done":2,"total":2,"message":"north"}' >&2
        echo '::progress 1/2 going back' >&2; echo words >&2; echo done)"),
                                  [](FlightOrder& order) { order.attempt = 3; });
    EXPECT_EQ(data_of(world.sink.wait(job)).json, R"(["done"])");
    const std::vector<Progress> told = world.sink.told(job);
    ASSERT_FALSE(told.empty());
    EXPECT_EQ(told.back().done, 2) << "the last one is always told";
    EXPECT_EQ(told.back().message, "north");
    for (const Progress& progress : told) EXPECT_EQ(progress.attempt, 3);
    EXPECT_TRUE(std::ranges::is_sorted(told, {}, &Progress::done));
}

TEST(CommandRunner, SaysTheExitCodeWithTheLastWordsButNoSecret)
{
    ::setenv("FRESHET_TEST_SECRET", "s3cret", 1);
    SourceDefinition source =
        script("echo half a result; echo '::progress 1/2' >&2; echo cannot log in as $TOKEN >&2; exit 3");
    source.command.env = {{"TOKEN", {Secret::From::env, "FRESHET_TEST_SECRET"}}};
    const FlightFailure failure = failure_from(source);
    EXPECT_EQ(failure.error_class, ErrorClass::retryable);
    EXPECT_EQ(failure.code, "exit_code");
    EXPECT_EQ(failure.message, "/bin/sh: exit code 3: cannot log in as ***");
    EXPECT_EQ(failure.facts.source_status, 3);
}

TEST(CommandRunner, SaysWhatIsMissing)
{
    FlightFailure failure = failure_from(source_of({"no-such-program-of-freshet"}));
    EXPECT_EQ(failure.error_class, ErrorClass::fatal);
    EXPECT_EQ(failure.code, "not_found");
    EXPECT_EQ(failure.message, "no-such-program-of-freshet: there is no such program in PATH");

    failure = failure_from(source_of({"/usr/bin/no-such-program-of-freshet"}));
    EXPECT_EQ(failure.code, "not_found");

    const std::string file = testing::TempDir() + "freshet-no-program-" + marker();
    std::ofstream{file} << "just words\n";
    failure = failure_from(source_of({file}));
    EXPECT_EQ(failure.error_class, ErrorClass::fatal);
    EXPECT_EQ(failure.code, "not_executable");
    EXPECT_EQ(failure.message, file + ": it cannot be run: Permission denied");
    std::filesystem::permissions(file, std::filesystem::perms::owner_all);
    failure = failure_from(source_of({file}));
    EXPECT_EQ(failure.code, "not_executable");
    EXPECT_THAT(failure.message, HasSubstr("a script must begin with #!"));
    std::filesystem::remove(file);

    failure = failure_from(script("no-such-program-of-freshet"));
    EXPECT_EQ(failure.code, "not_found");
    EXPECT_THAT(failure.message, StartsWith("/bin/sh: exit code 127: a program that it runs is not there: "));

    SourceDefinition source = source_of({"echo"});
    source.command.directory = "/no/such/folder";
    failure = failure_from(source);
    EXPECT_EQ(failure.error_class, ErrorClass::fatal);
    EXPECT_EQ(failure.code, "bad_directory");
    EXPECT_EQ(failure.message, "echo: cannot run in /no/such/folder: No such file or directory");
}

TEST(CommandRunner, SaysWhichSignalEndedIt)
{
    const FlightFailure failure = failure_from(script("echo last words >&2; kill -USR1 $$"));
    EXPECT_EQ(failure.error_class, ErrorClass::retryable);
    EXPECT_EQ(failure.code, "signal");
    EXPECT_EQ(failure.message, "/bin/sh: ended by SIGUSR1: last words");
    EXPECT_EQ(failure.facts.source_status, 128 + SIGUSR1);
}

TEST(CommandRunner, PassesOnWhyAResultHasNotTheDeclaredForm)
{
    World world;
    SourceDefinition source = source_of({"echo", "{"});
    source.format = InputFormat::json;
    const FlightFailure failure = failure_of(world.run(source));
    EXPECT_EQ(failure.error_class, ErrorClass::retryable);
    EXPECT_EQ(failure.code, "bad_input");
    EXPECT_THAT(failure.message, StartsWith("echo: "));
}

TEST(CommandRunner, RefusesWhatTheDefinitionDoesNotAllowBeforeAnythingRuns)
{
    const std::string spawner = marker();
    CommandOptions options;
    options.arguments.push_back(spawner);
    World world{options};
    SourceDefinition source = source_of({"echo", "{name}"});
    source.params = {{"name", {}, ".*"}};
    const auto end = world.run(source, [](FlightOrder& order) { order.params = {"-n"}; });
    EXPECT_EQ(failure_of(end).code, "bad_param");
    EXPECT_THAT(processes_with(spawner), ::testing::IsEmpty());
}

TEST(CommandRunner, EndsWhatRunsTooLong)
{
    World world;
    const std::string mark = marker();
    const auto end = world.run(script("sleep " + mark), [](FlightOrder& order) { order.run_limit = 100ms; });
    const FlightFailure& failure = failure_of(end);
    EXPECT_EQ(failure.error_class, ErrorClass::retryable);
    EXPECT_EQ(failure.code, "timeout");
    EXPECT_EQ(failure.message, "/bin/sh: it still ran (limit: run_limit 100ms)");
    EXPECT_THAT(processes_with(mark), ElementsAre());
}

TEST(CommandRunner, EndsWhatIsShapedTooLong)
{
    std::function<void(ShapeResult<Shaped>)> late;
    FlightFailure failure;
    {
        World world{{}, [&](ShapeOrder, Millis limit, std::function<void(ShapeResult<Shaped>)> answer) {
                        EXPECT_LE(limit, 200ms);
                        late = std::move(answer);
                    }};
        const JobId job = world.start(source_of({"echo"}), [](FlightOrder& order) { order.run_limit = 200ms; });
        failure = failure_of(world.sink.wait(job));
        late(Shaped{.json = "[]"});
        world.runner.stop();
        EXPECT_EQ(world.sink.ends(job), 1u);
    }
    late(Shaped{.json = "[]"}); // and after the runner's end
    EXPECT_EQ(failure.code, "timeout");
    EXPECT_THAT(failure.message, HasSubstr("ended while shaping the output"));
}

TEST(CommandRunner, EndsWhatWritesTooMuch)
{
    World world;
    const std::string mark = marker();
    SourceDefinition source = source_of({"yes", mark});
    source.bytes_max = 100 << 10;
    const FlightFailure failure = failure_of(world.run(source));
    EXPECT_EQ(failure.error_class, ErrorClass::retryable);
    EXPECT_EQ(failure.code, "too_large");
    EXPECT_EQ(failure.message, "yes: the output is larger than 100 KiB (max_bytes of source disk)");
    EXPECT_THAT(processes_with(mark), ElementsAre());

    source = script("yes | head -c 102400");
    source.bytes_max = 100 << 10;
    source.format = InputFormat::text;
    EXPECT_EQ(data_of(world.run(source)).facts.bytes_in, 102400) << "exactly the limit is not too much";
}

TEST(CommandRunner, BoundsMemory)
{
    SourceDefinition source = script("head -c 400000000 /dev/zero | tail -n 1");
    source.command.memory_max = 128 << 20;
    const FlightFailure failure = failure_from(source);
    EXPECT_EQ(failure.code, "exit_code");
    EXPECT_THAT(failure.message, HasSubstr("memory exhausted"));
}

TEST(CommandRunner, IsNotStoppedByAFloodOfWords)
{
    EXPECT_EQ(json_from(script("yes words | head -n 200000 >&2; echo done"), InputFormat::text), R"(["done"])");
}

TEST(CommandRunner, RunsManySideBySide)
{
    World world;
    std::vector<JobId> jobs;
    for (int i = 0; i < 40; ++i) jobs.push_back(world.start(source_of({"echo", std::to_string(i)})));
    for (int i = 0; i < 40; ++i)
        EXPECT_EQ(data_of(world.sink.wait(jobs[static_cast<std::size_t>(i)])).json, fmt::format(R"(["{}"])", i));
}

} // namespace freshet::test

int serve_until_killed(const char* mark); // command_tree_test.cpp

/// `... child command` is the spawner and `... serve MARK` a server to be killed; without either it is the tests.
int main(int argc, char** argv)
{
    const std::string_view first = argc > 1 ? argv[1] : "", second = argc > 2 ? argv[2] : "";
    if (first == "child" && second == "command") return freshet::run_command_child();
    if (first == "serve") return serve_until_killed(argv[2]);
    testing::InitGoogleMock(&argc, argv);
    return RUN_ALL_TESTS();
}
