// SPDX-License-Identifier: Apache-2.0
// How the commands of work.hpp hang on CLI11.
#include "cli/work.hpp"

#include <fmt/format.h>
#include <memory>

namespace freshet::cli {

namespace {

template <class Options>
std::shared_ptr<Options> common_of(CLI::App* command)
{
    const auto options = std::make_shared<Options>();
    command->add_flag("--json", options->common.json, "Print JSON");
    command
        ->add_option("--config", options->common.config,
                     "The server's config file; its listen is the address, unless FRESHET_URL is set")
        ->type_name("FILE");
    command->add_option("--tenant", options->common.tenant, "Whose; without it, the token's")->type_name("NAME");
    return options;
}

void add_job_add(CLI::App& jobs, CliContext& context)
{
    CLI::App* command = jobs.add_subcommand("add", "Put a job into a queue and print its id");
    const auto options = common_of<JobsAddOptions>(command);
    command->add_option("QUEUE", options->queue, "The queue")->required();
    command->add_option("INPUT", options->input, "JSON; - takes it from stdin");
    command->add_option("--priority", options->priority, "3 first, 0 last")->check(CLI::Range(0, 3));
    command->add_option("--attempts", options->attempts, "Tried at most so often")->check(CLI::Range(1, 1000));
    command->add_option("--unique", options->unique, "A key: while a job of it lives, that one is answered");
    command->add_option("--tag", options->tags, "A tag; several may be given")->expected(1)->take_all();
    command
        ->add_option_function<std::string>(
            "--in",
            [options](const std::string& given) {
                options->in = parse_duration(given);
                if (!options->in)
                    throw CLI::ValidationError{"--in", "must be a length of time such as 10s or 5m, not " + given};
            },
            "Due after this")
        ->type_name("DURATION");
    command->callback([&context, options] { context.exit_code = run_jobs_add(context, *options); });
}

void add_job_verb(CLI::App& jobs, CliContext& context, const std::string& verb, const std::string& text)
{
    CLI::App* command = jobs.add_subcommand(verb, text);
    const auto options = common_of<JobVerbOptions>(command);
    options->verb = verb;
    command->add_option("JOB", options->id, "j_...")->required();
    if (verb == "retry")
        command->add_option("--input", options->input, "JSON in place of the former input; - for stdin");
    command->callback([&context, options] { context.exit_code = run_job_verb(context, *options); });
}

void add_job_logs(CLI::App& jobs, CliContext& context)
{
    CLI::App* command = jobs.add_subcommand("logs", "The lines that its attempts wrote");
    const auto options = common_of<JobsLogsOptions>(command);
    command->add_option("JOB", options->id, "j_...")->required();
    command->callback([&context, options] { context.exit_code = run_jobs_logs(context, *options); });
}

void add_batch_create(CLI::App& batches, CliContext& context)
{
    CLI::App* command = batches.add_subcommand("create", "Make a batch of items and print its id");
    const auto options = common_of<BatchesCreateOptions>(command);
    command->add_option("QUEUE", options->queue, "The queue of its items")->required();
    command->add_option("FILE", options->file, "One JSON value per line, or one JSON list; without it, stdin");
    command->add_option("--name", options->name, "What people call it");
    command->add_option("--concurrency", options->concurrency, "So many items at once");
    command->add_option("--policy", options->policy, "continue, fail_fast or threshold(N) or threshold(N%)");
    command->add_option("--driver", options->driver, "workers or caller")->check(CLI::IsMember({"workers", "caller"}));
    command->callback([&context, options] { context.exit_code = run_batches_create(context, *options); });
}

void add_batch(CLI::App& batches, CliContext& context, const std::string& name, const std::string& verb,
               const std::string& text)
{
    CLI::App* command = batches.add_subcommand(name, text);
    const auto options = common_of<BatchOptions>(command);
    options->verb = verb;
    command->add_option("BATCH", options->id, "b_...")->required();
    if (verb.empty()) command->add_flag("--failed", options->items, "Also list the items that failed");
    command->callback([&context, options] { context.exit_code = run_batch(context, *options); });
}

void add_batches(CLI::App& app, CliContext& context)
{
    CLI::App* batches = app.add_subcommand("batches", "Items that are worked on together");
    batches->require_subcommand(1);
    add_batch_create(*batches, context);
    CLI::App* list = batches->add_subcommand("list", "The latest batches");
    const auto options = common_of<BatchesListOptions>(list);
    list->add_option("--state", options->state,
                     "open, sealed, ending, succeeded, partial, failed, cancelled or aborted");
    list->add_option("--limit", options->limit, "At most so many")->check(CLI::Range(1, 500));
    list->add_option("--after", options->after, "Go on behind this, as the end of a list says");
    list->callback([&context, options] { context.exit_code = run_batches_list(context, *options); });
    add_batch(*batches, context, "show", "", "One batch");
    add_batch(*batches, context, "cancel", "cancel", "Cancel a batch and its items");
    add_batch(*batches, context, "retry-failed", "retry-failed", "Try the items again that failed");
}

void add_schedules(CLI::App& app, CliContext& context)
{
    CLI::App* command = app.add_subcommand("schedules", "What fires when, and what became of the last fire");
    const auto options = common_of<SchedulesOptions>(command);
    command->add_option("SOURCE", options->source, "Of one source");
    command->callback([&context, options] { context.exit_code = run_schedules(context, *options); });
}

} // namespace

void add_work_commands(CLI::App& app, CLI::App& jobs, CliContext& context)
{
    add_job_add(jobs, context);
    add_job_verb(jobs, context, "retry", "Try a job again that failed or was cancelled");
    add_job_verb(jobs, context, "cancel", "Cancel a job");
    add_job_verb(jobs, context, "run", "Let a waiting job begin now");
    add_job_logs(jobs, context);
    add_batches(app, context);
    add_schedules(app, context);
}

} // namespace freshet::cli
