// SPDX-License-Identifier: Apache-2.0
// `cinema`: an HTML page of films, <div class="film"><img src="…"><h3>…</h3></div>. Items: {title, img}.
// `events`: JSON, {"events": [{event_title, poster}]}, posters as paths of the site. Items: {event_title, poster}.
// `google_trend`: RSS with a namespace of its own: title, ht:approx_traffic, category. Items: {query, search_volume,
// category}.

#include "kind.hpp"

#include <array>

namespace upstream {

namespace {

constexpr std::array<std::string_view, 5> categories{"Science", "Sports", "Culture", "Weather", "Games"};
constexpr std::array<std::string_view, 7> gatherings{"Night Market",      "Open Rehearsal", "Lantern Walk", "Book Swap",
                                                     "Chess in the Park", "Brass Concert",  "Kite Day"};

std::string whole_url(const View& view, const std::string& image)
{
    return image.starts_with('/') ? view.ask.base() + image : image;
}

} // namespace

void complete_showing(Json& item, std::uint64_t serial, WallTime)
{
    set_missing(item, "title", "The " + invented_name(serial * 5));
    set_missing(item, "img", image_path(text_of(item, "title")));
}

Page show_cinema(const View& view)
{
    std::string body =
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Now showing</title></head>";
    body.append("<body>\n<h1>Now showing</h1>\n<main>\n");
    for (const Item& item : view.items) {
        const std::string title = escape_markup(text_of(*item, "title"));
        const std::string image = escape_markup(whole_url(view, text_of(*item, "img")));
        if (view.changed)
            body.append("<li class=\"card-q9\"><span data-bg=\"")
                .append(image)
                .append("\"></span><b>")
                .append(title)
                .append("</b></li>\n");
        else
            body.append("<div class=\"film\"><img src=\"")
                .append(image)
                .append("\" alt=\"\"><h3>")
                .append(title)
                .append("</h3></div>\n");
    }
    body.append("</main>\n</body></html>\n");
    return {"text/html; charset=utf-8", std::move(body), 200, {}};
}

void complete_event(Json& item, std::uint64_t serial, WallTime)
{
    std::string title(gatherings[serial % gatherings.size()]);
    title.append(", ").append(invented_name(serial * 3));
    set_missing(item, "event_title", title);
    set_missing(item, "poster", image_path(text_of(item, "event_title")));
}

Page show_events(const View& view)
{
    return json_page([&](JsonWriter& out) {
        out.StartObject();
        put(out, view.changed ? "listing" : "events");
        out.StartArray();
        for (const Item& item : view.items) item->Accept(out);
        out.EndArray();
        out.EndObject();
    });
}

void complete_trend(Json& item, std::uint64_t serial, WallTime)
{
    std::string query = invented_name(serial * 7);
    for (char& c : query)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    set_missing(item, "query", query);
    set_missing(item, "search_volume", std::to_string(1 + serial * 13 % 50) + "000+");
    set_missing(item, "category", categories[serial % categories.size()]);
}

Page show_trends(const View& view)
{
    std::string body =
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<rss xmlns:ht=\"https://trends.example/trends/trending\" "
        "version=\"2.0\"><channel>\n<title>Invented searches</title>\n";
    for (const Item& item : view.items) {
        const std::string query = escape_markup(text_of(*item, "query"));
        const std::string volume = escape_markup(text_of(*item, "search_volume"));
        const std::string category = escape_markup(text_of(*item, "category"));
        if (view.changed)
            body.append("<entry><name>").append(query).append("</name></entry>\n");
        else
            body.append("<item><title>")
                .append(query)
                .append("</title><ht:approx_traffic>")
                .append(volume)
                .append("</ht:approx_traffic><category>")
                .append(category)
                .append("</category></item>\n");
    }
    body.append("</channel></rss>\n");
    return {"application/rss+xml; charset=utf-8", std::move(body), 200, {}};
}

} // namespace upstream
