// SPDX-License-Identifier: Apache-2.0
// Jobs as status resources: the list, one with its receipt, its attempts, cancel and retry (spec "The wire contract"
// §4).
//
// A job is answered with 200 while it exists: failure is a word in the body, so that pollers end. Threads: the loop's.
#include "http/body.hpp"
#include "http/gate.hpp"
#include "http/hub_host.hpp"
#include "http/job_answer.hpp"
#include "http/negotiate.hpp"
#include "http/paused.hpp"
#include "http/problems.hpp"
#include "http/route.hpp"
#include "http/status_answer.hpp"
#include "http/streams/present.hpp"
#include "http/watching.hpp"
#include "http/work_end.hpp"
#include "model/pauses.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <set>

namespace freshet::http {

namespace {

std::string shown(Core& core, const Job& stored)
{
    const Job job = core.work().with_progress(stored);
    const bool paused =
        job.key.empty() ? queue_paused(core, job.tenant, job.queue) : is_paused(core, job.tenant, job.key);
    return streams::shown_job_json(job, terms_of(*core.definitions(), job, paused), core.now());
}

// --- The list ---

// Ids begin with the millisecond in which they were made (base/ids.hpp).
JobId first_id_of(WallTime at)
{
    return JobId{std::clamp<std::int64_t>(to_ms(at), 0, (1LL << 43) - 1) << 20};
}

// Of the tenant, or of the one queue that was asked for: kept counters, whatever else the list was filtered by.
void add_counts(JsonOut& out, const std::vector<JobCount>& counts, const std::string& queue)
{
    out.begin("counts");
    std::int64_t total = 0;
    for (const JobState state :
         {JobState::queued, JobState::running, JobState::succeeded, JobState::failed, JobState::cancelled}) {
        std::int64_t sum = 0;
        for (const JobCount& one : counts)
            if (one.state == state && (queue.empty() || one.queue == queue)) sum += one.count;
        out.whole(to_text(state), sum);
        total += sum;
    }
    out.whole("total", total);
    out.end();
}

// Of the shared sources that the tenant lists: each has a queue of its own, or shares one with sources that it may not
// see. As many as a page of them shows are found however many of those lie between.
void add_shared(StoreReads& store, const Definitions& definitions, const std::string& tenant, const JobFilter& filter,
                std::vector<Job>& jobs, std::vector<JobCount>& counts)
{
    if (tenant == shared_tenant) return;
    std::set<std::string, std::less<>> queues;
    for (const auto& [name, source] : definitions.sources)
        if (is_shared(definitions, *source) && tenant_has_source(definitions, tenant, name))
            queues.insert(source->queue);
    if (queues.empty()) return;
    for (JobCount& count : store.job_counts(shared_tenant))
        if (queues.contains(count.queue)) counts.push_back(std::move(count));
    JobFilter of_shared = filter;
    of_shared.tenant = shared_tenant;
    for (const std::string& queue : queues) {
        if (!filter.queue.empty() && filter.queue != queue) continue;
        of_shared.queue = queue;
        of_shared.before = filter.before, of_shared.after = filter.after;
        for (int found = 0; found < filter.limit;) {
            const std::vector<Job> page = store.jobs(of_shared);
            for (const Job& job : page) {
                (filter.oldest_first ? of_shared.after : of_shared.before) = job.id;
                if (!sees_shared(definitions, tenant, job.key)) continue;
                jobs.push_back(job);
                ++found;
            }
            if (page.size() < static_cast<std::size_t>(filter.limit)) break;
        }
    }
}

void list_jobs(Core& core, const ExchangePtr& exchange, std::span<const std::string>)
{
    const auto query =
        list_query(exchange, {"state", "kind", "queue", "source", "key", "tag", "since", "until"}, {"-requested_at"});
    if (!query) return;
    JobFilter filter;
    // A refresh's queue is its source.
    filter.queue = query->queue.empty() ? query->source : query->queue;
    filter.key = query->key;
    filter.tag = query->tag;
    filter.limit = query->limit + 1;
    filter.oldest_first = !query->sort.down;
    const auto refuse = [&](std::string detail, std::string try_words) {
        exchange->fail(bad_parameter(std::move(detail), std::move(try_words)));
    };
    if (!query->state.empty()) {
        filter.state = parse_job_state(query->state);
        if (!filter.state)
            return refuse(fmt::format("state \"{}\" is not stored.", query->state.substr(0, 32)),
                          "queued, running, succeeded, failed or cancelled.");
    }
    if (!query->after.empty()) {
        const auto after = parse_job_id(query->after);
        if (!after) return exchange->fail(bad_after());
        (query->sort.down ? filter.before : filter.after) = *after;
    }
    if (!query->kind.empty()) {
        filter.kind = parse_job_kind(query->kind);
        if (!filter.kind)
            return refuse(fmt::format("kind \"{}\" is not known.", query->kind.substr(0, 32)),
                          "refresh, task or item.");
    }
    for (const auto& [name, text] : {std::pair{"since", &query->since}, std::pair{"until", &query->until}}) {
        if (text->empty()) continue;
        const auto at = from_rfc3339(*text);
        if (!at) return refuse(fmt::format("{} takes an instant.", name), "As RFC 3339 has it: 2026-01-31T12:00:00Z.");
        // Ids grow with the time of asking, so that both instants are bounds of ids.
        if (text == &query->since)
            filter.after = std::max(filter.after, JobId{first_id_of(*at).value - 1});
        else if (const JobId bound = first_id_of(*at + Millis{1}); !filter.before || bound < filter.before)
            filter.before = bound;
    }
    struct Found {
        std::vector<Job> jobs;
        std::vector<JobCount> counts;
        Pauses paused;
    };
    const auto found = std::make_shared<Found>();
    const std::vector<std::string> tenants = tenants_of(core, exchange);
    read_each_then(
        core, exchange, ledgers_of(core, exchange),
        [found, filter, tenants, definitions = core.definitions()](Reads& reads) {
            reads.in_one_view([&](StoreReads& store) {
                for (JobFilter of_one = filter; const std::string& tenant : tenants) {
                    of_one.tenant = tenant;
                    for (Job& job : store.jobs(of_one)) found->jobs.push_back(std::move(job));
                    for (JobCount& count : store.job_counts(tenant)) found->counts.push_back(std::move(count));
                    if (tenants.size() == 1)
                        add_shared(store, *definitions, tenant, filter, found->jobs, found->counts);
                }
                found->paused = Pauses{store.paused()};
            });
            std::ranges::sort(found->jobs, {}, &Job::id); // whoever's
            if (!filter.oldest_first) std::ranges::reverse(found->jobs);
        },
        [&core, exchange, found, queue = filter.queue,
         limit = static_cast<std::size_t>(query->limit)](streams::Cursor cursor) {
            const bool more = found->jobs.size() > limit;
            if (more) found->jobs.resize(limit);
            JsonOut out;
            out.begin();
            out.begin_list("items");
            for (const Job& stored : found->jobs) {
                const Job job = core.work().with_progress(stored);
                const bool paused = found->paused.contains(job.tenant, job.queue);
                out.raw(streams::shown_job_json(job, terms_of(*core.definitions(), job, paused), core.now()));
            }
            out.end_list();
            add_counts(out, found->counts, queue);
            end_list(out, more ? to_text(found->jobs.back().id) : std::string{}, cursor, core.now());
            out.end();
            respond_status(exchange, out.take());
        });
}

// --- One job ---

void show_job(Core& core, const ExchangePtr& exchange, std::span<const std::string> captures)
{
    if (!only_parameters(exchange, {"after_seq"}) || !has_tenant(exchange)) return;
    const auto id = job_id(exchange, captures[0]);
    if (!id) return;
    const auto read = [&core, id = *id, caller = exchange->caller(),
                       definitions = core.definitions()](Reads& reads) -> std::optional<Watched> {
        const auto job = reads.job(id);
        if (!job || !caller.scope.has_job(job->key, job->queue)) return std::nullopt;
        const bool of_shared = job->tenant == shared_tenant && sees_shared(*definitions, caller.tenant, job->key);
        if (job->tenant != caller.tenant && !of_shared) return std::nullopt;
        return Watched{job->seq, is_terminal(job->state), [&core, job = *job] { return shown(core, job); }};
    };
    answer_watched(core, exchange, {"job/" + to_text(*id), read, no_such_job(to_text(*id))});
}

void list_attempts(Core& core, const ExchangePtr& exchange, std::span<const std::string> captures)
{
    answer_attempts(core, exchange, captures[0],
                    [](JsonOut& out, const Job&, const std::vector<AttemptRecord>& attempts) {
                        for (const AttemptRecord& attempt : attempts) out.raw(attempt_json(attempt));
                    });
}

// --- Verbs ---

void answer_changed_job(Core& core, const ExchangePtr& exchange, const Reply& reply)
{
    if (!reply) return fail_refused(core, exchange, reply.error());
    const auto* job = std::get_if<std::shared_ptr<const Job>>(&*reply);
    if (job == nullptr || !*job) return exchange->fail(store_problem());
    respond_status(exchange, shown(core, **job));
}

void cancel_job(Core& core, const ExchangePtr& exchange, std::span<const std::string> captures)
{
    if (!only_parameters(exchange, {}) || !has_tenant(exchange)) return;
    const auto id = job_id(exchange, captures[0]);
    if (!id) return;
    const auto cancelled = [&core, exchange, id = *id](const Reply& reply) {
        if (reply || reply.error().refusal != Refusal::already_over) return answer_changed_job(core, exchange, reply);
        // Cancelling twice is no mistake: the job as it ended, and that it was so already.
        const auto found = std::make_shared<std::optional<Job>>();
        read_then(
            core, exchange, [found, id](Reads& reads) { *found = reads.job(id); },
            [&core, exchange, found, id](streams::Cursor) {
                if (!*found) return exchange->fail(no_such_job(to_text(id)));
                respond_status(
                    exchange, with_member("already", reported_state(**found, core.now(), false), shown(core, **found)));
            });
    };
    with_owner(core, exchange, *id, [&core, exchange, id = *id, cancelled](std::string owner) {
        if (!core.post(CancelJob{id, std::move(owner), exchange->caller().name}, cancelled))
            exchange->fail(busy_problem());
    });
}

void retry_job(Core& core, const ExchangePtr& exchange, std::span<const std::string> captures)
{
    if (!only_parameters(exchange, {}) || !has_tenant(exchange)) return;
    const auto id = job_id(exchange, captures[0]);
    if (!id) return;
    // An empty body is the present generation.
    BodyReader reader{exchange->request().body, true};
    BodyObject body = reader.object();
    RetryJob retry{*id, exchange->caller().tenant, exchange->caller().name, {}, {}};
    if (const auto generation = body.whole("generation", 1, 1'000'000'000))
        retry.generation = static_cast<int>(*generation);
    retry.input = body.json("input", input_bytes_max);
    body.end();
    if (reader.problem()) return exchange->fail(*reader.problem());
    with_owner(core, exchange, *id, [&core, exchange, retry = std::move(retry)](std::string owner) mutable {
        retry.tenant = std::move(owner);
        const bool taken = core.post(
            std::move(retry), [&core, exchange](const Reply& reply) { answer_changed_job(core, exchange, reply); });
        if (!taken) exchange->fail(busy_problem());
    });
}

void run_job(Core& core, const ExchangePtr& exchange, std::span<const std::string> captures)
{
    if (!only_parameters(exchange, {}) || !has_tenant(exchange)) return;
    const auto id = job_id(exchange, captures[0]);
    if (!id) return;
    with_owner(core, exchange, *id, [&core, exchange, id = *id](std::string owner) {
        const bool taken =
            core.post(RunJob{id, std::move(owner), exchange->caller().name},
                      [&core, exchange](const Reply& reply) { answer_changed_job(core, exchange, reply); });
        if (!taken) exchange->fail(busy_problem());
    });
}

// --- Adopting ---

void post_adopt(Core& core, const ExchangePtr& exchange, AdoptJob adopt, ReplyTo then)
{
    if (!core.post(std::move(adopt), std::move(then))) exchange->fail(busy_problem());
}

// The late result of a refresh is made ready as a worker's own would be, then told again.
void adopt_prepared(Core& core, const ExchangePtr& exchange, const AdoptJob& adopt)
{
    const auto ready = std::make_shared<std::expected<PreparedResult, Refused>>(std::unexpected(Refused{}));
    core.off_loop(
        [ready, id = adopt.job, definitions = core.definitions()](Reads& reads) {
            auto job = reads.job(id);
            if (job && job->late) *ready = prepare_result(reads, *definitions, *job, std::move(job->late->result), {});
        },
        [&core, exchange, ready, adopt = AdoptJob{adopt}](std::exception_ptr failure) mutable {
            if (failure) return exchange->fail(store_problem());
            if (!*ready) return fail_refused(core, exchange, ready->error());
            adopt.result = std::move(**ready);
            post_adopt(core, exchange, std::move(adopt),
                       [&core, exchange](const Reply& reply) { answer_changed_job(core, exchange, reply); });
        });
}

void adopt_job(Core& core, const ExchangePtr& exchange, std::span<const std::string> captures)
{
    if (!only_parameters(exchange, {}) || !has_tenant(exchange)) return;
    const auto id = job_id(exchange, captures[0]);
    if (!id) return;
    with_owner(core, exchange, *id, [&core, exchange, id = *id](std::string owner) {
        const AdoptJob adopt{id, std::move(owner), exchange->caller().name, {}};
        post_adopt(core, exchange, adopt, [&core, exchange, adopt](const Reply& reply) {
            if (!reply && reply.error().refusal == Refusal::unprepared) return adopt_prepared(core, exchange, adopt);
            answer_changed_job(core, exchange, reply);
        });
    });
}

constexpr std::array job_table{
    Route{"GET", "/v1/jobs", Right::read, &list_jobs},
    Route{.method = "GET", .pattern = "/v1/jobs/{id}", .right = Right::read, .handle = &show_job, .by_scope = true},
    Route{"GET", "/v1/jobs/{id}/attempts", Right::read, &list_attempts},
    Route{"POST", "/v1/jobs/{id}/cancel", Right::operate, &cancel_job},
    Route{"POST", "/v1/jobs/{id}/retry", Right::operate, &retry_job},
    Route{"POST", "/v1/jobs/{id}/run", Right::operate, &run_job},
    Route{"POST", "/v1/jobs/{id}/adopt", Right::operate, &adopt_job},
};

} // namespace

Routes job_routes()
{
    return job_table;
}

} // namespace freshet::http
