// SPDX-License-Identifier: Apache-2.0
// The table of kinds, and what several of them use to invent content. Everything is computed from serials, so that two
// starts without kept state serve the same.

#include "kind.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdio>

namespace upstream {

namespace {

constexpr auto both = Validators::both;
constexpr auto none = Validators::none;
constexpr std::array<Kind, 17> table{{
    {"prices", 12, {}, both, true, complete_price, show_prices, drift_prices},
    {"shop", 24, {}, both, false, complete_offer, show_shop, drift_shop},
    {"news", 20, {}, both, false, complete_story, show_news, drift_news},
    {"list", 120, {}, both, true, complete_row, show_list, drift_list},
    {"any", 0, "{}\n", none, true, complete_row, show_any, drift_list},
    {"imdb", 424, {}, none, false, complete_film, show_imdb, drift_imdb, Fault::none, true, "id"},
    {"tmdb", 0, {}, none, true, complete_found, show_tmdb, drift_none, Fault::none, false, "id"},
    {"n8n-acme", 306, {}, none, true, complete_acme, show_acme, drift_acme, Fault::none, false, "id", true},
    {"n8n-globex", 128, {}, none, true, complete_globex, show_globex, drift_globex, Fault::none, false, "id", true},
    {"n8n-initech",
     6,
     {},
     none,
     true,
     complete_initech,
     show_initech,
     drift_none,
     Fault::status_403,
     false,
     "id",
     true},
    {"cinema", 18, {}, both, false, complete_showing, show_cinema, drift_none},
    {"events", 14, {}, both, true, complete_event, show_events, drift_none},
    {"google_trend", 20, {}, both, false, complete_trend, show_trends, drift_none},
    {"generator",
     0,
     {},
     none,
     true,
     complete_text,
     show_generator,
     drift_none,
     Fault::none,
     false,
     {},
     false,
     take_text},
    {"receipts", 0, {}, none, true, complete_receipt, show_receipts, drift_none, Fault::none, false, "id"},
    {"messages",
     0,
     {},
     none,
     true,
     complete_message,
     show_messages,
     drift_none,
     Fault::none,
     false,
     {},
     false,
     take_message},
    {"recordings", 0, {}, none, true, complete_recording, show_recordings, drift_none, Fault::none, false, "id"},
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

void drift_none(State&, std::uint64_t, WallTime) {}

Page refused_page(unsigned status, std::string_view name, std::string_view words)
{
    return json_page(
        [&](JsonWriter& out) {
            out.StartObject();
            put(out, name, words);
            out.EndObject();
        },
        status);
}

std::optional<std::uint64_t> whole_number(std::string_view text)
{
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value == 0) return std::nullopt;
    return value;
}

std::uint64_t hash_of(std::string_view text)
{
    std::uint64_t hash = 14695981039346656037ULL;
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
    return hash;
}

std::string image_path(std::string_view text)
{
    return "/_image/" + slug(text) + ".svg";
}

Page show_image(std::string_view rest)
{
    const std::size_t end = std::min(rest.find(".svg"), rest.size());
    std::string words(rest.substr(0, end));
    std::ranges::replace(words, '-', ' ');
    const std::string hue = std::to_string(hash_of(words) % 360);
    std::string svg("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 200 300\" role=\"img\">");
    svg.append("<rect width=\"200\" height=\"300\" fill=\"hsl(").append(hue).append(" 45% 32%)\"/>");
    svg.append("<circle cx=\"100\" cy=\"120\" r=\"58\" fill=\"hsl(").append(hue).append(" 60% 62%)\"/>");
    svg.append("<text x=\"100\" y=\"250\" font-family=\"sans-serif\" font-size=\"15\" fill=\"#fff\" ");
    svg.append("text-anchor=\"middle\" textLength=\"")
        .append(std::to_string(std::min<std::size_t>(180, 9 * words.size())));
    svg.append("\" lengthAdjust=\"spacingAndGlyphs\">").append(escape_markup(words)).append("</text></svg>\n");
    return {"image/svg+xml", std::move(svg), 200, {{"Cache-Control", "max-age=3600"}}};
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
