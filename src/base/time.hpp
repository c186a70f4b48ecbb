// SPDX-License-Identifier: Apache-2.0
#pragma once
// Instants and lengths of time are types, never bare integers.
//
// WallTime is stored and shown; SteadyTime is only measured and never leaves the process. Both step in milliseconds,
// which is what the store, the wire and the config speak.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace freshet {

using Millis = std::chrono::milliseconds;
using WallTime = std::chrono::sys_time<Millis>;
using SteadyTime = std::chrono::time_point<std::chrono::steady_clock, Millis>;

using namespace std::chrono_literals;

/// Milliseconds since 1970-01-01 UTC: the form that is stored.
constexpr std::int64_t to_ms(WallTime at)
{
    return at.time_since_epoch().count();
}
constexpr WallTime from_ms(std::int64_t ms)
{
    return WallTime{Millis{ms}};
}

/// RFC 3339 UTC with milliseconds, "2026-11-24T16:00:00.000Z": the form of every instant in JSON.
std::string to_rfc3339(WallTime at);
/// Takes RFC 3339 with any offset and any fraction (cut to milliseconds), or a bare date; nullopt for anything else.
std::optional<WallTime> from_rfc3339(std::string_view text);
/// IMF-fixdate of RFC 9110, "Tue, 24 Nov 2026 16:00:00 GMT": the form of HTTP's Date and Last-Modified.
std::string to_http_date(WallTime at);
/// Takes an IMF-fixdate; nullopt for anything else (the obsolete forms of RFC 9110 included).
std::optional<WallTime> from_http_date(std::string_view text);

/// "90s", "1m30s", "250ms", "2h", "7d" and sums of these in falling units; nullopt for anything else, for negatives and
/// above 100 years.
std::optional<Millis> parse_duration(std::string_view text);
/// The shortest text that parse_duration() reads back to the same length: "1m30s", "0s".
std::string to_text(Millis length);

} // namespace freshet
