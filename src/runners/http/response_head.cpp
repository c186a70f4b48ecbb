// SPDX-License-Identifier: Apache-2.0
#include "runners/http/response_head.hpp"

#include <algorithm>
#include <charconv>

namespace freshet {

namespace {

std::string_view trimmed(std::string_view text)
{
    constexpr std::string_view space = " \t\r\n";
    const auto first = text.find_first_not_of(space);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(space) - first + 1);
}

char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

bool same_word(std::string_view a, std::string_view b)
{
    return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

std::optional<std::int64_t> whole_number(std::string_view text)
{
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || end != text.data() + text.size() || value < 0) return std::nullopt;
    // A number too large for 64 bits is still a number: "wait for ever", cut to the bound by the caller.
    if (error == std::errc::result_out_of_range) return INT64_MAX;
    if (error != std::errc{}) return std::nullopt;
    return value;
}

// "HTTP/1.1 200 OK" gives 200; 0 for anything else.
int status_of(std::string_view line)
{
    const auto space = line.find(' ');
    if (space == std::string_view::npos) return 0;
    const auto status = whole_number(line.substr(space + 1, 3));
    return status ? static_cast<int>(*status) : 0;
}

// Reads one parameter of a Link value, ";" in front included, off the front of `text`.
struct LinkParam {
    std::string_view name;
    std::string value;
};

std::optional<LinkParam> take_param(std::string_view& text)
{
    text = trimmed(text);
    if (!text.starts_with(';')) return std::nullopt;
    text = trimmed(text.substr(1));
    LinkParam param;
    const auto name_end = text.find_first_of("=;, \t");
    param.name = text.substr(0, name_end);
    text = name_end == std::string_view::npos ? std::string_view{} : trimmed(text.substr(name_end));
    if (!text.starts_with('=')) return param;
    text = trimmed(text.substr(1));
    if (!text.starts_with('"')) {
        const auto end = text.find_first_of(";, \t");
        param.value = text.substr(0, end);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end);
        return param;
    }
    text.remove_prefix(1);
    while (!text.empty() && text.front() != '"') {
        if (text.front() == '\\' && text.size() > 1) text.remove_prefix(1);
        param.value += text.front();
        text.remove_prefix(1);
    }
    if (!text.empty()) text.remove_prefix(1);
    return param;
}

bool has_word(std::string_view list, std::string_view word)
{
    while (!list.empty()) {
        list = trimmed(list);
        const auto end = list.find_first_of(" \t");
        if (same_word(list.substr(0, end), word)) return true;
        if (end == std::string_view::npos) return false;
        list.remove_prefix(end);
    }
    return false;
}

} // namespace

void ResponseHead::take_line(std::string_view line)
{
    if (complete) return;
    const std::string_view text = trimmed(line);
    if (text.empty()) {
        complete = status >= 200;
        return;
    }
    if (text.starts_with("HTTP/")) {
        *this = ResponseHead{};
        status = status_of(text);
        return;
    }
    const auto colon = text.find(':');
    if (status < 200 || colon == std::string_view::npos) return;
    const std::string_view name = trimmed(text.substr(0, colon));
    const std::string_view value = trimmed(text.substr(colon + 1));
    if (value.size() > field_bytes_max) return;
    if (same_word(name, "content-type"))
        content_type = value;
    else if (same_word(name, "location"))
        location = value;
    else if (same_word(name, "etag"))
        etag = value;
    else if (same_word(name, "last-modified"))
        last_modified = value;
    else if (same_word(name, "retry-after"))
        retry_after = value;
    else if (same_word(name, "date"))
        date = value;
    else if (same_word(name, "link"))
        links.emplace_back(value);
    else if (same_word(name, "content-length"))
        content_length = whole_number(value);
}

std::optional<std::string> next_link(const std::vector<std::string>& links)
{
    for (std::string_view rest : links) {
        while (!(rest = trimmed(rest)).empty()) {
            if (rest.front() == ',') {
                rest.remove_prefix(1);
                continue;
            }
            const auto close = rest.find('>');
            if (rest.front() != '<' || close == std::string_view::npos) break;
            const std::string_view target = rest.substr(1, close - 1);
            rest.remove_prefix(close + 1);
            bool next = false, rel_seen = false, anchored = false;
            while (const auto param = take_param(rest)) {
                if (same_word(param->name, "anchor")) anchored = true;
                // RFC 8288: of several rel parameters only the first counts.
                if (same_word(param->name, "rel") && !rel_seen) rel_seen = true, next = has_word(param->value, "next");
            }
            if (next && !anchored && !target.empty()) return std::string{trimmed(target)};
            // Whatever is not understood ends at the next comma.
            const auto comma = rest.find(',');
            rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma);
        }
    }
    return std::nullopt;
}

std::optional<Millis> retry_after(const ResponseHead& head, WallTime now)
{
    if (head.retry_after.empty()) return std::nullopt;
    if (const auto seconds = whole_number(head.retry_after))
        return std::min<Millis>(std::chrono::seconds{std::min<std::int64_t>(*seconds, 1'000'000)}, retry_after_max);
    const auto at = from_http_date(head.retry_after);
    if (!at) return std::nullopt;
    const WallTime base = from_http_date(head.date).value_or(now);
    return std::clamp<Millis>(*at - base, 0ms, retry_after_max);
}

} // namespace freshet
