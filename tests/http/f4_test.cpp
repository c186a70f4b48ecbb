// SPDX-License-Identifier: Apache-2.0
// F4 over event loops, from outside: one client that reads over many connections, some on each of two loops, never sees
// a key go back, while the keys change as fast as the machine gives; and what a refresh answered on one connection is
// there on every other.
//
// Which loop takes a connection is the kernel's choice: of 16 connections all land on one loop once in 32,768 runs.
// Lengths: 5 s; with FRESHET_TEST_LONG=1 a minute. The changes per second that were reached are printed.

#include "tests/http/harness.hpp"
#include "tests/http/load.hpp"

#include <atomic>
#include <chrono>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <iostream>
#include <thread>
#include <vector>

namespace freshet::outside {
namespace {

constexpr int keys = 12;
constexpr int connections = 16;

std::string path_of(int key)
{
    return fmt::format("/v1/data/fast/{}", key);
}

struct Counts {
    std::atomic<std::uint64_t> changes{0}, reads{0}, back{0};
};

// Refreshes every key again and again, two callers a key.
void change_all(const std::string& url, const std::atomic<bool>& over, Counts& counts)
{
    Load load{url, 2 * keys};
    load.run([&](int connection, const LoadAnswer* last) -> std::optional<LoadRequest> {
        if (last != nullptr && last->member("outcome") == "updated") ++counts.changes;
        if (over) return {};
        return LoadRequest{"POST", path_of(connection % keys) + "/refresh", {{"Prefer", "wait=10"}}};
    });
}

// One client with one memory: its connections take turns, so that neighbours in time are seldom on the same loop.
void read_all(const std::string& url, const std::atomic<bool>& over, Counts& counts)
{
    std::vector<std::int64_t> seen(keys, 0);
    std::vector<Client> clients;
    for (int i = 0; i < connections; ++i) clients.emplace_back(url);
    for (std::size_t turn = 0; !over; ++turn) {
        const int key = static_cast<int>(turn / connections % keys);
        const Answer answer = clients[turn % connections].get(path_of(key));
        EXPECT_EQ(answer.status, 200) << answer.body << answer.error;
        const std::int64_t gen = answer.freshet_number("gen");
        auto& last = seen[static_cast<std::size_t>(key)];
        if (gen < last) ++counts.back;
        EXPECT_GE(gen, last) << "key " << key << " went back on connection " << turn % connections;
        last = gen;
        ++counts.reads;
    }
}

// Refreshes on one connection, reads on another at once.
void refresh_and_read(const std::string& url, const std::atomic<bool>& over, Counts& counts)
{
    std::vector<Client> clients;
    for (int i = 0; i < connections; ++i) clients.emplace_back(url);
    for (std::size_t turn = 0; !over; turn += 2) {
        const int key = static_cast<int>(turn / 2 % keys);
        const Answer refreshed = clients[turn % connections].refresh(path_of(key).substr(9));
        if (refreshed.status != 200) continue;
        const Answer read = clients[(turn + 1) % connections].get(path_of(key));
        EXPECT_GE(read.freshet_number("gen"), refreshed.freshet_number("gen"))
            << "acknowledged on one connection, older on the next";
        counts.reads += 1;
    }
}

TEST(NeverBackwards, F4OneClientOnTwoLoopsNeverSeesAKeyGoBack)
{
    std::atomic<std::int64_t> number{0};
    Upstream upstream;
    upstream.set_others([&](const Request&) { return Page{.body = fmt::format("[{}]", ++number)}; });
    ServerOptions options;
    options.server = "loops = 2\n";
    const Server server{fmt::format("[source.fast]\nkind = \"http\"\nurl = \"{}/fast/{{n}}\"\nallow_private = true\n"
                                    "params = {{ n = \"[0-9]+\" }}\nfresh_for = \"1h\"\nconcurrency = 64\n"
                                    "manual_limit = \"1000000/min\"\n",
                                    upstream.url()),
                        options};
    for (int key = 0; key < keys; ++key) ASSERT_EQ(server.client().get(path_of(key)).status, 200);

    std::atomic<bool> over{false};
    Counts counts;
    const Millis length{long_run() ? 60'000 : 5'000};
    const auto until = std::chrono::steady_clock::now() + length;
    std::vector<std::thread> threads;
    threads.emplace_back([&] { change_all(server.url(), over, counts); });
    threads.emplace_back([&] { read_all(server.url(), over, counts); });
    threads.emplace_back([&] { refresh_and_read(server.url(), over, counts); });
    std::this_thread::sleep_until(until);
    over = true;
    for (std::thread& thread : threads) thread.join();

    std::cout << fmt::format("  {:.0f} changes/s, {} reads, {} went back\n",
                             static_cast<double>(counts.changes) * 1000.0 / static_cast<double>(length.count()),
                             counts.reads.load(), counts.back.load());
    EXPECT_GT(counts.changes, 100u);
    EXPECT_GT(counts.reads, 100u);
    EXPECT_EQ(counts.back, 0u);
}

} // namespace
} // namespace freshet::outside
