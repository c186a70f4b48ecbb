// SPDX-License-Identifier: Apache-2.0
#include "app/runner_host.hpp"

#include "base/assert.hpp"
#include "base/log.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <utility>

namespace freshet {

namespace {

constexpr Millis back_off_first = 50ms;
constexpr Millis back_off_max = 2s;
/// The longest sleep between two looks at the clock.
constexpr Millis sleep_max = 1s;

/// Whether another try of the same request may be answered differently.
bool may_pass(Refusal refusal)
{
    return refusal == Refusal::store_failed || refusal == Refusal::busy;
}

std::string_view word_of(const Request& end)
{
    if (std::holds_alternative<CompleteJob>(end)) return "result";
    return std::holds_alternative<FailJob>(end) ? "failure" : "release";
}

} // namespace

RunnerHost::RunnerHost(EnginePort& engine, RunnerSet runners, PrepareCall prepare, const Clock& clock, Metrics& metrics,
                       std::shared_ptr<const Definitions> definitions, RunnerHostOptions options)
    : engine_{engine}, runners_{runners}, prepare_{std::move(prepare)}, clock_{clock}, options_{std::move(options)},
      in_flight_{prometheus::BuildGauge()
                     .Name("freshet_flights")
                     .Help("Flights that the built-in runners hold")
                     .Register(metrics.registry())
                     .Add({})},
      posted_again_{prometheus::BuildCounter()
                        .Name("freshet_flight_ends_posted_again_total")
                        .Help("Ends of flights that the engine could not take at once")
                        .Register(metrics.registry())
                        .Add({})},
      definitions_{std::move(definitions)}, rng_{options_.seed},
      // Every flight may have one result to prepare, and an offer that was made anew may bring as many again.
      pool_{options_.prepare_threads, static_cast<std::size_t>(options_.slots) * 4}
{
}

void RunnerHost::start()
{
    FRESHET_ASSERT(!thread_.joinable());
    thread_ = std::thread{[this] { run(); }};
}

void RunnerHost::reconfigure(std::shared_ptr<const Definitions> definitions)
{
    tell(inbox_, [this, definitions = std::move(definitions)] {
        definitions_ = definitions;
        offer_at_ = clock_.steady();
    });
}

void RunnerHost::stop()
{
    if (thread_.joinable()) {
        tell(inbox_, [this] { begin_stop(); });
        thread_.join();
    }
    pool_.stop();
}

void RunnerHost::progress(JobId job, Seq fence, Progress progress)
{
    {
        const std::lock_guard lock{inbox_->mutex};
        inbox_->progress.insert_or_assign(FlightId{job, fence}, std::move(progress));
    }
    inbox_->came.notify_one();
}

void RunnerHost::ended(JobId job, Seq fence, FlightEnd end)
{
    // In a shared_ptr since a std::function must be copyable, and a result is large.
    tell(inbox_, [this, id = FlightId{job, fence}, end = std::make_shared<FlightEnd>(std::move(end))] {
        on_ended(id, std::move(*end));
    });
}

void RunnerHost::tell(const std::shared_ptr<Inbox>& inbox, std::function<void()> call)
{
    {
        const std::lock_guard lock{inbox->mutex};
        inbox->calls.push_back(std::move(call));
    }
    inbox->came.notify_one();
}

void RunnerHost::run()
{
    while (true) {
        take_inbox(next_due());
        const SteadyTime now = clock_.steady();
        if (stopping_ && (flights_.empty() || now >= stop_by_)) break;
        post_ends(now);
        send_beats(now);
        offer(now);
        in_flight_.Set(static_cast<double>(flights_.size()));
    }
    // What is left was not taken in time; its leases end with this boot, so it goes back to its queue at the next
    // start.
    for (const auto& [id, flight] : flights_)
        log::warn("flight not handed back", {{"job", to_text(id.job)}, {"key", flight.job->key}});
    flights_.clear();
    in_flight_.Set(0);
}

void RunnerHost::take_inbox(SteadyTime until)
{
    std::deque<std::function<void()>> calls;
    std::map<FlightId, Progress> progress;
    {
        std::unique_lock lock{inbox_->mutex};
        const auto something = [this] { return !inbox_->calls.empty() || !inbox_->progress.empty(); };
        inbox_->came.wait_for(lock, std::clamp<Millis>(until - clock_.steady(), 0ms, sleep_max), something);
        calls.swap(inbox_->calls);
        progress.swap(inbox_->progress);
    }
    // Progress first: it was said before the end of its flight.
    for (auto& [id, latest] : progress)
        if (const auto found = flights_.find(id); found != flights_.end()) found->second.progress = std::move(latest);
    for (const std::function<void()>& call : calls) call();
}

SteadyTime RunnerHost::next_due() const
{
    SteadyTime due = offer_at_;
    if (stopping_)
        due = stop_by_;
    else if (!offer_open_ && std::cmp_greater_equal(flights_.size(), options_.slots))
        due = SteadyTime::max();
    for (const auto& [id, flight] : flights_) {
        if (flight.lost) continue;
        if (flight.end && !flight.end_posted) due = std::min(due, flight.end_at);
        if (beating_) continue;
        const SteadyTime beat = flight.progress ? std::min(flight.beat_at, flight.progress_at) : flight.beat_at;
        due = std::min(due, std::max(beat, beat_not_before_));
    }
    return std::min(due, clock_.steady() + sleep_max);
}

void RunnerHost::offer(SteadyTime now)
{
    const int free = options_.slots - static_cast<int>(flights_.size());
    if (stopping_ || free <= 0 || now < offer_at_) return;
    ClaimWork claim{options_.worker, {}, free};
    for (const auto& [name, source] : definitions_->sources)
        if (source->kind != SourceKind::worker) claim.queues.push_back(source->queue);
    if (claim.queues.empty() && !offer_open_) {
        offer_at_ = now + options_.offer_again;
        return;
    }
    // Also without a queue, so that an open offer for those of former definitions is taken back.
    const bool taken = engine_.post(std::move(claim), -1, [this, inbox = inbox_, number = offer_ + 1](Reply reply) {
        tell(inbox, [this, number, reply = std::move(reply)] { on_claimed(number, reply); });
    });
    if (taken) ++offer_;
    offer_open_ = offer_open_ || taken;
    offer_at_ = now + (taken ? options_.offer_again : back_off_first);
}

void RunnerHost::on_claimed(std::uint64_t offer, Reply reply)
{
    const bool last = offer == offer_;
    if (last) offer_open_ = false;
    if (!reply) {
        if (last) offer_at_ = clock_.steady() + back_off_first;
        return;
    }
    Claimed& claimed = std::get<Claimed>(*reply);
    // An answer without jobs says that another offer took its place: no reason to hurry.
    if (last) offer_at_ = clock_.steady() + (claimed.jobs.empty() ? back_off_first : 0ms);
    for (ClaimedJob& job : claimed.jobs) start_flight(std::move(job));
}

void RunnerHost::start_flight(ClaimedJob claimed)
{
    FRESHET_ASSERT(claimed.job && claimed.source);
    const FlightId id{claimed.job->id, claimed.job->fence};
    // The same job again: its lease ran out here, and the beat that tells so is still under way.
    for (auto& [other, flight] : flights_) {
        if (other.job != id.job || flight.lost) continue;
        flight.lost = true;
        if (flight.runner != nullptr && !flight.end) flight.runner->cancel(other.job, other.fence);
    }
    Flight& flight = flights_[id];
    flight.job = claimed.job;
    flight.source = claimed.source;
    flight.runner = runner_of(claimed.source->kind);
    flight.began = clock_.steady();
    flight.beat_at = flight.began + beat_every(flight);
    flight.progress_at = flight.began;
    if (stopping_) return answer(id, ReleaseJob{id.job, id.fence, {}});
    if (flight.runner == nullptr) {
        FlightFailure failure{
            ErrorClass::fatal, "no_runner",
            fmt::format("{}: this server has no runner for sources of its kind", flight.source->name)};
        return answer(id, FailJob{id.job, id.fence, std::move(failure)});
    }
    FlightOrder order{.job = id.job,
                      .fence = id.fence,
                      .attempt = flight.job->attempt,
                      .tenant = flight.job->tenant,
                      .key = flight.job->key,
                      .params = std::move(claimed.params),
                      .source = flight.source,
                      .validators = std::move(claimed.validators),
                      .forced = claimed.forced,
                      .run_limit = flight.source->run_limit,
                      .now = clock_.wall(),
                      .speed = definitions_->speed};
    flight.runner->start(std::move(order), *this);
}

void RunnerHost::send_beats(SteadyTime now)
{
    if (beating_ || stopping_ || now < beat_not_before_) return;
    BeatWork work{options_.worker, {}};
    std::map<JobId, Seq> fences;
    bool due = false;
    for (const auto& [id, flight] : flights_) {
        if (flight.lost) continue;
        const bool tells = flight.progress && flight.progress_at <= now;
        due = due || tells || flight.beat_at <= now;
        // Who would beat soon goes along.
        if (!tells && flight.beat_at > now + flight.source->lease / 12) continue;
        work.jobs.push_back({id.job, Beat{id.fence, tells ? flight.progress : std::nullopt, std::nullopt}});
        fences[id.job] = id.fence;
    }
    if (!due) return;
    const bool taken = engine_.post(std::move(work), -1, [this, inbox = inbox_, fences](Reply reply) {
        tell(inbox, [this, fences, reply = std::move(reply)] { on_beaten(fences, reply); });
    });
    if (!taken) {
        beat_not_before_ = now + back_off_first;
        return;
    }
    beating_ = true;
    for (const auto& [job, fence] : fences) {
        Flight& flight = flights_.at({job, fence});
        flight.beat_at = now + beat_every(flight);
        if (!flight.progress || flight.progress_at > now) continue;
        flight.progress.reset();
        flight.progress_at = now + options_.progress_every;
    }
}

void RunnerHost::on_beaten(const std::map<JobId, Seq>& fences, Reply reply)
{
    beating_ = false;
    if (!reply) {
        // The engine could not keep it: the same beats again, soon, so that no lease runs out over it.
        beat_not_before_ = clock_.steady() + back_off_first * 2;
        for (const auto& [job, fence] : fences)
            if (const auto found = flights_.find({job, fence}); found != flights_.end())
                found->second.beat_at = beat_not_before_;
        return;
    }
    for (const auto& [job, said, until] : std::get<Beaten>(*reply).answers) {
        const auto fence = fences.find(job);
        const auto found = fence == fences.end() ? flights_.end() : flights_.find({job, fence->second});
        if (found == flights_.end() || said == BeatWord::ok || found->second.lost) continue;
        Flight& flight = found->second;
        const bool first = !std::exchange(flight.cancel_told, true);
        if (said == BeatWord::lost) {
            flight.lost = true;
            log::warn("lease lost", {{"job", to_text(job)}, {"key", flight.job->key}, {"tenant", flight.job->tenant}});
        }
        // A result that is being prepared or posted goes on: it may have come before the cancel took effect.
        if (flight.runner != nullptr && first) flight.runner->cancel(job, found->first.fence);
        // With its end on the way the engine has the last word, and nothing else would come from the runner.
        if (flight.lost && flight.end && !flight.end_posted) forget(found->first);
    }
}

void RunnerHost::on_ended(FlightId id, FlightEnd end)
{
    const auto found = flights_.find(id);
    if (found == flights_.end()) return;
    Flight& flight = found->second;
    if (flight.lost) return forget(id);
    if (auto* data = std::get_if<FlightData>(&end)) return prepare(id, flight, std::move(*data));
    if (auto* unchanged = std::get_if<FlightUnchanged>(&end)) {
        PreparedResult result;
        result.data.facts = std::move(unchanged->facts);
        return answer(id, CompleteJob{id.job, id.fence, std::move(result)});
    }
    FlightFailure& failure = std::get<FlightFailure>(end);
    // Cancelled by our own stop, not by a person: the work is not over, it only changes hands.
    if (stopping_ && failure.error_class == ErrorClass::cancelled && !flight.cancel_told)
        return answer(id, ReleaseJob{id.job, id.fence, {}});
    log::warn("flight failed", {{"source", flight.source->name},
                                {"key", flight.job->key},
                                {"tenant", flight.job->tenant},
                                {"job", to_text(id.job)},
                                {"class", to_text(failure.error_class)},
                                {"code", failure.code},
                                {"error", failure.message},
                                {"duration_ms", (clock_.steady() - flight.began).count()}});
    answer(id, FailJob{id.job, id.fence, std::move(failure)});
}

void RunnerHost::prepare(FlightId id, const Flight& flight, FlightData data)
{
    auto work = [this, id, job = flight.job, source = flight.source,
                 data = std::make_shared<FlightData>(std::move(data))] {
        auto end = std::make_shared<Request>();
        try {
            *end = CompleteJob{id.job, id.fence, prepare_(std::move(*data), *source, job->tenant, job->key)};
        } catch (const std::exception& error) {
            *end = FailJob{
                id.job, id.fence,
                FlightFailure{ErrorClass::retryable, "prepare",
                              fmt::format("{}: the result could not be made ready: {}", job->key, error.what())}};
        }
        tell(inbox_, [this, id, end] { answer(id, std::move(*end)); });
    };
    if (pool_.submit(std::move(work))) return;
    answer(id, FailJob{id.job, id.fence,
                       FlightFailure{ErrorClass::retryable, "busy", "too many results wait to be made ready"}});
}

void RunnerHost::answer(FlightId id, Request end)
{
    const auto found = flights_.find(id);
    if (found == flights_.end()) return;
    if (found->second.lost) return forget(id);
    found->second.end = std::move(end);
    post_end(id, found->second, clock_.steady());
}

void RunnerHost::post_ends(SteadyTime now)
{
    for (auto& [id, flight] : flights_)
        if (flight.end && !flight.end_posted && flight.end_at <= now) {
            posted_again_.Increment();
            post_end(id, flight, now);
        }
}

void RunnerHost::post_end(FlightId id, Flight& flight, SteadyTime now)
{
    // A copy goes out: the engine may refuse it, or fail to keep it, and then it must go out again.
    flight.end_posted = engine_.post(Request{*flight.end}, -1, [this, inbox = inbox_, id](Reply reply) {
        tell(inbox, [this, id, reply = std::move(reply)] { on_answered(id, reply); });
    });
    if (flight.end_posted) return;
    flight.back_off = std::clamp(flight.back_off * 2, back_off_first, back_off_max);
    flight.end_at = now + flight.back_off;
}

void RunnerHost::on_answered(FlightId id, Reply reply)
{
    const auto found = flights_.find(id);
    if (found == flights_.end()) return;
    Flight& flight = found->second;
    if (!reply && may_pass(reply.error().refusal) && !flight.lost) {
        flight.end_posted = false;
        flight.back_off = std::clamp(flight.back_off * 2, back_off_first, back_off_max);
        flight.end_at = clock_.steady() + flight.back_off;
        return;
    }
    if (!reply)
        log::warn("engine refused the end of a flight", {{"end", word_of(*flight.end)},
                                                         {"refusal", to_text(reply.error().refusal)},
                                                         {"text", reply.error().message},
                                                         {"job", to_text(id.job)},
                                                         {"key", flight.job->key},
                                                         {"tenant", flight.job->tenant}});
    forget(id);
}

void RunnerHost::forget(FlightId id)
{
    flights_.erase(id);
}

void RunnerHost::begin_stop()
{
    stopping_ = true;
    if (offer_open_) engine_.post(ClaimWork{options_.worker, {}, 0}, -1, [](const Reply&) {});
    for (Runner* runner : {runners_.http, runners_.command, runners_.sql})
        if (runner != nullptr) runner->stop();
    stop_by_ = clock_.steady() + options_.release_within;
}

Runner* RunnerHost::runner_of(SourceKind kind) const
{
    switch (kind) {
    case SourceKind::http: return runners_.http;
    case SourceKind::command: return runners_.command;
    case SourceKind::sql: return runners_.sql;
    case SourceKind::worker: return nullptr;
    }
    return nullptr;
}

Millis RunnerHost::beat_every(const Flight& flight)
{
    // A third of the lease, up to a tenth less, so that the beats of many flights do not march in step.
    const Millis third = flight.source->lease / 3;
    return third - Millis{static_cast<std::int64_t>(rng_.below(static_cast<std::uint64_t>(third.count() / 10 + 1)))};
}

} // namespace freshet
