// SPDX-License-Identifier: Apache-2.0
// Random sequences of transactions on the memory twin and on SQLite: each answer and each state must be the same.
#include "describe.hpp"
#include "stores.hpp"

#include <rapidcheck.h>

#include <sstream>

namespace freshet::contract {
namespace {

const std::vector<std::string> tenants{"acme", "globex"};
const std::vector<std::string> key_texts{"prices", "prices/eu", "stocks"};
const std::vector<std::string> queues{"prices", "stocks"};

template <class T>
const T& pick(const std::vector<T>& from, int n)
{
    return from[static_cast<std::size_t>(n) % from.size()];
}

/// One call, its arguments drawn from four small numbers; `answer` is what it said.
struct Call {
    int what = 0, a = 0, b = 0, c = 0;
};

void put_key(Transaction& t, const Call& call)
{
    KeyRecord key = a_key(pick(key_texts, call.b), pick(tenants, call.a));
    if (const auto before = t.key(key.tenant, key.key)) key = *before;
    ++key.gen;
    if (call.c % 2 == 0) key.next_at = t0 + std::chrono::seconds{call.c};
    if (call.c % 3 == 0)
        key.held = HeldResult{.payload = t.put_payload("held " + std::to_string(call.c))};
    else
        key.held.reset();
    if (call.c % 5 == 0) key.payload = 0;
    t.put_key(key);
}

void publish(Transaction& t, const Call& call)
{
    KeyRecord key = a_key(pick(key_texts, call.b), pick(tenants, call.a));
    if (const auto before = t.key(key.tenant, key.key)) key = *before;
    key.payload = t.put_payload(std::string(static_cast<std::size_t>(call.c) * 100, 'p'));
    ++key.ver;
    t.put_version(key.tenant, key.key, a_version(key.ver, key.payload));
    if (key.ver > 3) t.drop_version(key.tenant, key.key, key.ver - 3);
    t.put_key(key);
}

/// Ids 1 to 40; what a job is follows from its id. A put that would make a second live refresh is left out.
void put_job(Transaction& t, const Call& call)
{
    const int id = 1 + call.a % 40;
    Job job = id % 3 == 0 ? a_job(id, pick(queues, id)) : a_refresh(id, pick(key_texts, id));
    job.tenant = pick(tenants, id / 2);
    job.state = static_cast<JobState>(call.b % 5);
    job.priority = call.c % 4;
    job.due_at = t0 + std::chrono::seconds{call.c};
    if (call.c % 7 == 0) job.behind = JobId{1};
    if (job.state == JobState::running) job.worker = call.c % 2 == 0 ? "builtin-1" : "w2";
    if (is_terminal(job.state)) job.finished_at = t0 + std::chrono::seconds{call.c};
    for (const Job& other : t.live_jobs(job.tenant, job.key))
        if (job.kind == JobKind::refresh && other.id != job.id && other.state == job.state) return;
    std::optional<WallTime> timer_at;
    if (job.state == JobState::running && call.c % 3 != 0) timer_at = t0 + std::chrono::seconds{call.c};
    t.put_job(job, timer_at);
    t.put_attempt({job.id, 1, call.b, Seq(call.c), "w", t0, {}, static_cast<AttemptEnd>(call.b % 7), {}});
}

std::string join(const std::vector<Job>& jobs)
{
    std::string out;
    for (const std::int64_t id : ids(jobs)) out += std::to_string(id) + " ";
    return out;
}

std::string ask(Transaction& t, const Call& call)
{
    const WallTime now = t0 + std::chrono::seconds{call.c};
    const int limit = 1 + call.b % 9;
    std::string out = join(t.claimable(pick(queues, call.a), now, limit)) + "| " + join(t.timers_due(now, limit)) +
                      "| " + join(t.running_jobs(call.a % 2 == 0 ? "builtin-" : "", limit)) + "| " +
                      text(t.next_wake(now));
    for (const std::string& queue : t.ready_queues(now)) out += " ready " + queue;
    for (const auto& [queue, count] : t.running_counts()) out += fmt::format(" running {} {}", queue, count);
    for (const KeyRecord& key : t.keys_due(now, limit)) out += " due " + key.tenant + key.key;
    for (const JobId id : t.ended_jobs(now, limit)) out += fmt::format(" ended {}", id.value);
    JobFilter filter{.tenant = pick(tenants, call.a), .limit = limit};
    if (call.b % 2 == 0) filter.state = static_cast<JobState>(call.c % 5);
    if (call.b % 3 == 0) filter.queue = pick(queues, call.c);
    if (call.b % 5 == 0) filter.key = pick(key_texts, call.c);
    if (call.b % 7 == 0) filter.before = JobId{1 + call.c % 40};
    return out + " | " + join(t.jobs(filter));
}

std::string run(Transaction& t, const Call& call)
{
    const std::string& tenant = pick(tenants, call.a);
    switch (call.what) {
    case 0:
        return std::to_string(t.append(tenant, an_event(std::string(static_cast<std::size_t>(call.b), 'e')),
                                       t0 + std::chrono::seconds{call.c}));
    case 1: put_key(t, call); return "";
    case 2: publish(t, call); return "";
    case 3:
    case 4: put_job(t, call); return "";
    case 5: t.trim_ledger(tenant, t0 + std::chrono::seconds{call.b}, call.c * 50); return "";
    case 6: t.drop_job(JobId{1 + call.a % 40}); return "";
    case 7:
        return std::to_string(
            t.put_fire({tenant, pick(key_texts, call.b), t0 + Millis{call.c % 4}, t0, "ran", "", {}}));
    default: return ask(t, call);
    }
}

rc::Gen<Call> a_call()
{
    return rc::gen::build<Call>(
        rc::gen::set(&Call::what, rc::gen::inRange(0, 9)), rc::gen::set(&Call::a, rc::gen::inRange(0, 240)),
        rc::gen::set(&Call::b, rc::gen::inRange(0, 60)), rc::gen::set(&Call::c, rc::gen::inRange(0, 60)));
}

std::string run_all(Store& store, const std::vector<Call>& calls, bool keep)
{
    std::string said;
    const auto t = store.begin();
    for (const Call& call : calls) said += run(*t, call) + "\n";
    said += describe(*t, tenants);
    if (keep) t->commit();
    return said;
}

TEST(RandomTransactions, LeaveMemoryAndSqliteInTheSameState)
{
    const bool held = rc::check("memory and sqlite agree", [] {
        MemoryWorld memory;
        SqliteWorld sqlite{Synchronous::off}; // the disk is not what is looked at here
        const int transactions = *rc::gen::inRange(1, 12);
        for (int i = 0; i < transactions; ++i) {
            const auto calls = *rc::gen::container<std::vector<Call>>(a_call());
            const bool keep = *rc::gen::inRange(0, 4) != 0;
            RC_ASSERT(run_all(memory.store(), calls, keep) == run_all(sqlite.store(), calls, keep));
            if (*rc::gen::inRange(0, 8) == 0) memory.reopen(), sqlite.reopen();
            RC_ASSERT(describe(*memory.store().reader(), tenants) == describe(*sqlite.store().reader(), tenants));
        }
    });
    EXPECT_TRUE(held);
}

} // namespace
} // namespace freshet::contract
