// SPDX-License-Identifier: Apache-2.0
// Reading a key: GET and HEAD of /v1/data/{key} and of the path that shared caches may store (spec "The wire contract"
// §1).
//
// A Reading is one request on its way: it looks at the key, answers at once where there is data to answer with, and
// otherwise waits, bounded, for the flight that will bring it. A GET never forces; a HEAD never starts work.
// Threads: the loop's. The Reading is kept alive by whatever it waits for.
#include "http/data_answer.hpp"
#include "http/gate.hpp"
#include "http/problems.hpp"
#include "http/route.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace freshet::http {

namespace {

constexpr Millis wait_max = 10min;

class Reading : public std::enable_shared_from_this<Reading> {
public:
    Reading(Core& core, ExchangePtr exchange, std::string key, bool is_public)
        : core_{core}, exchange_{std::move(exchange)}, key_{std::move(key)}, is_public_{is_public}
    {
    }

    void begin()
    {
        if (!read_parameters()) return;
        source_ = source_of(*core_.definitions(), key_);
        if (!source_) return exchange_->fail(unknown_key());
        if (is_public_ && !source_->is_public) {
            return exchange_->fail(make_problem(404, "not_public", "The source is not public",
                                                "This path is for answers that shared caches may store.",
                                                "Read /v1/data/KEY, or set public = true on the source."));
        }
        core_.view(tenant(), key_,
                   [self = shared_from_this()](const std::shared_ptr<const KeyView>& view) { self->seen(view); });
    }

private:
    const std::string& tenant() const { return exchange_->caller().key_tenant; }
    bool starts_work() const { return exchange_->request().method == "GET"; }

    Problem unknown_key() const
    {
        return make_problem(404, "unknown_key", "No such key", fmt::format("The source of {} was removed.", key_),
                            "Look at the sources in the config.");
    }

    bool refuse(std::string detail)
    {
        exchange_->fail(
            bad_parameter(std::move(detail), "envelope=1, max_age=SECONDS, min_gen=GEN and tenant=NAME are known."));
        return false;
    }

    bool read_parameters()
    {
        const HttpRequest& request = exchange_->request();
        directives_ = cache_directives(request.header("cache-control"), request.header("pragma"));
        preferences_ = preferences(request.header("prefer"));
        if (directives_.max_age) max_age_ = directives_.max_age;
        for (const auto& [name, value] : request.query) {
            if (name == "tenant") continue;
            if (name == "envelope") {
                if (value != "1" && value != "0") return refuse("envelope takes 1 or 0.");
                envelope_ = value == "1";
                continue;
            }
            const auto number = parse_count(value);
            if (name == "max_age") {
                if (!number || *number < 1 || *number > 100LL * 365 * 86400)
                    return refuse("max_age takes whole seconds, at least 1: a GET never forces.");
                max_age_ = std::chrono::seconds{*number};
            } else if (name == "min_gen") {
                if (!number) return refuse("min_gen takes a gen, a whole number.");
                min_gen_ = *number;
            } else {
                return refuse(fmt::format("\"{}\" is not known.", name.substr(0, 64)));
            }
        }
        return true;
    }

    Millis bounded_wait(Millis otherwise) const { return std::min(preferences_.wait.value_or(otherwise), wait_max); }

    void seen(const std::shared_ptr<const KeyView>& view)
    {
        if (!view) return exchange_->fail(store_problem());
        view_ = view;
        const WallTime now = core_.now();
        const Freshness freshness = derive_freshness(view->record, *source_, now);
        if (min_gen_ && (!view->record.has_data || view->record.gen < *min_gen_)) return reach_gen();
        if (!view->record.has_data) return read_empty();
        if (max_age_ && freshness.age > *max_age_) return too_old();
        if (starts_work() && wants_refresh(*view, freshness, now)) {
            if (freshness.state == SnapshotState::overdue && source_->on_overdue == OverduePolicy::wait)
                return wait_for_newer();
            core_.hint_refresh(tenant(), key_, source_->name);
        } else if (starts_work() && view->flight && freshness.state == SnapshotState::overdue &&
                   source_->on_overdue == OverduePolicy::wait) {
            return wait_for_newer();
        }
        answer(directives_.forces ? Found::hit_ignored : Found::hit);
    }

    void answer(Found found)
    {
        DataAnswer answer;
        answer.view = view_;
        answer.source = source_;
        answer.found = found;
        answer.is_public = is_public_;
        answer.no_store = max_age_.has_value() || min_gen_.has_value();
        answer.envelope = envelope_;
        answer_with_data(core_, exchange_, std::move(answer));
    }

    // --- Nothing to answer with ---

    void read_empty()
    {
        const KeyRecord& record = view_->record;
        const WallTime now = core_.now();
        if (directives_.only_if_cached) {
            return fail(make_problem(504, "not_cached", "Nothing is there",
                                     record.error
                                         ? fmt::format("It failed: {}", record.error->message)
                                         : fmt::format("{} was never read, and only-if-cached was asked.", key_),
                                     "Ask without only-if-cached."));
        }
        if (record.error && record.attempts > 0 && record.retry_at && *record.retry_at > now) return fail_as_failing();
        if (!starts_work()) return fail_cold();
        if (view_->paused && !view_->flight) {
            return fail(make_problem(503, "paused", "The source is paused",
                                     fmt::format("{} has no data yet and {} is paused.", key_, source_->name),
                                     "Resume the source."));
        }
        AskRefresh ask = refresh_request(Trigger::cold);
        post(std::move(ask), [](Reading& reading, const Asked& asked) {
            if (reading.preferences_.respond_async)
                return answer_accepted(reading.core_, reading.exchange_, *asked.job, reading.view_.get(),
                                       *reading.source_, {}, false);
            const Millis wait = reading.bounded_wait(reading.source_->cold_wait);
            const WallTime until = reading.core_.now() + wait;
            reading.wait_for(
                wait,
                [until](const KeyView& view) {
                    if (view.record.has_data) return true;
                    // Failed; worth waiting on only if the next try begins within the wait.
                    return view.record.attempts > 0 && !view.flight &&
                           (!view.record.retry_at || *view.record.retry_at > until);
                },
                [](Reading& waited) {
                    if (waited.view_->record.has_data) return waited.answer(Found::waited);
                    if (waited.view_->record.error && waited.view_->record.attempts > 0 && !waited.view_->flight)
                        return waited.fail_as_failing();
                    waited.fail_cold();
                });
        });
    }

    void fail_cold()
    {
        Problem problem = make_problem(503, "cold", "There is no data yet",
                                       fmt::format("{} was not read before; its first data is not here yet.", key_),
                                       "Ask again after Retry-After, or with Prefer: wait=SECONDS.");
        problem.retry_at = core_.now() + 1s;
        if (view_->flight) problem.job = to_text(view_->flight->id);
        fail(std::move(problem));
    }

    void fail_as_failing()
    {
        const KeyRecord& record = view_->record;
        Problem problem = failed_problem(*record.error, key_);
        problem.retry_at = record.retry_at ? *record.retry_at : core_.now() + 1s;
        problem.attempt = record.attempts;
        fail(std::move(problem));
    }

    void fail(Problem problem) { fail_with_key(core_, exchange_, std::move(problem), *view_, *source_); }

    // --- Something, but not what was asked for ---

    // ?min_gen: never starts a flight, waits for one that can reach it.
    void reach_gen()
    {
        if (!starts_work()) return fail_unreachable();
        AskRefresh ask = refresh_request(Trigger::stale);
        ask.attach_only = true;
        core_.catch_up();
        post(
            std::move(ask),
            [](Reading& reading, const Asked& asked) {
                const JobId job = asked.job->id;
                const Millis wait = reading.bounded_wait(reading.source_->cold_wait);
                reading.wait_job(job, wait, [](Reading& waited, const JobWait& end) {
                    if (waited.view_->record.has_data && waited.view_->record.gen >= *waited.min_gen_)
                        return waited.answer(Found::waited);
                    if (!end.over && end.job)
                        return answer_accepted(waited.core_, waited.exchange_, *end.job, waited.view_.get(),
                                               *waited.source_, {}, true);
                    if (end.over && end.job && end.job->error)
                        return waited.fail(failed_problem(*end.job->error, waited.key_));
                    waited.fail_unreachable();
                });
            },
            [](Reading& reading, const Refused& refused) {
                if (refused.refusal == Refusal::not_found) return reading.fail_unreachable();
                reading.fail(refused_problem(refused));
            });
    }

    void fail_unreachable()
    {
        // The flight may have ended between the look and the question.
        if (const KeyView* latest = core_.cached(tenant(), key_);
            latest != nullptr && latest->body && latest->record.gen >= *min_gen_) {
            return core_.view(tenant(), key_, [self = shared_from_this()](const std::shared_ptr<const KeyView>& view) {
                self->seen(view);
            });
        }
        fail(make_problem(
            412, "gen_unreachable", "Nothing brings that gen",
            fmt::format("{} has gen {}, and no refresh that could reach {} runs.", key_, view_->record.gen, *min_gen_),
            "Refresh the key, or ask for what is there."));
    }

    // ?max_age: joins a flight that began within it or starts one, charged like a click.
    void too_old()
    {
        if (!starts_work() || !exchange_->caller().may_refresh) return fail_too_old();
        AskRefresh ask = refresh_request(Trigger::manual);
        ask.max_age = max_age_;
        ask.read_after_now = true;
        post(
            std::move(ask),
            [](Reading& reading, const Asked& asked) {
                reading.wait_job(asked.job->id, reading.bounded_wait(reading.source_->cold_wait),
                                 [](Reading& waited, const JobWait&) {
                                     const Freshness freshness =
                                         derive_freshness(waited.view_->record, *waited.source_, waited.core_.now());
                                     if (waited.view_->record.has_data && freshness.age <= *waited.max_age_)
                                         return waited.answer(Found::waited);
                                     waited.fail_too_old();
                                 });
            },
            [](Reading& reading, const Refused& refused) {
                Problem problem = refused_problem(refused);
                problem.key = reading.key_;
                HttpResponse response =
                    problem_response(reading.exchange_->base_url(), reading.exchange_->request().path,
                                     std::move(problem), reading.core_.now());
                add_limit_headers(response, refused, reading.core_.now());
                reading.exchange_->respond(std::move(response));
            });
    }

    void fail_too_old()
    {
        const Freshness freshness = derive_freshness(view_->record, *source_, core_.now());
        fail(make_problem(504, "too-old", "What is there is older than that",
                          fmt::format("{} is {} old, and nothing younger than {} could be had in time.", key_,
                                      to_text(std::chrono::floor<std::chrono::seconds>(freshness.age)),
                                      to_text(*max_age_)),
                          "Ask with a larger max_age, or with Prefer: wait=SECONDS."));
    }

    // on_overdue = "wait": the reader waits for newer data, then gets what is there.
    void wait_for_newer()
    {
        const std::int64_t gen = view_->record.gen;
        const int attempts = view_->record.attempts;
        post(
            refresh_request(Trigger::stale),
            [gen, attempts](Reading& reading, const Asked&) {
                reading.wait_for(
                    reading.bounded_wait(reading.source_->cold_wait),
                    [gen, attempts](const KeyView& view) {
                        return view.record.gen > gen || view.record.attempts > attempts;
                    },
                    [gen](Reading& waited) {
                        if (!waited.view_->record.has_data) return waited.fail_cold();
                        waited.answer(waited.view_->record.gen > gen ? Found::waited : Found::hit);
                    });
            },
            [](Reading& reading, const Refused&) { reading.answer(Found::hit); });
    }

    // --- Asking and waiting ---

    AskRefresh refresh_request(Trigger trigger) const
    {
        AskRefresh ask;
        ask.tenant = tenant();
        ask.key = key_;
        ask.source = source_->name;
        ask.trigger = trigger;
        ask.caller = exchange_->caller().name;
        ask.by_tenant = exchange_->caller().tenant;
        ask.read_after_now = false;
        return ask;
    }

    static void refused(Reading& reading, const Refused& refused)
    {
        HttpResponse response = problem_response(reading.exchange_->base_url(), reading.exchange_->request().path,
                                                 refused_problem(refused), reading.core_.now());
        add_limit_headers(response, refused, reading.core_.now());
        reading.exchange_->respond(std::move(response));
    }

    template <class Then>
    void post(AskRefresh ask, Then then, void (*otherwise)(Reading&, const Refused&) = &Reading::refused)
    {
        const bool taken = core_.post(std::move(ask), [self = shared_from_this(), then, otherwise](const Reply& reply) {
            if (self->gone_) return;
            if (!reply) return otherwise(*self, reply.error());
            const auto* asked = std::get_if<Asked>(&*reply);
            if (asked == nullptr || !asked->job) return self->exchange_->fail(store_problem());
            then(*self, *asked);
        });
        if (!taken) return exchange_->fail(busy_problem());
        exchange_->on_closed([weak = weak_from_this()] {
            if (const auto self = weak.lock()) self->left();
        });
    }

    // The newest view first, for it may be enough already; then `then` with view_ renewed, in time or not.
    template <class Then>
    void wait_for(Millis wait, std::function<bool(const KeyView&)> enough, Then then)
    {
        const SteadyTime until = core_.steady() + wait;
        core_.view(tenant(), key_,
                   [self = shared_from_this(), until, enough = std::move(enough),
                    then](const std::shared_ptr<const KeyView>& view) {
                       if (self->gone_) return;
                       if (!view) return self->exchange_->fail(store_problem());
                       self->view_ = view;
                       if (enough(*view)) return then(*self);
                       self->wait_ = self->core_.wait_key(self->tenant(), self->key_, until, enough,
                                                          [self, then](const std::shared_ptr<const KeyView>& later) {
                                                              self->look_again(later, then);
                                                          });
                   });
    }

    template <class Then>
    void wait_job(JobId job, Millis wait, Then then)
    {
        wait_ = core_.wait_job(job, core_.steady() + wait, [self = shared_from_this(), then](const JobWait& end) {
            self->look_again(nullptr, [end, then](Reading& reading) { then(reading, end); });
        });
    }

    // A wait is over: with the key as it stands now.
    template <class Then>
    void look_again(const std::shared_ptr<const KeyView>& later, Then then)
    {
        wait_ = 0;
        if (gone_) return;
        const auto with = [self = shared_from_this(), then](const std::shared_ptr<const KeyView>& view) {
            if (self->gone_) return;
            if (!view) return self->exchange_->fail(store_problem());
            self->view_ = view;
            then(*self);
        };
        if (later) return with(later);
        core_.view(tenant(), key_, with);
    }

    void left()
    {
        gone_ = true;
        if (wait_ != 0) core_.cancel_wait(wait_);
    }

    Core& core_;
    ExchangePtr exchange_;
    std::string key_;
    bool is_public_, envelope_ = false, gone_ = false;
    std::shared_ptr<const SourceDefinition> source_;
    std::shared_ptr<const KeyView> view_;
    CacheDirectives directives_;
    Preferences preferences_;
    std::optional<Millis> max_age_;
    std::optional<std::int64_t> min_gen_;
    std::uint64_t wait_ = 0;
};

void read_key(Core& core, const ExchangePtr& exchange, std::span<const std::string> captures)
{
    std::make_shared<Reading>(core, exchange, captures[0], false)->begin();
}

void read_public_key(Core& core, const ExchangePtr& exchange, std::span<const std::string> captures)
{
    std::make_shared<Reading>(core, exchange, captures[1], true)->begin();
}

constexpr std::array data_table{
    Route{"GET", "/v1/data/{key}", Right::read, &read_key},
    Route{"GET", "/v1/t/{tenant}/data/{key}", Right::read, &read_public_key},
};

} // namespace

Routes data_routes()
{
    return data_table;
}

} // namespace freshet::http
