// SPDX-License-Identifier: Apache-2.0
// The doctor's questions to a server: is it one, is it ready, does it know us, is its clock ours, do streams flow.
#include "cli/doctor.hpp"

#include "cli/sse.hpp"
#include "cli/words.hpp"
#include "model/shared.hpp"

#include <algorithm>
#include <cstdlib>
#include <fmt/format.h>
#include <functional>
#include <set>

namespace freshet::cli {

namespace {

constexpr Millis answer_time = 5s;
constexpr Millis hello_time = 2s;
constexpr Millis drift_max = 2s;

void add(Findings& findings, Grade grade, std::string what, std::string try_ = {})
{
    findings.push_back({grade, std::move(what), std::move(try_)});
}

// Asks /readyz and /healthz. False: nothing there, or something that is not freshet.
bool check_alive(Findings& findings, HttpClient& client)
{
    const std::string& url = client.target().url;
    const auto ready = client.ask({.path = "/readyz", .timeout = answer_time});
    if (!ready) {
        add(findings, Grade::fail, ready.error().what, ready.error().try_);
        return false;
    }
    const auto json = Json::parse(ready->body);
    // A server that is not ready answers 503 with the same shape; anything else is not one of ours.
    const bool ours = (ready->status == 200 || ready->status == 503) && json && json->kind() == Json::Kind::object;
    if (!ours) {
        add(findings, Grade::fail,
            fmt::format("something that is not freshet answers at {} (HTTP {})", url, ready->status),
            client.target().local ? "another server.listen, or end what uses the port (ss -ltnp)"
                                  : "check FRESHET_URL");
        return false;
    }
    const std::size_t before = findings.size();
    const int components = check_components(findings, *json);
    if (findings.size() == before && ready->status != 200)
        add(findings, Grade::fail, fmt::format("the server at {} is not ready", url), "the server's log");
    else if (findings.size() == before)
        add(findings, Grade::ok, components > 0 ? plural(components, "component", "components") : "server");
    return true;
}

void check_clock(Findings& findings, const CliContext& context, const Json& freshness, WallTime asked)
{
    const auto now = from_rfc3339(freshness["now"].text());
    if (!now) return;
    const WallTime answered = context.clock.wall();
    const Millis drift = *now - (asked + (answered - asked) / 2);
    if (std::chrono::abs(drift) > drift_max)
        add(findings, Grade::warn,
            fmt::format("the server's clock is {} {} this machine's", length_words(std::chrono::abs(drift)),
                        drift.count() > 0 ? "ahead of" : "behind"),
            "timedatectl set-ntp true, on both");
    else
        add(findings, Grade::ok, "clock");
}

// Lists need a token where a server has tokens; what it says of ours is a finding of its own. False: not let in.
// `tenants` gets those that the keys are of.
bool check_lists(Findings& findings, const CliContext& context, HttpClient& client, std::set<std::string>& tenants)
{
    const WallTime asked = context.clock.wall();
    const auto answer = client.ask({.path = "/v1/freshness?limit=500", .timeout = answer_time});
    if (!answer) {
        add(findings, Grade::fail, answer.error().what, answer.error().try_);
        return false;
    }
    const bool refused = answer->status == 401 || answer->status == 403;
    if (refused && client.target().token.empty()) {
        add(findings, Grade::fail, "the server wants a token and there is none", "export FRESHET_TOKEN=...");
        return false;
    }
    if (!answer->ok()) {
        const CliError error = error_of(*answer, refused ? "the token is rejected" : "the list of keys");
        add(findings, Grade::fail, error.what, error.try_);
        return false;
    }
    const auto json = Json::parse(answer->body);
    if (!json || (*json)["items"].kind() != Json::Kind::list) {
        add(findings, Grade::fail, "the list of keys is no JSON of freshet's: a proxy answers in its place",
            "curl -v " + client.target().url + "/v1/freshness");
        return false;
    }
    check_clock(findings, context, *json, asked);
    check_sources(findings, *json);
    for (const Json& row : (*json)["items"].items()) tenants.insert(row["tenant"].text());
    return true;
}

// Lists that a token of less than an operator may not see, or that an older server does not have, are left out.
void check_list(const CliContext& context, HttpClient& client, const std::string& path,
                const std::function<void(const Json&, WallTime)>& check)
{
    if (context.stopped()) return;
    const auto answer = client.ask({.path = path, .timeout = answer_time});
    if (!answer || !answer->ok()) return;
    const auto json = Json::parse(answer->body);
    if (!json || (*json)["items"].kind() != Json::Kind::list) return;
    check(*json, from_rfc3339((*json)["now"].text()).value_or(context.clock.wall()));
}

void check_work(Findings& findings, const CliContext& context, HttpClient& client, const std::set<std::string>& tenants)
{
    // Queues are of one tenant, whoever asks. Those of shared sources are there before anybody read one, for a token of
    // all tenants.
    std::set<std::string> asked = tenants;
    asked.emplace(shared_tenant);
    for (const std::string& tenant : asked)
        check_list(context, client, fmt::format("/v1/queues?limit=500{}{}", tenant.empty() ? "" : "&tenant=", tenant),
                   [&](const Json& list, WallTime now) { check_queues(findings, list, now, tenant); });
    using Check = void (*)(Findings&, const Json&, WallTime);
    for (const auto& [path, check] : {std::pair<const char*, Check>{"/v1/workers?limit=500", &check_workers},
                                      {"/v1/jobs?state=running&limit=500", &check_jobs},
                                      {"/v1/schedules?limit=500", &check_schedules}})
        check_list(context, client, path, [&](const Json& list, WallTime now) { check(findings, list, now); });
}

// Whose stream is tried. Shared keys are in everyone's list, and their own tenant is for a token of all to name.
std::string stream_tenant(HttpClient& client, const std::set<std::string>& tenants)
{
    const auto own = std::ranges::find_if(tenants, [](const std::string& name) { return name != shared_tenant; });
    if (own != tenants.end()) return *own;
    const auto answer = client.ask({.path = "/v1/me", .timeout = answer_time});
    const auto me = answer && answer->ok() ? Json::parse(answer->body) : std::nullopt;
    return me && (*me)["all_tenants"].yes() ? *tenants.begin() : std::string{};
}

// The hello of a stream comes at once unless something between collects bytes before it passes them on.
void check_stream(Findings& findings, HttpClient& client, const std::string& tenant)
{
    bool hello = false;
    SseParser parser;
    const auto answer =
        client.stream({.path = fmt::format("/v1/stream?topic=freshness{}{}", tenant.empty() ? "" : "&tenant=", tenant),
                       .headers = {{"Accept", "text/event-stream"}},
                       .timeout = answer_time},
                      hello_time, [&](std::string_view bytes) {
                          return parser.feed(bytes, [&](const SseEvent& event) {
                              hello = event.event == "hello";
                              return !hello;
                          });
                      });
    if (hello) {
        add(findings, Grade::ok, "streams");
    } else if (!answer && answer.error().exit_code == exit_timed_out) {
        add(findings, Grade::warn,
            fmt::format("streams are held back: no hello within {}, so a proxy collects them",
                        length_words(hello_time)),
            "proxy_buffering off for /v1/stream; clients fall back to polling");
    } else if (!answer) {
        add(findings, Grade::warn, "the stream broke: " + answer.error().what, answer.error().try_);
    } else {
        const CliError error = error_of(*answer, "the stream");
        add(findings, Grade::warn, answer->status == 200 ? "the stream ended before its hello" : error.what,
            answer->status == 200 ? "the server's log" : error.try_);
    }
}

} // namespace

bool check_server(Findings& findings, CliContext& context, HttpClient& client)
{
    const std::string& url = client.target().url;
    if (!client.target().token.empty() && url.starts_with("http://") && !client.target().local &&
        !url.contains("//127.") && !url.contains("//localhost") && !url.contains("//[::1]"))
        add(findings, Grade::warn, fmt::format("the token goes to {} unencrypted", url), "https in FRESHET_URL");
    if (!check_alive(findings, client)) return false;
    if (context.stopped()) return true;
    std::set<std::string> tenants;
    if (!check_lists(findings, context, client, tenants)) return true;
    if (tenants.empty()) tenants.emplace();
    check_work(findings, context, client, tenants);
    if (!context.stopped()) check_stream(findings, client, stream_tenant(client, tenants));
    return true;
}

} // namespace freshet::cli
