// SPDX-License-Identifier: Apache-2.0
// What workers say of the jobs they hold: beats, ends, results put ahead, log lines. Each job is taken or refused by
// itself; the fence decides, and what comes too late is kept for a person.
#include "engine/group.hpp"

#include "wire/canonical.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace freshet {

namespace {

// Beats between rows: an unwritten beat is forgotten by a crash, which only makes the lease end sooner.
constexpr Millis progress_written_every = 5s;
/// Phases of one attempt whose times are kept for its receipt.
constexpr std::size_t phases_kept_max = 64;
constexpr std::int64_t log_lines_max = 10'000;

} // namespace

Reply Group::beat(const BeatWork& request)
{
    Beaten beaten;
    beaten.answers.reserve(request.jobs.size());
    for (const BeatJob& one : request.jobs) beaten.answers.push_back(beat_one(request, one));
    state_.workers.beat(request.worker, request.tenant, now_,
                        [&](const WorkerView& worker) { return has_ready_work(worker); });
    beaten.drain = state_.workers.draining(request.worker, request.tenant);
    beaten.reconnect = state_.workers.deaf(request.worker, request.tenant);
    return Answer{std::move(beaten)};
}

bool Group::has_ready_work(const WorkerView& worker)
{
    if (!ready_) ready_ = tx_->ready_queues(now_);
    return std::ranges::any_of(worker.queues, [&](const std::string& queue) {
        if (std::ranges::find(*ready_, queue) == ready_->end() || state_.paused.for_all(queue)) return false;
        const QueueLimits limits = limits_of(queue);
        if (*limits.concurrency > 0 && state_.running[queue] >= *limits.concurrency) return false;
        if (state_.begun[queue].blocked_until(*limits.rate, now_)) return false;
        if (worker.tenant == "*") return !next_tenants(queue, {}).empty();
        return !is_at_rest(worker.tenant, queue) && !tx_->claimable(queue, worker.tenant, now_, 1).empty();
    });
}

void Group::note_progress(const Job& job)
{
    LiveProgress& live = state_.progress[job.id.value];
    if (live.progress.attempt != job.progress.attempt) live = {};
    if (!live.phase_began) live.phase_began = job.began_at.value_or(now_);
    const bool next = !live.progress.phase.empty() && live.progress.phase != job.progress.phase;
    if (next) {
        if (live.phases.size() < phases_kept_max)
            live.phases.push_back({live.progress.phase, now_ - *live.phase_began});
        live.phase_began = now_;
    }
    live.progress = job.progress;
    live.moved_at = job.progress_at;
}

FlightFacts Group::with_phases(FlightFacts facts, const Job& job) const
{
    const auto live = state_.progress.find(job.id.value);
    if (!facts.phases.empty() || live == state_.progress.end()) return facts;
    const LiveProgress& known = live->second;
    if (known.progress.attempt != job.attempt || known.progress.phase.empty()) return facts;
    facts.phases = known.phases;
    facts.phases.push_back({known.progress.phase, now_ - known.phase_began.value_or(now_)});
    return facts;
}

BeatAnswer Group::beat_one(const BeatWork& work, const BeatJob& request)
{
    const auto before = job_of(request.job, work.tenant);
    if (!before || before->worker != work.worker) return {request.job, BeatWord::lost, {}};
    const QueuePolicy policy = policy_of(*definitions_, *before);
    auto after = freshet::beat(*before, request.beat, policy, now_);
    if (!after) return {request.job, BeatWord::lost, {}};
    const bool moved = !(after->progress == before->progress);
    if (moved) {
        note_progress(*after);
        notice_->progress.push_back(std::make_shared<const Job>(*after));
    }
    // A beat only moves the row, and only when the lease has worn down or progress has not been written for a while.
    const bool worn = *before->lease_until - now_ < policy.lease * 3 / 4;
    const bool untold = moved && now_ - before->beat_at.value_or(now_) >= progress_written_every;
    const bool written = worn || untold || request.beat.checkpoint;
    if (written) put_quietly(*after);
    // Nobody is promised more than what is on disk.
    return {request.job, before->cancel_requested_at ? BeatWord::cancel : BeatWord::ok,
            written ? after->lease_until : before->lease_until};
}

Reply Group::end_work(EndWork& request)
{
    EndedWork ended;
    ended.jobs.reserve(request.jobs.size());
    for (auto& one : request.jobs) {
        Reply reply = Answer{Done{}};
        if (auto* done = std::get_if<CompleteJob>(&one)) {
            reply = complete(*done, request.tenant);
            if (!reply && reply.error().refusal == Refusal::lease_lost) keep_late_result(*done, request.worker);
        } else if (auto* failed = std::get_if<FailJob>(&one)) {
            reply = fail(*failed, request.tenant);
        } else {
            reply = release(std::get<ReleaseJob>(one), request.tenant);
        }
        if (!reply)
            ended.jobs.emplace_back(std::unexpected(std::move(reply.error())));
        else if (auto* job = std::get_if<std::shared_ptr<const Job>>(&*reply))
            ended.jobs.emplace_back(std::move(*job));
        else
            ended.jobs.emplace_back(std::unexpected(refused(Refusal::source_removed, "its source is gone")));
    }
    return Answer{std::move(ended)};
}

bool Group::said_before(const CompleteJob& request, const Job& job)
{
    if (job.fence != request.fence || request.fence == 0) return false;
    if (const auto* task = std::get_if<TaskResult>(&request.result)) {
        if (job.state != JobState::succeeded) return false;
        if (task->payload != 0) return job.result_payload == task->payload;
        if (job.result_payload == 0) return job.result == one_line_json(task->json);
        return job.result_bytes == static_cast<std::int64_t>(task->json.size()) &&
               tx_->payload(job.result_payload) == task->json;
    }
    const auto& prepared = std::get<PreparedResult>(request.result);
    if (job.kind != JobKind::refresh || !prepared.body) return false;
    const KeyRecord& record = key_of(job).record;
    if (job.outcome == Outcome::held)
        return record.held && record.held->job == job.id && record.held->hash == prepared.body->hash;
    return job.state == JobState::succeeded && record.data_fence == job.data_fence &&
           record.hash == prepared.body->hash;
}

Reply Group::complete_task(const CompleteJob& request, const Job& job)
{
    auto after = freshet::complete(job, request.fence, Outcome::updated, now_);
    TaskResult result;
    if (const auto* given = std::get_if<TaskResult>(&request.result)) result = *given; // only refreshes are prepared
    if (result.payload != 0) {
        const auto put = state_.put_results.find(result.payload);
        if (put == state_.put_results.end() || put->second.job != job.id || put->second.fence != request.fence)
            return std::unexpected(
                refused(Refusal::bad_request, "no such result was put under this fence; put it again, then complete"));
        tx_->keep_payload(result.payload);
        after->result_payload = result.payload;
        after->result_bytes = put->second.bytes;
        state_.put_results.erase(put);
    } else if (result.json.size() > result_inline_max) {
        after->result_payload = tx_->put_payload(result.json);
        after->result_bytes = static_cast<std::int64_t>(result.json.size());
    } else {
        after->result = one_line_json(std::move(result.json));
        after->result_bytes = static_cast<std::int64_t>(after->result.size());
    }
    if (job.began_at && job.state == JobState::running) took_by(job).add(now_ - *job.began_at);
    return Answer{put_job(&job, std::move(*after), AttemptEnd::succeeded)};
}

void Group::keep_late_result(const CompleteJob& request, const std::string& worker)
{
    LateResult late{request.fence, worker, {}, now_};
    if (const auto* task = std::get_if<TaskResult>(&request.result))
        late.result = one_line_json(task->json);
    else if (const auto& body = std::get<PreparedResult>(request.result).body)
        late.result = body->bytes;
    if (late.result.empty()) return;
    const auto job = job_of(request.job, "*");
    if (!job) return;
    // Only a hand-out that there was can have a result; who gives a name must be the one that it was given to.
    const auto given_to = [&](Seq fence, const std::string& name) {
        if (fence != request.fence || (!worker.empty() && worker != name)) return false;
        late.worker = name;
        return true;
    };
    bool given = given_to(job->fence, job->worker);
    if (!given)
        given = std::ranges::any_of(tx_->attempts(job->id), [&](const AttemptRecord& attempt) {
            return given_to(attempt.fence, attempt.worker);
        });
    if (!given) return;
    if (auto after = keep_late(*job, std::move(late))) put_job(&*job, std::move(*after));
}

Reply Group::release(const ReleaseJob& request, const std::string& tenant)
{
    const auto before = job_of(request.job, tenant);
    if (!before) return std::unexpected(refused(Refusal::not_found));
    auto after = freshet::release(*before, request.fence, request.back, policy_of(*definitions_, *before), now_);
    if (!after) return std::unexpected(refused(after.error()));
    const bool cancelled = after->state == JobState::cancelled;
    if (after->state == JobState::failed && before->kind == JobKind::refresh) {
        note_failure(key_of(*before), *after, *after->error, false);
        after->receipt = receipt(key_of(*before), {}, std::nullopt, 0, false);
    }
    return Answer{put_job(&*before, std::move(*after), cancelled ? AttemptEnd::cancelled : AttemptEnd::released)};
}

Reply Group::put_result(const PutResult& request, std::int64_t payload)
{
    const auto job = job_of(request.job, request.tenant);
    const auto refuse = [&](Refusal refusal) {
        if (payload != 0) tx_->drop_payload(payload), wrote_ = true;
        return std::unexpected(refused(refusal));
    };
    if (!job) return refuse(Refusal::not_found);
    if (job->fence != request.fence || job->state != JobState::running) return refuse(Refusal::lease_lost);
    if (job->kind == JobKind::refresh) return refuse(Refusal::unprepared);
    // One per job: another one takes its place.
    std::erase_if(state_.put_results, [&](const auto& put) {
        if (put.second.job != request.job) return false;
        tx_->drop_payload(put.first);
        wrote_ = true;
        return true;
    });
    const auto bytes = static_cast<std::int64_t>(request.bytes->size());
    state_.put_results[payload] = {request.job, request.fence, bytes, now_};
    return Answer{ResultPut{payload, bytes}};
}

Reply Group::add_log(const AddLog& request)
{
    const auto job = job_of(request.job, request.tenant);
    if (!job) return std::unexpected(refused(Refusal::not_found));
    if (job->fence != request.fence || job->state != JobState::running)
        return std::unexpected(refused(Refusal::lease_lost));
    if (auto over = over_storage(job->tenant)) return std::unexpected(std::move(*over));
    const auto [last, fresh] = state_.log_lines.try_emplace(job->id.value, 0);
    if (fresh) {
        // Numbers have no holes: the last one is found by halving.
        std::int64_t low = 0, high = log_lines_max + 1;
        while (low < high) {
            const std::int64_t middle = low + (high - low) / 2;
            if (tx_->job_log(job->id, middle, 1).empty())
                high = middle;
            else
                low = middle + 1;
        }
        last->second = low;
    }
    for (const auto& [level, text] : request.lines) {
        if (last->second > log_lines_max) break;
        LogLine line{job->id, ++last->second, request.fence, now_, level, text};
        if (last->second > log_lines_max) {
            line.level = "warn";
            line.text = fmt::format("further lines are not kept: a job has at most {}", log_lines_max);
        }
        tx_->append_log(line);
        wrote_ = true;
    }
    return Answer{Done{}};
}

} // namespace freshet
