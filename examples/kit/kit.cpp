// SPDX-License-Identifier: Apache-2.0
#include "kit.hpp"

#include <array>
#include <charconv>
#include <condition_variable>
#include <cstdlib>
#include <curl/curl.h>
#include <mutex>
#include <unistd.h>

namespace kit {

namespace {

constexpr std::size_t answer_bytes_max = 32U << 20;

std::size_t take_body(char* data, std::size_t, std::size_t size, void* to)
{
    auto& body = *static_cast<std::string*>(to);
    if (body.size() + size > answer_bytes_max) return 0;
    body.append(data, size);
    return size;
}

/// Called by libcurl about once a second, and more often while bytes come.
int look_whether_to_stop(void* of, curl_off_t, curl_off_t, curl_off_t, curl_off_t)
{
    return static_cast<const std::stop_token*>(of)->stop_requested() ? 1 : 0;
}

struct Easy {
    CURL* handle = curl_easy_init();
    curl_slist* headers = nullptr;
    Easy() = default;
    Easy(const Easy&) = delete;
    Easy& operator=(const Easy&) = delete;
    ~Easy()
    {
        curl_slist_free_all(headers);
        curl_easy_cleanup(handle);
    }
    template <class Value>
    void set(CURLoption option, Value value)
    {
        curl_easy_setopt(handle, option, value);
    }
};

double speed()
{
    const std::string text = environment("FRESHET_SPEED", "1");
    double value = 1;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size() && value > 0 ? value : 1;
}

} // namespace

std::string environment(const char* name, const std::string& otherwise)
{
    const char* const value = std::getenv(name);
    return value == nullptr || *value == '\0' ? otherwise : value;
}

std::string upstream()
{
    return environment("UPSTREAM_URL", "http://127.0.0.1:7979");
}

milliseconds scaled(milliseconds length)
{
    static const double divisor = speed();
    return milliseconds(static_cast<std::int64_t>(static_cast<double>(length.count()) / divisor));
}

void wait(freshet::Job& job, milliseconds length)
{
    std::mutex mutex;
    std::condition_variable_any stopped;
    std::unique_lock lock(mutex);
    stopped.wait_for(lock, job.stop_token(), length, [] { return false; });
    lock.unlock();
    job.check();
}

Answer ask(freshet::Job& job, const Request& request)
{
    Answer answer;
    Easy easy;
    std::stop_token stop = job.stop_token();
    for (const std::string& header : request.headers) easy.headers = curl_slist_append(easy.headers, header.c_str());
    if (!request.body.empty()) easy.headers = curl_slist_append(easy.headers, "Content-Type: application/json");
    easy.set(CURLOPT_URL, request.url.c_str());
    easy.set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
    easy.set(CURLOPT_HTTPHEADER, easy.headers);
    easy.set(CURLOPT_TIMEOUT_MS, static_cast<long>(request.time_limit.count()));
    easy.set(CURLOPT_NOSIGNAL, 1L);
    easy.set(CURLOPT_WRITEFUNCTION, take_body);
    easy.set(CURLOPT_WRITEDATA, &answer.body);
    easy.set(CURLOPT_NOPROGRESS, 0L);
    easy.set(CURLOPT_XFERINFOFUNCTION, look_whether_to_stop);
    easy.set(CURLOPT_XFERINFODATA, &stop);
    if (!request.body.empty()) {
        easy.set(CURLOPT_POSTFIELDS, request.body.data());
        easy.set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    }
    const CURLcode code = curl_easy_perform(easy.handle);
    if (code != CURLE_OK) {
        job.check();
        throw freshet::Retryable(request.method + " " + request.url + ": " + curl_easy_strerror(code), "no_answer");
    }
    curl_easy_getinfo(easy.handle, CURLINFO_RESPONSE_CODE, &answer.status);
    const char* type = nullptr;
    if (curl_easy_getinfo(easy.handle, CURLINFO_CONTENT_TYPE, &type) == CURLE_OK && type != nullptr)
        answer.content_type = type;
    curl_off_t seconds = 0;
    if (curl_easy_getinfo(easy.handle, CURLINFO_RETRY_AFTER, &seconds) == CURLE_OK && seconds > 0)
        answer.retry_after = milliseconds(seconds * 1000);
    return answer;
}

void refuse(const std::string& who, const Answer& answer)
{
    const std::string status = std::to_string(answer.status);
    if (answer.status == 429) throw freshet::RateLimited(who + " answered 429: too many requests", answer.retry_after);
    if (answer.status == 401 || answer.status == 403)
        throw freshet::Fatal(who + " answered " + status + ": it does not let us in", "http_" + status);
    throw freshet::Retryable(who + " answered " + status, "http_" + status);
}

freshet::WorkerOptions options(const std::string& name, int slots)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
    freshet::WorkerOptions options;
    // The same id over restarts: what its predecessor held goes back at the first claim instead of at the lease's end.
    options.id = environment("WORKER_ID", name + "-" + std::to_string(getpid()));
    options.slots = slots;
    options.grace = milliseconds(200);
    options.stop_wait = milliseconds(2000);
    return options;
}

} // namespace kit
