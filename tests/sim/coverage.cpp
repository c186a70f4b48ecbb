// SPDX-License-Identifier: Apache-2.0
#include "sim/coverage.hpp"

#include <fmt/format.h>
#include <utility>

namespace freshet::sim {

std::string_view to_text(Seen seen)
{
    switch (seen) {
    case Seen::messages_lost: return "messages lost";
    case Seen::messages_late: return "messages late";
    case Seen::messages_twice: return "messages twice";
    case Seen::server_kills: return "server kills";
    case Seen::server_died_answering: return "deaths between commit and answer";
    case Seen::server_standstills: return "server standstills";
    case Seen::commits_refused: return "commits refused by a full disk";
    case Seen::wall_steps: return "steps of the wall clock";
    case Seen::worker_crashes: return "worker crashes";
    case Seen::worker_stops: return "worker stops";
    case Seen::reloads: return "reloads of the config";
    case Seen::restores: return "restores of a backup";
    case Seen::claims: return "claims";
    case Seen::lost_leases: return "lost leases";
    case Seen::late_completions_taken: return "late completions taken";
    case Seen::late_completions_refused: return "late completions refused";
    case Seen::late_results_kept: return "late results kept";
    case Seen::adoptions: return "adoptions";
    case Seen::retries_after_failure: return "retries after a failure";
    case Seen::run_limits: return "run limits";
    case Seen::hand_backs: return "hand-backs";
    case Seen::lost_for_good: return "lost for good";
    case Seen::failed_for_good: return "failed for good";
    case Seen::expired: return "expired";
    case Seen::retries_by_person: return "retries by a person";
    case Seen::cancels_confirmed: return "cancels confirmed";
    case Seen::cancels_forced: return "cancels forced";
    case Seen::finished_before_cancel: return "finished before the cancel";
    case Seen::superseded: return "superseded";
    case Seen::unique_attached: return "unique jobs attached";
    case Seen::flights_joined: return "flights joined";
    case Seen::published: return "published";
    case Seen::unchanged: return "unchanged";
    case Seen::held: return "held";
    case Seen::held_decided: return "held results decided";
    case Seen::older_data_refused: return "older data refused";
    case Seen::purges: return "purges";
    case Seen::breakers_opened: return "breakers opened";
    case Seen::breaker_probes: return "breaker probes";
    case Seen::batches_succeeded: return "batches succeeded";
    case Seen::batches_partial: return "batches partial";
    case Seen::batches_failed: return "batches failed";
    case Seen::batches_cancelled: return "batches cancelled";
    case Seen::batches_aborted: return "batches aborted";
    case Seen::batches_retried: return "batches retried";
    case Seen::follow_ups: return "follow-ups";
    case Seen::driver_released: return "items released by a driver";
    case Seen::resets: return "resets";
    case Seen::bulk_acts: return "bulk acts";
    case Seen::fires: return "fires";
    case Seen::idempotent_repeats: return "idempotent repeats";
    case Seen::foreign_refused: return "foreign verbs refused";
    case Seen::quiet_times: return "quiet times";
    case Seen::count_: break;
    }
    std::unreachable();
}

void Coverage::add(const Coverage& other)
{
    for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
}

std::string Coverage::shown() const
{
    constexpr std::size_t line_most = 110;
    std::string text, line;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
        const std::string one = fmt::format("{} {}", to_text(static_cast<Seen>(i)), counts_[i]);
        if (!line.empty() && line.size() + one.size() > line_most) text += "  " + std::exchange(line, {}) + '\n';
        line += line.empty() ? one : " · " + one;
    }
    return text + "  " + line + '\n';
}

std::vector<std::string_view> Coverage::never_seen() const
{
    std::vector<std::string_view> never;
    for (std::size_t i = 0; i < counts_.size(); ++i)
        if (counts_[i] == 0) never.push_back(to_text(static_cast<Seen>(i)));
    return never;
}

} // namespace freshet::sim
