// SPDX-License-Identifier: Apache-2.0
// F3 and F5 from outside: whoever asks for a refresh gets what the source said after the asking, or is told of a
// failure; and a crowd that asks is one running and one waiting flight.
//
// A round: a flight is made to run, the source changes at a random moment of it, then callers ask and wait, and it
// changes on. The source's answer is the number of its latest change, so that each success can be compared with the
// number at its asking. Lengths: 200 rounds; with FRESHET_TEST_LONG=1 a thousand. With the wall clock stepped by hours
// between the rounds: a quarter of them.

#include "tests/http/clock_step.hpp"
#include "tests/http/harness.hpp"
#include "tests/http/load.hpp"

#include <atomic>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <iostream>
#include <random>
#include <thread>

namespace freshet::outside {
namespace {

constexpr int callers = 20;
constexpr int fails_one_in = 7;
constexpr const char* data_path = "/v1/data/counted";
constexpr const char* refresh_path = "/v1/data/counted/refresh";

class Rounds {
public:
    Rounds() : random_{static_cast<unsigned>(testing::UnitTest::GetInstance()->random_seed()) + 1}
    {
        upstream_.set_others([this](const Request&) { return answer(); });
    }

    std::string config() const
    {
        return fmt::format("[source.counted]\nkind = \"http\"\nurl = \"{}/counted\"\nallow_private = true\n"
                           "fresh_for = \"1h\"\nmanual_limit = \"1000000/min\"\n"
                           "retry = {{ attempts = 1, wait = \"100ms\", max_wait = \"200ms\" }}\n",
                           upstream_.url());
    }

    // The source changes and callers come while a flight runs, at random moments.
    void random_round(const Server& server)
    {
        delay_ms_ = pick(2, 20);
        const std::size_t before = upstream_.requests("/counted");
        Client client = server.client();
        const int status = client.post(refresh_path).status;
        if (status == 429) return; // five of our own failures in a row, said in words
        ASSERT_EQ(status, 202);
        ASSERT_TRUE(upstream_.await_requests("/counted", before + 1));
        std::this_thread::sleep_for(
            Millis{pick(0, delay_ms_)}); // the random moment of this round; nothing waits for it
        ++changes_;
        burst(server, delay_ms_);
    }

    // The first flight stands still until the engine has taken every caller: then they share one other.
    void held_round(const Server& server)
    {
        delay_ms_ = 0;
        Client client = server.client();
        const std::size_t before = upstream_.requests("/counted");
        upstream_.hold("/counted");
        fails_ = false;
        ASSERT_EQ(client.post(refresh_path).status, 202);
        ASSERT_TRUE(upstream_.await_requests("/counted", before + 1));
        ++changes_;
        std::thread release{[&] {
            Client other = server.client();
            const Answer trailing = other.post(refresh_path);
            const Answer job =
                ask_until([&] { return other.get(trailing.header("location")); },
                          [](const Answer& one) { return one.json("/callers") == std::to_string(callers + 1); });
            EXPECT_EQ(job.json("/callers"), std::to_string(callers + 1)) << job.body;
            upstream_.release("/counted");
        }};
        burst(server, 0);
        release.join();
        fails_ = true;
        EXPECT_EQ(upstream_.requests("/counted"), before + 2)
            << callers << " callers, one running and one waiting flight";
    }

    int pick(int least, int most) { return std::uniform_int_distribution<int>{least, most}(random_); }
    void print() const
    {
        std::cout << fmt::format(
            "  {} callers got data of their own asking, {} were told of a failure, {} of the source's rest; "
            "{} flights\n",
            good_, failed_, limited_, upstream_.requests("/counted"));
    }
    int good() const { return good_; }
    int failed() const { return failed_; }
    int overlapping() const { return overlapping_; }

private:
    // Called by the connections' threads.
    Page answer()
    {
        const auto now = std::chrono::steady_clock::now();
        const auto ends = now + Millis{delay_ms_.load()};
        // An answer is not handed over before its delay is over: one that comes before then is a second flight.
        if (now < busy_until_.exchange(ends)) ++overlapping_;
        Page page{.body = fmt::format(R"({{"change":{}}})", changes_.load()), .delay = Millis{delay_ms_.load()}};
        if (fails_ && ++answers_ % fails_one_in == 0)
            page = Page{.body = "out of order", .status = 500, .delay = page.delay};
        return page;
    }

    void burst(const Server& server, int spread_ms)
    {
        std::vector<std::int64_t> asked_at(callers);
        Load load{server.url(), callers};
        load.run([&](int caller, const LoadAnswer* last) -> std::optional<LoadRequest> {
            const auto at = static_cast<std::size_t>(caller);
            if (last != nullptr) {
                judge(*last, asked_at[at]);
                return {};
            }
            return LoadRequest{
                "POST", refresh_path, {{"Prefer", "wait=10"}}, Millis{pick(0, spread_ms)}, [this, &asked_at, at] {
                    if (pick(0, 2) == 0) ++changes_;
                    asked_at[at] = changes_;
                }};
        });
    }

    void judge(const LoadAnswer& answer, std::int64_t asked_at)
    {
        Answer read;
        read.body = answer.body;
        const std::string outcome = answer.member("outcome");
        if (answer.status == 200) {
            ++good_;
            EXPECT_TRUE(outcome == "updated" || outcome == "unchanged") << answer.freshet;
            const std::int64_t change = std::stoll(read.json("/change").value_or("-1"));
            EXPECT_GE(change, asked_at) << "success with data from before the asking: " << answer.freshet;
            EXPECT_LE(change, changes_);
            return;
        }
        EXPECT_FALSE(read.json("/change").has_value()) << "old data as the answer of a failure";
        EXPECT_EQ(read.json("/status"), std::to_string(answer.status)) << answer.body;
        if (answer.status == 429) {
            ++limited_;
            EXPECT_EQ(outcome, "limited") << answer.freshet;
            return;
        }
        ++failed_;
        EXPECT_EQ(answer.status, 502) << answer.body;
        EXPECT_EQ(outcome, "failed") << answer.freshet;
        EXPECT_TRUE(read.json("/detail").has_value()) << answer.body;
    }

    std::mt19937 random_;
    std::atomic<std::int64_t> changes_{0};
    std::atomic<int> delay_ms_{0}, answers_{0}, overlapping_{0};
    std::atomic<bool> fails_{true};
    std::atomic<SteadyInstant> busy_until_{};
    int good_ = 0, failed_ = 0, limited_ = 0;
    Upstream upstream_; // last: its threads ask the members above
};

TEST(ReadYourRefresh, F3ASuccessShowsWhatTheSourceSaidAfterTheAskingInEveryRound)
{
    Rounds rounds;
    const Server server{rounds.config()};
    const int count = long_run() ? 1'000 : 200;
    for (int i = 0; i < count && !testing::Test::HasFailure(); ++i) rounds.random_round(server);
    rounds.print();
    EXPECT_GT(rounds.good(), count * callers / 2);
    EXPECT_GT(rounds.failed(), 0);
    EXPECT_EQ(rounds.overlapping(), 0) << "two flights of one key at the source at once";
}

TEST(ReadYourRefresh, F5ACrowdOfCallersIsOneRunningAndOneWaitingFlight)
{
    Rounds rounds;
    const Server server{rounds.config()};
    const int count = long_run() ? 250 : 50;
    for (int i = 0; i < count && !testing::Test::HasFailure(); ++i) rounds.held_round(server);
    rounds.print();
    EXPECT_EQ(rounds.good(), count * callers);
}

TEST(ReadYourRefresh, F3AWallClockThatStepsByHoursChangesNothing)
{
    ClockStep clock;
    Rounds rounds;
    Server server{rounds.config()};
    const int count = long_run() ? 250 : 50;
    for (int i = 0; i < count && !testing::Test::HasFailure(); ++i) {
        const Millis off = std::chrono::hours{rounds.pick(-10, 10)};
        clock.set(off);
        if (i % 25 == 24) { // what was written under another clock is taken up under this one
            server.kill();
            server.start();
        }
        rounds.random_round(server);
    }
    rounds.print();
    EXPECT_GT(rounds.good(), count * callers / 2);
    EXPECT_EQ(rounds.overlapping(), 0);

    // The server did live by that clock: after a start it says so.
    clock.set(std::chrono::hours{48});
    server.kill();
    server.start();
    const WallTime tomorrow =
        std::chrono::time_point_cast<Millis>(std::chrono::system_clock::now()) + std::chrono::hours{24};
    EXPECT_GT(server.client().get(std::string{data_path} + "?envelope=1").json("/meta/now").value_or(""),
              to_rfc3339(tomorrow));
}

} // namespace
} // namespace freshet::outside
