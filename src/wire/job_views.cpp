// SPDX-License-Identifier: Apache-2.0
#include "wire/parts.hpp"

#include <algorithm>
#include <simdjson.h>

namespace freshet {

namespace {

void flags(JsonOut& out, const Job& job, WallTime now)
{
    out.begin("flags");
    // Only a queue with a progress deadline calls a job stalled, and no queue of the built-in runners has one.
    out.yes("stalled", false);
    out.yes("forced", job.forced);
    out.yes("slow", parts::slow(job, now));
    out.yes("finished_before_cancel", job.finished_before_cancel);
    out.end();
}

// All counted work of the last phase is done and the result is not committed yet.
bool finalizing(const Job& job)
{
    const Progress& progress = job.progress;
    const bool last_phase = progress.phases == 0 || progress.phase_index + 1 >= progress.phases;
    return job.state == JobState::running && last_phase && progress.total && *progress.total > 0 &&
           progress.done >= *progress.total;
}

std::optional<int> percent_of(const Job& job)
{
    if (job.state == JobState::succeeded && job.progress.total) return 100;
    return job.progress.percent();
}

void progress(JsonOut& out, const Job& job)
{
    const Progress& progress = job.progress;
    if (progress.attempt == 0) return;
    out.begin("progress");
    out.whole("attempt", progress.attempt);
    out.text_if("phase", finalizing(job) ? "finalizing" : std::string_view{progress.phase});
    out.whole("phase_index", progress.phase_index);
    if (progress.phases > 0) out.whole("phases", progress.phases);
    out.whole("done", progress.done);
    out.whole_if("total", progress.total);
    out.text_if("unit", progress.unit);
    out.text_if("message", progress.message);
    out.whole_if("percent", percent_of(job));
    out.end();
}

// Past p90 history has nothing to say of the end: no ETA rather than a zero that stays.
void eta(JsonOut& out, const Job& job, WallTime now)
{
    if (job.state != JobState::running || !job.began_at || !job.took_p50 || !job.took_p90) return;
    const Millis ran = std::max(now - *job.began_at, Millis{0});
    const Millis high = std::max(*job.took_p90, *job.took_p50) - ran;
    if (high <= Millis{0}) return;
    out.begin("eta");
    out.whole("low_ms", std::max(*job.took_p50 - ran, Millis{0}).count());
    out.whole("high_ms", high.count());
    out.end();
}

void job_members(JsonOut& out, const Job& job, bool paused, WallTime now)
{
    out.text("id", to_text(job.id));
    out.text("kind", to_text(job.kind));
    out.text("queue", job.queue);
    out.text("tenant", job.tenant);
    out.text_if("key", job.key);
    out.text("state", reported_state(job, now, paused));
    flags(out, job, now);
    out.whole("generation", job.generation);
    out.whole("attempt", job.attempt);
    out.whole("lost", job.lost);
    if (job.fence != 0) out.unsigned_whole("fence", job.fence);
    out.time_if("lease_until", job.lease_until);
    out.text_if("worker", job.worker);
    out.whole("priority", job.priority);
    out.raw_if("input", job.input);
    out.text_if("requested_by", job.requested_by);
    out.time("requested_at", job.requested_at);
    out.time("due_at", job.due_at);
    out.time_if("began_at", job.began_at);
    out.time_if("finished_at", job.finished_at);
    if (job.state == JobState::queued && job.attempt > 0 && job.due_at > now) out.time("retry_at", job.due_at);
    out.time_if("deadline_at", job.deadline_at);
    out.time_if("beat_at", job.beat_at);
    out.time_if("progress_at", job.progress_at);
    out.time_if("cancel_requested_at", job.cancel_requested_at);
    progress(out, job);
    eta(out, job, now);
    if (job.behind) out.text("behind", to_text(job.behind));
    if (job.superseded_by) out.text("superseded_by", to_text(job.superseded_by));
    parts::why(out, why_of(job, paused, now));
    parts::error(out, job.error);
    out.unsigned_whole("seq", job.seq);
}

// The members of a receipt's parts; what is no JSON object says nothing.
void merge(JsonOut& out, std::string_view object)
{
    if (object.empty()) return;
    simdjson::dom::parser parser;
    simdjson::dom::object members;
    if (parser.parse(object.data(), object.size()).get(members) != simdjson::SUCCESS) return;
    for (const auto& [name, value] : members) out.key(name), out.raw(simdjson::minify(value));
}

} // namespace

void parts::progress(JsonOut& out, const Job& job)
{
    freshet::progress(out, job);
}

std::string job_json(const Job& job, bool paused, WallTime now)
{
    JsonOut out;
    out.begin();
    job_members(out, job, paused, now);
    out.end();
    return out.take();
}

std::string receipt_json(const Job& job, bool paused, WallTime now)
{
    JsonOut out;
    out.begin();
    job_members(out, job, paused, now);
    out.text("trigger", to_text(job.trigger));
    if (job.outcome) out.text("outcome", to_text(*job.outcome));
    out.whole("callers", job.callers);
    merge(out, job.receipt);
    out.end();
    return out.take();
}

std::string receipt_parts_json(const ReceiptInput& input)
{
    JsonOut out;
    out.begin();
    out.whole_if("gen", input.gen);
    out.whole_if("ver", input.ver);
    out.whole_if("base_ver", input.base_ver);
    out.time_if("as_of", input.as_of);
    out.time_if("checked_at", input.checked_at);
    if (input.counts) parts::counts(out, "counts", *input.counts);
    if (!input.phases.empty()) {
        out.begin_list("phases");
        for (const auto& [name, took] : input.phases)
            out.begin(), out.text("name", name), out.whole("ms", took.count()), out.end();
        out.end_list();
    }
    out.whole("bytes", input.bytes);
    out.whole("rows", input.rows);
    if (input.source_status != 0) out.whole("source_status", input.source_status);
    if (!input.notes.empty()) {
        out.begin_list("notes");
        for (const std::string& note : input.notes) out.text(note);
        out.end_list();
    }
    if (input.held_reason) {
        out.begin("held");
        out.text("reason", to_text(*input.held_reason));
        out.whole("rows", input.held_rows);
        out.end();
    }
    if (input.last_good != nullptr && input.last_good->has_data) {
        const KeyRecord& record = *input.last_good;
        out.begin("last_good");
        out.whole("gen", record.gen);
        out.whole("ver", record.ver);
        out.time_if("as_of", record.as_of ? record.as_of : record.checked_at);
        out.time_if("checked_at", record.checked_at);
        out.text_if("href", input.last_good_href);
        out.end();
    }
    out.end();
    return out.take();
}

std::string attempt_json(const AttemptRecord& attempt)
{
    JsonOut out;
    out.begin();
    out.text("job", to_text(attempt.job));
    out.whole("generation", attempt.generation);
    out.whole("attempt", attempt.attempt);
    out.unsigned_whole("fence", attempt.fence);
    out.text_if("worker", attempt.worker);
    out.time("began_at", attempt.began_at);
    out.time_if("finished_at", attempt.finished_at);
    out.text("end", to_text(attempt.end));
    parts::error(out, attempt.error);
    out.unsigned_whole("seq", attempt.fence);
    out.end();
    return out.take();
}

} // namespace freshet
