// SPDX-License-Identifier: Apache-2.0
#pragma once
// Server-sent events as WHATWG HTML says: bytes in any cuts go in, whole events come out.
//
// Life: one parser per connection; last_id() goes over to the next one by Last-Event-ID. Pure, one thread.
// Bound: an event of more than `bytes_max` breaks the stream; feed() then answers false and nothing more comes out.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace freshet::cli {

struct SseEvent {
    std::string event; ///< "message" if the server names none
    std::string data;
    std::string id; ///< the last id of the stream so far, this event's own included
};

class SseParser {
public:
    static constexpr std::size_t bytes_max = 64U << 20;

    explicit SseParser(std::string last_id = {}) : last_id_{std::move(last_id)} {}

    /// False: too large, or `each` answered false; the connection is of no more use.
    bool feed(std::string_view bytes, const std::function<bool(const SseEvent&)>& each);

    const std::string& last_id() const { return last_id_; }
    /// What `retry:` said last, in milliseconds.
    std::optional<std::int64_t> retry_ms() const { return retry_ms_; }

private:
    bool take_line(std::string_view line, const std::function<bool(const SseEvent&)>& each);

    std::string line_; ///< the line that has begun
    bool after_cr_ = false, at_start_ = true;
    std::string event_, data_, id_;
    bool has_id_ = false, has_data_ = false;
    std::string last_id_;
    std::optional<std::int64_t> retry_ms_;
};

} // namespace freshet::cli
