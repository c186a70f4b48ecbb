// SPDX-License-Identifier: Apache-2.0
#pragma once
// One simulated world: a seed, a clock, a network that delays, loses and repeats, a server that crashes, a disk that
// fills up, and those who use it all.
//
// The server is the real engine over a store in memory or the embedded one; everything around it is events on an
// agenda, taken in order of their time. One event is one step; after each the checker has its say. The same seed gives
// the same world, to the last event. Threads: one.

#include "base/clock.hpp"
#include "base/rng.hpp"
#include "engine/engine.hpp"
#include "sim/checker.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <queue>
#include <string>
#include <vector>

namespace freshet::sim {

class Actors;
class Workers;

struct WorldOptions {
    std::uint64_t seed = 1;
    int steps = 2000;
    bool told = false;     ///< print each event
    bool embedded = false; ///< over the embedded store instead of its twin in memory
};

class World final : public CommitSink {
public:
    explicit World(const WorldOptions& options);
    ~World() override;

    /// Runs all steps, then lets faults stop and waits for the end of everything. @throws Broken
    void run();
    const Coverage& coverage() { return checker_.coverage(); }

    // --- For those who live in it ---
    Rng& rng() { return rng_; }
    bool chance(int percent) { return rng_.below(100) < static_cast<std::uint64_t>(percent); }
    Millis between(std::int64_t low, std::int64_t high)
    {
        return Millis{low + static_cast<std::int64_t>(rng_.below(static_cast<std::uint64_t>(high - low + 1)))};
    }
    WallTime now() const { return clock_.wall(); }
    /// No more mischief: what is left is let to end.
    bool settling() const { return settling_; }
    void after(Millis delay, std::function<void()> act);
    /// Sends a request over the network. @param told  at the server, when it answers (what is acknowledged).
    /// @param then  at the sender, when the answer arrives; with nullptr when it is lost or late.
    void post(Request request, std::function<void(const Reply&)> told, std::function<void(const Reply*)> then = {});
    /// Straight into the engine's inbox, as what lives in the server's own process does; gone with it.
    void post_inside(Request request, std::function<void(const Reply&)> then);
    const std::string& boot() const { return boot_; }
    Checker& checker() { return checker_; }
    Store& store() { return disk_.store(); }
    std::int64_t source_version() const { return source_version_; }
    const Definitions& definitions() const { return *definitions_; }
    void saw(Seen seen) { checker_.saw(seen); }
    void tell(const std::string& words) const;

    // CommitSink
    void publish(std::shared_ptr<const Notice> notice, std::vector<Delivery> replies) override;

private:
    struct Event {
        SteadyTime at;
        std::uint64_t order;
        std::function<void()> act;
        bool operator<(const Event& other) const
        {
            return std::tie(at, order) > std::tie(other.at, other.order); // the earliest is on top
        }
    };

    void step_once();
    void tell_all(const Notice& notice) const;
    void arrive(Request request, ReplyTo reply);
    void wake_engine(SteadyTime at);
    void engine_step();
    void start_server();
    void crash();
    void mischief();
    void reload();
    void back_up();
    void restore();
    void settle();
    void stand_still();
    bool is_over(int round);

    WorldOptions options_;
    Rng rng_;
    ManualClock time_;
    EngineClock clock_;
    std::vector<std::shared_ptr<const Definitions>> variants_; ///< of the config, that reloads change between
    std::shared_ptr<const Definitions> definitions_;
    Disk disk_;
    Checker checker_;
    std::unique_ptr<Checker> backed_up_; ///< the checker as it was when the last backup was made
    Metrics metrics_;
    std::unique_ptr<Engine> engine_;
    std::vector<Posted> inbox_;
    std::priority_queue<Event> agenda_;
    std::uint64_t order_ = 0, wake_ = 0, life_ = 0;
    std::optional<SteadyTime> wake_at_;
    std::string boot_;
    std::optional<WallTime> serving_since_; ///< up, and its commits are kept
    std::optional<WallTime> failing_since_; ///< no commit of this process has succeeded since
    bool disk_full_ = false, failed_ = false, committed_ = false, settling_ = false, dies_answering_ = false;
    std::int64_t source_version_ = 1;
    std::unique_ptr<Actors> actors_;
    std::unique_ptr<Workers> workers_;
};

} // namespace freshet::sim
