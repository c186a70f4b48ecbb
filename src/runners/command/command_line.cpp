// SPDX-License-Identifier: Apache-2.0
#include "runners/command/command_line.hpp"

#include "model/key.hpp"

#include <algorithm>
#include <cstdlib>
#include <fmt/format.h>
#include <simdjson.h>

namespace freshet {

namespace {

std::string as_it_is(std::string_view text)
{
    return std::string{text};
}

std::unexpected<FlightFailure> refused(std::string code, std::string message)
{
    FlightFailure failure{ErrorClass::fatal, std::move(code), std::move(message)};
    return std::unexpected(std::move(failure));
}

bool has_nul(std::string_view text)
{
    return text.find('\0') != std::string_view::npos;
}

void put(std::vector<std::string>& environment, std::string_view name, std::string_view value)
{
    const std::string prefix = fmt::format("{}=", name);
    std::erase_if(environment, [&](const std::string& entry) { return entry.starts_with(prefix); });
    environment.push_back(prefix + std::string{value});
}

// What a command may take from the server: enough to find programs and the home, no secret.
std::vector<std::string> inherited_environment()
{
    std::vector<std::string> environment;
    put(environment, "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    put(environment, "LANG", "C.UTF-8");
    for (const char* name : {"PATH", "HOME", "LANG"})
        if (const char* value = std::getenv(name); value != nullptr && *value != '\0') put(environment, name, value);
    return environment;
}

} // namespace

std::expected<CommandLine, FlightFailure> command_line(const FlightOrder& order)
{
    const SourceDefinition& source = *order.source;
    const CommandDefinition& command = source.command;
    if (order.params.size() != source.params.size())
        return refused("bad_param", fmt::format("source {} takes {} parameters and was given {}", source.name,
                                                source.params.size(), order.params.size()));
    for (std::size_t i = 0; i < order.params.size(); ++i)
        if (has_nul(order.params[i]))
            return refused("bad_param", fmt::format("parameter {} contains a NUL byte", source.params[i].name));
    if (command.run.empty() || command.run.front().empty())
        return refused("bad_command", fmt::format("source {} names no program to run", source.name));

    CommandLine line;
    for (const std::string& declared : command.run) {
        std::string argument = fill_template(declared, source, order.params, &as_it_is);
        if (has_nul(argument))
            return refused("bad_command", fmt::format("an argument of {} has a NUL byte", source.name));
        if (argument.starts_with('-') && !declared.starts_with('-'))
            return refused("bad_param", fmt::format("\"{}\" would be read as an option of {}: a parameter that begins "
                                                    "an argument may not begin with '-'",
                                                    argument, command.run.front()));
        line.arguments.push_back(std::move(argument));
    }
    // Without a folder in front of it a parameter would pick any program of PATH.
    const std::string& program = command.run.front();
    if (line.arguments.front() != program && program.substr(0, program.find('{')).find('/') == std::string::npos)
        return refused("bad_command",
                       fmt::format("the program \"{}\" of source {} is chosen by a parameter: put its folder in front",
                                   program, source.name));

    line.directory = command.directory;
    line.environment = inherited_environment();
    for (const auto& [name, secret] : command.env) {
        const auto value = resolve(secret);
        if (!value)
            return refused("secret_missing",
                           fmt::format("{} of source {} is taken from the {} {}, which is not there", name, source.name,
                                       secret.from == Secret::From::env ? "environment variable" : "file",
                                       secret.text));
        if (name.empty() || name.find('=') != std::string::npos || has_nul(name) || has_nul(*value))
            return refused(
                "bad_command",
                fmt::format("the environment of source {} has an entry that cannot be passed on", source.name));
        put(line.environment, name, *value);
        if (secret.from != Secret::From::literal && value->size() >= 4) line.secrets.push_back(*value);
    }
    return line;
}

std::string presentable(std::string tail, bool cut, const std::vector<std::string>& secrets)
{
    // A secret that the cut went through could not be recognised any more.
    if (cut) {
        std::size_t longest = 0;
        for (const std::string& secret : secrets) longest = std::max(longest, secret.size());
        const auto line_end = tail.find('\n');
        tail.erase(0, line_end == std::string::npos ? longest : line_end + 1);
    }
    for (const std::string& secret : secrets)
        for (auto at = tail.find(secret); at != std::string::npos; at = tail.find(secret, at))
            tail.replace(at, secret.size(), "***");
    const bool valid = simdjson::validate_utf8(tail);
    for (char& c : tail) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x80 ? !valid : (byte < 0x20 && c != '\n') || byte == 0x7f) c = byte >= 0x80 ? '?' : ' ';
    }
    const auto first = tail.find_first_not_of(" \n");
    if (first == std::string::npos) return {};
    return tail.substr(first, tail.find_last_not_of(" \n") - first + 1);
}

} // namespace freshet
