// SPDX-License-Identifier: Apache-2.0
#include "bench/store/refreshes.hpp"

#include "wire/canonical.hpp"

#include <algorithm>
#include <ctime>
#include <fmt/format.h>
#include <stdexcept>

namespace freshet::bench {

namespace {

constexpr char source_name[] = "doc";
constexpr char worker_name[] = "builtin-bench";
constexpr int rows_per_body = 8;

std::shared_ptr<const Definitions> definitions_with(std::int64_t keys)
{
    auto source = std::make_shared<SourceDefinition>();
    source->name = source->queue = source_name;
    source->kind = SourceKind::command;
    source->command.run = {"true"};
    source->params.resize(1);
    source->hash = hash64(source_name);
    source->manual_limit = {};
    source->concurrency = 1000;
    source->keys_max = 2 * keys;
    auto made = std::make_shared<Definitions>();
    made->sources[source_name] = std::move(source);
    return made;
}

/// 400 bytes of JSON that no other refresh has.
std::shared_ptr<const Body> body_of(std::int64_t number)
{
    auto body = std::make_shared<Body>();
    body->bytes = "[";
    for (int row = 0; row < rows_per_body; ++row)
        body->bytes += fmt::format(R"({}{{"id":{:08},"price":{},"name":"offer {:04}"}})", row == 0 ? "" : ",",
                                   number * rows_per_body + row, number % 997, row);
    body->bytes += "]";
    body->hash = hash128(body->bytes);
    body->rows = rows_per_body;
    return body;
}

double cpu_now()
{
    timespec time{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

[[noreturn]] void fail(const Refused& refused)
{
    throw std::runtime_error{fmt::format("the engine refused: {}", refused.message)};
}

} // namespace

Refreshes::Refreshes(Store& store, std::int64_t first_key, std::int64_t keys)
    : clock_{system_}, definitions_{definitions_with(keys)}, first_key_{first_key}, keys_{keys}
{
    engine_ = std::make_unique<Engine>(store, *this, metrics_, EngineOptions{definitions_, "bench"});
    engine_->start(clock_.wall());
}

Refreshes::~Refreshes() = default;

void Refreshes::publish(std::shared_ptr<const Notice> notice, std::vector<Delivery> replies)
{
    if (notice) {
        ++measured_.commits;
        for (const auto& tenant : notice->events) measured_.events += static_cast<std::int64_t>(tenant.entries.size());
    }
    for (const Delivery& delivery : replies) delivery.reply();
}

void Refreshes::ask()
{
    ++under_way_;
    AskRefresh request;
    request.tenant = "default";
    request.key = fmt::format("{}/{}", source_name, first_key_ + next_key_);
    request.source = source_name;
    request.caller = "bench";
    next_key_ = (next_key_ + 1) % keys_;
    waiting_.push_back({std::move(request), -1, [](Reply reply) {
                            if (!reply) fail(reply.error());
                        }});
}

void Refreshes::offer()
{
    waiting_.push_back({ClaimWork{worker_name, {source_name}, callers_}, -1, [this](Reply reply) {
                            if (!reply) fail(reply.error());
                            const auto& claimed = std::get<Claimed>(*reply);
                            // Another offer took its place.
                            if (claimed.jobs.empty()) return;
                            for (const ClaimedJob& job : claimed.jobs) complete(job);
                            offer();
                        }});
}

void Refreshes::complete(const ClaimedJob& claimed)
{
    CompleteJob request;
    request.job = claimed.job->id;
    request.fence = claimed.job->fence;
    PreparedResult result;
    result.body = body_of(++bodies_);
    request.result = std::move(result);
    waiting_.push_back({std::move(request), -1, [this](Reply reply) {
                            if (!reply) fail(reply.error());
                            ++measured_.refreshes;
                            --under_way_;
                            if (!ending_) ask();
                        }});
}

Measured Refreshes::run(int callers, double seconds, std::int64_t count)
{
    using SteadyClock = std::chrono::steady_clock;
    callers_ = callers;
    ending_ = false;
    measured_ = {};
    const auto begun = SteadyClock::now();
    const double cpu = cpu_now();
    const auto since = [&] { return std::chrono::duration<double>(SteadyClock::now() - begun).count(); };
    offer();
    for (int i = 0; i < callers; ++i) ask();
    while (under_way_ > 0) {
        ending_ = ending_ || (since() >= seconds && measured_.refreshes + under_way_ >= count);
        std::vector<Posted> group;
        const auto taken =
            waiting_.begin() + static_cast<std::ptrdiff_t>(std::min(waiting_.size(), group_requests_max));
        group.assign(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(taken));
        waiting_.erase(waiting_.begin(), taken);
        engine_->step(std::move(group), clock_.wall());
        if (engine_->store_failing()) throw std::runtime_error{"the store failed"};
    }
    measured_.seconds = since();
    measured_.cpu_seconds = cpu_now() - cpu;
    return measured_;
}

} // namespace freshet::bench
