// SPDX-License-Identifier: Apache-2.0
// The inbox and the thread behind it, with a script in the engine's place.
#include "app/engine_thread.hpp"

#include <future>
#include <gmock/gmock.h>

namespace freshet {
namespace {

using testing::ElementsAre;

/// Stands for Engine::step: the test sees each group and lets it go on when it wants.
struct Script {
    struct Call {
        std::vector<Posted> group;
        WallTime now;
        std::promise<std::optional<WallTime>> answer;
    };
    std::mutex mutex;
    std::condition_variable came;
    std::deque<Call> calls;

    EngineStep step()
    {
        return [this](std::vector<Posted> group, WallTime now) {
            std::future<std::optional<WallTime>> answer;
            {
                const std::lock_guard lock{mutex};
                calls.push_back({std::move(group), now, {}});
                answer = calls.back().answer.get_future();
            }
            came.notify_all();
            return answer.get();
        };
    }
    Call next()
    {
        std::unique_lock lock{mutex};
        came.wait(lock, [this] { return !calls.empty(); });
        Call call = std::move(calls.front());
        calls.pop_front();
        return call;
    }
    /// Lets the first step, which every thread begins with, pass.
    void begin() { next().answer.set_value(std::nullopt); }
};

struct World {
    SystemClock clock;
    Metrics metrics;
    std::size_t backlog = 0;
    Script script;
    EngineThread thread;

    explicit World(InboxLimits limits = {}) : thread{script.step(), [this] { return backlog; }, clock, metrics, limits}
    {
        thread.start();
    }
};

CancelJob cancel_of(int number, std::string tenant = "default")
{
    return {JobId{number}, std::move(tenant), "test"};
}

CompleteJob result_of(std::size_t bytes)
{
    auto body = std::make_shared<Body>();
    body->bytes.assign(bytes, 'x');
    CompleteJob complete;
    std::get<PreparedResult>(complete.result).body = std::move(body);
    return complete;
}

std::vector<std::int64_t> jobs_of(const Script::Call& call)
{
    std::vector<std::int64_t> jobs;
    for (const Posted& posted : call.group) jobs.push_back(std::get<CancelJob>(posted.request).job.value);
    return jobs;
}

TEST(EngineThread, WhatWaitsWhileACommitRunsIsTheNextGroup)
{
    World world;
    world.script.begin();
    ASSERT_TRUE(world.thread.post(cancel_of(1), -1, {}));
    Script::Call first = world.script.next();
    EXPECT_THAT(jobs_of(first), ElementsAre(1));
    ASSERT_TRUE(world.thread.post(cancel_of(2), -1, {}));
    ASSERT_TRUE(world.thread.post(cancel_of(3), -1, {}));
    first.answer.set_value(std::nullopt);
    Script::Call second = world.script.next();
    EXPECT_THAT(jobs_of(second), ElementsAre(2, 3));
    second.answer.set_value(std::nullopt);
}

TEST(EngineThread, AGroupIsBoundedInRequestsAndInBytes)
{
    World world;
    Script::Call held = world.script.next();
    for (std::size_t i = 0; i < group_requests_max + 1; ++i) ASSERT_TRUE(world.thread.post(cancel_of(1), -1, {}));
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(world.thread.post(result_of(group_bytes_max / 2), -1, {}));
    ASSERT_TRUE(world.thread.post(result_of(2 * group_bytes_max), -1, {}));
    held.answer.set_value(std::nullopt);
    std::vector<std::size_t> sizes;
    for (int i = 0; i < 4; ++i) {
        Script::Call call = world.script.next();
        sizes.push_back(call.group.size());
        call.answer.set_value(std::nullopt);
    }
    // 512, then the last cancel with two halves, then the third half, then the one that is too large by itself.
    EXPECT_THAT(sizes, ElementsAre(group_requests_max, 3, 1, 1));
}

TEST(EngineThread, RefusesWhenFullAndDropsHintsWhenHalfFull)
{
    World world{{.requests_max = 4}};
    Script::Call held = world.script.next();
    EXPECT_TRUE(world.thread.hint(TouchKey{"a", "k", "s"}));
    EXPECT_TRUE(world.thread.hint(TouchKey{"b", "k", "s"}));
    EXPECT_FALSE(world.thread.hint(TouchKey{"c", "k", "s"}));
    EXPECT_TRUE(world.thread.post(cancel_of(1, "d"), -1, {}));
    EXPECT_TRUE(world.thread.post(cancel_of(2, "e"), -1, {}));
    EXPECT_FALSE(world.thread.post(cancel_of(3, "f"), -1, {}));
    held.answer.set_value(std::nullopt);
    world.script.next().answer.set_value(std::nullopt);
    EXPECT_TRUE(world.thread.post(cancel_of(3, "f"), -1, {}));
    world.script.next().answer.set_value(std::nullopt);
}

TEST(EngineThread, F9NoTenantHoldsMoreThanHalfOfTheInbox)
{
    World world{{.requests_max = 8}};
    Script::Call held = world.script.next();
    for (int i = 0; i < 4; ++i) EXPECT_TRUE(world.thread.post(cancel_of(i, "loud"), -1, {}));
    EXPECT_FALSE(world.thread.post(cancel_of(4, "loud"), -1, {}));
    EXPECT_TRUE(world.thread.post(cancel_of(5, "quiet"), -1, {}));
    held.answer.set_value(std::nullopt);
    world.script.next().answer.set_value(std::nullopt);
    EXPECT_TRUE(world.thread.post(cancel_of(4, "loud"), -1, {})); // its room is given back
    world.script.next().answer.set_value(std::nullopt);
}

TEST(EngineThread, BoundsTheBytesThatWaitButTakesOneThatIsTooLargeAlone)
{
    World world{{.bytes_max = 1000}};
    Script::Call held = world.script.next();
    EXPECT_TRUE(world.thread.post(result_of(5000), -1, {}));
    EXPECT_FALSE(world.thread.post(result_of(10), -1, {}));
    held.answer.set_value(std::nullopt);
    world.script.next().answer.set_value(std::nullopt);
}

TEST(EngineThread, RefusesWhileACoreDoesNotReadItsInbox)
{
    World world{{.backlog_max = 10}};
    world.backlog = 11;
    EXPECT_FALSE(world.thread.post(cancel_of(1), -1, {}));
    world.backlog = 10;
    world.script.begin();
    EXPECT_TRUE(world.thread.post(cancel_of(1), -1, {}));
    world.script.next().answer.set_value(std::nullopt);
}

TEST(EngineThread, WakesAtTheInstantTheEngineNamed)
{
    World world;
    Script::Call first = world.script.next();
    const WallTime wake = world.clock.wall() + 30ms;
    first.answer.set_value(wake);
    Script::Call second = world.script.next();
    EXPECT_TRUE(second.group.empty());
    EXPECT_GE(second.now, wake);
    second.answer.set_value(second.now); // at once: there is more to do
    Script::Call third = world.script.next();
    third.answer.set_value(std::nullopt);
}

TEST(EngineThread, GoesOnAfterTheStoreFailed)
{
    World world;
    Script::Call first = world.script.next();
    first.answer.set_exception(std::make_exception_ptr(StoreFailure{"disk full"}));
    Script::Call second = world.script.next();
    ASSERT_TRUE(world.thread.post(cancel_of(7), -1, {}));
    second.answer.set_value(std::nullopt);
    Script::Call third = world.script.next();
    EXPECT_THAT(jobs_of(third), ElementsAre(7));
    third.answer.set_value(std::nullopt);
    EXPECT_THAT(world.metrics.text(), testing::HasSubstr("freshet_engine_store_failures_total 1"));
}

TEST(EngineThread, ServesWhatWaitsBeforeItStopsAndTakesNothingAfter)
{
    World world;
    Script::Call held = world.script.next();
    ASSERT_TRUE(world.thread.post(cancel_of(1), -1, {}));
    std::thread stopper{[&] { world.thread.stop(); }};
    held.answer.set_value(std::nullopt);
    Script::Call last = world.script.next();
    EXPECT_THAT(jobs_of(last), ElementsAre(1));
    last.answer.set_value(std::nullopt);
    stopper.join();
    EXPECT_FALSE(world.thread.post(cancel_of(2), -1, {}));
    EXPECT_FALSE(world.thread.hint(TouchKey{}));
}

} // namespace
} // namespace freshet
