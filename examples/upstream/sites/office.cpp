// SPDX-License-Identifier: Apache-2.0
// Sites that long work asks once per item.
// `generator`: POST {key, topic} answers {id, key, text}; the same key and topic give the same id.
// `messages`: POST {to, text} answers {id, to, status}; GET lists what was sent, newest first, so that a message that
// went twice can be seen. `receipts` and `recordings`: /receipts/{n} answers number n, for any n from 1; without a
// number those that were added.

#include "kind.hpp"

#include <array>

namespace upstream {

namespace {

std::optional<Json> asked_object(const Ask& ask)
{
    std::string why;
    auto asked = parse_json(ask.body, why);
    if (!asked || !asked->IsObject()) return std::nullopt;
    return asked;
}

Page list_of(const View& view, std::string_view name)
{
    return json_page([&](JsonWriter& out) {
        out.StartObject();
        put(out, view.changed ? "rows" : name);
        out.StartArray();
        for (const Item& item : view.items) item->Accept(out);
        out.EndArray();
        out.EndObject();
    });
}

std::string text_id(const JsonValue& asked)
{
    const std::string key = text_of(asked, "key");
    const std::string topic = text_of(asked, "topic");
    return "conv-" + std::to_string(hash_of(key + "\n" + topic) % 1'000'000'000'000);
}

/// The item of that number: one that was added under it, else an invented one.
Page numbered(const View& view, std::string_view name, void (*complete)(Json&, std::uint64_t, WallTime))
{
    if (view.ask.rest.empty()) return list_of(view, name);
    const auto number = whole_number(view.ask.rest);
    if (!number) return refused_page(404, "error", "a number from 1 is wanted");
    for (const Item& item : view.items)
        if (text_of(*item, "id") == view.ask.rest) return json_page([&](JsonWriter& out) { item->Accept(out); });
    Json item;
    item.SetObject();
    complete(item, *number, view.state.changed_at);
    return json_page([&](JsonWriter& out) { item.Accept(out); });
}

constexpr std::array<std::string_view, 6> shops{"Corner Bakery", "Lamp House",   "Old Mill Books",
                                                "Harbour Fish",  "Tea and Rain", "North Tools"};

} // namespace

void complete_text(Json& item, std::uint64_t serial, WallTime at)
{
    set_missing(item, "key", "item-" + std::to_string(serial));
    set_missing(item, "topic", invented_name(serial));
    set_missing(item, "id", text_id(item));
    set_missing(item, "created_at", iso_date(at));
}

Page show_generator(const View& view)
{
    if (view.ask.method != "POST") return list_of(view, "conversations");
    const auto asked = asked_object(view.ask);
    if (!asked) return refused_page(400, "error", "an object with key and topic is wanted");
    const bool nothing = view.fault == Fault::empty;
    return json_page([&](JsonWriter& out) {
        out.StartObject();
        put(out, view.changed ? "conversation" : "id", std::string_view(text_id(*asked)));
        put(out, "key", std::string_view(text_of(*asked, "key")));
        put(out, "text",
            std::string_view(nothing ? "" : "An invented conversation about " + text_of(*asked, "topic") + "."));
        out.EndObject();
    });
}

void take_text(State& state, const Ask& ask, WallTime at)
{
    auto asked = asked_object(ask);
    if (!asked) return;
    auto item = std::make_shared<Json>(std::move(*asked));
    complete_text(*item, ++state.serial_last, at);
    auto items = std::make_shared<std::vector<Item>>(*state.items);
    items->insert(items->begin(), std::move(item));
    state.items = std::move(items);
}

void complete_message(Json& item, std::uint64_t serial, WallTime at)
{
    set_missing(item, "id", "msg-" + std::to_string(serial));
    set_missing(item, "to", "recipient-" + std::to_string(serial));
    set_missing(item, "text", "An invented message.");
    set_missing(item, "sent_at", iso_date(at));
}

Page show_messages(const View& view)
{
    if (view.ask.method != "POST") return list_of(view, "messages");
    const auto asked = asked_object(view.ask);
    if (!asked || !has(*asked, "to")) return refused_page(400, "error", "an object with to and text is wanted");
    return json_page([&](JsonWriter& out) {
        out.StartObject();
        put(out, "id", std::string_view("msg-" + std::to_string(view.state.serial_last + 1)));
        put(out, "to", std::string_view(text_of(*asked, "to")));
        put(out, "status", std::string_view("sent"));
        out.EndObject();
    });
}

void take_message(State& state, const Ask& ask, WallTime at)
{
    auto asked = asked_object(ask);
    if (!asked) return;
    auto item = std::make_shared<Json>(std::move(*asked));
    complete_message(*item, ++state.serial_last, at);
    auto items = std::make_shared<std::vector<Item>>(*state.items);
    items->insert(items->begin(), std::move(item));
    state.items = std::move(items);
}

void complete_receipt(Json& item, std::uint64_t serial, WallTime)
{
    set_missing(item, "id", serial);
    set_missing(item, "shop", shops[serial % shops.size()]);
    set_missing(item, "amount", rounded(3.5 + static_cast<double>(serial * 97 % 4000) / 10, 2));
}

Page show_receipts(const View& view)
{
    return numbered(view, "receipts", complete_receipt);
}

void complete_recording(Json& item, std::uint64_t serial, WallTime)
{
    set_missing(item, "id", serial);
    set_missing(item, "seconds", 30 + serial * 41 % 600);
    set_missing(item, "text", "What was said in recording " + std::to_string(serial) + ".");
}

Page show_recordings(const View& view)
{
    return numbered(view, "recordings", complete_recording);
}

} // namespace upstream
