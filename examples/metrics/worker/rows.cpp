// SPDX-License-Identifier: Apache-2.0
#include "rows.hpp"

#include "times.hpp"

#include <algorithm>

namespace metrics {

namespace {

constexpr int doubts_until_settled = 2;

/// What is stored of an execution.
struct Known {
    std::string workflow, status;
    std::optional<std::int64_t> started, stopped;
    std::int64_t day = 0;
    bool ended = false, rolled = false, settled = false;

    bool same(const Execution& read) const
    {
        return workflow == read.workflow && status == read.status && started == read.started && stopped == read.stopped;
    }
};

std::optional<Known> find(Database& database, const std::string& client, const std::string& id)
{
    const auto rows =
        database.run("select workflow, status, started, stopped, day, ended, rolled, settled from executions "
                     "where client = ? and id = ?",
                     {client, id});
    if (rows.empty()) return std::nullopt;
    const Row& row = rows[0];
    return Known{row[0].value_or(""), row[1].value_or(""), whole_if(row[2]),   whole_if(row[3]),
                 whole(row[4]),       whole(row[5]) != 0,  whole(row[6]) != 0, whole(row[7]) != 0};
}

std::int64_t day_of(const Execution& read, std::int64_t now)
{
    return read.stopped.value_or(read.started.value_or(now)) / day_ms;
}

/// It changed after the roll-up had it: it leaves the roll-up, and counts by itself until the next.
void take_out(Database& database, const std::string& client, const Known& known)
{
    const bool failed = known.status == "error" || known.status == "crashed" || known.status == "failed";
    const bool timed = known.started && known.stopped;
    database.run("update daily set executions = executions - 1, successful = successful - cast(? as bigint), "
                 "failed = failed - cast(? as bigint), timed = timed - cast(? as bigint), "
                 "duration_ms = duration_ms - cast(? as bigint) where client = ? and workflow = ? and day = ?",
                 {std::int64_t{known.status == "success"}, std::int64_t{failed}, std::int64_t{timed},
                  timed ? *known.stopped - *known.started : std::int64_t{0}, client, known.workflow, known.day});
}

void store_one(Database& database, const std::string& client, const Execution& read, std::int64_t raw_from,
               std::int64_t now, Stored& stored)
{
    const auto known = find(database, client, read.id);
    stored.met_settled = known && known->settled && known->ended;
    const std::int64_t day = day_of(read, now);
    if (!known && day < raw_from) {
        // From before the raw rows begin: the roll-ups have it already.
        stored.met_settled = true;
        return;
    }
    if (known && (known->same(read) || (known->ended && !read.ended()))) {
        if (!known->ended)
            database.run("update executions set read_at = ? where client = ? and id = ?", {now, client, read.id});
        return;
    }
    if (known && known->rolled) take_out(database, client, *known);
    database.run("insert into executions (client, id, workflow, status, started, stopped, day, ended, read_at) "
                 "values (?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict (client, id) do update set "
                 "workflow = excluded.workflow, status = excluded.status, started = excluded.started, "
                 "stopped = excluded.stopped, day = excluded.day, ended = excluded.ended, rolled = 0, "
                 "read_at = excluded.read_at",
                 {client, read.id, read.workflow, read.status, value_of(read.started), value_of(read.stopped), day,
                  std::int64_t{read.ended()}, now});
    ++(known ? stored.changed : stored.added);
    if (read.ended() && read.stopped) stored.lag_ms = std::max(stored.lag_ms, now - *read.stopped);
}

} // namespace

Stored store(Database& database, const std::string& client, const std::vector<Execution>& page, std::int64_t now)
{
    return in_transaction(database, client, [&] {
        Stored stored;
        const auto state = database.run("select raw_from from clients where client = ?", {client});
        const std::int64_t raw_from = state.empty() ? 0 : whole(state[0][0]);
        for (const Execution& read : page) store_one(database, client, read, raw_from, now, stored);
        return stored;
    });
}

void store(Database& database, const std::string& client, const std::vector<Workflow>& workflows)
{
    in_transaction(database, client, [&] {
        database.run("delete from workflows where client = ?", {client});
        for (const Workflow& workflow : workflows)
            database.run(
                "insert into workflows (client, id, name, active, archived) values (?, ?, ?, ?, ?) "
                "on conflict (client, id) do nothing",
                {client, workflow.id, workflow.name, std::int64_t{workflow.active}, std::int64_t{workflow.archived}});
        return true;
    });
}

std::int64_t workflows_known(Database& database, const std::string& client)
{
    return whole(database.run("select count(*) from workflows where client = ?", {client}).at(0).at(0));
}

void give_up(Database& database, const std::string& client, const std::string& id, std::int64_t now)
{
    database.run("update executions set ended = 1, read_at = ? where client = ? and id = ?", {now, client, id});
}

bool knows_settled(Database& database, const std::string& client)
{
    return !database.run("select 1 from executions where client = ? and settled = 1 and ended = 1 limit 1", {client})
                .empty();
}

std::vector<std::string> unfinished(Database& database, const std::string& client, std::int64_t read_before,
                                    int count_max)
{
    std::vector<std::string> ids;
    for (const Row& row : database.run("select id from executions where client = ? and ended = 0 and read_at < ? "
                                       "order by read_at limit " +
                                           std::to_string(count_max),
                                       {client, read_before}))
        ids.push_back(row[0].value_or(""));
    return ids;
}

bool settle(Database& database, const std::string& client, bool in_doubt, std::int64_t now)
{
    return in_transaction(database, client, [&] {
        database.run("insert into clients (client, synced_at, gaps) values (?, ?, 0) "
                     "on conflict (client) do update set synced_at = excluded.synced_at",
                     {client, now});
        const std::int64_t doubts =
            in_doubt ? whole(database.run("select gaps from clients where client = ?", {client}).at(0).at(0)) + 1 : 0;
        const bool still = in_doubt && doubts < doubts_until_settled;
        database.run("update clients set gaps = ? where client = ?", {still ? doubts : std::int64_t{0}, client});
        if (!still) database.run("update executions set settled = 1 where client = ? and settled = 0", {client});
        return still;
    });
}

} // namespace metrics
