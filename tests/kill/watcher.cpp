// SPDX-License-Identifier: Apache-2.0
#include "tests/kill/watcher.hpp"

#include <gtest/gtest.h>
#include <set>

namespace freshet::outside {

namespace {

const std::set<std::string> batch_ends{"succeeded", "partial", "failed", "cancelled", "aborted"};
const std::set<std::string> item_ends{"succeeded", "failed", "cancelled"};
/// As EventSource does, which waits before it comes back; a server that is away would be asked without pause else.
constexpr Millis come_back_after{20};

std::int64_t number(const StreamEvent& event, const std::string& pointer)
{
    return std::stoll(event.json(pointer).value_or("0"));
}

} // namespace

Watcher::Watcher(std::string url, std::string batch) : url_{std::move(url)}, batch_{std::move(batch)}
{
    thread_ = std::thread{[this] { watch(); }};
}

Watcher::~Watcher()
{
    leave_ = true;
    thread_.join();
}

void Watcher::watch()
{
    while (!leave_) {
        EventStream stream{url_, "/v1/stream?topic=batch/" + batch_, {}, cursor_};
        {
            const std::lock_guard lock{mutex_};
            ++seen_.connects;
        }
        while (!leave_) {
            const auto event = stream.next(Millis{100});
            if (event)
                take(*event);
            else if (stream.over())
                break;
            const std::lock_guard lock{mutex_};
            if (!seen_.state.empty()) return;
        }
        std::this_thread::sleep_for(come_back_after);
    }
}

void Watcher::take(const StreamEvent& event)
{
    const std::lock_guard lock{mutex_};
    if (!event.id.empty()) cursor_ = event.id;
    ++seen_.events;
    if (event.event == "hello") {
        seen_.resumed += event.json("/resume") == "ok";
        seen_.resets += event.json("/resume") == "reset";
    } else if (event.event == "reset") {
        ++seen_.resets;
    }
    if (event.json("/batch/id")) take_counts(event);
    take_items(event);
    came_.notify_all();
}

void Watcher::take_counts(const StreamEvent& event)
{
    EXPECT_EQ(event.json("/batch/id"), batch_);
    const auto grow = [&](std::int64_t& known, const char* name) {
        const std::int64_t now = number(event, std::string{"/batch/counts/"} + name);
        EXPECT_GE(now, known) << name << " fell: " << event.data;
        known = now;
    };
    grow(seen_.total, "total");
    grow(seen_.done, "done");
    grow(seen_.succeeded, "succeeded");
    grow(seen_.failed, "failed");
    const std::string state = event.json("/batch/state").value_or("");
    if (!batch_ends.contains(state)) return;
    EXPECT_EQ(seen_.done, seen_.total) << "ended, and not all is done: " << event.data;
    seen_.state = state;
}

void Watcher::take_items(const StreamEvent& event)
{
    for (int i = 0; const auto key = event.json("/items/" + std::to_string(i) + "/key"); ++i) {
        const std::string state = event.json("/items/" + std::to_string(i) + "/state").value_or("");
        const auto known = seen_.ended.find(*key);
        if (known != seen_.ended.end()) {
            EXPECT_EQ(state, known->second) << *key << " had ended: " << event.data;
        } else if (item_ends.contains(state)) {
            seen_.ended.emplace(*key, state);
        }
    }
}

bool Watcher::await_done(std::int64_t count, Millis within)
{
    std::unique_lock lock{mutex_};
    return came_.wait_for(lock, within, [&] { return seen_.done >= count; });
}

bool Watcher::await_end(Millis within)
{
    std::unique_lock lock{mutex_};
    return came_.wait_for(lock, within, [&] { return !seen_.state.empty(); });
}

Watcher::Seen Watcher::seen() const
{
    const std::lock_guard lock{mutex_};
    return seen_;
}

} // namespace freshet::outside
