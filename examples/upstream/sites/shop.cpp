// SPDX-License-Identifier: Apache-2.0
// `shop`: an HTML page of offers, to be read by XPath. Items: {id, name, price, url}. A row is
// <div class="offer"><h3>name</h3><b>price</b><a href="/shop/item/slug">…</a></div>; /shop/item/slug shows one.

#include "kind.hpp"

namespace upstream {

namespace {

std::string price_text(const JsonValue& item)
{
    const auto number = number_of(item, "price");
    return number ? with_decimals(*number, 2) : text_of(item, "price");
}

std::string row_of(const Item& item, bool changed)
{
    const std::string name = escape_markup(text_of(*item, "name"));
    const std::string price = escape_markup(price_text(*item));
    const std::string url = escape_markup(text_of(*item, "url"));
    const std::string id = escape_markup(text_of(*item, "id"));
    if (changed)
        return "  <li class=\"tile-x7\"><span data-role=\"t\">" + name + "</span> <i>" + price + "</i> <em data-to=\"" +
               url + "\">More</em></li>\n";
    return "  <div class=\"offer\" data-id=\"" + id + "\"><h3>" + name + "</h3><b>" + price + "</b><a href=\"" + url +
           "\">See the offer</a></div>\n";
}

std::string page_of(const View& view, std::string_view title, const std::string& content)
{
    const std::string stamp = std::to_string(view.state.stamp);
    std::string page = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>";
    page.append(escape_markup(title)).append("</title>\n<meta name=\"stamp\" content=\"").append(stamp);
    page.append("\"><meta name=\"updated\" content=\"")
        .append(iso_date(view.state.changed_at))
        .append("\"></head>\n<body>\n");
    page.append("<h1>").append(escape_markup(title)).append("</h1>\n").append(content).append("</body></html>\n");
    return page;
}

constexpr const char* html = "text/html; charset=utf-8";

} // namespace

void complete_offer(Json& item, std::uint64_t serial, WallTime)
{
    if (!has(item, "name") && has(item, "title")) set_missing(item, "name", text_of(item, "title"));
    set_missing(item, "id", serial);
    set_missing(item, "name", invented_name(serial));
    set_missing(item, "price", rounded(4.9 + static_cast<double>(serial * 37 % 900) / 10.0, 2));
    set_missing(item, "url", "/shop/item/" + slug(text_of(item, "name")));
}

Page show_shop(const View& view)
{
    if (view.ask.rest.starts_with("item/")) {
        for (const Item& item : view.items)
            if (text_of(*item, "url").ends_with("/" + view.ask.rest))
                return {html, page_of(view, text_of(*item, "name"), row_of(item, view.changed)), 200, {}};
        return {html, page_of(view, "No such offer", ""), 404, {}};
    }
    std::string rows = view.changed ? "<ul class=\"grid-x7\">\n" : "<div id=\"offers\">\n";
    for (const Item& item : view.items) rows += row_of(item, view.changed);
    rows += view.changed ? "</ul>\n" : "</div>\n";
    return {html, page_of(view, "The Corner Shop of Invented Things", rows), 200, {}};
}

void drift_shop(State& state, std::uint64_t dice, WallTime)
{
    nudge(state, "price", dice, 2);
}

} // namespace upstream
