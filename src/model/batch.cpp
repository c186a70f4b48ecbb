// SPDX-License-Identifier: Apache-2.0
#include "model/batch.hpp"

#include "base/assert.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

namespace freshet {

std::string_view to_text(FollowUp::Start start)
{
    switch (start) {
    case FollowUp::Start::auto_: return "auto";
    case FollowUp::Start::person: return "person";
    }
    std::unreachable();
}

std::string_view to_text(FollowUp::State state)
{
    switch (state) {
    case FollowUp::State::waiting: return "waiting";
    case FollowUp::State::available: return "available";
    case FollowUp::State::started: return "started";
    case FollowUp::State::dropped: return "dropped";
    }
    std::unreachable();
}

std::optional<FollowUp::Start> parse_follow_up_start(std::string_view text)
{
    for (const auto start : {FollowUp::Start::auto_, FollowUp::Start::person})
        if (to_text(start) == text) return start;
    return std::nullopt;
}

std::optional<FollowUp::State> parse_follow_up_state(std::string_view text)
{
    using enum FollowUp::State;
    for (const auto state : {waiting, available, started, dropped})
        if (to_text(state) == text) return state;
    return std::nullopt;
}

namespace {

std::int64_t& counter(BatchCounts& counts, JobState state)
{
    switch (state) {
    case JobState::queued: return counts.queued;
    case JobState::running: return counts.running;
    case JobState::succeeded: return counts.succeeded;
    case JobState::failed: return counts.failed;
    case JobState::cancelled: return counts.cancelled;
    }
    std::unreachable();
}

bool at_gate(const Job& job)
{
    return job.state == JobState::queued && job.gated;
}
bool past_gate(const Job& job)
{
    return !is_terminal(job.state) && !at_gate(job);
}

void add_error(std::vector<BatchError>& errors, const ErrorInfo& error)
{
    const auto known = std::ranges::find(errors, error.code, &BatchError::code);
    if (known != errors.end()) {
        ++known->count;
    } else if (errors.size() < batch_errors_max) {
        errors.push_back({error.code, error.message, 1});
    } else if (errors.back().count == 1) {
        // Of two codes that came once, the later one may come again.
        errors.back() = {error.code, error.message, 1};
    }
    std::ranges::stable_sort(errors, std::greater{}, &BatchError::count);
}

void take_error(std::vector<BatchError>& errors, std::string_view code)
{
    const auto known = std::ranges::find(errors, code, &BatchError::code);
    if (known == errors.end()) return; // it was too rare to be kept
    if (--known->count == 0) errors.erase(known);
    std::ranges::stable_sort(errors, std::greater{}, &BatchError::count);
}

bool accepts_work(const Batch& batch)
{
    return batch.state == BatchState::open || batch.state == BatchState::sealed;
}

void drop_follow_up(Batch& batch)
{
    if (batch.then && batch.then->state != FollowUp::State::started) batch.then->state = FollowUp::State::dropped;
}

// Items that wait are ended from the beginning on; those that run are asked to stop.
void begin_ending(Batch& batch, BatchState ends_as, std::string why)
{
    batch.state = BatchState::ending;
    batch.ends_as = ends_as;
    batch.why = std::move(why);
    batch.seal_by.reset();
    batch.cursor = batch.counts.queued + batch.counts.running > 0 ? batch_cursor_start : 0;
    if (ends_as != BatchState::failed) drop_follow_up(batch);
}

// Why the failures are too many, in words; empty: they are not.
std::string too_many_failures(const Batch& batch)
{
    const BatchCounts& counts = batch.counts;
    switch (batch.policy.rule) {
    case FailureRule::continue_: return {};
    case FailureRule::fail_fast: return counts.failed > 0 ? "an item failed, and the batch is to end then" : "";
    case FailureRule::threshold:
        if (batch.policy.failures > 0) {
            if (counts.failed <= batch.policy.failures) return {};
            return fmt::format("more than {} items failed", batch.policy.failures);
        }
        // A share is known when all items are.
        if (batch.state != BatchState::sealed || counts.failed * 100 <= counts.total * batch.policy.percent) return {};
        return fmt::format("more than {} % of the items failed", batch.policy.percent);
    }
    std::unreachable();
}

// While a retry sets items back, the failures of the last generation are not told from those of this one.
void apply_policy(Batch& batch)
{
    if (!accepts_work(batch) || batch.cursor != 0) return;
    if (std::string why = too_many_failures(batch); !why.empty())
        begin_ending(batch, BatchState::failed, std::move(why));
}

BatchState end_by_counts(const BatchCounts& counts)
{
    if (counts.succeeded == counts.total) return BatchState::succeeded;
    if (counts.succeeded > 0) return BatchState::partial;
    return counts.failed > 0 ? BatchState::failed : BatchState::cancelled;
}

// Nothing follows a cancel, of the batch or of all its items; a follow-up over the successes waits on when there are
// none. A retry may bring some in either case.
void offer_follow_up(Batch& batch)
{
    if (!batch.then || batch.then->state != FollowUp::State::waiting) return;
    if (batch.state == BatchState::cancelled || batch.state == BatchState::aborted) return;
    if (batch.then->per_succeeded && batch.counts.succeeded == 0) return;
    batch.then->state = FollowUp::State::available;
}

// The counters of an ended batch change with an adoption only; its generation tells them from the former ones.
void note_adoption(Batch& batch)
{
    ++batch.generation;
    if (!is_terminal(batch.state)) return;
    const bool by_counts = batch.state != BatchState::cancelled && batch.state != BatchState::aborted;
    if (by_counts && batch.why.empty()) batch.state = end_by_counts(batch.counts);
    offer_follow_up(batch);
}

void open_generation(Batch& batch, WallTime now)
{
    ++batch.generation;
    batch.state = BatchState::sealed;
    batch.ends_as = BatchState::ending;
    batch.why.clear();
    batch.sealed_at = batch.sealed_at.value_or(now);
    batch.began_at.reset();
    batch.finished_at.reset();
    if (batch.driver == BatchDriver::caller) batch.called_at = now;
    if (batch.then && batch.then->state == FollowUp::State::available) batch.then->state = FollowUp::State::waiting;
}

} // namespace

Batch item_moved(Batch batch, const Job* before, const Job& after, WallTime now)
{
    const bool adopted = before != nullptr && is_terminal(before->state) && after.state == JobState::succeeded &&
                         before->state != JobState::succeeded;
    const bool moved = before == nullptr || before->state != after.state || before->gated != after.gated;
    FRESHET_ASSERT(!is_terminal(batch.state) || adopted || !moved);
    if (!moved) return batch;

    if (before == nullptr) {
        ++batch.counts.total;
    } else {
        --counter(batch.counts, before->state);
        batch.gated -= at_gate(*before) ? 1 : 0;
        batch.released -= past_gate(*before) ? 1 : 0;
        if (before->state == JobState::failed && before->error) take_error(batch.errors, before->error->code);
    }
    ++counter(batch.counts, after.state);
    batch.gated += at_gate(after) ? 1 : 0;
    batch.released += past_gate(after) ? 1 : 0;
    if (after.state == JobState::running && !batch.began_at) batch.began_at = now;
    if (adopted) note_adoption(batch);
    if (after.state == JobState::failed && (before == nullptr || before->state != JobState::failed)) {
        if (after.error) add_error(batch.errors, *after.error);
        if (after.error && after.error->code == "reset") drop_follow_up(batch);
        apply_policy(batch);
    }
    return batch;
}

Batch settled(Batch batch, WallTime now)
{
    if (is_terminal(batch.state) || batch.state == BatchState::open) return batch;
    const bool ending = batch.state == BatchState::ending;
    // An item that came back from its worker is ended like those that never went out.
    if (ending && batch.counts.queued > 0 && batch.cursor == 0) batch.cursor = batch_cursor_start;
    if (batch.counts.done() < batch.counts.total || (!ending && batch.cursor != 0)) return batch;
    batch.state = ending ? batch.ends_as : end_by_counts(batch.counts);
    batch.ends_as = BatchState::ending;
    batch.finished_at = now;
    batch.cursor = 0;
    offer_follow_up(batch);
    return batch;
}

ChangedBatch seal(Batch batch, WallTime now)
{
    if (batch.sealed_at || is_being_filled(batch)) return batch;
    if (batch.state != BatchState::open) return std::unexpected(Refusal::batch_over);
    batch.state = BatchState::sealed;
    batch.sealed_at = now;
    batch.seal_by.reset();
    apply_policy(batch);
    return settled(std::move(batch), now);
}

Batch filled(Batch batch, WallTime now)
{
    if (!is_being_filled(batch)) return batch;
    batch.seal_by = now; // from here on it is a batch like any other
    return seal(std::move(batch), now).value();
}

ChangedBatch cancel(Batch batch, WallTime now)
{
    if (is_terminal(batch.state)) return std::unexpected(Refusal::already_over);
    if (batch.state == BatchState::ending && batch.ends_as == BatchState::cancelled) return batch;
    begin_ending(batch, BatchState::cancelled, {});
    return settled(std::move(batch), now);
}

ChangedBatch abort(Batch batch, std::string why, WallTime now)
{
    if (is_terminal(batch.state)) return std::unexpected(Refusal::already_over);
    if (batch.state == BatchState::ending) return batch; // it ends already, for a reason of its own
    begin_ending(batch, BatchState::aborted, std::move(why));
    return settled(std::move(batch), now);
}

ChangedBatch retry_failed(Batch batch, std::optional<int> generation, WallTime now)
{
    // Told before its being live: who names a generation that was retried wants to hear that it was.
    if (generation && *generation != batch.generation) return std::unexpected(Refusal::generation_changed);
    if (!is_terminal(batch.state) || batch.cursor != 0) return std::unexpected(Refusal::batch_live);
    if (batch.counts.failed + batch.counts.cancelled == 0) return std::unexpected(Refusal::already_over);
    open_generation(batch, now);
    batch.cursor = batch_cursor_start;
    return batch;
}

ChangedBatch reopened(Batch batch, WallTime now)
{
    if (!is_terminal(batch.state) || batch.cursor != 0) return std::unexpected(Refusal::batch_live);
    open_generation(batch, now);
    return batch;
}

Batch items_set_back(Batch batch, WallTime now)
{
    FRESHET_ASSERT(batch.state == BatchState::sealed);
    batch.cursor = 0;
    apply_policy(batch);
    return settled(std::move(batch), now);
}

std::optional<Refusal> refuse_items(const Batch& batch)
{
    if (is_terminal(batch.state) || batch.state == BatchState::ending) return Refusal::batch_over;
    if (batch.state == BatchState::sealed || is_being_filled(batch)) return Refusal::batch_sealed;
    return std::nullopt;
}

bool is_being_filled(const Batch& batch)
{
    return batch.state == BatchState::open && !batch.seal_by;
}

bool is_driven(const Batch& batch)
{
    return batch.driver == BatchDriver::caller && batch.called_at.has_value();
}

bool gates_next(const Batch& batch)
{
    return is_driven(batch) || (batch.concurrency > 0 && batch.released >= batch.concurrency);
}

std::int64_t gates_to_lift(const Batch& batch)
{
    if (!accepts_work(batch) || is_driven(batch)) return 0;
    if (batch.concurrency == 0) return batch.gated;
    return std::clamp<std::int64_t>(batch.concurrency - batch.released, 0, batch.gated);
}

std::expected<NextItem, Refusal> next_item(const Batch& batch)
{
    const BatchState word = batch.state == BatchState::ending ? batch.ends_as : batch.state;
    if (is_terminal(batch.state) || batch.driver == BatchDriver::caller) {
        if (word == BatchState::cancelled || word == BatchState::aborted) return NextItem::job_cancelled;
        if (is_terminal(batch.state)) return NextItem::job_completed;
        return accepts_work(batch) && batch.gated > 0 ? NextItem::release : NextItem::no_items;
    }
    return std::unexpected(Refusal::not_caller_driven);
}

Batch driver_called(Batch batch, WallTime now)
{
    batch.called_at = now;
    return batch;
}

std::expected<StartThen, Refusal> start_then(const Batch& batch)
{
    if (!batch.then) return std::unexpected(Refusal::bad_request);
    switch (batch.then->state) {
    case FollowUp::State::started: return StartThen::started_before;
    case FollowUp::State::dropped: return std::unexpected(Refusal::batch_over);
    case FollowUp::State::waiting:
        return std::unexpected(is_terminal(batch.state) ? Refusal::bad_request : Refusal::batch_live);
    case FollowUp::State::available: return StartThen::start;
    }
    std::unreachable();
}

bool starts_by_itself(const Batch& batch)
{
    return batch.then && batch.then->start == FollowUp::Start::auto_ && batch.then->state == FollowUp::State::available;
}

Batch timer_ended(Batch batch, WallTime now)
{
    if (batch.state == BatchState::open && batch.seal_by && *batch.seal_by <= now) {
        std::string why = fmt::format("nobody sealed it within {} of its last items", to_text(batch_seal_within));
        return abort(std::move(batch), std::move(why), now).value();
    }
    if (accepts_work(batch) && is_driven(batch) && batch.gated > 0 && *batch.called_at + batch_driver_left_after <= now)
        batch.called_at.reset();
    return batch;
}

std::optional<WallTime> next_timer(const Batch& batch)
{
    if (batch.cursor != 0 || gates_to_lift(batch) > 0) return batch.requested_at;
    std::optional<WallTime> at;
    if (batch.state == BatchState::open) at = batch.seal_by;
    if (accepts_work(batch) && is_driven(batch) && batch.gated > 0) {
        const WallTime left = *batch.called_at + batch_driver_left_after;
        at = std::min(at.value_or(left), left);
    }
    return at;
}

int percent_of(const Batch& batch)
{
    if (is_terminal(batch.state)) return 100;
    if (batch.counts.total == 0) return 0;
    return static_cast<int>(std::min<std::int64_t>(batch.counts.done() * 100 / batch.counts.total, 99));
}

} // namespace freshet
