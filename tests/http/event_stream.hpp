// SPDX-License-Identifier: Apache-2.0
#pragma once
// A reader of Server-Sent Events, on a thread of its own: next() hands out what came, in order.

#include "base/time.hpp"
#include "tests/http/client.hpp"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace freshet::outside {

struct StreamEvent {
    std::string event, id, data;
    /// As Answer::json(), of the data.
    std::optional<std::string> json(std::string_view pointer) const;
};

class EventStream {
public:
    /// @param path  "/v1/stream?topic=data/rates".
    EventStream(std::string url, std::string path, std::string token = {}, std::string last_event_id = {});
    /// Leaves the server.
    ~EventStream();
    EventStream(const EventStream&) = delete;
    EventStream& operator=(const EventStream&) = delete;

    /// The next event; nullopt when none came within that time, or the stream is over.
    std::optional<StreamEvent> next(Millis within = Millis{10'000});
    /// Skips events until one is `wanted`.
    std::optional<StreamEvent> next_where(const std::function<bool(const StreamEvent&)>& wanted,
                                          Millis within = Millis{10'000});
    /// True once the server has ended it.
    bool over();

private:
    friend struct StreamCalls;
    void take(std::string_view bytes);
    void take_line(std::string_view line);

    std::string rest_;       ///< the thread's: an unfinished line
    StreamEvent unfinished_; ///< the thread's
    std::mutex mutex_;
    std::condition_variable came_;
    std::deque<StreamEvent> events_; ///< guarded by mutex_
    bool over_ = false;              ///< guarded by mutex_
    std::atomic<bool> leave_{false};
    std::thread thread_;
};

} // namespace freshet::outside
