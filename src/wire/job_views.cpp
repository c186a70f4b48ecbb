// SPDX-License-Identifier: Apache-2.0
#include "wire/parts.hpp"

#include <algorithm>
#include <simdjson.h>

namespace freshet {

namespace {

/// Longer inputs and results are left out of events.
constexpr std::size_t brief_bytes_max = 1024;

void flags(JsonOut& out, const Job& job, const JobTerms& terms, WallTime now)
{
    out.begin("flags");
    out.yes("stalled", parts::stalled(job, terms, now));
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

void unique(JsonOut& out, const Job& job)
{
    if (!job.unique) return;
    out.begin("unique");
    out.text("key", job.unique->key);
    out.text("scope", to_text(job.unique->scope));
    out.text("on_conflict", to_text(job.unique->on_conflict));
    out.end();
}

// Inline up to a bound; else where it is.
void result(JsonOut& out, const Job& job, const JobTerms& terms)
{
    if (job.state != JobState::succeeded || job.result_bytes == 0) return;
    const bool here = job.result_payload == 0 && (!terms.brief || job.result.size() <= brief_bytes_max);
    if (here)
        out.raw_if("result", job.result);
    else
        out.text("result_href", "/v1/jobs/" + to_text(job.id) + "/result");
    out.whole("result_bytes", job.result_bytes);
}

void late_result(JsonOut& out, const Job& job, WallTime now)
{
    if (!job.late || job.late->at + late_result_keep <= now) return;
    out.begin("late_result");
    out.unsigned_whole("fence", job.late->fence);
    out.text_if("worker", job.late->worker);
    out.time("at", job.late->at);
    out.time("until", job.late->at + late_result_keep);
    out.whole("bytes", static_cast<std::int64_t>(job.late->result.size()));
    out.end();
}

void job_members(JsonOut& out, const Job& job, const JobTerms& terms, WallTime now)
{
    out.text("id", to_text(job.id));
    out.text("kind", to_text(job.kind));
    out.text("queue", job.queue);
    out.text("tenant", job.tenant);
    out.text_if("key", job.key);
    if (job.batch) out.text("batch", to_text(job.batch));
    out.text_if("item", job.item);
    out.text_if("label", job.label);
    if (!job.tags.empty()) {
        out.begin_list("tags");
        for (const std::string& tag : job.tags) out.text(tag);
        out.end_list();
    }
    unique(out, job);
    out.text("state", reported_state(job, now, terms.paused));
    flags(out, job, terms, now);
    out.whole("generation", job.generation);
    out.whole("attempt", job.attempt);
    if (terms.attempts_max > 0) out.whole("attempts_max", terms.attempts_max);
    out.whole("lost", job.lost);
    if (job.fence != 0) out.unsigned_whole("fence", job.fence);
    out.time_if("lease_until", job.lease_until);
    out.text_if("worker", job.worker);
    out.whole("priority", job.priority);
    if (!terms.brief || job.input.size() <= brief_bytes_max) out.raw_if("input", job.input);
    result(out, job, terms);
    out.text_if("requested_by", job.requested_by);
    out.time("requested_at", job.requested_at);
    out.time("due_at", job.due_at);
    out.time_if("began_at", job.began_at);
    out.time_if("finished_at", job.finished_at);
    if (job.state == JobState::queued && job.attempt > 0 && job.due_at > now) out.time("retry_at", job.due_at);
    out.time_if("deadline_at", job.deadline_at);
    if (job.state == JobState::queued && job.attempt == 0) out.time_if("start_by", job.start_by);
    out.time_if("beat_at", job.beat_at);
    out.time_if("progress_at", job.progress_at);
    if (job.state == JobState::running) out.time_if("stall_at", terms.stall_at);
    out.time_if("cancel_requested_at", job.cancel_requested_at);
    progress(out, job);
    eta(out, job, now);
    if (job.behind) out.text("behind", to_text(job.behind));
    if (job.superseded_by) out.text("superseded_by", to_text(job.superseded_by));
    parts::why(out, why_of(job, terms, now));
    parts::error(out, job.error);
    late_result(out, job, now);
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

JobTerms terms_of(const Definitions& definitions, const Job& job, bool paused)
{
    const QueuePolicy policy = policy_of(definitions, job);
    JobTerms terms{paused};
    terms.stall_at = stall_at(job, policy);
    terms.attempts_max = attempts_max_of(job, policy);
    return terms;
}

std::string job_json(const Job& job, const JobTerms& terms, WallTime now)
{
    JsonOut out;
    out.begin();
    job_members(out, job, terms, now);
    out.end();
    return out.take();
}

std::string receipt_json(const Job& job, const JobTerms& terms, WallTime now)
{
    JsonOut out;
    out.begin();
    job_members(out, job, terms, now);
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
