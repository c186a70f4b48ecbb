// SPDX-License-Identifier: Apache-2.0
// What becomes of batches as their items move: counters, gates, ends and follow-ups, all in the commit of the move
// (F6).
//
// A batch that the group touches is loaded once; put_job() tells it of each item. settle_batches() then decides what
// follows, and tell_batches() writes one row and one event per batch, however many items moved. Changes over many items
// (a cancel, a retry, a follow-up's items) take batch_items_per_commit of them per step and go on from Batch::cursor,
// so that one big batch never holds up the others, nor a restart the change.
#include "engine/group.hpp"

#include "base/assert.hpp"
#include "wire/batch_views.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace freshet {

namespace {

constexpr int batches_per_commit = 16;
constexpr int reserves_per_page = 500;

} // namespace

BatchWork* Group::batch_of(BatchId id, std::string_view tenant)
{
    auto at = batches_.find(id.value);
    if (at == batches_.end()) {
        auto batch = tx_->batch(id);
        if (!batch) return nullptr;
        at = batches_.emplace(id.value, BatchWork{std::make_shared<Batch>(std::move(*batch)), {}, false}).first;
    }
    if (tenant != "*" && at->second.batch->tenant != tenant) return nullptr;
    return &at->second;
}

BatchWork& Group::new_batch(Batch batch)
{
    const std::int64_t id = batch.id.value;
    return batches_.emplace(id, BatchWork{std::make_shared<Batch>(std::move(batch)), {}, true}).first->second;
}

Refused Group::no_batch() const
{
    return refused(Refusal::not_found, "there is no such batch");
}

void Group::note_item(const Job* before, const Job& after)
{
    BatchWork* work = batch_of(after.batch, "*");
    if (work == nullptr) return;
    Batch& batch = *work->batch;
    // Row 12: a person retries one item of a batch that is over.
    if (is_terminal(batch.state) && after.state == JobState::queued)
        if (auto opened = reopened(batch, now_)) batch = std::move(*opened);
    batch = item_moved(std::move(batch), before, after, now_);
    work->told = true;
    if (work->items.size() < event_items_max) work->items.insert(after.id.value);
}

bool Group::must_end(const Job& item)
{
    if (item.kind != JobKind::item) return false;
    const BatchWork* work = batch_of(item.batch, "*");
    return work != nullptr && work->batch->state == BatchState::ending;
}

std::optional<Refused> Group::refuse_item_retry(const Job& item)
{
    const BatchWork* work = item.batch ? batch_of(item.batch, "*") : nullptr;
    if (work == nullptr) return std::nullopt;
    if (!is_terminal(work->batch->state))
        return refused(Refusal::batch_live, "its batch is not over yet; an item is retried then");
    if (work->batch->cursor != 0)
        return refused(Refusal::batch_live, "its batch's follow-up is being filled; try again in a moment");
    return std::nullopt;
}

void Group::end_item(const Job& stored)
{
    if (is_reset(stored)) return end_reset(stored);
    const Job item = with_progress(stored);
    auto after = freshet::cancel(item, now_);
    if (after && *after != item) put_job(&item, std::move(*after), AttemptEnd::cancelled);
}

Job Group::new_item(const Batch& batch, const std::string& caller, const std::string& key, std::string label,
                    std::string input)
{
    Job job;
    job.id = state_.ids.next(now_);
    job.kind = JobKind::item;
    job.tenant = batch.tenant;
    job.queue = batch.queue;
    job.batch = batch.id;
    job.item = key;
    job.label = std::move(label);
    job.input = std::move(input);
    job.priority = queue_of(*definitions_, batch.queue).priority;
    job.requested_at = job.due_at = now_;
    job.requested_by = caller;
    job.gated = gates_next(batch);
    if (!job.gated) set_deadlines(job);
    return job;
}

// At the gate an item waits by its batch's wish: its deadlines begin when it may run.
void Group::set_deadlines(Job& job) const
{
    const QueueDefinition queue = queue_of(*definitions_, job.queue);
    if (queue.deadline.count() > 0) job.deadline_at = now_ + queue.deadline;
    if (queue.start_deadline.count() > 0) job.start_by = now_ + queue.start_deadline;
}

std::shared_ptr<const Job> Group::lift(const Job& item)
{
    if (is_reset(item)) return end_reset(item), nullptr;
    Job after = item;
    after.gated = false;
    set_deadlines(after);
    return put_job(&item, std::move(after));
}

std::shared_ptr<const Job> Group::lift_next(BatchWork& work)
{
    for (;;) {
        const std::vector<Job> gated = tx_->gated_items(work.batch->id, 1);
        if (gated.empty()) return nullptr;
        if (auto lifted = lift(gated.front())) return lifted;
    }
}

void Group::settle_batches()
{
    // A follow-up's batch is added on the way, and an end may end another: until nothing moves any more.
    for (bool moved = true; moved;) {
        moved = false;
        for (auto& [id, work] : batches_) {
            if (!work.told) continue;
            Batch& batch = *work.batch;
            const bool was_over = is_terminal(batch.state);
            batch = settled(std::move(batch), now_);
            moved = moved || is_terminal(batch.state) != was_over;
            if (starts_by_itself(batch)) {
                start_follow_up(work, "batch:" + to_text(batch.id));
                moved = true;
            }
            const std::int64_t lifts = std::min(gates_to_lift(batch), batch_budget_);
            if (lifts <= 0) continue;
            batch_budget_ -= lifts;
            for (const Job& item : tx_->gated_items(batch.id, static_cast<int>(lifts))) lift(item);
            moved = true;
        }
    }
    for (const auto& [id, work] : batches_)
        if (work.told && (work.batch->cursor != 0 || gates_to_lift(*work.batch) > 0)) more_ = true;
}

void Group::go_on_batches()
{
    const std::vector<Batch> due = tx_->batch_timers_due(now_, batches_per_commit);
    more_ = more_ || due.size() == batches_per_commit || (!due.empty() && batch_budget_ <= 0);
    std::int64_t others = static_cast<std::int64_t>(due.size() + state_.fills.size());
    for (const Batch& one : due) {
        if (batch_budget_ <= 0) break;
        // Each gets its share of what one commit takes.
        const std::int64_t share = std::max<std::int64_t>(batch_budget_ / std::max<std::int64_t>(others--, 1), 1);
        const std::int64_t rest = std::exchange(batch_budget_, share) - share;
        BatchWork& work = *batch_of(one.id, "*");
        *work.batch = timer_ended(std::move(*work.batch), now_);
        work.told = true;
        go_on(work);
        batch_budget_ += rest;
    }
    // Requests that are being taken in parts, in turns.
    for (std::size_t i = state_.fills.size(); i > 0 && batch_budget_ > 0; --i) {
        Fill fill = std::move(state_.fills.front());
        state_.fills.pop_front();
        fills_.push_back(std::move(fill));
        if (go_on(fills_.back())) fills_.pop_back();
    }
    more_ = more_ || !fills_.empty() || !state_.fills.empty();
    settle_batches();
}

void Group::go_on(BatchWork& work)
{
    if (work.batch->cursor == 0 || batch_budget_ <= 0) return;
    switch (work.batch->state) {
    case BatchState::ending: return end_items(work);
    case BatchState::sealed: return set_items_back(work);
    case BatchState::open: break;
    case BatchState::succeeded:
    case BatchState::partial:
    case BatchState::failed:
    case BatchState::cancelled:
    case BatchState::aborted: return fill_follow_up(work);
    }
}

// Those that wait first, from the beginning, since each that ends leaves the list; then those that run, by id. What
// comes back from its worker meanwhile begins it anew.
void Group::end_items(BatchWork& work)
{
    Batch& batch = *work.batch;
    work.told = true;
    while (batch.counts.queued > 0 && batch_budget_ > 0) {
        batch.cursor = batch_cursor_start;
        const std::vector<Job> waiting = tx_->items({batch.id, JobState::queued, {}, static_cast<int>(batch_budget_)});
        FRESHET_ASSERT(!waiting.empty());
        for (const Job& item : waiting) end_item(item);
        batch_budget_ -= static_cast<std::int64_t>(waiting.size());
    }
    if (batch_budget_ <= 0) return;
    const std::vector<Job> running =
        tx_->items({batch.id, JobState::running, JobId{batch.cursor}, static_cast<int>(batch_budget_)});
    const bool last = static_cast<std::int64_t>(running.size()) < batch_budget_;
    batch_budget_ -= static_cast<std::int64_t>(running.size());
    for (const Job& item : running) end_item(item);
    batch.cursor = last ? 0 : running.back().id.value;
}

// Once over all items by id: what fails again behind the cursor is this generation's.
void Group::set_items_back(BatchWork& work)
{
    Batch& batch = *work.batch;
    work.told = true;
    const std::vector<Job> items = tx_->items({batch.id, {}, JobId{batch.cursor}, static_cast<int>(batch_budget_)});
    const bool last = static_cast<std::int64_t>(items.size()) < batch_budget_;
    batch_budget_ -= static_cast<std::int64_t>(items.size());
    for (const Job& item : items) {
        batch.cursor = item.id.value;
        auto after = freshet::retry(item, {}, 0, now_);
        if (!after) continue;
        after->gated = gates_next(batch);
        after->deadline_at.reset();
        after->start_by.reset();
        if (!after->gated) set_deadlines(*after);
        if (const auto attempt = last_attempt(item)) tx_->put_attempt(*attempt);
        put_job(&item, std::move(*after));
    }
    if (last) batch = items_set_back(std::move(batch), now_);
}

std::int64_t Group::follow_up_size(const FollowUp& then, std::int64_t items) const
{
    if (then.per_succeeded) return items;
    if (then.items.empty()) return 1;
    const auto listed = read_items(then.items, 0, batch_items_max);
    return listed ? static_cast<std::int64_t>(listed->size()) : 0;
}

void Group::start_follow_up(BatchWork& work, const std::string& caller)
{
    Batch& batch = *work.batch;
    work.told = true;
    FollowUp& then = *batch.then;
    then.state = FollowUp::State::started;
    if (!then.per_succeeded && then.items.empty()) {
        NewJob task;
        task.queue = then.queue;
        task.input = then.input;
        then.job = put_job(nullptr, new_task(batch.tenant, caller, task))->id;
        return;
    }
    Batch next;
    next.id = BatchId{state_.ids.next(now_).value};
    next.tenant = batch.tenant;
    next.queue = then.queue;
    next.name = then.label;
    next.requested_by = caller;
    next.requested_at = now_;
    then.batch = next.id;
    new_batch(std::move(next));
    batch.cursor = batch_cursor_start;
    fill_follow_up(work);
}

// The batch that ended looks after the one that follows until all its items are there.
void Group::fill_follow_up(BatchWork& work)
{
    Batch& batch = *work.batch;
    work.told = true;
    const FollowUp& then = *batch.then;
    BatchWork* next = batch_of(then.batch, "*");
    if (next == nullptr || !is_being_filled(*next->batch)) {
        batch.cursor = 0; // it was cancelled meanwhile
        return;
    }
    if (batch_budget_ <= 0) return;
    std::vector<ListedItem> items;
    const auto most = static_cast<std::size_t>(batch_budget_);
    bool last = true;
    if (then.per_succeeded) {
        std::size_t bytes = 0;
        for (const Job& job :
             tx_->items({batch.id, JobState::succeeded, JobId{batch.cursor}, static_cast<int>(batch_budget_)})) {
            last = false;
            if (bytes > batch_bytes_per_commit) break;
            items.push_back({job.item, job.label, input_after_item(job)});
            bytes += items.back().input.size();
            batch.cursor = job.id.value;
        }
        last = last || (bytes <= batch_bytes_per_commit && items.size() < most);
    } else {
        const auto from = static_cast<std::size_t>(batch.cursor - batch_cursor_start);
        items = read_items(then.items, from, most).value_or(std::vector<ListedItem>{});
        last = items.size() < most;
        batch.cursor += static_cast<std::int64_t>(items.size());
    }
    batch_budget_ -= static_cast<std::int64_t>(items.size());
    const std::string caller = next->batch->requested_by;
    for (ListedItem& item : items) {
        if (tx_->item(then.batch, item.key)) continue; // listed twice
        put_job(nullptr, new_item(*next->batch, caller, item.key, std::move(item.label), std::move(item.input)));
    }
    if (!last) return;
    batch.cursor = 0;
    *next->batch = filled(std::move(*next->batch), now_);
    next->told = true;
}

void Group::tell_batches()
{
    for (auto& [id, work] : batches_) {
        if (!work.told) continue;
        Batch& batch = *work.batch;
        std::vector<std::string> items;
        for (const std::int64_t item : work.items)
            if (const auto job = jobs_.find(item); job != jobs_.end())
                items.push_back(item_json(*job->second, is_paused(*job->second), now_, true));
        const std::string topic = "batch/" + to_text(batch.id);
        batch.seq = tx_->next_seq(batch.tenant);
        append(batch.tenant,
               {EventKind::batch, topic, batch_event_json(topic, batch_json(batch, now_), items, batch.seq), "batches",
                is_terminal(batch.state)});
        tx_->put_batch(batch, next_timer(batch));
        note_reserve(batch);
        notice_->batches.push_back(work.batch);
    }
}

// What a follow-up that starts by itself will enqueue is room that nobody else may take.
void Group::note_reserve(const Batch& batch)
{
    const bool reserves = !is_terminal(batch.state) && batch.then && batch.then->start == FollowUp::Start::auto_ &&
                          batch.then->state == FollowUp::State::waiting;
    if (!reserves) {
        state_.reserves.erase(batch.id.value);
        return;
    }
    Reserve& reserve = state_.reserves[batch.id.value];
    const bool counted = reserve.count > 0 && !batch.then->per_succeeded;
    if (!counted) reserve = {batch.tenant, batch.then->queue, follow_up_size(*batch.then, batch.counts.total)};
}

std::int64_t Group::reserved_of(std::string_view tenant, std::string_view queue) const
{
    std::int64_t count = 0;
    const auto is_named = [&](std::string_view of, std::string_view in) {
        return of == tenant && (queue.empty() || queue == in);
    };
    for (const auto& [id, reserve] : state_.reserves)
        if (is_named(reserve.tenant, reserve.queue)) count += reserve.count;
    const auto filling = [&](const Fill& fill) {
        const auto* made = std::get_if<AddBatch>(&fill.posted.request);
        if (made != nullptr && is_named(made->tenant, made->queue))
            count += static_cast<std::int64_t>(made->items.size() - fill.next);
    };
    std::ranges::for_each(state_.fills, filling);
    std::ranges::for_each(fills_, filling);
    return count;
}

void Group::read_reserves()
{
    state_.reserves.clear();
    for (const std::string& tenant : tx_->tenants())
        for (const BatchState state : {BatchState::open, BatchState::sealed, BatchState::ending})
            for (BatchId before;;) {
                const std::vector<Batch> page = tx_->batches({tenant, state, before, reserves_per_page});
                for (const Batch& batch : page) note_reserve(batch), before = batch.id;
                if (page.size() < static_cast<std::size_t>(reserves_per_page)) break;
            }
}

} // namespace freshet
