// SPDX-License-Identifier: Apache-2.0
#include "model/event.hpp"

#include "model/job.hpp"

namespace freshet {

std::string_view to_text(EventKind kind)
{
    switch (kind) {
    case EventKind::change: return "change";
    case EventKind::job: return "job";
    case EventKind::fire: return "fire";
    case EventKind::batch: return "batch";
    }
    return "change";
}

bool operator==(const ToldJob& a, const ToldJob& b)
{
    return *a.job == *b.job && a.paused == b.paused && a.attempts_max == b.attempts_max && a.stall_at == b.stall_at &&
           a.at == b.at;
}

Event job_event(ToldJob told, bool terminal)
{
    Event event{EventKind::job, "job/" + to_text(told.job->id), {}, "jobs/" + told.job->queue, terminal, {}};
    event.told = std::move(told);
    return event;
}

} // namespace freshet
