// SPDX-License-Identifier: Apache-2.0
// `news`: an RSS 2.0 feed. Items: {guid, title, link, description, pub_date}. Invented headlines only.

#include "kind.hpp"

#include <array>

namespace upstream {

namespace {

constexpr std::array<std::string_view, 8> places{"Harbour", "Old Mill",  "Upper Valley", "Lakeside",
                                                 "Station", "Hill Farm", "East Bridge",  "Market Square"};
constexpr std::array<std::string_view, 11> events{
    "opens a library of borrowed tools", "counts its swallows again",          "repaints the clock tower",
    "finds a cellar nobody knew of",     "celebrates a hundred years of rain", "moves the Friday market to Thursday",
    "teaches its ferry to turn around",  "loses and finds its golden key",     "plants four hundred pear trees",
    "votes for quieter bells",           "builds a bench for two towns"};

std::string element(std::string_view name, std::string_view text)
{
    std::string out("<");
    out.append(name).append(">").append(escape_markup(text)).append("</").append(name).append(">");
    return out;
}

std::string story(const Item& item, bool changed)
{
    const std::string title = text_of(*item, "title");
    const std::string link = text_of(*item, "link");
    if (changed)
        return "  <entry>" + element("headline", title) + "<url>" + escape_markup(link) + "</url>" +
               element("when", text_of(*item, "pub_date")) + "</entry>\n";
    return "  <item>" + element("title", title) + element("link", link) + "<guid isPermaLink=\"false\">" +
           escape_markup(text_of(*item, "guid")) + "</guid>" + element("pubDate", text_of(*item, "pub_date")) +
           element("description", text_of(*item, "description")) + "</item>\n";
}

} // namespace

void complete_story(Json& item, std::uint64_t serial, WallTime at)
{
    const std::string headline =
        std::string(places[serial % places.size()]).append(" ").append(events[serial % events.size()]);
    set_missing(item, "guid", "story-" + std::to_string(serial));
    set_missing(item, "title", headline);
    set_missing(item, "link", "https://news.example/" + slug(text_of(item, "title")) + "-" + std::to_string(serial));
    set_missing(item, "description", "An invented story, number " + std::to_string(serial) + ".");
    set_missing(item, "pub_date", http_date(at));
}

Page show_news(const View& view)
{
    const std::string root = view.changed ? "feed" : "channel";
    std::string body = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<rss version=\"2.0\"><" + root + ">\n";
    body.append(element("title", "The Invented Courier")).append(element("link", view.ask.base() + "/news"));
    body.append(element("description", "News of places that do not exist")).append("\n");
    body.append(element("lastBuildDate", http_date(view.state.changed_at)));
    body.append(element("stamp", std::to_string(view.state.stamp))).append("\n");
    for (const Item& item : view.items) body += story(item, view.changed);
    body.append("</").append(root).append("></rss>\n");
    return {"application/rss+xml; charset=utf-8", std::move(body), 200, {}};
}

void drift_news(State& state, std::uint64_t, WallTime at)
{
    auto items = std::make_shared<std::vector<Item>>(*state.items);
    auto item = std::make_shared<Json>();
    item->SetObject();
    complete_story(*item, ++state.serial_last, at);
    items->insert(items->begin(), std::move(item));
    if (items->size() > 20) items->pop_back();
    state.items = std::move(items);
}

} // namespace upstream
