// SPDX-License-Identifier: Apache-2.0
#pragma once
// Those who ask in a simulated world: people who refresh, enqueue, cancel, retry and purge at random, and schedules and
// readers whose wishes come without a person.

#include "sim/world.hpp"

#include <string>
#include <vector>

namespace freshet::sim {

class Actors {
public:
    explicit Actors(World& world) : world_{world} {}
    void begin();
    /// What must not stay: pauses are lifted, open batches sealed, drivers go on.
    void settle();

private:
    void act();
    void refresh();
    void stale();
    void add_jobs();
    void add_batch();
    void send(const AddJobs& add);
    void remember_ask(const AddJobs& add);
    void repeat();
    void decide();
    void foreign();
    void run(JobId job);
    void verb_on_job();
    void verb_on_batch();
    void operate();
    void tidy();
    std::string any_tenant() { return world_.chance(70) ? "default" : "acme"; }
    JobId any_job(bool live);
    BatchId any_batch();

    World& world_;
    std::vector<std::pair<JobId, std::string>> jobs_; ///< acknowledged ones with their tenants
    std::vector<std::pair<BatchId, std::string>> batches_;
    std::vector<AddJobs> said_; ///< with an Idempotency-Key, to be said again
    int number_ = 0;
    std::string tenant_; ///< of what any_job() and any_batch() chose
};

} // namespace freshet::sim
