// SPDX-License-Identifier: Apache-2.0
#include "sim/actors.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <functional>

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
    switch (world_.rng().below(20)) {
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
    case 14:
    case 15: operate(); break;
    case 16: decide(); break;
    case 17: foreign(); break;
    case 18: repeat(); break;
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
    if (world_.chance(10)) ask.max_age = 2s;
    if (world_.chance(10)) ask.attach_only = true;
    const bool read_after_now = !ask.max_age;
    world_.post(ask, [this, tenant, read_after_now](const Reply& reply) {
        if (!reply) return;
        const Asked& asked = std::get<Asked>(*reply);
        world_.checker().asked(asked, read_after_now, world_.source_version());
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
    if (world_.chance(30)) {
        add.idempotency = IdempotencyScope{"POST /v1/jobs", fmt::format("k{}", ++number_), {1, 2}};
        remember_ask(add);
    }
    send(add);
}

void Actors::send(const AddJobs& add)
{
    const std::string key = add.idempotency ? add.idempotency->key : "";
    world_.post(add, [this, tenant = add.tenant, key](const Reply& reply) {
        if (!reply) return;
        const Added& added = std::get<Added>(*reply);
        world_.checker().added(added);
        std::vector<JobId> made;
        for (const AddedJob& one : added.jobs) {
            made.push_back(one.job->id);
            if (one.attached) world_.saw(Seen::unique_attached);
            remember(jobs_, std::pair{one.job->id, tenant});
        }
        if (!key.empty()) world_.checker().idempotent(key, made);
    });
}

void Actors::remember_ask(const AddJobs& add)
{
    constexpr std::size_t remembered_max = 8;
    if (said_.size() >= remembered_max) said_.erase(said_.begin());
    said_.push_back(add);
}

// Somebody did not hear the answer and says it again, with the same Idempotency-Key.
void Actors::repeat()
{
    if (!said_.empty()) send(said_[world_.rng().below(said_.size())]);
}

// A held or late result waits for a person.
void Actors::decide()
{
    const char* key = world_.chance(50) ? "prices/a" : "prices/b";
    if (world_.chance(50)) {
        DecideHeld word{any_tenant(), key, "prices", world_.chance(60), {}, "somebody"};
        world_.post(word, {});
        return;
    }
    std::vector<std::pair<JobId, std::string>> fit;
    const auto is_refresh = [&](const auto& one) { return world_.checker().job(one.first)->kind == JobKind::refresh; };
    for (const auto& one : jobs_)
        if (const Job* job = world_.checker().job(one.first); job != nullptr && is_terminal(job->state) && job->late)
            fit.push_back(one);
    if (fit.empty()) return;
    const bool refreshes = std::ranges::any_of(fit, is_refresh) && world_.chance(70);
    if (refreshes) std::erase_if(fit, std::not_fn(is_refresh));
    const auto& [id, tenant] = fit[world_.rng().below(fit.size())];
    const Job& job = *world_.checker().job(id);
    AdoptJob adopt{id, tenant, "somebody", {}};
    if (job.kind == JobKind::refresh) {
        PreparedResult result;
        auto body = std::make_shared<Body>();
        body->bytes = job.late->result;
        body->hash = hash128(body->bytes);
        body->rows = 1;
        result.body = std::move(body);
        adopt.result = std::move(result);
    }
    world_.checker().person_adopts(id);
    world_.post(adopt, [this](const Reply& reply) {
        if (!reply && reply.error().refusal == Refusal::held_changed) world_.saw(Seen::older_data_refused);
    });
}

// The same verbs in another tenant's name.
void Actors::foreign()
{
    const JobId job = any_job(world_.chance(70));
    if (!job) return;
    const std::string other = tenant_ == "acme" ? "default" : "acme";
    const auto told = [this](const Reply& reply) { world_.checker().foreign_answered(reply); };
    const Seq fence = world_.checker().job(job)->fence;
    switch (world_.rng().below(6)) {
    case 0: return world_.post(CancelJob{job, other, "thief"}, told);
    case 1: return world_.post(RetryJob{job, other, "thief", {}, {}}, told);
    case 2: return world_.post(RunJob{job, other, "thief"}, told);
    case 3: return world_.post(AdoptJob{job, other, "thief", {}}, told);
    case 4: return world_.post(AddLog{job, fence, other, {{"info", "mine"}}}, told);
    default: break;
    }
    if (const BatchId batch = any_batch()) {
        const std::string another = tenant_ == "acme" ? "default" : "acme";
        world_.post(ChangeBatch{batch, another, "thief", BatchVerb::cancel, {}}, told);
    }
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
            run(job);
        return;
    }
    if (world_.chance(70)) {
        world_.post(RetryJob{job, tenant_, "somebody", {}}, {});
    } else {
        world_.checker().person_adopts(job);
        world_.post(AdoptJob{job, tenant_, "somebody", {}}, {});
    }
}

void Actors::run(JobId job)
{
    world_.checker().run_asked(job);
    world_.post(RunJob{job, tenant_, "somebody"}, {});
}

void Actors::verb_on_batch()
{
    const BatchId batch = any_batch();
    if (!batch) return;
    const auto known = world_.checker().batches().find(batch.value);
    if (known == world_.checker().batches().end()) return;
    if (known->second.driver == BatchDriver::caller && world_.chance(60)) {
        world_.post(ProcessNext{batch, tenant_, "somebody"}, [this](const Reply& reply) {
            if (reply && std::get<Processed>(*reply).item) world_.saw(Seen::driver_released);
        });
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
    switch (world_.rng().below(10)) {
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
    case 5:
        world_.post(PauseSource{"prices", true, "default", "somebody"}, {});
        world_.after(world_.between(100, 10'000),
                     [this] { world_.post(PauseSource{"prices", false, "default", "somebody"}, {}); });
        break;
    case 6: {
        BulkJobs bulk{any_tenant(), "somebody", static_cast<BulkAction>(world_.rng().below(3)), {}, world_.chance(20)};
        bulk.filter.queue = queue;
        if (bulk.action == BulkAction::retry) bulk.filter.state = JobState::failed;
        world_.post(bulk, {});
        break;
    }
    case 7: world_.post(RunSchedule{"tick", "default", "somebody"}, {}); break;
    case 8:
        world_.post(PauseSchedule{"tick", true, "default", "somebody"}, {});
        world_.after(world_.between(100, 60'000),
                     [this] { world_.post(PauseSchedule{"tick", false, "default", "somebody"}, {}); });
        break;
    case 9: world_.post(TouchKey{any_tenant(), "prices/a", "prices"}, {}); break;
    default: break;
    }
}

void Actors::settle()
{
    // Twice, since a pause from before may still be under way.
    for (const Millis wait : {0ms, 21'000ms})
        world_.after(wait, [this] {
            for (const char* queue : {"fast", "slow"}) world_.post(PauseQueue{queue, false, "default", "somebody"}, {});
            world_.post(PauseSource{"prices", false, "default", "somebody"}, {});
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
