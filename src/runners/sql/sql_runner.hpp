// SPDX-License-Identifier: Apache-2.0
#pragma once
// Reads sources of kind "sql": the engine's Runner over SQLite files and PostgreSQL servers.
//
// Life: the constructor starts `threads` readers and a keeper, stop() (or the destructor) ends them. A reader takes the
// oldest waiting flight, opens a connection for it, reads, closes; the keeper watches time limits and cancels, and ends
// flights that wait, or whose reader hangs where nothing can call it back (a name server, a dead file server).
// Threads: start(), cancel() and stop() as Runner says; sinks are called from readers and the keeper (from start()'s
// thread where it comes after stop()). Always holds: each started flight ends exactly once, at the latest 1.5 s after
// it was told to; how many wait is the host's business. stop() waits for a reader that hangs.

#include "base/clock.hpp"
#include "engine/runner.hpp"

#include <memory>

namespace freshet {

struct SqlOptions {
    int threads = 4; ///< flights that are read at the same time, each over a connection of its own
};

class SqlRunner final : public Runner {
public:
    /// @param clock  steady() measures the limits; must outlive the runner.
    explicit SqlRunner(const Clock& clock, SqlOptions options = {});
    ~SqlRunner() override;

    void start(FlightOrder order, FlightSink& sink) override;
    void cancel(JobId job, Seq fence) override;
    void stop() override;

private:
    class Pool;
    std::unique_ptr<Pool> pool_;
};

} // namespace freshet
