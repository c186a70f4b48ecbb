// SPDX-License-Identifier: Apache-2.0
#pragma once
// Instants as milliseconds since 1970 and their text. Threads: any.

#include <cstdint>
#include <optional>
#include <string>

namespace metrics {

constexpr std::int64_t day_ms = 86'400'000;

std::int64_t now_ms();
/// Of an RFC 3339 instant, with or without fraction; nothing where it is none.
std::optional<std::int64_t> instant_of(const std::string& text);
/// RFC 3339 in UTC, with milliseconds.
std::string text_of(std::int64_t ms);
/// The first day of the week (Monday) or month that a day is in.
std::int64_t week_of(std::int64_t day);
std::int64_t month_of(std::int64_t day);

} // namespace metrics
