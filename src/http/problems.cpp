// SPDX-License-Identifier: Apache-2.0
#include "http/problems.hpp"

#include "http/data_headers.hpp"

#include <fmt/format.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

namespace freshet::http {

Problem make_problem(int status, std::string_view code, std::string_view title, std::string detail, std::string try_)
{
    Problem problem;
    problem.status = status;
    problem.code = code;
    problem.title = title;
    problem.detail = std::move(detail);
    problem.try_ = std::move(try_);
    return problem;
}

HttpResponse problem_response(std::string_view base_url, std::string_view path, Problem problem, WallTime now)
{
    problem.type_base = fmt::format("{}/problems/", base_url);
    problem.instance = path;
    HttpResponse response;
    response.status = problem.status;
    response.content_type = "application/problem+json";
    response.headers.emplace_back("Cache-Control", "no-store");
    if (problem.retry_at)
        response.headers.emplace_back("Retry-After", fmt::to_string(seconds_until(*problem.retry_at, now)));
    else if (problem.status == 503)
        response.headers.emplace_back("Retry-After", "1");
    if (problem.status == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"freshet\"");
    response.body = problem_json(problem);
    return response;
}

Problem refused_problem(const Refused& refused)
{
    const auto with = [&](int status, std::string_view title, std::string_view try_) {
        std::string detail = refused.message.empty() ? std::string{title} + "." : refused.message;
        Problem problem = make_problem(status, to_text(refused.refusal), title, std::move(detail), std::string{try_});
        problem.retry_at = refused.retry_at;
        if (refused.job) problem.job = to_text(refused.job);
        return problem;
    };
    switch (refused.refusal) {
    case Refusal::not_found: return with(404, "Not found", "Look at the id, and at the tenant it belongs to.");
    case Refusal::not_running: return with(409, "The job does not run", "Look at its state first.");
    case Refusal::lease_lost:
        return with(409, "The lease is not yours any more",
                    "Stop this work and claim again; a result that came late is kept for a person to adopt.");
    case Refusal::already_over: return with(409, "It is over already", "Retry it to have it run again.");
    case Refusal::not_terminal:
        return with(409, "Its state does not allow this", "Retry what failed or was cancelled; cancel what goes on.");
    case Refusal::generation_changed:
        return with(409, "It was retried meanwhile", "Look at it again before you retry it.");
    case Refusal::limited: {
        Problem problem =
            with(429, "Too often", "Wait until retry_at; what is there already can be read all the time.");
        problem.outcome = to_text(Outcome::limited);
        if (refused.limit_count > 0)
            problem.limit = fmt::format("{} per {}", refused.limit_count, to_text(refused.limit_per));
        return problem;
    }
    case Refusal::busy: return busy_problem();
    case Refusal::keys_full:
        return with(429, "The source has as many keys as it may have",
                    "Raise keys_max of the source, or read keys that exist.");
    case Refusal::no_held:
        return with(409, "Nothing is held on this key", "It may have been decided already; look at the key again.");
    case Refusal::held_changed:
        return with(409, "Another result is held by now", "Look at the held result again, then decide.");
    case Refusal::source_removed:
        return with(404, "The source was removed from the config", "Put it back into the config and reload.");
    case Refusal::unprepared: return store_problem(); // the server's own: results of refreshes are made ready first
    case Refusal::unique_taken:
        return with(409, "The unique key is taken", "Look at the job that holds it, or ask to attach to it.");
    case Refusal::batch_over: return with(409, "The batch is over", "Retry its failed items, or make a new batch.");
    case Refusal::batch_sealed: return with(409, "The batch is sealed", "Make a new batch for further items.");
    case Refusal::batch_live: return with(409, "The batch has not ended", "Wait for its end, or cancel it first.");
    case Refusal::item_taken:
        return with(409, "The item's key is taken in this batch", "Give each item a key of its own.");
    case Refusal::not_caller_driven:
        return with(409, "Workers drive this batch",
                    "Make the batch with driver = caller to release its items yourself.");
    case Refusal::queue_full:
        return with(429, "Too many jobs wait", "Let some end or cancel them, or raise the limit that is named.");
    case Refusal::storage_full:
        return with(507, "There is no room for more",
                    "Of a tenant: purge keys, keep fewer versions (versions_max), or raise its limits.storage. Of the "
                    "disk: free space on it.");
    case Refusal::token_taken:
        return with(409, "The token's name is taken", "Choose another name, or revoke that token first.");
    case Refusal::token_in_file:
        return with(409, "The config file has this token", "Change or remove it there; a save is enough.");
    case Refusal::tokens_full: return with(429, "There are too many tokens", "Revoke those that nobody uses.");
    case Refusal::bad_request:
        return with(400, "The request can not be carried out", "Mend what is named and ask again.");
    case Refusal::idempotency_reused:
        return with(422, "The Idempotency-Key was used for another request", "Use a new key for each new request.");
    case Refusal::store_failed: return store_problem();
    case Refusal::stopping: return with(503, "The server is stopping", "Ask again in a few seconds.");
    }
    return with(500, "Refused", "");
}

void add_limit_headers(HttpResponse& response, const Refused& refused, WallTime now)
{
    if (refused.refusal != Refusal::limited || refused.limit_count <= 0) return;
    const auto window = std::chrono::ceil<std::chrono::seconds>(refused.limit_per).count();
    const std::int64_t left = refused.retry_at ? seconds_until(*refused.retry_at, now) : window;
    response.headers.emplace_back("RateLimit-Policy", fmt::format("\"manual\";q={};w={}", refused.limit_count, window));
    response.headers.emplace_back("RateLimit", fmt::format("\"manual\";r=0;t={}", left));
}

Problem body_too_large(std::size_t bytes_max)
{
    Problem problem = make_problem(413, "body_too_large", "The body is too large",
                                   fmt::format("It may have {} bytes.", bytes_max), "Send less at once.");
    problem.limit = fmt::format("{} bytes", bytes_max);
    return problem;
}

Problem bad_parameter(std::string detail, std::string try_words)
{
    return make_problem(400, "bad_parameter", "A parameter of the query can not be used", std::move(detail),
                        std::move(try_words));
}

Problem busy_problem()
{
    return make_problem(503, "busy", "The server is busy", "The engine's inbox is full; nothing was taken on.",
                        "Ask again in a second.");
}

Problem store_problem()
{
    return make_problem(503, "store_failed", "The store can not answer",
                        "Reading or writing the data file failed; nothing was changed.",
                        "Look at /readyz and at the disk, then ask again.");
}

int status_of(const ErrorInfo& error)
{
    if (error.code == "timeout" || error.code == "run_limit") return 504;
    if (error.error_class == ErrorClass::rate_limited || error.error_class == ErrorClass::lost) return 503;
    return 502;
}

Problem failed_problem(const ErrorInfo& error, std::string_view key)
{
    Problem problem = make_problem(status_of(error), error.code.empty() ? "failed" : error.code, "The source failed",
                                   error.message, "Look at the source; what the last attempt said is in detail.");
    problem.key = key;
    problem.outcome = to_text(Outcome::failed);
    return problem;
}

std::string last_good_json(const KeyRecord& record, std::string_view base_url)
{
    if (!record.has_data) return {};
    rapidjson::StringBuffer out;
    rapidjson::Writer<rapidjson::StringBuffer> writer{out};
    const auto text = [&](const char* name, const std::string& value) {
        writer.Key(name);
        writer.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
    };
    writer.StartObject();
    writer.Key("gen");
    writer.Int64(record.gen);
    writer.Key("ver");
    writer.Int64(record.ver);
    if (record.as_of) text("as_of", to_rfc3339(*record.as_of));
    if (record.checked_at) text("checked_at", to_rfc3339(*record.checked_at));
    text("href", fmt::format("{}/v1/data/{}", base_url, record.key));
    writer.EndObject();
    return {out.GetString(), out.GetSize()};
}

} // namespace freshet::http
