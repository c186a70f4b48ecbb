// SPDX-License-Identifier: Apache-2.0
// `prices`: exchange rates as JSON. /prices serves {updated_at, base, stamp, rates: {USD: 1.08, ...}, offers: [...]}
// and /prices/USD one of them. Items: {code, name, rate}. The rates are invented.

#include "kind.hpp"

#include <array>
#include <set>

namespace upstream {

namespace {

struct Currency {
    std::string_view code, name;
    double rate;
};

constexpr std::array<Currency, 12> currencies{{{"USD", "US dollar", 1.0842},
                                               {"GBP", "Pound sterling", 0.8514},
                                               {"JPY", "Japanese yen", 163.27},
                                               {"CHF", "Swiss franc", 0.9412},
                                               {"SEK", "Swedish krona", 11.2387},
                                               {"NOK", "Norwegian krone", 11.6425},
                                               {"DKK", "Danish krone", 7.4601},
                                               {"PLN", "Polish zloty", 4.2719},
                                               {"CZK", "Czech koruna", 25.318},
                                               {"ILS", "Israeli shekel", 3.9874},
                                               {"CAD", "Canadian dollar", 1.4785},
                                               {"AUD", "Australian dollar", 1.6391}}};

void put_head(JsonWriter& out, const State& state)
{
    put(out, "updated_at", iso_date(state.changed_at));
    put(out, "base", std::string_view("EUR"));
    put(out, "stamp", state.stamp);
    put(out, "version", state.stamp);
}

Page show_one(const View& view)
{
    rapidjson::StringBuffer buffer;
    JsonWriter out(buffer);
    for (const Item& item : view.items) {
        if (!equal_no_case(text_of(*item, "code"), view.ask.rest)) continue;
        out.StartObject();
        put_head(out, view.state);
        put(out, view.changed ? "symbol" : "code", text_of(*item, "code"));
        put(out, view.changed ? "quote" : "rate", number_of(*item, "rate").value_or(0));
        out.EndObject();
        return {"application/json", buffer.GetString(), 200, {}};
    }
    out.StartObject();
    put(out, "error", std::string_view("no such currency"));
    out.EndObject();
    return {"application/json", buffer.GetString(), 404, {}};
}

} // namespace

void complete_price(Json& item, std::uint64_t serial, WallTime)
{
    // The list of codes is served newest first, so the first serial is the last of the table.
    const Currency& known = currencies[(currencies.size() - serial % currencies.size()) % currencies.size()];
    const std::string invented = "X" + std::to_string(serial);
    const bool is_known = serial <= currencies.size();
    set_missing(item, "code", is_known ? known.code : std::string_view(invented));
    set_missing(item, "name", is_known ? known.name : std::string_view("Invented coin"));
    set_missing(item, "rate", is_known ? known.rate : rounded(1.0 + static_cast<double>(serial % 97) / 10.0, 4));
}

Page show_prices(const View& view)
{
    if (!view.ask.rest.empty()) return show_one(view);
    rapidjson::StringBuffer buffer;
    JsonWriter out(buffer);
    out.StartObject();
    put_head(out, view.state);
    std::set<std::string> seen;
    put(out, view.changed ? "quotes" : "rates");
    out.StartObject();
    for (const Item& item : view.items) {
        // Of two items with one code the newer is the rate.
        const std::string code = text_of(*item, "code");
        if (seen.insert(code).second) put(out, code, number_of(*item, "rate").value_or(0));
    }
    out.EndObject();
    put(out, view.changed ? "entries" : "offers");
    out.StartArray();
    for (const Item& item : view.items) item->Accept(out);
    out.EndArray();
    out.EndObject();
    return {"application/json", {buffer.GetString(), buffer.GetSize()}, 200, {}};
}

void drift_prices(State& state, std::uint64_t dice, WallTime)
{
    nudge(state, "rate", dice, 4);
}

} // namespace upstream
