// SPDX-License-Identifier: Apache-2.0
// The table of kinds, and what several of them use to invent content. Everything is computed from serials, so that two
// starts without kept state serve the same.

#include "kind.hpp"

#include <array>
#include <cctype>
#include <cmath>
#include <cstdio>

namespace upstream {

namespace {

constexpr std::array<Kind, 5> table{{
    {"prices", 12, {}, Validators::both, true, complete_price, show_prices, drift_prices},
    {"shop", 24, {}, Validators::both, false, complete_offer, show_shop, drift_shop},
    {"news", 20, {}, Validators::both, false, complete_story, show_news, drift_news},
    {"list", 120, {}, Validators::both, true, complete_row, show_list, drift_list},
    {"any", 0, "{}\n", Validators::none, true, complete_row, show_any, drift_list},
}};

constexpr std::array<std::string_view, 16> qualities{"Amber",  "Quiet", "Northern", "Folding", "Copper", "Seven-Hour",
                                                     "Velvet", "Loud",  "Tidal",    "Paper",   "Double", "Morning",
                                                     "Hollow", "Swift", "Granite",  "Winter"};
constexpr std::array<std::string_view, 13> things{"Lantern", "Kettle", "Compass", "Ladder", "Harp",
                                                  "Satchel", "Anvil",  "Teapot",  "Bench",  "Umbrella",
                                                  "Clock",   "Rover",  "Blanket"};

} // namespace

std::span<const Kind> kinds()
{
    return table;
}

const Kind* kind_named(std::string_view name)
{
    for (const Kind& kind : table)
        if (kind.name == name) return &kind;
    return nullptr;
}

std::string invented_name(std::uint64_t serial)
{
    std::string name(qualities[serial % qualities.size()]);
    name.append(" ").append(things[serial % things.size()]);
    const std::uint64_t round = serial / (qualities.size() * things.size());
    if (round > 0) name.append(" ").append(std::to_string(round + 1));
    return name;
}

std::string slug(std::string_view text)
{
    std::string out;
    for (const char c : text) {
        if (std::isalnum(static_cast<unsigned char>(c)) != 0)
            out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        else if (!out.empty() && out.back() != '-')
            out += '-';
    }
    return out;
}

double rounded(double value, int digits)
{
    const double scale = std::pow(10.0, digits);
    return std::round(value * scale) / scale;
}

std::string with_decimals(double value, int digits)
{
    std::array<char, 64> buffer{};
    std::snprintf(buffer.data(), buffer.size(), "%.*f", digits, value);
    return buffer.data();
}

void nudge(State& state, std::string_view field, std::uint64_t dice, int digits)
{
    if (state.items->empty()) return;
    auto items = std::make_shared<std::vector<Item>>(*state.items);
    Item& item = (*items)[dice % items->size()];
    auto changed = std::make_shared<Json>(copy_of(*item));
    const double factor = 0.98 + static_cast<double>(dice / 1024 % 401) / 10'000.0;
    set_number(*changed, field, rounded(number_of(*changed, field).value_or(1.0) * factor, digits));
    item = std::move(changed);
    state.items = std::move(items);
}

} // namespace upstream
