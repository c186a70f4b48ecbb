// SPDX-License-Identifier: Apache-2.0
// F4 over cores: what one core has told, no other core takes back.
#include "http/test_world.hpp"

#include <array>
#include <atomic>
#include <future>
#include <thread>

namespace freshet::http {

namespace {

// One connection on each loop: the kernel chooses, so connect until both have one.
struct Both {
    explicit Both(World& world)
    {
        std::vector<std::unique_ptr<RawClient>> others;
        for (int i = 0; i < 200 && (!on[0] || !on[1]); ++i) {
            const std::array before{world.server->connections(0), world.server->connections(1)};
            auto client = std::make_unique<RawClient>(world.port());
            client->get("/v1/nothing"); // It is accepted by now.
            const std::size_t loop = world.server->connections(0) > before[0] ? 0 : 1;
            if (!on[loop])
                on[loop] = std::move(client);
            else
                others.push_back(std::move(client));
        }
    }
    std::array<std::unique_ptr<RawClient>, 2> on;
};

TEST(Cores, F4NeverGoBackWhileAThousandChangesArePublished)
{
    World world{2};
    world.start();
    world.publish("prices", "[0]");
    Both clients{world};
    ASSERT_TRUE(clients.on[0] && clients.on[1]);
    std::atomic<bool> over{false};
    std::thread engine{[&] {
        for (int i = 1; i <= 1000; ++i) world.publish("prices", "[" + std::to_string(i) + "]");
        over = true;
    }};
    long seen = 0, reads = 0;
    bool backwards = false;
    while (!over || seen < 1001) {
        const Answered answer = clients.on[static_cast<std::size_t>(reads++ % 2)]->get("/v1/data/prices");
        if (answer.status != 200) break;
        const long gen = std::stol(answer.freshet("gen"));
        backwards = backwards || gen < seen;
        EXPECT_EQ(answer.body, "[" + std::to_string(gen - 1) + "]");
        seen = std::max(seen, gen);
    }
    engine.join();
    EXPECT_FALSE(backwards);
    EXPECT_EQ(seen, 1001);
}

TEST(Cores, F4ACoreThatWasNotWokenStillKnowsWhatTheOtherTold)
{
    World world{2};
    world.start();
    world.publish("prices", "[0]");
    Both clients{world};
    ASSERT_TRUE(clients.on[0] && clients.on[1]);
    EXPECT_EQ(clients.on[0]->get("/v1/data/prices").freshet("gen"), "1");
    EXPECT_EQ(clients.on[1]->get("/v1/data/prices").freshet("gen"), "1");
    world.tail.on_wake(0, [] {});
    world.tail.on_wake(1, [] {});
    for (int i = 2; i <= 50; ++i) {
        world.publish("prices", "[" + std::to_string(i) + "]");
        EXPECT_EQ(clients.on[static_cast<std::size_t>(i % 2)]->get("/v1/data/prices").freshet("gen"),
                  std::to_string(i));
        EXPECT_EQ(clients.on[static_cast<std::size_t>((i + 1) % 2)]->get("/v1/data/prices").freshet("gen"),
                  std::to_string(i));
    }
}

TEST(Cores, F4AMissDoesNotShowACommitBeforeItsNotice)
{
    World world{2};
    world.start();
    world.publish("prices", "[0]");
    Both clients{world};
    ASSERT_TRUE(clients.on[0] && clients.on[1]);
    EXPECT_EQ(clients.on[1]->get("/v1/data/prices").freshet("gen"), "1");
    // On disk, not yet told: core 0 reads the store and must not be ahead of core 1.
    KeyView view = world.next_view("prices", "[1]");
    world.commit(view);
    clients.on[0]->send("GET /v1/data/prices HTTP/1.1\r\nHost: localhost\r\n\r\n");
    EXPECT_FALSE(clients.on[0]->readable_within(100ms)) << "told before the notice";
    EXPECT_EQ(clients.on[1]->get("/v1/data/prices").freshet("gen"), "1");
    world.tell(view);
    EXPECT_EQ(clients.on[0]->read().freshet("gen"), "2");
    EXPECT_EQ(clients.on[1]->get("/v1/data/prices").freshet("gen"), "2");
}

TEST(Cores, F4NoticesStayInOrderWhenWhoIsToldOfOneCatchesUp)
{
    std::vector<std::uint64_t> told;
    World world;
    world.start();
    std::promise<void> done;
    world.services->on_loop(0, [&](Core& core) {
        core.on_notice([&](const std::shared_ptr<const Notice>& notice) {
            told.push_back(notice->position);
            if (told.size() == 1) world.publish("prices", "[4]"); // comes in while the others still wait
            core.catch_up();
        });
        for (const char* json : {"[1]", "[2]", "[3]"}) world.publish("prices", json);
        core.catch_up();
        done.set_value();
    });
    ASSERT_EQ(done.get_future().wait_for(std::chrono::seconds{10}), std::future_status::ready);
    EXPECT_EQ(told, (std::vector<std::uint64_t>{1, 2, 3, 4}));
    EXPECT_EQ(RawClient{world.port()}.get("/v1/data/prices").body, "[4]");
}

TEST(Cores, F1AKeyThatMemoryHasNoRoomForIsReadFromTheStore)
{
    World world;
    world.definitions->server.cache_bytes = 64 << 10;
    auto& many = world.source("many");
    many.params = {{"n", {}, "[0-9]+"}};
    world.start();
    for (int i = 0; i < 100; ++i)
        world.publish("many/" + std::to_string(i), "\"" + std::string(2000, static_cast<char>('a' + i % 26)) + "\"");
    RawClient client{world.port()};
    for (int round = 0; round < 2; ++round)
        for (int i = 0; i < 100; ++i)
            EXPECT_EQ(client.get("/v1/data/many/" + std::to_string(i)).body,
                      "\"" + std::string(2000, static_cast<char>('a' + i % 26)) + "\"");
}

} // namespace

} // namespace freshet::http
