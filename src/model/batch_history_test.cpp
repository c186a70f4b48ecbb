// SPDX-License-Identifier: Apache-2.0
// Random histories of one batch and its items, changed by people, workers and the server's timer in whatever order: the
// invariants of docs/design/jobs.md that a batch can show hold after each step (F6).
#include "model/batch.hpp"

#include "model/batch_samples.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <tuple>
#include <vector>

namespace freshet {
namespace {

enum class Step : std::uint8_t {
    add,
    claim,
    succeed,
    fail,
    lose,
    cancel_item,
    retry_item,
    adopt_item,
    seal,
    cancel,
    retry_failed,
    go_on,
    call_next,
    time_passes,
};

class History : public sample::BatchWorld {
public:
    explicit History(Batch given) : BatchWorld{std::move(given)} {}

    void go(Step step, std::size_t pick)
    {
        before_ = batch;
        step_ = step;
        Job* one = items.empty() ? nullptr : &items[pick % items.size()];
        switch (step) {
        case Step::add:
            if (!refuse_items(batch) && items.size() < 30) add(static_cast<int>(pick % 4) + 1);
            break;
        case Step::seal: take(seal(batch, now)); break;
        case Step::cancel: take(freshet::cancel(batch, now)); break;
        case Step::retry_failed: take(retry_failed(batch, batch.generation, now)); break;
        case Step::go_on: go_on(static_cast<int>(pick % 3) + 1); break;
        case Step::call_next: call_next(); break;
        case Step::time_passes:
            now += Millis{static_cast<std::int64_t>(pick) * 10'000};
            batch = timer_ended(batch, now);
            break;
        default:
            if (one != nullptr) move_item(step, *one);
        }
        settle();
        lift();
        settle();
        check();
    }

    /// What happens when faults stop and everybody does his part.
    void finish()
    {
        if (batch.state == BatchState::open) go(Step::time_passes, 100);
        for (int round = 0; round < 200 && !is_terminal(batch.state); ++round) {
            go(Step::go_on, 2);
            go(Step::call_next, 0);
            for (std::size_t i = 0; i < items.size(); ++i) go(Step::claim, i), go(Step::succeed, i);
        }
        RC_ASSERT(is_terminal(batch.state));
    }

private:
    void move_item(Step step, Job& job)
    {
        now = step == Step::claim && job.state == JobState::queued ? std::max(now, job.due_at) : now;
        switch (step) {
        case Step::claim:
            if (job.state == JobState::queued) run(job);
            break;
        case Step::succeed:
            if (job.state == JobState::running) succeed(job);
            break;
        case Step::fail:
            if (job.state == JobState::running)
                fail(job, job.attempt == 1 ? ErrorClass::retryable : ErrorClass::fatal, "code");
            break;
        case Step::lose:
            if (job.state == JobState::running) move(job, lease_ended(job, policy, now));
            break;
        case Step::cancel_item: move(job, freshet::cancel(job, now)); break;
        case Step::retry_item: {
            auto again = freshet::retry(job, {}, 0, now);
            auto opened = reopened(batch, now);
            if (!again || !opened) break;
            batch = std::move(*opened);
            again->gated = gates_next(batch);
            move(job, again);
            break;
        }
        case Step::adopt_item:
            if (job.fence != 0) move(job, keep_late(job, {job.fence, "w", "1", now}));
            move(job, adopt(job, Outcome::updated, now));
            break;
        default: break;
        }
    }

    // As the engine does it: a few items at a time, where the change stands.
    void go_on(int budget)
    {
        if (batch.cursor == 0) return;
        if (batch.state == BatchState::ending) {
            for (Job& job : items)
                if (!is_terminal(job.state) && !job.cancel_requested_at && budget-- > 0)
                    move(job, freshet::cancel(job, now));
            if (budget > 0) batch.cursor = 0;
        } else if (batch.state == BatchState::sealed) {
            for (std::size_t i = static_cast<std::size_t>(batch.cursor) - 1; i < items.size(); ++i) {
                if (budget-- == 0) return;
                batch.cursor = static_cast<std::int64_t>(i) + 2;
                auto again = freshet::retry(items[i], {}, 0, now);
                if (!again) continue;
                again->gated = gates_next(batch);
                move(items[i], again);
            }
            batch = items_set_back(batch, now);
        }
    }

    void call_next()
    {
        const auto word = next_item(batch);
        if (!word || *word != NextItem::release) return;
        batch = driver_called(batch, now);
        for (Job& job : items)
            if (job.state == JobState::queued && job.gated) return let_go(job);
        RC_FAIL("no item is left that could be released");
    }

    void check() const
    {
        const auto [counts, gated, past] = sample::counted(items);
        std::int64_t failed_by_code = 0;
        RC_ASSERT(batch.counts == counts);
        RC_ASSERT(batch.gated == gated);
        RC_ASSERT(batch.released == past);
        for (const BatchError& error : batch.errors) failed_by_code += error.count;
        RC_ASSERT(failed_by_code == counts.failed);

        // Terminal exactly when it is sealed or ending and every item is terminal; a retry sets its items back first.
        const bool setting_back = batch.state == BatchState::sealed && batch.cursor != 0;
        if (is_terminal(batch.state)) RC_ASSERT(counts.done() == counts.total);
        if (!is_terminal(batch.state) && batch.state != BatchState::open && !setting_back)
            RC_ASSERT(counts.done() < counts.total);
        RC_ASSERT(is_terminal(batch.state) == batch.finished_at.has_value());

        // What ended is never less within a generation, but while a retry sets items back.
        if (batch.generation == before_.generation && before_.cursor == 0) {
            RC_ASSERT(counts.succeeded >= before_.counts.succeeded);
            RC_ASSERT(counts.failed >= before_.counts.failed);
            RC_ASSERT(counts.cancelled >= before_.counts.cancelled);
            RC_ASSERT(percent_of(batch) >= percent_of(before_) || step_ == Step::add);
        }
        RC_ASSERT(batch.generation >= before_.generation);
        // An end is changed by a person's act alone.
        if (is_terminal(before_.state) && batch.state != before_.state)
            RC_ASSERT(step_ == Step::retry_failed || step_ == Step::retry_item || step_ == Step::adopt_item);
        // Cancelled wins.
        if (before_.state == BatchState::ending && before_.ends_as == BatchState::cancelled)
            RC_ASSERT(batch.state == BatchState::ending || batch.state == BatchState::cancelled);

        // Nothing waits for ever: live and with work left, somebody may claim, or the server looks again.
        const bool live = !is_terminal(batch.state);
        if (live && gated > 0 && past == 0) RC_ASSERT(next_timer(batch).has_value());
        if (batch.state == BatchState::ending && counts.queued > 0) RC_ASSERT(next_timer(batch) <= now);
        if (batch.state == BatchState::open) RC_ASSERT(next_timer(batch).has_value());
        if (batch.concurrency > 0 && batch.driver == BatchDriver::workers) RC_ASSERT(past <= batch.concurrency);

        if (batch.then) {
            using State = FollowUp::State;
            if (batch.then->state == State::available) RC_ASSERT(is_terminal(batch.state));
            if (batch.state == BatchState::cancelled && before_.state == BatchState::ending)
                RC_ASSERT(batch.then->state == State::dropped);
            if (before_.then->state == State::dropped) RC_ASSERT(batch.then->state == State::dropped);
        }
        RC_ASSERT(is_terminal(batch.state) == (percent_of(batch) == 100));
    }

    Batch before_;
    Step step_ = Step::add;
};

RC_GTEST_PROP(BatchHistory, F6KeepsTheInvariantsWhateverIsAskedOfIt, ())
{
    Batch given;
    given.driver = *rc::gen::element(BatchDriver::workers, BatchDriver::workers, BatchDriver::caller);
    given.concurrency = *rc::gen::element(0, 0, 1, 3);
    given.policy.rule = *rc::gen::element(FailureRule::continue_, FailureRule::continue_, FailureRule::fail_fast,
                                          FailureRule::threshold);
    given.policy.failures = *rc::gen::element(0, 2);
    given.policy.percent = 40;
    if (*rc::gen::arbitrary<bool>()) {
        given.then = FollowUp{.label = "next", .queue = "q"};
        given.then->per_succeeded = *rc::gen::arbitrary<bool>();
    }
    const auto step = rc::gen::weightedElement<Step>({{6, Step::add},
                                                      {10, Step::claim},
                                                      {8, Step::succeed},
                                                      {6, Step::fail},
                                                      {2, Step::lose},
                                                      {1, Step::cancel_item},
                                                      {1, Step::retry_item},
                                                      {1, Step::adopt_item},
                                                      {2, Step::seal},
                                                      {1, Step::cancel},
                                                      {3, Step::retry_failed},
                                                      {4, Step::go_on},
                                                      {4, Step::call_next},
                                                      {2, Step::time_passes}});
    const auto turns = *rc::gen::scale(
        4.0, rc::gen::container<std::vector<std::tuple<Step, int>>>(rc::gen::tuple(step, rc::gen::inRange(0, 100))));
    History history{given};
    for (const auto& [what, pick] : turns) history.go(what, static_cast<std::size_t>(pick));
    history.finish();
}

} // namespace
} // namespace freshet
