// SPDX-License-Identifier: Apache-2.0
// Jobs as status resources: the list, one with its receipt, its attempts, cancel and retry (spec "The wire contract"
// §4).
//
// A job is answered with 200 while it exists: failure is a word in the body, so that pollers end. Threads: the loop's.
#include "http/hub_host.hpp"
#include "http/negotiate.hpp"
#include "http/problems.hpp"
#include "http/route.hpp"
#include "http/status_answer.hpp"
#include "http/streams/present.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <simdjson.h>

namespace freshet::http {

namespace {

constexpr Millis wait_max = 10min;

std::string shown(Core& core, const Job& job)
{
    return streams::shown_job_json(job, is_paused(core, job.tenant, job.key), core.now());
}

Problem no_such_job(std::string_view id)
{
    return make_problem(404, "not_found", "No such job", fmt::format("There is no job {} here.", id.substr(0, 64)),
                        "Look at the id and at the tenant; ended jobs are kept for a while only.");
}

std::optional<JobId> job_id(const ExchangePtr& exchange, const std::string& text)
{
    const auto id = parse_job_id(text);
    if (!id) exchange->fail(no_such_job(text));
    return id;
}

// --- The list ---

void list_jobs(Core& core, const ExchangePtr& exchange, std::span<const std::string>)
{
    const auto query = list_query(exchange, {"state", "queue", "source", "key"});
    if (!query || !has_tenant(exchange)) return;
    JobFilter filter;
    filter.tenant = exchange->caller().tenant;
    // A refresh's queue is its source.
    filter.queue = query->queue.empty() ? query->source : query->queue;
    filter.key = query->key;
    filter.limit = query->limit + 1;
    const auto refuse = [&](std::string detail, std::string try_words) {
        exchange->fail(make_problem(400, "bad_parameter", "A parameter of the query can not be used", std::move(detail),
                                    std::move(try_words)));
    };
    if (!query->state.empty()) {
        filter.state = parse_job_state(query->state);
        if (!filter.state)
            return refuse(fmt::format("state \"{}\" is not stored.", query->state.substr(0, 32)),
                          "queued, running, succeeded, failed or cancelled.");
    }
    if (!query->after.empty()) {
        const auto after = parse_job_id(query->after);
        if (!after) return refuse("after takes the `next` of the list before.", "Leave it out for the first page.");
        filter.before = *after;
    }
    const auto jobs = std::make_shared<std::vector<Job>>();
    read_then(
        core, exchange, [jobs, filter](Reads& reads) { *jobs = reads.jobs(filter); },
        [&core, exchange, jobs, limit = static_cast<std::size_t>(query->limit)](streams::Cursor cursor) {
            const bool more = jobs->size() > limit;
            if (more) jobs->resize(limit);
            JsonOut out;
            out.begin();
            out.begin_list("items");
            for (const Job& job : *jobs) out.raw(shown(core, job));
            out.end_list();
            end_list(out, more ? to_text(jobs->back().id) : std::string{}, cursor, core.now());
            out.end();
            respond_status(exchange, out.take());
        });
}

// --- One job ---

/// A job that is read, and read again when it changes, until it is worth an answer or the time is up.
class Watching final : public streams::FrameSink, public std::enable_shared_from_this<Watching> {
public:
    Watching(Core& core, ExchangePtr exchange, JobId job, std::optional<Seq> after_seq, Millis wait)
        : core_{core}, exchange_{std::move(exchange)}, hub_{weak_hub_of(core)}, job_{job}, after_seq_{after_seq},
          wait_{wait}
    {
    }

    void begin()
    {
        exchange_->on_closed([self = weak_from_this()] {
            if (const auto held = self.lock()) held->end();
        });
        read();
    }

    // FrameSink: any frame with the job's topic says that it changed.
    void send(const streams::FramePtr& frame) override
    {
        if (frame->event() == "goodbye") return time_is_up();
        if (frame->event() == "job" || frame->event() == "reset" || frame->event() == "snapshot") changed_ = true;
    }
    std::size_t backlog_bytes() const override { return 0; }
    void caught_up(streams::Cursor) override
    {
        if (!changed_ || over_) return;
        changed_ = false;
        leave();
        read();
    }
    void close() override {}

private:
    void read()
    {
        const auto found = std::make_shared<std::optional<Job>>();
        read_then(
            core_, exchange_, [found, id = job_](Reads& reads) { *found = reads.job(id); },
            [self = shared_from_this(), found](streams::Cursor cursor) { self->seen(std::move(*found), cursor); });
    }

    void seen(std::optional<Job> job, streams::Cursor cursor)
    {
        if (over_) return;
        if (!job || job->tenant != exchange_->caller().tenant) {
            end();
            return exchange_->fail(no_such_job(to_text(job_)));
        }
        last_ = std::move(job);
        // Without after_seq it is the next change that is waited for.
        if (!after_seq_) after_seq_ = last_->seq;
        if (wait_.count() == 0 || is_terminal(last_->state) || last_->seq > *after_seq_) return answer();
        if (timer_ == 0)
            timer_ = core_.after(wait_, [self = weak_from_this()] {
                if (const auto held = self.lock()) held->time_is_up();
            });
        streams::OpenStream request{
            exchange_->caller().tenant, {}, {"job/" + to_text(job_)}, streams::to_text(cursor), true};
        number_ = hub_of(core_).open(
            std::move(request),
            [self = shared_from_this()](const streams::StreamRefusal* refusal) -> std::shared_ptr<streams::FrameSink> {
                if (refusal != nullptr) self->time_is_up();
                return self->over_ || refusal != nullptr ? nullptr : self;
            });
        if (over_) leave();
    }

    void time_is_up()
    {
        if (!over_) answer();
    }

    void answer()
    {
        end();
        respond_status(exchange_, shown(core_, *last_));
    }

    void end()
    {
        over_ = true;
        if (timer_ != 0) core_.cancel_wait(std::exchange(timer_, 0));
        leave();
    }
    void leave()
    {
        if (const auto hub = hub_.lock(); hub && number_ != 0) hub->leave(std::exchange(number_, 0));
    }

    Core& core_;
    ExchangePtr exchange_;
    std::weak_ptr<streams::Hub> hub_;
    JobId job_;
    std::optional<Seq> after_seq_;
    Millis wait_;
    std::optional<Job> last_;
    std::uint64_t number_ = 0, timer_ = 0;
    bool over_ = false, changed_ = false;
};

void show_job(Core& core, const ExchangePtr& exchange, std::span<const std::string> captures)
{
    if (!only_parameters(exchange, {"after_seq"}) || !has_tenant(exchange)) return;
    const auto id = job_id(exchange, captures[0]);
    if (!id) return;
    std::optional<Seq> after_seq;
    if (const auto text = exchange->request().param("after_seq")) {
        const auto number = parse_count(*text);
        if (!number)
            return exchange->fail(make_problem(400, "bad_parameter", "A parameter of the query can not be used",
                                               "after_seq takes a seq, a whole number.",
                                               "Take it from the job as last seen."));
        after_seq = static_cast<Seq>(*number);
    }
    const Preferences preferred = preferences(exchange->request().header("prefer"));
    std::make_shared<Watching>(core, exchange, *id, after_seq, std::min(preferred.wait.value_or(Millis{0}), wait_max))
        ->begin();
}

void list_attempts(Core& core, const ExchangePtr& exchange, std::span<const std::string> captures)
{
    if (!only_parameters(exchange, {}) || !has_tenant(exchange)) return;
    const auto id = job_id(exchange, captures[0]);
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
        [&core, exchange, found, id = *id](streams::Cursor cursor) {
            if (!found->job || found->job->tenant != exchange->caller().tenant)
                return exchange->fail(no_such_job(to_text(id)));
            JsonOut out;
            out.begin();
            out.begin_list("items");
            for (const AttemptRecord& attempt : found->attempts) out.raw(attempt_json(attempt));
            const bool told = !found->attempts.empty() && found->attempts.back().fence == found->job->fence;
            if (const auto last = last_attempt(*found->job); last && !told) out.raw(attempt_json(*last));
            out.end_list();
            end_list(out, {}, cursor, core.now());
            out.end();
            respond_status(exchange, out.take());
        });
}

// --- Verbs ---

// A job with one more member in front.
std::string with_member(std::string_view name, std::string_view value, const std::string& object)
{
    JsonOut out;
    simdjson::dom::parser parser;
    simdjson::dom::object members;
    out.begin();
    out.text(name, value);
    if (parser.parse(object).get(members) == simdjson::SUCCESS)
        for (const auto& [member, content] : members) out.key(member), out.raw(simdjson::minify(content));
    out.end();
    return out.take();
}

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
    const bool taken =
        core.post(CancelJob{*id, exchange->caller().tenant, exchange->caller().name}, [&core, exchange,
                                                                                       id = *id](const Reply& reply) {
            if (reply || reply.error().refusal != Refusal::already_over)
                return answer_changed_job(core, exchange, reply);
            // Cancelling twice is no mistake: the job as it ended, and that it was so already.
            const auto found = std::make_shared<std::optional<Job>>();
            read_then(
                core, exchange, [found, id](Reads& reads) { *found = reads.job(id); },
                [&core, exchange, found, id](streams::Cursor) {
                    if (!*found) return exchange->fail(no_such_job(to_text(id)));
                    respond_status(exchange, with_member("already", reported_state(**found, core.now(), false),
                                                         shown(core, **found)));
                });
        });
    if (!taken) exchange->fail(busy_problem());
}

// {generation?}; an empty body is the present generation.
std::expected<std::optional<int>, std::string> parse_retry(const std::string& body)
{
    if (body.empty()) return std::nullopt;
    simdjson::dom::parser parser;
    simdjson::dom::object root;
    if (parser.parse(body).get(root) != simdjson::SUCCESS) return std::unexpected("the body is not a JSON object");
    std::optional<int> generation;
    for (const auto [name, value] : root) {
        std::int64_t number = 0;
        if (name != "generation")
            return std::unexpected(fmt::format("\"{}\" is not known; generation is", name.substr(0, 64)));
        if (value.get(number) != simdjson::SUCCESS || number < 1 || number > 1'000'000'000)
            return std::unexpected("generation takes a whole number from 1");
        generation = static_cast<int>(number);
    }
    return generation;
}

void retry_job(Core& core, const ExchangePtr& exchange, std::span<const std::string> captures)
{
    if (!only_parameters(exchange, {}) || !has_tenant(exchange)) return;
    const auto id = job_id(exchange, captures[0]);
    if (!id) return;
    const auto generation = parse_retry(exchange->request().body);
    if (!generation)
        return exchange->fail(make_problem(400, "bad_body", "The body can not be used", generation.error() + ".",
                                           R"(Send {"generation": 1}, or no body.)"));
    const bool taken = core.post(RetryJob{*id, exchange->caller().tenant, exchange->caller().name, *generation},
                                 [&core, exchange](const Reply& reply) { answer_changed_job(core, exchange, reply); });
    if (!taken) exchange->fail(busy_problem());
}

constexpr std::array job_table{
    Route{"GET", "/v1/jobs", Right::read, &list_jobs},
    Route{"GET", "/v1/jobs/{id}", Right::read, &show_job},
    Route{"GET", "/v1/jobs/{id}/attempts", Right::read, &list_attempts},
    Route{"POST", "/v1/jobs/{id}/cancel", Right::operate, &cancel_job},
    Route{"POST", "/v1/jobs/{id}/retry", Right::operate, &retry_job},
};

} // namespace

Routes job_routes()
{
    return job_table;
}

} // namespace freshet::http
