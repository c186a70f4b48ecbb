// SPDX-License-Identifier: Apache-2.0
#include "layers.hpp"

#include "rows.hpp"
#include "times.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>

namespace metrics {

namespace {

using freshet::Json;

constexpr double minutes_usual = 30;

// The same sums for raw rows, whoever asks for them.
constexpr const char* raw_sums =
    "count(*) as executions, sum(case when status = 'success' then 1 else 0 end) as successful, "
    "sum(case when status in ('error', 'crashed', 'failed') then 1 else 0 end) as failed, "
    "sum(case when started is not null and stopped is not null then 1 else 0 end) as timed, "
    "sum(case when started is not null and stopped is not null then stopped - started else 0 end) as duration_ms, "
    "max(coalesce(stopped, started)) as last_activity from executions";
constexpr const char* columns =
    "client, workflow, day, executions, successful, failed, timed, duration_ms, last_activity";

struct Sums {
    std::int64_t executions = 0, successful = 0, failed = 0, timed = 0, duration_ms = 0;
    std::optional<std::int64_t> last_activity;

    /// Of a row's columns from `at`.
    void add(const Row& row, std::size_t at)
    {
        executions += whole(row[at]);
        successful += whole(row[at + 1]);
        failed += whole(row[at + 2]);
        timed += whole(row[at + 3]);
        duration_ms += whole(row[at + 4]);
        if (row[at + 5]) last_activity = std::max(last_activity.value_or(0), whole(row[at + 5]));
    }
};

double rounded(double value)
{
    return std::round(value * 100) / 100;
}

Json roll_up(Database& database, const std::string& client, const std::string& table,
             std::int64_t (*first_day)(std::int64_t), std::int64_t now)
{
    // All of them: a few thousand rows a year, and a first sync may reach back as far as it likes.
    return in_transaction(database, client, [&] {
        std::map<std::pair<std::string, std::int64_t>, Sums> made;
        for (const Row& row : database.run("select workflow, day, executions, successful, failed, timed, duration_ms, "
                                           "last_activity from daily where client = ?",
                                           {client}))
            made[{row[0].value_or(""), first_day(whole(row[1]))}].add(row, 2);
        database.run("delete from " + table + " where client = ?", {client});
        for (const auto& [name, sums] : made)
            database.run("insert into " + table + " (" + columns + ") values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                         {client, name.first, name.second, sums.executions, sums.successful, sums.failed, sums.timed,
                          sums.duration_ms, value_of(sums.last_activity)});
        return Json{
            {"client_id", client}, {"rolled_at", text_of(now)}, {"rows", static_cast<std::int64_t>(made.size())}};
    });
}

} // namespace

Minutes read_minutes(const std::string& file)
{
    Minutes minutes;
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);) {
        std::istringstream cells(line);
        std::string client, workflow;
        double count = 0;
        if (std::getline(cells, client, ',') && std::getline(cells, workflow, ',') && cells >> count)
            minutes[{client, workflow}] = count;
    }
    return minutes;
}

Json numbers(Database& database, const std::string& client, const Minutes& minutes)
{
    // One statement, so that an execution which goes from raw into a roll-up meanwhile is counted once.
    const auto rows = database.run(
        std::string("select workflow, executions, successful, failed, timed, duration_ms, last_activity from daily "
                    "where client = ? union all select workflow, ") +
            raw_sums + " where client = ? and rolled = 0 group by workflow",
        {client, client});
    Sums all;
    double saved = 0;
    for (const Row& row : rows) {
        all.add(row, 1);
        const auto own = minutes.find({client, row[0].value_or("")});
        saved += static_cast<double>(whole(row[2])) * (own == minutes.end() ? minutes_usual : own->second);
    }
    const Row flows =
        database.run("select count(*), sum(active) from workflows where client = ? and archived = 0", {client}).at(0);
    const auto state = database.run("select synced_at, rolled_at from clients where client = ?", {client});
    const bool synced = !state.empty() && state[0][0];
    Json layers = Json::list();
    if (!state.empty() && state[0][1]) layers.push("L2");
    layers.push("L3");
    const auto share = [&](double of, std::int64_t count) {
        return count > 0 ? Json{rounded(of / static_cast<double>(count))} : Json{};
    };
    return {{"client_id", client},
            {"total_workflows", whole(flows[0])},
            {"active_workflows", whole(flows[1])},
            {"total_executions", all.executions},
            {"successful_executions", all.successful},
            {"failed_executions", all.failed},
            {"success_rate", share(static_cast<double>(all.successful) * 100, all.executions)},
            {"avg_execution_time", share(static_cast<double>(all.duration_ms) / 1000, all.timed)},
            {"last_activity", all.last_activity ? Json{text_of(*all.last_activity)} : Json{}},
            {"time_saved_hours", rounded(saved / 60)},
            {"synced", synced},
            {"layers", layers},
            {"sums", {{"timed", all.timed}, {"duration_ms", all.duration_ms}}}};
}

Json roll_up_days(Database& database, const std::string& client, std::int64_t now)
{
    const std::int64_t today = now / day_ms;
    return in_transaction(database, client, [&] {
        const Row counts = database
                               .run("select count(*), count(distinct day) from executions "
                                    "where client = ? and ended = 1 and rolled = 0 and day < ?",
                                    {client, today})
                               .at(0);
        database.run(
            std::string("insert into daily (") + columns + ") select client, workflow, day, " + raw_sums +
                " where client = ? and ended = 1 and rolled = 0 and day < ? group by client, workflow, day "
                "on conflict (client, workflow, day) do update set executions = daily.executions + "
                "excluded.executions, "
                "successful = daily.successful + excluded.successful, failed = daily.failed + excluded.failed, "
                "timed = daily.timed + excluded.timed, duration_ms = daily.duration_ms + excluded.duration_ms, "
                "last_activity = case when daily.last_activity > excluded.last_activity then daily.last_activity "
                "else coalesce(excluded.last_activity, daily.last_activity) end",
            {client, today});
        database.run("update executions set rolled = 1 where client = ? and ended = 1 and rolled = 0 and day < ?",
                     {client, today});
        // What is dropped is in the roll-ups: should it be read once more, it is not to count again.
        const std::vector<Row> dropped = database.run(
            "select max(day) from executions where client = ? and rolled = 1 and day < ?", {client, today - raw_days});
        const auto last = whole_if(dropped.at(0).at(0));
        database.run(
            "insert into clients (client, rolled_at, raw_from) values (?, ?, ?) on conflict (client) do update "
            "set rolled_at = excluded.rolled_at, raw_from = case when clients.raw_from > excluded.raw_from "
            "then clients.raw_from else excluded.raw_from end",
            {client, now, last ? *last + 1 : std::int64_t{0}});
        database.run("delete from executions where client = ? and rolled = 1 and day < ?", {client, today - raw_days});
        return Json{{"client_id", client},
                    {"rolled_at", text_of(now)},
                    {"executions", whole(counts[0])},
                    {"days", whole(counts[1])}};
    });
}

Json roll_up_weeks(Database& database, const std::string& client, std::int64_t now)
{
    return roll_up(database, client, "weekly", &week_of, now);
}

Json roll_up_months(Database& database, const std::string& client, std::int64_t now)
{
    return roll_up(database, client, "monthly", &month_of, now);
}

} // namespace metrics
