// SPDX-License-Identifier: Apache-2.0
// Random histories of batches through the engine: workers that fail, vanish and answer twice, people who cancel, retry
// and seal, crashes in between. After every commit counters equal the items, each batch is terminal exactly when it
// should be, and when faults stop every batch ends (F6, F7).
#include "engine/engine_world.hpp"

#include "base/rng.hpp"
#include "model/batch_samples.hpp"

#include <map>
#include <utility>

namespace freshet {
namespace {

class BatchLife : public EngineWorld {
public:
    explicit BatchLife(std::uint64_t seed) : rng_{seed} { start(); }

    void run(int steps)
    {
        for (int i = 0; i < steps && !::testing::Test::HasFailure(); ++i) {
            act();
            check();
        }
        settle();
    }

private:
    bool one_in(std::uint64_t n) { return rng_.below(n) == 0; }
    BatchId any_batch() { return batches_.empty() ? BatchId{1} : batches_[rng_.below(batches_.size())]; }

    void act()
    {
        switch (rng_.below(14)) {
        case 0: add(); break;
        case 1:
        case 2:
        case 3: take(); break;
        case 4:
        case 5:
        case 6:
        case 7: end_one(); break;
        case 8: now += Millis{static_cast<std::int64_t>(rng_.below(one_in(4) ? 2'000'000 : 40'000))}; break;
        case 9: change(one_in(3) ? BatchVerb::cancel : BatchVerb::seal); break;
        case 10: change(one_in(2) ? BatchVerb::retry_failed : BatchVerb::start_then); break;
        case 11: ask_engine(ProcessNext{any_batch(), "default", "tab"}); break;
        case 12: one_item(); break;
        case 13:
            if (one_in(5)) start(); // a crash: what runs elsewhere goes on and answers late
            break;
        }
        step();
    }

    void add()
    {
        if (!batches_.empty() && one_in(2)) {
            AddItems more{any_batch(), "default", "x", {}, {}};
            for (std::uint64_t i = rng_.below(5); i > 0; --i)
                more.items.push_back({"k" + std::to_string(rng_.below(20)), {}, std::to_string(rng_.below(2))});
            ask_engine(more);
            return;
        }
        AddBatch request;
        request.tenant = "default", request.caller = "x", request.queue = "q";
        for (std::uint64_t i = rng_.below(8); i > 0; --i) request.items.push_back({"i" + std::to_string(i), {}, "1"});
        request.sealed = !one_in(3);
        request.concurrency = one_in(2) ? 0 : 2;
        request.driver = one_in(4) ? BatchDriver::caller : BatchDriver::workers;
        if (one_in(4)) request.policy.rule = FailureRule::fail_fast;
        if (one_in(2)) {
            request.then = FollowUp{.label = "next", .queue = "q"};
            request.then->start = one_in(2) ? FollowUp::Start::auto_ : FollowUp::Start::person;
            request.then->per_succeeded = one_in(2);
        }
        ask_engine(request);
    }
    void take()
    {
        ClaimWork work{worker(), {"q"}, static_cast<int>(rng_.below(4)) + 1};
        std::vector<Posted> group;
        group.push_back({work, -1, [&](Reply reply) {
                             if (!reply) return;
                             for (ClaimedJob& one : std::get<Claimed>(*reply).jobs) held_.push_back(std::move(one));
                         }});
        step(std::move(group));
        group.clear();
        work.queues.clear();
        group.push_back({work, -1, [](Reply) {}}); // the offer goes
        step(std::move(group));
    }
    void end_one()
    {
        if (held_.empty()) return;
        const std::size_t at = rng_.below(held_.size());
        const ClaimedJob one = held_[at];
        if (!one_in(5)) held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(at)); // else it answers twice
        const auto& [id, fence] = std::pair{one.job->id, one.job->fence};
        if (one_in(3))
            ask_engine(
                FailJob{id, fence, {one_in(2) ? ErrorClass::fatal : ErrorClass::retryable, "bad", "bad", {}, {}}});
        else if (one_in(6))
            ask_engine(ReleaseJob{id, fence, {}});
        else
            ask_engine(CompleteJob{id, fence, TaskResult{"1", 0, 1}});
    }
    void change(BatchVerb verb) { ask_engine(ChangeBatch{any_batch(), "default", "x", verb, {}}); }
    void one_item()
    {
        const auto items = store->begin()->items({any_batch(), {}, {}, 50});
        if (items.empty()) return;
        const Job& item = items[rng_.below(items.size())];
        if (one_in(2))
            ask_engine(CancelJob{item.id, "default", "x"});
        else
            ask_engine(RetryJob{item.id, "default", "x", {}});
    }

    void check()
    {
        batches_.clear();
        const auto tx = store->begin();
        for (const Batch& batch : tx->batches({"default", {}, {}, 1000})) {
            batches_.push_back(batch.id);
            const auto [counts, gated, past] = sample::counted(tx->items({batch.id, {}, {}, 1000}));
            ASSERT_EQ(batch.counts, counts) << to_text(batch.id);
            ASSERT_EQ(batch.gated, gated);
            ASSERT_EQ(batch.released, past);
            if (batch.concurrency > 0 && batch.driver == BatchDriver::workers) {
                ASSERT_LE(past, batch.concurrency);
            }
            if (batch.state != BatchState::open && batch.cursor == 0) {
                ASSERT_EQ(is_terminal(batch.state), counts.done() == counts.total) << to_text(batch.state);
            }
            if (batch.then && batch.then->state == FollowUp::State::started) {
                const auto made = std::pair{batch.then->batch.value, batch.then->job.value};
                ASSERT_EQ(started_.emplace(batch.id.value, made).first->second, made) << "at most one follow-up";
            }
        }
        for (const auto& notice : notices)
            for (const auto& batch : notice->batches) {
                const auto [seen, first] = seen_.try_emplace(batch->id.value, *batch);
                const Batch& before = seen->second;
                if (!first && before.generation == batch->generation && before.cursor == 0) {
                    ASSERT_GE(batch->counts.done(), before.counts.done()) << "counters never go back";
                }
                if (!first && is_terminal(before.state)) {
                    ASSERT_TRUE(batch->generation > before.generation || batch->state == before.state)
                        << "an end is an end";
                }
                seen->second = *batch;
            }
        notices.clear();
    }

    // When faults stop, every batch ends.
    void settle()
    {
        for (int i = 0; i < 400 && !::testing::Test::HasFailure(); ++i) {
            now += 5min;
            for (int k = 0; k < 5; ++k) take();
            for (const ClaimedJob& one : std::exchange(held_, {}))
                ask_engine(CompleteJob{one.job->id, one.job->fence, TaskResult{"1", 0, 1}});
            check();
            bool live = false;
            for (const Batch& batch : store->begin()->batches({"default", {}, {}, 1000}))
                live = live || !is_terminal(batch.state);
            if (!live) return;
        }
        if (!::testing::Test::HasFailure()) ADD_FAILURE() << "a batch did not end";
    }

    Rng rng_;
    std::vector<BatchId> batches_;
    std::vector<ClaimedJob> held_;
    std::map<std::int64_t, std::pair<std::int64_t, std::int64_t>> started_;
    std::map<std::int64_t, Batch> seen_;
};

TEST(BatchLives, F6F7CountersEqualTheItemsAndEveryBatchEnds)
{
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        BatchLife{seed}.run(150);
        if (::testing::Test::HasFailure()) return;
    }
}

} // namespace
} // namespace freshet
