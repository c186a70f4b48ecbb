// SPDX-License-Identifier: Apache-2.0
#pragma once
// A kind of site: how it invents an item, how it shows its items, how it changes by itself. One row per kind in
// kinds.cpp, one file per kind in sites/. A kind sees a State and a request and decides nothing about faults, delays or
// caching headers; those are the same for all kinds (answer.cpp).

#include "ask.hpp"
#include "state.hpp"

#include <span>

namespace upstream {

struct Page {
    std::string content_type;
    std::string body;
    unsigned status = 200;
    Headers headers;
};

/// What a kind is asked to show.
struct View {
    const State& state;
    const Ask& ask;
    std::span<const Item> items; ///< those to show, newest first: all, fewer than half, or none
    bool changed = false;        ///< show them under other names (fault html_changed)
    Fault fault = Fault::none;   ///< for a site that shows more than its items
};

struct Kind {
    std::string_view name;
    std::size_t items_at_start;
    std::string_view body_at_start; ///< literal body at the start, or empty
    Validators validators;
    bool is_json;
    /// Fills what an item lacks. Serials start at 1 and are never given twice.
    void (*complete)(Json& item, std::uint64_t serial, WallTime at);
    Page (*show)(const View& view);
    /// Changes the content a little, as the world does.
    void (*drift)(State& state, std::uint64_t dice, WallTime at);

    Fault fault_at_start = Fault::none;
    bool shows_private = false;     ///< it has a page of its own for a private list; without it that is a 403
    std::string_view id;            ///< an added item takes the place of one with the same; empty: it never does
    bool replaces_in_place = false; ///< ... where that one stood, instead of on top
    /// What a POST that was answered with 200 leaves behind; absent: nothing.
    void (*take)(State& state, const Ask& ask, WallTime at) = nullptr;
};

std::span<const Kind> kinds();
const Kind* kind_named(std::string_view name);

// The rows' functions, in sites/*.cpp.
void complete_price(Json& item, std::uint64_t serial, WallTime at);
Page show_prices(const View& view);
void drift_prices(State& state, std::uint64_t dice, WallTime at);
void complete_offer(Json& item, std::uint64_t serial, WallTime at);
Page show_shop(const View& view);
void drift_shop(State& state, std::uint64_t dice, WallTime at);
void complete_story(Json& item, std::uint64_t serial, WallTime at);
Page show_news(const View& view);
void drift_news(State& state, std::uint64_t dice, WallTime at);
void complete_row(Json& item, std::uint64_t serial, WallTime at);
Page show_list(const View& view);
Page show_any(const View& view);
void drift_list(State& state, std::uint64_t dice, WallTime at);

void complete_film(Json& item, std::uint64_t serial, WallTime at);
Page show_imdb(const View& view);
void drift_imdb(State& state, std::uint64_t dice, WallTime at);
void complete_found(Json& item, std::uint64_t serial, WallTime at);
Page show_tmdb(const View& view);
void complete_acme(Json& item, std::uint64_t serial, WallTime at);
void complete_globex(Json& item, std::uint64_t serial, WallTime at);
void complete_initech(Json& item, std::uint64_t serial, WallTime at);
Page show_acme(const View& view);
Page show_globex(const View& view);
Page show_initech(const View& view);
void drift_acme(State& state, std::uint64_t dice, WallTime at);
void drift_globex(State& state, std::uint64_t dice, WallTime at);
void complete_showing(Json& item, std::uint64_t serial, WallTime at);
Page show_cinema(const View& view);
void complete_event(Json& item, std::uint64_t serial, WallTime at);
Page show_events(const View& view);
void complete_trend(Json& item, std::uint64_t serial, WallTime at);
Page show_trends(const View& view);
void complete_text(Json& item, std::uint64_t serial, WallTime at);
Page show_generator(const View& view);
void take_text(State& state, const Ask& ask, WallTime at);
void complete_message(Json& item, std::uint64_t serial, WallTime at);
Page show_messages(const View& view);
void take_message(State& state, const Ask& ask, WallTime at);
void complete_receipt(Json& item, std::uint64_t serial, WallTime at);
Page show_receipts(const View& view);
void complete_recording(Json& item, std::uint64_t serial, WallTime at);
Page show_recordings(const View& view);
/// For sites that do not change by themselves.
void drift_none(State& state, std::uint64_t dice, WallTime at);

/// A picture that this program draws itself, outside of the sites, so that a page that shows it counts as no request.
std::string image_path(std::string_view text);
Page show_image(std::string_view rest);
/// The JSON text that `write` writes, as a page.
template <class Write>
Page json_page(const Write& write, unsigned status = 200)
{
    rapidjson::StringBuffer buffer;
    JsonWriter out(buffer);
    write(out);
    return {"application/json", {buffer.GetString(), buffer.GetSize()}, status, {}};
}
Page refused_page(unsigned status, std::string_view name, std::string_view words);
/// A whole number from 1, or nothing.
std::optional<std::uint64_t> whole_number(std::string_view text);
/// A number that is the same for the same text.
std::uint64_t hash_of(std::string_view text);

/// Multiplies a number of the item that `dice` picks by 0.98 to 1.02, rounded to `digits` decimals.
void nudge(State& state, std::string_view field, std::uint64_t dice, int digits);
double rounded(double value, int digits);
/// "12.40"
std::string with_decimals(double value, int digits);
/// Two words that together name a thing; the same for the same serial.
std::string invented_name(std::uint64_t serial);
std::string slug(std::string_view text);

} // namespace upstream
