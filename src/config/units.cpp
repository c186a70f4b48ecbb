// SPDX-License-Identifier: Apache-2.0
#include "config/units.hpp"

#include <array>
#include <charconv>
#include <fmt/format.h>
#include <utility>

namespace freshet {

namespace {

std::optional<std::int64_t> take_whole(std::string_view& text)
{
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || text.empty() || text.front() == '-' || text.front() == '+') return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return value;
}

constexpr std::array<std::pair<std::string_view, std::int64_t>, 10> size_units{{{"TiB", 1LL << 40},
                                                                                {"GiB", 1LL << 30},
                                                                                {"MiB", 1LL << 20},
                                                                                {"KiB", 1LL << 10},
                                                                                {"TB", 1'000'000'000'000},
                                                                                {"GB", 1'000'000'000},
                                                                                {"MB", 1'000'000},
                                                                                {"kB", 1'000},
                                                                                {"KB", 1'000},
                                                                                {"B", 1}}};

constexpr std::array<std::pair<std::string_view, Millis>, 4> rate_units{
    {{"s", 1s}, {"min", 1min}, {"h", 1h}, {"d", 24h}}};

} // namespace

std::optional<std::int64_t> parse_size(std::string_view text)
{
    const auto count = take_whole(text);
    if (!count) return std::nullopt;
    if (text.empty() && *count == 0) return 0;
    for (const auto& [unit, bytes] : size_units) {
        if (text != unit) continue;
        if (*count > (1LL << 62) / bytes) return std::nullopt;
        return *count * bytes;
    }
    return std::nullopt;
}

std::string size_text(std::int64_t bytes)
{
    if (bytes == 0) return "0";
    for (std::size_t i = 0; i < 4; ++i) {
        const auto& [unit, size] = size_units[i];
        if (bytes % size == 0) return fmt::format("{}{}", bytes / size, unit);
    }
    return fmt::format("{}B", bytes);
}

std::optional<RateLimit> parse_rate(std::string_view text)
{
    if (text == "none") return RateLimit{0, 1min};
    const auto count = take_whole(text);
    if (!count || *count == 0 || !text.starts_with('/')) return std::nullopt;
    text.remove_prefix(1);
    for (const auto& [unit, length] : rate_units)
        if (text == unit) return RateLimit{*count, length};
    const auto per = parse_duration(text);
    if (!per || per->count() == 0) return std::nullopt;
    return RateLimit{*count, *per};
}

std::string rate_text(const RateLimit& rate)
{
    if (rate.count == 0) return "none";
    for (const auto& [unit, length] : rate_units)
        if (rate.per == length) return fmt::format("{}/{}", rate.count, unit);
    return fmt::format("{}/{}", rate.count, to_text(rate.per));
}

std::optional<double> parse_share(std::string_view text)
{
    if (!text.ends_with('%')) return std::nullopt;
    text.remove_suffix(1);
    double percent = 0;
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), percent, std::chars_format::fixed);
    if (error != std::errc{} || end != text.data() + text.size() || !(percent >= 0 && percent <= 100))
        return std::nullopt;
    return percent / 100;
}

std::string share_text(double share)
{
    return fmt::format("{:.6g}%", share * 100);
}

bool ListenAddress::loopback() const
{
    return host == "localhost" || host == "::1" || host.starts_with("127.");
}

std::optional<ListenAddress> parse_listen(std::string_view text)
{
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) return std::nullopt;
    std::string_view host = text.substr(0, colon), port = text.substr(colon + 1);
    if (host.starts_with('[') && host.ends_with(']'))
        host = host.substr(1, host.size() - 2);
    else if (host.find(':') != std::string_view::npos)
        return std::nullopt;
    const auto number = take_whole(port);
    if (host.empty() || !number || !port.empty() || *number > 65535) return std::nullopt;
    if (host.find_first_of(" /\t@") != std::string_view::npos) return std::nullopt;
    return ListenAddress{std::string{host}, static_cast<std::uint16_t>(*number)};
}

} // namespace freshet
