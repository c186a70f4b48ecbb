// SPDX-License-Identifier: Apache-2.0
#include "tests/http/event_stream.hpp"

#include <chrono>
#include <curl/curl.h>

namespace freshet::outside {

/// What libcurl calls.
struct StreamCalls {
    static std::size_t write(char* data, std::size_t size, std::size_t count, void* into)
    {
        static_cast<EventStream*>(into)->take({data, size * count});
        return size * count;
    }
    /// Anything but 0 ends the transfer; asked about once a second, and whenever something comes.
    static int progress(void* of, curl_off_t, curl_off_t, curl_off_t, curl_off_t)
    {
        return static_cast<EventStream*>(of)->leave_ ? 1 : 0;
    }
};

std::optional<std::string> StreamEvent::json(std::string_view pointer) const
{
    Answer answer;
    answer.body = data;
    return answer.json(pointer);
}

EventStream::EventStream(std::string url, std::string path, std::string token, std::string last_event_id)
{
    thread_ = std::thread{[this, address = url + path, token = std::move(token), last = std::move(last_event_id)] {
        CURL* curl = curl_easy_init();
        curl_slist* headers = curl_slist_append(nullptr, "Accept: text/event-stream");
        if (!token.empty()) headers = curl_slist_append(headers, ("Authorization: Bearer " + token).c_str());
        if (!last.empty()) headers = curl_slist_append(headers, ("Last-Event-ID: " + last).c_str());
        curl_easy_setopt(curl, CURLOPT_URL, address.c_str());
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
        curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, StreamCalls::write);
        curl_easy_setopt(curl, CURLOPT_WRITEDATA, this);
        curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
        curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, StreamCalls::progress);
        curl_easy_setopt(curl, CURLOPT_XFERINFODATA, this);
        curl_easy_perform(curl);
        curl_slist_free_all(headers);
        curl_easy_cleanup(curl);
        const std::lock_guard lock{mutex_};
        over_ = true;
        came_.notify_all();
    }};
}

EventStream::~EventStream()
{
    leave_ = true;
    thread_.join();
}

void EventStream::take(std::string_view bytes)
{
    rest_ += bytes;
    std::size_t begin = 0;
    for (std::size_t end = rest_.find('\n'); end != std::string::npos; end = rest_.find('\n', begin)) {
        take_line(std::string_view{rest_}.substr(begin, end - begin));
        begin = end + 1;
    }
    rest_.erase(0, begin);
}

void EventStream::take_line(std::string_view line)
{
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) {
        if (!unfinished_.event.empty() || !unfinished_.data.empty()) {
            const std::lock_guard lock{mutex_};
            events_.push_back(std::move(unfinished_));
            came_.notify_all();
        }
        unfinished_ = {};
        return;
    }
    const auto colon = line.find(':');
    const std::string_view name = line.substr(0, colon);
    std::string_view value = colon == std::string_view::npos ? "" : line.substr(colon + 1);
    if (value.starts_with(' ')) value.remove_prefix(1);
    if (name == "event")
        unfinished_.event = value;
    else if (name == "id")
        unfinished_.id = value;
    else if (name == "data")
        unfinished_.data += (unfinished_.data.empty() ? "" : "\n") + std::string{value};
}

std::optional<StreamEvent> EventStream::next(Millis within)
{
    return next_where([](const StreamEvent&) { return true; }, within);
}

std::optional<StreamEvent> EventStream::next_where(const std::function<bool(const StreamEvent&)>& wanted, Millis within)
{
    const auto until = std::chrono::steady_clock::now() + within;
    std::unique_lock lock{mutex_};
    while (came_.wait_until(lock, until, [this] { return over_ || !events_.empty(); }) && !events_.empty()) {
        StreamEvent event = std::move(events_.front());
        events_.pop_front();
        if (wanted(event)) return event;
    }
    return std::nullopt;
}

bool EventStream::over()
{
    const std::lock_guard lock{mutex_};
    return over_ && events_.empty();
}

} // namespace freshet::outside
