// SPDX-License-Identifier: Apache-2.0
// What every store does with jobs: gives them back whole, hands them out in order, finds and lists them.
#include "stores.hpp"

#include <gmock/gmock.h>

namespace freshet::contract {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

class Jobs : public JobContract {};
FRESHET_CONTRACT(Jobs);

/// Each field has a value of its own, so that two columns that were swapped show.
Job a_full_job()
{
    Job job;
    job.id = JobId{1}, job.kind = JobKind::refresh, job.tenant = "acme", job.queue = "prices", job.key = "prices/eu";
    job.input = std::string{"{\"n\":\0 2}", 9}, job.priority = 3, job.state = JobState::failed,
    job.trigger = Trigger::purge;
    job.behind = JobId{4}, job.superseded_by = JobId{5}, job.requested_at = t0 + 6ms, job.requested_by = "7";
    job.due_at = t0 + 8ms, job.began_at = t0 + 9ms, job.finished_at = t0 + 10ms, job.deadline_at = t0 + 11ms;
    job.generation = 12, job.attempt = 13, job.failed = 14, job.lost = 15, job.rate_limited = 16, job.released = 17;
    job.asked = 18, job.fence = 19, job.data_fence = 20, job.worker = "21", job.lease_until = t0 + 22ms;
    job.beat_at = t0 + 23ms, job.progress_at = t0 + 24ms, job.cancel_requested_at = t0 + 25ms, job.checkpoint = "26";
    job.progress = {27, "28", 29, 30, 31, 32, "33", "34"}, job.callers = 35, job.definition = 0xffff'ffff'ffff'ff36ULL;
    job.took_p50 = 37ms, job.took_p90 = 38ms, job.took_p95 = 39ms, job.outcome = Outcome::failed, job.forced = true;
    job.finished_before_cancel = true, job.error = ErrorInfo{ErrorClass::lost, "40", "41"}, job.receipt = "42";
    job.seq = 43;
    job.label = "44", job.start_by = t0 + 45ms, job.attempts_max = 46, job.wait_reason = "47",
    job.checkpoint_fence = 48;
    job.unique = UniqueTerms{"49", UniqueScope::debounce, UniqueConflict::reject, 50ms, 51ms, 52ms};
    job.gated = true, job.tags = {"53", "54"}, job.result = "55", job.result_payload = 1'000'056, job.result_bytes = 57;
    job.late = LateResult{58, "59", "60", t0 + 61ms};
    return job;
}

TEST_P(Jobs, GivesAJobBackAsItWas)
{
    const Job full = a_full_job(), bare = a_job(2);
    put({full, bare});
    reopen();
    EXPECT_EQ(store().reader()->job(JobId{1}), full);
    EXPECT_EQ(store().reader()->job(JobId{2}), bare);
    EXPECT_EQ(store().reader()->job(JobId{3}), std::nullopt);
    EXPECT_EQ(store().begin()->last_job_id(), JobId{2});
}

TEST_P(Jobs, ReplacesAllOfAJobButWhatItIs)
{
    Job bare = a_refresh(1, "prices/eu");
    bare.tags = {"53", "54"};
    put({bare});
    put({a_full_job()});
    EXPECT_EQ(store().reader()->job(JobId{1}), a_full_job());
    put({bare});
    EXPECT_EQ(store().reader()->job(JobId{1}), bare);
    for (const auto& change : std::vector<std::function<void(Job&)>>{
             [](Job& job) { job.tenant = "globex"; }, [](Job& job) { job.queue = "stocks"; },
             [](Job& job) { job.key = "prices/us"; }, [](Job& job) { job.kind = JobKind::item; },
             [](Job& job) { job.batch = BatchId{9}; }, [](Job& job) { job.item = "i"; }}) {
        Job moved = bare;
        change(moved);
        const auto dead = store().begin();
        EXPECT_THROW(dead->put_job(moved, {}), StoreFailure);
        EXPECT_THROW(dead->commit(), StoreFailure);
    }
}

TEST_P(Jobs, HandsOutByPriorityThenDueTimeThenAge)
{
    Job low = a_job(1), high = a_job(2), early = a_job(3), later = a_job(4), future = a_job(5), behind = a_job(6);
    low.priority = 0;
    high.priority = 3;
    early.due_at = t0 - 1s;
    future.due_at = t0 + 1ms;
    future.priority = 3;
    behind.behind = JobId{1};
    put({low, high, later, early, future, behind, a_job(7, "stocks"), running(a_job(8)), ended(a_job(9), t0)});
    const auto t = store().begin();
    EXPECT_THAT(ids(t->claimable("prices", "acme", t0, 10)), ElementsAre(2, 3, 4, 1));
    EXPECT_THAT(ids(t->claimable("prices", "acme", t0, 2)), ElementsAre(2, 3));
    EXPECT_THAT(ids(t->claimable("prices", "acme", t0 + 1ms, 2)), ElementsAre(2, 5));
    EXPECT_THAT(ids(t->claimable("stocks", "acme", t0, 10)), ElementsAre(7));
    EXPECT_THAT(ids(t->claimable("nothing", "acme", t0, 10)), IsEmpty());
}

TEST_P(Jobs, SeesInATransactionWhatThatWrote)
{
    commit([](Transaction& t) {
        t.put_job(a_job(1), {});
        ASSERT_THAT(ids(t.claimable("prices", "acme", t0, 10)), ElementsAre(1));
        t.put_job(running(a_job(1)), t0 + 30s);
        EXPECT_THAT(t.claimable("prices", "acme", t0, 10), IsEmpty());
        EXPECT_THAT(ids(t.timers_due(t0 + 30s, 10)), ElementsAre(1));
    });
}

TEST_P(Jobs, NamesTheQueuesThatHaveWorkAndTheNextInstantThatMatters)
{
    Job future = a_job(1, "later"), behind = a_job(2, "gated"), due = a_job(3, "zeta");
    future.due_at = t0 + 5s;
    behind.behind = JobId{1};
    due.priority = 0;
    put({future, behind, due, a_job(4, "alpha"), ended(a_job(5, "over"), t0)});
    put({running(a_job(6, "busy"))}, t0 + 3s);
    put({running(a_job(7, "busy"))});
    const auto t = store().begin();
    EXPECT_THAT(t->ready_queues(t0), ElementsAre("alpha", "zeta"));
    EXPECT_EQ(t->next_wake(t0), t0 + 3s);
    EXPECT_EQ(t->next_wake(t0 + 3s), t0 + 5s);
    EXPECT_THAT(t->ready_queues(t0 + 5s), ElementsAre("alpha", "later", "zeta"));
    EXPECT_EQ(t->next_wake(t0 + 5s), std::nullopt);
}

TEST_P(Jobs, FindsTimersThatRanOutEarliestFirst)
{
    put({running(a_job(1))}, t0 + 2s);
    put({running(a_job(2))}, t0 + 1s);
    put({running(a_job(3))}, t0 + 9s);
    put({a_job(4)}, t0 + 1500ms); // a deadline
    put({ended(a_job(5), t0)}, t0);
    const auto t = store().begin();
    EXPECT_THAT(ids(t->timers_due(t0 + 2s, 10)), ElementsAre(2, 4, 1));
    EXPECT_THAT(ids(t->timers_due(t0 + 2s, 1)), ElementsAre(2));
    EXPECT_THAT(t->timers_due(t0, 10), IsEmpty());
    EXPECT_EQ(t->next_wake(t0 + 1s), t0 + 1500ms);
}

TEST_P(Jobs, FindsRunningJobsByTheBeginningOfTheWorkersName)
{
    put({running(a_job(1), "builtin-old-1"), running(a_job(2), "builtin-new-1"), running(a_job(3, "stocks"), "w"),
         a_job(4)});
    const auto t = store().begin();
    EXPECT_THAT(ids(t->running_jobs("builtin-", 10)), ElementsAre(2, 1));
    EXPECT_THAT(ids(t->running_jobs("builtin-old", 10)), ElementsAre(1));
    EXPECT_THAT(ids(t->running_jobs("", 2)), ElementsAre(2, 1));
    EXPECT_THAT(t->running_counts(), ElementsAre(Pair("prices", 2), Pair("stocks", 1)));
}

TEST_P(Jobs, AllowsOneRunningAndOneQueuedRefreshPerKey) // F5
{
    put({running(a_refresh(1)), a_refresh(2), a_refresh(3, "other"), a_job(4), a_job(5)});
    for (const Job& second : {a_refresh(6), running(a_refresh(6))}) {
        const auto dead = store().begin();
        EXPECT_THROW(dead->put_job(second, {}), StoreFailure);
        EXPECT_THROW(dead->commit(), StoreFailure);
    }
    Job elsewhere = a_refresh(7);
    elsewhere.tenant = "globex";
    put({elsewhere, ended(a_refresh(1), t0), running(a_refresh(2)), a_refresh(8)});
    EXPECT_THAT(ids(store().reader()->live_jobs("acme", "prices")), ElementsAre(2, 8));
    EXPECT_THAT(ids(store().reader()->live_jobs("globex", "prices")), ElementsAre(7));
}

TEST_P(Jobs, ListsRunningBeforeQueuedJobsOfAKey)
{
    put({a_refresh(1), running(a_refresh(2))});
    EXPECT_THAT(ids(store().reader()->live_jobs("acme", "prices")), ElementsAre(2, 1));
}

TEST_P(Jobs, ListsJobsNewestFirstByAnyMixOfFilters)
{
    Job foreign = a_job(7);
    foreign.tenant = "globex";
    put({ended(a_refresh(1), t0), running(a_refresh(2)), a_refresh(3), a_job(4), a_job(5, "stocks"),
         ended(a_job(6), t0, JobState::failed), foreign});
    const auto reader = store().reader();
    const auto list = [&](JobFilter filter) {
        filter.tenant = "acme";
        return ids(reader->jobs(filter));
    };
    EXPECT_THAT(list({}), ElementsAre(6, 5, 4, 3, 2, 1));
    EXPECT_THAT(list({.limit = 2}), ElementsAre(6, 5));
    EXPECT_THAT(list({.before = JobId{5}, .limit = 2}), ElementsAre(4, 3));
    EXPECT_THAT(list({.state = JobState::queued}), ElementsAre(5, 4, 3));
    EXPECT_THAT(list({.state = JobState::queued, .queue = "prices"}), ElementsAre(4, 3));
    EXPECT_THAT(list({.state = JobState::failed, .queue = "prices"}), ElementsAre(6));
    EXPECT_THAT(list({.queue = "prices", .before = JobId{6}}), ElementsAre(4, 3, 2, 1));
    EXPECT_THAT(list({.limit = 2, .oldest_first = true}), ElementsAre(1, 2));
    EXPECT_THAT(list({.limit = 2, .after = JobId{2}, .oldest_first = true}), ElementsAre(3, 4));
    EXPECT_THAT(list({.before = JobId{5}, .after = JobId{2}}), ElementsAre(4, 3));
    EXPECT_THAT(list({.before = JobId{3}, .after = JobId{2}}), IsEmpty());
    EXPECT_THAT(list({.before = JobId{2}, .after = JobId{4}, .oldest_first = true}), IsEmpty());
    EXPECT_THAT(list({.key = "prices"}), ElementsAre(3, 2, 1));
    EXPECT_THAT(list({.state = JobState::running, .key = "prices"}), ElementsAre(2));
    EXPECT_THAT(list({.queue = "stocks", .key = "prices"}), IsEmpty());
}

TEST_P(Jobs, TellsTheKeysThatHaveLiveRefreshes)
{
    const auto refresh_of = [](std::int64_t id, const std::string& key, JobState state) {
        Job job = a_job(id);
        job.kind = JobKind::refresh, job.key = key, job.state = state;
        if (is_terminal(state)) job.finished_at = t0;
        return job;
    };
    put({refresh_of(1, "prices/eu", JobState::running), refresh_of(2, "prices/eu", JobState::queued),
         refresh_of(3, "prices/us", JobState::queued), refresh_of(4, "alerts", JobState::succeeded), a_job(5)});
    const auto t = store().begin();
    const auto keys = [&](const char* after, int limit) { return t->live_refresh_keys("acme", after, limit); };
    EXPECT_THAT(keys("", 10), ElementsAre("prices/eu", "prices/us"));
    EXPECT_THAT(keys("", 1), ElementsAre("prices/eu"));
    EXPECT_THAT(keys("prices/eu", 10), ElementsAre("prices/us"));
    EXPECT_THAT(t->live_refresh_keys("globex", "", 10), IsEmpty());
}

TEST_P(Jobs, HandsOutToOneTenantWhatIsItsOwn) // F9
{
    Job foreign = a_job(2), gated = a_job(3);
    foreign.tenant = "globex";
    gated.gated = true;
    put({a_job(1), foreign, gated});
    const auto t = store().begin();
    EXPECT_THAT(ids(t->claimable("prices", "acme", t0, 10)), ElementsAre(1));
    EXPECT_THAT(ids(t->claimable("prices", "globex", t0, 10)), ElementsAre(2));
    EXPECT_THAT(t->claimable("prices", "initech", t0, 10), IsEmpty());
}

TEST_P(Jobs, NamesTheTenantsThatHaveWorkInTurn)
{
    std::int64_t id = 0;
    for (const char* tenant : {"b", "d", "a", "c", "d"}) {
        Job job = a_job(++id);
        job.tenant = tenant;
        put({job});
    }
    Job later = a_job(++id), elsewhere = a_job(++id, "stocks");
    later.tenant = "e", later.due_at = t0 + 1s;
    elsewhere.tenant = "f";
    put({later, elsewhere});
    const auto t = store().begin();
    EXPECT_THAT(t->ready_tenants("prices", "", t0, 10), ElementsAre("a", "b", "c", "d"));
    EXPECT_THAT(t->ready_tenants("prices", "b", t0, 10), ElementsAre("c", "d", "a", "b"));
    EXPECT_THAT(t->ready_tenants("prices", "bb", t0, 3), ElementsAre("c", "d", "a"));
    EXPECT_THAT(t->ready_tenants("prices", "zz", t0, 1), ElementsAre("a"));
    EXPECT_THAT(t->ready_tenants("prices", "d", t0 + 1s, 2), ElementsAre("e", "a"));
    EXPECT_THAT(t->ready_tenants("nothing", "", t0, 10), IsEmpty());
}

TEST_P(Jobs, HandsOutInTheSameOrderWhatBecameDueLater)
{
    Job soon = a_job(1), retried = a_job(2), now = a_job(3);
    soon.due_at = t0 + 2s;
    retried.due_at = t0 + 1s, retried.priority = 2;
    put({soon, retried, now});
    EXPECT_EQ(store().begin()->next_wake(t0), t0 + 1s);
    commit([](Transaction& t) { EXPECT_THAT(ids(t.claimable("prices", "acme", t0 + 1s, 10)), ElementsAre(2, 3)); });
    reopen();
    const auto t = store().begin();
    EXPECT_EQ(t->next_wake(t0 + 1s), t0 + 2s);
    EXPECT_THAT(ids(t->claimable("prices", "acme", t0 + 2s, 10)), ElementsAre(2, 3, 1));
}

TEST_P(Jobs, AllowsOneRunningAndOneQueuedJobPerUniqueKeyOfAQueue)
{
    const auto unique = [](Job job) {
        job.unique = UniqueTerms{.key = "report"};
        return job;
    };
    Job other_queue = unique(a_job(3, "stocks")), other_tenant = unique(a_job(4)), other_key = unique(a_job(5));
    other_tenant.tenant = "globex";
    other_key.unique->key = "other";
    put({running(unique(a_job(1))), unique(a_job(2)), other_queue, other_tenant, other_key});
    for (const Job& second : {unique(a_job(6)), running(unique(a_job(6)))}) {
        const auto dead = store().begin();
        EXPECT_THROW(dead->put_job(second, {}), StoreFailure);
        EXPECT_THROW(dead->commit(), StoreFailure);
    }
    put({ended(unique(a_job(1)), t0), running(unique(a_job(2))), unique(a_job(6))});
    EXPECT_THAT(ids(store().begin()->holding("acme", "prices", "report")), ElementsAre(6, 2));
}

TEST_P(Jobs, KnowsWhoHoldsAUniqueKey)
{
    const auto unique = [](Job job, UniqueScope scope) {
        job.unique = UniqueTerms{.key = "report", .scope = scope};
        return job;
    };
    put({ended(unique(a_job(1), UniqueScope::window), t0), ended(unique(a_job(2), UniqueScope::live), t0),
         ended(unique(a_job(3), UniqueScope::window), t0, JobState::failed),
         running(unique(a_job(4), UniqueScope::queued))});
    const auto holding = [&] { return ids(store().begin()->holding("acme", "prices", "report")); };
    EXPECT_THAT(holding(), ElementsAre(1));
    put({unique(a_job(5), UniqueScope::queued)});
    EXPECT_THAT(holding(), ElementsAre(5, 1));
    for (std::int64_t id = 6; id < 10; ++id) put({ended(unique(a_job(id), UniqueScope::window), t0)});
    EXPECT_THAT(holding(), ElementsAre(9, 8, 7));
    EXPECT_THAT(store().begin()->holding("acme", "prices", ""), IsEmpty());
    EXPECT_THAT(store().begin()->holding("globex", "prices", "report"), IsEmpty());
}

TEST_P(Jobs, ListsJobsByTagAndKind)
{
    Job tagged = a_job(1), both = ended(a_job(2, "stocks"), t0), foreign = a_job(3);
    tagged.tags = {"nightly"}, both.tags = {"weekly", "nightly"}, foreign.tags = {"nightly"};
    foreign.tenant = "globex";
    put({tagged, both, foreign, a_refresh(4)});
    const auto list = [&](JobFilter filter) {
        filter.tenant = "acme";
        return ids(store().reader()->jobs(filter));
    };
    EXPECT_THAT(list({.tag = "nightly"}), ElementsAre(2, 1));
    EXPECT_THAT(list({.tag = "nightly", .limit = 1}), ElementsAre(2));
    EXPECT_THAT(list({.tag = "nightly", .before = JobId{2}}), ElementsAre(1));
    EXPECT_THAT(list({.queue = "stocks", .tag = "nightly"}), ElementsAre(2));
    EXPECT_THAT(list({.state = JobState::queued, .tag = "nightly"}), ElementsAre(1));
    EXPECT_THAT(list({.tag = "night"}), IsEmpty());
    EXPECT_THAT(list({.kind = JobKind::refresh}), ElementsAre(4));
    EXPECT_THAT(list({.kind = JobKind::task}), ElementsAre(2, 1));
    EXPECT_THAT(list({.queue = "prices", .kind = JobKind::task}), ElementsAre(1));
}

} // namespace
} // namespace freshet::contract
