// SPDX-License-Identifier: Apache-2.0
#pragma once
// Remote workers as this process has come to know them: who beats, who claims, who holds what.
//
// Life of one: unknown -> alive (its first claim) -> deaf | lost | draining and back -> gone, once it was silent for
// long and holds nothing. Deaf: it beats, has free slots and ready work, and did not claim for three beats. Lost:
// silent for longer than the lease of its queues, with no claim open. Pure state, no clock, no store: what is held
// follows from the running jobs, the rest may be forgotten. Two tokens' workers of one name are two workers.
// Threads: the engine's. Always holds: workers_.size() <= workers_max. Within the floor `engine`.

#include "engine/requests.hpp"

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace freshet {

class Workers {
public:
    static constexpr std::size_t workers_max = 10'000;
    static constexpr int deaf_beats = 3;

    /// A claim came. False: there are too many workers to know another one.
    /// @param lease  the longest of its queues
    bool claim(const ClaimWork& work, Millis lease, WallTime now);
    /// Whether its claim is still open: it hears of work, and its connection is a sign of life.
    void set_open(const std::string& worker, const std::string& tenant, bool open, WallTime now);
    /// A beat came. @param ready  whether one of these queues has work that it could take
    template <class Ready>
    void beat(const std::string& worker, const std::string& tenant, WallTime now, Ready&& ready)
    {
        if (Entry* entry = find(worker, tenant)) note_beat(*entry, now, free_slots(*entry) > 0 && ready(entry->view));
    }
    /// Marks it; false: no such worker. @param tenant  the caller's; "*" finds those of all
    bool drain(const std::string& worker, const std::string& tenant);

    bool draining(const std::string& worker, const std::string& tenant) const;
    bool deaf(const std::string& worker, const std::string& tenant) const;

    // What jobs say: each that runs is held by its worker.
    void hold(const Job& job);
    void let_go(const Job& job);
    void drop_holdings() { held_.clear(), holder_changed_all(); }
    /// What it is thought to hold.
    std::vector<std::pair<JobId, Seq>> held(const std::string& worker, const std::string& tenant) const;

    /// Finds those that were silent for too long.
    void look(WallTime now);
    /// Views of those that changed visibly since the last call: of state and slots at once, of jobs at most 4/s.
    std::vector<std::shared_ptr<const WorkerView>> changed(WallTime now);
    /// When look() or changed() have something to do.
    std::optional<WallTime> next_wake() const;

private:
    using Key = std::pair<std::string, std::string>; ///< worker, tenant
    struct Entry {
        WorkerView view; ///< without jobs, which held_ knows
        Millis lease{0};
        bool open = false;
        WallTime sign_at; ///< last sign of life
        int unclaimed_beats = 0;
        std::optional<WallTime> told_at;
    };
    struct Holding {
        std::string tenant;
        Seq fence = 0;
        std::optional<WallTime> lease_until;
    };

    Entry* find(const std::string& worker, const std::string& tenant);
    const Entry* find(const std::string& worker, const std::string& tenant) const;
    int held_count(const Key& key) const;
    int free_slots(const Entry& entry) const;
    void note_beat(Entry& entry, WallTime now, bool could_claim);
    void set_state(const Key& key, Entry& entry, WorkerView::State state);
    void sign(Entry& entry, WallTime now);
    void holder_changed(const std::string& worker);
    void holder_changed_all();

    std::map<Key, Entry> workers_;
    std::map<std::string, std::map<JobId, Holding>, std::less<>> held_; ///< by worker's name
    std::set<Key> told_now_, told_soon_;
    std::vector<std::shared_ptr<const WorkerView>> gone_;
    std::optional<WallTime> look_at_, soon_at_;
};

} // namespace freshet
