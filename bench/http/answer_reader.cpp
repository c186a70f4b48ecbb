// SPDX-License-Identifier: Apache-2.0
#include "bench/http/answer_reader.hpp"

#include <charconv>
#include <fmt/format.h>
#include <stdexcept>
#include <strings.h>

namespace freshet::bench {

namespace {

constexpr std::size_t head_bytes_max = 16 << 10;
constexpr std::string_view length_name = "content-length:";

int number_in(std::string_view text)
{
    int number = -1;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

} // namespace

Answer read_answer(std::string_view bytes)
{
    const auto end = bytes.find("\r\n\r\n");
    if (end == std::string_view::npos) {
        if (bytes.size() > head_bytes_max) throw std::runtime_error{"an answer's head does not end"};
        return {};
    }
    if (!bytes.starts_with("HTTP/1.1 ")) throw std::runtime_error{"an answer is not HTTP/1.1"};
    Answer answer;
    answer.status = number_in(bytes.substr(9, 3));
    int length = -1;
    std::string_view head = bytes.substr(0, end);
    while (true) {
        const auto line = head.find("\r\n");
        if (line == std::string_view::npos) break;
        head.remove_prefix(line + 2);
        if (head.size() <= length_name.size() ||
            ::strncasecmp(head.data(), length_name.data(), length_name.size()) != 0)
            continue;
        const auto value = head.find_first_not_of(' ', length_name.size());
        if (value != std::string_view::npos) length = number_in(head.substr(value));
    }
    if (length < 0 && answer.status != 304 && answer.status != 204)
        throw std::runtime_error{fmt::format("an answer ({}) has no Content-Length", answer.status)};
    answer.body_bytes = length < 0 ? 0 : static_cast<std::size_t>(length);
    const std::size_t whole = end + 4 + answer.body_bytes;
    if (bytes.size() >= whole) answer.bytes = whole;
    return answer;
}

} // namespace freshet::bench
