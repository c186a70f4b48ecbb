// SPDX-License-Identifier: Apache-2.0
// F8 from outside: whatever a source does wrong, its refresh ends in words and in time, the last good data stays and
// says what it is, nothing leaks, and the next good answer is taken.
//
// Each fault has a source of its own, so that all are seen at once and none trips another's breaker. A round: the
// fault, the refresh that meets it, a read; then the fault is gone, a refresh, a read. Lengths: 6 rounds; with
// FRESHET_TEST_LONG=1 twenty. Descriptors and memory are compared after the second round and after the last.

#include "runners/http/test_tls.hpp"
#include "tests/http/harness.hpp"
#include "tests/http/load.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <fstream>
#include <gmock/gmock.h>
#include <iostream>
#include <mutex>
#include <set>
#include <thread>

namespace freshet::outside {
namespace {

using testing::AllOf;
using testing::Ge;
using testing::Le;

constexpr int rows = 10;
constexpr std::int64_t grown_most_kib = 24 << 10;
constexpr std::size_t descriptors_most = 6; ///< connections that are kept, and children that come and go

// A port where connecting never ends: its queue is full and nobody takes from it.
class NeverAccepts {
public:
    NeverAccepts() : listener_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)}
    {
        address_.sin_family = AF_INET;
        address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address_;
        auto* generic = reinterpret_cast<sockaddr*>(&address_);
        ::bind(listener_, generic, size);
        ::listen(listener_, 0);
        ::getsockname(listener_, generic, &size);
        for (int& one : in_queue_) {
            one = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
            ::connect(one, generic, size);
        }
    }
    ~NeverAccepts()
    {
        for (const int one : in_queue_) ::close(one);
        ::close(listener_);
    }
    NeverAccepts(const NeverAccepts&) = delete;
    NeverAccepts& operator=(const NeverAccepts&) = delete;
    std::string url() const { return fmt::format("http://127.0.0.1:{}/", ntohs(address_.sin_port)); }

private:
    int listener_;
    sockaddr_in address_{};
    std::array<int, 4> in_queue_{};
};

struct FaultCase {
    std::string source;
    Page page;
    int status;                  ///< of the refresh that meets it
    std::set<std::string> codes; ///< of its problem
    std::string select = {};     ///< shapes with it, and then has its turn after the others: it takes its child's time
};

std::string rows_json(int first, int count)
{
    std::string text;
    for (int i = 0; i < count; ++i) text += fmt::format("{}{{\"n\":{}}}", text.empty() ? "" : ",", first + i);
    return "[" + text + "]";
}

Page redirect_to(const std::string& url)
{
    return Page{.body = "", .status = 302, .headers = {{"Location", url}}};
}

std::vector<FaultCase> all_faults(const std::string& upstream, const std::string& never_accepts,
                                  const std::string& bad_tls)
{
    const std::string jq =
        R"(if .[0] == "spin" then until(false; .) elif .[0] == "eat" then "x" | until(false; . + .) else . end)";
    return {
        {"refused", {.body = "no", .status = 403}, 502, {"blocked"}},
        {"broken", {.body = "out of order", .status = 500}, 502, {"http_status"}},
        {"missing", {.body = "where?", .status = 404}, 502, {"http_status"}},
        {"empty", {.body = "[]"}, 502, {"held"}},
        {"half", {.body = rows_json(0, rows / 2 - 1)}, 502, {"held"}},
        {"page",
         {.body = "<!doctype html><html><body>Sign in</body></html>", .content_type = "text/html"},
         502,
         {"held", "wrong_type", "bad_input"}},
        {"not_json", {.body = R"([{"n":1},{"n":)"}, 502, {"bad_input"}},
        {"reset", {.fault = Fault::reset}, 502, {"reset"}},
        {"cut", {.body = rows_json(0, rows), .fault = Fault::cut}, 502, {"truncated"}},
        {"endless", {.body = "[1]", .fault = Fault::endless}, 502, {"too_large"}},
        {"no_accept", redirect_to(never_accepts), 504, {"timeout", "run_limit"}},
        {"no_head", {.body = "[1]", .fault = Fault::hang_head}, 504, {"timeout", "run_limit"}},
        {"no_body", {.body = rows_json(0, rows), .fault = Fault::hang_body}, 504, {"timeout", "run_limit"}},
        {"tls", redirect_to(bad_tls), 502, {"tls"}},
        {"circle", redirect_to(upstream + "/circle"), 502, {"redirect_loop"}},
        {"jq_spins", {.body = R"(["spin"])"}, 504, {"timeout", "run_limit", "timed_out"}, jq},
        {"jq_eats", {.body = R"(["eat"])"}, 502, {"out_of_memory"}, jq},
    };
}

std::string config_of(const std::vector<FaultCase>& faults, const std::string& upstream)
{
    std::string config =
        "[defaults]\nmanual_limit = \"1000000/min\"\nrun_limit = \"2s\"\nfresh_for = \"1ms\"\noverdue_after = \"1h\"\n"
        "retry = { attempts = 1, wait = \"100ms\", max_wait = \"200ms\" }\nmax_bytes = \"1MiB\"\n"
        "guard = { shrink = \"50%\" }\n";
    for (const FaultCase& fault : faults) {
        config +=
            fmt::format("[source.{0}]\nkind = \"http\"\nurl = \"{1}/{0}\"\nallow_private = true\nformat = \"json\"\n",
                        fault.source, upstream);
        // Eating takes its time on a busy machine; spinning is ended by the limit.
        if (!fault.select.empty()) config += fmt::format("select = '{}'\n", fault.select);
        if (fault.source == "jq_eats") config += "run_limit = \"30s\"\n";
    }
    return config;
}

// Once through a fault and out of it again.
void go_through(const FaultCase& fault, Upstream& upstream, Client client, int round)
{
    const std::string path = "/" + fault.source, data = "/v1/data" + path;
    const std::string where = fmt::format("{}, round {}: ", fault.source, round);
    const Answer before = client.get(data);
    upstream.set(path, fault.page);

    const Answer met = client.refresh(fault.source);
    EXPECT_EQ(met.status, fault.status) << where << met.body << met.error;
    EXPECT_TRUE(fault.codes.contains(met.json("/code").value_or(""))) << where << met.body;
    EXPECT_FALSE(met.json("/detail").value_or("").empty()) << where << met.body;
    EXPECT_EQ(met.freshet("outcome"), met.json("/code") == "held" ? "held" : "failed")
        << where << met.header("freshet");
    EXPECT_TRUE(met.json("/last_good/gen").has_value()) << where << met.body;

    const Answer kept = client.get(data);
    EXPECT_EQ(kept.status, 200) << where << kept.body;
    EXPECT_EQ(kept.body, before.body) << where << "the last good is gone";
    EXPECT_EQ(kept.freshet("ver"), before.freshet("ver")) << where;
    // A source that answers, but with what nobody believes, does not fail: the flag says what is the matter.
    const bool held = met.json("/code") == "held";
    EXPECT_EQ(kept.freshet("state"), held ? "stale" : "failing") << where << kept.header("freshet");
    EXPECT_EQ(kept.freshet("held"), held ? "?1" : "") << where << kept.header("freshet");

    const std::string good = rows_json(1'000 * round, rows);
    upstream.set(path, good);
    // A source that asked to be left alone, and one that failed in the background meanwhile, say `limited` for a
    // moment.
    const Answer again =
        ask_until([&] { return client.refresh(fault.source); }, [](const Answer& one) { return one.status != 429; });
    EXPECT_EQ(again.status, 200) << where << again.body << again.error;
    EXPECT_EQ(again.body, good) << where;
    const Answer after = client.get(data);
    EXPECT_NE(after.freshet("state"), "failing") << where;
    EXPECT_EQ(after.freshet("held"), "") << where;
}

std::size_t descriptors(pid_t pid)
{
    const std::filesystem::directory_iterator all{fmt::format("/proc/{}/fd", pid)};
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

std::int64_t memory_kib(pid_t pid)
{
    std::ifstream in{fmt::format("/proc/{}/status", pid)};
    for (std::string word; in >> word;) {
        std::int64_t kib = 0;
        if (word == "VmRSS:" && in >> kib) return kib;
    }
    return 0;
}

TEST(GoodDataSurvives, F8EveryFaultIsToldInWordsKeepsTheLastGoodAndLeaksNothing)
{
    Upstream upstream;
    const NeverAccepts never_accepts;
    const test::Certificate certificate; // nobody trusts it
    test::TestServer bad_tls{test::over_tls(certificate, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n[1]")};
    const std::vector<FaultCase> faults = all_faults(upstream.url(), never_accepts.url(), test::https_url(bad_tls));
    for (const FaultCase& fault : faults) upstream.set("/" + fault.source, rows_json(0, rows));
    const Server server{config_of(faults, upstream.url())};
    for (const FaultCase& fault : faults)
        ASSERT_EQ(server.client().get("/v1/data/" + fault.source).status, 200) << fault.source;

    const int rounds = long_run() ? 20 : 6;
    std::size_t descriptors_before = 0, children_before = 0;
    std::int64_t memory_before = 0;
    for (int round = 1; round <= rounds && !testing::Test::HasFailure(); ++round) {
        for (const bool shaped : {false, true}) {
            std::vector<std::thread> threads;
            for (const FaultCase& fault : faults)
                if (fault.select.empty() != shaped)
                    threads.emplace_back([&, round] { go_through(fault, upstream, server.client(), round); });
            for (std::thread& thread : threads) thread.join();
        }
        if (round != 2) continue;
        descriptors_before = descriptors(server.pid());
        children_before = server.descendants().size();
        memory_before = memory_kib(server.pid());
    }
    std::size_t left = descriptors(server.pid());
    for (int i = 0; i < 400 && left > descriptors_before + descriptors_most;
         ++i) { // connections are closed a moment later
        ::usleep(5'000);
        left = descriptors(server.pid());
    }
    const std::int64_t memory = memory_kib(server.pid());
    std::cout << fmt::format("  {} rounds of {} faults; descriptors {} to {}, memory {} to {} KiB, children {} to {}\n",
                             rounds, faults.size(), descriptors_before, left, memory_before, memory, children_before,
                             server.descendants().size());
    EXPECT_LE(left, descriptors_before + descriptors_most);
    EXPECT_LE(memory, memory_before + grown_most_kib);
    EXPECT_LE(server.descendants().size(), children_before + 1);
}

} // namespace
} // namespace freshet::outside
