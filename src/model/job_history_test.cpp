// SPDX-License-Identifier: Apache-2.0
// Random histories of one job: whatever is asked of it, in whatever order and with whatever fence, the invariants of
// docs/design/jobs.md that a single job can show hold after each step (F3, F7).
#include "model/job.hpp"

#include <gtest/gtest.h>
#include <map>
#include <rapidcheck/gtest.h>
#include <tuple>
#include <vector>

namespace freshet {
namespace {

enum class Step : std::uint8_t {
    claim,
    beat,
    complete,
    hold,
    fail,
    release,
    lease_ended,
    run_limit_ended,
    cancel,
    expire,
    retry,
    adopt,
    ask,
    time_passes,
};

const QueuePolicy policy{.lease = 30s,
                         .retry = {.attempts = 3, .wait = 2s, .max_wait = 1min},
                         .run_limit = 5min,
                         .cancel_grace = 20s,
                         .on_lost_retry = true,
                         .lost_max = 3,
                         .rate_limited_max = 4,
                         .released_max = 4};

// A job, the ledger beside it, and what was seen of both so far.
class History {
public:
    History()
    {
        job_.id = JobId{77};
        job_.requested_at = job_.due_at = now_;
    }

    // `a` and `b` choose among what the step leaves open.
    void go(Step step, int a, int b)
    {
        ++head_; // other things happen too
        if (step == Step::time_passes) {
            now_ += Millis{a * 1000 + b};
        } else if (step == Step::ask) {
            // As decide_ask() attaches: what waits is told of the head, what runs is joined only if it is newer.
            if (job_.state == JobState::queued) job_.asked = head_;
        } else if (auto changed = attempt(step, a, b)) {
            check(step, *changed);
            job_ = std::move(*changed);
        }
        check_now();
    }

private:
    Changed attempt(Step step, int a, int b)
    {
        // Mostly the fence that counts, sometimes another one: older, or never given.
        const Seq fence = a % 4 != 0 ? job_.fence : static_cast<Seq>(b) % (head_ + 2);
        fence_ = fence;
        switch (step) {
        case Step::claim:
            if (job_.state == JobState::queued) now_ = std::max(now_, job_.due_at);
            return claim(job_, "w-1", ++head_, 1, policy, now_);
        case Step::beat: {
            Beat said{.fence = fence};
            if (a % 2 != 0) said.checkpoint = "page " + std::to_string(b);
            said.progress = Progress{};
            said.progress->done = b;
            return beat(job_, said, policy, now_);
        }
        case Step::complete: return complete(job_, fence, Outcome::updated, now_);
        case Step::hold: return hold(job_, fence, "less came", now_);
        case Step::fail: {
            const auto error_class = static_cast<ErrorClass>(b % 5);
            return fail(job_, fence, {{error_class, "bad", "it went badly"}, {}}, policy, now_);
        }
        case Step::release: return release(job_, fence, {.wait = Millis{b}}, policy, now_);
        case Step::lease_ended: return lease_ended(job_, policy, now_);
        case Step::run_limit_ended: return run_limit_ended(job_, policy, now_);
        case Step::cancel: return cancel(job_, now_);
        case Step::expire: return expire(job_, "expired", "too late", now_);
        case Step::retry: // as the tenant's head, or as a caller that forgot it
            return retry(job_, job_.generation, a % 2 != 0 ? head_ : 0, now_);
        case Step::adopt: return adopt(job_, Outcome::updated, now_);
        case Step::ask:
        case Step::time_passes: break;
        }
        return std::unexpected(Refusal::not_found);
    }

    void check(Step step, const Job& after)
    {
        const Job& before = job_;
        const bool claims = step == Step::claim;
        const bool answers = step == Step::complete || step == Step::hold;

        // Each fence is above all ever issued, and nothing but a claim gives one.
        if (claims) RC_ASSERT(after.fence > highest_fence_);
        if (!claims) RC_ASSERT(after.fence == before.fence);
        highest_fence_ = std::max(highest_fence_, after.fence);
        RC_ASSERT(after.attempt == (claims ? before.attempt + 1 : step == Step::retry ? 0 : before.attempt));
        RC_ASSERT(after.generation == before.generation + (step == Step::retry ? 1 : 0));

        // Terminal states change only by a person's act.
        if (is_terminal(before.state)) RC_ASSERT(step == Step::retry || step == Step::adopt);
        if (before.state == JobState::cancelled) RC_ASSERT(step == Step::retry);
        if (before.state == JobState::succeeded) RC_FAIL("a success never changes");

        // No edge from cancel_requested back to queued.
        if (before.state == JobState::running && before.cancel_requested_at) RC_ASSERT(after.state != JobState::queued);
        if (before.state == JobState::running && before.cancel_requested_at && after.state == JobState::succeeded)
            RC_ASSERT(after.finished_before_cancel);

        // At most one accepted answer per generation, and only of the last hand-out in that generation.
        if (answers) {
            RC_ASSERT(++answers_[before.generation] == 1);
            RC_ASSERT(fence_ == highest_fence_);
            RC_ASSERT(claimed_in_ == before.generation);
            RC_ASSERT(before.state == JobState::running || left_by_ == Step::lease_ended); // rows 4 and 4b
            RC_ASSERT(after.data_fence > after.asked);                                     // F3
        }
        // Who worked says so with the fence, or is not heard.
        if (step == Step::beat || step == Step::fail || step == Step::release || answers)
            RC_ASSERT(fence_ == before.fence);

        if (claims) claimed_in_ = after.generation;
        if (before.state == JobState::running && after.state != JobState::running) left_by_ = step;
        // Data under a checkpoint is as old as the first hand-out that wrote it; without one it is read anew.
        if (claims) RC_ASSERT(after.data_fence == after.fence || !after.checkpoint.empty());
        if (claims) RC_ASSERT(after.data_fence > after.asked);
    }

    void check_now() const
    {
        const bool running = job_.state == JobState::running, over = is_terminal(job_.state);
        RC_ASSERT(running == job_.lease_until.has_value());
        RC_ASSERT(over == job_.finished_at.has_value());
        RC_ASSERT(over == job_.outcome.has_value());
        RC_ASSERT(job_.data_fence <= job_.fence);
        if (job_.state == JobState::queued) RC_ASSERT(!job_.cancel_requested_at);
        if (job_.state == JobState::failed) RC_ASSERT(job_.error.has_value());
        if (job_.state == JobState::succeeded) RC_ASSERT(!job_.error.has_value());
        // F7: whatever runs is looked at again by its limit, also if nobody speaks.
        if (running) RC_ASSERT(next_timer(job_, policy) <= *job_.began_at + policy.run_limit);
        // Budgets: spent at most whole, and never whole while alive.
        const int alive = over ? 0 : 1;
        RC_ASSERT(job_.failed + alive <= policy.retry.attempts);
        RC_ASSERT(job_.lost + alive <= policy.lost_max);
        RC_ASSERT(job_.rate_limited + alive <= policy.rate_limited_max);
        RC_ASSERT(job_.released + alive <= policy.released_max);
    }

    Job job_;
    WallTime now_ = from_ms(1'790'000'000'000);
    Seq head_ = 3, highest_fence_ = 0;
    Seq fence_ = 0; ///< that the step at hand names
    int claimed_in_ = 0;
    Step left_by_ = Step::claim; ///< the last exit from running
    std::map<int, int> answers_; ///< accepted, by generation
};

RC_GTEST_PROP(JobHistory, F3F7KeepsTheInvariantsWhateverIsAskedOfIt, ())
{
    // Ends are rare and hand-outs common, so that histories are long enough to spend their budgets.
    const auto step = rc::gen::weightedElement<Step>({{16, Step::claim},
                                                      {3, Step::beat},
                                                      {2, Step::complete},
                                                      {1, Step::hold},
                                                      {4, Step::fail},
                                                      {4, Step::release},
                                                      {5, Step::lease_ended},
                                                      {1, Step::run_limit_ended},
                                                      {1, Step::cancel},
                                                      {1, Step::expire},
                                                      {3, Step::retry},
                                                      {1, Step::adopt},
                                                      {2, Step::ask},
                                                      {2, Step::time_passes}});
    const auto turns = *rc::gen::scale(5.0, rc::gen::container<std::vector<std::tuple<Step, int, int>>>(rc::gen::tuple(
                                                step, rc::gen::inRange(0, 60), rc::gen::inRange(0, 1000))));
    History history;
    for (const auto& [what, a, b] : turns) history.go(what, a, b);
}

} // namespace
} // namespace freshet
