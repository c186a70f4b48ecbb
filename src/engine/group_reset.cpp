// SPDX-License-Identifier: Apache-2.0
// Many jobs at once: a tenant's reset (row 13) and bulk acts.
//
// A reset of whole queues is one row: what had happened by its seq is over at once, whatever the jobs' rows say, and
// each job that anybody looks at is ended first (job_of()). The rows follow in chunks, one per step. A bulk act is a
// job of the queue freshet.bulk which the engine works on itself, a chunk per step, with progress and a checkpoint.
#include "engine/group.hpp"

#include "wire/bulk.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace freshet {

namespace {

constexpr int rows_per_commit = 200;
constexpr int counted_per_commit = 1000;

std::string_view word_of(BulkAction action)
{
    switch (action) {
    case BulkAction::retry: return "retry";
    case BulkAction::cancel: return "cancel";
    case BulkAction::drop: return "drop";
    }
    return "cancel";
}

} // namespace

bool Group::is_reset(const Job& job) const
{
    if (state_.resets.empty() || is_terminal(job.state)) return false;
    return std::ranges::any_of(state_.resets, [&](const ResetWork& work) {
        return work.record.tenant == job.tenant && (work.record.queue.empty() || work.record.queue == job.queue) &&
               job.seq <= work.record.seq;
    });
}

void Group::end_reset(const Job& job)
{
    auto after = reset(job, now_);
    if (!after) return;
    if (job.kind == JobKind::refresh) after->receipt = receipt(key_of(job), {}, std::nullopt, 0, false);
    put_job(&job, std::move(*after), AttemptEnd::cancelled);
}

Reply Group::reset_tenant(const ResetTenant& request)
{
    const auto named = [](const auto& list, const auto& one) {
        return list.empty() || std::ranges::find(list, one) != list.end();
    };
    Counted counted;
    for (JobCount& count : tx_->job_counts(request.tenant)) {
        if (is_terminal(count.state) || !named(request.queues, count.queue) || !named(request.states, count.state))
            continue;
        counted.count += count.count;
        counted.by_queue.push_back(std::move(count));
    }
    if (request.dry_run) return Answer{std::move(counted)};

    const bool whole = named(request.states, JobState::queued) && named(request.states, JobState::running);
    std::vector<std::string> queues = request.queues;
    if (queues.empty()) queues.emplace_back();
    for (const std::string& queue : queues) {
        if (!whole) {
            BulkJobs rows{.tenant = request.tenant, .caller = request.caller, .action = {}, .filter = {}};
            rows.filter.state = request.states.front();
            rows.filter.queue = queue;
            counted.job = add_bulk(rows, counted.count, "reset");
            continue;
        }
        ResetRecord record{request.tenant, queue, tx_->ledger_head(request.tenant).head};
        tx_->put_reset(record);
        std::erase_if(state_.resets, [&](const ResetWork& work) {
            return work.record.tenant == request.tenant && work.record.queue == queue;
        });
        state_.resets.push_back({std::move(record), {}});
    }
    audit(request.tenant, request.caller, "reset",
          request.queues.empty() ? "*" : fmt::format("{}", fmt::join(queues, ",")),
          fmt::format("{} jobs", counted.count));
    return Answer{std::move(counted)};
}

void Group::end_reset_rows()
{
    if (state_.resets.empty()) return;
    ResetWork& work = state_.resets.front();
    for (const JobState state : {JobState::running, JobState::queued}) {
        JobId& before = work.before[state == JobState::running ? 0 : 1];
        const std::vector<Job> rows = tx_->jobs({.tenant = work.record.tenant,
                                                 .state = state,
                                                 .queue = work.record.queue,
                                                 .key = {},
                                                 .tag = {},
                                                 .kind = {},
                                                 .before = before,
                                                 .limit = rows_per_commit});
        for (const Job& row : rows) {
            before = row.id;
            // Read anew: an end may have moved others of the page.
            if (const auto job = tx_->job(row.id); job && is_reset(*job)) end_reset(with_progress(*job));
        }
        if (rows.size() < static_cast<std::size_t>(rows_per_commit)) continue;
        more_ = true;
        return;
    }
    tx_->drop_reset(work.record.tenant, work.record.queue);
    wrote_ = true;
    state_.resets.erase(state_.resets.begin());
    more_ = more_ || !state_.resets.empty();
}

std::shared_ptr<const Job> Group::add_bulk(const BulkJobs& request, std::int64_t count, std::string_view act)
{
    BulkSpec spec{std::string{act},
                  request.filter.state,
                  request.filter.kind,
                  request.filter.queue,
                  request.filter.key,
                  request.filter.tag,
                  count};
    Job job;
    job.id = state_.ids.next(now_);
    job.kind = JobKind::task;
    job.tenant = request.tenant;
    job.queue = bulk_queue;
    job.input = to_json(spec);
    job.requested_at = job.due_at = now_;
    job.requested_by = request.caller;
    audit(request.tenant, request.caller, "bulk", to_text(job.id), job.input);
    return put_job(nullptr, std::move(job));
}

void Group::count_bulk(BulkCount& bulk)
{
    JobFilter filter = bulk.request.filter;
    filter.tenant = bulk.request.tenant;
    bool over = true;
    if (filter.key.empty() && filter.tag.empty() && !filter.kind) {
        for (const JobCount& one : tx_->job_counts(filter.tenant)) {
            if ((filter.state && one.state != *filter.state) || (!filter.queue.empty() && one.queue != filter.queue))
                continue;
            bulk.count += one.count;
            bulk.by_queue[{one.queue, one.state}] += one.count;
        }
    } else {
        filter.before = bulk.before;
        filter.limit = counted_per_commit;
        const std::vector<Job> page = tx_->jobs(filter);
        for (const Job& job : page) ++bulk.by_queue[{job.queue, job.state}];
        bulk.count += static_cast<std::int64_t>(page.size());
        over = page.size() < static_cast<std::size_t>(counted_per_commit);
        if (!page.empty()) bulk.before = page.back().id;
    }
    if (!over) return;
    Counted counted;
    counted.count = bulk.count;
    for (const auto& [what, count] : bulk.by_queue)
        counted.by_queue.push_back({filter.tenant, what.first, what.second, count});
    if (!bulk.request.dry_run) counted.job = add_bulk(bulk.request, bulk.count, word_of(bulk.request.action));
    replies_.emplace_back(std::pair{bulk.core, std::move(bulk.reply)}, Answer{std::move(counted)});
    state_.bulks.pop_front();
}

// Takes the next bulk job, or a chunk of the one at hand.
void Group::do_bulk()
{
    if (state_.bulk_live == 0 || state_.paused.for_all(bulk_queue)) return;
    std::optional<Job> job = state_.bulk_now ? job_of(state_.bulk_now, "*") : std::nullopt;
    if (!job || job->state != JobState::running || job->worker != state_.builtin_worker) {
        state_.bulk_now = {};
        Claimed claimed;
        for (const std::string& tenant : next_tenants(std::string{bulk_queue}, {})) {
            if (state_.bulk_now) break;
            for (const Job& next : tx_->claimable(bulk_queue, tenant, now_, 1))
                if (claim_one(next, state_.builtin_worker, claimed)) state_.bulk_now = next.id;
        }
        if (!state_.bulk_now) return;
        job = job_of(state_.bulk_now, "*");
    }
    more_ = true;
    if (job->cancel_requested_at) {
        fail_attempt(*job, {{ErrorClass::cancelled, "cancelled", "cancelled"}, {}}, {}, AttemptEnd::cancelled);
        return;
    }
    const auto spec = parse_bulk_spec(job->input);
    if (!spec) {
        fail_attempt(*job, {{ErrorClass::fatal, "bad_input", "its input says no bulk act"}, {}}, {},
                     AttemptEnd::failed);
        return;
    }
    BulkPlace place = parse_bulk_place(job->checkpoint).value_or(BulkPlace{});
    const std::vector<Job> page = tx_->jobs({.tenant = job->tenant,
                                             .state = spec->state,
                                             .queue = spec->queue,
                                             .key = spec->key,
                                             .tag = spec->tag,
                                             .kind = spec->kind,
                                             .before = place.before ? place.before : job->id,
                                             .limit = rows_per_commit});
    for (const Job& row : page) {
        place.before = row.id;
        ++(bulk_one(*spec, row.id, *job) ? place.done : place.refused);
    }
    if (page.size() < static_cast<std::size_t>(rows_per_commit)) {
        CompleteJob done{job->id, job->fence, TaskResult{.json = to_json(place)}};
        (void)complete(done);
        return;
    }
    Beat beat{.fence = job->fence, .progress = Progress{}, .checkpoint = to_json(place)};
    beat.progress->done = place.done + place.refused;
    beat.progress->total = std::max(spec->count, beat.progress->done);
    beat.progress->unit = "jobs";
    (void)beat_one(BeatWork{state_.builtin_worker, {}}, {job->id, std::move(beat)});
}

bool Group::bulk_one(const BulkSpec& spec, JobId id, const Job& bulk)
{
    const auto job = job_of(id, bulk.tenant);
    if (!job || job->queue == bulk_queue) return false;
    if (spec.act == "retry")
        return retry({.job = id, .tenant = bulk.tenant, .caller = bulk.requested_by, .generation = {}}).has_value();
    if (spec.act == "cancel")
        return cancel({.job = id, .tenant = bulk.tenant, .caller = bulk.requested_by}).has_value();
    if (spec.act == "reset") {
        if (is_terminal(job->state)) return false;
        end_reset(*job);
        return true;
    }
    // drop: what ended, and what no batch counts.
    if (!is_terminal(job->state) || (job->batch && tx_->batch(job->batch))) return false;
    tx_->drop_job(id);
    jobs_.erase(id.value);
    wrote_ = true;
    return true;
}

void Group::go_on()
{
    state_.workers.look(now_);
    end_reset_rows();
    if (!state_.bulks.empty()) {
        count_bulk(state_.bulks.front());
        more_ = more_ || !state_.bulks.empty();
    }
    do_bulk();
}

} // namespace freshet
