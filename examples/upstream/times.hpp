// SPDX-License-Identifier: Apache-2.0
#pragma once
// Instants and how they are written. This program takes the wall clock only for dates that it shows; every wait is a
// timer on the steady clock.

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace upstream {

using WallTime = std::chrono::sys_time<std::chrono::milliseconds>;

WallTime wall_now();
/// "2031-05-06T07:08:09.120Z"
std::string iso_date(WallTime at);
/// "Tue, 06 May 2031 07:08:09 GMT", for HTTP headers and RSS.
std::string http_date(WallTime at);
std::optional<WallTime> parse_http_date(std::string_view text);

} // namespace upstream
