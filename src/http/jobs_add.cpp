// SPDX-License-Identifier: Apache-2.0
// Enqueueing: POST /v1/jobs takes one object, or up to 1,000 in a list, all or none (spec "The wire contract" §4).
//
// One: 201 + Location + the job, or 200 with `attached` where uniqueness led to one that was there. Many: 201 with
// items. With Prefer: return=minimal a job is its id, state and seq: of a thousand that is a fifteenth of the bytes.
// Threads: the loop's.
#include "http/body.hpp"
#include "http/job_answer.hpp"
#include "http/negotiate.hpp"
#include "http/paused.hpp"
#include "http/problems.hpp"
#include "http/route.hpp"
#include "http/status_answer.hpp"
#include "http/streams/present.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace freshet::http {

namespace {

constexpr std::size_t jobs_max = 1000;
constexpr std::size_t tags_max = 16;
constexpr std::size_t idempotency_key_bytes_max = 255;
constexpr std::int64_t length_ms_max = 366LL * 24 * 3600 * 1000;

UniqueTerms read_unique(const BodyValue& value)
{
    UniqueTerms terms;
    // A text alone is the key; the rest as usual.
    if (value.type() == JsonType::text) {
        terms.key = value.text({1, 256}).value_or("");
        return terms;
    }
    BodyObject body = value.object();
    constexpr std::array scopes{UniqueScope::queued, UniqueScope::live, UniqueScope::window, UniqueScope::debounce};
    constexpr std::array conflicts{UniqueConflict::attach, UniqueConflict::rerun_after, UniqueConflict::reject};
    body.need("key", "a text of 1 to 256 bytes");
    terms.key = body.text("key", {1, 256}).value_or("");
    if (const auto scope = body.word("scope", {"queued", "live", "window", "debounce"})) terms.scope = scopes[*scope];
    if (const auto word = body.word("on_conflict", {"attach", "rerun_after", "reject"}))
        terms.on_conflict = conflicts[*word];
    const auto ttl = body.whole("ttl_ms", 1, length_ms_max), quiet = body.whole("quiet_ms", 1, length_ms_max),
               most = body.whole("max_wait_ms", 1, length_ms_max);
    terms.ttl = Millis{ttl.value_or(0)};
    terms.quiet = Millis{quiet.value_or(0)};
    terms.most = Millis{most.value_or(0)};
    if (terms.scope == UniqueScope::window) body.need("ttl_ms", "how long the key is taken, in milliseconds");
    if (terms.scope == UniqueScope::debounce) body.need("quiet_ms", "how long nobody must ask, in milliseconds");
    if (ttl && terms.scope != UniqueScope::window) body.refuse("ttl_ms", "it with scope window only");
    if ((quiet || most) && terms.scope != UniqueScope::debounce)
        body.refuse(quiet ? "quiet_ms" : "max_wait_ms", "it with scope debounce only");
    body.end();
    return terms;
}

NewJob read_job(const BodyValue& value)
{
    BodyObject body = value.object();
    NewJob job;
    body.need("queue", "the name of a queue");
    job.queue = body.text("queue", {1, 128}).value_or("");
    job.input = body.json("input", input_bytes_max).value_or("");
    if (const auto priority = body.whole("priority", 0, 3)) job.priority = static_cast<int>(*priority);
    if (const auto attempts = body.whole("attempts_max", 1, 1000)) job.attempts_max = static_cast<int>(*attempts);
    job.due_at = body.time("due_at");
    job.deadline_at = body.time("deadline_at");
    job.start_by = body.time("start_by");
    if (const BodyValue* unique = body.find("unique")) job.unique = read_unique(*unique);
    job.tags = body.texts("tags", 0, tags_max, {1, 64});
    body.end();
    return job;
}

std::string added_json(Core& core, const AddedJob& added, bool minimal)
{
    const Job& job = *added.job;
    if (minimal) {
        JsonOut out;
        out.begin();
        out.text("id", to_text(job.id));
        out.text("state", to_text(job.state));
        out.unsigned_whole("seq", job.seq);
        if (added.attached) out.yes("attached", true);
        out.end();
        return out.take();
    }
    std::string json = streams::shown_job_json(
        job, terms_of(*core.definitions(), job, queue_paused(core, job.tenant, job.queue)), core.now());
    return added.attached ? with_member("attached", true, json) : json;
}

void respond(const ExchangePtr& exchange, HttpResponse response, bool minimal)
{
    response.content_type = "application/json";
    response.headers.emplace_back("Cache-Control", "no-store");
    if (minimal) response.headers.emplace_back("Preference-Applied", "return=minimal");
    exchange->respond(std::move(response));
}

void answer_one(Core& core, const ExchangePtr& exchange, const Added& added, bool minimal)
{
    const AddedJob& one = added.jobs.front();
    HttpResponse response;
    response.status = one.attached || added.replayed ? 200 : 201;
    response.headers.emplace_back("Location", fmt::format("{}/v1/jobs/{}", exchange->base_url(), to_text(one.job->id)));
    response.body = added_json(core, one, minimal);
    if (added.replayed) response.body = with_member("replayed", true, response.body);
    respond(exchange, std::move(response), minimal);
}

void answer_many(Core& core, const ExchangePtr& exchange, const Added& added, bool minimal)
{
    JsonOut out;
    out.begin();
    out.begin_list("items");
    for (const AddedJob& one : added.jobs) out.raw(added_json(core, one, minimal));
    out.end_list();
    out.yes("replayed", added.replayed);
    out.time("now", core.now());
    out.end();
    const bool made = std::ranges::any_of(added.jobs, [](const AddedJob& one) { return !one.attached; });
    HttpResponse response;
    response.status = made && !added.replayed ? 201 : 200;
    response.body = out.take();
    respond(exchange, std::move(response), minimal);
}

void add_jobs(Core& core, const ExchangePtr& exchange, std::span<const std::string>)
{
    if (!only_parameters(exchange, {}) || !has_tenant(exchange)) return;
    const HttpRequest& request = exchange->request();
    BodyReader reader{request.body};
    AddJobs add;
    add.tenant = exchange->caller().tenant;
    add.caller = exchange->caller().name;
    if (reader.problem()) return exchange->fail(*reader.problem());
    const BodyValue root = reader.root();
    const bool many = root.type() == JsonType::list;
    if (many)
        root.list(1, jobs_max, [&](const BodyValue& value) { add.jobs.push_back(read_job(value)); });
    else
        add.jobs.push_back(read_job(root));
    if (reader.problem()) return exchange->fail(*reader.problem());
    if (const std::string_view name = request.header("idempotency-key"); !name.empty()) {
        if (name.size() > idempotency_key_bytes_max)
            return exchange->fail(make_problem(400, "idempotency_key", "The Idempotency-Key is too long",
                                               fmt::format("It may have {} bytes.", idempotency_key_bytes_max),
                                               "Use a UUID."));
        add.idempotency = IdempotencyScope{"jobs", std::string{name}, hash128(request.body)};
    }
    const bool minimal = preferences(request.header("prefer")).minimal;
    const bool taken = core.post(std::move(add), [&core, exchange, many, minimal](const Reply& reply) {
        if (!reply) return fail_refused(core, exchange, reply.error());
        const auto* added = std::get_if<Added>(&*reply);
        if (added == nullptr || added->jobs.empty()) return exchange->fail(store_problem());
        many ? answer_many(core, exchange, *added, minimal) : answer_one(core, exchange, *added, minimal);
    });
    if (!taken) exchange->fail(busy_problem());
}

constexpr std::array job_add_table{Route{"POST", "/v1/jobs", Right::enqueue, &add_jobs}};

} // namespace

Routes job_add_routes()
{
    return job_add_table;
}

} // namespace freshet::http
