// SPDX-License-Identifier: Apache-2.0
#include "cli/json.hpp"
#include "cli/test_world.hpp"

#include <array>
#include <cstdio>
#include <fmt/format.h>
#include <gmock/gmock.h>

namespace freshet::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

TEST(Init, WritesAConfigThatLoadsWithoutAWarningAndNeedsNoNetwork)
{
    TestWorld world;
    EXPECT_EQ(world.run({"init"}), exit_done);
    const auto file = world.context.folder / "freshet.toml";
    EXPECT_EQ(world.out.str(), file.string() + "\n");
    const auto loaded = load_config(file, world.context.environment);
    ASSERT_TRUE(loaded.has_value()) << loaded.error().front().message;
    EXPECT_THAT(loaded->warnings, IsEmpty());
    ASSERT_EQ(loaded->definitions->sources.size(), 1u);
    const SourceDefinition& disk = *loaded->definitions->source("disk");
    EXPECT_EQ(disk.kind, SourceKind::command);
    EXPECT_LE(disk.schedule.every, disk.fresh_for) << "else it would be stale by design";
    EXPECT_EQ(disk.key, (std::vector<std::string>{"Mounted on"}));
}

TEST(Init, NeverWritesOverAFile)
{
    TestWorld world;
    world.write("freshet.toml", "mine");
    EXPECT_EQ(world.run({"init"}), exit_failed);
    EXPECT_EQ(world.read("freshet.toml"), "mine");
    EXPECT_THAT(world.err.str(), AllOf(HasSubstr("is there already"), HasSubstr("   try: freshet serve")));
    const std::string other = (world.context.folder / "other.toml").string();
    EXPECT_EQ(world.run({"init", "--json", "--config", other}), exit_done);
    EXPECT_EQ((*Json::parse(world.out.str()))["config"].text(), other);
}

TEST(Usage, EndsEachMistakeWithAWayOutAndExitTwo)
{
    TestWorld world;
    EXPECT_EQ(world.run({"get"}), exit_usage);
    EXPECT_EQ(world.err.str(), "KEY is required.   try: freshet get --help\n");
    EXPECT_EQ(world.run({"get", "sales", "--max-age", "soon"}), exit_usage);
    EXPECT_THAT(world.err.str(), AllOf(HasSubstr("--max-age: must be a length of time such as 10s or 5m, not soon"),
                                       HasSubstr("   try: freshet get --help")));
    EXPECT_EQ(world.run({"jobs", "show"}), exit_usage);
    EXPECT_THAT(world.err.str(), HasSubstr("   try: freshet jobs show --help"));
    EXPECT_EQ(world.run({"refesh", "sales"}), exit_usage);
    EXPECT_THAT(world.err.str(),
                HasSubstr("freshet has no command refesh, did you mean refresh.   try: freshet --help"));
    EXPECT_EQ(world.run({"jobs", "lsit"}), exit_usage);
    EXPECT_THAT(world.err.str(), HasSubstr("freshet jobs has no command lsit, did you mean list.   try: freshet jobs"));
    EXPECT_EQ(world.run({"token"}), exit_usage);
    EXPECT_THAT(world.err.str(), HasSubstr("freshet token takes a command: new, list, revoke."));
    EXPECT_EQ(world.run({}), exit_usage);
    EXPECT_THAT(world.err.str(), HasSubstr("freshet takes a command: "));
    EXPECT_THAT(world.out.str(), IsEmpty());
}

TEST(Run, GivesTheProgramAllThatStandsBehindTheMark)
{
    TestWorld world;
    world.write("freshet.toml", "[server]\nlisten = \"127.0.0.1:7878\"\n");
    // A program that is not there is told before any job is claimed.
    EXPECT_EQ(world.run({"run", "--queue", "mail", "--", "/no/such/program", "-c", "--queue"}), exit_usage);
    EXPECT_THAT(world.err.str(), HasSubstr("/no/such/program cannot be started: No such file or directory"));
    EXPECT_THAT(world.err.str(), Not(HasSubstr("not expected")));
}

TEST(Help, GoesToStdoutWithExitZero)
{
    TestWorld world;
    EXPECT_EQ(world.run({"--help"}), exit_done);
    EXPECT_THAT(world.out.str(), AllOf(HasSubstr("refresh"), HasSubstr("doctor")));
    EXPECT_EQ(world.run({"help", "jobs", "show"}), exit_done);
    EXPECT_THAT(world.out.str(), HasSubstr("One job"));
    EXPECT_EQ(world.run({"help", "config", "fresh_for"}), exit_done);
    EXPECT_THAT(world.out.str(), HasSubstr("fresh_for"));
    EXPECT_EQ(world.run({"help", "config", "frsh"}), exit_usage);
    EXPECT_EQ(world.run({"help", "nonsense"}), exit_usage);
    EXPECT_EQ(world.err.str(), "there is no command nonsense.   try: freshet help\n");
}

TEST(Commands, AllTakeJson)
{
    TestWorld world;
    CLI::App app{"freshet", "freshet"};
    add_client_commands(app, world.context);
    int leaves = 0;
    const auto check = [&](const auto& self, const CLI::App& at) -> void {
        const auto below = at.get_subcommands([](const CLI::App*) { return true; });
        for (const CLI::App* one : below) self(self, *one);
        if (!below.empty()) return;
        ++leaves;
        EXPECT_NE(at.get_option_no_throw("--json"), nullptr) << at.get_name();
    };
    check(check, app);
    EXPECT_EQ(leaves, 27);
}

// What bash itself offers after `line`, with the script that the command prints.
std::string completed(const std::string& script_file, std::vector<std::string> line)
{
    std::string words;
    for (const std::string& word : line) words += "\"" + word + "\" ";
    const std::string command =
        fmt::format("bash --norc -c '. {}; COMP_WORDS=({}); COMP_CWORD={}; _freshet; echo ${{COMPREPLY[*]}}' 2>&1",
                    script_file, words, line.size() - 1);
    FILE* pipe = popen(command.c_str(), "r");
    std::string out;
    std::array<char, 256> bytes{};
    while (fgets(bytes.data(), bytes.size(), pipe) != nullptr) out += bytes.data();
    pclose(pipe);
    return out;
}

TEST(Completion, OffersCommandsAndOptionsInBash)
{
    TestWorld world;
    EXPECT_EQ(world.run({"completion", "bash"}), exit_done);
    world.write("script", world.out.str());
    const std::string script = (world.context.folder / "script").string();
    EXPECT_EQ(completed(script, {"freshet", "ref"}), "refresh\n");
    EXPECT_EQ(completed(script, {"freshet", "refresh", "sales", "--w"}), "--wait\n");
    EXPECT_EQ(completed(script, {"freshet", "jobs", "sh"}), "show\n");
    EXPECT_EQ(completed(script, {"freshet", "jobs", "list", "--st"}), "--state\n");
}

TEST(Completion, KnowsThreeShells)
{
    TestWorld world;
    EXPECT_EQ(world.run({"completion", "zsh"}), exit_done);
    EXPECT_THAT(world.out.str(), StartsWith("#compdef freshet\n"));
    EXPECT_EQ(world.run({"completion", "fish", "--json"}), exit_done);
    EXPECT_THAT((*Json::parse(world.out.str()))["script"].text(),
                HasSubstr("complete -c freshet -n __fish_use_subcommand -a refresh"));
    EXPECT_EQ(world.run({"completion", "tcsh"}), exit_usage);
}

} // namespace
} // namespace freshet::cli
