// SPDX-License-Identifier: Apache-2.0
#include "cli/ask.hpp"

#include "cli/words.hpp"
#include "model/key.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <fstream>
#include <iostream>
#include <iterator>

namespace freshet::cli {

namespace {

CliResult<Answered> ask(HttpClient& client, const HttpRequest& request, const std::string& what)
{
    auto answer = client.ask(request);
    if (!answer) return std::unexpected(answer.error());
    if (!answer->ok()) return std::unexpected(error_of(*answer, what));
    auto json = Json::parse(answer->body);
    if (!json || json->kind() != Json::Kind::object)
        return std::unexpected(CliError{
            exit_unreachable, fmt::format("{}: this is no answer of a freshet server", what), "freshet doctor"});
    return Answered{std::move(*answer), std::move(*json)};
}

} // namespace

CliResult<Answered> ask_json(HttpClient& client, const std::string& path, const std::string& what)
{
    return ask(client, {.path = path}, what);
}

CliResult<Answered> tell_json(HttpClient& client, const std::string& path, const std::string& body,
                              const std::string& what)
{
    return ask(client, {.method = "POST", .path = path, .body = body}, what);
}

WallTime server_now(const CliContext& context, const Answered& answer)
{
    if (const auto now = from_rfc3339(answer.json["now"].text())) return *now;
    if (const auto date = from_http_date(answer.http.header("date"))) return *date;
    return context.clock.wall();
}

std::string ago_words(const Json& at, WallTime now)
{
    const auto instant = from_rfc3339(at.text());
    return instant ? length_words(now - *instant) + " ago" : std::string{};
}

std::string ahead_words(const Json& at, WallTime now)
{
    const auto instant = from_rfc3339(at.text());
    return instant ? "in " + length_words(std::max(*instant - now, Millis{0})) : std::string{};
}

bool of_several_tenants(const Json& items)
{
    const std::vector<Json>& rows = items.items();
    return std::ranges::any_of(rows, [&](const Json& row) { return row["tenant"].text() != rows[0]["tenant"].text(); });
}

std::string query_part(std::string_view name, std::string_view value)
{
    return value.empty() ? std::string{} : fmt::format("&{}={}", name, percent_encode(value));
}

void print_json(CliContext& context, const Answered& answer)
{
    context.out << json_one_line(answer.http.body).value_or("null") << std::endl;
}

void tell_more(CliContext& context, const Json& list)
{
    if (const std::string& next = list["next"].text(); !next.empty())
        context.err << fmt::format("more: --after {}", safe(next)) << std::endl;
}

CliResult<std::string> read_text(const CliContext& context, const std::string& file)
{
    if (file == "-") return std::string{std::istreambuf_iterator<char>{std::cin}, {}};
    std::ifstream in{context.folder / file, std::ios::binary};
    if (!in) return std::unexpected(CliError{exit_usage, fmt::format("{} cannot be read", file), "ls -l " + file});
    return std::string{std::istreambuf_iterator<char>{in}, {}};
}

} // namespace freshet::cli
