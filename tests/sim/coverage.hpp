// SPDX-License-Identifier: Apache-2.0
#pragma once
// What happened in simulated worlds, counted: a promise that held because nothing ever tried it shows nothing.
//
// The checker counts what the server told, the world what it did to it. Counts of many worlds are added up; an event
// that no world ever saw is a hole in the simulation, and freshet-sim fails for it. Threads: one.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace freshet::sim {

enum class Seen : std::uint8_t {
    // What the world did.
    messages_lost,
    messages_late,
    messages_twice,
    server_kills,
    server_died_answering,
    server_standstills,
    commits_refused,
    wall_steps,
    worker_crashes,
    worker_stops,
    reloads,
    restores,
    // What the server told.
    claims,
    lost_leases,
    late_completions_taken,
    late_completions_refused,
    late_results_kept,
    adoptions,
    retries_after_failure,
    run_limits,
    hand_backs,
    lost_for_good,
    failed_for_good,
    expired,
    retries_by_person,
    cancels_confirmed,
    cancels_forced,
    finished_before_cancel,
    superseded,
    unique_attached,
    flights_joined,
    published,
    unchanged,
    held,
    held_decided,
    older_data_refused,
    purges,
    breakers_opened,
    breaker_probes,
    batches_succeeded,
    batches_partial,
    batches_failed,
    batches_cancelled,
    batches_aborted,
    batches_retried,
    follow_ups,
    driver_released,
    resets,
    bulk_acts,
    fires,
    idempotent_repeats,
    foreign_refused,
    quiet_times,
    count_
};

std::string_view to_text(Seen seen);

class Coverage {
public:
    void saw(Seen seen, std::uint64_t times = 1) { counts_[static_cast<std::size_t>(seen)] += times; }
    std::uint64_t of(Seen seen) const { return counts_[static_cast<std::size_t>(seen)]; }
    void add(const Coverage& other);
    /// "claims 812,345 · lost leases ...", in lines.
    std::string shown() const;
    std::vector<std::string_view> never_seen() const;

private:
    std::array<std::uint64_t, static_cast<std::size_t>(Seen::count_)> counts_{};
};

} // namespace freshet::sim
