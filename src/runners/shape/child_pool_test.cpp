// SPDX-License-Identifier: Apache-2.0
// Shaping in real children: this test program is the child's binary as well (main_test.cpp).
#include "runners/shape/child_pool.hpp"

#include "runners/shape/child_process.hpp"
#include "runners/shape/pool_call.hpp"
#include "runners/shape/test_children.hpp"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FRESHET_MEMORY_IS_BOUNDED 0 // sanitizers map terabytes, so their children have no bound
#else
#define FRESHET_MEMORY_IS_BOUNDED 1
#endif

namespace freshet {

namespace {

using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* endless = "last(range(infinite))";

ShapePoolOptions options(int count_max = 1)
{
    ShapePoolOptions made;
    made.executable = "/proc/self/exe";
    made.count_max = count_max;
    return made;
}

ShapeOrder order(std::string input, std::string select = "")
{
    ShapeOrder made;
    made.input = std::move(input);
    made.format = InputFormat::json;
    made.select = std::move(select);
    return made;
}

// An answer on its way.
class Awaited {
public:
    ShapeAnswer answer()
    {
        return [promise = promise_](ShapeResult<Shaped> result) { promise->set_value(std::move(result)); };
    }
    ShapeResult<Shaped> get() { return promise_->get_future().get(); }

private:
    std::shared_ptr<std::promise<ShapeResult<Shaped>>> promise_ = std::make_shared<std::promise<ShapeResult<Shaped>>>();
};

// Keeps the pool's only child busy until it is let go; returns once the order has left the queue.
ShapePool::Ticket keep_busy(ShapePool& pool, Awaited& awaited)
{
    const ShapePool::Ticket ticket = pool.submit(order("1", endless), 30s, awaited.answer()).value();
    while (pool.stats().waiting > 0 || pool.stats().children == 0) std::this_thread::yield();
    return ticket;
}

} // namespace

TEST(ShapePool, ShapesOrderAfterOrderInOneWarmChild)
{
    ShapePool pool{options()};
    EXPECT_EQ(pool.shape(order(R"({"a":[1,2]})", ".a"), 10s).value().json, "[1,2]");
    EXPECT_EQ(pool.shape(order(R"( {"a" : 1.50} )"), 10s).value().json, R"({"a" : 1.50})");
    EXPECT_EQ(pool.shape(order("[", ""), 10s).error().code, ShapeErrorCode::bad_input);
    EXPECT_EQ(pool.stats().orders_total, 3u);
    EXPECT_EQ(pool.stats().children_started_total, 1u);
    EXPECT_EQ(pool.stats().children_lost_total, 0u);
}

TEST(ShapePool, PassesLargeDocumentsByteForByte)
{
    std::string large = "[";
    while (large.size() < 8UL << 20) large += R"({"id": 12345678901234567, "text": "héllo"}, )";
    large += "0]";
    ShapePool pool{options()};
    EXPECT_TRUE(pool.shape(order(large), 30s).value().json == large);
}

TEST(ShapePool, EndsAProgramThatNeverEnds)
{
    ShapePoolOptions with = options();
    with.limits.run_max = 200ms;
    ShapePool pool{with};
    const ShapeError error = pool.shape(order("1", endless), 10s).error();
    EXPECT_EQ(error.code, ShapeErrorCode::timed_out);
    EXPECT_EQ(error.message, "shaping took longer than 200ms");
    EXPECT_EQ(pool.shape(order("1", ". + 1"), 10s).value().json, "2");
    EXPECT_EQ(pool.stats().children_lost_total, 1u);
    EXPECT_EQ(pool.stats().children, 1);
}

TEST(ShapePool, EndsAProgramThatEatsMemory)
{
    if (FRESHET_MEMORY_IS_BOUNDED == 0) GTEST_SKIP() << "sanitizers need the address space";
    ShapePoolOptions with = options();
    with.limits.memory_bytes_max = 64UL << 20;
    ShapePool pool{with};
    for (const char* program :
         {"[range(1e9)]", R"([limit(40; repeat("x")) ] | add | reduce range(40) as $i (.; . + .) | length)"}) {
        const ShapeError error = pool.shape(order("1", program), 30s).error();
        EXPECT_EQ(error.code, ShapeErrorCode::out_of_memory) << program << ": " << error.message;
        EXPECT_EQ(error.message, "shaping needs more than 64 MiB of memory");
    }
    EXPECT_EQ(pool.shape(order("1", ". + 1"), 10s).value().json, "2");
}

TEST(ShapePool, SurvivesACrashOfItsChildAndSaysWhatItDiedOf)
{
    ShapePool pool{options()};
    Awaited awaited;
    keep_busy(pool, awaited);
    for (const pid_t child : test::children()) kill(child, SIGSEGV);
    const ShapeError error = awaited.get().error();
    EXPECT_EQ(error.code, ShapeErrorCode::crashed);
    EXPECT_EQ(error.message, "the shaping child died of signal 11 (SEGV)");
    EXPECT_EQ(pool.shape(order("1", ". + 1"), 10s).value().json, "2");
}

TEST(ShapePool, AChildThatDiesWhileItWaitsCostsNoOrder)
{
    ShapePool pool{options()};
    EXPECT_TRUE(pool.shape(order("1"), 10s).has_value());
    const pid_t child = test::children().at(0);
    kill(child, SIGKILL);
    siginfo_t info{};
    ASSERT_EQ(waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT), 0);
    EXPECT_EQ(pool.shape(order("2"), 10s).value().json, "2");
    EXPECT_EQ(pool.stats().children_started_total, 2u);
}

TEST(ShapePool, TakesANewChildAfterSoManyOrders)
{
    ShapePoolOptions with = options();
    with.orders_per_child_max = 2;
    ShapePool pool{with};
    for (int i = 0; i < 5; ++i) EXPECT_TRUE(pool.shape(order("1"), 10s).has_value());
    EXPECT_EQ(pool.stats().children_started_total, 3u);
    EXPECT_EQ(pool.stats().children_lost_total, 0u);
}

TEST(ShapePool, CancelsWhatWaitsAndWhatRuns)
{
    ShapePool pool{options()};
    Awaited running, waiting;
    const ShapePool::Ticket first = keep_busy(pool, running);
    const ShapePool::Ticket second = pool.submit(order("1"), 30s, waiting.answer()).value();
    pool.cancel(second);
    EXPECT_EQ(waiting.get().error().message, "cancelled before it was shaped");
    pool.cancel(first);
    EXPECT_EQ(running.get().error().message, "cancelled while it was shaped");
    pool.cancel(first); // over already
    EXPECT_EQ(pool.shape(order("1", ". + 1"), 10s).value().json, "2");
}

TEST(ShapePool, RefusesWhatItHasNoRoomFor)
{
    ShapePoolOptions with = options();
    with.waiting_max = 1;
    with.limits.input_bytes_max = 100;
    ShapePool pool{with};
    Awaited running, waiting;
    keep_busy(pool, running);
    EXPECT_TRUE(pool.submit(order("1"), 30s, waiting.answer()).has_value());
    EXPECT_EQ(pool.shape(order("2"), 30s).error().code, ShapeErrorCode::busy);
    EXPECT_EQ(pool.shape(order(std::string(101, ' ')), 30s).error().code, ShapeErrorCode::too_large);
    pool.stop();
    EXPECT_EQ(running.get().error().code, ShapeErrorCode::stopped);
    EXPECT_EQ(waiting.get().error().code, ShapeErrorCode::stopped);
}

TEST(ShapePool, BoundsTheBytesThatWait)
{
    ShapePoolOptions with = options();
    with.waiting_bytes_max = 1000;
    ShapePool pool{with};
    Awaited running, alone, next;
    keep_busy(pool, running);
    EXPECT_TRUE(pool.submit(order(std::string(5000, ' ')), 30s, alone.answer()).has_value());
    EXPECT_EQ(pool.submit(order("1"), 30s, next.answer()).error().code, ShapeErrorCode::busy);
}

TEST(ShapePool, AnOrderThatFindsNoFreeChildInTimeIsAnswered)
{
    ShapePool pool{options()};
    Awaited running;
    keep_busy(pool, running);
    const ShapeError error = pool.shape(order("1"), 50ms).error();
    EXPECT_EQ(error.code, ShapeErrorCode::timed_out);
    EXPECT_EQ(error.message, "no shaping child was free in time");
}

TEST(ShapePool, GivesItsChildrenNoEnvironment)
{
    ::setenv("FRESHET_TEST_SECRET", "s3cret", 1);
    ShapePool pool{options()};
    EXPECT_EQ(pool.shape(order("1", "[$ENV, env]"), 10s).value().json, "[{},{}]");
    ::unsetenv("FRESHET_TEST_SECRET");
}

TEST(ShapePool, LeavesNoProcessAndNoDescriptorBehind)
{
    const auto descriptors = test::open_descriptors();
    {
        ShapePoolOptions with = options(2);
        with.limits.run_max = 300ms;
        ShapePool pool{with};
        (void)pool.shape(order("1"), 10s);
        std::vector<std::future<ShapeResult<Shaped>>> answers;
        for (std::size_t i = 0; i < 24; ++i)
            answers.push_back(std::async(std::launch::async, [&pool, i] {
                return pool.shape(order("1", i % 6 == 0 ? endless : i % 6 == 1 ? ".a" : ". + 1"), 30s);
            }));
        for (std::size_t i = 0; i < answers.size(); ++i) EXPECT_EQ(answers[i].get().has_value(), i % 6 > 1) << i;
        EXPECT_EQ(pool.stats().children_lost_total, 4u);
        EXPECT_LE(test::children().size(), 2u);
        // Two watchers' wake-ups, two sockets.
        EXPECT_LE(test::open_descriptors(), descriptors + 4);
    }
    EXPECT_THAT(test::children(), IsEmpty());
    EXPECT_EQ(test::open_descriptors(), descriptors);
}

TEST(ShapePool, SaysSoWhenItsBinaryDoesNotStart)
{
    ShapePoolOptions with = options();
    with.executable = "/nowhere/freshet";
    ShapePool pool{with};
    const ShapeError error = pool.shape(order("1"), 10s).error();
    EXPECT_EQ(error.code, ShapeErrorCode::crashed);
    EXPECT_THAT(error.message, HasSubstr("cannot start a shaping child from /nowhere/freshet: No such file"));
}

TEST(ShapePool, TakesNothingAfterStop)
{
    ShapePool pool{options()};
    pool.stop();
    pool.stop();
    EXPECT_EQ(pool.shape(order("1"), 10s).error().code, ShapeErrorCode::stopped);
}

TEST(ShapeCall, AnswersWhatThePoolRefuses)
{
    ShapePool pool{options()};
    const ShapeCall call = shape_call(pool);
    Awaited good, refused;
    call(order("[1]", ".[0]"), 10s, good.answer());
    EXPECT_EQ(good.get().value().json, "1");
    pool.stop();
    call(order("[1]"), 10s, refused.answer());
    EXPECT_EQ(refused.get().error().code, ShapeErrorCode::stopped);
}

TEST(ShapeChild, EndsWithItsParentEvenInTheMiddleOfAnOrder)
{
    // Whatever the orphan leaves comes to us, so that we learn how it ended.
    ASSERT_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
    FILE* orphan = popen((test::own_executable() + " orphan").c_str(), "r");
    ASSERT_NE(orphan, nullptr);
    int pid = 0;
    ASSERT_EQ(std::fscanf(orphan, "%d", &pid), 1);
    ASSERT_EQ(pclose(orphan), 0);
    int status = 0;
    ASSERT_EQ(waitpid(pid, &status, 0), pid);
    EXPECT_TRUE(WIFSIGNALED(status));
    EXPECT_EQ(WTERMSIG(status), SIGKILL);
    prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
}

} // namespace freshet
