// SPDX-License-Identifier: Apache-2.0
#include "cli/commands.hpp"

#include "cli/bench.hpp"
#include "cli/json.hpp"
#include "cli/words.hpp"
#include "cli/work.hpp"
#include "config/reading.hpp"
#include "config/reference.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <memory>

namespace freshet::cli {

namespace {

// Options live as long as the callback that reads them, which the app owns.
template <class Options>
std::shared_ptr<Options> kept()
{
    return std::make_shared<Options>();
}

void add_json(CLI::App* command, bool& json)
{
    command->add_flag("--json", json, "Print JSON");
}

void add_common(CLI::App* command, CommonOptions& common)
{
    add_json(command, common.json);
    command
        ->add_option("--config", common.config,
                     "The server's config file; its listen is the address, unless FRESHET_URL is set")
        ->type_name("FILE");
}

/// Of a command about what is some tenant's: a token of all tenants has to name one.
void add_of_tenant(CLI::App* command, CommonOptions& common)
{
    add_common(command, common);
    command->add_option("--tenant", common.tenant, "Whose; without it, the token's")->type_name("NAME");
}

CLI::Option* add_duration(CLI::App* command, const std::string& name, std::function<void(Millis)> put,
                          const std::string& text)
{
    auto read = [put = std::move(put), name](const std::string& given) {
        const auto length = parse_duration(given);
        if (!length)
            throw CLI::ValidationError{name, fmt::format("must be a length of time such as 10s or 5m, not {}", given)};
        put(*length);
    };
    return command->add_option_function<std::string>(name, std::move(read), text)->type_name("DURATION");
}

void add_get(CLI::App& app, CliContext& context)
{
    CLI::App* command = app.add_subcommand("get", "Print the data of a key as it is kept; starts no work");
    const auto options = kept<GetOptions>();
    add_of_tenant(command, options->common);
    command->add_option("KEY", options->key, "SOURCE, or SOURCE/PARAM...")->required();
    add_duration(
        command, "--max-age", [options](Millis age) { options->max_age = age; },
        "Exit 3 if the data is older than this");
    command->add_flag("--meta", options->meta, "Print state, ages and versions instead of the data");
    command->callback([&context, options] { context.exit_code = run_get(context, *options); });
}

void add_refresh(CLI::App& app, CliContext& context)
{
    CLI::App* command = app.add_subcommand("refresh", "Have a key fetched anew");
    const auto options = kept<RefreshOptions>();
    add_of_tenant(command, options->common);
    command->add_option("KEY", options->key, "SOURCE, or SOURCE/PARAM...")->required();
    add_duration(
        command, "--wait", [options](Millis wait) { options->wait = wait; },
        "Wait this long for the end; exit 7 if it goes on");
    command->callback([&context, options] { context.exit_code = run_refresh(context, *options); });
}

void add_watch(CLI::App& app, CliContext& context)
{
    CLI::App* command = app.add_subcommand("watch", "Print a line whenever a key changes");
    const auto options = kept<WatchOptions>();
    add_of_tenant(command, options->common);
    command->add_option("KEY", options->keys, "SOURCE, SOURCE/PARAM..., or SOURCE/* for all of its keys")->required();
    command->callback([&context, options] { context.exit_code = run_watch(context, *options); });
}

void add_jobs(CLI::App& app, CliContext& context)
{
    CLI::App* jobs = app.add_subcommand("jobs", "What runs, waits and ended");
    jobs->require_subcommand(1);
    CLI::App* list = jobs->add_subcommand("list", "The latest jobs");
    const auto list_options = kept<JobsListOptions>();
    add_of_tenant(list, list_options->common);
    list->add_option("--state", list_options->state, "queued, running, succeeded, failed or cancelled");
    list->add_option("--queue", list_options->queue, "Of one queue; a source's refreshes have the queue of its name");
    list->add_option("--kind", list_options->kind, "refresh, task or item");
    list->add_option("--key", list_options->key, "Refreshes of one key");
    list->add_option("--tag", list_options->tag, "With this tag");
    list->add_option("--limit", list_options->limit, "At most so many")->check(CLI::Range(1, 500));
    list->add_option("--after", list_options->after, "Go on behind this, as the end of a list says");
    list->callback([&context, list_options] { context.exit_code = run_jobs_list(context, *list_options); });

    CLI::App* show = jobs->add_subcommand("show", "One job");
    const auto show_options = kept<JobsShowOptions>();
    add_of_tenant(show, show_options->common);
    show->add_option("JOB", show_options->id, "j_...")->required();
    show->callback([&context, show_options] { context.exit_code = run_jobs_show(context, *show_options); });
    add_work_commands(app, *jobs, context);
}

void add_run(CLI::App& app, CliContext& context)
{
    CLI::App* command = app.add_subcommand("run", "Work on the jobs of a queue: one process of a program for each");
    const auto options = kept<RunOptions>();
    add_of_tenant(command, options->common);
    command->add_option("--queue", options->queues, "The queue; several may be served")
        ->required()
        ->expected(1)
        ->take_all()
        ->allow_extra_args(false); // else it takes the -- behind its value, and with it the program's own options
    command->add_option("--slots", options->slots, "So many processes at once")->check(CLI::Range(1, 1000));
    command->add_option("--worker", options->worker, "The worker's id; else host and process id");
    add_duration(
        command, "--grace", [options](Millis grace) { options->grace = grace; },
        "After SIGTERM: time for what runs to end before it is handed back");
    add_duration(
        command, "--kill-after", [options](Millis after) { options->kill_after = after; },
        "Between SIGTERM and SIGKILL for a program that is to stop");
    command->add_option("CMD", options->command, "The program and its arguments, behind --")->required();
    command->callback([&context, options] { context.exit_code = run_run(context, *options); });
}

void add_console(CLI::App& app, CliContext& context)
{
    CLI::App* command = app.add_subcommand("console", "Print a link that signs a browser in to the console, once");
    const auto options = std::make_shared<ConsoleOptions>();
    add_common(command, options->common);
    command->callback([&context, options] { context.exit_code = run_console(context, *options); });
}

void add_token(CLI::App& app, CliContext& context)
{
    CLI::App* token = app.add_subcommand("token", "Who may speak to the server");
    token->require_subcommand(1);
    CLI::App* make = token->add_subcommand("new", "Make a token and print it, once");
    const auto make_options = kept<TokenNewOptions>();
    add_common(make, make_options->common);
    make->add_option("NAME", make_options->name, "What audit and limits call its bearer: a-z, 0-9, _ and -")
        ->required();
    make->add_option("--tenant", make_options->tenant, "The tenant it speaks for; '*' for all. Without it, yours");
    make->add_option("--role", make_options->role, "viewer, operator, worker or admin")
        ->check(CLI::IsMember({"viewer", "operator", "worker", "admin"}))
        ->capture_default_str();
    make->add_flag("--refresh", make_options->refresh, "Lets a viewer refresh");
    add_duration(
        make, "--expires-in", [make_options](Millis length) { make_options->expires_in = length; },
        "It ends by itself after this; without it, when it is revoked");
    make->callback([&context, make_options] { context.exit_code = run_token_new(context, *make_options); });

    CLI::App* list = token->add_subcommand("list", "The tokens there are, never their text");
    const auto list_options = kept<TokenListOptions>();
    add_common(list, list_options->common);
    list->add_option("--tenant", list_options->tenant, "Of one tenant");
    list->add_option("--limit", list_options->limit, "At most so many")->check(CLI::Range(1, 500));
    list->add_option("--after", list_options->after, "Go on behind this, as the end of a list says");
    list->callback([&context, list_options] { context.exit_code = run_token_list(context, *list_options); });

    CLI::App* revoke = token->add_subcommand("revoke", "End a token and the streams that it opened");
    const auto revoke_options = kept<TokenRevokeOptions>();
    add_common(revoke, revoke_options->common);
    revoke->add_option("NAME", revoke_options->name, "As token list names it")->required();
    revoke->callback([&context, revoke_options] { context.exit_code = run_token_revoke(context, *revoke_options); });
}

void add_top(CLI::App& app, CliContext& context)
{
    CLI::App* command = app.add_subcommand("top", "Every key with state, age and next refresh");
    const auto options = kept<TopOptions>();
    add_of_tenant(command, options->common);
    command->add_flag("-1,--once", options->once, "Once, instead of again and again");
    command->callback([&context, options] { context.exit_code = run_top(context, *options); });
}

void add_bench(CLI::App& app, CliContext& context)
{
    CLI::App* command = app.add_subcommand("bench", "How fast the server answers reads of a key; starts no work");
    const auto options = kept<BenchOptions>();
    add_of_tenant(command, options->common);
    command->add_option("KEY", options->key, "SOURCE, or SOURCE/PARAM...")->required();
    command->add_option("--clients", options->clients, "Connections that read at once")->check(CLI::Range(1, 1000));
    add_duration(
        command, "--for", [options](Millis length) { options->length = length; }, "How long; 5s if not told otherwise");
    command->callback([&context, options] { context.exit_code = run_bench(context, *options); });
}

void add_doctor(CLI::App& app, CliContext& context)
{
    CLI::App* command = app.add_subcommand("doctor", "Check config, disk, server, sources and streams");
    const auto options = kept<CommonOptions>();
    add_of_tenant(command, *options);
    command->callback([&context, options] { context.exit_code = run_doctor(context, *options); });
}

void add_init(CLI::App& app, CliContext& context)
{
    CLI::App* command = app.add_subcommand("init", "Write a freshet.toml to begin with");
    const auto options = kept<CommonOptions>();
    add_json(command, options->json);
    command->add_option("--config", options->config, "Where to write it")->type_name("FILE");
    command->callback([&context, options] { context.exit_code = run_init(context, *options); });
}

void add_completion(CLI::App& app, CliContext& context)
{
    CLI::App* command = app.add_subcommand("completion", "Print a completion script");
    const auto shell = kept<std::string>();
    const auto json = kept<bool>();
    add_json(command, *json);
    command->add_option("SHELL", *shell, "bash, zsh or fish")
        ->required()
        ->check(CLI::IsMember({"bash", "zsh", "fish"}));
    command->callback([&app, &context, shell, json] {
        const std::string script = completion_script(app, *shell);
        context.out << (*json ? json_of_texts({{"shell", *shell}, {"script", script}}) + "\n" : script) << std::flush;
    });
}

// What "help TOPIC..." prints: of no topic the whole; "config" and "config SETTING" the settings; "jobs show" leads two
// commands down.
CliResult<std::string> help_on(const CLI::App& app, const std::vector<std::string>& topics)
{
    if (!topics.empty() && topics.front() == "config") {
        const std::string text = config_help(topics.size() > 1 ? topics[1] : "");
        if (text.empty())
            return std::unexpected(
                CliError{exit_usage, fmt::format("there is no setting {}", topics[1]), "freshet help config"});
        return text;
    }
    const CLI::App* about = &app;
    for (const std::string& name : topics) {
        const auto named = about->get_subcommands([&](const CLI::App* below) { return below->get_name() == name; });
        if (named.empty())
            return std::unexpected(
                CliError{exit_usage, fmt::format("there is no command {}", fmt::join(topics, " ")), "freshet help"});
        about = named.front();
    }
    return about->help();
}

void add_help(CLI::App& app, CliContext& context)
{
    CLI::App* command = app.add_subcommand("help", "Explain a command, or the settings of the config");
    const auto topics = kept<std::vector<std::string>>();
    const auto json = kept<bool>();
    add_json(command, *json);
    command->add_option("TOPIC", *topics, "A command, or config [SETTING]");
    command->callback([&app, &context, topics, json] {
        const auto text = help_on(app, *topics);
        if (!text)
            context.exit_code = tell(context, text.error());
        else
            context.out << (*json ? json_of_texts({{"help", *text}}) + "\n" : *text) << std::flush;
    });
}

} // namespace

void add_client_commands(CLI::App& app, CliContext& context)
{
    add_init(app, context);
    add_get(app, context);
    add_refresh(app, context);
    add_watch(app, context);
    add_jobs(app, context);
    add_run(app, context);
    add_console(app, context);
    add_token(app, context);
    add_top(app, context);
    add_bench(app, context);
    add_doctor(app, context);
    add_completion(app, context);
    add_help(app, context);
}

namespace {

// What a command was given instead of one of those below it, or that it was given none.
std::string subcommand_words(const CLI::App& at, const std::string& path)
{
    std::vector<std::string> names;
    for (const CLI::App* below : at.get_subcommands([](const CLI::App*) { return true; }))
        names.push_back(below->get_name());
    for (const std::string& word : at.remaining()) {
        if (word.starts_with('-')) continue;
        const std::string near = nearest_name(word, names);
        return fmt::format("{} has no command {}{}", path, word, near.empty() ? "" : ", did you mean " + near);
    }
    return fmt::format("{} takes a command: {}", path, fmt::join(names, ", "));
}

} // namespace

int tell_usage(const CLI::App& app, const CLI::ParseError& error, CliContext& context)
{
    // Help and version come as exceptions with code 0.
    if (error.get_exit_code() == 0) return app.exit(error, context.out, context.err);
    std::string path = app.get_name().empty() ? "freshet" : app.get_name();
    const CLI::App* deepest = &app;
    while (!deepest->get_subcommands().empty()) {
        deepest = deepest->get_subcommands().front();
        path += " " + deepest->get_name();
    }
    std::string what = error.what();
    while (what.ends_with('.') || what.ends_with('\n')) what.pop_back();
    const bool leads_on = !deepest->get_subcommands([](const CLI::App*) { return true; }).empty();
    if (leads_on && dynamic_cast<const CLI::RequiredError*>(&error) != nullptr) what = subcommand_words(*deepest, path);
    return tell(context, {exit_usage, what, path + " --help"});
}

} // namespace freshet::cli
