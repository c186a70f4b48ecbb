// SPDX-License-Identifier: Apache-2.0
#include "engine/engine.hpp"

#include "base/log.hpp"
#include "engine/group.hpp"

#include <algorithm>

namespace freshet {

namespace {

constexpr Millis after_failure_wait = 200ms;
constexpr Millis pause_noticed = 1s;
/// While the disk is full: what waits for room is not told of it by anybody.
constexpr Millis full_looked_again = 1s;

// The bytes that are put on disk in chunks before the request is served; null: none.
const std::string* large_bytes(const Request& request)
{
    if (const auto* put = std::get_if<PutResult>(&request)) return put->bytes.get();
    const auto* complete = std::get_if<CompleteJob>(&request);
    const auto* result = complete == nullptr ? nullptr : std::get_if<PreparedResult>(&complete->result);
    if (result == nullptr || !result->body || result->written_ahead != 0) return nullptr;
    return result->body->bytes.size() > ahead_chunk_bytes_max ? &result->body->bytes : nullptr;
}

// One chunk of the first request that is being written ahead; true when it may go into a group.
bool write_chunk(Store& store, Ahead& ahead)
{
    const std::string& bytes = *large_bytes(ahead.posted.request);
    if (ahead.payload == 0) ahead.payload = store.begin_ahead();
    store.append_ahead(ahead.payload, std::string_view{bytes}.substr(ahead.written, ahead_chunk_bytes_max));
    ahead.written = std::min(bytes.size(), ahead.written + ahead_chunk_bytes_max);
    return ahead.written == bytes.size();
}

Posted ready_of(Ahead ahead)
{
    if (auto* complete = std::get_if<CompleteJob>(&ahead.posted.request))
        std::get<PreparedResult>(complete->result).written_ahead = ahead.payload;
    else
        ahead.posted.written_ahead = ahead.payload;
    return std::move(ahead.posted);
}

void refuse(CommitSink& sink, Posted& posted, std::string_view words)
{
    if (!posted.reply) return;
    Refused refused;
    refused.refusal = Refusal::store_failed;
    refused.message = words;
    std::vector<Delivery> one;
    one.emplace_back(posted.core, [reply = std::move(posted.reply), refused]() mutable {
        reply(std::unexpected(std::move(refused)));
    });
    sink.publish(nullptr, std::move(one));
}

// What was committed stands whatever becomes of this, so nobody is refused for it. A store that can write no more says
// so at the next commit.
void settle(Store& store)
{
    try {
        store.settle();
    } catch (const StoreFailure& failure) {
        log::warn("the store could not tidy up after a commit, which stands; it tries again after the next one",
                  {{"words", failure.what()}});
    }
}

} // namespace

Engine::Engine(Store& store, CommitSink& sink, Metrics& metrics, EngineOptions options)
    : state_{std::make_unique<State>(store, sink, metrics, std::move(options))}
{
}

Engine::~Engine() = default;

void Engine::start(WallTime now)
{
    Group group{*state_, now};
    group.take_up();
    group.commit();
}

std::optional<WallTime> Engine::step(std::vector<Posted> posted, WallTime now)
{
    State& state = *state_;
    const bool paused = state.wake_expected && now - *state.wake_expected > pause_noticed && now > *state.wake_expected;
    std::vector<Posted> requests;
    for (Posted& one : posted) {
        if (large_bytes(one.request) != nullptr)
            state.ahead.push_back({std::move(one), 0, 0});
        else
            requests.push_back(std::move(one));
    }
    if (!state.ahead.empty()) {
        try {
            if (write_chunk(state.store, state.ahead.front())) {
                requests.push_back(ready_of(std::move(state.ahead.front())));
                state.ahead.pop_front();
            }
        } catch (const StoreFailure& failure) {
            log::error("payload not written", {{"words", failure.what()}});
            Posted lost = std::move(state.ahead.front().posted);
            state.ahead.pop_front();
            refuse(state.sink, lost, failure.what());
        }
    }

    std::optional<Group> group;
    std::size_t served = 0;
    try {
        state.no_room = state.disk_full ? state.disk_full() : std::string{};
        group.emplace(state, now);
        // Ends and beats could not be kept for a while: that is nobody's silence. Leases go on as after a restart.
        if (state.failing_since && now - *state.failing_since > pause_noticed) state.started_at = now;
        for (; served < requests.size(); ++served) group->serve(requests[served]);
        group->end_timers(paused);
        group->go_on();
        group->go_on_batches();
        if (state.no_room.empty()) group->fire_schedules();
        group->upkeep();
        const auto rate_wake = group->feed_offers();
        std::optional<WallTime> wake = group->next_wake();
        group->commit();
        group.reset();
        settle(state.store);
        if (rate_wake) wake = std::min(wake.value_or(*rate_wake), *rate_wake);
        const WallTime upkeep_at = std::min(state.upkeep_at, state.walk.next_at);
        wake = std::min(wake.value_or(upkeep_at), upkeep_at);
        if (!state.ahead.empty()) wake = now;
        if (!state.no_room.empty()) wake = std::min(wake.value_or(now + full_looked_again), now + full_looked_again);
        state.wake_expected = wake;
        return wake;
    } catch (const StoreFailure& failure) {
        log::error("commit failed", {{"words", failure.what()}, {"requests", requests.size()}});
        if (group) group->refuse_all(failure.what());
        for (; served < requests.size(); ++served) refuse(state.sink, requests[served], failure.what());
        state.stale_memory = true;
        state.wake_expected.reset();
        if (!state.failing_since) state.failing_since = now;
        return now + after_failure_wait;
    }
}

bool Engine::store_failing() const
{
    return state_->stale_memory;
}

} // namespace freshet
