// SPDX-License-Identifier: Apache-2.0
// What a job left: what happened to it, its log and its result, or the late one that was refused (spec "The wire
// contract" §4).
// Threads: the loop's.
#include "http/job_answer.hpp"
#include "http/negotiate.hpp"
#include "http/problems.hpp"
#include "http/route.hpp"
#include "http/status_answer.hpp"
#include "wire/parts.hpp"
#include "wire/work_views.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace freshet::http {

namespace {

void show_log(Core& core, const ExchangePtr& exchange, std::span<const std::string> captures)
{
    const auto query = list_query(exchange, {});
    if (!query || !has_tenant(exchange)) return;
    const auto id = job_id(exchange, captures[0]);
    if (!id) return;
    const auto after = query->after.empty() ? std::optional<std::int64_t>{0} : parse_count(query->after);
    if (!after)
        return exchange->fail(
            bad_parameter("after takes the `next` of the page before.", "Leave it out for the first page."));
    struct Found {
        std::optional<Job> job;
        std::vector<LogLine> lines;
    };
    const auto found = std::make_shared<Found>();
    read_then(
        core, exchange,
        [found, id = *id, after = *after, limit = query->limit](Reads& reads) {
            reads.in_one_view([&](StoreReads& store) {
                found->job = store.job(id);
                if (found->job) found->lines = store.job_log(id, after, limit + 1);
            });
        },
        [&core, exchange, found, id = *id, limit = static_cast<std::size_t>(query->limit)](streams::Cursor cursor) {
            if (!found->job || !sees_job(core, exchange, *found->job)) return exchange->fail(no_such_job(to_text(id)));
            const bool more = found->lines.size() > limit;
            if (more) found->lines.resize(limit);
            JsonOut out;
            out.begin();
            out.begin_list("items");
            for (const LogLine& line : found->lines) out.raw(log_line_json(line));
            out.end_list();
            end_list(out, more ? fmt::to_string(found->lines.back().number) : std::string{}, cursor, core.now());
            out.end();
            respond_status(exchange, out.take());
        });
}

void show_result(Core& core, const ExchangePtr& exchange, std::span<const std::string> captures)
{
    if (!only_parameters(exchange, {"late"}) || !has_tenant(exchange)) return;
    const auto id = job_id(exchange, captures[0]);
    if (!id) return;
    const std::string_view late_text = exchange->request().param("late").value_or("0");
    if (late_text != "0" && late_text != "1")
        return exchange->fail(bad_parameter("late takes 1 or 0.", "late=1 shows the result that came too late."));
    struct Found {
        std::optional<Job> job;
        std::optional<std::string> json;
    };
    const bool late = late_text == "1";
    const auto found = std::make_shared<Found>();
    read_then(
        core, exchange,
        [found, late, id = *id](Reads& reads) {
            reads.in_one_view([&](StoreReads& store) {
                found->job = store.job(id);
                if (!found->job) return;
                const Job& job = *found->job;
                if (late && job.late)
                    found->json = job.late->result;
                else if (!late && !job.result.empty())
                    found->json = job.result;
                else if (!late && job.result_payload != 0)
                    found->json = store.payload(job.result_payload);
            });
        },
        [&core, exchange, found, late, id = *id](streams::Cursor) {
            if (!found->job || !sees_job(core, exchange, *found->job)) return exchange->fail(no_such_job(to_text(id)));
            if (found->json && !found->json->empty()) return respond_status(exchange, std::move(*found->json));
            const Job& job = *found->job;
            if (!late && !is_terminal(job.state))
                return exchange->fail(make_problem(409, "not_terminal", "It has not ended yet",
                                                   fmt::format("{} is {}.", to_text(id), to_text(job.state)),
                                                   "GET the job with Prefer: wait=60, then its result."));
            exchange->fail(make_problem(404, "no_result", "The job has no result",
                                        late ? "No result came late, or it is not kept any more."
                                             : fmt::format("It ended as {} without one.", to_text(job.state)),
                                        job.key.empty() ? "Look at the job's error."
                                                        : fmt::format("Its data is at /v1/data/{}.", job.key)));
        });
}

// --- Events ---

struct JobEvent {
    WallTime at;
    std::string_view event;
    const AttemptRecord* attempt = nullptr; ///< of began and ended
    const ErrorInfo* error = nullptr;
};

// From the rows of the job and of its attempts, which stay longer than the ledger does.
std::vector<JobEvent> events_of(const Job& job, const std::vector<AttemptRecord>& attempts)
{
    std::vector<JobEvent> events{{job.requested_at, "queued"}};
    for (const AttemptRecord& attempt : attempts) {
        events.push_back({attempt.began_at, "began", &attempt});
        if (attempt.finished_at)
            events.push_back({*attempt.finished_at, "ended", &attempt, attempt.error ? &*attempt.error : nullptr});
    }
    if (job.cancel_requested_at) events.push_back({*job.cancel_requested_at, "cancel_requested"});
    if (job.late) events.push_back({job.late->at, "late_result"});
    if (job.finished_at)
        events.push_back({*job.finished_at, to_text(job.state), nullptr, job.error ? &*job.error : nullptr});
    // What is of one moment stays in the order above, in which it happened.
    std::ranges::stable_sort(events, {}, &JobEvent::at);
    return events;
}

void write_event(JsonOut& out, const JobEvent& event, const Job& job)
{
    out.begin();
    out.time("at", event.at);
    out.text("event", event.event);
    if (event.attempt != nullptr) {
        out.whole("generation", event.attempt->generation);
        out.whole("attempt", event.attempt->attempt);
        out.unsigned_whole("fence", event.attempt->fence);
        out.text_if("worker", event.attempt->worker);
        if (event.event == "ended") out.text("end", to_text(event.attempt->end));
    } else if (event.event == "late_result") {
        out.unsigned_whole("fence", job.late->fence);
        out.text_if("worker", job.late->worker);
    } else if (event.event == "queued") {
        out.text_if("by", job.requested_by);
    }
    if (event.error != nullptr) parts::error(out, *event.error);
    out.end();
}

void list_events(Core& core, const ExchangePtr& exchange, std::span<const std::string> captures)
{
    answer_attempts(core, exchange, captures[0],
                    [](JsonOut& out, const Job& job, const std::vector<AttemptRecord>& attempts) {
                        for (const JobEvent& event : events_of(job, attempts)) write_event(out, event, job);
                    });
}

constexpr std::array job_output_table{
    Route{"GET", "/v1/jobs/{id}/events", Right::read, &list_events},
    Route{"GET", "/v1/jobs/{id}/log", Right::read, &show_log},
    Route{"GET", "/v1/jobs/{id}/result", Right::read, &show_result},
};

} // namespace

Routes job_output_routes()
{
    return job_output_table;
}

} // namespace freshet::http
