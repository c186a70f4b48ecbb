// SPDX-License-Identifier: Apache-2.0
// F6 from outside: a subscriber that is cut again and again, by itself, by a restart and by kill -9, and comes back
// with the last id it has read, misses no version without being told.
//
// Lengths: 50 cuts, every tenth of them the server's own end; with FRESHET_TEST_LONG=1 five hundred. The key changes
// all the while.

#include "tests/http/harness.hpp"
#include "tests/http/load.hpp"

#include <atomic>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <iostream>
#include <optional>
#include <random>
#include <thread>

namespace freshet::outside {
namespace {

// What a client of the stream keeps, and the rules it holds the server to.
class Subscriber {
public:
    void take(const StreamEvent& event)
    {
        if (!event.id.empty()) cursor_ = event.id;
        if (event.event == "hello") {
            resume_ = event.json("/resume").value_or("");
            EXPECT_TRUE(resume_ == (event_count_ == 0 ? "new" : "ok") || resume_ == "reset") << event.data;
            told_reset_ = resume_ != "ok"; // state follows
            resumed_ += resume_ == "ok";
        } else if (event.event == "reset") {
            told_reset_ = true;
            ++resets_;
        } else if (event.event == "snapshot") {
            EXPECT_TRUE(told_reset_) << "a state that nobody asked for: " << event.data;
            advance(event, true);
        } else if (event.event == "live") {
            EXPECT_TRUE(told_reset_) << event.data;
            told_reset_ = false;
        } else if (event.event == "change") {
            advance(event, false);
            ++changes_;
        }
        ++event_count_;
    }

    const std::string& cursor() const { return cursor_; }
    std::int64_t ver() const { return ver_; }
    int changes() const { return changes_; }
    int resumed() const { return resumed_; }
    int resets() const { return resets_; }
    std::int64_t missed() const { return missed_; }

private:
    void advance(const StreamEvent& event, bool state)
    {
        const std::int64_t ver = number(event, "/meta/ver"), gen = number(event, "/meta/gen"),
                           missed = number(event, "/missed");
        EXPECT_GE(gen, gen_) << "back in gens: " << event.data;
        EXPECT_GE(ver, ver_) << "back in versions: " << event.data;
        if (!state) {
            EXPECT_LE(ver, ver_ + 1 + missed) << "versions are missing after " << ver_ << ": " << event.data;
        }
        missed_ += missed;
        ver_ = ver;
        gen_ = gen;
    }
    static std::int64_t number(const StreamEvent& event, const char* pointer)
    {
        return std::stoll(event.json(pointer).value_or("0"));
    }

    std::string cursor_, resume_;
    std::int64_t ver_ = 0, gen_ = 0, missed_ = 0;
    int event_count_ = 0, changes_ = 0, resumed_ = 0, resets_ = 0;
    bool told_reset_ = false;
};

TEST(ProgressEnds, F6ASubscriberThatIsCutAtRandomAndResumesMissesNoVersionUntold)
{
    std::atomic<std::int64_t> number{0};
    Upstream upstream;
    upstream.set_others([&](const Request&) { return Page{.body = fmt::format(R"([{{"n":{}}}])", ++number)}; });
    Server server{fmt::format("[source.ticks]\nkind = \"http\"\nurl = \"{}/ticks\"\nallow_private = true\n"
                              "fresh_for = \"1h\"\nmanual_limit = \"1000000/min\"\nkey = [\"n\"]\n",
                              upstream.url())};
    std::mt19937 random{static_cast<unsigned>(testing::UnitTest::GetInstance()->random_seed()) + 1};
    const auto pick = [&](int least, int most) { return std::uniform_int_distribution<int>{least, most}(random); };

    std::atomic<bool> over{false};
    std::thread changer{[&] { // goes on over restarts: a connection that breaks is opened anew
        Load load{server.url(), 2};
        load.run([&](int, const LoadAnswer* last) -> std::optional<LoadRequest> {
            if (over) return {};
            const bool away = last != nullptr && last->status == 0;
            return LoadRequest{"POST", "/v1/data/ticks/refresh", {{"Prefer", "wait=5"}}, Millis{away ? 20 : 0}};
        });
    }};

    Subscriber subscriber;
    const int cuts = long_run() ? 500 : 50;
    int ended_by_server = 0;
    for (int cut = 0; cut < cuts && !testing::Test::HasFailure(); ++cut) {
        std::optional<EventStream> stream{std::in_place, server.url(), "/v1/stream?topic=data/ticks", std::string{},
                                          subscriber.cursor()};
        const int read = pick(1, 40);
        for (int i = 0; i < read; ++i) {
            const auto event = stream->next(Millis{10'000});
            EXPECT_TRUE(event) << "nothing came for 10 s, cut " << cut;
            if (!event) break;
            subscriber.take(*event);
        }
        if (cut % 10 != 9) { // the client leaves, in the midst of what is being sent, and is away for some changes
            stream.reset();
            EXPECT_TRUE(
                upstream.await_requests("/ticks", upstream.requests("/ticks") + static_cast<std::size_t>(pick(0, 30))));
            continue;
        }
        ++ended_by_server;
        const bool by_kill = cut % 20 == 19;
        by_kill ? server.kill() : static_cast<void>(server.terminate());
        // What had arrived is the client's, too.
        while (const auto event = stream->next(Millis{5'000})) subscriber.take(*event);
        EXPECT_TRUE(stream->over());
        server.start();
    }
    over = true;
    changer.join();

    // The final state: what the key has now that nothing changes it.
    const std::int64_t ver = server.client().get("/v1/data/ticks").freshet_number("ver");
    {
        EventStream stream{server.url(), "/v1/stream?topic=data/ticks", {}, subscriber.cursor()};
        while (subscriber.ver() < ver) {
            const auto event = stream.next(Millis{10'000});
            if (!event) break;
            subscriber.take(*event);
        }
    }
    EXPECT_EQ(subscriber.ver(), ver) << "the subscriber never got the final state";
    std::cout << fmt::format(
        "  {} cuts, {} of them ends of the server; {} changes read, {} resumed, {} resets, {} told as missed, "
        "ver {}\n",
        cuts, ended_by_server, subscriber.changes(), subscriber.resumed(), subscriber.resets(), subscriber.missed(),
        ver);
    EXPECT_GT(ver, 10 * cuts);
    EXPECT_GT(subscriber.resumed(), cuts / 2);
}

} // namespace
} // namespace freshet::outside
