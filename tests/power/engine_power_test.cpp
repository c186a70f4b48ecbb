// SPDX-License-Identifier: Apache-2.0
// The real engine over the real store on a disk that loses its power: what anybody was told of is there afterwards.
#include "engine/engine_world.hpp"
#include "power/crash.hpp"
#include "power/disk.hpp"

#include <gtest/gtest.h>

namespace freshet::power {
namespace {

class PoweredWorld : public EngineWorld {
public:
    explicit PoweredWorld(std::uint64_t seed) : rng_{seed}, disk_{seed}
    {
        auto& prices = source("prices");
        prices.params = {{"city", {"a", "b", "c"}, ""}};
        prices.retry = {2, 1s, 2s};
        power_up();
    }
    ~PoweredWorld()
    {
        engine.reset();
        store.reset();
    }

    void run(int cuts)
    {
        for (int i = 0; i < cuts; ++i) {
            disk_.cut_power_after(1 + static_cast<std::int64_t>(rng_.below(500)));
            try {
                for (;;) act();
            } catch (const PowerCut&) {
            } catch (const StoreFailure&) { // a read met the dark
            }
            disk_.cut_power(); // also where another failure came first
            power_up();
            check();
            if (::testing::Test::HasFailure()) return;
        }
    }

    int acknowledged() const { return acknowledged_; }

private:
    void power_up()
    {
        engine.reset();
        store.reset();
        held_.clear();
        if (!disk_.is_on()) disk_.power_on();
        store = open_sqlite_store({.data_dir = "/data", .vfs = disk_.vfs_name(), .device_failed = [](std::string_view) {
                                       throw PowerCut{};
                                   }});
        start();
        note();
    }

    std::string any_key() { return std::string{"prices/"} + "abc"[rng_.below(3)]; }

    void act()
    {
        now += Millis{static_cast<std::int64_t>(rng_.below(500))};
        switch (rng_.below(4)) {
        case 0: {
            const auto asked = ask(refresh_of(any_key()));
            if (asked) promised_.push_back(asked->job->id), ++acknowledged_;
            break;
        }
        case 1:
            for (ClaimedJob& one : claim()) held_.push_back(std::move(one));
            break;
        case 2:
        case 3: {
            if (held_.empty()) break;
            const ClaimedJob one = held_.back();
            held_.pop_back();
            const std::string size(rng_.below(8) == 0 ? 400'000 : rng_.below(4'000), 'x');
            const std::string json = "[\"" + std::to_string(++contents_) + size + "\"]";
            std::optional<Reply> got;
            std::vector<Posted> group;
            group.push_back({CompleteJob{one.job->id, one.job->fence, result_of(json, 1)}, -1,
                             [&](Reply reply) { got = std::move(reply); }});
            step(std::move(group));
            while (!got) step();
            if (got->has_value()) ended_.push_back(one.job->id), ++acknowledged_;
            break;
        }
        }
        note();
    }

    // What readers were shown of each key.
    void note()
    {
        for (const auto& notice : notices)
            for (const auto& view : notice->keys) {
                KeyRecord& seen = seen_[view->record.key];
                EXPECT_GE(view->record.gen, seen.gen) << "F4: never backwards";
                if (view->record.gen == seen.gen && seen.has_data) {
                    EXPECT_EQ(view->record.hash, seen.hash) << "F4: (key, gen) has one content";
                }
                seen = view->record;
            }
        notices.clear();
    }

    void check()
    {
        for (const auto& [text, seen] : seen_) {
            const KeyRecord stored = key(text);
            EXPECT_GE(stored.gen, seen.gen) << "F10: readers saw it";
            EXPECT_GE(stored.ver, seen.ver) << "F10: readers saw it";
            if (stored.has_data) {
                const auto bytes = store->begin()->payload(stored.payload);
                ASSERT_TRUE(bytes.has_value());
                EXPECT_EQ(hash128(*bytes), stored.hash);
            }
        }
        for (const JobId id : promised_) EXPECT_EQ(job(id).id, id) << "F10: an acknowledged refresh has its job";
        for (const JobId id : ended_) EXPECT_TRUE(is_terminal(job(id).state)) << "F10: an acknowledged end stays";
        promised_.clear();
        ended_.clear();
    }

    Rng rng_;
    Disk disk_;
    std::vector<ClaimedJob> held_;
    std::vector<JobId> promised_, ended_;
    std::map<std::string, KeyRecord> seen_;
    std::int64_t contents_ = 0;
    int acknowledged_ = 0;
};

TEST(EnginePowerCut, F10F4TakesNothingThatAnybodyWasToldOf)
{
    const std::uint64_t worlds = std::getenv("FRESHET_TEST_LONG") != nullptr ? 100 : 20;
    int acknowledged = 0;
    for (std::uint64_t seed = 1; seed <= worlds; ++seed) {
        PoweredWorld world{seed};
        world.run(15);
        acknowledged += world.acknowledged();
        ASSERT_FALSE(::testing::Test::HasFailure()) << "seed " << seed;
    }
    EXPECT_GT(acknowledged, 1000);
}

} // namespace
} // namespace freshet::power
