// SPDX-License-Identifier: Apache-2.0
// Remote workers over HTTP: claim, beat, complete, fail, release, log, large results (spec "Workers over HTTP").
//
// The path of a worker is the engine's alone: nothing here reads the store on the loop, and an answer's JSON is built
// once. Threads: the loop's.
#include "http/work_claim.hpp"
#include "http/work_end.hpp"

#include "http/body.hpp"
#include "http/gate.hpp"
#include "http/job_answer.hpp"
#include "http/large_results.hpp"
#include "http/negotiate.hpp"
#include "http/problems.hpp"
#include "http/route.hpp"
#include "http/status_answer.hpp"
#include "http/streams/present.hpp"
#include "wire/work_views.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace freshet::http {

namespace {

constexpr std::size_t queues_max = 100;
constexpr std::size_t jobs_max = 1000;
constexpr std::int64_t slots_max = 1000;
constexpr double claim_wait_max = 300;
constexpr std::size_t checkpoint_bytes_max = 64 << 10;
constexpr std::size_t log_lines_max = 1000;
constexpr std::int64_t big_whole = 1LL << 53;
constexpr TextBounds worker_bounds{1, 128};
constexpr TextBounds queue_bounds{1, 128};

std::optional<JobId> read_id(BodyObject& body)
{
    const auto text = body.text("id", {1, 32});
    if (!text) {
        body.need("id", "the id of a job");
        return std::nullopt;
    }
    const auto id = parse_job_id(*text);
    if (!id) body.refuse("id", "the id of a job, as its claim gave it");
    return id;
}

Seq read_fence(BodyObject& body)
{
    body.need("fence", "the fence that came with the claim");
    return static_cast<Seq>(body.whole("fence", 1, big_whole).value_or(0));
}

// --- Claim ----------------------------------------------------------------------------------------------------------

ClaimWork read_claim(BodyObject& body, Millis& wait)
{
    ClaimWork claim;
    claim.worker = body.text("worker", worker_bounds).value_or("");
    claim.host = body.text("host", {0, 256}).value_or("");
    claim.sdk = body.text("sdk", {0, 128}).value_or("");
    claim.queues = body.texts("queues", 1, queues_max, queue_bounds);
    claim.slots = static_cast<int>(body.whole("slots", 1, slots_max).value_or(1));
    wait = body.seconds("wait", claim_wait_max).value_or(Millis{0});
    if (body.has("holds")) {
        claim.holds.emplace();
        body.list("holds", 0, jobs_max * 10, [&](const BodyValue& value) {
            BodyObject held = value.object();
            const auto id = read_id(held);
            const Seq fence = read_fence(held);
            held.end();
            if (id) claim.holds->emplace_back(*id, fence);
        });
    }
    body.need("worker", "the worker's name, its own");
    body.need("queues", "the queues it serves");
    // Runners inside of this server carry such names.
    if (claim.worker.starts_with("builtin-")) body.refuse("worker", "a name that does not begin with builtin-");
    body.end();
    return claim;
}

void claim(Core& core, const ExchangePtr& exchange, std::span<const std::string>)
{
    if (!only_parameters(exchange, {})) return;
    BodyReader reader{exchange->request().body};
    BodyObject body = reader.object();
    Millis wait{0};
    ClaimWork claim = read_claim(body, wait);
    if (reader.problem()) return exchange->fail(*reader.problem());
    open_claim(core, exchange, std::move(claim), wait);
}

// --- Beat -----------------------------------------------------------------------------------------------------------

Progress read_progress(const BodyValue& value)
{
    BodyObject body = value.object();
    Progress progress;
    progress.attempt = static_cast<int>(body.whole("attempt", 0, 1'000'000'000).value_or(0));
    progress.phase = body.text("phase", {0, 128}).value_or("");
    progress.phase_index = static_cast<int>(body.whole("phase_index", 0, 100'000).value_or(0));
    progress.phases = static_cast<int>(body.whole("phases", 0, 100'000).value_or(0));
    progress.done = body.whole("done", 0, big_whole).value_or(0);
    progress.total = body.whole("total", 0, big_whole);
    progress.unit = body.text("unit", {0, 32}).value_or("");
    progress.message = body.text("message", {0, 1024}).value_or("");
    body.end();
    return progress;
}

std::string_view beat_word(BeatWord word)
{
    switch (word) {
    case BeatWord::ok: return "ok";
    case BeatWord::cancel: return "cancel";
    case BeatWord::lost: return "lost";
    }
    return "lost";
}

void beat(Core& core, const ExchangePtr& exchange, std::span<const std::string>)
{
    if (!only_parameters(exchange, {})) return;
    BodyReader reader{exchange->request().body};
    BodyObject body = reader.object();
    BeatWork work;
    work.worker = body.text("worker", worker_bounds).value_or("");
    work.tenant = exchange->caller().tenant;
    body.need("worker", "the worker's name, as it claimed");
    body.list("jobs", 0, jobs_max * 10, [&](const BodyValue& value) {
        BodyObject one = value.object();
        BeatJob job;
        job.job = read_id(one).value_or(JobId{});
        job.beat.fence = read_fence(one);
        if (const BodyValue* progress = one.find("progress")) job.beat.progress = read_progress(*progress);
        if (one.has("checkpoint")) job.beat.checkpoint = one.json("checkpoint", checkpoint_bytes_max);
        one.find("checkpoint");
        one.end();
        work.jobs.push_back(std::move(job));
    });
    body.end();
    if (reader.problem()) return exchange->fail(*reader.problem());
    const bool taken = core.post(std::move(work), [&core, exchange](const Reply& reply) {
        if (!reply) return fail_refused(core, exchange, reply.error());
        const auto* beaten = std::get_if<Beaten>(&*reply);
        if (beaten == nullptr) return exchange->fail(store_problem());
        std::vector<BeatWordView> words;
        words.reserve(beaten->answers.size());
        for (const BeatAnswer& one : beaten->answers) words.push_back({one.job, beat_word(one.word), one.lease_until});
        respond_status(exchange, beat_json(words, beaten->drain, beaten->reconnect, core.now()));
    });
    if (!taken) exchange->fail(busy_problem());
}

// --- Ends -----------------------------------------------------------------------------------------------------------

enum class Verb : std::uint8_t { complete, fail, release };

CompleteJob read_complete(BodyObject& body, JobId id)
{
    CompleteJob made;
    made.job = id;
    made.fence = read_fence(body);
    TaskResult result;
    result.payload = body.whole("payload", 1, big_whole).value_or(0);
    if (result.payload != 0) {
        if (body.find("result") != nullptr) body.refuse("result", "either a result or a payload");
    } else if (auto json = body.json("result", body_bytes_max)) {
        result.bytes = static_cast<std::int64_t>(json->size());
        result.json = std::move(*json);
    }
    made.result = std::move(result);
    return made;
}

FailJob read_fail(BodyObject& body, JobId id)
{
    FailJob made;
    made.job = id;
    made.fence = read_fence(body);
    body.need("error", "an object {class, code, message}");
    if (const BodyValue* value = body.find("error")) {
        BodyObject error = value->object();
        constexpr std::array classes{ErrorClass::retryable, ErrorClass::fatal, ErrorClass::rate_limited,
                                     ErrorClass::cancelled};
        error.need("class", "one of retryable, fatal, rate_limited, cancelled");
        if (const auto word = error.word("class", {"retryable", "fatal", "rate_limited", "cancelled"}))
            made.failure.error_class = classes[*word];
        made.failure.code = error.text("code", {0, 128}).value_or("");
        made.failure.message = error.text("message", {0, 16 << 10}).value_or("");
        if (made.failure.code.empty()) made.failure.code = "failed";
        error.end();
    }
    made.failure.retry_after = body.seconds("retry_after", 7.0 * 24 * 3600);
    return made;
}

ReleaseJob read_release(BodyObject& body, JobId id)
{
    ReleaseJob made;
    made.job = id;
    made.fence = read_fence(body);
    made.back.wait = Millis{body.whole("wait_ms", 0, 30LL * 24 * 3600 * 1000).value_or(0)};
    made.back.reason = body.text("reason", {0, 512}).value_or("");
    if (body.has("checkpoint")) made.back.checkpoint = body.json("checkpoint", checkpoint_bytes_max);
    body.find("checkpoint");
    return made;
}

WorkEnd read_end(Verb verb, BodyObject& body, JobId id)
{
    switch (verb) {
    case Verb::complete: return read_complete(body, id);
    case Verb::fail: return read_fail(body, id);
    case Verb::release: break;
    }
    return read_release(body, id);
}

void end_one(Verb verb, Core& core, const ExchangePtr& exchange, const std::string& text)
{
    if (!only_parameters(exchange, {})) return;
    const auto id = parse_job_id(text);
    if (!id) return exchange->fail(no_such_job(text));
    BodyReader reader{exchange->request().body};
    BodyObject body = reader.object();
    WorkEnds ends;
    ends.worker = body.text("worker", worker_bounds).value_or("");
    ends.jobs.push_back(read_end(verb, body, *id));
    if (verb == Verb::complete) ends.as_of = body.time("as_of");
    body.end();
    if (reader.problem()) return exchange->fail(*reader.problem());
    end_work(core, exchange, std::move(ends), [&core, exchange](auto answers) {
        if (!answers[0]) return fail_refused(core, exchange, answers[0].error());
        respond_status(exchange, streams::shown_job_json(*answers[0].value(), false, core.now()));
    });
}

void end_many(Verb verb, Core& core, const ExchangePtr& exchange)
{
    if (!only_parameters(exchange, {})) return;
    BodyReader reader{exchange->request().body};
    BodyObject body = reader.object();
    WorkEnds ends;
    const auto ids = std::make_shared<std::vector<JobId>>();
    ends.worker = body.text("worker", worker_bounds).value_or("");
    body.need("worker", "the worker's name, as it claimed");
    body.need("jobs", "a list of what one job's body has, each with its id");
    body.list("jobs", 1, jobs_max, [&](const BodyValue& value) {
        BodyObject one = value.object();
        const JobId id = read_id(one).value_or(JobId{});
        ends.jobs.push_back(read_end(verb, one, id));
        ids->push_back(id);
        one.end();
    });
    body.end();
    if (reader.problem()) return exchange->fail(*reader.problem());
    end_work(core, exchange, std::move(ends), [&core, exchange, ids](auto answers) {
        JsonOut out;
        out.begin();
        out.begin_list("jobs");
        for (std::size_t i = 0; i < answers.size(); ++i) {
            out.begin();
            out.text("id", to_text((*ids)[i]));
            if (answers[i]) {
                out.text("state", reported_state(**answers[i], core.now(), false));
            } else {
                Problem problem = refused_problem(answers[i].error());
                problem.type_base = fmt::format("{}/problems/", exchange->base_url());
                out.key("problem");
                out.raw(problem_json(problem));
            }
            out.end();
        }
        out.end_list();
        out.time("now", core.now());
        out.end();
        respond_status(exchange, out.take());
    });
}

void complete(Core& core, const ExchangePtr& exchange, std::span<const std::string> captures)
{
    end_one(Verb::complete, core, exchange, captures[0]);
}
void fail(Core& core, const ExchangePtr& exchange, std::span<const std::string> captures)
{
    end_one(Verb::fail, core, exchange, captures[0]);
}
void release(Core& core, const ExchangePtr& exchange, std::span<const std::string> captures)
{
    end_one(Verb::release, core, exchange, captures[0]);
}
void complete_many(Core& core, const ExchangePtr& exchange, std::span<const std::string>)
{
    end_many(Verb::complete, core, exchange);
}
void fail_many(Core& core, const ExchangePtr& exchange, std::span<const std::string>)
{
    end_many(Verb::fail, core, exchange);
}
void release_many(Core& core, const ExchangePtr& exchange, std::span<const std::string>)
{
    end_many(Verb::release, core, exchange);
}

// --- Large results --------------------------------------------------------------------------------------------------

void answer_put(Core& core, const ExchangePtr& exchange, std::int64_t payload, std::int64_t bytes)
{
    JsonOut out;
    out.begin();
    out.whole("payload", payload);
    out.whole("bytes", bytes);
    out.time("now", core.now());
    out.end();
    respond_status(exchange, out.take());
}

void put_result(Core& core, const ExchangePtr& exchange, std::span<const std::string> captures)
{
    if (!only_parameters(exchange, {"fence"})) return;
    const auto id = parse_job_id(captures[0]);
    if (!id) return exchange->fail(no_such_job(captures[0]));
    const auto fence = parse_count(exchange->request().param("fence").value_or(""));
    if (!fence || *fence < 1)
        return exchange->fail(
            bad_parameter("fence takes the fence that came with the claim.", "PUT /v1/work/{id}/result?fence=7."));
    struct Seen {
        std::shared_ptr<const std::string> bytes; ///< null: no JSON
        std::optional<Job> job;
    };
    const auto seen = std::make_shared<Seen>();
    core.off_loop(
        [seen, exchange, id = *id](Reads& reads) {
            const std::string& body = exchange->request().body;
            if (is_json(body)) seen->bytes = std::make_shared<const std::string>(body);
            seen->job = reads.job(id);
        },
        [&core, exchange, seen, id = *id, fence = static_cast<Seq>(*fence)](std::exception_ptr failure) {
            if (failure) return exchange->fail(store_problem());
            if (!seen->bytes)
                return exchange->fail(make_problem(400, "bad_body", "The body can not be used", "It is no JSON.",
                                                   "Send the result as it is, one JSON value."));
            const std::string& tenant = exchange->caller().tenant;
            const auto size = static_cast<std::int64_t>(seen->bytes->size());
            if (!seen->job || (tenant != "*" && seen->job->tenant != tenant))
                return exchange->fail(no_such_job(to_text(id)));
            if (seen->job->kind == JobKind::refresh) {
                // Its complete says whether the lease still holds; a fence that never will be is told now.
                if (seen->job->fence != fence) {
                    Refused refused;
                    refused.refusal = Refusal::lease_lost;
                    return fail_refused(core, exchange, refused);
                }
                core.services().large_results->put(id, fence, seen->bytes);
                return answer_put(core, exchange, static_cast<std::int64_t>(fence), size);
            }
            const bool taken =
                core.post(PutResult{id, fence, tenant, seen->bytes}, [&core, exchange](const Reply& reply) {
                    if (!reply) return fail_refused(core, exchange, reply.error());
                    const auto* put = std::get_if<ResultPut>(&*reply);
                    if (put == nullptr) return exchange->fail(store_problem());
                    answer_put(core, exchange, put->payload, put->bytes);
                });
            if (!taken) exchange->fail(busy_problem());
        });
}

// --- Log ------------------------------------------------------------------------------------------------------------

void add_log(Core& core, const ExchangePtr& exchange, std::span<const std::string> captures)
{
    if (!only_parameters(exchange, {})) return;
    const auto id = parse_job_id(captures[0]);
    if (!id) return exchange->fail(no_such_job(captures[0]));
    BodyReader reader{exchange->request().body};
    BodyObject body = reader.object();
    AddLog log;
    log.job = *id;
    log.tenant = exchange->caller().tenant;
    log.fence = read_fence(body);
    body.need("lines", "a list of {level?, text}");
    body.list("lines", 1, log_lines_max, [&](const BodyValue& value) {
        BodyObject line = value.object();
        constexpr std::array<std::string_view, 4> levels{"debug", "info", "warn", "error"};
        const std::size_t level = line.word("level", {"debug", "info", "warn", "error"}).value_or(1);
        line.need("text", "a text");
        log.lines.emplace_back(levels[level], line.text("text", {0, 8 << 10}).value_or(""));
        line.end();
    });
    body.end();
    if (reader.problem()) return exchange->fail(*reader.problem());
    const auto count = static_cast<std::int64_t>(log.lines.size());
    const bool taken = core.post(std::move(log), [&core, exchange, count](const Reply& reply) {
        if (!reply) return fail_refused(core, exchange, reply.error());
        JsonOut out;
        out.begin();
        out.whole("lines", count);
        out.time("now", core.now());
        out.end();
        respond_status(exchange, out.take());
    });
    if (!taken) exchange->fail(busy_problem());
}

constexpr std::array work_routes_table{
    Route{"POST", "/v1/work/claim", Right::work, &claim},
    Route{"POST", "/v1/work/beat", Right::work, &beat},
    Route{"POST", "/v1/work/complete", Right::work, &complete_many},
    Route{"POST", "/v1/work/fail", Right::work, &fail_many},
    Route{"POST", "/v1/work/release", Right::work, &release_many},
    Route{"POST", "/v1/work/{id}/complete", Right::work, &complete},
    Route{"POST", "/v1/work/{id}/fail", Right::work, &fail},
    Route{"POST", "/v1/work/{id}/release", Right::work, &release},
    Route{"POST", "/v1/work/{id}/log", Right::work, &add_log},
    Route{"PUT", "/v1/work/{id}/result", Right::work, &put_result, any_result_bytes_max},
};

} // namespace

Routes work_routes()
{
    return work_routes_table;
}

} // namespace freshet::http
