// SPDX-License-Identifier: Apache-2.0
// F7 from outside: from the death of a worker to the next hand-out of its job at most its lease and a second, with
// nobody looking: no reader, no stream, no list; only another worker that waits in a claim.

#include "tests/http/harness.hpp"
#include "tests/sdk/test_worker.hpp"

#include <algorithm>
#include <csignal>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <iostream>
#include <random>
#include <thread>

namespace freshet::outside {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr Millis lease{1'000};
const Headers json{{"Content-Type", "application/json"}};

Millis since(SteadyClock::time_point then)
{
    return std::chrono::duration_cast<Millis>(SteadyClock::now() - then);
}

// One death: the worker begins the job, another one waits, the first is gone. How long the job was nobody's.
Millis death_to_hand_out(const Server& server, int number, int by_signal, Millis alive_for)
{
    Client client = server.client();
    TestWorker first{languages().front(), server.url(), {{"WORKER_ID", fmt::format("first{}", number)}}};
    const std::string id =
        client.post("/v1/jobs", json, R"({"queue":"slow","input":{"ms":60000}})").json("/id").value();
    EXPECT_TRUE(first.await("begin slow " + id));

    Answer given;
    SteadyClock::time_point given_at;
    std::thread second{[&] {
        Client own = server.client();
        given = own.post("/v1/work/claim", json,
                         fmt::format(R"({{"worker":"second{}","queues":["slow"],"slots":1,"wait":20}})", number));
        given_at = SteadyClock::now();
    }};
    std::this_thread::sleep_for(alive_for); // the death's place between two beats; nothing waits for it
    const auto died_at = SteadyClock::now();
    first.signal(by_signal);
    second.join();
    EXPECT_EQ(given.json("/jobs/0/id"), id) << given.body << given.error;
    EXPECT_EQ(given.json("/jobs/0/attempt"), "2") << given.body;
    client.post("/v1/work/" + id + "/complete", json,
                fmt::format(R"({{"fence":{},"result":1}})", given.json("/jobs/0/fence").value_or("0")));
    return std::chrono::duration_cast<Millis>(given_at - died_at);
}

TEST(LostWorker, F7ItsJobIsHandedOutAgainWithinTheLeaseAndASecondWithNobodyLooking)
{
    Server server{fmt::format("[queue.slow]\nlease = \"{}ms\"\n", lease.count())};
    std::mt19937 random{static_cast<unsigned>(testing::UnitTest::GetInstance()->random_seed()) + 1};
    std::string words;
    Millis most{0};
    for (int i = 0; i < 12; ++i) {
        const Millis alive_for{std::uniform_int_distribution<int>{0, 700}(random)};
        const Millis took = death_to_hand_out(server, i, i % 2 == 0 ? SIGKILL : SIGSTOP, alive_for);
        EXPECT_LE(took, lease + Millis{1'000});
        EXPECT_GT(took, lease / 3) << "handed out while the worker was alive";
        most = std::max(most, took);
        words += fmt::format(" {}", took.count());
    }
    std::cout << fmt::format("  lease {} ms; from death to the next hand-out:{} ms, at most {} ms\n", lease.count(),
                             words, most.count());
}

TEST(LostWorker, F7AlsoIfTheServerWasKilledInBetween)
{
    Server server{fmt::format("[queue.slow]\nlease = \"{}ms\"\n", lease.count())};
    Client client = server.client();
    TestWorker first{languages().front(), server.url(), {{"WORKER_ID", "first"}}};
    const std::string id =
        client.post("/v1/jobs", json, R"({"queue":"slow","input":{"ms":60000}})").json("/id").value();
    ASSERT_TRUE(first.await("begin slow " + id));
    first.kill();
    server.kill();
    server.start();
    // It cannot know who died meanwhile: the lease begins anew.
    const auto started_at = SteadyClock::now();
    const Answer given =
        client.post("/v1/work/claim", json, R"({"worker":"second","queues":["slow"],"slots":1,"wait":20})");
    const Millis took = since(started_at);
    EXPECT_EQ(given.json("/jobs/0/id"), id) << given.body << given.error;
    EXPECT_LE(took, lease + Millis{1'000});
    std::cout << fmt::format("  lease {} ms; from the start of the server to the next hand-out: {} ms\n", lease.count(),
                             took.count());
}

} // namespace
} // namespace freshet::outside
