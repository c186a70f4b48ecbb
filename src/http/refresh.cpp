// SPDX-License-Identifier: Apache-2.0
// Acts on keys: refresh, and what becomes of a held result (spec "The wire contract" §2).
//
// A refresh answers success only with data that was read after it was asked for: it waits for its own job's end, never
// for the key to look newer. Threads: the loop's.
#include "http/data_answer.hpp"
#include "http/gate.hpp"
#include "http/problems.hpp"
#include "http/route.hpp"
#include "http/status_answer.hpp"
#include "model/key.hpp"

#include <array>
#include <fmt/format.h>
#include <simdjson.h>

namespace freshet::http {

namespace {

constexpr Millis wait_max = 10min;
constexpr std::size_t idempotency_key_bytes_max = 255;

std::optional<std::int64_t> receipt_gen(const std::string& receipt)
{
    simdjson::dom::parser parser;
    std::int64_t gen = 0;
    simdjson::dom::element root;
    if (parser.parse(receipt).get(root) != simdjson::SUCCESS || root["gen"].get(gen) != simdjson::SUCCESS)
        return std::nullopt;
    return gen;
}

class Refreshing : public std::enable_shared_from_this<Refreshing> {
public:
    Refreshing(Core& core, ExchangePtr exchange, std::string key)
        : core_{core}, exchange_{std::move(exchange)}, key_{std::move(key)},
          source_{source_of(*core.definitions(), key_)}
    {
    }

    void begin()
    {
        const HttpRequest& request = exchange_->request();
        if (!source_)
            return exchange_->fail(
                make_problem(404, "unknown_key", "No such key", "Its source was removed.", "Look at the config."));
        for (const auto& [name, value] : request.query) {
            if (name == "tenant") continue;
            if (name == "envelope" && (value == "1" || value == "0"))
                envelope_ = value == "1";
            else
                return exchange_->fail(
                    bad_parameter(fmt::format("\"{}\" is not known here, or not with this value.", name.substr(0, 64)),
                                  "envelope=1 and tenant=NAME are known."));
        }
        const Preferences preferred = preferences(request.header("prefer"));
        if (preferred.wait && !preferred.respond_async) wait_ = std::min(*preferred.wait, wait_max);
        AskRefresh ask;
        ask.tenant = exchange_->caller().key_tenant;
        ask.by_tenant = exchange_->caller().tenant;
        ask.key = key_;
        ask.source = source_->name;
        ask.trigger = Trigger::manual;
        ask.caller = exchange_->caller().name;
        ask.read_after_now = true;
        if (const std::string_view name = request.header("idempotency-key"); !name.empty()) {
            if (name.size() > idempotency_key_bytes_max)
                return exchange_->fail(make_problem(400, "idempotency_key", "The Idempotency-Key is too long",
                                                    fmt::format("It may have {} bytes.", idempotency_key_bytes_max),
                                                    "Use a UUID."));
            ask.idempotency =
                IdempotencyScope{"refresh", std::string{name}, hash128(fmt::format("{}\n{}", key_, request.body))};
        }
        const bool taken =
            core_.post(std::move(ask), [self = shared_from_this()](const Reply& reply) { self->asked(reply); });
        if (!taken) return exchange_->fail(busy_problem());
        exchange_->on_closed([weak = weak_from_this()] {
            // The job goes on: who left without waiting for its end had asked for it all the same.
            if (const auto self = weak.lock()) self->left();
        });
    }

private:
    void asked(const Reply& reply)
    {
        if (gone_) return;
        if (!reply) {
            refused_ = reply.error();
            outcome_ = refused_.refusal == Refusal::limited ? "outcome=limited" : "outcome=failed";
            return with_view(&Refreshing::refuse);
        }
        const auto* answer = std::get_if<Asked>(&*reply);
        if (answer == nullptr || !answer->job) return exchange_->fail(store_problem());
        asked_ = *answer;
        job_ = asked_.job;
        if (wait_.count() == 0 && !is_terminal(job_->state)) return with_view(&Refreshing::accept);
        wait_id_ = core_.wait_job(job_->id, core_.steady() + wait_, [self = shared_from_this()](const JobWait& end) {
            self->wait_id_ = 0;
            if (self->gone_) return;
            if (end.job) self->job_ = end.job;
            self->with_view(end.over ? &Refreshing::ended : &Refreshing::accept);
        });
    }

    // The key as it stands now, then the answer.
    void with_view(void (Refreshing::*then)())
    {
        core_.view(exchange_->caller().key_tenant, key_,
                   [self = shared_from_this(), then](const std::shared_ptr<const KeyView>& view) {
                       if (self->gone_) return;
                       if (!view) return self->exchange_->fail(store_problem());
                       self->view_ = view;
                       ((*self).*then)();
                   });
    }

    std::string outcome_text(Outcome outcome) const
    {
        return fmt::format("outcome={};id=\"{}\", joined=?{}, callers={}", to_text(outcome), to_text(job_->id),
                           asked_.joined ? 1 : 0, job_->callers);
    }

    void refuse()
    {
        Problem problem = refused_problem(refused_);
        problem.key = key_;
        problem.last_good = last_good_json(view_->record, exchange_->base_url());
        HttpResponse response =
            problem_response(exchange_->base_url(), exchange_->request().path, std::move(problem), core_.now());
        add_limit_headers(response, refused_, core_.now());
        response.headers.emplace_back("Freshet", freshet_header(core_, *view_, *source_, outcome_));
        exchange_->respond(std::move(response));
    }

    void accept()
    {
        answer_accepted(core_, exchange_, *job_, view_.get(), *source_, outcome_text(Outcome::pending) + replayed(),
                        wait_.count() > 0);
    }

    std::string replayed() const { return asked_.replayed ? ", replayed" : ""; }

    void ended()
    {
        if (job_->state == JobState::succeeded) return succeeded();
        const bool held = job_->outcome == Outcome::held;
        Problem problem;
        if (held) {
            problem = make_problem(502, "held", "The new result was held back",
                                   view_->record.held ? view_->record.held->message
                                                      : "It did not pass the guard of the source.",
                                   fmt::format("Look at it, then POST {}/v1/data/{}/held/accept or …/discard.",
                                               exchange_->base_url(), key_));
        } else if (job_->state == JobState::cancelled) {
            problem = make_problem(409, "cancelled", "The refresh was cancelled",
                                   "Somebody cancelled the job before it ended.", "Ask for a refresh again.");
        } else if (job_->error) {
            problem = failed_problem(*job_->error, key_);
        } else {
            problem = make_problem(502, "failed", "The refresh failed", "The job ended without a result.",
                                   "Look at the job.");
        }
        problem.outcome = to_text(held ? Outcome::held : Outcome::failed);
        problem.job = to_text(job_->id);
        problem.joined = asked_.joined;
        problem.attempt = job_->attempt;
        if (view_->record.retry_at && *view_->record.retry_at > core_.now()) problem.retry_at = view_->record.retry_at;
        problem.receipt = receipt_json(*job_, view_->paused, core_.now());
        fail_with_key(core_, exchange_, std::move(problem), *view_, *source_,
                      outcome_text(held ? Outcome::held : Outcome::failed) + replayed());
    }

    void succeeded()
    {
        const auto gen = receipt_gen(job_->receipt);
        if (!view_->record.has_data || (gen && view_->record.gen < *gen)) {
            // It was deleted or purged since: what it brought is gone again.
            return fail_with_key(core_, exchange_,
                                 make_problem(409, "purged", "The data was purged meanwhile",
                                              "The refresh ended well, then the key was purged.",
                                              "Ask for a refresh again."),
                                 *view_, *source_, outcome_text(Outcome::failed));
        }
        DataAnswer answer;
        answer.view = view_;
        answer.source = source_;
        answer.found = Found::refreshed;
        answer.no_store = true;
        answer.envelope = envelope_;
        answer.outcome = outcome_text(job_->outcome.value_or(Outcome::updated)) + replayed();
        answer.receipt = receipt_json(*job_, view_->paused, core_.now());
        answer_with_data(core_, exchange_, std::move(answer));
    }

    void left()
    {
        gone_ = true;
        if (wait_id_ != 0) core_.cancel_wait(wait_id_);
    }

    Core& core_;
    ExchangePtr exchange_;
    std::string key_;
    std::shared_ptr<const SourceDefinition> source_;
    Millis wait_{0};
    bool envelope_ = false, gone_ = false;
    Asked asked_;
    Refused refused_;
    std::string outcome_;
    std::shared_ptr<const Job> job_;
    std::shared_ptr<const KeyView> view_;
    std::uint64_t wait_id_ = 0;
};

void refresh_key(Core& core, const ExchangePtr& exchange, std::span<const std::string> captures)
{
    std::make_shared<Refreshing>(core, exchange, captures[0])->begin();
}

// --- Held results ---------------------------------------------------------------------------------------------------

void decide_held(Core& core, const ExchangePtr& exchange, const std::string& key, bool accept)
{
    JobId shown;
    if (const std::string& body = exchange->request().body; !body.empty()) {
        simdjson::dom::parser parser;
        std::string_view job;
        simdjson::dom::element root;
        const bool readable = parser.parse(body).get(root) == simdjson::SUCCESS && root.is_object();
        const bool named = readable && root["job"].get(job) == simdjson::SUCCESS;
        const auto id = named ? parse_job_id(job) : std::nullopt;
        if (!readable || (named && !id))
            return exchange->fail(make_problem(400, "bad_body", "The body can not be used",
                                               "It is not a JSON object with a job's id.",
                                               R"(Send {"job": "j_..."} as shown with the held result, or no body.)"));
        if (id) shown = *id;
    }
    core.view(exchange->caller().key_tenant, key,
              [&core, exchange, key, accept, shown](const std::shared_ptr<const KeyView>& view) {
                  if (!view) return exchange->fail(store_problem());
                  DecideHeld decide;
                  decide.tenant = exchange->caller().key_tenant;
                  decide.key = key;
                  decide.source = key.substr(0, key.find('/'));
                  decide.accept = accept;
                  decide.held_job = shown ? shown : view->record.held ? view->record.held->job : JobId{};
                  decide.caller = exchange->caller().name;
                  const bool taken = core.post(std::move(decide), [&core, exchange, key](const Reply& reply) {
                      if (!reply) return fail_refused(core, exchange, reply.error(), key);
                      const auto* decided = std::get_if<HeldDecided>(&*reply);
                      respond_status(exchange, meta_of(core, decided != nullptr ? decided->view : nullptr));
                  });
                  if (!taken) exchange->fail(busy_problem());
              });
}

void accept_held(Core& core, const ExchangePtr& exchange, std::span<const std::string> captures)
{
    decide_held(core, exchange, captures[0], true);
}

void discard_held(Core& core, const ExchangePtr& exchange, std::span<const std::string> captures)
{
    decide_held(core, exchange, captures[0], false);
}

constexpr std::array refresh_table{
    Route{"POST", "/v1/data/{key}/refresh", Right::refresh, &refresh_key},
    Route{"POST", "/v1/data/{key}/held/accept", Right::operate, &accept_held},
    Route{"POST", "/v1/data/{key}/held/discard", Right::operate, &discard_held},
};

} // namespace

Routes refresh_routes()
{
    return refresh_table;
}

} // namespace freshet::http
