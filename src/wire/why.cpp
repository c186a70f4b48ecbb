// SPDX-License-Identifier: Apache-2.0
// Why a key is not fresh and why a job waits, runs long or failed. The first reason that holds is told: the one that
// has to go before any other matters. Texts hold no ages, since an event is shown long after it was written.
#include "wire/parts.hpp"

#include <fmt/format.h>

namespace freshet {

bool parts::slow(const Job& job, WallTime now)
{
    return job.state == JobState::running && job.began_at && job.took_p95 && now > *job.began_at + *job.took_p95;
}

bool parts::stalled(const Job& job, const JobTerms& terms, WallTime now)
{
    return job.state == JobState::running && !job.cancel_requested_at && terms.stall_at && now >= *terms.stall_at;
}

namespace {

using Values = std::vector<WhyValue>;

// "the next try, not before ..." where a time is known.
std::string next_try(const std::optional<WallTime>& at)
{
    return at ? fmt::format("the next try, not before {}", to_rfc3339(*at)) : "the next refresh that succeeds";
}

std::string next_refresh(const KeyRecord& record)
{
    return record.next_at ? fmt::format("a refresh; the schedule's next one is at {}", to_rfc3339(*record.next_at))
                          : "a refresh";
}

Values at_if(const std::optional<WallTime>& at)
{
    return at ? Values{{"at", *at}} : Values{};
}

Values message_of(const std::optional<ErrorInfo>& error)
{
    return error ? Values{{"error", error->code}, {"message", error->message}} : Values{};
}

Values with(Values values, WhyValue more)
{
    values.push_back(std::move(more));
    return values;
}

Why failing(const KeyRecord& record)
{
    const std::string words = record.error ? record.error->message : "the last refresh failed";
    Why why{"failing", words, next_try(record.retry_at), record.last_finished_at, message_of(record.error)};
    if (record.retry_at) why.values.push_back({"at", *record.retry_at});
    if (record.error && record.error->code == "source_open")
        why.code = "source_open";
    else if (record.parked)
        why.code = "parked";
    return why;
}

Why held(const KeyRecord& record)
{
    const HeldResult& held = *record.held;
    return {"held",
            held.message.empty() ? "the new result waits for a person to decide" : held.message,
            "accepting or discarding the held result",
            held.held_at,
            {{"reason", std::string{to_text(held.reason)}}, {"rows", held.rows}, {"rows_before", record.rows}}};
}

Why empty(const KeyRecord& record)
{
    if (record.gen == 0) return {"never_fetched", "nothing was read from the source yet", "a refresh", {}};
    return {"deleted", "its data was deleted and not read again since", "a refresh", {}};
}

} // namespace

std::optional<Why> why_of(const MetaInput& input, WallTime now)
{
    const KeyRecord& record = *input.record;
    if (input.source == nullptr)
        return Why{"source_removed", "the config has no such source any more", "the source back in the config", {}};
    const Freshness freshness = derive_freshness(record, *input.source, now);
    if (freshness.state == SnapshotState::fresh) return std::nullopt;
    if (input.paused) return Why{"paused", "the source is paused", "resuming it", {}, {{"queue", record.source}}};
    if (record.held && record.last_outcome == Outcome::held) return held(record);
    if (record.attempts > 0) return failing(record);
    if (freshness.state == SnapshotState::empty) return empty(record);
    if (record.definition != input.source->hash)
        return Why{"definition_changed",
                   "the source's definition changed since this was read",
                   next_refresh(record),
                   {},
                   at_if(record.next_at)};
    if (record.data_fence <= record.stale_seq)
        return Why{"purged",
                   "marked stale by a purge or by a source it depends on",
                   next_refresh(record),
                   {},
                   at_if(record.next_at)};
    const bool forced = record.trigger == Trigger::manual && input.source->fresh_for_forced.count() > 0;
    const Millis fresh_for = forced ? input.source->fresh_for_forced : input.source->fresh_for;
    return Why{"age", fmt::format("older than the {} for which it counts as fresh", to_text(fresh_for)),
               next_refresh(record), freshness.stale_at,
               with(at_if(record.next_at), {"fresh_for_ms", std::int64_t{fresh_for.count()}})};
}

namespace {

std::optional<Why> why_due_later(const Job& job)
{
    const std::string due = fmt::format("its time, {}", to_rfc3339(job.due_at));
    const Values at{{"at", job.due_at}};
    if (!job.wait_reason.empty())
        return Why{"paused", job.wait_reason, due + ", or running it now", {}, with(at, {"message", job.wait_reason})};
    const bool open = job.error && job.error->code == "source_open";
    if (job.attempt == 0 && !open) return Why{"scheduled", "it is not due yet", due, job.requested_at, at};
    const bool lost = job.error && job.error->error_class == ErrorClass::lost;
    return Why{open   ? "source_open"
               : lost ? "worker_lost"
                      : "retrying",
               job.error ? job.error->message : "the last attempt was handed back",
               due,
               {},
               with(message_of(job.error), at.front())};
}

std::optional<Why> why_queued(const Job& job, bool paused, WallTime now)
{
    if (paused) return Why{"paused", fmt::format("{} is paused", job.queue), "resuming it", {}, {{"queue", job.queue}}};
    if (job.behind)
        return Why{"behind",
                   fmt::format("{} runs and began before this was asked for", to_text(job.behind)),
                   fmt::format("the end of {}", to_text(job.behind)),
                   job.requested_at,
                   {{"job", to_text(job.behind)}}};
    if (job.gated)
        return Why{"gated",
                   fmt::format("{} lets no further item run yet", to_text(job.batch)),
                   "the end of another item, or process-next where its driver is the caller",
                   job.requested_at,
                   {{"batch", to_text(job.batch)}}};
    if (job.due_at > now) return why_due_later(job);
    return Why{"waiting_slot",
               fmt::format("it waits for a free slot of {}", job.queue),
               fmt::format("the end of another job of {}, or a worker that claims it", job.queue),
               std::max(job.requested_at, job.due_at),
               {{"queue", job.queue}}};
}

std::optional<Why> why_running(const Job& job, const JobTerms& terms, WallTime now)
{
    if (job.cancel_requested_at)
        return Why{"cancelling", "a cancel was asked for", "the worker's confirmation, or the end of its grace",
                   job.cancel_requested_at};
    if (parts::stalled(job, terms, now))
        return Why{"stalled", "its worker beats, and tells of no progress", "progress, its end, or a cancel",
                   terms.stall_at};
    if (parts::slow(job, now))
        return Why{"slow",
                   fmt::format("it runs longer than 95 of 100 before it, {}", to_text(*job.took_p95)),
                   "its end, or its run limit",
                   *job.began_at + *job.took_p95,
                   {{"took_ms", std::int64_t{job.took_p95->count()}}}};
    return std::nullopt;
}

Why why_failed(const Job& job, WallTime now)
{
    const bool late = job.late && job.late->at + late_result_keep > now;
    Why why{job.error ? job.error->code : "failed", job.error ? job.error->message : "it failed",
            late ? "adopting the result that came too late, or a retry" : "a retry, or a new refresh", job.finished_at,
            message_of(job.error)};
    if (late) why.values.push_back({"late_at", job.late->at});
    return why;
}

} // namespace

std::optional<Why> why_of(const Job& job, const JobTerms& terms, WallTime now)
{
    switch (job.state) {
    case JobState::queued: return why_queued(job, terms.paused, now);
    case JobState::running: return why_running(job, terms, now);
    case JobState::succeeded: return std::nullopt;
    case JobState::cancelled:
        if (job.superseded_by)
            return Why{"superseded",
                       fmt::format("{} took its place", to_text(job.superseded_by)),
                       fmt::format("following {}", to_text(job.superseded_by)),
                       job.finished_at,
                       {{"job", to_text(job.superseded_by)}}};
        return Why{"cancelled", job.error ? job.error->message : "cancelled", "a retry", job.finished_at,
                   message_of(job.error)};
    case JobState::failed: return why_failed(job, now);
    }
    return std::nullopt;
}

} // namespace freshet
