// SPDX-License-Identifier: Apache-2.0
// What people do to jobs, queues and workers: cancel, retry, run, adopt, pause, limit, drain. Each leaves an audit row.
#include "engine/group.hpp"

#include "model/publish.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace freshet {

namespace {

constexpr int concurrency_max = 100'000;

} // namespace

Reply Group::cancel(const CancelJob& request)
{
    const auto before = job_of(request.job, request.tenant);
    if (!before) return std::unexpected(refused(Refusal::not_found));
    auto after = freshet::cancel(*before, now_);
    if (!after) {
        Refused words = refused(after.error(), fmt::format("already {}", to_text(before->state)));
        words.job = before->id;
        return std::unexpected(std::move(words));
    }
    if (after->cancel_requested_at == before->cancel_requested_at && after->state == before->state)
        return Answer{std::make_shared<const Job>(*before)};
    audit(request.tenant, request.caller, "cancel", to_text(request.job), {});
    return Answer{put_job(&*before, std::move(*after), AttemptEnd::cancelled)};
}

Reply Group::retry(const RetryJob& request)
{
    const auto before = job_of(request.job, request.tenant);
    if (!before) return std::unexpected(refused(Refusal::not_found));
    auto after = freshet::retry(*before, request.generation,
                                before->kind == JobKind::refresh ? tx_->ledger_head(before->tenant).head : 0, now_);
    if (before->kind == JobKind::refresh) {
        for (const Job& live : tx_->live_jobs(before->tenant, before->key))
            if (live.id != before->id && !live.cancel_requested_at) {
                // The key is taken: whoever retries shares what is under way, as any other caller would.
                AskRefresh same{.tenant = before->tenant,
                                .key = before->key,
                                .source = key_of(*before).record.source,
                                .trigger = Trigger::manual,
                                .caller = request.caller};
                auto asked = ask_for(same, true);
                if (!asked) return std::unexpected(std::move(asked.error()));
                return Answer{std::move(asked->job)};
            }
    }
    if (!after && after.error() == Refusal::not_terminal)
        return std::unexpected(refused(Refusal::not_terminal, before->state == JobState::succeeded
                                                                  ? "it succeeded: what failed or was cancelled can be "
                                                                    "retried"
                                                                  : "it has not ended yet"));
    if (!after) return std::unexpected(refused(after.error()));
    if (request.input && before->kind == JobKind::refresh)
        return std::unexpected(refused(Refusal::bad_request, "a refresh has no input of its own"));
    if (request.input) after->input = *request.input;
    if (auto live = refuse_item_retry(*before)) return std::unexpected(std::move(*live));
    if (before->unique) {
        const std::vector<Job> holders = this->holders(before->tenant, before->queue, before->unique->key);
        const UniqueDecision decision = decide_unique(*before->unique, holders, now_, now_);
        if (const auto* taken = std::get_if<UniqueTaken>(&decision)) {
            Refused words = refused(Refusal::unique_taken, "its unique key is taken by another job meanwhile");
            words.job = taken->by;
            return std::unexpected(std::move(words));
        }
        if (const auto* to = std::get_if<UniqueAttach>(&decision))
            return Answer{attach(*to, before->tenant, before->priority).job};
        after->behind = std::get<UniqueEnqueue>(decision).behind;
    }
    if (before->kind != JobKind::refresh) {
        if (auto full = check_room(before->tenant, {{before->queue, 1}})) return std::unexpected(std::move(*full));
        if (const Millis deadline = queue_of(*definitions_, before->queue).deadline; deadline.count() > 0)
            after->deadline_at = now_ + deadline;
    }
    audit(request.tenant, request.caller, "retry", to_text(request.job), {});
    if (const auto last = last_attempt(*before)) tx_->put_attempt(*last);
    return Answer{put_job(&*before, std::move(*after))};
}

Reply Group::run_now(const RunJob& request)
{
    const auto before = job_of(request.job, request.tenant);
    if (!before) return std::unexpected(refused(Refusal::not_found));
    auto after = freshet::run_now(*before, now_);
    if (!after) {
        Refused words = refused(after.error(), fmt::format("already {}", to_text(before->state)));
        words.job = before->id;
        return std::unexpected(std::move(words));
    }
    if (*after == *before) return Answer{std::make_shared<const Job>(*before)};
    audit(request.tenant, request.caller, "run", to_text(request.job), {});
    return Answer{put_job(&*before, std::move(*after))};
}

Reply Group::adopt(const AdoptJob& request)
{
    const auto job = job_of(request.job, request.tenant);
    if (!job) return std::unexpected(refused(Refusal::not_found));
    if (job->late && job->late->at + late_result_keep <= now_)
        return std::unexpected(refused(Refusal::not_found, "its late result was kept for a day and is gone"));
    if (job->kind == JobKind::refresh) return adopt_refresh(request, *job);
    auto after = freshet::adopt(*job, Outcome::updated, now_);
    if (!after) return std::unexpected(refused(after.error()));
    if (job->batch)
        if (const auto batch = tx_->batch(job->batch); batch && !is_terminal(batch->state))
            return std::unexpected(
                refused(Refusal::batch_live, "its batch is not over yet; a late result is adopted then"));
    if (after->result.size() > result_inline_max) {
        after->result_payload = tx_->put_payload(after->result);
        after->result.clear();
    }
    audit(request.tenant, request.caller, "adopt", to_text(request.job), {});
    return Answer{put_job(&*job, std::move(*after))};
}

// A held result is accepted as on its key; a late one passes the guards of a publish first.
Reply Group::adopt_refresh(const AdoptJob& request, const Job& job)
{
    KeyWork& work = key_of(job);
    if (job.outcome == Outcome::held) {
        DecideHeld accept{.tenant = job.tenant,
                          .key = job.key,
                          .source = work.record.source,
                          .accept = true,
                          .held_job = job.id,
                          .caller = request.caller};
        auto decided = decide_held(accept);
        if (!decided) return decided;
        return Answer{std::make_shared<const Job>(job_of(job.id, "*").value())};
    }
    auto after = freshet::adopt(job, Outcome::updated, now_);
    if (!after) return std::unexpected(refused(after.error()));
    if (!request.result) return std::unexpected(refused(Refusal::unprepared));
    if (work.source == nullptr) return std::unexpected(refused(Refusal::source_removed));
    const PreparedResult& result = *request.result;
    Candidate candidate = candidate_of(job, result);
    // Data is at least as old as the hand-out that brought it.
    candidate.data_fence = std::min(job.data_fence, job.late->fence);
    const PublishDecision decision = decide_publish(work.record, candidate, *work.source, now_);
    if (const auto* refuse = std::get_if<RefuseIt>(&decision))
        return std::unexpected(refused(Refusal::held_changed, refuse->message));
    const auto* publish_it = std::get_if<PublishIt>(&decision);
    after->data_fence = candidate.data_fence;
    after->result.clear(); // it becomes the snapshot
    after->result_bytes = 0;
    audit(request.tenant, request.caller, "adopt", to_text(request.job), {});
    // What a guard doubts was looked at by the person who adopts it.
    publish(work, job, std::move(*after), result,
            publish_it != nullptr ? publish_it->new_version : result.body && result.body->hash != work.record.hash);
    return Answer{jobs_.at(job.id.value)};
}

// @param queue  its name, or of one tenant's pause the row of model/pauses.hpp
void Group::tell_queue(const std::string& queue)
{
    auto view = std::make_shared<QueueView>();
    view->queue = queue;
    view->paused = state_.paused.has_row(queue);
    if (const auto set = state_.limits.find(queue); set != state_.limits.end()) view->limits = set->second;
    view->limits.queue = queue;
    notice_->queues.push_back(std::move(view));
}

std::expected<bool, Refused> Group::set_paused(const std::string& name, bool paused, const std::string& tenant,
                                               const std::string& caller)
{
    const std::string whose = definitions_->tenants.empty() ? "*" : tenant;
    if (!paused && whose != "*" && state_.paused.for_all(name))
        return std::unexpected(refused(Refusal::bad_request,
                                       fmt::format("{} is paused for all tenants; a token of all resumes it", name)));
    const std::string row = Pauses::row(whose, name);
    if (paused == (whose == "*" ? state_.paused.for_all(name) : state_.paused.for_one(whose, name))) return false;
    tx_->put_paused(row, paused);
    state_.paused.put(row, paused);
    audit(tenant, caller, paused ? "pause" : "resume", name, {});
    return true;
}

Reply Group::pause_queue(const PauseQueue& request)
{
    if (const SourceDefinition* of = source(request.queue); of != nullptr && of->kind != SourceKind::worker)
        return pause({request.queue, request.paused, request.tenant, request.caller});
    auto changed = set_paused(request.queue, request.paused, request.tenant, request.caller);
    if (!changed) return std::unexpected(std::move(changed.error()));
    if (!*changed) return Answer{Done{}};
    tell_queue(Pauses::row(definitions_->tenants.empty() ? "*" : request.tenant, request.queue));
    return Answer{Done{}};
}

Reply Group::limit_queue(const LimitQueue& request)
{
    if (request.concurrency && (*request.concurrency < 1 || *request.concurrency > concurrency_max))
        return std::unexpected(refused(Refusal::bad_request, fmt::format("concurrency is 1 to {}", concurrency_max)));
    if (request.rate && (request.rate->count < 1 || request.rate->per.count() < 1))
        return std::unexpected(refused(Refusal::bad_request, "a rate is at least one per some time"));
    QueueLimits limits{request.queue, request.concurrency, request.rate};
    tx_->put_queue_limits(limits);
    wrote_ = true;
    std::string words;
    if (limits.concurrency) words += fmt::format("concurrency {} ", *limits.concurrency);
    if (limits.rate) words += fmt::format("rate {} per {}", limits.rate->count, to_text(limits.rate->per));
    if (!limits.concurrency && !limits.rate) {
        state_.limits.erase(request.queue);
        words = "as configured";
    } else {
        state_.limits[request.queue] = std::move(limits);
    }
    audit(request.tenant, request.caller, "limit", request.queue, words);
    tell_queue(request.queue);
    return Answer{Done{}};
}

Reply Group::drain(const DrainWorker& request)
{
    if (!state_.workers.drain(request.worker, request.tenant))
        return std::unexpected(refused(Refusal::not_found, "there is no such worker"));
    audit(request.tenant, request.caller, "drain", request.worker, {});
    return Answer{Done{}};
}

} // namespace freshet
