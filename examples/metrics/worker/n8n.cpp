// SPDX-License-Identifier: Apache-2.0
#include "n8n.hpp"

#include "times.hpp"

#include <algorithm>
#include <cctype>
#include <curl/curl.h>

namespace metrics {

namespace {

using freshet::Json;

constexpr std::chrono::seconds request_limit{10};

/// N8N_URL_ACME for client acme.
std::string name_of_variable(const std::string& what, std::string client)
{
    for (char& c : client)
        c = std::isalnum(static_cast<unsigned char>(c)) != 0
                ? static_cast<char>(std::toupper(static_cast<unsigned char>(c)))
                : '_';
    return what + "_" + client;
}

std::string escaped(const std::string& text)
{
    char* const made = curl_easy_escape(nullptr, text.data(), static_cast<int>(text.size()));
    std::string out = made;
    curl_free(made);
    return out;
}

/// Ids are numbers or texts.
std::string id_of(const Json& value)
{
    if (value.kind() == Json::Kind::text) return value.text();
    return value.null() ? std::string{} : value.dump();
}

std::optional<std::int64_t> instant(const Json& value)
{
    return value.null() ? std::nullopt : instant_of(value.text());
}

Execution execution_of(const Json& row)
{
    Execution execution{id_of(row["id"]), id_of(row["workflowId"]), row["status"].text(), instant(row["startedAt"]),
                        instant(row["stoppedAt"])};
    // Older versions say only whether it finished.
    if (execution.status.empty())
        execution.status = row["finished"].yes() ? "success" : execution.stopped ? "error" : "running";
    return execution;
}

} // namespace

bool Execution::ended() const
{
    return status != "new" && status != "running" && status != "waiting";
}

N8n::N8n(freshet::Job& job, std::string client)
    : job_{job}, client_{std::move(client)}, who_{"n8n of " + client_},
      // The real one: N8N_URL_ACME=https://n8n.acme.example.com N8N_API_KEY_ACME=...
      base_{kit::environment(name_of_variable("N8N_URL", client_).c_str(), kit::upstream() + "/n8n-" + client_)},
      key_{kit::environment(name_of_variable("N8N_API_KEY", client_).c_str(), "stand-in")}
{
}

kit::Answer N8n::ask(const std::string& path)
{
    try {
        return kit::ask(job_, {.url = base_ + "/api/v1/" + path,
                               .headers = {"X-N8N-API-KEY: " + key_, "Accept: application/json"},
                               .time_limit = request_limit});
    } catch (const freshet::Retryable& error) {
        throw freshet::Retryable(who_ + " did not answer within " + std::to_string(request_limit.count()) +
                                     " s, or not at all (" + error.what() + ")",
                                 error.code());
    }
}

Json N8n::read(const std::string& path, const kit::Answer& answer)
{
    if (answer.status != 200) kit::refuse(who_, answer);
    try {
        return Json::parse(answer.body);
    } catch (const std::invalid_argument&) {
        throw freshet::Retryable(who_ + " answered " + path + " with something that is no JSON", "unexpected_shape");
    }
}

std::optional<ExecutionPage> N8n::executions(const std::string& cursor)
{
    const kit::Answer answer = ask("executions?limit=250" + (cursor.empty() ? "" : "&cursor=" + escaped(cursor)));
    if (answer.status == 400 && !cursor.empty()) return std::nullopt;
    const Json body = read("executions", answer);
    if (body["data"].kind() != Json::Kind::list)
        throw freshet::Retryable(who_ + " answered without a list of executions: has its API changed?",
                                 "unexpected_shape");
    ExecutionPage page{{}, body["nextCursor"].text()};
    for (const Json& row : body["data"].items()) {
        page.rows.push_back(execution_of(row));
        if (page.rows.back().id.empty())
            throw freshet::Retryable(who_ + " answered with an execution without an id", "unexpected_shape");
    }
    return page;
}

std::optional<Execution> N8n::execution(const std::string& id)
{
    const kit::Answer answer = ask("executions/" + escaped(id));
    if (answer.status == 404) return std::nullopt;
    Execution execution = execution_of(read("executions/" + id, answer));
    if (execution.id != id)
        throw freshet::Retryable(who_ + " answered with another execution than was asked for", "unexpected_shape");
    return execution;
}

std::vector<Workflow> N8n::workflows()
{
    std::vector<Workflow> found;
    std::string cursor;
    do {
        const Json body =
            read("workflows", ask("workflows?limit=250" + (cursor.empty() ? "" : "&cursor=" + escaped(cursor))));
        if (body["data"].kind() != Json::Kind::list)
            throw freshet::Retryable(who_ + " answered without a list of workflows: has its API changed?",
                                     "unexpected_shape");
        for (const Json& row : body["data"].items())
            found.push_back({id_of(row["id"]), row["name"].text(), row["active"].yes(), row["isArchived"].yes()});
        const std::string next = body["nextCursor"].text();
        if (next == cursor) break;
        cursor = next;
    } while (!cursor.empty());
    return found;
}

} // namespace metrics
