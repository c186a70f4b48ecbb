// SPDX-License-Identifier: Apache-2.0
#pragma once
// The ledger tail: how every core learns of what was committed, in order (F4 over cores, F10).
//
// Life: one object, made by app before any thread. The engine thread publishes a Notice after its commit: it goes into
// every core's inbox first, then `published` is stored (release), then, once the replies are there as well, cores that
// have something new are woken. A core loads
// published() (acquire) before each hit and each frame and, when it is ahead of what it applied, drains its inbox
// exactly up to it. So an answer that one core gave after a commit can not be undercut by another core's later answer.
// Replies to requests travel in the same inbox, behind the notices of their commit.
// Threads: publish() on the engine thread; drain() of a core on that core's thread; published() on any.
// Always holds: positions grow by one; nothing is applied beyond the position that was loaded.

#include "engine/view.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

namespace freshet {

/// Runs on that core's thread behind every notice published before; core < 0: at once, on the engine thread.
struct Delivery {
    int core = -1;
    std::function<void()> reply;
};

/// Where the engine says what was committed, and where it answers. The tail in a server, a list in a test.
class CommitSink {
public:
    virtual ~CommitSink() = default;
    /// All of one commit. @param notice  null: nothing was changed.
    virtual void publish(std::shared_ptr<const Notice> notice, std::vector<Delivery> replies) = 0;
};

class Tail final : public CommitSink {
public:
    /// @param cores  number of inboxes, at least 0.
    explicit Tail(int cores);

    /// Called from the engine thread after something was put into the core's inbox; must not block. Set before threads
    /// start.
    void on_wake(int core, std::function<void()> wake);

    void publish(std::shared_ptr<const Notice> notice, std::vector<Delivery> replies = {}) override;

    /// Position of the last notice that is in every inbox.
    std::uint64_t published() const { return published_.load(std::memory_order_acquire); }

    /// Applies the core's notices in order up to `position`, and hands over each reply that lies between them.
    /// `on_reply` should post the reply for later: it may be called in the midst of another request.
    void drain(int core, std::uint64_t position,
               const std::function<void(const std::shared_ptr<const Notice>&)>& on_notice,
               const std::function<void(std::function<void()>)>& on_reply);

    /// Entries in the fullest inbox: above a bound the engine's inbox takes no more writes (503 busy).
    std::size_t backlog() const;

private:
    struct Entry {
        std::uint64_t position; ///< of a reply: of the notice before it
        std::shared_ptr<const Notice> notice;
        std::function<void()> reply;
    };
    struct Inbox {
        std::mutex mutex;
        std::deque<Entry> entries; ///< guarded by mutex
        std::function<void()> wake;
        std::atomic<std::size_t> size{0};
        bool has_new = false; ///< since its core was woken; the engine thread's
    };
    void put(Inbox& inbox, Entry entry);

    std::vector<std::unique_ptr<Inbox>> inboxes_;
    std::atomic<std::uint64_t> published_{0};
};

} // namespace freshet
