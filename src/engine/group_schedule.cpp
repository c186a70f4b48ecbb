// SPDX-License-Identifier: Apache-2.0
// Schedules: of keys, which ask for a refresh, and of tasks, which enqueue one. What is due is decided by `model`; here
// the decision, its row of the fire log, its job and the schedule's next fire become one commit.
//
// Nominal instants are wall-clock time (wall_), not engine time: a wall clock that was set moves schedules and nothing
// else. One that went back finds fires ahead of itself: schedules are anchored anew, with a row that says so, and what
// fired already does not fire again.
#include "engine/group.hpp"

#include "base/assert.hpp"
#include "model/schedule.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace freshet {

namespace {

constexpr int per_commit = 256;
/// So many rows are looked through for a fire that came before, once the clock has gone back.
constexpr int fires_looked_at = 1000;

std::uint64_t hash_of(const KeyRecord& record)
{
    return hash64(record.key, hash64(record.tenant));
}

std::uint64_t hash_of(const std::string& tenant, const TaskSchedule& schedule)
{
    return hash64(schedule.name, hash64(tenant));
}

NewJob task_of(const TaskSchedule& schedule)
{
    NewJob task;
    task.queue = schedule.queue;
    task.input = schedule.input;
    task.tags.push_back("schedule:" + schedule.name);
    if (schedule.priority >= 0) task.priority = schedule.priority;
    // Tasks of one schedule find each other by a unique slot, but for those that may run side by side.
    if (schedule.when.overlap != OverlapRule::allow)
        task.unique = UniqueTerms{.key = "freshet.schedule/" + schedule.name,
                                  .scope = UniqueScope::live,
                                  .on_conflict = UniqueConflict::rerun_after};
    return task;
}

bool is_live(const Job& job)
{
    return !is_terminal(job.state);
}

} // namespace

void Group::set_next_fire(KeyWork& work)
{
    work.record.next_at.reset();
    if (work.source == nullptr) return;
    if (const auto fire = next_fire(work.source->schedule, hash_of(work.record), wall_)) work.record.next_at = fire->at;
}

void Group::set_schedules()
{
    std::vector<std::string> tenants = tx_->tenants();
    if (definitions_->tenants.empty() && std::ranges::find(tenants, "default") == tenants.end())
        tenants.push_back("default");
    for (const auto& [name, tenant] : definitions_->tenants)
        if (std::ranges::find(tenants, name) == tenants.end()) tenants.push_back(name);
    if (any_shared(*definitions_) && std::ranges::find(tenants, shared_tenant) == tenants.end())
        tenants.emplace_back(shared_tenant);
    for (const std::string& tenant : tenants) {
        for (std::string after;;) {
            const auto records = tx_->keys(tenant, {}, after, per_commit);
            for (const KeyRecord& record : records) {
                after = record.key;
                const SourceDefinition* definition = source_of(tenant, record.source);
                if (definition == nullptr && is_moved(record)) carry_numbers(record);
                const bool scheduled = definition != nullptr && definition->schedule.any();
                if (!scheduled && !record.next_at) continue;
                if (record.next_at && *record.next_at <= wall_ && scheduled)
                    continue; // a missed fire is decided, not forgotten
                KeyWork& work = key(tenant, record.key, record.source);
                const auto before = work.record.next_at;
                set_next_fire(work);
                if (work.record.next_at == before) continue;
                work.dirty = true;
                if (scheduled) note_clock(tenant, record.key, before, work.record.next_at);
            }
            if (records.size() < static_cast<std::size_t>(per_commit)) break;
        }
        // A source without parameters has one key, which needs no reader to be on its schedule.
        for (const auto& [name, definition] : definitions_->sources) {
            if (!definition->schedule.any() || !definition->params.empty() || source_of(tenant, name) == nullptr)
                continue;
            KeyWork& work = key(tenant, name, name);
            if (work.record.seq || work.told) continue;
            set_next_fire(work);
            // The first data need not wait for the first fire.
            AskRefresh first{.tenant = tenant,
                             .key = name,
                             .source = name,
                             .trigger = Trigger::schedule,
                             .caller = "schedule",
                             .read_after_now = false};
            (void)ask_for(first, false);
        }
        set_task_schedules(tenant);
    }
}

const TaskSchedule* Group::task_schedule(std::string_view tenant, std::string_view name) const
{
    const auto found = definitions_->schedules.find(name);
    if (found == definitions_->schedules.end()) return nullptr;
    const std::vector<std::string>& of = found->second.tenants;
    const bool fires = of.empty() || std::ranges::find(of, tenant) != of.end();
    return fires && tenant != shared_tenant && is_tenant(*definitions_, tenant) ? &found->second : nullptr;
}

void Group::set_task_schedules(const std::string& tenant)
{
    std::map<std::string, ScheduleRecord> known;
    for (ScheduleRecord& record : tx_->schedules(tenant)) {
        std::string name = record.name;
        known.emplace(std::move(name), std::move(record));
    }
    for (const auto& [name, schedule] : definitions_->schedules) {
        if (task_schedule(tenant, name) == nullptr) continue;
        const auto found = known.find(name);
        ScheduleRecord record = found == known.end() ? ScheduleRecord{tenant, name, {}, false} : found->second;
        if (record.next_at && *record.next_at <= wall_) continue; // a missed fire is decided, not forgotten
        const auto before = record.next_at;
        const auto fire = next_fire(schedule.when, hash_of(tenant, schedule), wall_);
        record.next_at = fire ? std::optional{fire->at} : std::nullopt;
        if (record.next_at == before) continue;
        note_clock(tenant, name, before, record.next_at);
        tx_->put_schedule(record);
        wrote_ = true;
    }
    // What left the config keeps its pause, in case it comes back.
    for (auto& [name, record] : known) {
        if (!record.next_at || task_schedule(tenant, name) != nullptr) continue;
        record.next_at.reset();
        tx_->put_schedule(record);
        wrote_ = true;
    }
}

void Group::note_clock(const std::string& tenant, const std::string& name, std::optional<WallTime> before,
                       std::optional<WallTime> next)
{
    if (!before || !next || *next >= *before) return;
    const auto last = tx_->fires(tenant, name, 1);
    if (last.empty() || last.front().fired_at <= wall_) return; // the definition was changed
    FireRecord row{tenant, name, wall_ - Millis{1}, wall_, "skipped", {}, {}};
    row.reason = fmt::format("the wall clock went back by {} or more: the next fire is {}, not {}",
                             to_text(last.front().fired_at - wall_), to_rfc3339(*next), to_rfc3339(*before));
    write_fire(row, next);
}

bool Group::fired_before(const FireRecord& fire)
{
    const auto last = tx_->fires(fire.tenant, fire.key, 1);
    if (last.empty() || last.front().nominal < fire.nominal) return false;
    return std::ranges::any_of(tx_->fires(fire.tenant, fire.key, fires_looked_at),
                               [&](const FireRecord& one) { return one.nominal == fire.nominal; });
}

bool Group::write_fire(const FireRecord& fire, std::optional<WallTime> next_at)
{
    if (!tx_->put_fire(fire)) return false;
    append(fire.tenant, {.kind = EventKind::fire,
                         .topic = "schedule/" + fire.key,
                         .data = fire_event_json("schedules", fire, next_at, tx_->next_seq(fire.tenant)),
                         .also = "schedules",
                         .terminal = false});
    return true;
}

void Group::fire_schedules()
{
    if (state_.wall_seen && wall_ + wall_step_noticed < *state_.wall_seen) set_schedules();
    state_.wall_seen = wall_;
    fire_keys();
    fire_tasks();
}

void Group::fire_keys()
{
    const std::vector<KeyRecord> all = tx_->keys_due(wall_, per_commit);
    more_ = more_ || all.size() == static_cast<std::size_t>(per_commit);
    for (const KeyRecord& due : all) {
        KeyWork& work = key(due.tenant, due.key, due.source);
        KeyRecord& record = work.record;
        if (!record.next_at || *record.next_at > wall_) continue;
        work.dirty = true;
        // A key that nobody reads leaves its schedule until somebody does.
        const SourceDefinition* of = work.source;
        if (of == nullptr || (!of->params.empty() && record.read_at && now_ - *record.read_at > of->keep_warm)) {
            record.next_at.reset();
            continue;
        }
        const std::vector<Job> live = tx_->live_jobs(record.tenant, record.key);
        DueFires fires = decide_fires(of->schedule, hash_of(record), *record.next_at, {.any = !live.empty()}, wall_);
        record.next_at = fires.next_at;
        for (const FireDecision& fire : fires.fires) fire_key(work, fire, live);
    }
}

void Group::fire_key(KeyWork& work, const FireDecision& fire, const std::vector<Job>& live)
{
    const KeyRecord& record = work.record;
    FireRecord row{record.tenant, record.key, fire.nominal, wall_, std::string{fire.decision}, fire.reason, {}};
    if (fired_before(row)) return;
    if (state_.paused.contains(record.tenant, record.source)) {
        row.decision = "skipped";
        row.reason = "the source is paused";
    } else if (state_.paused_schedules.contains({record.tenant, record.key})) {
        row.decision = "skipped";
        row.reason = "the schedule is paused";
    } else if (fire.act != FireAct::nothing) {
        if (fire.act == FireAct::replace)
            for (const Job& job : live)
                if (auto after = freshet::cancel(job, now_)) put_job(&job, std::move(*after), AttemptEnd::cancelled);
        AskRefresh ask{.tenant = record.tenant,
                       .key = record.key,
                       .source = record.source,
                       .trigger = Trigger::schedule,
                       .caller = "schedule",
                       .read_after_now = fire.act != FireAct::ask};
        auto asked = ask_for(ask, false);
        if (asked) {
            row.job = asked->job->id;
        } else {
            row.decision = "skipped";
            row.reason = asked.error().message;
        }
    }
    write_fire(row, record.next_at);
}

void Group::fire_tasks()
{
    const std::vector<ScheduleRecord> all = tx_->schedules_due(wall_, per_commit);
    more_ = more_ || all.size() == static_cast<std::size_t>(per_commit);
    for (ScheduleRecord record : all) {
        const TaskSchedule* schedule = task_schedule(record.tenant, record.name);
        DueFires fires;
        if (schedule != nullptr) {
            LiveFlight live{.side_by_side = true};
            for (const Job& job : live_tasks(record.tenant, *schedule)) {
                live.any = true;
                live.waiting = live.waiting || job.state == JobState::queued;
            }
            fires = decide_fires(schedule->when, hash_of(record.tenant, *schedule), *record.next_at, live, wall_);
        }
        record.next_at = fires.next_at;
        tx_->put_schedule(record);
        wrote_ = true;
        for (const FireDecision& fire : fires.fires) fire_task(record, *schedule, fire);
    }
}

std::vector<Job> Group::live_tasks(const std::string& tenant, const TaskSchedule& schedule)
{
    const NewJob task = task_of(schedule);
    if (!task.unique) return {};
    std::vector<Job> live = holders(tenant, task.queue, task.unique->key);
    std::erase_if(live, [](const Job& job) { return !is_live(job); });
    return live;
}

void Group::fire_task(const ScheduleRecord& record, const TaskSchedule& schedule, const FireDecision& fire)
{
    const std::string& tenant = record.tenant;
    FireRecord row{tenant, schedule.name, fire.nominal, wall_, std::string{fire.decision}, fire.reason, {}};
    const auto full = check_room(tenant, {{schedule.queue, 1}});
    if (fire.act == FireAct::nothing || full) {
        if (full && fire.act != FireAct::nothing) row.decision = "skipped", row.reason = full->message;
        write_fire(row, record.next_at);
        return;
    }
    NewJob task = task_of(schedule);
    Job job = new_task(tenant, "schedule", task);
    row.job = job.id;
    if (!write_fire(row, record.next_at)) return; // it fired before the clock went back
    if (fire.act == FireAct::replace)
        for (const Job& live : live_tasks(tenant, schedule))
            if (auto after = freshet::cancel(live, now_)) put_job(&live, std::move(*after), AttemptEnd::cancelled);
    if (job.unique) {
        // None waits: the decision to fire has looked, and one that waited was replaced.
        const auto decision = decide_unique(*job.unique, live_tasks(tenant, schedule), job.due_at, now_);
        const auto* enqueue = std::get_if<UniqueEnqueue>(&decision);
        FRESHET_ASSERT(enqueue != nullptr);
        job.behind = enqueue->behind;
        job.due_at = enqueue->due_at;
    }
    put_job(nullptr, std::move(job));
}

std::expected<Group::ScheduleNamed, Refused> Group::schedule_named(const std::string& tenant, const std::string& name)
{
    if (const TaskSchedule* task = task_schedule(tenant, name)) return ScheduleNamed{task, nullptr};
    const std::string source_name = name.substr(0, name.find('/'));
    const SourceDefinition* of = source_of(tenant, source_name);
    if (of != nullptr && of->schedule.any() && tx_->key(tenant, name)) return ScheduleNamed{nullptr, of};
    return std::unexpected(refused(Refusal::not_found, "there is no such schedule"));
}

Reply Group::pause_schedule(const PauseSchedule& request)
{
    const auto named = schedule_named(request.tenant, request.name);
    if (!named) return std::unexpected(named.error());
    ScheduleRecord record{request.tenant, request.name, {}, false};
    for (ScheduleRecord& known : tx_->schedules(request.tenant))
        if (known.name == request.name) record = std::move(known);
    if (record.paused == request.paused) return Answer{Done{}};
    record.paused = request.paused;
    if (named->task != nullptr && !request.paused) {
        const auto missed = pass_over(named->task->when, hash_of(request.tenant, *named->task), record.next_at,
                                      "the schedule was paused", wall_);
        if (missed)
            write_fire({request.tenant,
                        request.name,
                        missed->nominal,
                        wall_,
                        std::string{missed->decision},
                        missed->reason,
                        {}},
                       record.next_at);
    }
    tx_->put_schedule(record);
    wrote_ = true;
    if (request.paused)
        state_.paused_schedules.insert({request.tenant, request.name});
    else
        state_.paused_schedules.erase({request.tenant, request.name});
    audit(request.tenant, request.caller, request.paused ? "pause" : "resume", request.name, "schedule");
    return Answer{Done{}};
}

Reply Group::run_schedule(const RunSchedule& request)
{
    const auto named = schedule_named(request.tenant, request.name);
    if (!named) return std::unexpected(named.error());
    AddedJob run;
    std::optional<WallTime> next_at;
    if (named->task != nullptr) {
        if (auto full = check_room(request.tenant, {{named->task->queue, 1}})) return std::unexpected(std::move(*full));
        for (const ScheduleRecord& record : tx_->schedules(request.tenant))
            if (record.name == request.name) next_at = record.next_at;
        NewJob task = task_of(*named->task);
        // A person's ask shares what is under way, whatever the schedule's own fires would do.
        if (task.unique) task.unique->on_conflict = UniqueConflict::attach;
        run = add_one(request.tenant, request.caller, task);
    } else {
        auto asked = ask_for({.tenant = request.tenant,
                              .key = request.name,
                              .source = named->source->name,
                              .trigger = Trigger::schedule,
                              .caller = request.caller},
                             true);
        if (!asked) return std::unexpected(std::move(asked.error()));
        next_at = key(request.tenant, request.name, named->source->name).record.next_at;
        run = {asked->job, asked->joined};
    }
    FireRecord row{request.tenant, request.name, wall_, wall_, "ran", {}, run.job->id};
    // Tenants that share a source see its fires, and not who asked.
    const std::string& by = request.tenant == shared_tenant ? std::string{"an operator"} : request.caller;
    row.reason = fmt::format("asked for by {}{}", by, run.attached ? ", joined what was under way" : "");
    // Not at an instant of the schedule's own: that one fires all the same.
    while (!write_fire(row, next_at)) row.nominal -= Millis{1};
    audit(request.tenant, request.caller, "run", request.name, "schedule");
    Added added;
    added.jobs.push_back(std::move(run));
    return Answer{std::move(added)};
}

} // namespace freshet
