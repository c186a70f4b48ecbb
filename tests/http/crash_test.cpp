// SPDX-License-Identifier: Apache-2.0
// F4 and F10 under kill -9: the real binary under load, killed at random moments, again and again on the same folder.
//
// After each start: what was acknowledged as refreshed is there, with its gen and content; what was acknowledged as
// accepted exists, and in the end has ended; no client is shown less than it has seen. Lengths: 60 kills under load of
// 50 to 300 ms each; with FRESHET_TEST_LONG=1 three hundred. kill -9 proves no fsync; tests/power does.
//
// And a start with 10,000 snapshots on disk (both lengths): the first answer comes within a second.

#include "tests/http/harness.hpp"
#include "tests/http/load.hpp"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <iostream>
#include <map>
#include <random>
#include <set>
#include <thread>

namespace freshet::outside {
namespace {

constexpr int keys = 8;
constexpr int clients = 12;

std::string data_path(int key)
{
    return fmt::format("/v1/data/row/{}", key);
}

// What one side of the wire remembers of a key.
struct Known {
    std::int64_t gen = 0;
    std::string body; ///< of that gen
};

class CrashRun {
public:
    CrashRun() : random_{static_cast<unsigned>(testing::UnitTest::GetInstance()->random_seed()) + 1}
    {
        upstream_.set_others(
            [this](const Request&) { return Page{.body = fmt::format("[{}]", ++number_), .delay = Millis{3}}; });
    }

    std::string config() const
    {
        return fmt::format("[source.row]\nkind = \"http\"\nurl = \"{}/row/{{n}}\"\nallow_private = true\n"
                           "params = {{ n = \"[0-9]+\" }}\nfresh_for = \"1h\"\nmanual_limit = \"1000000/min\"\n"
                           "concurrency = 16\nretry = {{ attempts = 3, wait = \"10ms\", max_wait = \"50ms\" }}\n",
                           upstream_.url());
    }

    // Refreshers that wait, refreshers that do not, and readers, until the server is gone.
    void load(const Server& server)
    {
        Load load{server.url(), clients};
        load.run([&](int client, const LoadAnswer* last) -> std::optional<LoadRequest> {
            const int key = client % keys;
            if (last != nullptr) {
                if (last->status == 0) return {}; // the server is gone
                take(client, key, *last);
            }
            if (client % 3 == 0) return LoadRequest{"POST", data_path(key) + "/refresh", {{"Prefer", "wait=10"}}};
            // Without pacing a run would leave tens of thousands of jobs to look up.
            if (client % 3 == 1) return LoadRequest{"POST", data_path(key) + "/refresh", {}, Millis{pick(1, 20)}};
            return LoadRequest{"GET", data_path(key), {}, Millis{1}};
        });
    }

    // What must be there at once after a start.
    void look_after_start(const Server& server)
    {
        Client client = server.client();
        for (const auto& [key, known] : acknowledged_) {
            const Answer answer = client.get(data_path(key));
            ASSERT_EQ(answer.status, 200) << answer.body << answer.error;
            const std::int64_t gen = answer.freshet_number("gen");
            EXPECT_GE(gen, known.gen) << "an acknowledged refresh of key " << key << " is lost";
            EXPECT_TRUE(gen != known.gen || answer.body == known.body)
                << "key " << key << ", gen " << gen << ": " << answer.body;
            for (const auto& [who, seen] : seen_) {
                if (who.second != key) continue;
                EXPECT_GE(gen, seen.gen) << "client " << who.first << " has seen more of key " << key;
            }
        }
        for (const std::string& job : accepted_) {
            const Answer answer = client.get(job);
            EXPECT_EQ(answer.status, 200) << "an accepted job is lost: " << job << " " << answer.body;
        }
        // Those of earlier runs have been looked for once: their end is looked for at the last.
        all_accepted_.merge(accepted_);
        accepted_.clear();
    }

    void look_at_the_end(const Server& server)
    {
        Client client = server.client();
        std::map<std::string, int> ends;
        for (const std::string& job : all_accepted_) {
            const Answer answer = ask_until([&] { return client.get(job); },
                                            [](const Answer& one) { return one.json("/finished_at").has_value(); });
            EXPECT_TRUE(answer.json("/finished_at")) << "never ends: " << answer.status << " " << answer.body;
            const auto code = answer.json("/error/code");
            ++ends[answer.json("/state").value_or("none") + (code ? " (" + *code + ")" : "")];
        }
        std::string words;
        for (const auto& [state, count] : ends) words += fmt::format(", {} {}", count, state);
        std::cout << fmt::format("  {} refreshes acknowledged, {} jobs accepted{}\n", acknowledged_count_,
                                 all_accepted_.size(), words);
        EXPECT_GT(acknowledged_count_, 100);
        EXPECT_GT(all_accepted_.size(), 100u);
    }

    int pick(int least, int most) { return std::uniform_int_distribution<int>{least, most}(random_); }

private:
    void take(int client, int key, const LoadAnswer& answer)
    {
        if (answer.status == 202) {
            accepted_.insert(answer.location);
            return;
        }
        EXPECT_EQ(answer.status, 200) << answer.body;
        if (answer.status != 200) return;
        const std::int64_t gen = answer.number("gen");
        Known& seen = seen_[{client, key}];
        EXPECT_GE(gen, seen.gen) << "client " << client << " was shown less of key " << key;
        EXPECT_TRUE(gen != seen.gen || answer.body == seen.body) << "one gen, two contents: " << answer.body;
        seen = {gen, answer.body};
        if (client % 3 != 0) return;
        ++acknowledged_count_;
        if (Known& known = acknowledged_[key]; gen > known.gen) known = seen;
    }

    std::mt19937 random_;
    std::atomic<std::int64_t> number_{0};
    std::map<int, Known> acknowledged_;
    std::map<std::pair<int, int>, Known> seen_; ///< by client and key
    std::set<std::string> accepted_, all_accepted_;
    int acknowledged_count_ = 0;
    Upstream upstream_; // last: its threads ask the members above
};

TEST(Crash, F10F4WhatWasAcknowledgedOutlivesEveryKillAndNoClientIsShownLess)
{
    CrashRun run;
    Server server{run.config()};
    for (int key = 0; key < keys; ++key) ASSERT_EQ(server.client().get(data_path(key)).status, 200);
    const int kills = long_run() ? 300 : 60;
    Millis start_most{0};
    for (int i = 0; i < kills && !testing::Test::HasFailure(); ++i) {
        std::thread killer{[&, after = Millis{run.pick(50, 300)}] {
            std::this_thread::sleep_for(after); // the random moment; nothing waits for it
            server.signal(SIGKILL);
        }};
        run.load(server);
        killer.join();
        server.kill(); // it is gone; this takes note of it
        const auto began = std::chrono::steady_clock::now();
        server.start();
        start_most = std::max(start_most, std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now() - began));
        run.look_after_start(server);
    }
    run.look_at_the_end(server);
    std::cout << fmt::format("  {} kills, the longest start took {} ms\n", kills, start_most.count());
}

TEST(Crash, F1WithTenThousandSnapshotsOnDiskTheFirstAnswerComesWithinASecond)
{
    constexpr int rows = 10'000;
    Upstream upstream;
    upstream.set_others([](const Request& request) { return Page{.body = fmt::format("[\"{}\"]", request.target)}; });
    Server server{
        fmt::format("[source.row]\nkind = \"http\"\nurl = \"{}/row/{{n}}\"\nallow_private = true\n"
                    "params = {{ n = \"[0-9]+\" }}\nfresh_for = \"30d\"\nconcurrency = 256\ncold_wait = \"60s\"\n",
                    upstream.url())};
    const auto seeding = std::chrono::steady_clock::now();
    int next = 0;
    Load load{server.url(), 128};
    load.run([&](int, const LoadAnswer* last) -> std::optional<LoadRequest> {
        EXPECT_TRUE(last == nullptr || last->status == 200) << last->status << last->body;
        if (next >= rows || testing::Test::HasFailure()) return {};
        return LoadRequest{.path = data_path(next++)};
    });
    ASSERT_FALSE(testing::Test::HasFailure());
    const auto seeded = std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now() - seeding);

    std::mt19937 random{static_cast<unsigned>(testing::UnitTest::GetInstance()->random_seed()) + 1};
    Millis best{1'000'000};
    std::string words;
    for (int i = 0; i < 3; ++i) { // the machine may be busy once, not thrice
        server.kill();
        const int key = std::uniform_int_distribution<int>{0, rows - 1}(random);
        const auto began = std::chrono::steady_clock::now();
        server.start();
        const Answer answer = server.client().get(data_path(key));
        const auto took = std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now() - began);
        EXPECT_EQ(answer.status, 200) << answer.body;
        EXPECT_EQ(answer.body, fmt::format("[\"/row/{}\"]", key));
        EXPECT_EQ(answer.freshet("state"), "fresh");
        best = std::min(best, took);
        words += fmt::format(" {}", took.count());
    }
    std::cout << fmt::format("  {} snapshots made in {} ms; from exec to the first answer of a random key:{} ms\n",
                             rows, seeded.count(), words);
    EXPECT_LE(best, Millis{1'000});
}

} // namespace
} // namespace freshet::outside
