// SPDX-License-Identifier: Apache-2.0
#include "power/crash.hpp"

#include "contract/describe.hpp"
#include "power/disk.hpp"
#include "store/memory.hpp"

#include <functional>
#include <sqlite3.h>

namespace freshet::power {

namespace {

const std::vector<std::string> tenants{"acme", "globex"};
constexpr WallTime t0 = from_ms(1'790'000'000'000);
constexpr std::uint64_t keys_per_tenant = 4, jobs_per_tenant = 12;

std::string some_bytes(Rng& rng)
{
    // Mostly small, now and then of two chunks.
    const std::uint64_t size = rng.below(24) == 0 ? 300'000 : 10 + rng.below(3000);
    std::string bytes(static_cast<std::size_t>(size), '\0');
    const std::uint64_t salt = rng.next();
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(salt >> i % 57 ^ i);
    return bytes;
}

/// A refresh: the next gen and ver of a key, its payload, its version, its event; the oldest version goes.
void publish(Transaction& t, Rng& rng, std::int64_t ahead)
{
    const std::string& tenant = tenants[rng.below(2)];
    const std::string text = "prices/" + std::to_string(rng.below(keys_per_tenant));
    KeyRecord key = t.key(tenant, text).value_or(KeyRecord{.tenant = tenant, .key = text, .source = "prices"});
    if (ahead != 0) t.keep_payload(ahead);
    key.payload = ahead != 0 ? ahead : t.put_payload(some_bytes(rng));
    ++key.gen, ++key.ver, key.has_data = true;
    VersionRecord version;
    version.ver = key.ver, version.gen = key.gen, version.payload = key.payload, version.changed_at = t0;
    t.put_version(tenant, text, version);
    t.drop_version(tenant, text, key.ver - 2);
    key.seq =
        t.append(tenant, {EventKind::change, "data/" + text, fmt::format("{{\"gen\":{}}}", key.gen), "", false}, t0);
    t.put_key(key);
}

/// Moves a job one state on, round and round.
void move_job(Transaction& t, Rng& rng)
{
    const std::uint64_t tenant = rng.below(2);
    Job job;
    job.id = JobId{static_cast<std::int64_t>(1 + tenant * jobs_per_tenant + rng.below(jobs_per_tenant))};
    job.tenant = tenants[tenant], job.queue = "prices", job.kind = JobKind::task, job.due_at = t0,
    job.requested_at = t0;
    job.input = std::string(static_cast<std::size_t>(rng.below(500)), 'i');
    job.tags = {"nightly"};
    if (const auto before = t.job(job.id)) {
        job = *before;
        job.state = static_cast<JobState>((static_cast<int>(job.state) + 1) % 3);
        job.finished_at = is_terminal(job.state) ? std::optional{t0} : std::nullopt;
    }
    job.fence = job.seq = t.append(job.tenant, {EventKind::job, "job/" + to_text(job.id), "{}", "", false}, t0);
    t.put_job(job, job.state == JobState::running ? std::optional{t0} : std::nullopt);
    if (job.state == JobState::running) {
        t.put_attempt({.job = job.id, .fence = job.fence, .began_at = t0});
        t.append_log({job.id, static_cast<std::int64_t>(job.fence), job.fence, t0, "info", "line"});
    }
    if (job.state == JobState::queued && rng.below(3) == 0) t.drop_job(job.id);
}

/// Counts one more item of a batch, or ends it.
void move_batch(Transaction& t, Rng& rng)
{
    const std::uint64_t tenant = rng.below(2);
    Batch batch;
    batch.id = BatchId{static_cast<std::int64_t>(1000 + tenant)};
    if (const auto before = t.batch(batch.id)) batch = *before;
    batch.tenant = tenants[tenant], batch.queue = "prices", batch.state = BatchState::sealed;
    batch.then = FollowUp{.label = "next", .input = "{}"};
    ++batch.counts.total;
    if (rng.below(8) == 0)
        t.drop_batch(batch.id);
    else
        t.put_batch(batch, t0);
}

/// One transaction and what goes before it; the same on every store in the same state.
void run_plan(Store& store, std::uint64_t seed, const std::function<void()>& before_commit = {})
{
    Rng rng{seed};
    std::int64_t ahead = 0;
    if (rng.below(10) == 0) {
        ahead = store.begin_ahead();
        for (std::uint64_t chunks = 1 + rng.below(2); chunks > 0; --chunks)
            store.append_ahead(ahead, some_bytes(rng).substr(0, ahead_chunk_bytes_max));
        if (rng.below(4) == 0) ahead = 0;
    }
    const auto t = store.begin();
    if (ahead != 0) publish(*t, rng, ahead);
    for (std::uint64_t calls = 1 + rng.below(5); calls > 0; --calls)
        if (rng.below(2) == 0)
            publish(*t, rng, 0);
        else if (rng.below(4) == 0)
            move_batch(*t, rng);
        else
            move_job(*t, rng);
    if (rng.below(4) == 0) t->trim_ledger(tenants[rng.below(2)], t0, 2000);
    if (before_commit) before_commit();
    t->commit();
}

std::string find_hole(StoreReads& store)
{
    for (const std::string& tenant : tenants) {
        const LedgerHead head = store.ledger_head(tenant);
        Seq expected = head.floor;
        for (const LedgerEntry& entry : store.ledger(tenant, 0, 1'000'000))
            if (entry.seq != ++expected) return fmt::format("tenant {} has no event {}", tenant, expected);
        if (expected != head.head) return fmt::format("tenant {} has no event {}", tenant, expected + 1);
    }
    return "";
}

std::string find_damage(Disk& disk)
{
    sqlite3* db = nullptr;
    std::string answer = "it cannot be opened";
    if (sqlite3_open_v2("data/freshet.db", &db, SQLITE_OPEN_READWRITE, disk.vfs_name().c_str()) == SQLITE_OK)
        sqlite3_exec(
            db, "PRAGMA integrity_check(1)",
            [](void* into, int, char** values, char**) { return *static_cast<std::string*>(into) = values[0], 0; },
            &answer, nullptr);
    sqlite3_close(db);
    return answer == "ok" ? "" : answer;
}

class History {
public:
    explicit History(const HistoryOptions& options)
        : options_{options}, disk_{options.seed}, rng_{options.seed ^ 0x5eed}
    {
    }

    HistoryReport run()
    {
        try {
            while (report_.cuts < options_.cuts && report_.loss.empty()) one_life();
        } catch (const StoreFailure& failure) {
            report_.loss = failure.what();
        }
        return report_;
    }

private:
    std::unique_ptr<Store> open()
    {
        return open_sqlite_store({.data_dir = "data",
                                  .vfs = disk_.vfs_name(),
                                  .synchronous = options_.synchronous,
                                  .device_failed = [](std::string_view) { throw PowerCut{}; }});
    }

    /// From power on to the cut, which may already come while the store is opened.
    void one_life()
    {
        // Short lives end while the store is opened, long ones outlive a log that is large enough to be checkpointed.
        const std::uint64_t manner = rng_.below(12);
        const std::uint64_t changes_max = manner < 4 ? 40 : manner < 11 ? 600 : 8000;
        disk_.cut_power_after(static_cast<std::int64_t>(1 + rng_.below(changes_max)));
        std::optional<std::uint64_t> under_way;
        std::unique_ptr<Store> store;
        try {
            store = open();
            while (true) {
                if (rng_.below(40) == 0) store.reset(), store = open(), ++report_.checkpoints_at_least;
                under_way = rng_.next();
                const auto acknowledge = [&] {
                    run_plan(twin_, *under_way), ++report_.acknowledged, under_way.reset();
                };
                if (options_.answer_before_commit) {
                    run_plan(*store, *under_way, acknowledge);
                } else {
                    run_plan(*store, *under_way);
                    acknowledge();
                }
            }
        } catch (const PowerCut&) {
        } catch (const StoreFailure&) {
            if (disk_.is_on()) throw;
        }
        ++report_.cuts;
        store.reset();
        disk_.power_on();
        compare(under_way);
    }

    void compare(std::optional<std::uint64_t> under_way)
    {
        const auto store = open();
        const auto reader = store->reader();
        report_.loss = find_hole(*reader);
        const std::string found = contract::describe(*reader, tenants);
        if (report_.loss.empty() && report_.cuts % 8 == 0) report_.loss = find_damage(disk_);
        if (found == contract::describe(*twin_.reader(), tenants)) {
            report_.under_way_lost += under_way ? 1 : 0;
            return;
        }
        const std::string acknowledged = contract::describe(*twin_.reader(), tenants);
        if (under_way) {
            run_plan(twin_, *under_way);
            ++report_.under_way_kept;
            if (found == contract::describe(*twin_.reader(), tenants)) return;
        }
        if (report_.loss.empty())
            report_.loss = fmt::format("seed {}, cut {}: found\n{}\nbut acknowledged was\n{}", options_.seed,
                                       report_.cuts, found, acknowledged);
    }

    HistoryOptions options_;
    Disk disk_;
    MemoryStore twin_;
    Rng rng_;
    HistoryReport report_;
};

} // namespace

HistoryReport run_history(const HistoryOptions& options)
{
    return History{options}.run();
}

} // namespace freshet::power
