// SPDX-License-Identifier: Apache-2.0
// Random histories of tasks with remote workers that die, come back late, say things twice and lose answers, while
// people cancel, retry, reset and the server crashes: whatever the order, the invariants of docs/design/jobs.md hold.
// What is believed here is kept apart from the engine, from the claims and answers that it gave.
#include "engine/engine_world.hpp"

#include "base/rng.hpp"

#include <cstdlib>
#include <set>

namespace freshet {
namespace {

// What the outside knows of one job.
struct Known {
    Seq fence = 0;          ///< of its last hand-out
    int generation = 1;     ///< as raised by retries
    int failed = 0;         ///< accepted failures of this generation
    bool cancelled = false; ///< a cancel was acknowledged in this generation
    bool over = false;      ///< an end was acknowledged
    std::string result;     ///< of an accepted completion
    bool unique = false;
};

class WorkHistory : public EngineWorld {
public:
    explicit WorkHistory(std::uint64_t seed) : rng_{seed}
    {
        queue("mails").retry = {3, 1s, 10s};
        queue("mails").concurrency = 5;
        add_tenants({"a", "b"});
        start();
    }

    void run(int steps)
    {
        for (int i = 0; i < steps && !::testing::Test::HasFatalFailure(); ++i) {
            act();
            check();
        }
        if (!::testing::Test::HasFatalFailure()) settle();
    }

private:
    std::string any_tenant() { return rng_.below(3) == 0 ? "b" : "a"; }
    std::string any_worker() { return "w" + std::to_string(rng_.below(3)); }
    ClaimedJob* any_held() { return held_.empty() ? nullptr : &held_[rng_.below(held_.size())]; }
    JobId any_job()
    {
        return ids_.empty() ? JobId{} : ids_[ids_.size() - 1 - rng_.below(std::min<std::size_t>(ids_.size(), 12))];
    }

    void act()
    {
        switch (rng_.below(14)) {
        case 0:
        case 1:
        case 2: enqueue(); break;
        case 3:
        case 4:
        case 5: take(); break;
        case 6:
        case 7: complete_one(); break;
        case 8: fail_one(); break;
        case 9: beat_some(); break;
        case 10: hand_back(); break;
        case 11:
            now += Millis{static_cast<std::int64_t>(rng_.below(40'000))};
            step();
            break;
        case 12: person(); break;
        case 13:
            if (rng_.below(4) == 0) start(); // a crash; workers go on and answer later
            break;
        }
    }

    void enqueue()
    {
        NewJob one = task("mails", std::to_string(ids_.size()));
        const bool unique = rng_.below(2) == 0;
        if (unique)
            one.unique =
                UniqueTerms{.key = rng_.below(2) == 0 ? "k" : "l",
                            .scope = rng_.below(3) == 0 ? UniqueScope::queued : UniqueScope::live,
                            .on_conflict = rng_.below(2) == 0 ? UniqueConflict::rerun_after : UniqueConflict::attach};
        const std::string tenant = any_tenant();
        const auto added = add({one}, tenant);
        ASSERT_TRUE(added) << added.error().message;
        const Job& made = *added->jobs.at(0).job;
        if (added->jobs[0].attached) {
            ASSERT_FALSE(is_terminal(job(made.id).state)) << "nobody attaches to what is over";
            return;
        }
        ids_.push_back(made.id);
        known_[made.id].unique = unique;
    }

    void take()
    {
        const std::string worker_id = any_worker();
        for (ClaimedJob& one : claim_work(claiming(worker_id, {"mails"}, 1 + static_cast<int>(rng_.below(3))))) {
            Known& known = known_[one.job->id];
            ASSERT_GT(one.job->fence, highest_[one.job->tenant]) << "each fence is above all ever issued";
            highest_[one.job->tenant] = one.job->fence;
            ASSERT_FALSE(known.cancelled) << "a cancelled job is never claimable again";
            ASSERT_FALSE(known.over);
            ASSERT_EQ(one.job->generation, known.generation);
            known.fence = one.job->fence;
            if (rng_.below(8) != 0) held_.push_back(std::move(one)); // else the answer was lost on the way
        }
    }

    void complete_one()
    {
        ClaimedJob* one = any_held();
        if (one == nullptr) return;
        const std::string result = std::to_string(one->job->fence);
        Known& known = known_[one->job->id];
        const bool said_before = known.over && known.result == result;
        const auto ended = end(done(*one, result), one->job->worker);
        if (ended) {
            ASSERT_EQ(ended->state, JobState::succeeded);
            ASSERT_EQ(known.fence, one->job->fence) << "only the last hand-out's answer counts";
            ASSERT_EQ(known.generation, one->job->generation);
            ASSERT_TRUE(!known.over || said_before) << "one accepted completion per generation";
            known.over = true;
            known.result = result;
        } else {
            ASSERT_FALSE(said_before) << "the same word gets the same answer";
            ASSERT_EQ(ended.error().refusal, Refusal::lease_lost);
        }
        drop_sometimes(one);
    }

    void fail_one()
    {
        ClaimedJob* one = any_held();
        if (one == nullptr) return;
        const Job before = job(one->job->id);
        FailJob failure = failed(*one);
        failure.failure.message = "no " + std::to_string(one->job->fence);
        const auto ended = end(failure, one->job->worker);
        if (ended && before.state == JobState::running) {
            Known& known = known_[one->job->id];
            ASSERT_EQ(known.fence, one->job->fence);
            if (!before.cancel_requested_at) ++known.failed;
            known.over = known.over || is_terminal(ended->state);
        }
        drop_sometimes(one);
    }

    void hand_back()
    {
        ClaimedJob* one = any_held();
        if (one == nullptr) return;
        const auto ended = end(ReleaseJob{one->job->id, one->job->fence, {.checkpoint = std::to_string(rng_.next())}},
                               one->job->worker);
        if (ended) known_[one->job->id].over = is_terminal(ended->state);
        drop_sometimes(one);
    }

    void beat_some()
    {
        const std::string worker_id = any_worker();
        BeatWork work{worker_id, {}, "*"};
        for (const ClaimedJob& one : held_)
            if (one.job->worker == worker_id) work.jobs.push_back({one.job->id, {.fence = one.job->fence}});
        const auto beaten = std::get<Beaten>(ask_engine(work).value());
        for (std::size_t i = 0; i < work.jobs.size(); ++i) {
            const BeatAnswer& answer = beaten.answers.at(i);
            if (answer.word == BeatWord::lost) continue;
            ASSERT_EQ(known_[answer.job].fence, work.jobs[i].beat.fence) << "a lost lease hears so";
            ASSERT_EQ(answer.word == BeatWord::cancel, known_[answer.job].cancelled);
        }
    }

    void person()
    {
        const JobId id = any_job();
        if (!id) return;
        const Job before = job(id);
        Known& known = known_[id];
        switch (rng_.below(5)) {
        case 0:
        case 1:
            if (ask_engine(CancelJob{id, before.tenant, "x"})) known.cancelled = true;
            break;
        case 2:
            if (const Reply reply = ask_engine(RetryJob{id, before.tenant, "x", {}}); reply) {
                const Job& after = *std::get<std::shared_ptr<const Job>>(*reply);
                if (after.id != id || after.generation == before.generation) break; // it shares another's
                ASSERT_TRUE(before.state == JobState::failed || before.state == JobState::cancelled);
                known.generation = after.generation;
                known.failed = 0;
                known.cancelled = known.over = false;
            }
            break;
        case 3: ask_engine(RunJob{id, before.tenant, "x"}); break;
        case 4:
            if (rng_.below(6) == 0) {
                ask_engine(ResetTenant{"b", "x", false, {}, {}});
                step();
            }
            break;
        }
    }

    void drop_sometimes(ClaimedJob* one)
    {
        if (rng_.below(3) != 0) held_.erase(held_.begin() + (one - held_.data())); // else it will say it again
    }

    void check()
    {
        std::map<std::string, int> taken;
        std::map<std::string, std::int64_t> live;
        int running = 0;
        for (const JobId id : ids_) {
            const Job one = job(id);
            const Known& known = known_[id];
            ASSERT_EQ(one.generation, known.generation);
            ASSERT_LE(one.lost, 3);
            if (known.over && !known.result.empty()) {
                ASSERT_EQ(one.state, JobState::succeeded) << "what was acknowledged stays";
                ASSERT_EQ(one.result, known.result);
            }
            ASSERT_TRUE(one.state != JobState::succeeded || !known.result.empty()) << "nobody brought a result";
            ASSERT_TRUE(!known.cancelled || one.state != JobState::queued) << "no way back from a cancel";
            ASSERT_TRUE(known.unique || one.failed == known.failed) << "a lost worker spends no retry";
            if (is_terminal(one.state)) continue;
            ++live[one.tenant + std::string{to_text(one.state)}];
            if (one.state == JobState::running) {
                ++running;
                ASSERT_TRUE(one.lease_until);
                ASSERT_GT(*one.lease_until, now) << "a lease that ran out was seen";
                ASSERT_LE(*one.lease_until, now + 30s);
            } else if (one.behind) {
                ASSERT_EQ(job(one.behind).state, JobState::running) << "it is behind somebody who runs";
            }
            const std::string_view slot = unique_slot(one);
            if (slot.empty()) continue;
            ASSERT_LE(++taken[one.tenant + std::string{slot} + std::string{to_text(one.state)}], 1);
        }
        ASSERT_LE(running, 5) << "the queue's concurrency";
        for (const std::string tenant : {"a", "b"}) {
            for (const JobCount& count : store->begin()->job_counts(tenant)) {
                if (is_terminal(count.state)) continue;
                ASSERT_EQ(count.count, live[tenant + std::string{to_text(count.state)}]) << "counters equal the jobs";
            }
        }
        for (const auto& notice : notices)
            for (const auto& told : notice->events)
                for (const LedgerEntry& entry : told.entries)
                    ASSERT_EQ(entry.seq, ++heads_[told.tenant]) << "the ledger has no holes";
        notices.clear();
    }

    // When faults stop, every job ends.
    void settle()
    {
        held_.clear();
        for (int i = 0; i < 60; ++i) {
            now += 31s;
            step();
            for (const ClaimedJob& one : claim_from("mails", "w9", 9)) {
                known_[one.job->id].fence = one.job->fence;
                known_[one.job->id].result = std::to_string(one.job->fence);
                known_[one.job->id].over = true;
                ASSERT_TRUE(end(done(one, std::to_string(one.job->fence)), "w9"));
            }
        }
        check();
        for (const JobId id : ids_)
            ASSERT_TRUE(is_terminal(job(id).state))
                << "F7: nothing runs or waits for ever: " << to_text(job(id).state) << " behind "
                << to_text(job(id).behind) << " due in " << (job(id).due_at - now).count() << " ms";
    }

    Rng rng_;
    std::vector<JobId> ids_;
    std::map<JobId, Known> known_;
    std::vector<ClaimedJob> held_;
    std::map<std::string, Seq> highest_, heads_;
};

TEST(WorkHistories, F7F9HoldInAnyOrderOfEvents)
{
    const int seeds = std::getenv("FRESHET_TEST_LONG") != nullptr ? 2000 : 60;
    for (int seed = 1; seed <= seeds; ++seed) {
        WorkHistory{static_cast<std::uint64_t>(seed)}.run(200);
        ASSERT_FALSE(::testing::Test::HasFailure()) << "seed " << seed;
    }
}

} // namespace
} // namespace freshet
