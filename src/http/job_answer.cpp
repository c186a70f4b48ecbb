// SPDX-License-Identifier: Apache-2.0
#include "http/job_answer.hpp"

#include "http/gate.hpp"
#include "http/problems.hpp"
#include "http/status_answer.hpp"

#include <fmt/format.h>
#include <simdjson.h>

namespace freshet::http {

namespace {

void copy_members(JsonOut& out, const std::string& object)
{
    simdjson::dom::parser parser;
    simdjson::dom::object members;
    if (parser.parse(object).get(members) == simdjson::SUCCESS)
        for (const auto& [member, content] : members) out.key(member), out.raw(simdjson::minify(content));
}

} // namespace

Problem no_such_job(std::string_view id)
{
    return make_problem(404, "not_found", "No such job", fmt::format("There is no job {} here.", id.substr(0, 64)),
                        "Look at the id and at the tenant; ended jobs are kept for a while only.");
}

bool sees_job(Core& core, const ExchangePtr& exchange, const Job& job)
{
    const std::string& tenant = exchange->caller().tenant;
    return job.tenant == tenant || (job.tenant == shared_tenant && sees_shared(*core.definitions(), tenant, job.key));
}

void with_owner(Core& core, const ExchangePtr& exchange, JobId id, std::function<void(std::string)> then)
{
    const std::string& tenant = exchange->caller().tenant;
    if (tenant == shared_tenant || !lists_shared(*core.definitions(), tenant)) return then(tenant);
    const auto job = std::make_shared<std::optional<Job>>();
    read_then(
        core, exchange, [job, id](Reads& reads) { *job = reads.job(id); },
        [&core, exchange, job, id, then = std::move(then)](streams::Cursor) {
            if (!*job || (*job)->tenant != shared_tenant) return then(exchange->caller().tenant);
            if (!sees_job(core, exchange, **job)) return exchange->fail(no_such_job(to_text(id)));
            if (auto problem = check_shared(exchange->caller(), shared_tenant, (*job)->key))
                return exchange->fail(std::move(*problem));
            then(std::string{shared_tenant});
        });
}

std::optional<JobId> job_id(const ExchangePtr& exchange, const std::string& text)
{
    const auto id = parse_job_id(text);
    if (!id) exchange->fail(no_such_job(text));
    return id;
}

void answer_attempts(Core& core, const ExchangePtr& exchange, const std::string& text, WriteAttempts write)
{
    if (!only_parameters(exchange, {}) || !has_tenant(exchange)) return;
    const auto id = job_id(exchange, text);
    if (!id) return;
    struct Found {
        std::optional<Job> job;
        std::vector<AttemptRecord> attempts;
    };
    const auto found = std::make_shared<Found>();
    read_then(
        core, exchange,
        [found, id = *id](Reads& reads) {
            found->job = reads.job(id);
            if (found->job) found->attempts = reads.attempts(id);
        },
        [&core, exchange, found, id = *id, write = std::move(write)](streams::Cursor cursor) {
            if (!found->job || !sees_job(core, exchange, *found->job)) return exchange->fail(no_such_job(to_text(id)));
            auto& attempts = found->attempts;
            const bool told = !attempts.empty() && attempts.back().fence == found->job->fence;
            if (const auto last = last_attempt(*found->job); last && !told) attempts.push_back(*last);
            JsonOut out;
            out.begin();
            out.begin_list("items");
            write(out, *found->job, attempts);
            out.end_list();
            end_list(out, {}, cursor, core.now());
            out.end();
            respond_status(exchange, out.take());
        });
}

std::string with_member(std::string_view name, std::string_view value, const std::string& object)
{
    JsonOut out;
    out.begin();
    out.text(name, value);
    copy_members(out, object);
    out.end();
    return out.take();
}

std::string with_member(std::string_view name, bool value, const std::string& object)
{
    JsonOut out;
    out.begin();
    out.yes(name, value);
    copy_members(out, object);
    out.end();
    return out.take();
}

} // namespace freshet::http
