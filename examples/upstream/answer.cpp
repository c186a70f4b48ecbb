// SPDX-License-Identifier: Apache-2.0
#include "answer.hpp"

#include "gzip.hpp"
#include "kind.hpp"

#include <array>
#include <cstdio>

namespace upstream {

namespace {

constexpr const char* html = "text/html; charset=utf-8";

Answer of_status(unsigned status, std::string body, std::string content_type = "text/plain; charset=utf-8")
{
    Answer answer;
    answer.status = status;
    answer.content_type = std::move(content_type);
    answer.body = std::move(body);
    return answer;
}

std::string etag_of(std::string_view body)
{
    // FNV-1a: the tag must only differ where the bytes differ.
    std::uint64_t hash = 14695981039346656037ULL;
    for (const char c : body) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "\"%016llx\"", static_cast<unsigned long long>(hash));
    return text.data();
}

/// Turns a page into a 304 where the request knows it already, and tells its validators.
void validate(Answer& answer, const State& state, const Ask& ask)
{
    const bool tags = state.validators == Validators::both || state.validators == Validators::etag;
    const bool dates = state.validators == Validators::both || state.validators == Validators::last_modified;
    const std::string tag = etag_of(answer.body);
    if (tags) answer.headers.emplace_back("ETag", tag);
    if (dates) answer.headers.emplace_back("Last-Modified", http_date(state.changed_at));

    bool known = false;
    if (const auto match = ask.header("If-None-Match"); match && tags) {
        known = *match == "*" || match->find(tag) != std::string_view::npos;
    } else if (const auto since = ask.header("If-Modified-Since"); since && dates) {
        const auto at = parse_http_date(*since);
        known = at && std::chrono::floor<std::chrono::seconds>(state.changed_at) <= *at;
    }
    if (!known) return;
    answer.status = 304;
    answer.body.clear();
    answer.content_type.clear();
}

std::string with_big_numbers()
{
    rapidjson::StringBuffer buffer;
    JsonWriter out(buffer);
    out.StartArray();
    for (const std::uint64_t id : {9007199254740993ULL, 9007199254740995ULL, 18446744073709551615ULL}) {
        out.StartObject();
        put(out, "id", id);
        put(out, "title", std::string_view("A thing with a long number"));
        out.EndObject();
    }
    out.EndArray();
    return buffer.GetString();
}

/// The page with the items that this request is to see.
Answer page(const Kind& kind, const State& state, Fault fault, const Ask& ask)
{
    std::span<const Item> items(*state.items);
    if (fault == Fault::empty) items = {};
    if (fault == Fault::half) items = items.first(items.empty() ? 0 : (items.size() - 1) / 2);
    Page shown = state.body ? Page{std::string(kind.is_json ? "application/json" : html), *state.body, 200, {}}
                            : kind.show({state, ask, items, fault == Fault::html_changed, fault});
    Answer answer;
    answer.status = shown.status == 200 ? static_cast<unsigned>(state.status) : shown.status;
    answer.content_type = state.content_type.empty() ? std::move(shown.content_type) : state.content_type;
    answer.headers = std::move(shown.headers);
    answer.headers.insert(answer.headers.end(), state.headers.begin(), state.headers.end());
    answer.body = std::move(shown.body);
    return answer;
}

void say_gzip(Answer& answer, std::string bytes)
{
    answer.headers.emplace_back("Content-Encoding", "gzip");
    answer.headers.emplace_back("Vary", "Accept-Encoding");
    answer.body = std::move(bytes);
}

Answer redirect(const std::string& to)
{
    Answer answer = of_status(302, "See there.\n");
    answer.headers.emplace_back("Location", to);
    return answer;
}

} // namespace

Answer answer_site(const Kind& kind, const State& state, Fault fault, const Ask& ask)
{
    switch (fault) {
    case Fault::status_401: return of_status(401, "Who are you?\n");
    case Fault::status_403: return of_status(403, "You may not.\n");
    case Fault::status_404: return of_status(404, "There is nothing here.\n");
    case Fault::status_429: return of_status(429, "Too many requests.\n");
    case Fault::status_500: return of_status(500, "Something broke.\n");
    case Fault::status_502: return of_status(502, "Something behind this broke.\n");
    case Fault::status_503: return of_status(503, "Closed for repairs.\n");
    case Fault::retry_after: {
        Answer answer = of_status(429, "Too many requests.\n");
        answer.headers.emplace_back("Retry-After", std::to_string(state.retry_after.count()));
        return answer;
    }
    case Fault::challenge:
        return of_status(202, "<!doctype html><title>One moment</title><p>Please show that you are human.</p>\n", html);
    case Fault::quota_body:
        return of_status(200,
                         "{\"error\":{\"code\":\"quota_exceeded\",\"message\":\"The daily quota is exceeded.\"}}\n",
                         "application/json");
    case Fault::html_instead_of_json:
        return of_status(200, "<!doctype html><title>Maintenance</title><p>We are back soon.</p>\n", html);
    case Fault::deep_json:
        return of_status(200, std::string(100'000, '[') + std::string(100'000, ']'), "application/json");
    case Fault::big_numbers: return of_status(200, with_big_numbers(), "application/json");
    case Fault::redirect_loop: return redirect(ask.target);
    case Fault::redirect_to: return redirect(state.redirect_to);
    default: break;
    }
    if (state.is_private && !kind.shows_private) return of_status(403, "This list is private.\n");

    Answer answer = page(kind, state, fault, ask);
    if (fault == Fault::bad_json) answer.body.resize(answer.body.size() / 2);
    if (fault == Fault::bad_gzip) {
        std::string bytes = gzip(answer.body);
        for (std::size_t i = bytes.size() / 2; i < bytes.size(); ++i) bytes[i] = static_cast<char>(~bytes[i]);
        say_gzip(answer, std::move(bytes));
    } else if (fault == Fault::gzip_bomb) {
        say_gzip(answer, gzip_bomb());
    } else if (answer.status == 200) {
        validate(answer, state, ask);
        const bool wanted = accepts_token(ask.header("Accept-Encoding").value_or(""), "gzip");
        if (fault == Fault::encoding_gzip && wanted && answer.status == 200) say_gzip(answer, gzip(answer.body));
    }
    return answer;
}

} // namespace upstream
