// SPDX-License-Identifier: Apache-2.0
#include "wire/work_views.hpp"

#include "wire/json_out.hpp"

#include <algorithm>

namespace freshet {

namespace {

void params_input(JsonOut& out, const HandedOut& one)
{
    out.begin("input");
    if (one.source != nullptr && one.params != nullptr) {
        const std::size_t count = std::min(one.source->params.size(), one.params->size());
        for (std::size_t i = 0; i < count; ++i) out.text(one.source->params[i].name, (*one.params)[i]);
    }
    out.end();
}

} // namespace

std::string claim_json(std::span<const HandedOut> jobs, WallTime now)
{
    JsonOut out;
    out.begin();
    out.begin_list("jobs");
    for (const HandedOut& one : jobs) {
        const Job& job = *one.job;
        out.begin();
        out.text("id", to_text(job.id));
        out.unsigned_whole("fence", job.fence);
        out.text("kind", to_text(job.kind));
        out.whole("attempt", job.attempt);
        out.whole("generation", job.generation);
        if (job.lease_until && job.began_at) out.whole("lease_ms", (*job.lease_until - *job.began_at).count());
        out.time_if("lease_until", job.lease_until);
        out.text("queue", job.queue);
        out.text("tenant", job.tenant);
        out.text_if("key", job.key);
        if (job.batch) out.text("batch", to_text(job.batch));
        out.text_if("item", job.item);
        if (job.kind == JobKind::refresh)
            params_input(out, one);
        else
            out.raw_if("input", job.input);
        if (one.forced) out.yes("forced", true);
        out.raw_if("checkpoint", job.checkpoint);
        out.time_if("deadline_at", job.deadline_at);
        out.end();
    }
    out.end_list();
    out.time("now", now);
    out.end();
    return out.take();
}

std::string beat_json(std::span<const BeatWordView> jobs, bool drain, bool reconnect, WallTime now)
{
    JsonOut out;
    out.begin();
    out.begin_list("jobs");
    for (const BeatWordView& one : jobs) {
        out.begin();
        out.text("id", to_text(one.id));
        out.text("answer", one.answer);
        out.time_if("lease_until", one.lease_until);
        out.end();
    }
    out.end_list();
    out.yes("drain", drain);
    out.yes("reconnect", reconnect);
    out.time("now", now);
    out.end();
    return out.take();
}

std::string worker_json(const WorkerRow& worker)
{
    JsonOut out;
    out.begin();
    out.text("id", worker.id);
    out.text("tenant", worker.tenant);
    out.text_if("host", worker.host);
    out.text_if("sdk", worker.sdk);
    out.begin_list("queues");
    for (const std::string& queue : worker.queues) out.text(queue);
    out.end_list();
    out.whole("slots", worker.slots);
    out.whole("busy", worker.busy);
    out.text("state", worker.state);
    out.time_if("beat_at", worker.beat_at);
    out.time_if("claim_at", worker.claim_at);
    out.begin_list("jobs");
    for (const WorkerRow::Holding& held : worker.jobs) {
        out.begin();
        out.text("id", to_text(held.id));
        out.unsigned_whole("fence", held.fence);
        out.time_if("lease_until", held.lease_until);
        out.end();
    }
    out.end_list();
    out.end();
    return out.take();
}

std::string queue_json(const QueueRow& queue)
{
    JsonOut out;
    out.begin();
    out.text("name", queue.name);
    out.text("tenant", queue.tenant);
    out.text("kind", queue.of_source ? "source" : "queue");
    out.yes("paused", queue.paused);
    out.begin("counts");
    for (const JobState state :
         {JobState::queued, JobState::running, JobState::succeeded, JobState::failed, JobState::cancelled}) {
        const auto found = std::ranges::find(queue.counts, state, &std::pair<JobState, std::int64_t>::first);
        out.whole(to_text(state), found == queue.counts.end() ? 0 : found->second);
    }
    out.end();
    out.begin("limits");
    if (queue.concurrency > 0) out.whole("concurrency", queue.concurrency);
    if (queue.rate.count > 0) {
        out.begin("rate");
        out.whole("count", queue.rate.count);
        out.whole("per_ms", queue.rate.per.count());
        out.end();
    }
    out.yes("set", queue.limits_set);
    out.yes("shared", queue.limits_shared);
    out.end();
    out.whole("workers", queue.workers);
    out.time_if("waiting_since", queue.waiting_since);
    out.end();
    return out.take();
}

std::string log_line_json(const LogLine& line)
{
    JsonOut out;
    out.begin();
    out.whole("number", line.number);
    out.time("at", line.at);
    out.text("level", line.level);
    out.text("text", line.text);
    out.unsigned_whole("fence", line.fence);
    out.end();
    return out.take();
}

std::string audit_json(std::int64_t number, const AuditRecord& record)
{
    JsonOut out;
    out.begin();
    out.whole("number", number);
    out.time("at", record.at);
    out.text("tenant", record.tenant);
    out.text("actor", record.actor);
    out.text("action", record.action);
    out.text_if("object", record.object);
    out.text_if("detail", record.detail);
    out.end();
    return out.take();
}

} // namespace freshet
