// SPDX-License-Identifier: Apache-2.0
#include "base/ids.hpp"

#include <algorithm>

namespace freshet {

namespace {
constexpr std::string_view digits = "0123456789abcdefghjkmnpqrstvwxyz";
constexpr int digits_count = 13;

char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string shown(char prefix, std::int64_t id)
{
    std::string text(2 + digits_count, '0');
    text[0] = prefix, text[1] = '_';
    auto value = static_cast<std::uint64_t>(id);
    for (int i = digits_count - 1; i >= 0; --i, value >>= 5) text[static_cast<std::size_t>(2 + i)] = digits[value & 31];
    return text;
}

std::optional<std::int64_t> parse(char prefix, std::string_view text)
{
    if (text.size() != 2 + digits_count || lower(text[0]) != prefix || text[1] != '_') return std::nullopt;
    std::uint64_t value = 0;
    for (const char c : text.substr(2)) {
        const auto digit = digits.find(lower(c));
        if (digit == std::string_view::npos || value >> 59 != 0) return std::nullopt;
        value = value << 5 | digit;
    }
    if (value == 0 || value >> 63 != 0) return std::nullopt;
    return static_cast<std::int64_t>(value);
}

} // namespace

std::string to_text(JobId id)
{
    return shown('j', id.value);
}

std::string to_text(BatchId id)
{
    return shown('b', id.value);
}

std::optional<JobId> parse_job_id(std::string_view text)
{
    const auto value = parse('j', text);
    return value ? std::optional{JobId{*value}} : std::nullopt;
}

std::optional<BatchId> parse_batch_id(std::string_view text)
{
    const auto value = parse('b', text);
    return value ? std::optional{BatchId{*value}} : std::nullopt;
}

JobId IdMaker::next(WallTime now)
{
    last_ = std::max(last_ + 1, to_ms(now) << 20);
    return JobId{last_};
}

} // namespace freshet
