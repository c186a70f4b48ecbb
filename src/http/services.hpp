// SPDX-License-Identifier: Apache-2.0
#pragma once
// What handlers may use beside their core: one object per server, shared by every loop.
//
// Life: made by app before the server, ends after it. Threads: any; what is not const here guards itself.

#include "base/metrics.hpp"
#include "base/time.hpp"
#include "engine/reads.hpp"
#include "http/embedded.hpp"
#include "http/large_results.hpp"
#include "http/sign_in_links.hpp"
#include "http/tickets.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace freshet::http {

class Core;

/// One part of the server as /readyz shows it.
struct Component {
    std::string name; ///< "store", "engine", "runners"
    bool ready = true;
    std::string text; ///< why not, and what to try; empty when ready
};

struct Services {
    Metrics& metrics;
    Reads& reads;
    std::string instance;                               ///< random, of this process: streams carry it
    std::string version;                                ///< of the program
    WallTime started_at;                                ///< engine time
    std::uint64_t epoch = 1;                            ///< of the ledger, read once at start: cursors are "epoch:seq"
    std::function<std::vector<Component>()> components; ///< asked at each /readyz; may be empty: ready
    std::shared_ptr<const std::string> openapi;         ///< text of /openapi.json; null: 404
    double speed = 1.0;
    /// Runs `work` on that loop, with its core. False: there is no such loop, or it stops. Set by the server.
    std::function<bool(int loop, std::function<void(Core&)> work)> on_loop = {};
    std::shared_ptr<LargeResults> large_results = std::make_shared<LargeResults>();
    std::shared_ptr<StreamTickets> tickets = std::make_shared<StreamTickets>();
    std::shared_ptr<StreamSlots> streams = std::make_shared<StreamSlots>();
    std::shared_ptr<SignInLinks> links = std::make_shared<SignInLinks>();
    /// Name of the console's cookie. Ports share cookies: each server on a machine has a name of its own.
    std::string cookie = "freshet_session";
    std::span<const EmbeddedFile> web = {}; ///< what the web build made: the console and the elements; may be empty
};

} // namespace freshet::http
