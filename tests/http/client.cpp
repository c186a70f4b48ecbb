// SPDX-License-Identifier: Apache-2.0
#include "tests/http/client.hpp"

#include <algorithm>
#include <cctype>
#include <chrono>
#include <curl/curl.h>
#include <simdjson.h>

namespace freshet::outside {

namespace {

std::size_t take_body(char* data, std::size_t size, std::size_t count, void* into)
{
    static_cast<Answer*>(into)->body.append(data, size * count);
    return size * count;
}

std::string_view trimmed(std::string_view text)
{
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front()))) text.remove_prefix(1);
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.remove_suffix(1);
    return text;
}

std::size_t take_header(char* data, std::size_t size, std::size_t count, void* into)
{
    auto& headers = static_cast<Answer*>(into)->headers;
    const std::string_view line{data, size * count};
    if (line.starts_with("HTTP/")) headers.clear(); // of a 100 before
    if (const auto colon = line.find(':'); colon != std::string_view::npos) {
        std::string name{line.substr(0, colon)};
        std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
        headers.emplace_back(std::move(name), std::string{trimmed(line.substr(colon + 1))});
    }
    return size * count;
}

} // namespace

std::string Answer::header(std::string_view name) const
{
    for (const auto& [known, value] : headers)
        if (known == name) return value;
    return {};
}

std::string dictionary_member(std::string_view dictionary, std::string_view member)
{
    while (!dictionary.empty()) {
        const auto comma = dictionary.find(',');
        std::string_view one = trimmed(dictionary.substr(0, comma));
        dictionary = comma == std::string_view::npos ? "" : dictionary.substr(comma + 1);
        one = one.substr(0, one.find(';'));
        const auto equals = one.find('=');
        if (one.substr(0, equals) != member) continue;
        return equals == std::string_view::npos ? "?1" : std::string{one.substr(equals + 1)};
    }
    return {};
}

std::string Answer::freshet(std::string_view member) const
{
    return dictionary_member(header("freshet"), member);
}

std::optional<std::string> Answer::json(std::string_view pointer) const
{
    simdjson::dom::parser parser;
    simdjson::dom::element element;
    if (parser.parse(body).at_pointer(pointer).get(element) != simdjson::SUCCESS || element.is_null())
        return std::nullopt;
    if (std::string_view text; element.get(text) == simdjson::SUCCESS) return std::string{text};
    return simdjson::minify(element);
}

struct Client::Handle {
    CURL* curl = curl_easy_init();
    ~Handle() { curl_easy_cleanup(curl); }
};

Client::Client(std::string url, std::string token)
    : handle_{std::make_unique<Handle>()}, url_{std::move(url)}, token_{std::move(token)}
{
}
Client::~Client() = default;
Client::Client(Client&&) noexcept = default;

Answer Client::ask(std::string_view method, const std::string& path, Headers headers, std::string body, Millis within)
{
    CURL* curl = handle_->curl;
    curl_easy_reset(curl); // keeps the connection
    Answer answer;
    if (!token_.empty()) headers.emplace_back("Authorization", "Bearer " + token_);
    if (!body.empty()) headers.emplace_back("Content-Type", "application/json");
    std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> list{nullptr, curl_slist_free_all};
    for (const auto& [name, value] : headers)
        list.reset(curl_slist_append(list.release(), (name + ": " + value).c_str()));

    const std::string url = url_ + path, verb{method};
    curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    if (verb == "HEAD")
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    else
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, verb.c_str());
    if (verb == "POST" || !body.empty()) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.c_str());
        // Without a body there is no type either: curl's own guess would be a form.
        if (body.empty()) list.reset(curl_slist_append(list.release(), "Content-Type:"));
    }
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list.get());
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(within.count()));
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, &answer);

    const auto began = std::chrono::steady_clock::now();
    const CURLcode code = curl_easy_perform(curl);
    answer.took = std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now() - began);
    if (code != CURLE_OK) {
        answer.error = curl_easy_strerror(code);
        return answer;
    }
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    answer.status = static_cast<int>(status);
    return answer;
}

} // namespace freshet::outside
