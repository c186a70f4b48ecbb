// SPDX-License-Identifier: Apache-2.0
#include "times.hpp"

#include <array>
#include <cstdio>
#include <ctime>

namespace upstream {

namespace {

std::string formatted(WallTime at, const char* format)
{
    const std::time_t seconds = std::chrono::floor<std::chrono::seconds>(at).time_since_epoch().count();
    std::tm fields{};
    gmtime_r(&seconds, &fields);
    std::array<char, 64> buffer{};
    const std::size_t length = std::strftime(buffer.data(), buffer.size(), format, &fields);
    return {buffer.data(), length};
}

} // namespace

WallTime wall_now()
{
    return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
}

std::string iso_date(WallTime at)
{
    const auto millis = (at - std::chrono::floor<std::chrono::seconds>(at)).count();
    std::array<char, 8> fraction{};
    std::snprintf(fraction.data(), fraction.size(), ".%03dZ", static_cast<int>(millis));
    return formatted(at, "%Y-%m-%dT%H:%M:%S") + fraction.data();
}

std::string http_date(WallTime at)
{
    return formatted(at, "%a, %d %b %Y %H:%M:%S GMT");
}

std::optional<WallTime> parse_http_date(std::string_view text)
{
    std::tm fields{};
    const std::string copy(text);
    const char* const end = strptime(copy.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &fields);
    if (end == nullptr || *end != '\0') return std::nullopt;
    return WallTime(std::chrono::seconds(timegm(&fields)));
}

} // namespace upstream
