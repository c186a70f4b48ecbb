// SPDX-License-Identifier: Apache-2.0
// `list`: a JSON list with every way of paging, and `any`, which serves its literal body (or its items, unpaged).
// ?page=N&per_page=M answers an array with Link: rel="next" (also prev, first, last) and X-Total-Count; ?cursor= starts
// {items, next_cursor, total}. A cursor names the last item shown, so items added meanwhile shift nothing; when that
// item is gone the cursor is refused with 400. Items: {id, title, value, stamp}.

#include "kind.hpp"

#include <algorithm>
#include <charconv>

namespace upstream {

namespace {

constexpr std::size_t per_page_max = 10'000;
constexpr const char* json = "application/json";

std::optional<std::size_t> whole(std::optional<std::string_view> text, std::size_t when_absent)
{
    if (!text) return when_absent;
    std::size_t value = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
    if (error != std::errc() || end != text->data() + text->size() || value == 0) return std::nullopt;
    return value;
}

Page refused(std::string_view words)
{
    rapidjson::StringBuffer buffer;
    JsonWriter out(buffer);
    out.StartObject();
    put(out, "error", words);
    out.EndObject();
    return {json, buffer.GetString(), 400, {}};
}

void write_row(JsonWriter& out, const Item& item, const View& view)
{
    out.StartObject();
    for (const auto& member : item->GetObject()) {
        if (member.name == "stamp") continue;
        if (view.changed)
            put(out, std::string("f_") + member.name.GetString());
        else
            out.Key(member.name.GetString(), member.name.GetStringLength());
        member.value.Accept(out);
    }
    put(out, "stamp", view.state.stamp);
    out.EndObject();
}

void write_rows(JsonWriter& out, std::span<const Item> rows, const View& view)
{
    out.StartArray();
    for (const Item& item : rows) write_row(out, item, view);
    out.EndArray();
}

/// Opaque to the client: the id in hexadecimal behind a letter.
std::string cursor_after(const Item& item)
{
    constexpr std::string_view digits = "0123456789abcdef";
    std::string cursor = "c";
    for (const char c : text_of(*item, "id")) {
        const auto byte = static_cast<unsigned char>(c);
        cursor += digits[byte >> 4];
        cursor += digits[byte & 15];
    }
    return cursor;
}

Page show_from_cursor(const View& view, std::string_view cursor, std::size_t per_page)
{
    std::size_t from = 0;
    if (!cursor.empty()) {
        const auto last =
            std::ranges::find_if(view.items, [&](const Item& item) { return cursor_after(item) == cursor; });
        if (last == view.items.end()) return refused("cursor unknown or expired");
        from = static_cast<std::size_t>(last - view.items.begin()) + 1;
    }
    const auto rows = view.items.subspan(from, std::min(per_page, view.items.size() - from));
    const bool more = from + rows.size() < view.items.size() && !rows.empty();
    rapidjson::StringBuffer buffer;
    JsonWriter out(buffer);
    out.StartObject();
    put(out, view.changed ? "rows" : "items");
    write_rows(out, rows, view);
    put(out, view.changed ? "continue" : "next_cursor");
    if (more)
        out.String(cursor_after(rows.back()));
    else
        out.Null();
    put(out, "total", static_cast<std::uint64_t>(view.items.size()));
    out.EndObject();
    return {json, {buffer.GetString(), buffer.GetSize()}, 200, {}};
}

std::string links(const View& view, std::size_t page, std::size_t pages, std::size_t per_page)
{
    std::string header;
    const auto add = [&](std::size_t to, std::string_view rel) {
        header.append(header.empty() ? "<" : ", <").append(view.ask.base()).append("/").append(view.ask.site);
        header.append("?page=").append(std::to_string(to)).append("&per_page=").append(std::to_string(per_page));
        header.append(">; rel=\"").append(rel).append("\"");
    };
    if (page < pages) add(page + 1, "next");
    if (page > 1) add(page - 1, "prev");
    add(1, "first");
    add(std::max<std::size_t>(pages, 1), "last");
    return header;
}

} // namespace

void complete_row(Json& item, std::uint64_t serial, WallTime)
{
    set_missing(item, "id", serial);
    set_missing(item, "title", invented_name(serial));
    set_missing(item, "value", serial * 7919 % 1000);
}

Page show_list(const View& view)
{
    const auto page = whole(view.ask.param("page"), 1);
    const auto per_page = whole(view.ask.param("per_page"), view.state.page_size);
    if (!page || !per_page || *per_page > per_page_max) return refused("page and per_page are whole numbers from 1");
    if (const auto cursor = view.ask.param("cursor")) return show_from_cursor(view, *cursor, *per_page);

    const std::size_t pages = (view.items.size() + *per_page - 1) / *per_page;
    const std::size_t from = *page > pages ? view.items.size() : (*page - 1) * *per_page;
    const auto rows = view.items.subspan(from, std::min(*per_page, view.items.size() - from));
    rapidjson::StringBuffer buffer;
    JsonWriter out(buffer);
    if (view.changed) {
        out.StartObject();
        put(out, "data");
    }
    write_rows(out, rows, view);
    if (view.changed) out.EndObject();
    return {json,
            {buffer.GetString(), buffer.GetSize()},
            200,
            {{"Link", links(view, *page, pages, *per_page)}, {"X-Total-Count", std::to_string(view.items.size())}}};
}

Page show_any(const View& view)
{
    rapidjson::StringBuffer buffer;
    JsonWriter out(buffer);
    write_rows(out, view.items, view);
    return {json, {buffer.GetString(), buffer.GetSize()}, 200, {}};
}

void drift_list(State& state, std::uint64_t dice, WallTime)
{
    nudge(state, "value", dice, 0);
}

} // namespace upstream
