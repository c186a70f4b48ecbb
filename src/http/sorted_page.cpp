// SPDX-License-Identifier: Apache-2.0
#include "http/sorted_page.hpp"

#include <charconv>
#include <fmt/format.h>

namespace freshet::http {

std::string place_text(const Place& place, bool by_name)
{
    if (by_name) return place.name;
    if (place.value == place_of_absent) return fmt::format("- {}", place.name);
    return fmt::format("{} {}", place.value, place.name);
}

std::optional<Place> parse_place(std::string_view text, bool by_name)
{
    if (by_name) return Place{0, std::string{text}};
    const auto blank = text.find(' ');
    if (blank == std::string_view::npos) return std::nullopt;
    const std::string_view value = text.substr(0, blank);
    Place place{place_of_absent, std::string{text.substr(blank + 1)}};
    if (value == "-") return place;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), place.value);
    if (error != std::errc{} || end != value.data() + value.size()) return std::nullopt;
    return place;
}

} // namespace freshet::http
