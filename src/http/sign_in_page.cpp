// SPDX-License-Identifier: Apache-2.0
#include "http/sign_in_page.hpp"

#include "http/negotiate.hpp"
#include "http/page_parts.hpp"

#include <fmt/format.h>

namespace freshet::http {

namespace {

struct Words {
    std::string_view lang, direction, title, needed, wrong, missing, field, button, hint;
};
constexpr Words english{"en",
                        "ltr",
                        "Sign in",
                        "This page needs a token.",
                        "This token does not open the page.",
                        "There is nothing here, or it is not yours to see.",
                        "Token",
                        "Sign in",
                        "The token is kept in a cookie of this server for 7 days, and nowhere else."};
constexpr Words hebrew{"he",
                       "rtl",
                       "כניסה",
                       "העמוד הזה דורש אסימון.",
                       "האסימון הזה לא פותח את העמוד.",
                       "אין כאן דבר, או שאינו שלכם.",
                       "אסימון",
                       "כניסה",
                       "האסימון נשמר בעוגייה של השרת הזה למשך 7 ימים, ובשום מקום אחר."};

const Words& words_for(const HttpRequest& request)
{
    std::string_view wanted = request.header("accept-language");
    const auto lang = request.param("lang");
    if (lang) wanted = *lang;
    const std::string_view first = trimmed(wanted.substr(0, wanted.find_first_of(",;-")));
    return same_word(first, "he") || same_word(first, "iw") ? hebrew : english;
}

// Everything that was asked for stays in the address, but for a token that opened nothing.
std::string other_parameters(const HttpRequest& request)
{
    std::string fields;
    for (const auto& [name, value] : request.query)
        if (name != "token")
            fields += fmt::format("<input type=\"hidden\" name=\"{}\" value=\"{}\">", escaped(name), escaped(value));
    return fields;
}

} // namespace

bool wants_page(const HttpRequest& request)
{
    if (request.method != "GET" && request.method != "HEAD") return false;
    std::string_view accepted = request.header("accept");
    while (!accepted.empty()) {
        const std::string_view element = take_element(accepted);
        if (same_word(trimmed(element.substr(0, element.find(';'))), "text/html")) return true;
    }
    return false;
}

HttpResponse sign_in_page(const HttpRequest& request, const Problem& problem)
{
    const Words& words = words_for(request);
    const bool shown = problem.code == "token_missing";
    const std::string up = way_up(request.path);
    HttpResponse response;
    response.status = problem.status;
    response.content_type = "text/html; charset=utf-8";
    response.headers.emplace_back("Cache-Control", "no-store");
    response.headers.emplace_back("Vary", "Accept, Accept-Language, Cookie");
    if (problem.status == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"freshet\"");
    response.body = fmt::format(
        "<!doctype html><html lang=\"{}\" dir=\"{}\"><head><meta charset=\"utf-8\">"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{}</title>"
        "<link rel=\"stylesheet\" href=\"{}{}\"><script type=\"module\" src=\"{}{}\"></script></head>"
        "<body><main class=\"help\"><h1>{}</h1><p>{}</p>"
        "<form id=\"sign-in\" method=\"get\">{}<label>{} <input type=\"password\" name=\"token\" required "
        "autofocus autocomplete=\"off\" spellcheck=\"false\" dir=\"ltr\"></label> <button>{}</button></form>"
        "<p id=\"wrong\" role=\"alert\" dir=\"auto\">{}</p><p>{}</p></main></body></html>",
        words.lang, words.direction, words.title, up, embedded_name(".css"), up, embedded_name(".js"), words.title,
        shown                   ? words.needed
        : problem.status == 404 ? words.missing
                                : words.wrong,
        other_parameters(request), words.field, words.button,
        shown ? std::string{} : escaped(problem.detail.empty() ? problem.title : problem.detail), words.hint);
    return response;
}

} // namespace freshet::http
