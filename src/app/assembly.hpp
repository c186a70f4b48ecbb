// SPDX-License-Identifier: Apache-2.0
#pragma once
// The server's parts, made in the order in which they need one another, and ended in the other one.
//
//   store -> engine -> tail -> loops            who asks: loops and the runner host, through the engine thread's inbox
//                 ^        runner host -> runners -> shaping children
//
// Life: the constructor opens the store and lets the engine take up what was left; start() binds, then lets everything
// run; stop() ends it in order. Threads: one, the caller's.

#include "app/disk_reserve.hpp"
#include "app/engine_thread.hpp"
#include "app/runner_host.hpp"
#include "base/clock.hpp"
#include "base/metrics.hpp"
#include "engine/engine.hpp"
#include "engine/reads.hpp"
#include "facade/facades.hpp"
#include "http/server.hpp"
#include "runners/shape/child_pool.hpp"
#include "runtime/pool.hpp"

#include <memory>
#include <string>
#include <vector>

namespace freshet {

class Assembly {
public:
    /// @throws Failure in words: the data folder is in use, the store's schema is newer, the token cannot be written
    /// ...
    Assembly(std::shared_ptr<const Definitions> definitions, std::shared_ptr<const FacadeSet> facades);
    ~Assembly();
    Assembly(const Assembly&) = delete;
    Assembly& operator=(const Assembly&) = delete;

    /// @throws Failure in words: the port is in use ...; nothing was fetched then.
    void start();
    /// No new connections and claims; answers on their way and flights get a bound; then everything ends. Idempotent.
    void stop();

    /// Puts other definitions in force, with the commit that the engine makes of it. Settings that only a start reads
    /// keep their value. False: the engine's inbox is full, try again.
    bool reconfigure(std::shared_ptr<const Definitions> definitions, std::shared_ptr<const FacadeSet> facades);

    int port() const { return server_->port(); }
    /// What signs a browser in as the command line of this machine, once: the end of a link to the console.
    std::string sign_in_link();

private:
    static constexpr int plain_threads = 2;
    static constexpr std::size_t plain_waiting_max = 1024;

    std::unique_ptr<Store> open_store();
    std::optional<WallTime> step(std::vector<Posted> group, WallTime now);
    std::vector<http::Component> components() const;
    ShapeCall shape_call();
    PreparedResult prepare_result(FlightData data, const SourceDefinition& source, const std::string& tenant,
                                  const std::string& key);

    // In the order of making; what is below may use what is above.
    const SystemClock system_clock_;
    const EngineClock clock_{system_clock_};
    Metrics metrics_;
    std::shared_ptr<const Definitions> definitions_;
    const std::string boot_;
    DiskReserve reserve_;
    std::unique_ptr<Store> store_;
    const std::string local_token_; ///< of the command line on this machine; its folder is the store's
    Reads reads_;
    const int loops_;
    Tail tail_;
    std::unique_ptr<Engine> engine_;
    EngineThread engine_thread_;
    http::Services services_;
    ShapePool shape_pool_;
    Pool plain_pool_{plain_threads, plain_waiting_max}; ///< shapes what needs no child
    std::shared_ptr<facade::Facades> facades_;
    std::unique_ptr<http::Server> server_;
    std::vector<std::unique_ptr<Runner>> runners_;
    std::unique_ptr<RunnerHost> host_;
    bool stopped_ = false;
};

} // namespace freshet
