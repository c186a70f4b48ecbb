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

/// Ids 1 to 40; what a job is follows from its id. A put that would take another live job's place is left out.
void put_job(Transaction& t, const Call& call)
{
    const int id = 1 + call.a % 40;
    Job job = id % 3 == 1 ? a_refresh(id, pick(key_texts, id)) : a_job(id, pick(queues, id));
    job.tenant = pick(tenants, id / 2);
    job.state = static_cast<JobState>(call.b % 5);
    job.priority = call.c % 4;
    job.input = std::string(static_cast<std::size_t>(call.c), 'i');
    job.due_at = t0 + std::chrono::seconds{call.c};
    if (call.c % 7 == 0) job.behind = JobId{1};
    if (id % 3 == 2) job.kind = JobKind::item, job.batch = BatchId{100 + id % 2}, job.item = std::to_string(id);
    if (id % 3 == 2 && call.c % 4 == 0) job.gated = true;
    if (id % 3 == 0) job.unique = UniqueTerms{"u", static_cast<UniqueScope>(id % 4)};
    if (id % 5 == 0) job.tags = {"nightly", std::to_string(id % 4)};
    if (job.state == JobState::running) job.worker = call.c % 2 == 0 ? "builtin-1" : "w2";
    if (is_terminal(job.state)) job.finished_at = t0 + std::chrono::seconds{call.c};
    if (is_terminal(job.state) && call.c % 6 == 0) job.result_payload = t.put_payload("result " + std::to_string(id));
    for (const Job& other : t.live_jobs(job.tenant, job.key))
        if (job.kind == JobKind::refresh && other.id != job.id && other.state == job.state) return;
    for (const Job& other : t.holding(job.tenant, job.queue, unique_slot(job)))
        if (other.id != job.id && other.state == job.state && !is_terminal(job.state)) return;
    std::optional<WallTime> timer_at;
    if (!is_terminal(job.state) && call.c % 3 != 0) timer_at = t0 + std::chrono::seconds{call.c};
    t.put_job(job, timer_at);
    t.put_attempt({job.id, 1, call.b, Seq(call.c), "w", t0, {}, static_cast<AttemptEnd>(call.b % 7), {}});
    t.append_log({job.id, 1 + call.c % 8, 1, t0, "info", std::string(static_cast<std::size_t>(call.b), 'l')});
}

void put_batch(Transaction& t, const Call& call)
{
    Batch batch;
    batch.id = BatchId{100 + call.a % 4};
    batch.tenant = pick(tenants, call.a), batch.queue = "prices", batch.state = static_cast<BatchState>(call.b % 8);
    batch.counts.total = call.c;
    if (is_terminal(batch.state)) batch.finished_at = t0 + std::chrono::seconds{call.c};
    if (call.c % 3 == 0) batch.then = FollowUp{.label = "next", .items = std::to_string(call.c % 2)};
    std::optional<WallTime> timer_at;
    if (call.c % 5 == 0) timer_at = t0 + std::chrono::seconds{call.c};
    t.put_batch(batch, timer_at);
}

void drop_batch(Transaction& t, const Call& call)
{
    const BatchId id{100 + call.a % 4};
    for (const Job& item : t.items({.batch = id, .limit = 1'000})) t.drop_job(item.id);
    t.drop_batch(id);
}

std::string join(const std::vector<Job>& jobs)
{
    std::string out;
    for (const std::int64_t id : ids(jobs)) out += std::to_string(id) + " ";
    return out;
}

/// @param now  never falls, as an engine's time never does.
std::string ask(Transaction& t, const Call& call, WallTime& now)
{
    now = std::max(now, t0 + std::chrono::seconds{call.c});
    const int limit = 1 + call.b % 9;
    const std::string &tenant = pick(tenants, call.a), &queue_name = pick(queues, call.b);
    const BatchId batch{100 + call.a % 4};
    std::string out = join(t.claimable(queue_name, tenant, now, limit)) + "| " + join(t.timers_due(now, limit)) + "| " +
                      join(t.running_jobs(call.a % 2 == 0 ? "builtin-" : "", limit)) + "| " + text(t.next_wake(now));
    for (const std::string& queue : t.ready_queues(now)) out += " ready " + queue;
    for (const auto& [queue, count] : t.running_counts()) out += fmt::format(" running {} {}", queue, count);
    for (const KeyRecord& key : t.keys_due(now, limit)) out += " due " + key.tenant + key.key;
    for (const auto& [id, at] : t.ended_jobs(tenant, now, limit))
        out += fmt::format(" ended {} {}", id.value, to_ms(at));
    const KeptFigures kept = t.kept_figures(tenant);
    out += fmt::format(" kept {} ended {} bytes, live {}, lines {}", kept.ended, kept.ended_bytes, kept.live_bytes,
                       kept.log_bytes);
    for (const std::string& name : t.ready_tenants(queue_name, call.c % 2 == 0 ? "" : "acme", now, limit))
        out += " tenant " + name;
    for (const Batch& each : t.batch_timers_due(now, limit)) out += " batch due " + to_text(each.id);
    for (const auto& [id, at] : t.ended_batches(tenant, now, limit))
        out += fmt::format(" batch ended {} {}", id.value, to_ms(at));
    out += " | " + join(t.gated_items(batch, limit)) + "| " + join(t.holding(tenant, queue_name, "u")) + "| ";
    out += join(t.items({batch, call.b % 2 == 0 ? std::optional<JobState>{} : static_cast<JobState>(call.c % 5),
                         JobId{call.c % 30}, limit}));
    const bool down = call.c % 2 == 0;
    out += join(t.items({batch, {}, JobId{call.c % 30}, limit, JobId{call.a % 40}, down}));
    for (const Batch& each : t.batches({tenant, {}, BatchId{call.a % 104}, limit, BatchId{100 + call.b % 3}, down}))
        out += " " + to_text(each.id);
    for (const Batch& each : t.batches({tenant, {}, BatchId{}, limit})) out += " " + to_text(each.id);
    out += " last " + to_text(t.last_job_id());
    JobFilter filter{.tenant = tenant, .limit = limit};
    if (call.b % 4 == 0) filter.tag = "nightly";
    if (call.b % 9 == 0) filter.kind = static_cast<JobKind>(call.c % 3);
    if (call.b % 2 == 0) filter.state = static_cast<JobState>(call.c % 5);
    if (call.b % 3 == 0) filter.queue = pick(queues, call.c);
    if (call.b % 5 == 0) filter.key = pick(key_texts, call.c);
    if (call.b % 7 == 0) filter.before = JobId{1 + call.c % 40};
    if (call.b % 8 == 0) filter.after = JobId{call.a % 40};
    filter.oldest_first = call.a % 2 == 0;
    return out + " | " + join(t.jobs(filter));
}

std::string run(Transaction& t, const Call& call, WallTime& now)
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
    case 8: put_batch(t, call); return "";
    case 9: drop_batch(t, call); return "";
    default: return ask(t, call, now);
    }
}

rc::Gen<Call> a_call()
{
    return rc::gen::build<Call>(
        rc::gen::set(&Call::what, rc::gen::inRange(0, 13)), rc::gen::set(&Call::a, rc::gen::inRange(0, 240)),
        rc::gen::set(&Call::b, rc::gen::inRange(0, 60)), rc::gen::set(&Call::c, rc::gen::inRange(0, 60)));
}

std::string run_all(Store& store, const std::vector<Call>& calls, bool keep, WallTime& now)
{
    std::string said;
    const auto t = store.begin();
    for (const Call& call : calls) said += run(*t, call, now) + "\n";
    said += describe(*t, tenants);
    if (keep) t->commit();
    return said;
}

TEST(RandomTransactions, LeaveMemoryAndSqliteInTheSameState)
{
    const bool held = rc::check("memory and sqlite agree", [] {
        MemoryWorld memory;
        SqliteWorld sqlite{Synchronous::off}; // the disk is not what is looked at here
        WallTime now = t0;
        const int transactions = *rc::gen::inRange(1, 12);
        for (int i = 0; i < transactions; ++i) {
            const auto calls = *rc::gen::container<std::vector<Call>>(a_call());
            const bool keep = *rc::gen::inRange(0, 4) != 0;
            WallTime same = now;
            RC_ASSERT(run_all(memory.store(), calls, keep, same) == run_all(sqlite.store(), calls, keep, now));
            if (*rc::gen::inRange(0, 8) == 0) memory.reopen(), sqlite.reopen();
            RC_ASSERT(describe(*memory.store().reader(), tenants) == describe(*sqlite.store().reader(), tenants));
        }
    });
    EXPECT_TRUE(held);
}

} // namespace
} // namespace freshet::contract
