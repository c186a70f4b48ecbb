// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the hub needs of the loop it lives on, and what it needs of a reader's connection. http fills both with its core
// and its sockets, tests with plain objects. Threads: the loop's.

#include "engine/reads.hpp"
#include "http/streams/frame.hpp"
#include "http/streams/topic.hpp"
#include "model/definition.hpp"
#include "model/token_scope.hpp"

#include <algorithm>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace freshet::streams {

/// Rows of a list by name, each one JSON object.
using Rows = std::map<std::string, std::string, std::less<>>;
/// By what right a stream is open. Without a token: for as long as it likes.
struct Grant {
    std::string token;     ///< what the reader's token is known by
    TokenScope scope = {}; ///< what the reader's token is limited to
    std::optional<WallTime> expires_at;
    std::uint64_t ticket = 0;                ///< a later stream with the same ticket ends this one; 0: none
    std::function<bool()> revoked = nullptr; ///< asked whenever tokens or definitions changed; null: never
    std::shared_ptr<void> slot = nullptr;    ///< given back when the stream ends
};

class HubHost {
public:
    virtual ~HubHost() = default;
    virtual WallTime now() const = 0;
    virtual SteadyTime steady() const = 0;
    virtual const std::shared_ptr<const Definitions>& definitions() const = 0;
    /// Applies every notice that is published: the hub's on_notice() is called for each.
    virtual void catch_up() = 0;
    /// The key with its body; at once or later; null when the store failed.
    virtual void view(std::string_view tenant, std::string_view key,
                      std::function<void(std::shared_ptr<const KeyView>)> then) = 0;
    /// The job with what this loop was told of its progress since its row was written.
    virtual Job with_progress(Job job) { return job; }
    /// Whether the key's source is paused, as far as this loop knows.
    virtual bool paused(std::string_view tenant, std::string_view key) = 0;
    /// Whether what the job waits in is paused: its queue, or of a refresh its source.
    virtual bool job_paused(const Job& job) { return paused(job.tenant, job.key); }
    /// The rows of topic queues, workers or schedules as the tenant is shown them now; at once or later, when all that
    /// was read is applied here; null when the store failed.
    virtual void rows(Topic::Kind list, std::string_view tenant,
                      std::function<void(std::shared_ptr<const Rows>)> then) = 0;
    virtual void off_loop(std::function<void(Reads&)> work, std::function<void(std::exception_ptr)> then) = 0;
    /// Calls `then` when everything that was on disk before this call has been published and applied here; with false
    /// when the engine has no room to be asked.
    virtual void fence(std::string_view tenant, std::function<void(bool)> then) = 0;
    virtual void after(Millis delay, std::function<void()> then) = 0;
};

/// One reader. Its backlog is what the hub goes by: it writes on while that is small.
class FrameSink {
public:
    virtual ~FrameSink() = default;
    virtual void send(const FramePtr& frame) = 0;
    virtual std::size_t backlog_bytes() const = 0;
    /// Everything up to the cursor was sent and nothing waits: a long poll answers now if it has something to say.
    virtual void caught_up(Cursor cursor) = 0;
    /// What was sent goes out, then the stream ends.
    virtual void close() = 0;
};

} // namespace freshet::streams
