// SPDX-License-Identifier: Apache-2.0
#pragma once
// The independent model of the simulation: what the outside was told, held against the promises.
//
// It is fed every notice in order, every reply at the instant of its delivery, and what workers and sources know; it
// shares no decision with the engine and judges by the rules of the specification alone (jobs.md "Invariants", F1 to
// F10). A broken rule throws Broken, which names the rule. Threads: one.

#include "engine/requests.hpp"
#include "sim/coverage.hpp"
#include "sim/disk.hpp"

#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

namespace freshet::sim {

/// A promise was broken; what() says which and how.
class Broken : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// What a caller of a refresh was told, to be kept when its job ends.
struct RefreshPromise {
    JobId job;
    Seq asked = 0;
    std::int64_t source_version = 0; ///< what the source held when the ask was acknowledged
};

class Checker {
public:
    Checker(Disk& disk, const Definitions& definitions);

    // --- What is fed ---
    void noticed(const Notice& notice, WallTime now);
    void asked(const Asked& asked, bool read_after_now, std::int64_t source_version);
    void added(const Added& added);
    void handed_out(const std::string& worker, const ClaimedJob& claimed, std::int64_t source_version, WallTime now);
    /// A worker's word on a job was taken by the server as good.
    void completion_taken(JobId job, Seq fence);
    /// A worker says that its attempt failed; whether that is taken is the server's affair.
    void failure_sent(JobId job, Seq fence);
    /// A worker hands the job back.
    void release_sent(JobId job, Seq fence) { given_up_.insert({job.value, fence}); }
    void batch_told(const Batch& batch);
    /// A claim of the worker names what it holds: the server may take back, at once, what it does not name.
    void holds_named(const std::string& worker, const std::vector<std::pair<JobId, Seq>>& holds);
    void person_adopts(JobId job) { adoptable_.insert(job.value); }
    void run_asked(JobId job) { run_asked_.insert(job.value); }
    /// The server took a beat of the worker as good.
    void beat_taken(JobId job, Seq fence);
    /// The same Idempotency-Key leads to the same jobs, whenever it comes.
    void idempotent(const std::string& key, const std::vector<JobId>& made);
    /// A verb that names a tenant's object in another tenant's name was answered.
    void foreign_answered(const Reply& reply);
    /// A process began: what readers knew lives on, the position of notices starts anew.
    void process_began(WallTime now);

    /// The store is again what it was at an earlier moment, in a new life. @param then  this checker as it was at that
    /// moment @param by  how much higher all numbers lie @param numbers_base  where the ledger of a new tenant stands
    void restored(const Checker& then, Seq by, Seq numbers_base);

    // --- What is asked ---
    /// After each group. @param kept  the store took it.
    void after_step(WallTime now, bool kept);
    /// After each event of the world: nothing is over its time, whether or not anybody looked. @param serving_since
    /// since when the server is up and its disk takes commits; nullopt: it is down.
    void time_passed(WallTime now, std::optional<WallTime> serving_since);
    /// The store takes commits again after a time in which nobody's sign of life could be kept: leases go on as after a
    /// restart.
    void give_time_again();
    /// Before what is done at `now`, where time went by without an event.
    void count_uptime(WallTime now, bool serving);
    /// The store as it is against everything that was told: at any cut, snapshot + events = store.
    void whole(WallTime now);
    /// When faults stopped and time went by: nothing is left undone.
    void settled(WallTime now);
    /// A while after faults stopped: no job of before is left but items that wait for somebody outside.
    void settled_but_for_batches(WallTime asked_before) const;

    /// No job is live, no batch goes on.
    bool all_over() const;
    Coverage& coverage() { return coverage_; }
    void saw(Seen seen) { coverage_.saw(seen); }
    /// What the ledgers' heads are, and how many fires there were: for a time in which nobody asks anything.
    const std::map<std::string, Seq>& heads() const { return heads_; }
    const std::set<std::int64_t>& live() const { return live_; }
    const Job* job(JobId id) const;
    const std::map<std::int64_t, Batch>& batches() const { return batches_; }

private:
    struct Known {
        Job job;
        int generation_of_success = 0;
        Seq fence_of_success = 0;
        std::map<int, int> failures; ///< by generation: what workers said failed
        Millis sign{0};              ///< uptime at the last sign of life of its worker
    };
    struct Content {
        std::string hash;
        std::int64_t ver = 0;
    };
    struct KnownKey {
        std::int64_t gen = 0, ver = 0;
        Seq data_fence = 0, gone_seq = 0;
        bool has_data = false;
        std::optional<JobId> held;
        std::map<std::int64_t, Content> by_gen;
    };

    [[noreturn]] void broken(std::string rule, const std::string& words) const;
    void job_moved(const Job& after, WallTime now);
    void budget_spent(Known& known, const Job& before, const Job& after, WallTime now);
    void count(const Job& before, const Job& after, bool fresh);
    void count_end(const Job& before, const Job& after);
    void went_out(const Job& before, const Job& after, WallTime now);
    QueuePolicy policy_of(const Job& job) const;
    // check_time.cpp
    void waits_its_turn(const Job& before, const Job& after, WallTime now);
    void lease_in_time(Known& known, WallTime now, WallTime since);
    void batches_in_time(WallTime now, WallTime since) const;
    // check_store.cpp
    void has_next_action(const Job& job, WallTime now);
    void queues_within_limits(const Notice& notice);
    void breakers_sound(WallTime now);
    void refresh_counts(const Job& before, const Job& after);
    // check_keys.cpp
    void key_moved(const KeyView& view);
    void refresh_ended(const Job& job);
    // check_batches.cpp
    void batch_moved(const Batch& batch);
    void count_batch(BatchState state);
    void judge_end(const Batch& batch);
    void batches_add_up(const std::set<std::int64_t>& touched);
    void item_moved(const Job* before, const Job& after);

    Disk& disk_;
    const Definitions& definitions_;
    std::unordered_map<std::int64_t, Known> jobs_;
    std::set<std::int64_t> live_;
    std::map<std::string, Seq> heads_, fences_;                                  ///< by tenant
    std::map<std::pair<std::string, std::string>, std::pair<int, int>> flights_; ///< by key: running, queued
    std::map<std::pair<std::string, std::string>, KnownKey> keys_;
    std::map<std::pair<std::string, std::string>, std::int64_t> gens_told_; ///< of lives that ended with a restore
    std::map<std::pair<std::string, Seq>, std::int64_t>
        read_; ///< by tenant and fence: the source's version when the worker was given the job
    std::unordered_map<std::int64_t, std::vector<RefreshPromise>> promises_;
    std::map<std::int64_t, Batch> batches_;
    std::set<std::int64_t> live_batches_;
    struct Counted {
        BatchCounts counts;
        std::int64_t gated = 0;
    };
    std::map<std::int64_t, Counted> counted_; ///< by batch: its items as they were told
    std::map<std::int64_t, int> inherited_;   ///< by trailing job: failures of the one that it goes on for
    std::set<std::int64_t> adoptable_, run_asked_;
    std::map<std::int64_t, std::set<std::int64_t>> behind_; ///< by job: those that wait for its end
    std::map<std::string, std::vector<JobId>> made_;        ///< by Idempotency-Key
    std::vector<std::int64_t> touched_;                     ///< jobs that were told since the store was looked at
    std::map<std::string, std::int64_t> running_;           ///< jobs by queue
    std::set<std::string> went_out_;                        ///< queues of which this notice tells a hand-out
    std::map<std::string, QueueView> queues_;               ///< as told
    std::map<std::string, std::optional<WallTime>> open_;   ///< breakers that are open, and until when
    std::set<std::uint64_t> hashes_;                        ///< of the definitions that are, and were just before
    std::shared_ptr<const Definitions> now_defined_;
    Millis uptime_{0};
    std::optional<WallTime> seen_up_at_;
    Coverage coverage_;
    std::set<std::pair<std::int64_t, Seq>> given_up_; ///< leases whose worker said, or seemed to say, that it has none
};

} // namespace freshet::sim
