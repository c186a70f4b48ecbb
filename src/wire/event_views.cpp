// SPDX-License-Identifier: Apache-2.0
#include "wire/parts.hpp"

namespace freshet {

std::string change_event_json(std::string_view topic, std::string_view meta, std::optional<Outcome> outcome,
                              std::int64_t base_ver, const std::optional<DiffCounts>& counts, std::string_view diff,
                              std::string_view href, Seq seq)
{
    JsonOut out;
    out.begin();
    out.text("topic", topic);
    out.raw_if("meta", meta);
    if (outcome) out.text("outcome", to_text(*outcome));
    if (base_ver != 0) out.whole("base", base_ver);
    if (counts) parts::counts(out, "counts", *counts);
    if (!diff.empty())
        out.raw_if("diff", diff);
    else
        out.text_if("href", href);
    out.unsigned_whole("seq", seq);
    out.end();
    return out.take();
}

std::string job_event_json(std::string_view topic, std::string_view job, Seq seq)
{
    JsonOut out;
    out.begin();
    out.text("topic", topic);
    out.raw_if("job", job);
    out.unsigned_whole("seq", seq);
    out.end();
    return out.take();
}

std::string event_json(const Event& event)
{
    if (!event.told) return event.data;
    const Job& job = *event.told->job;
    JobTerms terms{event.told->paused};
    terms.stall_at = event.told->stall_at;
    terms.attempts_max = event.told->attempts_max;
    terms.brief = true;
    const WallTime at = event.told->at;
    return job_event_json(
        event.topic, job.kind == JobKind::refresh ? receipt_json(job, terms, at) : job_json(job, terms, at), job.seq);
}

bool told_by_values(const Job& job)
{
    constexpr std::size_t bytes_max = 1024;
    return job.input.size() + job.result.size() + job.receipt.size() + job.checkpoint.size() <= bytes_max && !job.late;
}

std::string fire_event_json(std::string_view topic, const FireRecord& fire, std::optional<WallTime> next_at, Seq seq)
{
    JsonOut out;
    out.begin();
    out.text("topic", topic);
    out.begin("schedule");
    out.text("id", fire.key);
    out.time_if("next_at", next_at);
    out.end();
    out.key("fire");
    out.raw(fire_json(fire));
    out.unsigned_whole("seq", seq);
    out.end();
    return out.take();
}

std::string problem_json(const Problem& problem)
{
    JsonOut out;
    out.begin();
    if (!problem.code.empty() && !problem.type_base.empty()) out.text("type", problem.type_base + problem.code);
    out.text_if("title", problem.title);
    out.whole("status", problem.status);
    out.text_if("detail", problem.detail);
    out.text_if("instance", problem.instance);
    out.text_if("code", problem.code);
    out.text_if("key", problem.key);
    out.text_if("outcome", problem.outcome);
    out.text_if("job", problem.job);
    if (problem.joined) out.yes("joined", *problem.joined);
    out.whole_if("attempt", problem.attempt);
    out.time_if("retry_at", problem.retry_at);
    out.text_if("limit", problem.limit);
    out.raw_if("receipt", problem.receipt);
    out.raw_if("last_good", problem.last_good);
    out.text_if("try", problem.try_);
    out.end();
    return out.take();
}

} // namespace freshet
