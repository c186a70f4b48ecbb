// SPDX-License-Identifier: Apache-2.0
#pragma once
// Drives transfers over sockets: one libcurl multi handle, and so one pool of open connections, per pool name.
//
// A connection that was opened (and checked) for one source is never used by another one, since libcurl only looks for
// open connections within a multi handle. All handles share one epoll and one timer queue, so thousands of sources cost
// nothing while they are quiet; a pool that had no transfer for idle_max is closed with its connections.
// Life: transfers are borrowed between add() and either their call of `done` or remove().
// Threads: the runner's only, except wake().
// Always holds: `done` is called outside of libcurl, once per transfer, which is no longer in any pool then.

#include "base/clock.hpp"
#include "runners/http/transfer.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>

namespace freshet {

class Connections {
public:
    static constexpr Millis idle_max = 60s;
    static constexpr long kept_per_pool_max = 8;

    /// @param done  gets the transfer and its CURLcode; may add() and remove().
    Connections(const Clock& clock, std::function<void(Transfer&, int)> done);
    ~Connections();
    Connections(const Connections&) = delete;
    Connections& operator=(const Connections&) = delete;

    void add(const std::string& pool, Transfer& transfer);
    /// Gives the transfer up; its connection is closed. Unknown ones are ignored.
    void remove(Transfer& transfer);
    /// Waits for sockets, timers or wake(), at most `longest`, and works on what there is.
    void run(Millis longest);
    /// Ends a run() that waits, or the next one. Any thread.
    void wake();

private:
    struct Pool;
    struct Callbacks;
    void act(Pool& pool, int socket, int what);
    void collect(Pool& pool);
    void run_timers();
    Millis until_next_timer(Millis longest) const;
    void close_idle();

    const Clock& clock_;
    std::function<void(Transfer&, int)> done_;
    int epoll_ = -1;
    int wake_ = -1;
    std::map<std::string, std::unique_ptr<Pool>> pools_;
    std::unordered_map<int, Pool*> by_socket_;
    std::unordered_map<const Transfer*, Pool*> by_transfer_;
};

} // namespace freshet
