// SPDX-License-Identifier: Apache-2.0
// Schedules: the rows of those of tasks, and pause, resume and run of any (spec "The wire contract" §4). The list
// itself is in overview.cpp, with the keys. Threads: the loop's, but read_stands().
#include "http/schedules.hpp"

#include "http/problems.hpp"
#include "http/route.hpp"
#include "http/status_answer.hpp"
#include "model/schedule.hpp"

#include <algorithm>
#include <array>

namespace freshet::http {

std::string_view to_word(OverlapRule rule)
{
    switch (rule) {
    case OverlapRule::skip: return "skip";
    case OverlapRule::queue_one: return "queue_one";
    case OverlapRule::replace: return "replace";
    case OverlapRule::allow: return "allow";
    }
    return "skip";
}

std::string_view to_word(MisfireRule rule)
{
    switch (rule) {
    case MisfireRule::coalesce: return "coalesce";
    case MisfireRule::skip: return "skip";
    case MisfireRule::all: return "all";
    }
    return "coalesce";
}

bool ScheduleStands::paused(std::string_view name) const
{
    const auto found = std::ranges::find(records, name, &ScheduleRecord::name);
    return found != records.end() && found->paused;
}

ScheduleStands read_stands(Reads& reads, const Definitions& definitions, const std::string& tenant)
{
    ScheduleStands stands;
    stands.head = reads.ledger_head(tenant).head;
    stands.records = reads.schedules(tenant);
    for (const ScheduleRecord& record : stands.records)
        if (definitions.schedules.contains(record.name) && (record.next_at || record.paused))
            stands.tasks.emplace_back(record, reads.fires(tenant, record.name, fires_shown));
    return stands;
}

void schedule_terms(JsonOut& out, const SourceSchedule& schedule)
{
    out.text_if("cron", schedule.cron);
    if (schedule.every.count() > 0) out.whole("every_ms", schedule.every.count());
    out.text("timezone", schedule.timezone);
    out.text("overlap", to_word(schedule.overlap));
    out.text("misfire", to_word(schedule.misfire));
}

void schedule_next(JsonOut& out, const SourceSchedule& schedule, std::optional<WallTime> next)
{
    out.begin_list("next");
    if (next) out.text(to_rfc3339(*next));
    // An interval is a grid whose phase is in the stored instant.
    if (next && schedule.every.count() > 0)
        for (int i = 1; i < fires_shown; ++i) out.text(to_rfc3339(*next + i * schedule.every));
    else if (next)
        for (const NominalFire& fire : next_fires(schedule, 0, *next, fires_shown - 1)) out.text(to_rfc3339(fire.at));
    out.end_list();
}

void task_schedule_row(JsonOut& out, const Definitions& definitions, const ScheduleRecord& record,
                       const std::vector<FireRecord>& fires, Seq seq)
{
    const auto found = definitions.schedules.find(record.name);
    if (found == definitions.schedules.end()) return;
    const TaskSchedule& schedule = found->second;
    out.begin();
    out.text("id", record.name);
    out.text("queue", schedule.queue);
    schedule_terms(out, schedule.when);
    out.yes("paused", record.paused);
    schedule_next(out, schedule.when, record.paused ? std::nullopt : record.next_at);
    out.begin_list("last");
    for (const FireRecord& fire : fires) out.raw(fire_json(fire));
    out.end_list();
    out.unsigned_whole("seq", seq);
    out.end();
}

namespace {

void pause_schedule(Core& core, const ExchangePtr& exchange, const std::string& name, bool paused)
{
    if (!only_parameters(exchange, {}) || !has_tenant(exchange)) return;
    const Caller& caller = exchange->caller();
    const bool taken = core.post(PauseSchedule{name, paused, caller.tenant, caller.name},
                                 [&core, exchange, name, paused](const Reply& reply) {
                                     respond_paused(core, exchange, reply, "id", name, paused);
                                 });
    if (!taken) exchange->fail(busy_problem());
}

void pause(Core& core, const ExchangePtr& exchange, std::span<const std::string> captures)
{
    pause_schedule(core, exchange, captures[0], true);
}
void resume(Core& core, const ExchangePtr& exchange, std::span<const std::string> captures)
{
    pause_schedule(core, exchange, captures[0], false);
}

void run(Core& core, const ExchangePtr& exchange, std::span<const std::string> captures)
{
    if (!only_parameters(exchange, {}) || !has_tenant(exchange)) return;
    const Caller& caller = exchange->caller();
    const std::string& name = captures[0];
    const bool taken =
        core.post(RunSchedule{name, caller.tenant, caller.name}, [&core, exchange, name](const Reply& reply) {
            if (!reply) return fail_refused(core, exchange, reply.error());
            const AddedJob& run = std::get<Added>(*reply).jobs.at(0);
            JsonOut out;
            out.begin();
            out.text("id", name);
            out.text("job", to_text(run.job->id));
            out.yes("attached", run.attached);
            out.time("now", core.now());
            out.end();
            respond_status(exchange, out.take());
        });
    if (!taken) exchange->fail(busy_problem());
}

constexpr std::array schedule_table{
    Route{"POST", "/v1/schedules/{id}/pause", Right::operate, &pause},
    Route{"POST", "/v1/schedules/{id}/resume", Right::operate, &resume},
    Route{"POST", "/v1/schedules/{id}/run", Right::operate, &run},
};

} // namespace

Routes schedule_routes()
{
    return schedule_table;
}

} // namespace freshet::http
