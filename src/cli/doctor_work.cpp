// SPDX-License-Identifier: Apache-2.0
// What the doctor finds about queues, workers, jobs and schedules. Pure: the lists come in as they were answered.
#include "cli/doctor.hpp"

#include "cli/words.hpp"
#include "model/shared.hpp"

#include <fmt/format.h>

namespace freshet::cli {

namespace {

constexpr Millis late_max = 2min; ///< a fire that is late by more did not come

void add(Findings& findings, Grade grade, std::string what, std::string try_ = {})
{
    findings.push_back({grade, std::move(what), std::move(try_)});
}

std::string since_words(const Json& at, WallTime now)
{
    const auto instant = from_rfc3339(at.text());
    return instant ? ", for " + length_words(now - *instant) : std::string{};
}

} // namespace

void check_queues(Findings& findings, const Json& queues, WallTime now, std::string_view tenant)
{
    const std::string of = tenant.empty() || tenant == "default" ? std::string{} : fmt::format(" of {}", tenant);
    int well = 0;
    for (const Json& queue : queues["items"].items()) {
        const std::string& name = queue["name"].text();
        const auto waiting = queue["counts"]["queued"].whole();
        // What the server's own runners do has no worker of its own.
        const bool of_workers = queue["kind"].text() != "source";
        if (of_workers && tenant == shared_tenant && queue["workers"].whole() == 0)
            // Refused by nobody and done by nobody: a worker of one tenant is not given what is everyone's.
            add(findings, waiting > 0 ? Grade::fail : Grade::warn,
                fmt::format("queue {} of shared sources: {}no worker of all tenants{}", name,
                            waiting > 0 ? plural(waiting, "job", "jobs") + " waiting, " : std::string{},
                            since_words(queue["waiting_since"], now)),
                fmt::format("freshet run --queue {} -- CMD, with a token of all tenants (tenant = \"*\")", name));
        else if (of_workers && waiting > 0 && queue["workers"].whole() == 0)
            add(findings, Grade::fail,
                fmt::format("queue {}{}: {} waiting, 0 workers{}", name, of, plural(waiting, "job", "jobs"),
                            since_words(queue["waiting_since"], now)),
                fmt::format("freshet run --queue {} -- CMD", name));
        else if (queue["paused"].yes() && waiting > 0)
            add(findings, Grade::warn,
                fmt::format("queue {}{} is paused and {} wait", name, of, plural(waiting, "job", "jobs")), "resume it");
        else
            ++well;
    }
    if (well > 0) add(findings, Grade::ok, plural(well, "queue", "queues") + of);
}

void check_schedules(Findings& findings, const Json& schedules, WallTime now)
{
    int well = 0;
    std::vector<std::string> late;
    WallTime first = now;
    for (const Json& schedule : schedules["items"].items()) {
        const auto& fires = schedule["next"].items();
        const auto next = fires.empty() ? std::nullopt : from_rfc3339(fires.front().text());
        if (!next || now - *next < late_max) {
            ++well;
            continue;
        }
        late.push_back(schedule["id"].text());
        first = std::min(first, *next);
    }
    if (!late.empty())
        add(findings, Grade::fail,
            fmt::format("the scheduler stands still: {}{} did not fire for {}", late[0],
                        late.size() == 1 ? "" : fmt::format(" and {} more", late.size() - 1),
                        length_words(now - first)),
            "the server's log; start the server again");
    if (well > 0) add(findings, Grade::ok, plural(well, "schedule", "schedules"));
}

void check_workers(Findings& findings, const Json& workers, WallTime now)
{
    int well = 0;
    for (const Json& worker : workers["items"].items()) {
        const std::string& id = worker["id"].text();
        const std::string& state = worker["state"].text();
        if (state == "deaf")
            add(findings, Grade::fail,
                fmt::format("worker {} is deaf: it beats and has free slots, and takes no work{}", id,
                            since_words(worker["claim_at"], now)),
                "start it again; a proxy between may hold its claims back");
        else if (state == "lost")
            add(findings, Grade::warn, fmt::format("worker {} is lost{}", id, since_words(worker["beat_at"], now)),
                worker["host"].text().empty() ? "start it again" : "look at host " + worker["host"].text());
        else
            ++well;
    }
    if (well > 0) add(findings, Grade::ok, plural(well, "worker", "workers"));
}

void check_jobs(Findings& findings, const Json& jobs, WallTime now)
{
    for (const Json& job : jobs["items"].items()) {
        if (!job["flags"]["stalled"].yes()) continue;
        const std::string& id = job["id"].text();
        add(findings, Grade::warn,
            fmt::format("job {} of {} beats and does not get on{}", id,
                        job["key"].text().empty() ? job["queue"].text() : job["key"].text(),
                        since_words(job["progress_at"], now)),
            "freshet jobs logs " + id);
    }
}

} // namespace freshet::cli
