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

/// Multiplies a number of the item that `dice` picks by 0.98 to 1.02, rounded to `digits` decimals.
void nudge(State& state, std::string_view field, std::uint64_t dice, int digits);
double rounded(double value, int digits);
/// "12.40"
std::string with_decimals(double value, int digits);
/// Two words that together name a thing; the same for the same serial.
std::string invented_name(std::uint64_t serial);
std::string slug(std::string_view text);

} // namespace upstream
