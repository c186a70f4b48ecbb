// SPDX-License-Identifier: Apache-2.0
// jobs list, jobs show and top: lists that the server keeps, as tables.
#include "cli/ask.hpp"
#include "cli/commands.hpp"
#include "cli/job_words.hpp"
#include "model/key.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <thread>

namespace freshet::cli {

namespace {

constexpr int top_rows_max = 200;
constexpr Millis top_every = 2s;

CliResult<void> jobs_list(CliContext& context, const JobsListOptions& options)
{
    const auto target = find_target(context, options.common.config, options.common.tenant);
    if (!target) return std::unexpected(target.error());
    HttpClient client{context, *target};
    std::string path = fmt::format("/v1/jobs?limit={}", options.limit);
    path += query_part("state", options.state) + query_part("queue", options.queue) + query_part("kind", options.kind) +
            query_part("key", options.key) + query_part("tag", options.tag) + query_part("after", options.after);
    const auto answer = ask_json(client, path, "jobs");
    if (!answer) return std::unexpected(answer.error());
    if (options.common.json) {
        print_json(context, *answer);
        return {};
    }
    const WallTime now = server_now(context, *answer);
    const bool of_several = of_several_tenants(answer->json["items"]);
    std::vector<std::vector<std::string>> rows{{"JOB", "OF", "STATE", "ATTEMPT", "REQUESTED", "PROGRESS"}};
    for (const Json& job : answer->json["items"].items()) {
        const std::string& of = job["key"].text().empty() ? job["queue"].text() : job["key"].text();
        std::string last = progress_words(job);
        if (last.empty()) last = safe(job["outcome"].text());
        if (const std::string& error = job["error"]["message"].text(); !error.empty())
            last += (last.empty() ? "" : ": ") + safe(error);
        rows.push_back({safe(job["id"].text()), safe(of), state_words(job["state"].text(), context.color),
                        std::to_string(job["attempt"].whole()), ago_words(job["requested_at"], now), last});
        if (of_several) rows.back().insert(rows.back().begin() + 2, safe(job["tenant"].text()));
    }
    if (of_several) rows.front().insert(rows.front().begin() + 2, "TENANT");
    if (rows.size() == 1)
        context.err << "no jobs" << std::endl;
    else
        context.out << table_words(rows) << std::flush;
    tell_more(context, answer->json);
    return {};
}

CliResult<void> jobs_show(CliContext& context, const JobsShowOptions& options)
{
    const auto target = find_target(context, options.common.config, options.common.tenant);
    if (!target) return std::unexpected(target.error());
    HttpClient client{context, *target};
    const auto answer = ask_json(client, "/v1/jobs/" + percent_encode(options.id), options.id);
    if (!answer) return std::unexpected(answer.error());
    if (options.common.json)
        print_json(context, *answer);
    else
        context.out << job_line(answer->json, server_now(context, *answer), context.color) << std::endl;
    return {};
}

std::string summary_words(const Json& counts)
{
    std::string words;
    for (const auto& [state, count] : counts.members())
        if (count.whole() > 0) words += fmt::format("{}{} {}", words.empty() ? "" : ", ", count.whole(), safe(state));
    return words;
}

std::string top_words(const CliContext& context, const Answered& answer)
{
    const WallTime now = server_now(context, answer);
    const bool of_several = of_several_tenants(answer.json["items"]);
    std::vector<std::vector<std::string>> rows{{"KEY", "STATE", "AGE", "VER", "ROWS", "LAST", "NEXT", "WHY"}};
    for (const Json& row : answer.json["items"].items()) {
        const auto next = from_rfc3339(row["next_at"].text());
        std::string flags;
        for (const char* flag : {"paused", "held"})
            if (row[flag].yes() || row[flag].kind() == Json::Kind::object) flags += fmt::format("{} ", flag);
        std::string why = safe(row["error"]["message"].text());
        if (why.empty() && row["state"].text() != "fresh") why = safe(row["why"]["text"].text());
        rows.push_back({safe(row["key"].text()),
                        state_words(row["state"].text(), context.color) + (row["refreshing"].yes() ? " +" : ""),
                        row["age_ms"].null() ? "-" : length_words(Millis{row["age_ms"].whole()}),
                        row["ver"].null() ? "-" : fmt::format("v{}", row["ver"].whole()),
                        row["rows"].null() ? "-" : std::to_string(row["rows"].whole()),
                        safe(row["last"]["outcome"].text()),
                        next ? "in " + length_words(std::max(*next - now, Millis{0})) : "-", flags + why});
        if (of_several) rows.back().insert(rows.back().begin() + 1, safe(row["tenant"].text()));
    }
    if (of_several) rows.front().insert(rows.front().begin() + 1, "TENANT");
    return rows.size() == 1 ? "no keys yet\n" : table_words(rows);
}

CliResult<void> top(CliContext& context, const TopOptions& options)
{
    const auto target = find_target(context, options.common.config, options.common.tenant);
    if (!target) return std::unexpected(target.error());
    HttpClient client{context, *target};
    const bool once = options.once || options.common.json || !context.out_terminal;
    for (;;) {
        const auto answer = ask_json(client, fmt::format("/v1/freshness?limit={}", top_rows_max), "freshness");
        if (!answer && (once || answer.error().exit_code == exit_not_allowed)) return std::unexpected(answer.error());
        if (options.common.json) {
            print_json(context, *answer);
            return {};
        }
        if (!once)
            context.out << "\x1b[H\x1b[2J"
                        << fmt::format("freshet top  {}  every {}, ctrl-c ends\n\n", target->url,
                                       length_words(top_every));
        if (answer) {
            context.out << top_words(context, *answer);
            const std::string counts = summary_words(answer->json["counts"]);
            if (!once && !counts.empty()) context.out << '\n' << counts << '\n';
            context.out.flush();
            if (!answer->json["next"].null())
                context.err << fmt::format("the first {} keys; the rest by GET /v1/freshness?after=...", top_rows_max)
                            << std::endl;
        } else {
            context.out << safe(answer.error().what) << std::endl;
        }
        if (once) return {};
        const SteadyTime until = context.clock.steady() + top_every;
        while (!context.stopped() && context.clock.steady() < until) std::this_thread::sleep_for(100ms);
        if (context.stopped()) return std::unexpected(CliError{exit_interrupted, "interrupted", {}});
    }
}

} // namespace

int run_jobs_list(CliContext& context, const JobsListOptions& options)
{
    return run_guarded(context, options, jobs_list);
}
int run_jobs_show(CliContext& context, const JobsShowOptions& options)
{
    return run_guarded(context, options, jobs_show);
}
int run_top(CliContext& context, const TopOptions& options)
{
    return run_guarded(context, options, top);
}

} // namespace freshet::cli
