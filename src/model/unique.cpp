// SPDX-License-Identifier: Apache-2.0
#include "model/unique.hpp"

#include <algorithm>

namespace freshet {

namespace {

// Quiet begins anew with each ask, up to `most` after the first one.
WallTime debounced(const UniqueTerms& terms, WallTime first, WallTime now)
{
    const WallTime quiet = now + terms.quiet;
    return terms.most.count() > 0 ? std::min(quiet, first + terms.most) : quiet;
}

bool may_join(const Job& running)
{
    return !running.cancel_requested_at && running.unique->scope != UniqueScope::debounce;
}

} // namespace

UniqueDecision decide_unique(const UniqueTerms& terms, std::span<const Job> holders, WallTime due_at, WallTime now)
{
    const Job* queued = nullptr;
    const Job* running = nullptr;
    const Job* done = nullptr;
    for (const Job& job : holders) {
        if (job.state == JobState::queued) queued = &job;
        if (job.state == JobState::running) running = &job;
        if (done == nullptr && window_open(job, now)) done = &job;
    }
    const Job* holder = queued != nullptr ? queued : running != nullptr ? running : done;
    const bool debounce = terms.scope == UniqueScope::debounce;
    if (holder == nullptr) return UniqueEnqueue{{}, debounce ? std::max(due_at, debounced(terms, now, now)) : due_at};
    if (terms.on_conflict == UniqueConflict::reject) return UniqueTaken{holder->id};

    const bool rerun = terms.on_conflict == UniqueConflict::rerun_after;
    if (queued != nullptr) {
        UniqueAttach attach{queued->id, {}, rerun};
        // What waits for another try keeps its wait: asking again is no reason to hurry a source that just failed.
        if (queued->attempt == 0)
            attach.due_at = debounce ? debounced(terms, queued->requested_at, now) : std::min(queued->due_at, due_at);
        return attach;
    }
    if (running != nullptr) {
        if (!rerun && may_join(*running)) return UniqueAttach{running->id, {}, false};
        return UniqueEnqueue{running->id, debounce ? debounced(terms, now, now) : due_at};
    }
    if (!rerun) return UniqueAttach{done->id, {}, false};
    return UniqueEnqueue{{}, std::max(due_at, done->requested_at + done->unique->ttl)};
}

} // namespace freshet
