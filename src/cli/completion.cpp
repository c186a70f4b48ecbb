// SPDX-License-Identifier: Apache-2.0
// Completion scripts are printed from the CLI::App itself, so that they know every command and option that there is.
#include "cli/commands.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace freshet::cli {

namespace {

struct CommandWords {
    std::string name, text;
    std::vector<std::pair<std::string, std::string>> options; ///< "--wait" and its text
    std::vector<CommandWords> below;
};

CommandWords words_of(const CLI::App& app)
{
    CommandWords words{app.get_name(), app.get_description(), {}, {}};
    for (const CLI::Option* option : app.get_options()) {
        for (const std::string& name : option->get_lnames())
            words.options.emplace_back("--" + name, option->get_description());
        for (const std::string& name : option->get_snames())
            words.options.emplace_back("-" + name, option->get_description());
    }
    for (const CLI::App* below :
         app.get_subcommands([](const CLI::App* sub) { return !sub->get_name().empty() && !sub->get_group().empty(); }))
        words.below.push_back(words_of(*below));
    return words;
}

std::string list_of(const CommandWords& command)
{
    std::string list;
    const auto add = [&](const std::string& word) { list += (list.empty() ? "" : " ") + word; };
    for (const CommandWords& below : command.below) add(below.name);
    for (const auto& [name, text] : command.options) add(name);
    return list;
}

// Inside single quotes of any of the three shells.
std::string quoted(std::string text)
{
    std::ranges::replace(text, '\'', '`');
    std::ranges::replace(text, '\n', ' ');
    return text;
}

std::string bash_script(const CommandWords& root)
{
    std::string cases;
    for (const CommandWords& command : root.below) {
        cases += fmt::format("        {}) words='{}' ;;\n", command.name, list_of(command));
        for (const CommandWords& below : command.below)
            cases += fmt::format("        '{} {}') words='{}' ;;\n", command.name, below.name, list_of(below));
    }
    return fmt::format(R"sh(# freshet completion for bash: eval "$(freshet completion bash)"
_freshet() {{
    local words path= word
    for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        case "$word" in -*) ;; *) path="${{path:+$path }}$word" ;; esac
    done
    words='{}'
    while :; do
        case "$path" in
        '') break ;;
{}        *) case "$path" in *' '*) path="${{path% *}}"; continue ;; *) words= ;; esac ;;
        esac
        break
    done
    COMPREPLY=($(compgen -W "$words" -- "${{COMP_WORDS[COMP_CWORD]}}"))
}}
complete -o default -F _freshet freshet
)sh",
                       list_of(root), cases);
}

// zsh runs bash's function by its own bashcompinit: one script to keep right.
std::string zsh_script(const CommandWords& root)
{
    return "#compdef freshet\n# freshet completion for zsh: eval \"$(freshet completion zsh)\"\nautoload -Uz +X "
           "compinit bashcompinit\n"
           "(( $+functions[compdef] )) || compinit\nbashcompinit\n" +
           bash_script(root);
}

std::string fish_script(const CommandWords& root)
{
    std::string out = "# freshet completion for fish: freshet completion fish | source\ncomplete -c freshet -f\n";
    for (const CommandWords& command : root.below) {
        out += fmt::format("complete -c freshet -n __fish_use_subcommand -a {} -d '{}'\n", command.name,
                           quoted(command.text));
        const std::string seen = fmt::format("'__fish_seen_subcommand_from {}'", command.name);
        for (const CommandWords& below : command.below)
            out += fmt::format("complete -c freshet -n {} -a {} -d '{}'\n", seen, below.name, quoted(below.text));
        auto options = command.options;
        for (const CommandWords& below : command.below)
            options.insert(options.end(), below.options.begin(), below.options.end());
        std::ranges::sort(options);
        options.erase(std::ranges::unique(options, {}, [](const auto& option) { return option.first; }).begin(),
                      options.end());
        for (const auto& [name, text] : options)
            out += fmt::format("complete -c freshet -n {} -{} {} -d '{}'\n", seen, name.starts_with("--") ? "l" : "s",
                               name.substr(name.starts_with("--") ? 2 : 1), quoted(text));
    }
    return out;
}

} // namespace

std::string completion_script(const CLI::App& app, std::string_view shell)
{
    const CommandWords root = words_of(app);
    if (shell == "bash") return bash_script(root);
    if (shell == "zsh") return zsh_script(root);
    return shell == "fish" ? fish_script(root) : std::string{};
}

} // namespace freshet::cli
