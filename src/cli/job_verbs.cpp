// SPDX-License-Identifier: Apache-2.0
// jobs add, retry, cancel, run and logs.
#include "cli/ask.hpp"
#include "cli/job_words.hpp"
#include "cli/work.hpp"
#include "model/key.hpp"
#include "wire/json_out.hpp"

#include <fmt/format.h>

namespace freshet::cli {

namespace {

CliResult<std::string> json_input(const CliContext& context, const std::string& given)
{
    auto text = given == "-" ? read_text(context, given) : CliResult<std::string>{given};
    if (!text) return text;
    auto json = json_one_line(*text);
    if (!json)
        return std::unexpected(
            CliError{exit_usage, "the input is no JSON", R"('{"region": "north"}' in quotes, or - for stdin)"});
    return std::move(*json);
}

CliResult<void> jobs_add(CliContext& context, const JobsAddOptions& options)
{
    JsonOut body;
    body.begin();
    body.text("queue", options.queue);
    if (!options.input.empty()) {
        const auto input = json_input(context, options.input);
        if (!input) return std::unexpected(input.error());
        body.raw_if("input", *input);
    }
    body.whole_if("priority", options.priority);
    body.whole_if("attempts_max", options.attempts);
    if (options.in) body.time("due_at", context.clock.wall() + *options.in);
    if (!options.unique.empty()) {
        body.begin("unique");
        body.text("key", options.unique);
        body.end();
    }
    if (!options.tags.empty()) {
        body.begin_list("tags");
        for (const std::string& tag : options.tags) body.text(tag);
        body.end_list();
    }
    body.end();

    const auto target = find_target(context, options.common.config, options.common.tenant);
    if (!target) return std::unexpected(target.error());
    HttpClient client{context, *target};
    const auto answer = tell_json(client, "/v1/jobs", body.take(), "queue " + options.queue);
    if (!answer) return std::unexpected(answer.error());
    if (options.common.json) {
        print_json(context, *answer);
        return {};
    }
    context.out << safe(answer->json["id"].text()) << std::endl;
    if (answer->json["attached"].yes())
        context.err << fmt::format("there was one of that key already: {}", answer->json["state"].text()) << std::endl;
    return {};
}

CliResult<void> job_verb(CliContext& context, const JobVerbOptions& options)
{
    std::string body;
    if (!options.input.empty()) {
        const auto input = json_input(context, options.input);
        if (!input) return std::unexpected(input.error());
        JsonOut out;
        out.begin();
        out.raw_if("input", *input);
        out.end();
        body = out.take();
    }
    const auto target = find_target(context, options.common.config, options.common.tenant);
    if (!target) return std::unexpected(target.error());
    HttpClient client{context, *target};
    const auto answer =
        tell_json(client, fmt::format("/v1/jobs/{}/{}", percent_encode(options.id), options.verb), body, options.id);
    if (!answer) return std::unexpected(answer.error());
    if (options.common.json) {
        print_json(context, *answer);
        return {};
    }
    context.out << job_line(answer->json, server_now(context, *answer), context.color) << std::endl;
    if (const std::string& already = answer->json["already"].text(); !already.empty())
        context.err << "already " << safe(already) << ": nothing was changed" << std::endl;
    return {};
}

CliResult<void> jobs_logs(CliContext& context, const JobsLogsOptions& options)
{
    const auto target = find_target(context, options.common.config, options.common.tenant);
    if (!target) return std::unexpected(target.error());
    HttpClient client{context, *target};
    bool any = false;
    std::string after;
    for (;;) {
        const auto answer = ask_json(
            client, fmt::format("/v1/jobs/{}/log?limit=500{}", percent_encode(options.id), query_part("after", after)),
            options.id);
        if (!answer) return std::unexpected(answer.error());
        if (options.common.json) print_json(context, *answer);
        const WallTime now = server_now(context, *answer);
        for (const Json& line : answer->json["items"].items()) {
            any = true;
            if (options.common.json) continue;
            const auto at = from_rfc3339(line["at"].text());
            // A pipe gets the lines alone; a person sees when each was written.
            if (context.out_terminal && at) context.out << paint(clock_words(*at, now) + "  ", "2", context.color);
            context.out << safe(line["text"].text()) << '\n';
        }
        context.out.flush();
        after = answer->json["next"].text();
        if (after.empty()) break;
    }
    if (!any && !options.common.json) context.err << "no lines" << std::endl;
    return {};
}

} // namespace

int run_jobs_add(CliContext& context, const JobsAddOptions& options)
{
    return run_guarded(context, options, jobs_add);
}
int run_job_verb(CliContext& context, const JobVerbOptions& options)
{
    return run_guarded(context, options, job_verb);
}
int run_jobs_logs(CliContext& context, const JobsLogsOptions& options)
{
    return run_guarded(context, options, jobs_logs);
}

} // namespace freshet::cli
