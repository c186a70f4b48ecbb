// SPDX-License-Identifier: Apache-2.0
#include "cli/client.hpp"
#include "cli/commands.hpp"
#include "cli/json.hpp"
#include "cli/words.hpp"

#include <charconv>
#include <fmt/format.h>

namespace freshet::cli {

namespace {

// The least and the most that the data's age may be: a header is rounded down to seconds, an envelope says it exactly.
struct Age {
    Millis least{0}, most{0};
};
std::optional<Age> age_of(const HttpAnswer& answer)
{
    const std::string_view text = answer.header("age");
    std::int64_t age = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), age);
    if (error == std::errc{} && end == text.data() + text.size() && age >= 0)
        return Age{std::chrono::seconds{age}, std::chrono::seconds{age + 1}};
    const auto meta = json_member(answer.body, "meta");
    const auto json = meta ? Json::parse(*meta) : std::nullopt;
    if (!json || (*json)["age_ms"].null()) return std::nullopt;
    const Millis exact{(*json)["age_ms"].whole()};
    return Age{exact, exact};
}

// Only what is surely young enough passes.
CliResult<void> check_age(const GetOptions& options, const HttpAnswer& answer)
{
    if (!options.max_age) return {};
    const auto age = age_of(answer);
    const std::string way_out = fmt::format("freshet refresh {} --wait 30s", options.key);
    if (!age)
        return std::unexpected(
            CliError{exit_not_fresh, fmt::format("the answer for {} does not say its age", options.key), way_out});
    if (age->most <= *options.max_age) return {};
    return std::unexpected(CliError{exit_not_fresh,
                                    fmt::format("{} is {} old, you asked for at most {}", options.key,
                                                length_words(age->least), length_words(*options.max_age)),
                                    way_out});
}

std::string meta_words(const Json& meta, bool color)
{
    std::vector<std::vector<std::string>> rows;
    const auto add = [&](const char* name, const std::string& value) {
        if (!value.empty()) rows.push_back({name, value});
    };
    const auto number = [&](const char* name) {
        return meta[name].null() ? std::string{} : std::to_string(meta[name].whole());
    };
    add("key", safe(meta["key"].text()));
    add("state", state_words(meta["state"].text(), color));
    add("why", safe(meta["why"]["text"].text()));
    add("age", meta["age_ms"].null() ? "" : length_words(Millis{meta["age_ms"].whole()}));
    add("as_of", safe(meta["as_of"].text()));
    add("checked_at", safe(meta["checked_at"].text()));
    add("changed_at", safe(meta["changed_at"].text()));
    add("next_at", safe(meta["next_at"].text()));
    add("retry_at", safe(meta["retry_at"].text()));
    add("gen", number("gen"));
    add("ver", number("ver"));
    add("rows", number("rows"));
    add("bytes", number("bytes"));
    add("refresh", safe(meta["refresh"]["id"].text()));
    add("error", safe(meta["error"]["message"].text()));
    for (const char* flag : {"refreshing", "paused", "held"})
        if (meta[flag].yes() || meta[flag].kind() == Json::Kind::object) add(flag, "yes");
    return table_words(rows);
}

CliResult<void> get(CliContext& context, const GetOptions& options)
{
    const auto path = key_path(options.key);
    if (!path) return std::unexpected(path.error());
    const auto target = find_target(context, options.common.config, options.common.tenant);
    if (!target) return std::unexpected(target.error());
    HttpClient client{context, *target};
    const bool envelope = options.meta || options.common.json;
    // only-if-cached: what is there is answered, and nothing is fetched for it.
    const auto answer =
        client.ask({.path = *path + (envelope ? "?envelope=1" : ""), .headers = {{"Cache-Control", "only-if-cached"}}});
    if (!answer) return std::unexpected(answer.error());
    if (answer->status == 504 || answer->status == 202) {
        const auto problem = Json::parse(answer->body);
        const std::string why = problem ? (*problem)["detail"].text() : std::string{};
        return std::unexpected(CliError{exit_not_fresh,
                                        why.starts_with("It failed")
                                            ? fmt::format("{} has no data. {}", options.key, why)
                                            : fmt::format("{} has no data yet", options.key),
                                        fmt::format("freshet refresh {} --wait 30s", options.key)});
    }
    if (!answer->ok()) return std::unexpected(error_of(*answer, options.key));
    if (const auto young = check_age(options, *answer); !young) return young;
    if (!options.meta) {
        context.out << answer->body;
        const bool open_line = !answer->body.ends_with('\n');
        if (open_line && (context.out_terminal || options.common.json)) context.out << '\n';
        context.out.flush();
        return {};
    }
    const auto meta = json_member(answer->body, "meta");
    if (!meta)
        return std::unexpected(
            CliError{exit_failed, fmt::format("the answer for {} has no meta", options.key), "freshet doctor"});
    context.out << (options.common.json ? *meta + "\n" : meta_words(Json::parse(*meta).value_or(Json{}), context.color))
                << std::flush;
    return {};
}

} // namespace

int run_get(CliContext& context, const GetOptions& options)
{
    const InterruptGuard guard{context};
    const auto done = get(context, options);
    return done ? exit_done : tell(context, done.error());
}

} // namespace freshet::cli
