// SPDX-License-Identifier: Apache-2.0
#pragma once
// What one event loop knows and can do for its handlers: the read cache, the ledger tail's end on this core, waits.
//
// Life: one per loop, made before its thread starts, ends after it. Threads: the loop's only, but for stop().
// Always holds: before anything is read from the cache, catch_up() has applied every notice that was published (F4 over
// cores); replies and waits are called from the loop, never from inside the call that registered them.

#include "engine/reads.hpp"
#include "engine/requests.hpp"
#include "engine/tail.hpp"
#include "http/services.hpp"
#include "http/work_table.hpp"

#include <exception>
#include <functional>
#include <memory>
#include <string_view>

namespace freshet::http {

class Gate;

/// How a wait for a job ended.
struct JobWait {
    std::shared_ptr<const Job> job; ///< as last known; null if it was never seen
    bool over = false;              ///< terminal; false: the time was up
};

class Core {
public:
    virtual ~Core() = default;
    virtual int index() const = 0;
    virtual WallTime now() const = 0;
    virtual SteadyTime steady() const = 0;
    /// The definitions in force at the position this core has applied.
    virtual const std::shared_ptr<const Definitions>& definitions() const = 0;
    /// Who may speak, by the definitions and tokens in force at that position.
    virtual const Gate& gate() = 0;
    /// Tokens of the store at that position. Never null.
    virtual const std::shared_ptr<const std::vector<TokenRecord>>& tokens() const = 0;

    /// Applies every notice published so far.
    virtual void catch_up() = 0;

    /// The key as this core knows it, with its body; read from the store when it is not in the cache. `then` is called
    /// at once on a hit, later otherwise; with null when the store failed.
    using GotView = std::function<void(std::shared_ptr<const KeyView>)>;
    virtual void view(std::string_view tenant, std::string_view key, GotView then) = 0;
    /// The cached view or null, without asking the store. Valid until the next catch_up().
    virtual const KeyView* cached(std::string_view tenant, std::string_view key) = 0;

    /// Posts to the engine; the reply comes on this loop, behind the notices of its commit. False: busy, answer 503.
    virtual bool post(Request request, ReplyTo reply) = 0;
    /// A stale key was read: at most one hint per key until a flight or a change is seen.
    virtual void hint_refresh(std::string_view tenant, std::string_view key, std::string_view source) = 0;

    /// Runs `work` on a pool thread that may read the disk or compress, then `then` on this loop with what it threw.
    virtual void off_loop(std::function<void(Reads&)> work, std::function<void(std::exception_ptr)> then) = 0;

    /// Waits for the job's end (following superseded_by), at most until `until`. The number cancels it.
    virtual std::uint64_t wait_job(JobId job, SteadyTime until, std::function<void(JobWait)> then) = 0;
    /// Waits until the key's view satisfies `enough` after some notice, at most until `until` (null then).
    virtual std::uint64_t wait_key(std::string_view tenant, std::string_view key, SteadyTime until,
                                   std::function<bool(const KeyView&)> enough, GotView then) = 0;
    virtual void cancel_wait(std::uint64_t wait) = 0;
    /// Calls `then` after `delay`; the number cancels it.
    virtual std::uint64_t after(Millis delay, std::function<void()> then) = 0;

    /// Every notice as it is applied, in order: for the streams of this core.
    virtual void on_notice(std::function<void(const std::shared_ptr<const Notice>&)> listener) = 0;
    /// Called once when the server begins to stop: streams say goodbye and close.
    virtual void on_stop(std::function<void()> listener) = 0;

    /// Workers and queues as the notices so far told of them, and what is kept of claims.
    virtual WorkTable& work() = 0;

    virtual Services& services() = 0;
    /// What the stream routes keep per core (their hub); null until they put it there. Ends with the core, on its
    /// thread.
    virtual std::shared_ptr<void>& streams() = 0;
};

} // namespace freshet::http
