// SPDX-License-Identifier: Apache-2.0
// How a refresh ends: published, held, refused or failed, in the commit that ends its job (F3, F8).
#include "engine/group.hpp"

#include "base/log.hpp"
#include "model/breaker.hpp"
#include "model/day.hpp"
#include "model/publish.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace freshet {

namespace {

constexpr int dependents_max = 500;

} // namespace

Candidate candidate_of(const Job& job, const PreparedResult& result)
{
    Candidate candidate;
    candidate.unchanged = result.body == nullptr && !result.wrong_shape;
    if (result.body) {
        candidate.hash = result.body->hash;
        candidate.rows = result.body->rows;
    }
    candidate.as_of = result.data.as_of;
    candidate.wrong_shape = result.wrong_shape;
    candidate.shape_message = result.shape_message;
    candidate.data_fence = job.data_fence;
    candidate.definition = job.definition;
    return candidate;
}

Reply Group::complete(CompleteJob& request, const std::string& tenant)
{
    const auto* prepared = std::get_if<PreparedResult>(&request.result);
    const auto drop_ahead = [&] {
        if (prepared == nullptr || prepared->written_ahead == 0) return;
        tx_->drop_payload(prepared->written_ahead);
        wrote_ = true;
    };
    const auto refuse = [&](Refusal refusal) {
        drop_ahead();
        return std::unexpected(refused(refusal));
    };
    const auto job = job_of(request.job, tenant);
    if (!job) return refuse(Refusal::not_found);
    if (said_before(request, *job)) {
        drop_ahead();
        return Answer{std::make_shared<const Job>(*job)};
    }
    if (auto possible = freshet::complete(*job, request.fence, Outcome::updated, now_); !possible)
        return refuse(possible.error());
    if (job->kind != JobKind::refresh) return complete_task(request, *job);
    if (prepared == nullptr) return refuse(Refusal::unprepared);
    return complete_refresh(request, *job);
}

Reply Group::complete_refresh(CompleteJob& request, const Job& job)
{
    const PreparedResult& prepared = std::get<PreparedResult>(request.result);
    KeyWork& work = key_of(job);
    if (work.source == nullptr) {
        put_job(&job, *expire(job, "source_removed", removed_words(job), now_), AttemptEnd::failed);
        return Answer{Done{}};
    }
    const PublishDecision decision = decide_publish(work.record, candidate_of(job, prepared), *work.source, now_);
    if (const auto* refuse = std::get_if<RefuseIt>(&decision)) {
        const ErrorClass error_class = refuse->again ? ErrorClass::retryable : ErrorClass::fatal;
        const ErrorInfo error{error_class, refuse->code, refuse->message};
        // The source answered well; it is our side that moved on.
        note_breaker(job, true);
        if (job.state == JobState::running)
            fail_attempt(job, {error, {}}, prepared.data.facts, AttemptEnd::failed, Blame::ours);
        if (prepared.written_ahead != 0) tx_->drop_payload(prepared.written_ahead);
        return Answer{jobs_.contains(job.id.value) ? jobs_[job.id.value] : std::make_shared<const Job>(job)};
    }
    note_breaker(job, true);
    if (const auto* held = std::get_if<HoldIt>(&decision))
        hold(work, job, request.fence, prepared, held->reason, held->message);
    else
        publish(work, job, freshet::complete(job, request.fence, Outcome::updated, now_).value(), prepared,
                std::get<PublishIt>(decision).new_version);
    return Answer{jobs_.at(job.id.value)};
}

void Group::publish(KeyWork& work, const Job& job, Job ended, const PreparedResult& result, bool new_version)
{
    KeyRecord& record = work.record;
    const WallTime checked_at = job.began_at.value_or(now_);
    work.base_ver = record.has_data ? record.ver : 0;
    drop_held(work);
    record.gen = next_number(record.gen);
    if (new_version) {
        record.ver = next_number(record.ver);
        record.payload = result.written_ahead != 0 ? result.written_ahead : tx_->put_payload(result.body->bytes);
        if (result.written_ahead != 0) tx_->keep_payload(result.written_ahead);
        record.hash = result.body->hash;
        record.rows = result.body->rows;
        record.bytes = static_cast<std::int64_t>(result.body->bytes.size());
        record.changed_at = now_;
        work.body = result.body;
        // What was compared with another version than the one it replaces tells nothing of this change.
        const bool comparable = result.base_ver == work.base_ver;
        work.counts = comparable ? std::optional{result.counts} : std::nullopt;
        if (comparable) work.diff = result.diff;
    } else {
        if (result.written_ahead != 0) tx_->drop_payload(result.written_ahead);
        work.counts = DiffCounts{0, 0, 0, record.rows};
    }
    record.has_data = true;
    record.data_fence = ended.data_fence;
    record.definition = job.definition;
    if (result.data.as_of) {
        record.as_of = result.data.as_of;
        record.as_of_by = AsOfBy::source;
    } else if (result.body || record.as_of_by != AsOfBy::source) {
        record.as_of = checked_at;
        record.as_of_by = AsOfBy::fetch;
    }
    record.checked_at = checked_at;
    record.trigger = job.trigger;
    if (result.body || result.data.validators.any()) {
        record.etag = result.data.validators.etag;
        record.last_modified = result.data.validators.last_modified;
    }
    record.attempts = 0;
    record.retry_at.reset();
    record.parked = false;
    record.error.reset();
    const Outcome outcome = new_version ? Outcome::updated : Outcome::unchanged;
    record.last_outcome = work.outcome = outcome;
    record.last_finished_at = now_;
    record.day = day_with(record.day, outcome, now_);
    if (new_version) {
        tx_->put_version(record.tenant, record.key,
                         {record.ver, record.gen, record.payload, record.hash, record.rows, record.bytes, record.as_of,
                          now_, work.counts.value_or(DiffCounts{})});
        count_stored(record.tenant, record.bytes);
        if (const std::int64_t oldest_kept = record.ver - work.source->versions_max + 1; oldest_kept > 1)
            for (const VersionRecord& old : tx_->versions(record.tenant, record.key, oldest_kept, 8)) {
                tx_->drop_version(record.tenant, record.key, old.ver);
                count_stored(record.tenant, -old.bytes);
            }
    }
    state_.meters.published(record.tenant, record.source, *record.as_of);
    if (job.state == JobState::running) took_by(job).add(now_ - checked_at);

    ended.outcome = outcome;
    ended.receipt = receipt(work, with_phases(result.data.facts, job), std::nullopt, 0, true);
    const auto done = put_job(&job, std::move(ended), AttemptEnd::succeeded);
    if (new_version) warm_dependents(work, done->seq);
}

void Group::hold(KeyWork& work, const Job& job, Seq fence, const PreparedResult& result, HeldReason reason,
                 const std::string& message)
{
    KeyRecord& record = work.record;
    HeldResult held;
    held.reason = reason;
    held.message = message;
    held.hash = result.body ? result.body->hash : Hash128{};
    held.rows = result.body ? result.body->rows : 0;
    held.bytes = result.body ? static_cast<std::int64_t>(result.body->bytes.size()) : 0;
    held.job = job.id;
    const bool seen_before = record.held && record.held->reason == reason && record.held->hash == held.hash;
    held.held_at = seen_before ? record.held->held_at : now_;
    held.data_fence = job.data_fence;
    held.as_of = result.data.as_of;
    held.etag = result.data.validators.etag;
    held.last_modified = result.data.validators.last_modified;
    held.definition = job.definition;
    held.counts = result.counts;
    drop_held(work);
    if (result.written_ahead != 0) {
        tx_->keep_payload(result.written_ahead);
        held.payload = result.written_ahead;
    } else if (result.body) {
        held.payload = tx_->put_payload(result.body->bytes);
    }
    if (held.payload != 0) count_stored(record.tenant, held.bytes);
    record.held = held;
    record.last_outcome = work.outcome = Outcome::held;
    record.last_finished_at = now_;
    record.day = day_with(record.day, Outcome::held, now_);
    // Whoever reads the stale key must not make us ask again at once for what will be held again.
    record.retry_at = now_ + work.source->retry.max_wait;
    auto after = freshet::hold(job, fence, message, now_);
    after->receipt = receipt(work, with_phases(result.data.facts, job), reason, held.rows, false);
    log::warn("result held", {{"source", record.key},
                              {"tenant", record.tenant},
                              {"job", to_text(job.id)},
                              {"reason", to_text(reason)},
                              {"words", message}});
    put_job(&job, std::move(*after), AttemptEnd::failed);
}

namespace {

// The worker did not hear that its word was taken, and says it again.
bool failed_before(const FailJob& request, const Job& job)
{
    if (job.fence != request.fence || request.fence == 0 || job.state == JobState::running || !job.error) return false;
    const FlightFailure& failure = request.failure;
    if (job.state == JobState::cancelled) return !job.forced && !job.superseded_by;
    return job.state != JobState::succeeded && job.error->code == failure.code && job.error->message == failure.message;
}

} // namespace

Reply Group::fail(const FailJob& request, const std::string& tenant)
{
    const auto found = job_of(request.job, tenant);
    if (!found) return std::unexpected(refused(Refusal::not_found));
    const Job& job = *found;
    if (failed_before(request, job)) return Answer{std::make_shared<const Job>(job)};
    if (job.fence != request.fence || job.state != JobState::running)
        return std::unexpected(refused(Refusal::lease_lost));
    const FlightFailure& failure = request.failure;
    if (failure.error_class == ErrorClass::cancelled && !job.cancel_requested_at) {
        // A runner that ends flights of its own accord (shutdown) hands them back.
        auto after = freshet::release(job, request.fence, HandBack{}, policy_of(*definitions_, job), now_);
        return Answer{put_job(&job, std::move(*after), AttemptEnd::released)};
    }
    // That a worker was lost is the server's to say.
    const ErrorClass error_class =
        failure.error_class == ErrorClass::lost ? ErrorClass::retryable : failure.error_class;
    fail_attempt(job, {{error_class, failure.code, failure.message}, failure.retry_after}, failure.facts,
                 AttemptEnd::failed);
    return Answer{jobs_.at(job.id.value)};
}

void Group::fail_attempt(const Job& job, const AttemptFailure& failure, const FlightFacts& facts, AttemptEnd end,
                         Blame blame)
{
    const QueuePolicy policy = policy_of(*definitions_, job);
    auto after = end == AttemptEnd::limit ? run_limit_ended(job, policy, now_)
                                          : freshet::fail(job, job.fence, failure, policy, now_);
    if (!after) return;
    const bool cancelled = after->state == JobState::cancelled;
    if (job.kind == JobKind::refresh) {
        KeyWork& work = key_of(job);
        if (!cancelled && blame == Blame::source) {
            note_breaker(job, false);
            note_failure(work, *after, failure.error, failure.retry_after.has_value());
        }
        if (is_terminal(after->state)) after->receipt = receipt(work, with_phases(facts, job), std::nullopt, 0, false);
    }
    put_job(&job, std::move(*after), cancelled ? AttemptEnd::cancelled : end);
}

void Group::note_failure(KeyWork& work, const Job& after, const ErrorInfo& error, bool parked)
{
    KeyRecord& record = work.record;
    ++record.attempts;
    record.error = error;
    record.parked = parked;
    const Millis rest = work.source == nullptr ? Millis{60'000} : work.source->retry.max_wait;
    // What ended for good is left alone for the longest wait; a person may still ask.
    record.retry_at = after.state == JobState::queued
                          ? after.due_at
                          : std::max(now_ + rest, parked && record.retry_at ? *record.retry_at : now_);
    record.last_finished_at = now_;
    record.day = day_with(record.day, Outcome::failed, now_);
    if (is_terminal(after.state)) record.last_outcome = work.outcome = Outcome::failed;
    log::warn("refresh failed", {{"source", record.key},
                                 {"tenant", record.tenant},
                                 {"job", to_text(after.id)},
                                 {"class", to_text(error.error_class)},
                                 {"code", error.code},
                                 {"words", error.message},
                                 {"attempt", after.attempt},
                                 {"next_try", to_rfc3339(*record.retry_at)}});
}

void Group::note_breaker(const Job& job, bool good)
{
    const KeyWork& work = key_of(job);
    if (work.source == nullptr) return;
    const std::string host = host_of(*work.source, job.key);
    const auto stored = tx_->breaker(job.tenant, work.source->name, host);
    const BreakerRecord before = stored.value_or(BreakerRecord{job.tenant, work.source->name, host, 0, {}, {}});
    const BreakerRecord after = after_end(before, job.id, good, work.source->retry, now_);
    if (after == before) return;
    tx_->put_breaker(after);
    if (after.open_until && after.open_until != before.open_until)
        log::warn("source left alone", {{"source", work.source->name},
                                        {"tenant", job.tenant},
                                        {"host", host},
                                        {"failures", after.failures},
                                        {"until", to_rfc3339(*after.open_until)}});
}

void Group::end_probe(const Job& job)
{
    const KeyWork& work = key_of(job);
    if (work.source == nullptr) return;
    const auto breaker = tx_->breaker(job.tenant, work.source->name, host_of(*work.source, job.key));
    if (breaker && breaker->probe == job.id)
        tx_->put_breaker(after_end(*breaker, job.id, false, work.source->retry, now_));
}

void Group::warm_dependents(const KeyWork& published, Seq seq)
{
    // Collected first: asking adds to keys_, and `published` lives in it.
    const std::string tenant = published.record.tenant;
    const SourceDefinition& from = *published.source;
    const std::vector<std::string> params = params_of(published.record.key);
    for (const auto& [name, definition] : definitions_->sources) {
        if (std::ranges::find(definition->after, from.name) == definition->after.end()) continue;
        if (source_of(tenant, name) != nullptr) {
            warm_in(tenant, *definition, from, params, seq);
        } else if (tenant == shared_tenant) {
            // Each tenant that lists the dependent has its own copy, and its own ledger to count from.
            for (const auto& [each, listed] : definitions_->tenants)
                if (tenant_has_source(*definitions_, each, name))
                    warm_in(each, *definition, from, params, tx_->ledger_head(each).head);
        }
    }
}

void Group::warm_in(const std::string& tenant, const SourceDefinition& dependent, const SourceDefinition& from,
                    const std::vector<std::string>& params, Seq seq)
{
    const std::string& name = dependent.name;
    const auto value_of = [&](const std::string& param) -> const std::string* {
        for (std::size_t i = 0; i < from.params.size() && i < params.size(); ++i)
            if (from.params[i].name == param) return &params[i];
        return nullptr;
    };
    std::vector<std::string> keys;
    Key exact{name, {}};
    for (const ParamDeclaration& param : dependent.params)
        if (const std::string* value = value_of(param.name)) exact.params.push_back(*value);
    if (exact.params.size() == dependent.params.size()) {
        keys.push_back(to_text(exact));
    } else {
        for (const KeyRecord& record : tx_->keys(tenant, name, {}, dependents_max)) {
            const std::vector<std::string> values = params_of(record.key);
            bool fits = true;
            for (std::size_t i = 0; i < dependent.params.size() && i < values.size(); ++i)
                if (const std::string* value = value_of(dependent.params[i].name)) fits = fits && *value == values[i];
            if (fits) keys.push_back(record.key);
        }
    }
    for (const std::string& text : keys) {
        KeyWork& work = key(tenant, text, name);
        work.record.stale_seq = std::max(work.record.stale_seq, seq);
        work.told = true;
        AskRefresh ask{
            .tenant = tenant, .key = text, .source = name, .trigger = Trigger::after, .caller = "after:" + from.name};
        if (auto asked = ask_for(ask, false); !asked)
            log::info("not refreshed after its source",
                      {{"source", text}, {"after", from.name}, {"words", asked.error().message}});
    }
}

} // namespace freshet
