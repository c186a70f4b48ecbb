// SPDX-License-Identifier: Apache-2.0
#pragma once
// Those who do the work in a simulated world: remote workers that crash, pause and repeat themselves, and the server's
// own runner, which dies with it. They keep to the wire protocol of jobs.md §11 and know nothing else of the server.

#include "sim/world.hpp"

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace freshet::sim {

class Workers {
public:
    explicit Workers(World& world);
    void begin();
    void server_began();
    /// Nobody works, also not on what the server gave up.
    bool idle() const;

private:
    struct Held {
        Seq fence = 0;
        JobKind kind = JobKind::task;
        std::string queue, etag;
        std::int64_t source_version = 0;
        std::int64_t done = 0, total = 0;
        bool cancel = false;
    };
    struct Worker {
        std::string id;
        std::vector<std::string> queues;
        int slots = 2;
        bool builtin = false, paused = false, names_holds = true, claims = false;
        std::uint64_t life = 0, offer = 0;
        std::map<JobId, Held> held;
        std::set<std::pair<JobId, Seq>> ending; ///< hand-outs whose end is being said
    };

    void claim(Worker& worker);
    void given(Worker& worker, const Claimed& claimed);
    void beat(Worker& worker);
    void go_on(Worker& worker, JobId job, Seq fence);
    PreparedResult refreshed(const Held& held);
    void end(Worker& worker, JobId job);
    void crash(Worker& worker);
    void trouble(Worker& worker);
    bool has(const Worker& worker, JobId job, Seq fence) const;

    World& world_;
    std::vector<std::unique_ptr<Worker>> workers_;
};

} // namespace freshet::sim
