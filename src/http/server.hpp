// SPDX-License-Identifier: Apache-2.0
#pragma once
// The HTTP server: one event loop and one thread per core, each with its own accept socket.
//
// Life: made by app over a tail and an engine port, before the engine's thread runs (what the tail knows then is what
// every core begins with); start() binds and serves, stop() ends in order. Threads: app's; port() any.
// Always holds: the tail has one inbox per loop; after stop() has returned no handler runs any more.

#include "base/clock.hpp"
#include "engine/requests.hpp"
#include "engine/tail.hpp"
#include "http/route.hpp"
#include "http/services.hpp"

#include <memory>
#include <string>
#include <vector>

namespace freshet::http {

class Loop;
class OwnRoutes;

struct ServerOptions {
    std::string listen = "127.0.0.1:7878"; ///< "127.0.0.1:0" and ":0" take any free port
    int loops = 1;                         ///< as many as the tail has inboxes
    const Clock& clock;
    EnginePort& engine;
    Tail& tail;
    Services& services;
    std::shared_ptr<const Definitions> definitions;
    std::string local_token;                    ///< of the command line on this machine; empty: none
    std::vector<Routes> routes;                 ///< all_routes() in the program
    std::shared_ptr<OwnRoutes> own_routes = {}; ///< that the config makes; null: none
    Millis stop_within = 5s;                    ///< what answers that are on their way get
};

class Server {
public:
    /// @throws StoreFailure when the ledger's heads can not be read.
    explicit Server(ServerOptions options);
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    /// One loop per core for 0.
    static int loops_for(int configured);

    /// @throws Failure in words: port in use, no such address ...
    void start();
    void stop();
    int port() const;

    /// What a tick of every loop does, now. For tests that move a manual clock.
    void tick();
    /// For tests: open connections of a loop, by which one is known to be on it.
    std::uint64_t connections(int loop) const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

/// Every subject's routes.
std::vector<Routes> all_routes();

} // namespace freshet::http
