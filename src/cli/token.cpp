// SPDX-License-Identifier: Apache-2.0
// token new, list and revoke: who may speak to the server; console: a link that signs a browser in.
#include "cli/client.hpp"
#include "cli/commands.hpp"
#include "cli/words.hpp"
#include "model/key.hpp"
#include "wire/json_out.hpp"

#include <fmt/format.h>

namespace freshet::cli {

namespace {

CliError no_freshet(std::string_view what)
{
    return {exit_unreachable, fmt::format("{}: this is no answer of a freshet server", what), "freshet doctor"};
}

CliResult<void> token_new(CliContext& context, const TokenNewOptions& options)
{
    const auto target = find_target(context, options.common.config);
    if (!target) return std::unexpected(target.error());
    HttpClient client{context, *target};
    JsonOut body;
    body.begin();
    body.text("name", options.name);
    body.text_if("tenant", options.tenant);
    body.text("role", options.role);
    if (options.refresh) body.yes("refresh", true);
    if (options.expires_in) body.text("expires_in", to_text(*options.expires_in));
    body.end();
    const auto answer = client.ask({.method = "POST", .path = "/v1/tokens", .body = body.take()});
    if (!answer) return std::unexpected(answer.error());
    if (!answer->ok()) return std::unexpected(error_of(*answer, options.name));
    const auto made = Json::parse(answer->body);
    if (!made || (*made)["token"].text().empty()) return std::unexpected(no_freshet(options.name));
    if (options.common.json) {
        context.out << json_one_line(answer->body).value_or("null") << std::endl;
        return {};
    }
    context.out << safe((*made)["token"].text()) << std::endl;
    const std::string& ends = (*made)["expires_at"].text();
    context.err << fmt::format("{} of tenant {}, {}. Keep it now: only its hash is stored. From here on every request "
                               "needs a token; this machine's command line has its own.",
                               safe((*made)["role"].text()), safe((*made)["tenant"].text()),
                               ends.empty() ? "until it is revoked" : "until " + safe(ends))
                << std::endl;
    return {};
}

CliResult<void> console_link(CliContext& context, const ConsoleOptions& options)
{
    const auto target = find_target(context, options.common.config);
    if (!target) return std::unexpected(target.error());
    HttpClient client{context, *target};
    const auto answer = client.ask({.method = "POST", .path = "/v1/session/links"});
    if (!answer) return std::unexpected(answer.error());
    if (!answer->ok()) return std::unexpected(error_of(*answer, "console"));
    const auto made = Json::parse(answer->body);
    if (!made || (*made)["href"].text().empty()) return std::unexpected(no_freshet("console"));
    std::string href = (*made)["href"].text();
    // Without server.public_url the server does not know by which name it was asked.
    if (href.starts_with('/')) href = target->url + href;
    if (options.common.json) {
        context.out << json_of_texts({{"href", href}, {"expires_at", (*made)["expires_at"].text()}}) << std::endl;
        return {};
    }
    context.out << safe(href) << std::endl;
    context.err << "signs one browser in, until " << safe((*made)["expires_at"].text()) << std::endl;
    return {};
}

CliResult<void> token_list(CliContext& context, const TokenListOptions& options)
{
    const auto target = find_target(context, options.common.config);
    if (!target) return std::unexpected(target.error());
    HttpClient client{context, *target};
    std::string path = fmt::format("/v1/tokens?limit={}", options.limit);
    for (const auto& [name, value] : {std::pair{"tenant", &options.tenant}, std::pair{"after", &options.after}})
        if (!value->empty()) path += fmt::format("&{}={}", name, percent_encode(*value));
    const auto answer = client.ask({.path = path});
    if (!answer) return std::unexpected(answer.error());
    if (!answer->ok()) return std::unexpected(error_of(*answer, "tokens"));
    const auto list = Json::parse(answer->body);
    if (!list || list->kind() != Json::Kind::object) return std::unexpected(no_freshet("tokens"));
    if (options.common.json) {
        context.out << json_one_line(answer->body).value_or("null") << std::endl;
        return {};
    }
    std::vector<std::vector<std::string>> rows{{"NAME", "TENANT", "ROLE", "REFRESH", "MADE BY", "UNTIL"}};
    for (const Json& token : (*list)["items"].items()) {
        const std::string& ends = token["expires_at"].text();
        rows.push_back({safe(token["name"].text()), safe(token["tenant"].text()), safe(token["role"].text()),
                        token["refresh"].yes() ? "yes" : "no",
                        token["read_only"].yes() ? "the config file" : safe(token["made_by"].text()),
                        ends.empty() ? "revoked" : safe(ends)});
    }
    if (rows.size() == 1)
        context.err << "no tokens: whoever is on this machine may do everything" << std::endl;
    else
        context.out << table_words(rows) << std::flush;
    if (const std::string& next = (*list)["next"].text(); !next.empty())
        context.err << fmt::format("more: --after {}", safe(next)) << std::endl;
    return {};
}

CliResult<void> token_revoke(CliContext& context, const TokenRevokeOptions& options)
{
    const auto target = find_target(context, options.common.config);
    if (!target) return std::unexpected(target.error());
    HttpClient client{context, *target};
    const auto answer =
        client.ask({.method = "DELETE", .path = fmt::format("/v1/tokens/{}", percent_encode(options.name))});
    if (!answer) return std::unexpected(answer.error());
    if (!answer->ok()) return std::unexpected(error_of(*answer, options.name));
    if (options.common.json) context.out << json_of_texts({{"revoked", options.name}}) << std::endl;
    context.err << fmt::format("{} is revoked; its streams have ended", safe(options.name)) << std::endl;
    return {};
}

template <class Options>
int run(CliContext& context, const Options& options, CliResult<void> (*command)(CliContext&, const Options&))
{
    const InterruptGuard guard{context};
    const auto done = command(context, options);
    return done ? exit_done : tell(context, done.error());
}

} // namespace

int run_token_new(CliContext& context, const TokenNewOptions& options)
{
    return run(context, options, token_new);
}
int run_console(CliContext& context, const ConsoleOptions& options)
{
    return run(context, options, console_link);
}
int run_token_list(CliContext& context, const TokenListOptions& options)
{
    return run(context, options, token_list);
}
int run_token_revoke(CliContext& context, const TokenRevokeOptions& options)
{
    return run(context, options, token_revoke);
}

} // namespace freshet::cli
