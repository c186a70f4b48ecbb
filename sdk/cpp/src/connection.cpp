// SPDX-License-Identifier: Apache-2.0
#include "connection.hpp"

#include "freshet/json.hpp"

#include <algorithm>
#include <curl/curl.h>
#include <random>
#include <stdexcept>

namespace freshet {
inline namespace sdk_v1 {
namespace detail {

namespace {

using std::chrono::milliseconds;

constexpr std::size_t answer_bytes_max = 256 << 20;
constexpr long connect_ms_max = 5'000;

std::size_t take(char* bytes, std::size_t size, std::size_t count, void* to)
{
    auto& body = *static_cast<std::string*>(to);
    if (body.size() + size * count > answer_bytes_max) return 0; // libcurl ends the call
    body.append(bytes, size * count);
    return size * count;
}

struct Sent {
    bool once = false;
    int times = 0;
};
/// Before each time that a request is sent.
int may_send(void* of, char*, char*, int, int)
{
    auto& sent = *static_cast<Sent*>(of);
    return sent.once && ++sent.times > 1 ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

void start_curl()
{
    static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
    if (started != CURLE_OK) throw std::runtime_error{"libcurl does not start"};
}

bool is_loopback(const std::string& url)
{
    for (const char* host : {"://127.", "://localhost", "://[::1]"})
        if (url.find(host) != std::string::npos) return true;
    return false;
}

} // namespace

struct Connection::Handles {
    CURL* easy = nullptr;
    CURLM* multi = nullptr;
    curl_slist* headers = nullptr;
    char error[CURL_ERROR_SIZE] = {};

    explicit Handles(const Endpoint& endpoint)
    {
        start_curl();
        easy = curl_easy_init();
        multi = curl_multi_init();
        if (easy == nullptr || multi == nullptr) throw std::runtime_error{"libcurl has no memory for a connection"};
        const auto header = [&](const std::string& line) { headers = curl_slist_append(headers, line.c_str()); };
        header("Content-Type: application/json");
        header("Accept: application/json");
        header("Expect:"); // a server of ours takes the body at once
        if (!endpoint.token.empty()) header("Authorization: Bearer " + endpoint.token);
        curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(easy, CURLOPT_USERAGENT, "freshet-cpp/" FRESHET_SDK_VERSION);
        curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take);
        curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, may_send);
        curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error);
        curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, connect_ms_max);
        curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
        curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 256L << 10);
        if (is_loopback(endpoint.url)) curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    }
    ~Handles()
    {
        curl_slist_free_all(headers);
        curl_easy_cleanup(easy);
        curl_multi_cleanup(multi);
    }
};

std::string Answer::words() const
{
    if (status == 0) return error.empty() ? "no answer" : error;
    try {
        const Json problem = Json::parse(body);
        std::string words = problem["detail"].text(problem["title"].text());
        if (!words.empty()) {
            if (!problem["try"].text().empty()) words += "   try: " + problem["try"].text();
            return words;
        }
    } catch (const std::invalid_argument&) {
        // No problem of ours: something between us and the server answered.
    }
    return "HTTP " + std::to_string(status);
}

Connection::Connection(const Endpoint& endpoint) : endpoint_{endpoint}, handles_{std::make_unique<Handles>(endpoint)} {}
Connection::~Connection() = default;

Answer Connection::ask(const char* method, const std::string& path, std::string_view body, milliseconds timeout,
                       bool once)
{
    Answer answer;
    CURL* const easy = handles_->easy;
    handles_->error[0] = 0;
    const std::string url = endpoint_.url + path;
    curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body.data());
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &answer.body);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(timeout.count()));
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, fresh_ ? 1L : 0L);
    fresh_ = false;
    Sent sent{once, 0};
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, &sent);

    CURLcode result = CURLE_ABORTED_BY_CALLBACK;
    curl_multi_add_handle(handles_->multi, easy);
    for (int running = 1; running > 0 && !aborted_;) {
        if (curl_multi_perform(handles_->multi, &running) != CURLM_OK) break;
        if (running > 0) curl_multi_poll(handles_->multi, nullptr, 0, 1'000, nullptr);
    }
    int left = 0;
    while (const CURLMsg* const message = curl_multi_info_read(handles_->multi, &left))
        if (message->msg == CURLMSG_DONE) result = message->data.result;
    curl_multi_remove_handle(handles_->multi, easy);

    if (result != CURLE_OK) {
        answer.aborted = aborted_;
        answer.error = sent.times > 1            ? "the connection ended before the answer"
                       : handles_->error[0] != 0 ? handles_->error
                                                 : curl_easy_strerror(result);
        return answer;
    }
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    answer.status = static_cast<int>(status);
    curl_off_t seconds = 0;
    curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &seconds);
    answer.retry_after = std::chrono::seconds{std::clamp<curl_off_t>(seconds, 0, 3'600)};
    return answer;
}

void Connection::abort()
{
    aborted_ = true;
    curl_multi_wakeup(handles_->multi);
}

double jitter()
{
    thread_local std::minstd_rand source{std::random_device{}()};
    return std::uniform_real_distribution{}(source);
}

milliseconds Backoff::next(const Answer& answer)
{
    const auto spread =
        milliseconds{static_cast<std::int64_t>(static_cast<double>(wait_.count()) * (0.5 + jitter() / 2))};
    wait_ = std::min(last, wait_ * 2);
    return std::max(spread, answer.retry_after);
}

} // namespace detail
} // namespace sdk_v1
} // namespace freshet
