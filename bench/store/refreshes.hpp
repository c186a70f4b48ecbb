// SPDX-License-Identifier: Apache-2.0
#pragma once
// Callers that refresh again and again, on the real engine over a real store: each asks, the worker claims and
// completes, and when the end is acknowledged, which is after its commit, the caller asks for another key.
//
// A group is whatever waits when the engine comes round, as in the server; the fetch itself takes no time, so that only
// engine and store are measured. One thread. Always holds: at most `callers` refreshes are under way.

#include "base/clock.hpp"
#include "engine/engine.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace freshet::bench {

struct Measured {
    std::int64_t refreshes = 0, commits = 0, events = 0;
    double seconds = 0, cpu_seconds = 0;
};

class Refreshes final : public CommitSink {
public:
    /// @param first_key  the keys "doc/{first_key}" and on are refreshed in turn,
    /// @param keys       so many; more than twice the callers.
    Refreshes(Store& store, std::int64_t first_key, std::int64_t keys);
    ~Refreshes() override;

    /// Refreshes until `seconds` are over and `count` are done, and those under way with them.
    /// @throws std::runtime_error when a request is refused.
    Measured run(int callers, double seconds, std::int64_t count);

    void publish(std::shared_ptr<const Notice> notice, std::vector<Delivery> replies) override;

private:
    void ask();
    void offer();
    void complete(const ClaimedJob& claimed);

    SystemClock system_;
    EngineClock clock_;
    std::shared_ptr<const Definitions> definitions_;
    Metrics metrics_;
    std::unique_ptr<Engine> engine_;
    std::vector<Posted> waiting_;
    std::int64_t first_key_, keys_, next_key_ = 0, bodies_ = 0;
    int callers_ = 0, under_way_ = 0;
    bool ending_ = false;
    Measured measured_;
};

} // namespace freshet::bench
