// SPDX-License-Identifier: Apache-2.0
// What of the server's work was seen, told by how jobs moved.
#include "sim/checker.hpp"

namespace freshet::sim {

void Checker::count(const Job& before, const Job& after, bool fresh)
{
    if (after.fence != before.fence) saw(Seen::claims);
    if (after.late && (!before.late || before.late->fence != after.late->fence)) saw(Seen::late_results_kept);
    if (fresh) {
        if (after.queue == "freshet.bulk") saw(Seen::bulk_acts);
        return;
    }
    if (after.generation != before.generation) {
        saw(Seen::retries_by_person);
        return;
    }
    if (after.lost > before.lost) saw(Seen::lost_leases);
    if (after.failed > before.failed && after.state == JobState::queued) {
        saw(Seen::retries_after_failure);
        if (after.error && after.error->code == "run_limit") saw(Seen::run_limits);
    }
    if (after.released > before.released) saw(Seen::hand_backs);
    if (is_terminal(after.state) && before.state != after.state) count_end(before, after);
}

void Checker::count_end(const Job& before, const Job& after)
{
    const std::string code = after.error ? after.error->code : "";
    switch (after.state) {
    case JobState::succeeded:
        if (before.state == JobState::queued && before.fence == after.fence) saw(Seen::late_completions_taken);
        if (is_terminal(before.state)) saw(Seen::adoptions);
        if (after.finished_before_cancel) saw(Seen::finished_before_cancel);
        if (after.kind == JobKind::refresh)
            saw(after.outcome == Outcome::unchanged ? Seen::unchanged : Seen::published);
        break;
    case JobState::failed:
        if (code == "expired")
            saw(Seen::expired);
        else if (code == "reset")
            saw(Seen::resets);
        else if (code == "held")
            saw(Seen::held);
        else
            saw(after.error && after.error->error_class == ErrorClass::lost ? Seen::lost_for_good
                                                                            : Seen::failed_for_good);
        break;
    case JobState::cancelled:
        if (after.superseded_by)
            saw(Seen::superseded);
        else
            saw(after.forced ? Seen::cancels_forced : Seen::cancels_confirmed);
        break;
    case JobState::queued:
    case JobState::running: break;
    }
}

} // namespace freshet::sim
