// SPDX-License-Identifier: Apache-2.0
#pragma once
// The engine: takes requests in groups, asks `model` what becomes of them, has the store keep it in one commit, and
// then tells everyone: notices first, replies after them.
//
// Life: made over an open store; start() takes up what the last process left; then step() again and again. It has no
// thread, no socket and no clock of its own: `now` comes in with each step, so that a simulation can drive it.
// Threads: one, whoever calls step(). Always holds: a reply is given only after the commit that holds its effect; a
// group whose commit failed changed nothing, here or on disk, and each of its replies is a refusal `store_failed`.

#include "base/metrics.hpp"
#include "engine/requests.hpp"
#include "engine/tail.hpp"
#include "store/store.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace freshet {

/// A request on its way to the engine.
struct Posted {
    Request request;
    int core = -1;
    ReplyTo reply;                  ///< may be empty (hints)
    std::int64_t written_ahead = 0; ///< the engine's own: of a PutResult, the payload whose bytes are on disk already
};

/// The most that one commit takes.
inline constexpr std::size_t group_requests_max = 512;
inline constexpr std::size_t group_bytes_max = 4 << 20;

struct EngineOptions {
    std::shared_ptr<const Definitions> definitions;
    std::string boot; ///< names this process in the worker ids of its built-in runners: "builtin-{boot}"
    /// By how much the wall clock is ahead of the `now` of the steps: schedules follow it. Empty: never.
    std::function<Millis()> wall_ahead{};
    /// Words of why the disk takes nothing new, or empty; asked at each step. While it has words no work is taken on or
    /// handed out, and what runs can end. Empty: there is always room.
    std::function<std::string()> disk_full{};
};

class Engine {
public:
    struct State; ///< state.hpp: the engine's own

    Engine(Store& store, CommitSink& sink, Metrics& metrics, EngineOptions options);
    ~Engine();

    /// Takes up what was left: jobs of built-in runners of former boots go back to their queues, remote leases are
    /// given their length again, schedules get their next fire. @throws StoreFailure
    void start(WallTime now);

    /// Serves a group in one commit: the requests in order (so that beats are read before leases are judged), then
    /// timers and schedules that are due, then open claims.
    /// @param group  at most group_requests_max requests and about group_bytes_max bytes of results.
    /// @return the instant at which step() is next needed without any request; nullopt: never. At or before `now`: at
    ///         once, since there is more to do than one commit takes.
    std::optional<WallTime> step(std::vector<Posted> group, WallTime now);

    /// The last step's group was not kept: whoever drives it should not hurry. Threads: the one that calls step().
    bool store_failing() const;

private:
    std::unique_ptr<State> state_;
};

} // namespace freshet
