// SPDX-License-Identifier: Apache-2.0
#pragma once
// One event loop: its accept socket, its connections, its core. And what all loops of a server share.
//
// Life: made by the server, runs on one thread of its own, ends with stop() in two steps: no new connections and every
// answer that is on its way within a bound, then everything at once. Threads: its own; what says otherwise may be
// called from any.

#include "http/counters.hpp"
#include "http/loop_core.hpp"
#include "http/request_limits.hpp"
#include "http/router.hpp"
#include "http/socket_poll.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/intrusive/list.hpp>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

namespace freshet::http {

class Connection;
class OwnRoutes;

/// Connections of all loops, and of each peer. Threads: any.
class ConnectionLimits {
public:
    /// False: one too many; `why` then says of which.
    bool admit(const std::string& peer, int all_max, int peer_max, std::string_view& why);
    void leave(const std::string& peer);

private:
    std::mutex mutex_;
    int all_ = 0;                                ///< guarded by mutex_
    std::unordered_map<std::string, int> peers_; ///< guarded by mutex_
};

/// What every loop of one server uses; immutable but for the limits.
struct Shared {
    Router router;
    ConnectionLimits limits;
    RequestLimits requests;
    std::shared_ptr<OwnRoutes> own_routes; ///< that the config makes; null: none
};

using ConnectionHook = boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

class Loop {
public:
    Loop(Shared& shared, LoopCoreOptions options);
    ~Loop();
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    /// Binds with SO_REUSEPORT. @throws Failure in words: what is in the way and what to try.
    boost::asio::ip::tcp::endpoint listen(const boost::asio::ip::tcp::endpoint& endpoint);
    /// Runs until stop() has ended. For the loop's thread.
    void run();
    /// Begins to stop: streams say goodbye, idle connections go, the others have until `bound`. Threads: any.
    void stop(Millis bound);
    /// Sweeps deadlines and fires timers now, as the next tick would. Threads: any.
    void tick();

    LoopCore& core() { return core_; }
    Shared& shared() { return shared_; }
    LoopCounters& counters() { return *counters_; }
    std::shared_ptr<const LoopCounters> counters_shared() const { return counters_; }
    const Gate& gate() { return core_.gate(); }
    bool stopping() const { return stopping_; }
    /// Steady time as of the last sweep: good enough for deadlines of seconds.
    SteadyTime coarse_now() const { return coarse_now_; }
    void left(const std::string& peer);
    boost::asio::io_context& io() { return io_; }
    SocketPoll& poll() { return poll_; }

private:
    using Connections = boost::intrusive::list<Connection, boost::intrusive::base_hook<ConnectionHook>,
                                               boost::intrusive::constant_time_size<false>>;
    void accept();
    void take(boost::asio::ip::tcp::socket socket);
    void sweep();
    void arm_sweep();
    void end_if_empty();

    Shared& shared_;
    std::shared_ptr<LoopCounters> counters_ = std::make_shared<LoopCounters>();
    boost::asio::io_context io_;
    SocketPoll poll_;
    Connections connections_;
    LoopCore core_;
    boost::asio::ip::tcp::acceptor acceptor_;
    boost::asio::steady_timer sweep_timer_;
    SteadyTime coarse_now_{};
    std::optional<SteadyTime> drop_at_;
    bool stopping_ = false;
};

} // namespace freshet::http
