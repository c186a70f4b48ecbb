// SPDX-License-Identifier: Apache-2.0
#include "cli/client.hpp"

#include "base/failure.hpp"
#include "cli/json.hpp"
#include "model/key.hpp"

#include <algorithm>
#include <curl/curl.h>
#include <fmt/format.h>

namespace freshet::cli {

namespace {

constexpr std::size_t body_bytes_max = 256U << 20;
constexpr long connect_timeout_ms = 5000;

char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

bool loopback(std::string_view url)
{
    const std::string_view host = url.substr(url.find("://") + 3);
    return host.starts_with("127.") || host.starts_with("localhost") || host.starts_with("[::1]");
}

// Every route of the API takes the parameter; what the command itself asks for goes before.
std::string with_tenant(const std::string& path, const std::string& tenant)
{
    const std::size_t query = path.find('?');
    const bool named = path.find("?tenant=") != std::string::npos || path.find("&tenant=") != std::string::npos;
    if (tenant.empty() || named || !path.starts_with("/v1/")) return path;
    return fmt::format("{}{}tenant={}", path, query == std::string::npos ? '?' : '&', percent_encode(tenant));
}

} // namespace

struct HttpClient::Handle {
    CURL* curl = curl_easy_init();
    char error[CURL_ERROR_SIZE] = {};
    ~Handle() { curl_easy_cleanup(curl); }
};

// One call while curl runs it; curl's callbacks get it as their user pointer.
struct HttpClient::Call {
    HttpClient& client;
    HttpAnswer answer{};
    const std::function<bool(std::string_view)>* each = nullptr;
    Millis idle{0};
    SteadyTime heard{}, ticked{};
    enum class End : std::uint8_t { curl, idle, interrupted, stopped, too_large } end = End::curl;

    static std::size_t on_header(char* bytes, std::size_t, std::size_t count, void* self)
    {
        auto& call = *static_cast<Call*>(self);
        std::string_view line{bytes, count};
        while (!line.empty() && (line.back() == '\r' || line.back() == '\n')) line.remove_suffix(1);
        if (line.starts_with("HTTP/")) call.answer.headers.clear();
        const auto colon = line.find(':');
        if (colon == std::string_view::npos) return count;
        std::string name{line.substr(0, colon)};
        std::ranges::transform(name, name.begin(), lower);
        std::string_view value = line.substr(colon + 1);
        value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
        call.answer.headers.emplace_back(std::move(name), std::string{value});
        return count;
    }

    static std::size_t on_body(char* bytes, std::size_t, std::size_t count, void* self)
    {
        auto& call = *static_cast<Call*>(self);
        call.heard = call.client.context_.clock.steady();
        long status = 0;
        curl_easy_getinfo(call.client.handle_->curl, CURLINFO_RESPONSE_CODE, &status);
        if (call.each != nullptr && status == 200) {
            if ((*call.each)({bytes, count})) return count;
            call.end = End::stopped;
            return 0;
        }
        if (call.answer.body.size() + count > body_bytes_max) {
            call.end = End::too_large;
            return 0;
        }
        call.answer.body.append(bytes, count);
        return count;
    }

    static int on_progress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t)
    {
        auto& call = *static_cast<Call*>(self);
        if (call.client.context_.stopped()) {
            call.end = End::interrupted;
            return 1;
        }
        const SteadyTime now = call.client.context_.clock.steady();
        if (call.idle.count() > 0 && now - call.heard > call.idle) {
            call.end = End::idle;
            return 1;
        }
        if (call.client.tick_ && now - call.ticked >= 500ms) {
            call.ticked = now;
            call.client.tick_();
        }
        return 0;
    }
};

std::string_view HttpAnswer::header(std::string_view name) const
{
    const auto found =
        std::ranges::find(headers, name, [](const auto& entry) { return std::string_view{entry.first}; });
    return found == headers.end() ? std::string_view{} : found->second;
}

Dictionary HttpAnswer::freshet() const
{
    return Dictionary::parse(header("freshet")).value_or(Dictionary{});
}

HttpClient::HttpClient(const CliContext& context, const Target& target)
    : context_{context}, target_{target}, handle_{std::make_unique<Handle>()}
{
    if (handle_->curl == nullptr) throw Failure{"libcurl could not be set up"};
}

HttpClient::~HttpClient() = default;

void HttpClient::on_tick(std::function<void()> tick)
{
    tick_ = std::move(tick);
}

CliResult<HttpAnswer> HttpClient::ask(const HttpRequest& request)
{
    Call call{*this};
    return run(request, call);
}

CliResult<HttpAnswer> HttpClient::stream(const HttpRequest& request, Millis idle,
                                         const std::function<bool(std::string_view)>& each)
{
    Call call{*this};
    call.each = &each;
    call.idle = idle;
    return run(request, call);
}

CliResult<HttpAnswer> HttpClient::run(const HttpRequest& request, Call& call)
{
    CURL* curl = handle_->curl;
    curl_easy_reset(curl); // keeps the connection
    call.heard = call.ticked = context_.clock.steady();
    const std::string url = target_.url + with_tenant(request.path, target_.tenant);
    curl_slist* list = nullptr;
    const auto add = [&](const std::string& line) { list = curl_slist_append(list, line.c_str()); };
    for (const auto& [name, value] : request.headers) add(name + ": " + value);
    if (!target_.token.empty()) add("Authorization: Bearer " + target_.token);
    if (request.method == "POST") {
        curl_easy_setopt(curl, CURLOPT_POST, 1L);
        // libcurl reads it while the call runs; `request` outlives that.
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.body.c_str());
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, static_cast<long>(request.body.size()));
        add(request.body.empty() ? "Content-Type:" : "Content-Type: application/json"); // an empty body has no type
    } else if (request.method != "GET") {
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request.method.c_str());
    }
    curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "freshet-cli/" FRESHET_VERSION);
    curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, call.each != nullptr ? "identity" : "");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, connect_timeout_ms);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(request.timeout.count()));
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, handle_->error);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, &Call::on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, &call);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &Call::on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &call);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, &Call::on_progress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &call);
    if (loopback(target_.url)) curl_easy_setopt(curl, CURLOPT_PROXY, "");
    handle_->error[0] = '\0';
    const CURLcode code = curl_easy_perform(curl);
    curl_slist_free_all(list);
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    call.answer.status = static_cast<int>(status);

    const std::string reason = handle_->error[0] != '\0' ? handle_->error : curl_easy_strerror(code);
    switch (call.end) {
    case Call::End::interrupted: return std::unexpected(CliError{exit_interrupted, "interrupted", {}});
    case Call::End::idle:
        return std::unexpected(CliError{
            exit_timed_out, fmt::format("{} sent nothing for {}", target_.url, to_text(call.idle)), "freshet doctor"});
    case Call::End::stopped: return std::move(call.answer);
    case Call::End::too_large:
        return std::unexpected(CliError{exit_failed, fmt::format("the answer of {} is larger than 256 MiB", url),
                                        "curl, straight into a file"});
    case Call::End::curl: break;
    }
    if (code == CURLE_OK) return std::move(call.answer);
    if (context_.stopped()) return std::unexpected(CliError{exit_interrupted, "interrupted", {}});
    if (code == CURLE_OPERATION_TIMEDOUT && curl_off_t{0} < [&] {
            curl_off_t connected = 0;
            curl_easy_getinfo(curl, CURLINFO_CONNECT_TIME_T, &connected);
            return connected;
        }())
        return std::unexpected(
            CliError{exit_timed_out, fmt::format("{} did not answer within {}", target_.url, to_text(request.timeout)),
                     "freshet doctor"});
    return std::unexpected(CliError{exit_unreachable,
                                    fmt::format("no freshet server answers at {}: {}", target_.url, reason),
                                    target_.local ? "freshet serve" : "check FRESHET_URL, or freshet doctor"});
}

namespace {

int exit_of(const HttpAnswer& answer, const std::string& code)
{
    if (code == "cold" || code == "too-old" || code == "too_old") return exit_not_fresh;
    switch (answer.status) {
    case 400:
    case 422: return exit_usage;
    case 401:
    case 403:
    case 421: return exit_not_allowed;
    case 404: return exit_not_found;
    default: return exit_failed;
    }
}

std::string way_out(const HttpAnswer& answer)
{
    switch (answer.status) {
    case 401: return "export FRESHET_TOKEN=...";
    case 403:
    case 421: return "a token with that right, or freshet doctor";
    case 404: return "freshet top -1, which lists what there is";
    case 429:
    case 503:
        if (!answer.header("retry-after").empty()) return fmt::format("again in {} s", answer.header("retry-after"));
        return "again in a moment";
    default: return "freshet doctor";
    }
}

// The way out in commands, where the server's own words name routes.
std::string cli_try(std::string_view code, std::string_view title)
{
    if (code == "unknown_key" || code == "unknown_source") return "freshet top -1 lists the keys there are";
    if (code == "bad_param" || code == "bad_key")
        return "SOURCE/PARAM..., in the order in which the config declares them";
    if (code == "token_missing")
        return "export FRESHET_TOKEN=...; on the server's machine: freshet token new NAME --role operator";
    if (code == "tenant_missing") return "--tenant NAME";
    if (code == "tenant_unknown") return "--tenant NAME, one of the config";
    if (code == "no_queue") return "freshet doctor; a queue begins with its first job or worker";
    if (code != "not_found") return {};
    if (title == "No such job") return "freshet jobs list; ended jobs are kept for a while only";
    if (title == "No such batch") return "freshet batches list; ended batches are kept for a while only";
    if (title == "No such token") return "freshet token list";
    return {};
}

} // namespace

CliError error_of(const HttpAnswer& answer, std::string_view what)
{
    const bool ours = answer.header("content-type").starts_with("application/problem+json");
    const auto problem = ours ? Json::parse(answer.body) : std::nullopt;
    if (!problem) {
        const bool proxy = answer.status >= 500 || answer.status / 100 == 3;
        return {proxy ? exit_unreachable : exit_of(answer, ""),
                fmt::format("{}: HTTP {} from something that is not freshet", what, answer.status), "freshet doctor"};
    }
    std::string words = (*problem)["detail"].text();
    if (words.empty()) words = (*problem)["title"].text();
    if (words.empty()) words = fmt::format("HTTP {}", answer.status);
    while (words.ends_with('.')) words.pop_back();
    std::string try_ = cli_try((*problem)["code"].text(), (*problem)["title"].text());
    if (try_.empty()) try_ = (*problem)["try"].text();
    const int code = exit_of(answer, (*problem)["code"].text());
    if (try_.empty() && code == exit_not_fresh) try_ = fmt::format("freshet refresh {} --wait 30s", what);
    return {code, fmt::format("{}: {}", what, words), try_.empty() ? way_out(answer) : try_};
}

CliResult<std::string> key_path(std::string_view key)
{
    const auto bad = [&](std::string why) {
        return std::unexpected(CliError{exit_usage, fmt::format("\"{}\" is no key: {}", key, why),
                                        "SOURCE or SOURCE/PARAM, as freshet top -1 lists them"});
    };
    if (key.empty() || key.front() == '/' || key.back() == '/' || key.contains("//"))
        return bad("a source, then its parameters, with one / between");
    std::string path = "/v1/data/";
    for (const char c : key) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < ' ' || byte == 0x7f) return bad("it holds a control character");
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                           std::string_view{"-._~/%"}.contains(c);
        path += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned>(byte));
    }
    for (std::string_view rest = path; !rest.empty();) {
        const auto slash = std::min(rest.find('/'), rest.size());
        if (rest.substr(0, slash) == "." || rest.substr(0, slash) == "..") return bad("no part of it may be . or ..");
        rest.remove_prefix(std::min(slash + 1, rest.size()));
    }
    return path;
}

} // namespace freshet::cli
