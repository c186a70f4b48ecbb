// SPDX-License-Identifier: Apache-2.0
#include "sim/actors.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace freshet::sim {

namespace {

template <class T>
void remember(std::vector<T>& all, T one)
{
    constexpr std::size_t remembered_max = 200;
    if (std::ranges::find(all, one) != all.end()) return;
    if (all.size() >= remembered_max) all.erase(all.begin());
    all.push_back(std::move(one));
}

} // namespace

void Actors::begin()
{
    act();
}

void Actors::act()
{
    if (world_.settling()) return;
    switch (world_.rng().below(16)) {
    case 0:
    case 1:
    case 2:
    case 3: refresh(); break;
    case 4: stale(); break;
    case 5:
    case 6:
    case 7: add_jobs(); break;
    case 8:
    case 9: add_batch(); break;
    case 10:
    case 11: verb_on_job(); break;
    case 12:
    case 13: verb_on_batch(); break;
    case 14: operate(); break;
    default: break;
    }
    world_.after(world_.between(5, 1500), [this] { act(); });
}

void Actors::refresh()
{
    static constexpr const char* sources[]{"prices", "prices", "news", "scraped"};
    const std::string source = sources[world_.rng().below(4)];
    const std::string tenant = any_tenant();
    AskRefresh ask{.tenant = tenant,
                   .key = source + (world_.chance(50) ? "/a" : "/b"),
                   .source = source,
                   .trigger = Trigger::manual,
                   .caller = "somebody"};
    world_.post(ask, [this, tenant](const Reply& reply) {
        if (!reply) return;
        const Asked& asked = std::get<Asked>(*reply);
        world_.checker().asked(asked, true, world_.source_version());
        remember(jobs_, std::pair{asked.job->id, tenant});
    });
}

void Actors::stale()
{
    AskRefresh ask{.tenant = any_tenant(),
                   .key = "prices/a",
                   .source = "prices",
                   .trigger = Trigger::stale,
                   .caller = "reader",
                   .read_after_now = false};
    world_.post(ask, [this](const Reply& reply) {
        if (reply) world_.checker().asked(std::get<Asked>(*reply), false, world_.source_version());
    });
}

void Actors::add_jobs()
{
    const std::string tenant = any_tenant();
    AddJobs add{.tenant = tenant, .caller = "somebody", .jobs = {}, .idempotency = {}};
    const std::size_t count = 1 + world_.rng().below(3);
    for (std::size_t i = 0; i < count; ++i) {
        NewJob job{.queue = world_.chance(60) ? "fast" : "slow", .input = "{\"n\":1}"};
        if (world_.chance(20)) job.due_at = world_.now() + world_.between(0, 20'000);
        if (world_.chance(20)) job.priority = static_cast<int>(world_.rng().below(4));
        if (world_.chance(10)) job.attempts_max = 1 + static_cast<int>(world_.rng().below(3));
        if (world_.chance(10)) job.start_by = world_.now() + world_.between(1000, 30'000);
        if (world_.chance(30)) {
            UniqueTerms unique{.key = world_.chance(50) ? "u1" : "u2"};
            unique.scope = static_cast<UniqueScope>(world_.rng().below(4));
            unique.on_conflict = static_cast<UniqueConflict>(world_.rng().below(3));
            if (unique.scope == UniqueScope::window) unique.ttl = 10s;
            if (unique.scope == UniqueScope::debounce) unique.quiet = 1s, unique.most = 5s;
            job.unique = unique;
        }
        add.jobs.push_back(std::move(job));
    }
    if (world_.chance(30)) add.idempotency = IdempotencyScope{"POST /v1/jobs", fmt::format("k{}", ++number_), {1, 2}};
    world_.post(add, [this, tenant](const Reply& reply) {
        if (!reply) return;
        const Added& added = std::get<Added>(*reply);
        world_.checker().added(added);
        for (const AddedJob& one : added.jobs) remember(jobs_, std::pair{one.job->id, tenant});
    });
}

void Actors::add_batch()
{
    const std::string tenant = any_tenant();
    AddBatch add{.tenant = tenant, .caller = "somebody", .name = "batch", .queue = world_.chance(60) ? "fast" : "slow"};
    const std::size_t count = world_.chance(5) ? 0 : 1 + world_.rng().below(6);
    for (std::size_t i = 0; i < count; ++i) add.items.push_back({fmt::format("i{}", i), "an item", "{}"});
    add.sealed = world_.chance(70);
    add.concurrency = static_cast<int>(world_.rng().below(3));
    if (world_.chance(20)) add.policy = {FailureRule::fail_fast, 0, 0};
    if (world_.chance(20)) add.policy = {FailureRule::threshold, 1, 0};
    if (world_.chance(20)) add.driver = BatchDriver::caller;
    if (world_.chance(30)) {
        FollowUp then;
        then.label = "next";
        then.start = world_.chance(50) ? FollowUp::Start::auto_ : FollowUp::Start::person;
        then.queue = "fast";
        if (world_.chance(50))
            then.per_succeeded = true;
        else
            then.input = "{}";
        add.then = then;
    }
    world_.post(add, [this, tenant](const Reply& reply) {
        if (!reply) return;
        const Batch& batch = *std::get<BatchChanged>(*reply).batch;
        world_.checker().batch_told(batch);
        remember(batches_, std::pair{batch.id, tenant});
    });
}

JobId Actors::any_job(bool live)
{
    std::vector<std::pair<JobId, std::string>> fit;
    for (const auto& one : jobs_)
        if (const Job* job = world_.checker().job(one.first); job != nullptr && is_terminal(job->state) != live)
            fit.push_back(one);
    if (fit.empty()) return {};
    const auto& chosen = fit[world_.rng().below(fit.size())];
    tenant_ = chosen.second;
    return chosen.first;
}

BatchId Actors::any_batch()
{
    if (batches_.empty()) return {};
    const auto& chosen = batches_[world_.rng().below(batches_.size())];
    tenant_ = chosen.second;
    return chosen.first;
}

void Actors::verb_on_job()
{
    const JobId job = any_job(world_.chance(60));
    if (!job) return;
    const bool live = !is_terminal(world_.checker().job(job)->state);
    if (live) {
        if (world_.chance(60))
            world_.post(CancelJob{job, tenant_, "somebody"}, {});
        else
            world_.post(RunJob{job, tenant_, "somebody"}, {});
        return;
    }
    if (world_.chance(70)) {
        world_.post(RetryJob{job, tenant_, "somebody", {}}, {});
    } else {
        world_.checker().person_adopts(job);
        world_.post(AdoptJob{job, tenant_, "somebody", {}}, {});
    }
}

void Actors::verb_on_batch()
{
    const BatchId batch = any_batch();
    if (!batch) return;
    const auto known = world_.checker().batches().find(batch.value);
    if (known == world_.checker().batches().end()) return;
    if (known->second.driver == BatchDriver::caller && world_.chance(60)) {
        world_.post(ProcessNext{batch, tenant_, "somebody"}, {});
        return;
    }
    switch (world_.rng().below(5)) {
    case 0:
        world_.post(AddItems{.batch = batch,
                             .tenant = tenant_,
                             .caller = "somebody",
                             .items = {{fmt::format("more{}", world_.rng().below(4)), "one more", "{}"}}},
                    {});
        break;
    case 1: world_.post(ChangeBatch{batch, tenant_, "somebody", BatchVerb::seal, {}}, {}); break;
    case 2:
        if (world_.chance(50)) world_.post(ChangeBatch{batch, tenant_, "somebody", BatchVerb::cancel, {}}, {});
        break;
    case 3:
        world_.post(ChangeBatch{batch, tenant_, "somebody", BatchVerb::retry_failed, known->second.generation}, {});
        break;
    case 4: world_.post(ChangeBatch{batch, tenant_, "somebody", BatchVerb::start_then, {}}, {}); break;
    }
}

void Actors::operate()
{
    const std::string queue = world_.chance(50) ? "fast" : "slow";
    switch (world_.rng().below(6)) {
    case 0: {
        const PurgeMode mode = static_cast<PurgeMode>(world_.rng().below(3));
        world_.post(PurgeKey{any_tenant(), "prices/a", "prices", mode, "somebody"}, {});
        break;
    }
    case 1:
        world_.post(PauseQueue{queue, true, "default", "somebody"}, {});
        world_.after(world_.between(100, 10'000),
                     [this, queue] { world_.post(PauseQueue{queue, false, "default", "somebody"}, {}); });
        break;
    case 2:
        world_.post(LimitQueue{queue, 1 + static_cast<int>(world_.rng().below(3)), {}, "default", "somebody"}, {});
        break;
    case 3:
        if (world_.chance(20)) world_.post(ResetTenant{"acme", "somebody", false, {}, {}}, {});
        break;
    case 4: world_.post(DrainWorker{"w-9", "default", "somebody"}, {}); break;
    default: break;
    }
}

void Actors::settle()
{
    // Twice, since a pause from before may still be under way.
    for (const Millis wait : {0ms, 21'000ms})
        world_.after(wait, [this] {
            for (const char* queue : {"fast", "slow"}) world_.post(PauseQueue{queue, false, "default", "somebody"}, {});
        });
    tidy();
}

// What is left to its deadlines takes long: most of it is sealed and driven on, some is left alone all the same.
void Actors::tidy()
{
    bool goes_on = false;
    for (const auto& [id, batch] : world_.checker().batches()) {
        if (is_terminal(batch.state) || (id >> 20) % 16 == 0) continue;
        goes_on = true;
        if (batch.state == BatchState::open)
            world_.post(ChangeBatch{batch.id, batch.tenant, "somebody", BatchVerb::seal, {}}, {});
        if (batch.driver == BatchDriver::caller) world_.post(ProcessNext{batch.id, batch.tenant, "somebody"}, {});
    }
    if (goes_on) world_.after(1s, [this] { tidy(); });
}

} // namespace freshet::sim
