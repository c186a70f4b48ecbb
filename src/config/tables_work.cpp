// SPDX-License-Identifier: Apache-2.0
// The tables of those who work and ask: queues, schedules of tasks, tenants, tokens.
#include "config/setting_rows.hpp"

namespace freshet {

namespace {

using namespace rows;

constexpr std::array<Words, 2> lost_words{"retry", "fail"};
constexpr std::array<Words, 4> role_words{"viewer", "operator", "worker", "admin"};

constexpr std::array queue_rows{
    Setting{.name = "lease",
            .type = duration,
            .access = to<&QueueDefinition::lease>(),
            .min = second,
            .max = 10 * minute,
            .text = "How long a job counts as running without a beat of its worker."},
    Setting{.name = "on_lost",
            .type = choice,
            .access = to<&QueueDefinition::on_lost>(),
            .choices = lost_words,
            .text = "What becomes of a job whose worker was lost."},
    Setting{.name = "cancel_grace",
            .type = duration,
            .access = to<&QueueDefinition::cancel_grace>(),
            .max = day,
            .text = "Time a worker has to confirm a cancel."},
    Setting{.name = "progress_deadline",
            .type = duration,
            .access = to<&QueueDefinition::progress_deadline>(),
            .max = 7 * day,
            .text = "Without progress for so long a job is shown as stalled.",
            .default_words = "never"},
    Setting{.name = "run_limit",
            .type = duration,
            .access = to<&QueueDefinition::run_limit>(),
            .max = 30 * day,
            .real_time = true,
            .text = "Time of one attempt.",
            .default_words = "none"},
    Setting{.name = "start_deadline",
            .type = duration,
            .access = to<&QueueDefinition::start_deadline>(),
            .max = 30 * day,
            .text = "A job that did not begin by then ends as expired.",
            .default_words = "none"},
    Setting{.name = "retry",
            .type = table,
            .access = inside<&QueueDefinition::retry>(),
            .inside = &retry_rows_table,
            .text = "How a failed attempt is tried again."},
    Setting{.name = "concurrency",
            .type = count,
            .access = to<&QueueDefinition::concurrency>(),
            .max = 100'000,
            .text = "Jobs that run at once.",
            .default_words = "no limit"},
    Setting{.name = "rate", .type = rate, .access = to<&QueueDefinition::rate>(), .text = "Jobs that begin."},
    Setting{.name = "priority",
            .type = count,
            .access = to<&QueueDefinition::priority>(),
            .max = 3,
            .text = "Of its jobs, if they name none: 3 first, 0 last."},
};

constexpr std::array limits_rows{
    Setting{.name = "refreshes",
            .type = rate,
            .access = to<&TenantLimits::refreshes>(),
            .text = "Refreshes started by hand."},
    Setting{.name = "waiting_jobs",
            .type = count,
            .access = to<&TenantLimits::waiting_jobs>(),
            .max = 100'000'000,
            .text = "Jobs that wait.",
            .default_words = "no limit of its own"},
    Setting{.name = "storage",
            .type = size,
            .access = to<&TenantLimits::storage_bytes>(),
            .text = "Bytes on disk: data with its versions and what is held, inputs of jobs, what is kept of ended "
                    "ones, log lines.",
            .default_words = "no limit of its own"},
    Setting{.name = "keys",
            .type = count,
            .access = to<&TenantLimits::keys>(),
            .max = 100'000'000,
            .text = "Keys, over all sources.",
            .default_words = "no limit of its own"},
    Setting{.name = "streams",
            .type = count,
            .access = to<&TenantLimits::streams>(),
            .max = 1'000'000,
            .text = "Streams and long polls that are open at once.",
            .default_words = "no limit of its own"},
    Setting{.name = "requests",
            .type = rate,
            .access = to<&TenantLimits::requests>(),
            .text = "Requests of each of its tokens, all loops together; without it, requests of [server].",
            .default_words = "as [server] says"},
};
constexpr SettingTable limits_rows_table{"limits", limits_rows, "What one tenant may take."};

constexpr std::array tenant_rows{
    Setting{.name = "sources",
            .type = text_list,
            .access = to<&TenantDefinition::sources>(),
            .max = 100'000,
            .text = "The sources that this tenant has.",
            .default_words = "all"},
    Setting{.name = "limits",
            .type = table,
            .access = inside<&TenantDefinition::limits>(),
            .inside = &limits_rows_table,
            .text = "What this tenant may take."},
};

constexpr std::array token_rows{
    Setting{.name = "tenant",
            .access = to<&TokenDefinition::tenant>(),
            .max = name_max,
            .required = true,
            .text = "The tenant it speaks for; \"*\" is all."},
    Setting{.name = "role",
            .type = choice,
            .access = to<&TokenDefinition::role>(),
            .choices = role_words,
            .text = "What it may do."},
    Setting{
        .name = "refresh", .type = yes_no, .access = to<&TokenDefinition::refresh>(), .text = "Lets a viewer refresh."},
    Setting{.name = "hash",
            .access = to<&TokenDefinition::sha256>(),
            .max = 71,
            .required = true,
            .text = "sha256: and the 64 hex digits of the token's SHA-256."},
};

constexpr std::array task_schedule_rows{
    Setting{.name = "queue",
            .access = to<&TaskSchedule::queue>(),
            .max = 100,
            .required = true,
            .text = "The queue that the task is put into."},
    Setting{.name = "input",
            .type = json,
            .access = to<&TaskSchedule::input>(),
            .max = 64 * kib,
            .text = "The task's input: a TOML value, which becomes JSON, or a text that is JSON already."},
    Setting{.name = "cron",
            .access = to<&TaskSchedule::when, &SourceSchedule::cron>(),
            .max = 256,
            .text = "Five fields (minute hour day month weekday), or six with seconds first; not together with every."},
    Setting{.name = "every",
            .type = duration,
            .access = to<&TaskSchedule::when, &SourceSchedule::every>(),
            .min = second,
            .max = 10 * year,
            .text = "At this interval, whose beginning is spread by tenant and name; not together with cron.",
            .default_words = "never"},
    Setting{.name = "timezone",
            .access = to<&TaskSchedule::when, &SourceSchedule::timezone>(),
            .max = 64,
            .text = "An IANA zone, such as Asia/Jerusalem, whose wall clock cron follows."},
    Setting{.name = "overlap",
            .type = choice,
            .access = to<&TaskSchedule::when, &SourceSchedule::overlap>(),
            .choices = overlap_words,
            .text = "What a fire does while the task of the fire before it is not over: leave itself out, wait behind "
                    "it (one at most), cancel it and follow, or run beside it."},
    Setting{.name = "misfire",
            .type = choice,
            .access = to<&TaskSchedule::when, &SourceSchedule::misfire>(),
            .choices = misfire_words,
            .text = "What becomes of fires that were missed by more than misfire_grace."},
    Setting{.name = "misfire_max",
            .type = count,
            .access = to<&TaskSchedule::when, &SourceSchedule::misfire_all_max>(),
            .min = 1,
            .max = 1000,
            .text = "With misfire = \"all\": at most so many are made up for."},
    Setting{.name = "misfire_grace",
            .type = duration,
            .access = to<&TaskSchedule::when, &SourceSchedule::misfire_grace>(),
            .max = day,
            .text = "A fire that is late by no more than this is not a misfire."},
    Setting{.name = "gap",
            .type = choice,
            .access = to<&TaskSchedule::when, &SourceSchedule::gap>(),
            .choices = gap_words,
            .text = "A wall-clock time that a day does not have: the first instant after it, or none."},
    Setting{.name = "fold",
            .type = choice,
            .access = to<&TaskSchedule::when, &SourceSchedule::fold>(),
            .choices = fold_words,
            .text = "A wall-clock time that a day has twice."},
    Setting{.name = "tenants",
            .type = text_list,
            .access = to<&TaskSchedule::tenants>(),
            .max = list_max,
            .text = "The tenants that it fires for, each by itself.",
            .default_words = "all"},
    Setting{.name = "priority",
            .type = count,
            .access = to<&TaskSchedule::priority>(),
            .max = 3,
            .text = "Of its tasks: 3 first, 0 last.",
            .default_words = "the queue's"},
};

constexpr SettingTable queue_rows_table{
    "queue", queue_rows, "A queue that remote workers serve, as [queue.NAME]. One that is not named has the defaults."};
constexpr SettingTable task_schedule_rows_table{
    "schedule", task_schedule_rows,
    "A task that is put into a queue by the clock, as [schedule.NAME]. No source may have the same name."};
constexpr SettingTable tenant_rows_table{
    "tenant", tenant_rows, "A tenant, as [tenant.NAME]. Without any there is one, \"default\", that has every source."};
constexpr SettingTable token_rows_table{"token", token_rows,
                                        "A token that only this file can change, as [token.NAME]."};

} // namespace

const SettingTable& queue_table()
{
    return queue_rows_table;
}
const SettingTable& task_schedule_table()
{
    return task_schedule_rows_table;
}
const SettingTable& tenant_table()
{
    return tenant_rows_table;
}
const SettingTable& token_table()
{
    return token_rows_table;
}

} // namespace freshet
