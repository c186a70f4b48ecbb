// SPDX-License-Identifier: Apache-2.0
#include "engine/group.hpp"

#include "base/assert.hpp"
#include "base/log.hpp"
#include "engine/reads.hpp"

#include <algorithm>

namespace freshet {

namespace {

std::string words_of(Refusal refusal)
{
    switch (refusal) {
    case Refusal::not_found: return "there is no such job";
    case Refusal::not_running: return "the job is not running";
    case Refusal::lease_lost: return "the lease was lost: the job was given to somebody else, or it ended";
    case Refusal::already_over: return "the job is over";
    case Refusal::not_terminal: return "the job has not ended in a way that this can change";
    case Refusal::generation_changed: return "the job was retried meanwhile";
    case Refusal::unprepared: return "the result of a refresh must be made ready";
    case Refusal::source_removed: return "the source is no longer configured";
    default: return std::string{to_text(refusal)};
    }
}

} // namespace

Millis wall_ahead(const Engine::State& state)
{
    const Millis ahead = state.wall_ahead ? state.wall_ahead() : Millis{0};
    return std::chrono::abs(ahead) < wall_step_noticed ? Millis{0} : ahead;
}

Group::Group(Engine::State& state, WallTime now)
    : state_{state}, now_{now}, wall_{now + wall_ahead(state)}, definitions_{state.definitions},
      tx_{state.store.begin()}
{
    if (state_.stale_memory) read_memory();
}

Refused Group::refused(Refusal refusal, std::string message) const
{
    Refused words;
    words.refusal = refusal;
    words.message = message.empty() ? words_of(refusal) : std::move(message);
    return words;
}

void Group::answer(Posted& posted, Reply reply)
{
    if (posted.reply) replies_.emplace_back(std::pair{posted.core, std::move(posted.reply)}, std::move(reply));
}

void Group::serve(Posted& posted)
{
    ++requests_;
    if (auto full = no_room(posted.request)) return answer(posted, std::unexpected(std::move(*full)));
    if (auto* claim = std::get_if<ClaimWork>(&posted.request)) {
        offer(*claim, posted.core, std::move(posted.reply));
        return;
    }
    if (auto* bulk = std::get_if<BulkJobs>(&posted.request)) {
        state_.bulks.push_back({std::move(*bulk), posted.core, std::move(posted.reply), {}, 0, {}});
        return;
    }
    if (std::holds_alternative<AddBatch>(posted.request)) return add_batch(posted);
    if (std::holds_alternative<AddItems>(posted.request)) return add_items(posted);
    Reply reply = std::visit(
        [&](auto& request) -> Reply {
            using T = std::decay_t<decltype(request)>;
            if constexpr (std::is_same_v<T, AskRefresh>)
                return ask(request);
            else if constexpr (std::is_same_v<T, CancelJob>)
                return cancel(request);
            else if constexpr (std::is_same_v<T, RetryJob>)
                return retry(request);
            else if constexpr (std::is_same_v<T, PurgeKey>)
                return purge(request);
            else if constexpr (std::is_same_v<T, DecideHeld>)
                return decide_held(request);
            else if constexpr (std::is_same_v<T, PauseSource>)
                return pause(request);
            else if constexpr (std::is_same_v<T, BeatWork>)
                return beat(request);
            else if constexpr (std::is_same_v<T, CompleteJob>)
                return complete(request);
            else if constexpr (std::is_same_v<T, FailJob>)
                return fail(request);
            else if constexpr (std::is_same_v<T, ReleaseJob>)
                return release(request, "*");
            else if constexpr (std::is_same_v<T, Reconfigure>)
                return reconfigure(request);
            else if constexpr (std::is_same_v<T, AddJobs>)
                return add(request);
            else if constexpr (std::is_same_v<T, EndWork>)
                return end_work(request);
            else if constexpr (std::is_same_v<T, WithdrawClaim>)
                return withdraw(request), Answer{Done{}};
            else if constexpr (std::is_same_v<T, RunJob>)
                return run_now(request);
            else if constexpr (std::is_same_v<T, AdoptJob>)
                return adopt(request);
            else if constexpr (std::is_same_v<T, PauseQueue>)
                return pause_queue(request);
            else if constexpr (std::is_same_v<T, LimitQueue>)
                return limit_queue(request);
            else if constexpr (std::is_same_v<T, DrainWorker>)
                return drain(request);
            else if constexpr (std::is_same_v<T, ResetTenant>)
                return reset_tenant(request);
            else if constexpr (std::is_same_v<T, PutResult>)
                return put_result(request, posted.written_ahead);
            else if constexpr (std::is_same_v<T, AddLog>)
                return add_log(request);
            else if constexpr (std::is_same_v<T, ChangeBatch>)
                return change(request);
            else if constexpr (std::is_same_v<T, ProcessNext>)
                return process_next(request);
            else if constexpr (std::is_same_v<T, PutToken>)
                return put_token(request);
            else if constexpr (std::is_same_v<T, RevokeToken>)
                return revoke_token(request);
            else if constexpr (std::is_same_v<T, PauseSchedule>)
                return pause_schedule(request);
            else if constexpr (std::is_same_v<T, RunSchedule>)
                return run_schedule(request);
            else if constexpr (std::is_same_v<T, TouchKey>)
                return touch(request), Answer{Done{}};
            else
                return std::unexpected(refused(Refusal::bad_request, "this is not built yet"));
        },
        posted.request);
    answer(posted, std::move(reply));
}

KeyWork& Group::key(std::string_view tenant, std::string_view key, std::string_view source_name)
{
    const auto [at, fresh] = keys_.try_emplace({std::string{tenant}, std::string{key}});
    KeyWork& work = at->second;
    if (!fresh) return work;
    if (auto record = tx_->key(tenant, key)) {
        work.record = std::move(*record);
    } else {
        work.record.tenant = tenant;
        work.record.key = key;
        work.record.source = source_name;
    }
    work.source = source_of(work.record.tenant, work.record.source);
    return work;
}

std::vector<std::string> Group::params_of(std::string_view key) const
{
    std::vector<std::string> params;
    for (auto slash = key.find('/'); slash != std::string_view::npos; slash = key.find('/')) {
        key.remove_prefix(slash + 1);
        params.push_back(percent_decode(key.substr(0, key.find('/'))).value_or(""));
    }
    return params;
}

std::string Group::host_of(const SourceDefinition& source, std::string_view key) const
{
    if (source.kind != SourceKind::http) return {};
    const std::string url = fill_template(source.http.url, source, params_of(key), percent_encode);
    const auto scheme = url.find("://");
    if (scheme == std::string::npos) return {};
    const auto begin = scheme + 3;
    return url.substr(begin, url.find_first_of("/?#", begin) - begin);
}

Seq Group::append(const std::string& tenant, Event event)
{
    LedgerEntry entry{tx_->append(tenant, event, now_), std::move(event)};
    wrote_ = true;
    Notice::TenantEvents& events = events_[tenant];
    events.tenant = tenant;
    events.entries.push_back(std::move(entry));
    return events.entries.back().seq;
}

Job Group::with_progress(Job job) const
{
    const auto live = state_.progress.find(job.id.value);
    if (live == state_.progress.end()) return job;
    if (live->second.progress.attempt == job.attempt) {
        job.progress = live->second.progress;
        if (live->second.moved_at) job.progress_at = live->second.moved_at;
    }
    return job;
}

std::optional<Job> Group::job_of(JobId id, std::string_view tenant)
{
    auto job = tx_->job(id);
    if (!job || (tenant != "*" && job->tenant != tenant)) return std::nullopt;
    if (is_reset(*job)) {
        end_reset(with_progress(std::move(*job)));
        return tx_->job(id);
    }
    return with_progress(std::move(*job));
}

bool Group::is_paused(const Job& job)
{
    if (state_.paused.contains(job.tenant, job.queue)) return true;
    if (job.kind != JobKind::refresh || state_.paused.empty()) return false;
    return state_.paused.contains(job.tenant, key_of(job).record.source);
}

std::optional<Job> Group::job_behind(const Job& first)
{
    std::vector<Job> others;
    if (first.kind == JobKind::refresh)
        others = tx_->live_jobs(first.tenant, first.key);
    else if (first.unique)
        others = tx_->holding(first.tenant, first.queue, first.unique->key);
    for (Job& job : others)
        if (job.behind == first.id) return std::move(job);
    return std::nullopt;
}

void Group::put_quietly(const Job& job)
{
    tx_->put_job(job, next_timer(job, policy_of(*definitions_, job)));
    if (job.state == JobState::running && !is_builtin(job.worker)) state_.workers.hold(job);
    wrote_ = true;
}

void Group::note_live(const Job* before, const Job& after)
{
    LiveCount& live = state_.live[{after.tenant, after.queue}];
    const auto count = [&](JobState state, int by) {
        if (state == JobState::queued) live.queued += by;
        if (state != JobState::running) return;
        live.running += by;
        state_.running[after.queue] += by;
    };
    if (before != nullptr) count(before->state, -1);
    count(after.state, 1);
    if (after.queue == bulk_queue) {
        if (before == nullptr || is_terminal(before->state)) ++state_.bulk_live;
        if (is_terminal(after.state)) --state_.bulk_live;
    }
    const bool was_held = before != nullptr && before->state == JobState::running && !is_builtin(before->worker);
    const bool is_held = after.state == JobState::running && !is_builtin(after.worker);
    if (was_held && !is_held) state_.workers.let_go(*before);
    if (is_held) state_.workers.hold(after);
}

void Group::close_attempt(const Job& before, AttemptEnd end, const std::optional<ErrorInfo>& error)
{
    AttemptRecord attempt{before.id,      before.generation,
                          before.attempt, before.fence,
                          before.worker,  before.began_at.value_or(now_),
                          now_,           end,
                          error};
    tx_->put_attempt(attempt);
}

std::shared_ptr<const Job> Group::put_job(const Job* before, Job after, AttemptEnd end)
{
    const bool was_running = before != nullptr && before->state == JobState::running;
    const bool runs = after.state == JobState::running;
    const std::optional<Job> trailing = was_running && !runs ? job_behind(*before) : std::nullopt;
    std::optional<Job> next;
    if (trailing && after.state == JobState::queued) {
        Superseded both = supersede(after, *trailing, now_);
        after = std::move(both.ended);
        next = std::move(both.trailing);
    } else if (trailing) {
        next = is_reset(*trailing) ? reset(*trailing, now_).value() : lifted(*trailing, now_);
    }
    if (was_running && !runs) {
        if (before->kind == JobKind::refresh) end_probe(*before);
        if (after.state == JobState::queued) close_attempt(*before, end, after.error);
        state_.progress.erase(after.id.value);
        state_.log_lines.erase(after.id.value);
    }
    note_live(before, after);
    state_.meters.moved(after.queue, before == nullptr ? std::nullopt : std::optional{before->state}, after.state);

    after.seq = tx_->next_seq(after.tenant);
    const bool over = is_terminal(after.state);
    const JobTerms terms = terms_of(*definitions_, after, is_paused(after));
    const auto job = std::make_shared<const Job>(std::move(after));
    Event event = job_event({job, terms.paused, terms.attempts_max, terms.stall_at, now_}, over);
    if (!told_by_values(*job)) {
        event.data = event_json(event);
        event.told.reset();
    }
    const Seq seq = append(job->tenant, std::move(event));
    FRESHET_ASSERT(seq == job->seq);
    tx_->put_job(*job, over ? std::nullopt : next_timer(*job, policy_of(*definitions_, *job)));
    jobs_[job->id.value] = job;
    if (job->kind == JobKind::refresh) {
        KeyWork& work = key_of(*job);
        work.told = true;
        if (over && work.record.last_job < job->id) work.record.last_job = job->id;
        if (over) state_.meters.refresh_ended(*job, job->outcome.value_or(Outcome::failed));
    }
    if (job->kind == JobKind::item) note_item(before, *job);
    if (next) put_job(&*trailing, std::move(*next));
    return job;
}

std::string Group::receipt(const KeyWork& work, const FlightFacts& facts, std::optional<HeldReason> held,
                           std::int64_t held_rows, bool good) const
{
    ReceiptInput input;
    if (good) {
        input.gen = work.record.gen;
        input.ver = work.record.ver;
        input.base_ver = work.base_ver;
        input.as_of = work.record.as_of;
        input.checked_at = work.record.checked_at;
        input.counts = work.counts;
        input.rows = work.record.rows;
    } else if (work.record.has_data) {
        input.last_good = &work.record;
        input.last_good_href = "/v1/data/" + work.record.key;
    }
    for (const PhaseTime& phase : facts.phases) input.phases.emplace_back(phase.name, phase.took);
    input.bytes = facts.bytes_in;
    input.source_status = facts.source_status;
    input.notes = facts.notes;
    input.held_reason = held;
    input.held_rows = held_rows;
    return receipt_parts_json(input);
}

void Group::tell_keys()
{
    for (auto& [id, work] : keys_) {
        KeyRecord& record = work.record;
        if (work.told) {
            const std::string topic = "data/" + record.key;
            const auto flight = flight_of(tx_->live_jobs(record.tenant, record.key));
            record.seq = tx_->next_seq(record.tenant);
            MetaInput input{
                &record, work.source, params_of(record.key), {}, state_.paused.contains(record.tenant, record.source),
                true};
            if (flight) input.flight = MetaFlight{flight->id, flight->running, flight->requested_at, {}};
            std::string data = change_event_json(topic, meta_json(input, now_), work.outcome, work.base_ver,
                                                 work.counts, work.diff, {}, record.seq);
            append(record.tenant, {EventKind::change, topic, std::move(data), {}, false});
            auto view = std::make_shared<KeyView>();
            view->record = record;
            view->body = work.body;
            view->flight = flight;
            view->paused = input.paused;
            notice_->keys.push_back(std::move(view));
            work.dirty = true;
        }
        if (work.dirty) {
            tx_->put_key(record);
            wrote_ = true;
        }
    }
}

void Group::commit()
{
    settle_batches();
    tell_keys();
    tell_batches();
    if (wrote_) {
        tx_->commit();
        state_.failing_since.reset();
    }
    tx_.reset();
    state_.definitions = definitions_;
    for (Fill& fill : fills_) state_.fills.push_back(std::move(fill));

    std::size_t events = 0;
    for (auto& [tenant, told] : events_) {
        events += told.entries.size();
        notice_->events.push_back(std::move(told));
    }
    for (auto& [id, job] : jobs_) notice_->jobs.push_back(job);
    notice_->workers = state_.workers.changed(now_);
    if (events > 0 || !notice_->progress.empty() || notice_->definitions || !notice_->workers.empty() ||
        !notice_->queues.empty() || notice_->tokens) {
        notice_->position = ++state_.position;
    } else {
        notice_.reset();
    }
    if (wrote_) state_.meters.committed(requests_, events);
    publish(std::move(notice_));
}

void Group::publish(std::shared_ptr<const Notice> notice)
{
    std::vector<Delivery> deliveries;
    for (auto& [to, reply] : replies_)
        deliveries.emplace_back(to.first, [reply_to = std::move(to.second), reply = std::move(reply)]() mutable {
            reply_to(std::move(reply));
        });
    replies_.clear();
    if (notice || !deliveries.empty()) state_.sink.publish(std::move(notice), std::move(deliveries));
}

std::optional<WallTime> Group::next_wake()
{
    if (more_) return now_;
    std::optional<WallTime> wake = tx_->next_wake(now_);
    if (const auto workers = state_.workers.next_wake()) wake = std::min(wake.value_or(*workers), *workers);
    // Schedules are due by a clock that this one only follows slowly: they are looked for now and then.
    if (wall_ != now_) wake = std::min(wake.value_or(now_ + wall_step_noticed), now_ + wall_step_noticed);
    return wake;
}

void Group::refuse_all(std::string_view words)
{
    tx_.reset();
    state_.stale_memory = true;
    state_.meters.commit_failed();
    for (Offer& offer : fed_) {
        state_.workers.set_open(offer.work.worker, offer.work.tenant, true, now_);
        state_.offers.push_back(std::move(offer));
    }
    for (Fill& fill : fills_) answer(fill.posted, Answer{Done{}}); // answered with the others that failed
    for (auto& [to, reply] : replies_) reply = std::unexpected(refused(Refusal::store_failed, std::string{words}));
    publish(nullptr);
}

} // namespace freshet
