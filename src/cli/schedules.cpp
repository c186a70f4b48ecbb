// SPDX-License-Identifier: Apache-2.0
// schedules: what fires when, and what became of the last fire.
#include "cli/ask.hpp"
#include "cli/words.hpp"
#include "cli/work.hpp"

#include <fmt/format.h>

namespace freshet::cli {

namespace {

std::string when_words(const Json& schedule)
{
    if (!schedule["cron"].null())
        return fmt::format("{} {}", safe(schedule["cron"].text()), safe(schedule["timezone"].text()));
    return "every " + length_words(Millis{schedule["every_ms"].whole()});
}

CliResult<void> schedules(CliContext& context, const SchedulesOptions& options)
{
    const auto target = find_target(context, options.common.config, options.common.tenant);
    if (!target) return std::unexpected(target.error());
    HttpClient client{context, *target};
    const auto answer = ask_json(client, "/v1/schedules?limit=500" + query_part("source", options.source), "schedules");
    if (!answer) return std::unexpected(answer.error());
    if (options.common.json) {
        print_json(context, *answer);
        return {};
    }
    const WallTime now = server_now(context, *answer);
    const bool of_several = of_several_tenants(answer->json["items"]);
    std::vector<std::vector<std::string>> rows{{"SCHEDULE", "WHEN", "NEXT", "LAST"}};
    for (const Json& schedule : answer->json["items"].items()) {
        std::string last;
        if (const auto& fires = schedule["last"].items(); !fires.empty()) {
            const Json& fire = fires.front();
            last = fmt::format("{} {}", safe(fire["decision"].text()), ago_words(fire["fired_at"], now));
            if (!fire["reason"].text().empty()) last += ": " + safe(fire["reason"].text());
        }
        const auto& next = schedule["next"].items();
        const std::string& name = schedule["id"].text().empty() ? schedule["source"].text() : schedule["id"].text();
        rows.push_back({safe(name), when_words(schedule),
                        schedule["paused"].yes() ? "paused"
                        : next.empty()           ? "-"
                                                 : ahead_words(next.front(), now),
                        last});
        if (of_several) rows.back().insert(rows.back().begin() + 1, safe(schedule["tenant"].text()));
    }
    if (of_several) rows.front().insert(rows.front().begin() + 1, "TENANT");
    if (rows.size() == 1)
        context.err << "no schedules" << std::endl;
    else
        context.out << table_words(rows) << std::flush;
    return {};
}

} // namespace

int run_schedules(CliContext& context, const SchedulesOptions& options)
{
    return run_guarded(context, options, schedules);
}

} // namespace freshet::cli
