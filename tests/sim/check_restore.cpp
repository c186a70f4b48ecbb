// SPDX-License-Identifier: Apache-2.0
// A backup was restored: what was told since is void, and its numbers are never used again.
#include "sim/checker.hpp"

#include <fmt/format.h>

namespace freshet::sim {

void Checker::restored(const Checker& then, Seq by, Seq numbers_base)
{
    const auto raise = [by](Seq& seq) { seq += seq > 0 ? by : 0; };
    const auto raised = [by](std::int64_t number) { return number + (number > 0 ? static_cast<std::int64_t>(by) : 0); };

    jobs_ = then.jobs_;
    live_ = then.live_;
    flights_ = then.flights_;
    promises_ = then.promises_;
    batches_ = then.batches_;
    live_batches_ = then.live_batches_;
    counted_ = then.counted_;
    inherited_ = then.inherited_;
    adoptable_ = then.adoptable_;
    run_asked_ = then.run_asked_;
    behind_ = then.behind_;
    made_ = then.made_;
    running_ = then.running_;
    open_ = then.open_;
    touched_.clear();

    for (auto& [id, known] : jobs_) {
        Job& job = known.job;
        for (Seq* seq : {&job.asked, &job.fence, &job.data_fence, &job.checkpoint_fence, &job.seq}) raise(*seq);
        if (job.late) raise(job.late->fence);
        raise(known.fence_of_success);
        known.sign = uptime_;
        if (job.state != JobState::running) continue;
        given_up_.insert({id, job.fence}); // nobody holds a lease of another life
        job.lease_until = WallTime{};
    }
    for (auto& [id, batch] : batches_) raise(batch.seq);
    for (auto& [id, promises] : promises_)
        for (RefreshPromise& promise : promises) raise(promise.asked);
    for (const auto& [of, version] : std::map{then.read_}) read_[{of.first, of.second + by}] = version;
    for (const auto& [id, fence] : std::set{then.given_up_}) given_up_.insert({id, fence + by});

    for (const auto& [key, known] : keys_) gens_told_[key] = std::max(gens_told_[key], known.gen);
    keys_ = then.keys_;
    for (auto& [key, known] : keys_) {
        raise(known.data_fence), raise(known.gone_seq);
        known.gen = raised(known.gen), known.ver = raised(known.ver);
        std::map<std::int64_t, Content> by_gen;
        for (const auto& [gen, content] : known.by_gen) by_gen[raised(gen)] = {content.hash, raised(content.ver)};
        known.by_gen = std::move(by_gen);
        if (known.gen > 0 && known.gen <= gens_told_[key])
            broken("F4: never backwards, nor over a restore",
                   fmt::format("{}: gen {}, told was {}", key.second, known.gen, gens_told_[key]));
    }
    for (auto& [tenant, head] : heads_) {
        const auto known = then.heads_.find(tenant);
        const Seq after = known == then.heads_.end() ? numbers_base : known->second + by;
        if (after <= head)
            broken("a restore goes on with higher numbers", fmt::format("{}: {} after {}", tenant, after, head));
        head = after;
    }
}

} // namespace freshet::sim
