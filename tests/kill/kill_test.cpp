// SPDX-License-Identifier: Apache-2.0
// F6, F7, F10 under real faults: 200 rounds in which a worker or the server is killed, stopped past the lease and
// continued, or told to go and started anew, under one batch of 2,000 items.
//
// What must hold: every item ends once; the counters add up, and no one who watches sees one fall; no job is live
// without a next action; an answer that comes too late is refused and kept; what was acknowledged stays; who watches
// gets the end. The next fault comes as soon as some items more have ended, so the length follows from the machine:
// about a minute on two cores. The seed is printed; FRESHET_TEST_SEED takes one, FRESHET_TEST_ROUNDS another number of
// rounds (processes are no simulation: a seed gives the same faults, not the same interleaving).

#include "tests/kill/fleet.hpp"
#include "tests/kill/latecomer.hpp"
#include "tests/kill/watcher.hpp"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fmt/format.h>
#include <fstream>
#include <gtest/gtest.h>
#include <iostream>
#include <map>
#include <random>
#include <simdjson.h>

namespace freshet::outside {
namespace {

constexpr int items = 2'000, items_at_first = 600, part_size = 20;
constexpr int workers = 8, slots = 3, stopped_max = 3;
constexpr Millis lease{1'000}, stop_length{1'400};
const Headers json{{"Content-Type", "application/json"}};

unsigned number_from(const char* variable, unsigned otherwise)
{
    const char* const text = std::getenv(variable);
    return text == nullptr ? otherwise : static_cast<unsigned>(std::stoul(text));
}

/// As every list of the API is read: page by page. `now`: the server's, when it answered the last one.
void each_item(Client& client, const std::string& path, const std::function<void(simdjson::dom::element)>& see,
               std::string* now = nullptr)
{
    simdjson::dom::parser parser;
    for (std::string after;;) {
        const std::string more = after.empty() ? "" : (path.find('?') == std::string::npos ? "?" : "&");
        const Answer page = ask_through(client, "GET", path + more + (after.empty() ? "" : "after=" + after));
        ASSERT_EQ(page.status, 200) << page.body << page.error;
        const simdjson::dom::element root = parser.parse(page.body);
        if (now != nullptr) *now = std::string{root["now"].get_string().value()};
        for (const simdjson::dom::element item : root["items"].get_array()) see(item);
        after = page.json("/next").value_or("");
        if (after.empty()) return;
    }
}

std::string text_of(simdjson::dom::element object, const char* name)
{
    std::string_view text;
    return object[name].get(text) == simdjson::SUCCESS ? std::string{text} : std::string{};
}

class KillRun {
public:
    explicit KillRun(unsigned seed, int rounds)
        : random_{seed}, rounds_{rounds},
          server_{fmt::format("[queue.stubborn]\nlease = \"{}ms\"\nretry = {{ attempts = 3, wait = \"100ms\" }}\n",
                              lease.count())},
          client_{server_.client()}
    {
        const Answer made = client_.post(
            "/v1/batches", json,
            fmt::format(R"({{"queue":"stubborn","sealed":false,"items":[{}]}})", some_items(items_at_first)));
        EXPECT_EQ(made.status, 201) << made.body;
        batch_ = made.json("/id").value_or("");
        fleet_.emplace(server_.url(), (server_.folder() / "workers.log").string(), workers, slots);
        watcher_.emplace(server_.url(), batch_);
        latecomer_.emplace(server_.url(), "stubborn", seed);
        feeder_ = std::thread{[this] { feed(); }};
    }
    ~KillRun() { end_feeding(); }

    void run()
    {
        for (int round = 1; round <= rounds_ && !testing::Test::HasFailure(); ++round) {
            // Some more have ended since the last fault; or nothing can end, then the next fault comes all the same.
            watcher_->await_done(static_cast<std::int64_t>(items) * 9 / 10 * round / rounds_, Millis{2'000});
            std::this_thread::sleep_for(Millis{pick(0, 30)}); // the random moment; nothing waits for it
            const auto seen = watcher_->seen();
            idle_rounds_ += seen.total == seen.done;
            befall();
            fleet_->go_on(stop_length);
            fleet_->hear();
            {
                const std::lock_guard lock{mutex_};
                round_ = round;
            }
            next_round_.notify_one();
            if (round % 10 == 0) look_at_what_lives();
        }
    }

    void look_at_the_end()
    {
        fleet_->go_on(Millis{0});
        end_feeding();
        latecomer_->stop();
        const Answer sealed = ask_through(client_, "POST", "/v1/batches/" + batch_ + "/seal", json, "{}");
        EXPECT_EQ(sealed.status, 200) << sealed.body << sealed.error;
        EXPECT_TRUE(watcher_->await_end(Millis{60'000})) << client_.get("/v1/batches/" + batch_).body;
        fleet_->hear();
        look_at_items();
        look_at_counters();
        look_at_what_was_promised();
        tell();
    }

private:
    int pick(int least, int most) { return std::uniform_int_distribution<int>{least, most}(random_); }

    // Shorter than a lease most, longer than one some.
    std::string some_items(int count)
    {
        std::string list;
        for (int i = 0; i < count; ++i, ++fed_) {
            const int ms = fed_ % 20 == 0 ? 1'500 + fed_ % 1'000 : 10 + fed_ * 337 % 1'400;
            list += fmt::format(R"({}{{"key":"i{}","input":{{"ms":{}}}}})", i == 0 ? "" : ",", fed_, ms);
        }
        return list;
    }

    // So many items that every round finds some; a call without an answer is made again.
    void feed()
    {
        Client own = server_.client();
        for (int part = 0; fed_ < items; ++part) {
            {
                std::unique_lock lock{mutex_};
                next_round_.wait(lock, [&] {
                    return over_ || fed_ <= items_at_first + (items - items_at_first) * round_ / rounds_ - part_size;
                });
            }
            const std::string body = fmt::format(R"({{"items":[{}]}})", some_items(std::min(part_size, items - fed_)));
            Headers headers = json;
            headers.emplace_back("Idempotency-Key", fmt::format("part {}", part));
            const Answer added = ask_through(own, "POST", "/v1/batches/" + batch_ + "/items", headers, body);
            EXPECT_EQ(added.status, 200) << added.body << added.error;
            replayed_ += added.json("/replayed") == "true";
            if (added.status != 200) return;
        }
    }

    void end_feeding()
    {
        {
            const std::lock_guard lock{mutex_};
            over_ = true;
        }
        next_round_.notify_one();
        if (feeder_.joinable()) feeder_.join();
    }

    void befall()
    {
        const int place = pick(0, workers - 1), what = pick(1, 100);
        if (what <= 40) {
            fleet_->kill(place, pick(0, 1) == 0);
            ++faults_["workers killed"];
        } else if (what <= 72 && !fleet_->stopped(place) && fleet_->stopped_count() < stopped_max) {
            fleet_->stop(place);
            ++faults_["workers stopped past their lease"];
        } else if (what <= 82) {
            fleet_->go_on(fleet_->stopped(place) ? Millis{0} : stop_length); // a stopped one cannot go
            EXPECT_TRUE(fleet_->terminate(place));
            ++faults_["workers told to go"];
        } else if (what <= 94) {
            server_.kill();
            server_.start();
            ++faults_["server killed"];
        } else if (what <= 97) {
            EXPECT_EQ(server_.terminate(), 0);
            server_.start();
            ++faults_["server told to go"];
        } else {
            server_.signal(SIGSTOP);
            fleet_->kill(place, false); // nobody hears of it
            std::this_thread::sleep_for(stop_length);
            server_.signal(SIGCONT);
            ++faults_["server stopped past the lease"];
        }
    }

    // A next action: who runs has a lease that has not run out for long, who waits says for what. A server that stood
    // still a moment ago is given one to look at its timers.
    void look_at_what_lives()
    {
        std::string overdue;
        const auto until = std::chrono::steady_clock::now() + lease;
        do overdue = overdue_leases();
        while (!overdue.empty() && std::chrono::steady_clock::now() < until);
        EXPECT_TRUE(overdue.empty()) << overdue;
        each_item(client_, "/v1/jobs?queue=stubborn&state=queued&limit=500", [](simdjson::dom::element job) {
            EXPECT_EQ(job["why"]["clears"].error(), simdjson::SUCCESS) << simdjson::minify(job);
        });
    }

    // Of those that run, one per line.
    std::string overdue_leases()
    {
        std::string now, lines;
        std::vector<std::pair<WallTime, std::string>> running;
        each_item(
            client_, "/v1/jobs?queue=stubborn&state=running&limit=500",
            [&](simdjson::dom::element job) {
                running.emplace_back(from_rfc3339(text_of(job, "lease_until")).value(), simdjson::minify(job));
            },
            &now);
        for (const auto& [until, job] : running)
            if (until + Millis{1'000} < from_rfc3339(now).value()) lines += now + " " + job + "\n";
        return lines;
    }

    void look_at_items()
    {
        each_item(client_, "/v1/batches/" + batch_ + "/items?limit=500", [&](simdjson::dom::element item) {
            const std::string key = text_of(item, "key"), state = text_of(item, "state"), job = text_of(item, "job");
            EXPECT_TRUE(by_key_.emplace(key, state).second) << key << " is there twice";
            ++by_state_[state];
            int ended = 0, handed_out = 0;
            each_item(client_, "/v1/jobs/" + job + "/attempts", [&](simdjson::dom::element attempt) {
                ++handed_out;
                ended += text_of(attempt, "end") == "succeeded";
            });
            attempts_ += handed_out;
            if (state == "succeeded") {
                // By its lease; or too late, but before anyone else had it: then the attempt was lost, its result
                // counts.
                EXPECT_LE(ended, 1) << job;
                std::int64_t of_attempt = 0;
                if (item["result"]["attempt"].get(of_attempt) == simdjson::SUCCESS) {
                    EXPECT_EQ(of_attempt, handed_out) << job << ": the result of a hand-out that was not the last";
                    EXPECT_TRUE(fleet_->begun().contains({job, static_cast<int>(of_attempt)}))
                        << simdjson::minify(item);
                }
            } else {
                EXPECT_EQ(state, "failed") << simdjson::minify(item);
                EXPECT_EQ(ended, 0) << job;
                EXPECT_EQ(text_of(item["error"], "code"), "worker_lost") << simdjson::minify(item);
            }
        });
        EXPECT_EQ(by_key_.size(), static_cast<std::size_t>(items));
    }

    void look_at_counters()
    {
        const Answer batch = client_.get("/v1/batches/" + batch_);
        const Answer queue = client_.get("/v1/queues/stubborn");
        const auto seen = watcher_->seen();
        EXPECT_EQ(batch.json("/state"), seen.state);
        EXPECT_EQ(seen.state, by_state_["failed"] == 0 ? "succeeded" : "partial");
        for (const char* name : {"succeeded", "failed", "cancelled", "queued", "running"}) {
            const std::string counted = std::to_string(by_state_[name]);
            EXPECT_EQ(batch.json(std::string{"/counts/"} + name), counted) << batch.body;
            EXPECT_EQ(queue.json(std::string{"/counts/"} + name), counted) << queue.body;
        }
        EXPECT_EQ(batch.json("/counts/total"), std::to_string(items));
        EXPECT_EQ(batch.json("/counts/done"), std::to_string(items));
        EXPECT_EQ(seen.done, items);
        EXPECT_EQ(seen.succeeded, by_state_["succeeded"]);
        EXPECT_EQ(seen.failed, by_state_["failed"]);
        for (const auto& [key, state] : seen.ended) EXPECT_EQ(by_key_[key], state) << key << " was shown otherwise";
    }

    void look_at_what_was_promised()
    {
        for (const auto& [job, result] : latecomer_->acknowledged()) {
            const Answer kept = client_.get("/v1/jobs/" + job + "/result");
            EXPECT_EQ(kept.body, result) << "an acknowledged end is gone: " << job;
        }
        const int enough = rounds_ / 20;
        EXPECT_LE(idle_rounds_, rounds_ / 10) << "faults that befell nobody";
        EXPECT_GE(latecomer_->refused(), enough);
        EXPECT_GE(latecomer_->kept(), enough);
        EXPECT_GE(static_cast<int>(latecomer_->acknowledged().size()), enough);
    }

    void tell()
    {
        const auto seen = watcher_->seen();
        std::string words;
        for (const auto& [what, count] : faults_) words += fmt::format(", {} {}", count, what);
        std::cout << fmt::format(
            "  {}\n  {} items in {} hand-outs: {} succeeded, {} failed; {} late answers refused, {} of them kept; {} "
            "handlers told that their lease was lost; {} calls to append replayed; {} faults found no item "
            "live\n  who watched: {} connects, {} "
            "resumed, {} resets, {} events\n",
            words.substr(2), items, attempts_, by_state_["succeeded"], by_state_["failed"], latecomer_->refused(),
            latecomer_->kept(), fleet_->told_lost(), replayed_, idle_rounds_, seen.connects, seen.resumed, seen.resets,
            seen.events);
    }

    std::mt19937 random_;
    int rounds_;
    Server server_;
    Client client_;
    std::string batch_;
    int fed_ = 0;      ///< items given to the server; the feeder's while it runs
    int replayed_ = 0; ///< the feeder's
    std::map<std::string, int> faults_, by_state_;
    std::map<std::string, std::string> by_key_;
    int attempts_ = 0;
    int idle_rounds_ = 0; ///< those that found every item ended
    std::mutex mutex_;
    std::condition_variable next_round_;
    int round_ = 0;     ///< guarded by mutex_: those that are over
    bool over_ = false; ///< guarded by mutex_: no round follows
    std::optional<Fleet> fleet_;
    std::optional<Watcher> watcher_;
    std::optional<Latecomer> latecomer_;
    std::thread feeder_;
};

TEST(Kill, F6F7F10EveryItemEndsOnceWhoeverIsKilledStoppedOrStartedAnew)
{
    const unsigned seed = number_from("FRESHET_TEST_SEED", std::random_device{}() % 1'000'000);
    const int rounds = static_cast<int>(number_from("FRESHET_TEST_ROUNDS", 200));
    const auto began = std::chrono::steady_clock::now();
    std::cout << fmt::format("  {} rounds, FRESHET_TEST_SEED={}\n", rounds, seed) << std::flush;
    {
        KillRun run{seed, rounds};
        run.run();
        if (!testing::Test::HasFailure()) run.look_at_the_end();
    }
    std::cout << fmt::format("  took {:.1f} s\n",
                             std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count());
}

} // namespace
} // namespace freshet::outside
