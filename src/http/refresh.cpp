// SPDX-License-Identifier: Apache-2.0
// Acts on keys: refresh, DELETE, purge, and what becomes of a held result (spec "The wire contract" §2).
//
// A refresh answers success only with data that was read after it was asked for: it waits for its own job's end, never
// for the key to look newer. Threads: the loop's.
#include "http/data_answer.hpp"
#include "http/gate.hpp"
#include "http/problems.hpp"
#include "http/route.hpp"
#include "model/key.hpp"

#include <array>
#include <fmt/format.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>
#include <simdjson.h>

namespace freshet::http {

namespace {

constexpr Millis wait_max = 10min;
constexpr std::size_t idempotency_key_bytes_max = 255;
constexpr std::size_t purge_keys_max = 100;

std::optional<std::int64_t> receipt_gen(const std::string& receipt)
{
    simdjson::dom::parser parser;
    std::int64_t gen = 0;
    simdjson::dom::element root;
    if (parser.parse(receipt).get(root) != simdjson::SUCCESS || root["gen"].get(gen) != simdjson::SUCCESS)
        return std::nullopt;
    return gen;
}

void respond_refused(Core& core, const ExchangePtr& exchange, const Refused& refused, std::string_view key)
{
    Problem problem = refused_problem(refused);
    problem.key = key;
    HttpResponse response =
        problem_response(exchange->base_url(), exchange->request().path, std::move(problem), core.now());
    add_limit_headers(response, refused, core.now());
    exchange->respond(std::move(response));
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

// --- Purging --------------------------------------------------------------------------------------------------------

void respond_json(const ExchangePtr& exchange, std::string body)
{
    HttpResponse response;
    response.content_type = "application/json";
    response.headers.emplace_back("Cache-Control", "no-store");
    response.body = std::move(body);
    exchange->respond(std::move(response));
}

std::string view_meta(Core& core, const std::shared_ptr<const KeyView>& view)
{
    const auto source = view ? source_of(*core.definitions(), view->record.key) : nullptr;
    return source ? meta_of(*view, *source, *core.definitions(), true, core.now()) : "null";
}

void delete_key(Core& core, const ExchangePtr& exchange, std::span<const std::string> captures)
{
    const std::string& key = captures[0];
    PurgeKey purge{exchange->caller().key_tenant, key, key.substr(0, key.find('/')), PurgeMode::hard,
                   exchange->caller().name};
    const bool taken = core.post(std::move(purge), [&core, exchange, key](const Reply& reply) {
        if (!reply) return respond_refused(core, exchange, reply.error(), key);
        const auto* purged = std::get_if<Purged>(&*reply);
        respond_json(exchange, view_meta(core, purged != nullptr ? purged->view : nullptr));
    });
    if (!taken) exchange->fail(busy_problem());
}

// One answer for many keys: each is its own request to the engine, the last reply sends the answer.
struct Purging {
    struct Row {
        std::string key, meta, job, problem, tenant;
    };
    std::vector<Row> rows;
    std::size_t open = 0;
};

void respond_purged(const ExchangePtr& exchange, const Purging& purging)
{
    rapidjson::StringBuffer out;
    rapidjson::Writer<rapidjson::StringBuffer> writer{out};
    const auto text = [&](const char* name, const std::string& value) {
        if (value.empty()) return;
        writer.Key(name);
        writer.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
    };
    const auto raw = [&](const char* name, const std::string& json) {
        if (json.empty()) return;
        writer.Key(name);
        writer.RawValue(json.data(), json.size(), rapidjson::kObjectType);
    };
    writer.StartObject();
    writer.Key("items");
    writer.StartArray();
    for (const Purging::Row& row : purging.rows) {
        writer.StartObject();
        text("key", row.key);
        raw("meta", row.meta);
        text("job", row.job);
        raw("problem", row.problem);
        writer.EndObject();
    }
    writer.EndArray();
    writer.EndObject();
    respond_json(exchange, {out.GetString(), out.GetSize()});
}

struct PurgeOrder {
    std::vector<std::string> keys;
    PurgeMode mode = PurgeMode::soft;
};

// What the body asks for, or what is wrong with it.
std::expected<PurgeOrder, std::string> parse_purge(const std::string& body)
{
    simdjson::dom::parser parser;
    simdjson::dom::object root;
    if (parser.parse(body).get(root) != simdjson::SUCCESS) return std::unexpected("the body is not a JSON object");
    PurgeOrder order;
    for (const auto [name, value] : root) {
        if (name == "keys") {
            simdjson::dom::array keys;
            if (value.get(keys) != simdjson::SUCCESS) return std::unexpected("keys must be a list of keys");
            for (const auto element : keys) {
                std::string_view key;
                if (element.get(key) != simdjson::SUCCESS) return std::unexpected("keys must be a list of texts");
                order.keys.emplace_back(key);
            }
        } else if (name == "mode") {
            std::string_view mode;
            if (value.get(mode) != simdjson::SUCCESS) return std::unexpected("mode must be a text");
            if (mode == "soft")
                order.mode = PurgeMode::soft;
            else if (mode == "hard")
                order.mode = PurgeMode::hard;
            else if (mode == "refresh")
                order.mode = PurgeMode::refresh;
            else
                return std::unexpected("mode must be soft, hard or refresh");
        } else {
            return std::unexpected(fmt::format("\"{}\" is not known; keys and mode are", std::string_view{name}));
        }
    }
    if (order.keys.empty()) return std::unexpected("keys names no key");
    if (order.keys.size() > purge_keys_max)
        return std::unexpected(fmt::format("keys may name {} keys at once", purge_keys_max));
    return order;
}

void purge_keys(Core& core, const ExchangePtr& exchange, std::span<const std::string>)
{
    auto order = parse_purge(exchange->request().body);
    if (!order)
        return exchange->fail(make_problem(400, "bad_body", "The body can not be used", order.error() + ".",
                                           R"(Send {"keys": ["prices/eu"], "mode": "soft"}.)"));
    if (exchange->caller().tenant == "*")
        return exchange->fail(make_problem(400, "tenant_missing", "Of which tenant?", "The token is of all tenants.",
                                           "Name it: ?tenant=NAME."));
    const auto purging = std::make_shared<Purging>();
    for (const std::string& text : order->keys) {
        auto key = parse_key(text, *core.definitions());
        if (!key || !key->rest.empty())
            return exchange->fail(make_problem(
                400, "bad_key", "A key can not be used",
                key ? fmt::format("{} goes on after its last parameter.", text.substr(0, 200)) : key.error().message,
                "Name keys as in /v1/data/KEY."));
        const std::string& source = key->key.source;
        const std::string_view owner = key_tenant(*core.definitions(), exchange->caller().tenant, source);
        if (!tenant_has_source(*core.definitions(), exchange->caller().tenant, source))
            return exchange->fail(make_problem(400, "bad_key", "A key can not be used",
                                               fmt::format("There is no source \"{}\".", source),
                                               "Look at the sources of your tenant."));
        if (auto problem = check_shared(exchange->caller(), owner, source)) return exchange->fail(std::move(*problem));
        purging->rows.push_back({to_text(key->key), {}, {}, {}, std::string{owner}});
    }
    purging->open = purging->rows.size();
    for (std::size_t i = 0; i < purging->rows.size(); ++i) {
        const std::string key = purging->rows[i].key;
        const auto done = [&core, exchange, purging, i](const Reply& reply) {
            Purging::Row& row = purging->rows[i];
            if (const auto* purged = reply ? std::get_if<Purged>(&*reply) : nullptr) {
                row.meta = view_meta(core, purged->view);
                if (purged->job) row.job = to_text(purged->job);
            } else if (!reply) {
                row.problem = problem_json(refused_problem(reply.error()));
            }
            if (--purging->open == 0) respond_purged(exchange, *purging);
        };
        PurgeKey purge{purging->rows[i].tenant, key, key.substr(0, key.find('/')), order->mode,
                       exchange->caller().name};
        if (!core.post(std::move(purge), done)) done(std::unexpected(Refused{Refusal::busy, {}, {}, {}, 0, {}}));
    }
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
                      if (!reply) return respond_refused(core, exchange, reply.error(), key);
                      const auto* decided = std::get_if<HeldDecided>(&*reply);
                      respond_json(exchange, view_meta(core, decided != nullptr ? decided->view : nullptr));
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
    Route{"DELETE", "/v1/data/{key}", Right::operate, &delete_key},
    Route{"POST", "/v1/purge", Right::operate, &purge_keys},
    Route{"POST", "/v1/data/{key}/held/accept", Right::operate, &accept_held},
    Route{"POST", "/v1/data/{key}/held/discard", Right::operate, &discard_held},
};

} // namespace

Routes refresh_routes()
{
    return refresh_table;
}

} // namespace freshet::http
