// SPDX-License-Identifier: Apache-2.0
// What a job's worker left: its log and its result, or the late one that was refused (spec "The wire contract" §4).
// Threads: the loop's.
#include "http/job_answer.hpp"
#include "http/negotiate.hpp"
#include "http/problems.hpp"
#include "http/route.hpp"
#include "http/status_answer.hpp"
#include "wire/work_views.hpp"

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
            if (!found->job || found->job->tenant != exchange->caller().tenant)
                return exchange->fail(no_such_job(to_text(id)));
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
        [exchange, found, late, id = *id](streams::Cursor) {
            if (!found->job || found->job->tenant != exchange->caller().tenant)
                return exchange->fail(no_such_job(to_text(id)));
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

constexpr std::array job_output_table{
    Route{"GET", "/v1/jobs/{id}/log", Right::read, &show_log},
    Route{"GET", "/v1/jobs/{id}/result", Right::read, &show_result},
};

} // namespace

Routes job_output_routes()
{
    return job_output_table;
}

} // namespace freshet::http
