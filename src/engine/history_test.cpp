// SPDX-License-Identifier: Apache-2.0
// Random histories of asks, claims, ends, losses, cancels, purges and crashes: whatever the order, the promises hold.
#include "engine/engine_world.hpp"

#include "base/rng.hpp"

#include <cstdlib>
#include <set>

namespace freshet {
namespace {

// What the outside knows: who was promised what, and what the source said when.
struct Promise {
    JobId job;
    Seq asked = 0;
    std::int64_t source_version = 0; ///< of the source when the ask was acknowledged
};

class RandomHistory : public EngineWorld {
public:
    explicit RandomHistory(std::uint64_t seed) : rng_{seed}
    {
        auto& prices = source("prices");
        prices.params = {{"city", {"a", "b"}, ""}};
        prices.retry = {3, 1s, 10s};
        prices.schedule.every = 5min;
        start();
    }

    void run(int steps)
    {
        for (int i = 0; i < steps && !::testing::Test::HasFatalFailure(); ++i) {
            act();
            check();
        }
        settle();
    }

private:
    std::string any_key() { return rng_.below(2) == 0 ? "prices/a" : "prices/b"; }

    void act()
    {
        switch (rng_.below(12)) {
        case 0:
        case 1:
        case 2: ask_by_hand(); break;
        case 3: ask_stale(); break;
        case 4:
        case 5: take(); break;
        case 6:
        case 7: end_one(); break;
        case 8:
            now += Millis{static_cast<std::int64_t>(rng_.below(40'000))};
            step();
            break;
        case 9: ++source_version_; break;
        case 10:
            if (rng_.below(4) == 0)
                crash();
            else
                beat_all();
            break;
        case 11:
            if (rng_.below(6) == 0)
                ask_engine(PurgeKey{"default", any_key(), "prices",
                                    rng_.below(2) == 0 ? PurgeMode::soft : PurgeMode::hard, "x"});
            else if (!promises_.empty() && rng_.below(3) == 0)
                ask_engine(CancelJob{promises_.back().job, "default", "x"});
            break;
        }
    }

    void ask_by_hand()
    {
        const auto asked = ask(refresh_of(any_key()));
        if (!asked) return;
        promises_.push_back({asked->job->id, asked->asked, source_version_});
    }
    void ask_stale()
    {
        AskRefresh request = refresh_of(any_key());
        request.trigger = Trigger::stale;
        request.read_after_now = false;
        (void)ask(request);
    }
    void take()
    {
        for (ClaimedJob& one : claim(1 + static_cast<int>(rng_.below(3)))) {
            read_[one.job->fence] = source_version_; // the source is read after the claim
            held_.push_back(std::move(one));
        }
    }
    void end_one()
    {
        if (held_.empty()) return;
        const std::size_t at = rng_.below(held_.size());
        const ClaimedJob one = held_[at];
        if (rng_.below(5) != 0) held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(at)); // else it answers twice
        if (rng_.below(3) == 0)
            fail(one);
        else
            complete(one, "[" + std::to_string(read_[one.job->fence]) + "]", 1);
    }
    void beat_all()
    {
        BeatWork work{worker(), {}};
        for (const ClaimedJob& one : held_) work.jobs.push_back({one.job->id, {.fence = one.job->fence}});
        ask_engine(work);
    }
    void crash()
    {
        start(); // what runs elsewhere goes on and answers late
    }

    void check()
    {
        for (const std::string key_text : {"prices/a", "prices/b"}) {
            int running = 0, queued = 0;
            for (const Job& one : live(key_text)) (one.state == JobState::running ? running : queued)++;
            ASSERT_LE(running, 1) << "F5";
            ASSERT_LE(queued, 1) << "F5";
            const KeyRecord record = key(key_text);
            ASSERT_GE(record.gen, gens_[key_text]) << "F4";
            gens_[key_text] = record.gen;
        }
        for (const auto& notice : notices) {
            for (const auto& told : notice->events)
                for (const LedgerEntry& entry : told.entries) {
                    ASSERT_EQ(entry.seq, ledger_head_ + 1) << "the ledger has no holes";
                    ledger_head_ = entry.seq;
                }
            for (const auto& view : notice->keys) {
                const KeyRecord& record = view->record;
                if (!record.has_data) continue;
                const auto content = std::pair{record.key, record.ver};
                const auto [known, fresh] = contents_.emplace(content, to_hex(record.hash));
                ASSERT_EQ(known->second, to_hex(record.hash)) << "(key, ver) has one content";
            }
            for (const auto& one : notice->jobs) {
                if (one->state == JobState::running && one->attempt > 0) {
                    ASSERT_GE(one->fence, fences_[one->id.value]);
                    fences_[one->id.value] = one->fence;
                }
            }
        }
        notices.clear();
        for (const Promise& promise : promises_) {
            Job ended = job(promise.job);
            while (ended.superseded_by) ended = job(ended.superseded_by);
            if (ended.state != JobState::succeeded) continue;
            ASSERT_GT(ended.data_fence, promise.asked) << "F3: by the ledger";
            ASSERT_GE(read_[ended.fence], promise.source_version) << "F3: by what the source said";
        }
    }

    // When faults stop, every job ends.
    void settle()
    {
        held_.clear();
        for (int i = 0; i < 200; ++i) {
            now += 31s;
            step();
            for (const ClaimedJob& one : claim()) {
                read_[one.job->fence] = source_version_;
                complete(one, "[" + std::to_string(source_version_) + "]", 1);
            }
        }
        check();
        for (const Promise& promise : promises_) {
            Job ended = job(promise.job);
            while (ended.superseded_by) ended = job(ended.superseded_by);
            ASSERT_TRUE(is_terminal(ended.state))
                << "F7: nothing runs or waits for ever: " << to_text(ended.id) << ' ' << to_text(ended.state)
                << " behind " << to_text(ended.behind) << " due in " << (ended.due_at - now).count() << " ms";
        }
    }

    Rng rng_;
    std::int64_t source_version_ = 1;
    std::vector<Promise> promises_;
    std::vector<ClaimedJob> held_;
    std::map<Seq, std::int64_t> read_; ///< by fence: the source's version when it was read
    std::map<std::string, std::int64_t> gens_;
    std::map<std::pair<std::string, std::int64_t>, std::string> contents_;
    std::map<std::int64_t, Seq> fences_;
    Seq ledger_head_ = 0;
};

TEST(Histories, F3F4F5F7HoldInAnyOrderOfEvents)
{
    const int seeds = std::getenv("FRESHET_TEST_LONG") != nullptr ? 3000 : 150;
    for (int seed = 1; seed <= seeds; ++seed) {
        RandomHistory{static_cast<std::uint64_t>(seed)}.run(250);
        ASSERT_FALSE(::testing::Test::HasFailure()) << "seed " << seed;
    }
}

} // namespace
} // namespace freshet
