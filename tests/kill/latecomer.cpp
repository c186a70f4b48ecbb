// SPDX-License-Identifier: Apache-2.0
#include "tests/kill/latecomer.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace freshet::outside {

namespace {

const Headers json{{"Content-Type", "application/json"}};
constexpr std::size_t held_max = 3;
constexpr Millis server_back_within{30'000};

} // namespace

Answer ask_through(Client& client, const std::string& method, const std::string& path, const Headers& headers,
                   const std::string& body)
{
    return ask_until([&] { return client.ask(method, path, headers, body); },
                     [](const Answer& answer) { return answer.status != 0 && answer.status != 503; },
                     server_back_within);
}

Latecomer::Latecomer(std::string url, std::string queue, unsigned seed)
    : queue_{std::move(queue)}, client_{std::move(url)}, random_{seed}
{
    thread_ = std::thread{[this] { work(); }};
}

Latecomer::~Latecomer()
{
    stop();
}

void Latecomer::stop()
{
    leave_ = true;
    if (thread_.joinable()) thread_.join();
}

void Latecomer::work()
{
    const auto until = [&] { return std::chrono::steady_clock::now() + server_back_within; };
    auto give_up_at = until();
    while (!leave_ || !held_.empty()) {
        if (!leave_ && (held_.size() < held_max || random_() % 2 == 0)) claim();
        if (!leave_) give_up_at = until();
        std::erase_if(held_, [&](Held& held) { return answer_late(held); });
        if (std::chrono::steady_clock::now() < give_up_at) continue;
        ADD_FAILURE() << held_.front().job << " was never given to another";
        return;
    }
}

void Latecomer::claim()
{
    // Another name each time: what it holds is nobody's until its lease is over.
    const std::string worker = fmt::format("late{}", ++claims_);
    const Answer given =
        client_.post("/v1/work/claim", json,
                     fmt::format(R"({{"worker":"{}","queues":["{}"],"slots":1,"wait":0.3}})", worker, queue_));
    if (given.status != 200 || !given.json("/jobs/0/id")) return; // a server that went away, or no work
    const Held held{given.json("/jobs/0/id").value_or(""), given.json("/jobs/0/fence").value_or("0"),
                    std::stoi(given.json("/jobs/0/attempt").value_or("0"))};
    if (held_.size() == held_max || random_() % 2 == 0)
        complete_at_once(held);
    else
        held_.push_back(held);
}

void Latecomer::complete_at_once(const Held& held)
{
    const std::string result = fmt::format(R"("prompt {}")", held.fence);
    const Answer done = ask_through(client_, "POST", "/v1/work/" + held.job + "/complete", json,
                                    fmt::format(R"({{"fence":{},"result":{}}})", held.fence, result));
    // Refused only if the server stood still for longer than the lease in between.
    EXPECT_TRUE(done.status == 200 || done.status == 409) << done.body << done.error;
    if (done.status == 200) acknowledged_[held.job] = result;
}

bool Latecomer::answer_late(Held& held)
{
    // Answered when the job changes.
    const Answer now = ask_through(client_, "GET", fmt::format("/v1/jobs/{}?after_seq={}", held.job, held.seq),
                                   {{"Prefer", "wait=0.2"}});
    EXPECT_EQ(now.status, 200) << now.body << now.error;
    const bool ended = now.json("/finished_at").has_value();
    held.seq = now.json("/seq").value_or("0");
    if (!ended && std::stoi(now.json("/attempt").value_or("0")) == held.attempt) return false;
    const std::string result = fmt::format(R"("late {}")", held.fence);
    const Answer late = ask_through(client_, "POST", "/v1/work/" + held.job + "/complete", json,
                                    fmt::format(R"({{"fence":{},"result":{}}})", held.fence, result));
    EXPECT_EQ(late.status, 409) << late.body << late.error;
    EXPECT_EQ(late.json("/code"), "lease_lost") << late.body;
    EXPECT_TRUE(late.json("/try")) << late.body;
    ++refused_;
    const Answer after = ask_through(client_, "GET", "/v1/jobs/" + held.job);
    const bool kept = after.json("/late_result/fence") == held.fence;
    // What succeeded meanwhile has its result; of several late ones the newest hand-out's is kept.
    EXPECT_TRUE(kept || after.json("/state") == "succeeded" ||
                std::stoll(after.json("/late_result/fence").value_or("0")) > std::stoll(held.fence))
        << after.body;
    kept_ += kept;
    return true;
}

} // namespace freshet::outside
