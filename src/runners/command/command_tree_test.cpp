// SPDX-License-Identifier: Apache-2.0
// Whatever a command starts, and however it detaches, is gone when its flight ends; nor does the runner leave anything.
#include "runners/command/test_world.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <thread>

namespace freshet::test {

namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// A child, one in a session of its own, one whose parent is gone (double fork), and a stopped one. All hold the pipes.
std::string tree_of(const std::string& mark)
{
    return fmt::format(
        "sleep {0} & setsid sleep {0} & (setsid sh -c 'sleep {0} & exit' &) ; sleep {0} & kill -STOP $!; "
        "echo '::progress 1/2' >&2; ",
        mark);
}
// Holds up the script, so that the tree can be seen to stand.
std::string wait_for_file(const std::string& path)
{
    return "until [ -e " + path + " ]; do sleep 0.01; done; ";
}

bool within_ten_seconds(const std::function<bool()>& holds)
{
    const auto until = std::chrono::steady_clock::now() + 10s;
    while (!holds()) {
        if (std::chrono::steady_clock::now() > until) return false;
        std::this_thread::sleep_for(1ms);
    }
    return true;
}
std::size_t sleepers(const std::string& mark)
{
    return processes_with("sleep" + std::string(1, '\0') + mark).size();
}
/// The stopped one may have been stopped before it was sleep.
bool tree_stands(const std::string& mark)
{
    return within_ten_seconds([&] { return sleepers(mark) >= 3; });
}
void kill_spawner(const std::string& mark)
{
    for (const pid_t pid : processes_with(mark)) {
        std::ifstream comm{fmt::format("/proc/{}/comm", pid)};
        std::string name;
        if (comm >> name; name == "freshet-spawner") ::kill(pid, SIGKILL);
    }
}
bool all_gone(const std::string& mark)
{
    return within_ten_seconds([&] { return processes_with(mark).empty(); });
}

CommandOptions marked(const std::string& mark, Millis grace = Millis{1700})
{
    CommandOptions options;
    options.arguments.push_back("run-" + mark); // shows in the arguments of spawner and wardens
    options.grace = grace;
    return options;
}

} // namespace

TEST(F7CommandTree, IsGoneWhenTheCommandEndsByItself)
{
    World world;
    const std::string mark = marker();
    const std::string go = testing::TempDir() + "freshet-go-" + mark;
    const JobId job = world.start(script(tree_of(mark) + wait_for_file(go) + "echo done"));
    EXPECT_TRUE(tree_stands(mark));
    std::ofstream{go} << "go";
    const FlightEnd end = world.sink.wait(job);
    std::filesystem::remove(go);
    EXPECT_EQ(data_of(end).json, R"(["done"])");
    EXPECT_THAT(processes_with(mark), IsEmpty());
    EXPECT_THAT(data_of(end).facts.notes, IsEmpty());
}

TEST(F7CommandTree, IsGoneAfterACancel)
{
    World world{marked(marker(), 50ms)};
    const std::string mark = marker();
    const JobId job = world.start(script("trap '' TERM; " + tree_of(mark) + "while :; do sleep " + mark + "; done"));
    world.sink.wait_progress(job);
    EXPECT_TRUE(tree_stands(mark));
    world.runner.cancel(job, 6);
    world.runner.cancel(JobId{99}, 7);
    EXPECT_EQ(world.sink.ends(job), 0u) << "neither another fence nor another job ends it";
    world.runner.cancel(job, 7);
    const FlightFailure failure = failure_of(world.sink.wait(job));
    EXPECT_EQ(failure.error_class, ErrorClass::cancelled);
    EXPECT_EQ(failure.code, "cancelled");
    EXPECT_THAT(processes_with(mark), IsEmpty());
    world.runner.cancel(job, 7);
    world.runner.stop();
    EXPECT_EQ(world.sink.ends(job), 1u);
}

TEST(F7CommandTree, MayCleanUpWithinItsGrace)
{
    World world;
    const JobId job =
        world.start(script("trap 'echo \"::progress 2/2 cleaned\" >&2; exit 0' TERM; echo '::progress 1/2' >&2; "
                           "while :; do sleep 0.01; done"));
    world.sink.wait_progress(job);
    world.runner.cancel(job, 7);
    EXPECT_EQ(failure_of(world.sink.wait(job)).error_class, ErrorClass::cancelled);
    EXPECT_EQ(world.sink.told(job).back().message, "cleaned");
}

TEST(F7CommandTree, IsGoneAfterTheRunnersStop)
{
    const std::string mark = marker(), spawner = marker();
    const auto descriptors = open_descriptors();
    {
        World world{marked(spawner, 50ms)};
        const JobId job =
            world.start(script("trap '' TERM; " + tree_of(mark) + "while :; do sleep " + mark + "; done"));
        EXPECT_TRUE(tree_stands(mark));
        world.runner.stop();
        EXPECT_EQ(failure_of(world.sink.wait(job)).message, "the server is stopping");
        EXPECT_THAT(processes_with(mark), IsEmpty());
        EXPECT_THAT(processes_with(spawner), IsEmpty()) << "neither spawner nor warden";
        EXPECT_EQ(failure_of(world.run(source_of({"echo"}))).error_class, ErrorClass::cancelled) << "a start after it";
    }
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
    EXPECT_EQ(errno, ECHILD) << "no zombie";
    EXPECT_EQ(open_descriptors(), descriptors);
}

TEST(F7CommandTree, LeavesNothingBehindAfterEachRun)
{
    const std::string spawner = marker();
    World world{marked(spawner)};
    world.run(source_of({"true"})); // starts the spawner
    const auto descriptors = open_descriptors();
    for (int i = 0; i < 20; ++i) {
        world.run(script("echo words >&2; exit 1"));
        world.run(source_of({"no-such-program-of-freshet"}));
        world.run(script("sleep 100 &"));
    }
    EXPECT_EQ(open_descriptors(), descriptors);
    EXPECT_THAT(processes_with(spawner), SizeIs(::testing::Le(2u))) << "the spawner, and perhaps the last warden";
}

TEST(F7CommandTree, DiesWithAServerThatIsKilled)
{
    const std::string mark = marker();
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, ends[1], 1);
    std::string self = std::filesystem::read_symlink("/proc/self/exe"), serve = "serve", argument = mark;
    char* argv[] = {self.data(), serve.data(), argument.data(), nullptr};
    pid_t server = 0;
    ASSERT_EQ(::posix_spawn(&server, self.c_str(), &files, nullptr, argv, environ), 0);
    posix_spawn_file_actions_destroy(&files);
    ::close(ends[1]);
    char ready = 0;
    ASSERT_EQ(::read(ends[0], &ready, 1), 1) << "the server did not get as far as running its command";
    ::close(ends[0]);
    ASSERT_TRUE(tree_stands(mark));

    ASSERT_EQ(::kill(server, SIGKILL), 0);
    ASSERT_EQ(::waitpid(server, nullptr, 0), server);
    EXPECT_TRUE(all_gone(mark));
}

TEST(F7CommandTree, GoesOnWithoutTheSpawnerAndGetsANewOne)
{
    const std::string mark = marker(), spawner = marker();
    World world{marked(spawner)};
    const std::string go = testing::TempDir() + "freshet-go-" + mark;
    const JobId job = world.start(script("echo '::progress 1' >&2; " + wait_for_file(go) + "echo done"));
    world.sink.wait_progress(job);
    kill_spawner(spawner);
    // One that was handed over just before the end is lost, and may be tried again.
    FlightEnd next = world.run(source_of({"echo", "next"}));
    if (const auto* lost = std::get_if<FlightFailure>(&next)) {
        EXPECT_EQ(lost->code, "lost");
        EXPECT_EQ(lost->error_class, ErrorClass::retryable);
        next = world.run(source_of({"echo", "next"}));
    }
    EXPECT_EQ(data_of(next).json, R"(["next"])");
    std::ofstream{go} << "go";
    EXPECT_EQ(data_of(world.sink.wait(job)).json, R"(["done"])");
    std::filesystem::remove(go);
}

// Holds the runner's thread in the first progress that it tells, until it is let go.
class HoldingSink final : public FlightSink {
public:
    void progress(JobId, Seq, Progress) override
    {
        std::unique_lock lock{mutex_};
        held_ = true;
        changed_.notify_all();
        changed_.wait(lock, [&] { return let_go_; });
    }
    void ended(JobId, Seq, FlightEnd) override {}
    bool wait_held()
    {
        std::unique_lock lock{mutex_};
        return changed_.wait_for(lock, 60s, [&] { return held_; });
    }
    void let_go()
    {
        const std::lock_guard lock{mutex_};
        let_go_ = true;
        changed_.notify_all();
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool held_ = false, let_go_ = false;
};

TEST(F7CommandTree, DoesNotTakeTheEndOfALostSpawnerForThatOfTheNextOne)
{
    const std::string spawner = marker();
    HoldingSink holding; // outlives the runner
    World world{marked(spawner)};
    FlightOrder order;
    order.job = JobId{1'000};
    order.fence = 7;
    order.source = std::make_shared<const SourceDefinition>(script("echo '::progress 1' >&2; exec sleep " + marker()));
    order.now = world.clock.wall();
    order.run_limit = 30s;
    world.runner.start(std::move(order), holding);
    ASSERT_TRUE(holding.wait_held());
    // The runner hears of the next run first, and of the spawner's end with it.
    const JobId next = world.start(source_of({"echo", "next"}));
    kill_spawner(spawner);
    EXPECT_TRUE(within_ten_seconds([&] {
        return std::ranges::none_of(processes_with(spawner), [](pid_t pid) {
            std::ifstream comm{fmt::format("/proc/{}/comm", pid)};
            std::string name;
            return comm >> name && name == "freshet-spawner";
        });
    }));
    holding.let_go();
    EXPECT_EQ(data_of(world.sink.wait(next)).json, R"(["next"])");
}

TEST(F7CommandTree, IsReportedWhenItsWatcherWasLost)
{
    const std::string mark = marker(), spawner = marker();
    World world{marked(spawner)};
    const JobId job = world.start(script("echo '::progress 1' >&2; exec sleep " + mark));
    world.sink.wait_progress(job);
    for (const pid_t pid : processes_with(spawner)) {
        std::ifstream stat{fmt::format("/proc/{}/comm", pid)};
        std::string name;
        if (stat >> name; name == "freshet-warden") ::kill(pid, SIGKILL);
    }
    const FlightFailure failure = failure_of(world.sink.wait(job));
    EXPECT_EQ(failure.code, "lost");
    EXPECT_EQ(failure.error_class, ErrorClass::retryable);
    EXPECT_TRUE(all_gone(mark));
}

} // namespace freshet::test

/// A server of one command with a tree below it; prints one byte when the tree stands. Ends by a signal only.
int serve_until_killed(const char* mark)
{
    using namespace freshet::test;
    World world{marked(mark)};
    const auto job = world.start(script("trap '' TERM; " + tree_of(mark) + "sleep " + mark));
    world.sink.wait_progress(job);
    if (::write(1, "r", 1) != 1) return 1;
    for (;;) ::pause();
}
