// SPDX-License-Identifier: Apache-2.0
// Schedules of keys and of tasks: the list; pause, resume and run, which answer with the schedule after them (spec "The
// wire contract" §4). Threads: the loop's, but what is handed to read_then().
#include "http/gate.hpp"
#include "http/job_answer.hpp"
#include "http/list_rows.hpp"
#include "http/problems.hpp"
#include "http/route.hpp"
#include "http/sorted_page.hpp"
#include "http/status_answer.hpp"
#include "http/streams/present.hpp"
#include "model/schedule.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <map>
#include <optional>

namespace freshet::http {

namespace {

constexpr int fires_shown = 5;
constexpr int schedules_max = 500;
/// In an order of their own so many can be had.
constexpr std::size_t sorted_max = 5000;

// --- Rows ---

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

/// Where the schedules of a tenant stand: of tasks, and of keys whose schedule was paused by itself.
struct ScheduleStands {
    Seq head = 0; ///< of the ledger, before they were read
    std::vector<ScheduleRecord> records;
    std::vector<std::pair<ScheduleRecord, std::vector<FireRecord>>> tasks; ///< with their last fires

    bool paused(std::string_view name) const
    {
        const auto found = std::ranges::find(records, name, &ScheduleRecord::name);
        return found != records.end() && found->paused;
    }
};

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

/// Cron, interval and rules, as every schedule's row shows them.
void schedule_terms(JsonOut& out, const SourceSchedule& schedule)
{
    out.text_if("cron", schedule.cron);
    if (schedule.every.count() > 0) out.whole("every_ms", schedule.every.count());
    out.text("timezone", schedule.timezone);
    out.text("overlap", to_word(schedule.overlap));
    out.text("misfire", to_word(schedule.misfire));
}

/// The stored next fire, and what follows from it.
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

/// Nothing where the schedule has left the config.
void task_schedule_row(JsonOut& out, const Definitions& definitions, const ScheduleRecord& record,
                       const std::vector<FireRecord>& fires, Seq seq)
{
    const auto found = definitions.schedules.find(record.name);
    if (found == definitions.schedules.end()) return;
    const TaskSchedule& schedule = found->second;
    out.begin();
    out.text("id", record.name);
    out.text("tenant", record.tenant);
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

struct Scheduled {
    std::shared_ptr<const KeyView> view;
    std::vector<FireRecord> fires;
};

void schedule_row(JsonOut& out, Core& core, const Scheduled& one, const SourceDefinition& source, bool paused)
{
    const SourceSchedule& schedule = source.schedule;
    out.begin();
    out.text("id", one.view->record.key);
    out.text("tenant", one.view->record.tenant);
    out.text("source", source.name);
    out.text("queue", source.queue);
    schedule_terms(out, schedule);
    out.yes("paused", paused || is_paused(core, one.view->record.tenant, one.view->record.key));
    schedule_next(out, schedule, one.view->record.next_at);
    out.begin_list("last");
    for (const FireRecord& fire : one.fires) out.raw(fire_json(fire));
    out.end_list();
    out.unsigned_whole("seq", one.view->record.seq);
    out.end();
}

// --- The list ---

/// Whose keys of the source the list shows; nullopt: none.
std::optional<std::string> owner_of(const Definitions& definitions, const std::string& tenant,
                                    const SourceDefinition& source, const ListQuery& query, bool own_only)
{
    if (!source.schedule.any() || (!query.source.empty() && query.source != source.name) ||
        !tenant_has_source(definitions, tenant, source.name))
        return std::nullopt;
    std::string owner{key_tenant(definitions, tenant, source.name)};
    if (own_only && owner != tenant) return std::nullopt;
    return owner;
}

void read_schedules(Reads& reads, const Definitions& definitions, const std::string& tenant, const ListQuery& query,
                    bool own_only, std::size_t limit, std::vector<Scheduled>& found)
{
    // Keys in byte order follow their sources in name order, but for names that begin alike: each source by itself.
    for (const auto& [name, source] : definitions.sources) {
        const auto owner = owner_of(definitions, tenant, *source, query, own_only);
        if (!owner) continue;
        const std::string_view after_source = std::string_view{query.after}.substr(0, query.after.find('/'));
        if (name < after_source) continue;
        const std::string after = name == after_source ? query.after : std::string{};
        for (auto& view : reads.keys(*owner, name, after, schedules_max)) {
            if (found.size() > limit) return;
            auto fires = reads.fires(*owner, view->record.key, fires_shown);
            found.push_back({std::move(view), std::move(fires)});
        }
    }
}

/// The tenants that the caller asks for: his own, or every one where his token is of all and he named none.
std::vector<std::string> tenants_asked(const Definitions& definitions, const Caller& caller)
{
    if (caller.tenant != "*") return {caller.tenant};
    std::vector<std::string> names;
    for (const auto& [name, tenant] : definitions.tenants) names.push_back(name);
    if (names.empty()) names.emplace_back("default");
    if (any_shared(definitions)) names.emplace_back(shared_tenant);
    std::ranges::sort(names);
    return names;
}

/// A page of schedules of some tenants, one after the other.
struct SchedulePage {
    std::vector<Scheduled> found;
    std::map<std::string, ScheduleStands> stands;

    /// Of keys and tasks, as the list is where the caller named an order.
    std::vector<ScheduleRecord> sorted;
    std::string next;
    enum class Sorted : std::uint8_t { well, bad_after, too_many } sorting = Sorted::well;

    ScheduleStands& read_of(Reads& reads, const Definitions& definitions, const std::string& tenant,
                            const ListQuery& query, bool of_all)
    {
        ScheduleStands& of_tenant = stands[tenant] = read_stands(reads, definitions, tenant);
        if (!query.source.empty()) of_tenant.tasks.clear();
        if (!of_all && tenant != shared_tenant && lists_shared(definitions, tenant))
            stands[std::string{shared_tenant}].records = reads.schedules(shared_tenant);
        return of_tenant;
    }

    void read(Reads& reads, const Definitions& definitions, const std::string& tenant, ListQuery query, bool of_all)
    {
        read_of(reads, definitions, tenant, query, of_all);
        if (of_all && !query.after.empty()) {
            const std::string reached = query.after.substr(0, query.after.find('/'));
            if (tenant < reached) return;
            query.after = tenant == reached ? query.after.substr(std::min(reached.size() + 1, query.after.size())) : "";
        }
        // Of all, the shared ones are rows of their own tenant, once.
        read_schedules(reads, definitions, tenant, query, of_all, static_cast<std::size_t>(query.limit), found);
    }

    void sort(Reads& reads, const Definitions& definitions, const std::vector<std::string>& tenants,
              const ListQuery& query, bool of_all)
    {
        std::vector<ScheduleRecord> all;
        for (const std::string& tenant : tenants) {
            for (const auto& [record, fires] : read_of(reads, definitions, tenant, query, of_all).tasks) {
                all.push_back(record);
                if (record.paused) all.back().next_at.reset(); // as its row shows it
            }
            for (const auto& [name, source] : definitions.sources)
                if (const auto owner = owner_of(definitions, tenant, *source, query, of_all))
                    add_keys(reads, *owner, name, all);
            if (all.size() > sorted_max) {
                sorting = Sorted::too_many;
                return;
            }
        }
        auto page = sorted_page(std::move(all), query, query.sort.by == "id", [&](const ScheduleRecord& record) {
            const std::int64_t value = query.sort.by == "id" ? 0 : place_of(record.next_at);
            return Place{value, of_all ? record.tenant + " " + record.name : record.name};
        });
        if (!page) {
            sorting = Sorted::bad_after;
            return;
        }
        sorted = std::move(page->rows);
        next = std::move(page->next);
        for (const ScheduleRecord& record : sorted)
            if (!definitions.schedules.contains(record.name))
                if (auto view = reads.meta(record.tenant, record.name))
                    found.push_back({std::move(view), reads.fires(record.tenant, record.name, fires_shown)});
    }

private:
    static void add_keys(Reads& reads, const std::string& owner, const std::string& source,
                         std::vector<ScheduleRecord>& all)
    {
        for (std::string after; all.size() <= sorted_max;) {
            const auto page = reads.keys(owner, source, after, schedules_max);
            for (const auto& view : page) all.push_back({owner, view->record.key, view->record.next_at, false});
            if (page.size() < static_cast<std::size_t>(schedules_max)) return;
            after = page.back()->record.key;
        }
    }
};

void answer_sorted(Core& core, const ExchangePtr& exchange, const SchedulePage& page, const Definitions& definitions,
                   streams::Cursor cursor)
{
    if (page.sorting == SchedulePage::Sorted::bad_after) return exchange->fail(bad_after());
    if (page.sorting == SchedulePage::Sorted::too_many)
        return exchange->fail(
            bad_parameter(fmt::format("There are more than {} schedules, too many to be sorted.", sorted_max),
                          "Name one source with source=, or leave sort out."));
    JsonOut out;
    out.begin();
    out.begin_list("items");
    auto key = page.found.begin();
    for (const ScheduleRecord& record : page.sorted) {
        const ScheduleStands& stands = page.stands.at(record.tenant);
        if (definitions.schedules.contains(record.name)) {
            for (const auto& [task, fires] : stands.tasks)
                if (task.name == record.name) task_schedule_row(out, definitions, task, fires, stands.head);
        } else if (key != page.found.end() && key->view->record.key == record.name &&
                   key->view->record.tenant == record.tenant) {
            schedule_row(out, core, *key, *definitions.source(key->view->record.source), stands.paused(record.name));
            ++key;
        }
    }
    out.end_list();
    end_list(out, page.next, cursor, core.now());
    out.end();
    respond_status(exchange, out.take());
}

void list_schedules(Core& core, const ExchangePtr& exchange, std::span<const std::string>)
{
    const auto query = list_query(exchange, {"source"}, {"id", "next_at"});
    if (!query) return;
    const auto page = std::make_shared<SchedulePage>();
    const auto definitions = core.definitions();
    const bool of_all = exchange->caller().tenant == "*";
    read_then(
        core, exchange,
        [page, definitions, query = *query, of_all,
         tenants = tenants_asked(*definitions, exchange->caller())](Reads& reads) {
            if (query.sorted) return page->sort(reads, *definitions, tenants, query, of_all);
            for (const std::string& tenant : tenants) page->read(reads, *definitions, tenant, query, of_all);
        },
        [&core, exchange, page, definitions, of_all, sorted = query->sorted,
         limit = static_cast<std::size_t>(query->limit)](streams::Cursor cursor) {
            if (sorted) return answer_sorted(core, exchange, *page, *definitions, cursor);
            std::vector<Scheduled>& found = page->found;
            const bool more = found.size() > limit;
            if (more) found.resize(limit);
            JsonOut out;
            out.begin();
            out.begin_list("items");
            for (const Scheduled& one : found) {
                const KeyRecord& record = one.view->record;
                schedule_row(out, core, one, *definitions->source(record.source),
                             page->stands[record.tenant].paused(record.key));
            }
            // Schedules of tasks are few, as the config holds them: they end the last page.
            if (!more)
                for (const auto& [tenant, stands] : page->stands)
                    for (const auto& [record, fires] : stands.tasks)
                        task_schedule_row(out, *definitions, record, fires, stands.head);
            out.end_list();
            std::string next;
            if (more && of_all) next = found.back().view->record.tenant + "/";
            if (more) next += found.back().view->record.key;
            end_list(out, next, cursor, core.now());
            out.end();
            respond_status(exchange, out.take());
        });
}

// --- Verbs ---

// Whose schedule that is for the caller: of a key of a shared source nobody's who may ask.
std::string owner_of(Core& core, const ExchangePtr& exchange, const std::string& name)
{
    return std::string{key_tenant(*core.definitions(), exchange->caller().tenant, name.substr(0, name.find('/')))};
}

// False: it is shared, and the caller may not change it for all, or not see it; that was answered.
bool may_change(Core& core, const ExchangePtr& exchange, const std::string& name)
{
    const Caller& caller = exchange->caller();
    const std::string owner = owner_of(core, exchange, name);
    if (owner != shared_tenant || caller.all_tenants) return true;
    if (!sees_shared(*core.definitions(), caller.tenant, name))
        exchange->fail(make_problem(404, "not_found", "No such schedule", "there is no such schedule.",
                                    "GET /v1/schedules lists what there is."));
    else if (auto problem = check_shared(caller, owner, name))
        exchange->fail(std::move(*problem));
    return false;
}

/// Answers with the schedule after the verb, as the list shows it. `more` adds members in front.
void answer_schedule(Core& core, const ExchangePtr& exchange, const std::string& name,
                     std::function<std::string(std::string)> more = {})
{
    struct Found {
        ScheduleStands stands;
        Scheduled of_key;
    };
    const auto found = std::make_shared<Found>();
    const auto definitions = core.definitions();
    read_then(
        core, exchange,
        [found, definitions, name, tenant = owner_of(core, exchange, name)](Reads& reads) {
            found->stands = read_stands(reads, *definitions, tenant);
            if (definitions->schedules.contains(name)) return;
            found->of_key = {reads.meta(tenant, name), reads.fires(tenant, name, fires_shown)};
        },
        [&core, exchange, found, definitions, name, more = std::move(more)](streams::Cursor) {
            JsonOut out;
            const auto task =
                std::ranges::find(found->stands.tasks, name, [](const auto& one) { return one.first.name; });
            const auto& view = found->of_key.view;
            const SourceDefinition* source = view ? definitions->source(view->record.source) : nullptr;
            if (task != found->stands.tasks.end())
                task_schedule_row(out, *definitions, task->first, task->second, found->stands.head);
            else if (source != nullptr)
                schedule_row(out, core, found->of_key, *source, found->stands.paused(name));
            std::string json = out.take();
            if (json.empty()) // the config has let go of it meanwhile
                return exchange->fail(make_problem(404, "not_found", "No such schedule", "It has left the config.",
                                                   "GET /v1/schedules lists what there is."));
            respond_status(exchange, more ? more(std::move(json)) : std::move(json));
        });
}

void pause_schedule(Core& core, const ExchangePtr& exchange, const std::string& name, bool paused)
{
    if (!only_parameters(exchange, {})) return;
    const std::string owner = owner_of(core, exchange, name);
    if (owner != shared_tenant && !has_tenant(exchange)) return;
    if (!may_change(core, exchange, name)) return;
    const Caller& caller = exchange->caller();
    const bool taken =
        core.post(PauseSchedule{name, paused, owner, caller.name}, [&core, exchange, name](const Reply& reply) {
            if (!reply) return fail_refused(core, exchange, reply.error());
            answer_schedule(core, exchange, name);
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

/// Of every tenant that has it: each by itself, answered when the last is in.
void run_everywhere(Core& core, const ExchangePtr& exchange, const std::string& name)
{
    struct Runs {
        std::size_t open = 0;
        std::map<std::string, AddedJob> jobs;
        std::optional<Refused> refused;
    };
    const auto runs = std::make_shared<Runs>();
    const auto tenants = tenants_asked(*core.definitions(), exchange->caller());
    runs->open = tenants.size();
    const auto end = [&core, exchange, name, runs] {
        if (--runs->open > 0) return;
        if (runs->jobs.empty() && runs->refused) return fail_refused(core, exchange, *runs->refused);
        if (runs->jobs.empty()) return exchange->fail(busy_problem());
        JsonOut out;
        out.begin();
        out.begin_list("items");
        for (const auto& [tenant, run] : runs->jobs) {
            out.begin();
            out.text("id", name);
            out.text("tenant", tenant);
            out.text("job", to_text(run.job->id));
            out.yes("attached", run.attached);
            out.end();
        }
        out.end_list();
        out.end();
        respond_status(exchange, out.take());
    };
    for (const std::string& tenant : tenants)
        if (!core.post(RunSchedule{name, tenant, exchange->caller().name}, [runs, tenant, end](const Reply& reply) {
                if (reply)
                    runs->jobs.emplace(tenant, std::get<Added>(*reply).jobs.at(0));
                else
                    runs->refused = reply.error();
                end();
            }))
            end();
}

void run(Core& core, const ExchangePtr& exchange, std::span<const std::string> captures)
{
    if (!only_parameters(exchange, {})) return;
    const Caller& caller = exchange->caller();
    const std::string& name = captures[0];
    if (!may_change(core, exchange, name)) return;
    if (caller.tenant == "*") return run_everywhere(core, exchange, name);
    const bool taken = core.post(
        RunSchedule{name, owner_of(core, exchange, name), caller.name}, [&core, exchange, name](const Reply& reply) {
            if (!reply) return fail_refused(core, exchange, reply.error());
            const AddedJob& run = std::get<Added>(*reply).jobs.at(0);
            answer_schedule(core, exchange, name,
                            [job = to_text(run.job->id), attached = run.attached](const std::string& json) {
                                return with_member("job", job, with_member("attached", attached, json));
                            });
        });
    if (!taken) exchange->fail(busy_problem());
}

constexpr std::array schedule_table{
    Route{"GET", "/v1/schedules", Right::read, &list_schedules},
    Route{"POST", "/v1/schedules/{id}/pause", Right::operate, &pause},
    Route{"POST", "/v1/schedules/{id}/resume", Right::operate, &resume},
    Route{"POST", "/v1/schedules/{id}/run", Right::operate, &run},
};

} // namespace

void schedule_rows(Core& core, const std::string& tenant, RowsThen then)
{
    const auto found = std::make_shared<std::vector<Scheduled>>();
    const auto stands = std::make_shared<ScheduleStands>();
    const auto of_shared = std::make_shared<ScheduleStands>();
    const auto definitions = core.definitions();
    read_rows(
        core, tenant,
        [found, stands, of_shared, definitions, tenant](Reads& reads) {
            *stands = read_stands(reads, *definitions, tenant);
            if (tenant != shared_tenant && lists_shared(*definitions, tenant))
                of_shared->records = reads.schedules(shared_tenant);
            read_schedules(reads, *definitions, tenant, {}, false, static_cast<std::size_t>(schedules_max), *found);
        },
        [&core, found, stands, of_shared, definitions, tenant] {
            streams::Rows rows;
            for (const Scheduled& one : *found) {
                JsonOut out;
                schedule_row(out, core, one, *definitions->source(one.view->record.source),
                             (one.view->record.tenant == tenant ? stands : of_shared)->paused(one.view->record.key));
                rows.emplace(one.view->record.key, out.take());
            }
            for (const auto& [record, fires] : stands->tasks) {
                JsonOut out;
                task_schedule_row(out, *definitions, record, fires, stands->head);
                rows.emplace(record.name, out.take());
            }
            return rows;
        },
        std::move(then));
}

Routes schedule_routes()
{
    return schedule_table;
}

} // namespace freshet::http
