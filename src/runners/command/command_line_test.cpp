// SPDX-License-Identifier: Apache-2.0
// What a definition and a key's parameters become: arguments, environment, words; and how an order crosses to the
// warden.
#include "runners/command/command_line.hpp"

#include "runners/command/warden.hpp"

#include <cstdlib>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace freshet {

namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

struct Given {
    SourceDefinition source;
    std::vector<std::string> params;
};

// A source with one parameter "name" that takes anything.
Given a_command(std::vector<std::string> run, std::string value)
{
    Given given;
    given.source.name = "disk";
    given.source.kind = SourceKind::command;
    given.source.params = {{"name", {}, ".*"}};
    given.source.command.run = std::move(run);
    given.params = {std::move(value)};
    return given;
}

std::expected<CommandLine, FlightFailure> line_of(const Given& given)
{
    FlightOrder order;
    order.source = std::make_shared<const SourceDefinition>(given.source);
    order.params = given.params;
    return command_line(order);
}

class Variable {
public:
    Variable(const char* name, const char* value) : name_{name} { ::setenv(name, value, 1); }
    ~Variable() { ::unsetenv(name_); }

private:
    const char* name_;
};

} // namespace

TEST(CommandLine, KeepsAParameterInsideItsArgument)
{
    const auto line = line_of(a_command({"/usr/bin/report", "--of={name}", "{name}"}, "a b'; rm -rf / #\n$(x)"));
    ASSERT_TRUE(line);
    EXPECT_THAT(line->arguments,
                ElementsAre("/usr/bin/report", "--of=a b'; rm -rf / #\n$(x)", "a b'; rm -rf / #\n$(x)"));
}

TEST(CommandLine, RefusesAParameterThatWouldBeAnOption)
{
    const auto line = line_of(a_command({"/usr/bin/report", "{name}"}, "--delete"));
    ASSERT_FALSE(line);
    EXPECT_EQ(line.error().error_class, ErrorClass::fatal);
    EXPECT_EQ(line.error().code, "bad_param");
    EXPECT_THAT(line.error().message, HasSubstr("\"--delete\" would be read as an option of /usr/bin/report"));
}

TEST(CommandLine, LetsAParameterPickAProgramOnlyFromAGivenFolder)
{
    EXPECT_TRUE(line_of(a_command({"/srv/reports/{name}"}, "daily")));
    const auto line = line_of(a_command({"{name}"}, "rm"));
    ASSERT_FALSE(line);
    EXPECT_EQ(line.error().code, "bad_command");
    EXPECT_THAT(line.error().message, HasSubstr("put its folder in front"));
}

TEST(CommandLine, RefusesWhatCannotBePassedOn)
{
    EXPECT_EQ(line_of(a_command({"df", "{name}"}, std::string("a\0b", 3))).error().code, "bad_param");
    EXPECT_EQ(line_of(a_command({}, "x")).error().code, "bad_command");
    Given two = a_command({"df", "{name}"}, "a");
    two.params.push_back("b");
    EXPECT_EQ(line_of(two).error().code, "bad_param");
    Given equals = a_command({"df"}, "a");
    equals.source.command.env = {{"A=B", {Secret::From::literal, "c"}}};
    EXPECT_EQ(line_of(equals).error().code, "bad_command");
}

TEST(CommandLine, TakesOnlyThreeNamesFromTheServersEnvironment)
{
    const Variable secret{"FRESHET_TEST_SECRET", "s3cret"}, zone{"TZ", "Asia/Jerusalem"}, library{"LD_PRELOAD_X", "y"};
    ::setenv("HOME", "/home/of-the-test", 1);
    ::setenv("PATH", "/bin:/usr/bin", 1);
    ::setenv("LANG", "he_IL.UTF-8", 1);
    EXPECT_THAT(line_of(a_command({"df"}, "a"))->environment,
                UnorderedElementsAre("PATH=/bin:/usr/bin", "HOME=/home/of-the-test", "LANG=he_IL.UTF-8"));
}

TEST(CommandLine, PassesDeclaredVariablesAndLetsThemWin)
{
    const Variable secret{"FRESHET_TEST_SECRET", "s3cret"};
    Given given = a_command({"df"}, "a");
    given.source.command.env = {{"TOKEN", {Secret::From::env, "FRESHET_TEST_SECRET"}},
                                {"PATH", {Secret::From::literal, "/opt/bin"}}};
    const auto line = line_of(given);
    ASSERT_TRUE(line);
    EXPECT_THAT(line->environment, ::testing::IsSupersetOf({"TOKEN=s3cret", "PATH=/opt/bin"}));
    EXPECT_EQ(line->environment.size(), 4u) << "PATH once, HOME, LANG, TOKEN";
    EXPECT_THAT(line->secrets, ElementsAre("s3cret")) << "a literal of the file is no secret";
}

TEST(CommandLine, NamesAMissingSecret)
{
    Given given = a_command({"df"}, "a");
    given.source.command.env = {{"TOKEN", {Secret::From::env, "FRESHET_TEST_ABSENT"}}};
    const FlightFailure failure = line_of(given).error();
    EXPECT_EQ(failure.code, "secret_missing");
    EXPECT_EQ(failure.message,
              "TOKEN of source disk is taken from the environment variable FRESHET_TEST_ABSENT, which is not there");
}

TEST(Presentable, StrikesOutSecretsAndWhatATerminalWouldObey)
{
    EXPECT_EQ(presentable("\n login s3cret\x1b[31m as s3cret \n", false, {"s3cret"}), "login *** [31m as ***");
    EXPECT_EQ(presentable("caf\xe9 \x80", false, {}), "caf? ?");
    EXPECT_EQ(presentable("caf\xc3\xa9", false, {}), "caf\xc3\xa9");
    EXPECT_EQ(presentable(" \n", false, {}), "");
}

TEST(Presentable, DropsThePartialLineThatMayHoldHalfASecret)
{
    EXPECT_EQ(presentable("cret was wrong\nbye", true, {"s3cret"}), "bye");
    EXPECT_THAT(presentable("cret was wrong", true, {"s3cret"}), Not(HasSubstr("cret")));
}

TEST(WardenOrder, IsReadBackAsItWasWritten)
{
    const WardenOrder order{{"df", "", "a\nb"}, {"A=1"}, "/srv", 1 << 20, 1700};
    const auto read = decode_order(encode(order));
    ASSERT_TRUE(read);
    EXPECT_EQ(read->arguments, order.arguments);
    EXPECT_EQ(read->environment, order.environment);
    EXPECT_EQ(read->directory, "/srv");
    EXPECT_EQ(read->memory_max, 1u << 20);
    EXPECT_EQ(read->grace_ms, 1700u);
}

TEST(WardenOrder, IsRefusedWhereverItIsCut)
{
    const std::string whole = encode({{"df", "x"}, {"A=1"}, "/srv", 1, 2});
    for (std::size_t size = 0; size < whole.size(); ++size) EXPECT_FALSE(decode_order(whole.substr(0, size))) << size;
    EXPECT_FALSE(decode_order(whole + "x"));
    EXPECT_FALSE(decode_order(encode({{}, {}, "", 1, 2}))) << "no program";
}

} // namespace freshet
