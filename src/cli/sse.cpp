// SPDX-License-Identifier: Apache-2.0
#include "cli/sse.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace freshet::cli {

bool SseParser::feed(std::string_view bytes, const std::function<bool(const SseEvent&)>& each)
{
    while (!bytes.empty()) {
        // LF, CR and CRLF end a line; the LF of a CRLF may come with the next bytes.
        if (after_cr_ && bytes.front() == '\n') {
            bytes.remove_prefix(1);
            after_cr_ = false;
            continue;
        }
        after_cr_ = false;
        const auto end = bytes.find_first_of("\r\n");
        line_ += bytes.substr(0, end);
        if (line_.size() + data_.size() > bytes_max) return false;
        if (end == std::string_view::npos) return true;
        after_cr_ = bytes[end] == '\r';
        bytes.remove_prefix(end + 1);
        const std::string line = std::exchange(line_, {});
        if (!take_line(line, each)) return false;
    }
    return true;
}

bool SseParser::take_line(std::string_view line, const std::function<bool(const SseEvent&)>& each)
{
    if (std::exchange(at_start_, false) && line.starts_with("\xEF\xBB\xBF")) line.remove_prefix(3);
    if (line.empty()) {
        if (has_id_) last_id_ = id_;
        bool on = true;
        if (has_data_) on = each({event_.empty() ? "message" : event_, data_, last_id_});
        event_.clear(), data_.clear(), id_.clear();
        has_id_ = has_data_ = false;
        return on;
    }
    const auto colon = line.find(':');
    const std::string_view field = line.substr(0, colon);
    std::string_view value = colon == std::string_view::npos ? std::string_view{} : line.substr(colon + 1);
    if (value.starts_with(' ')) value.remove_prefix(1);
    if (field == "event") {
        event_ = value;
    } else if (field == "data") {
        if (has_data_) data_ += '\n';
        data_ += value;
        has_data_ = true;
    } else if (field == "id" && value.find('\0') == std::string_view::npos) {
        id_ = value;
        has_id_ = true;
    } else if (field == "retry" && !value.empty() &&
               std::ranges::all_of(value, [](char c) { return c >= '0' && c <= '9'; })) {
        std::int64_t retry = 0;
        if (std::from_chars(value.data(), value.data() + value.size(), retry).ec == std::errc{}) retry_ms_ = retry;
    }
    return true;
}

} // namespace freshet::cli
