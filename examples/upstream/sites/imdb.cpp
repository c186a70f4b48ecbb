// SPDX-License-Identifier: Apache-2.0
// `imdb`: a film list as a page for people, whose data stands in <script id="__NEXT_DATA__">, 250 rows a page:
// /imdb/user/{user}/watchlist?page=2. Items are kept in the shape of that data (a listItem, and the date it was added):
// one that comes as {imdbId, title, year, ...} is put into it. A private list has no `titleListItemSearch`.
// `tmdb`: the lookup of a title by such an id, /tmdb/3/find/{id}?external_source=imdb_id, computed from the id.

#include "kind.hpp"

#include <algorithm>
#include <array>
#include <rapidjson/pointer.h>

namespace upstream {

namespace {

constexpr std::size_t page_rows = 250;
constexpr const char* html = "text/html; charset=utf-8";
constexpr const char* added_at = "addedAt";
constexpr std::array<const char*, 7> genres{"Drama", "Comedy", "Mystery", "Adventure", "Crime", "Romance", "Sci-Fi"};
constexpr std::array<std::string_view, 12> people{"Ferryman",     "Clockmaker",  "Lighthouse", "Orchard",
                                                  "Cartographer", "Understudy",  "Beekeeper",  "Locksmith",
                                                  "Night Train",  "Glassblower", "Tidewater",  "Archivist"};
constexpr std::array<std::string_view, 11> fates{"Returns",   "at Midnight",   "and the River", "of Saint Oriel",
                                                 "in Winter", "Without a Map", "Below",         "Says Nothing",
                                                 "Goes Home", "on the Hill",   "Twice"};

bool has_at(const Json& item, const char* path)
{
    return rapidjson::Pointer(path).Get(item) != nullptr;
}

/// Sets what is at neither of the paths: a null that somebody gave stays.
template <class Value>
void set_absent(Json& item, const char* path, const Value& value)
{
    if (!has_at(item, path)) rapidjson::Pointer(path).Set(item, value);
}

std::string film_title(std::uint64_t serial)
{
    if (serial == 17) return "1917 Again";
    if (serial == 23) return "7.5 Degrees";
    std::string title("The ");
    title.append(people[serial % people.size()]).append(" ").append(fates[serial % fates.size()]);
    const std::uint64_t round = serial / (people.size() * fates.size());
    if (round > 0) title.append(" ").append(std::to_string(round + 1));
    return title;
}

/// Moves a member of the flat shape to where the page has it.
void move_member(Json& item, const char* from, const char* to)
{
    const auto member = item.FindMember(from);
    if (member == item.MemberEnd()) return;
    if (!has_at(item, to)) rapidjson::Pointer(to).Set(item, JsonValue(member->value, item.GetAllocator()));
    item.RemoveMember(from);
}

void take_flat_shape(Json& item)
{
    if (const auto inner = item.FindMember("listItem"); inner != item.MemberEnd() && inner->value.IsObject()) {
        Json list_item = copy_of(inner->value);
        item.Swap(list_item);
    }
    if (const auto kind = item.FindMember("type"); kind != item.MemberEnd() && kind->value.IsString()) {
        set_absent(item, "/titleType/id", std::string_view(kind->value.GetString()) == "tv" ? "tvSeries" : "movie");
        item.RemoveMember("type");
    }
    if (const auto names = item.FindMember("genres"); names != item.MemberEnd() && names->value.IsArray()) {
        Json list = copy_of(names->value);
        item.RemoveMember("genres");
        for (rapidjson::SizeType i = 0; i < list.Size(); ++i) {
            const std::string path = "/titleGenres/genres/" + std::to_string(i) + "/genre/text";
            rapidjson::Pointer(path.c_str()).Set(item, JsonValue(list[i], item.GetAllocator()));
        }
    }
    if (const auto minutes = item.FindMember("runtime"); minutes != item.MemberEnd() && minutes->value.IsNumber()) {
        const auto seconds = static_cast<std::int64_t>(minutes->value.GetDouble() * 60);
        minutes->value.SetObject().AddMember("seconds", seconds, item.GetAllocator());
    }
    if (const auto plot = item.FindMember("plot"); plot != item.MemberEnd() && plot->value.IsString()) {
        const std::string text = plot->value.GetString();
        item.RemoveMember("plot");
        rapidjson::Pointer("/plot/plotText/plainText").Set(item, text.c_str());
    }
    move_member(item, "imdbId", "/id");
    move_member(item, "title", "/titleText/text");
    move_member(item, "year", "/releaseYear/year");
    move_member(item, "rating", "/ratingsSummary/aggregateRating");
    move_member(item, "poster", "/primaryImage/url");
}

void write_edge(JsonWriter& out, const Item& item, std::size_t position, const View& view)
{
    Json shown = copy_of(*item);
    const auto* const title = rapidjson::Pointer("/titleText/text").Get(shown);
    if (view.state.numbered && title != nullptr && title->IsString()) {
        const std::string numbered = std::to_string(position) + ". " + title->GetString();
        rapidjson::Pointer("/titleText/text").Set(shown, numbered.c_str());
    }
    // Pictures are at this program's own address, which another start may change.
    const auto* const image = rapidjson::Pointer("/primaryImage/url").Get(shown);
    if (image != nullptr && image->IsString() && std::string_view(image->GetString()).starts_with("/")) {
        const std::string whole = view.ask.base() + image->GetString();
        rapidjson::Pointer("/primaryImage/url").Set(shown, whole.c_str());
    }
    const std::string added = text_of(shown, added_at);
    shown.RemoveMember(added_at);
    out.StartObject();
    put(out, "node");
    out.StartObject();
    put(out, "itemId", std::string_view("li" + text_of(shown, "id")));
    put(out, "absolutePosition", static_cast<std::uint64_t>(position));
    put(out, "createdDate", std::string_view(added));
    out.EndObject();
    put(out, view.changed ? "titleItem" : "listItem");
    shown.Accept(out);
    out.EndObject();
}

void write_list(JsonWriter& out, const View& view, std::string_view user, std::size_t page)
{
    const std::size_t total = view.items.size();
    const std::size_t from = std::min((page - 1) * page_rows, total);
    const std::size_t to = std::min(from + page_rows, total);
    put(out, "id", std::string_view("ls" + std::to_string(hash_of(user) % 900'000'000 + 100'000'000)));
    put(out, "visibility");
    out.StartObject();
    put(out, "id", std::string_view(view.state.is_private ? "PRIVATE" : "PUBLIC"));
    out.EndObject();
    if (view.state.is_private) return;
    put(out, view.changed ? "titleRows" : "titleListItemSearch");
    out.StartObject();
    // Where rows are missing (fault half) the list says itself how many there should be.
    const std::size_t said = view.fault == Fault::half ? view.state.items->size() : total;
    put(out, "total", static_cast<std::uint64_t>(said));
    put(out, "pageInfo");
    out.StartObject();
    put(out, "hasNextPage", to < total);
    out.EndObject();
    put(out, "edges");
    out.StartArray();
    for (std::size_t i = from; i < to; ++i)
        write_edge(out, view.items[view.state.oldest_first ? total - 1 - i : i], i + 1, view);
    out.EndArray();
    out.EndObject();
}

/// A closing tag inside of the data would end the script.
std::string inside_script(std::string text)
{
    for (std::size_t at = text.find("</"); at != std::string::npos; at = text.find("</", at + 3))
        text.insert(at + 1, "\\");
    return text;
}

std::string data_of(const View& view, std::string_view user, std::size_t page)
{
    rapidjson::StringBuffer buffer;
    JsonWriter out(buffer);
    out.StartObject();
    for (const char* const name : {"props", "pageProps", "mainColumnData", "predefinedList"}) {
        put(out, name);
        out.StartObject();
    }
    write_list(out, view, user, page);
    out.EndObject();
    put(out, "totalTitles", static_cast<std::uint64_t>(view.items.size()));
    for (int i = 0; i < 4; ++i) out.EndObject();
    return inside_script({buffer.GetString(), buffer.GetSize()});
}

} // namespace

void complete_film(Json& item, std::uint64_t serial, WallTime at)
{
    take_flat_shape(item);
    set_absent(item, "/id", ("tt" + std::to_string(90'000'000 + serial)).c_str());
    set_absent(item, "/titleText/text", film_title(serial).c_str());
    set_absent(item, "/titleType/id", serial % 5 == 0 ? "tvSeries" : "movie");
    set_absent(item, "/releaseYear/year", static_cast<int>(1925 + serial * 37 % 101));
    // Some lack what others have, as on the real list.
    if (!has_at(item, "/ratingsSummary"))
        rapidjson::Pointer("/ratingsSummary/aggregateRating")
            .Set(item, serial % 19 == 0 ? JsonValue()
                                        : JsonValue(rounded(4.1 + static_cast<double>(serial * 13 % 50) / 10, 1)));
    if (!has_at(item, "/runtime") && serial % 23 == 0) rapidjson::Pointer("/runtime").Set(item, JsonValue());
    set_absent(item, "/runtime", JsonValue(rapidjson::kNullType));
    if (rapidjson::Pointer("/runtime").Get(item)->IsNull() && serial % 23 != 0)
        rapidjson::Pointer("/runtime/seconds").Set(item, static_cast<int>(60 * (75 + serial * 17 % 90)));
    if (!has_at(item, "/plot") && serial % 29 != 0)
        rapidjson::Pointer("/plot/plotText/plainText")
            .Set(item, ("An invented story, number " + std::to_string(serial) + ".").c_str());
    set_absent(item, "/plot", JsonValue(rapidjson::kNullType));
    if (!has_at(item, "/primaryImage") && serial % 31 != 0)
        rapidjson::Pointer("/primaryImage/url")
            .Set(item, image_path(rapidjson::Pointer("/titleText/text").Get(item)->GetString()).c_str());
    set_absent(item, "/primaryImage", JsonValue(rapidjson::kNullType));
    if (!has_at(item, "/titleGenres")) {
        rapidjson::Pointer("/titleGenres/genres/0/genre/text").Set(item, genres[serial % genres.size()]);
        rapidjson::Pointer("/titleGenres/genres/1/genre/text").Set(item, genres[(serial + 3) % genres.size()]);
    }
    set_absent(item, "/addedAt", iso_date(at).c_str());
}

Page show_imdb(const View& view)
{
    const std::string_view rest = view.ask.rest;
    constexpr std::string_view before = "user/";
    constexpr std::string_view behind = "/watchlist";
    const std::string_view path = rest.ends_with('/') ? rest.substr(0, rest.size() - 1) : rest;
    if (!path.starts_with(before) || !path.ends_with(behind) || path.size() <= before.size() + behind.size())
        return {html, "<!doctype html><title>404</title><p>There is no such page.</p>\n", 404, {}};
    const std::string_view user = path.substr(before.size(), path.size() - before.size() - behind.size());
    const std::uint64_t page = whole_number(view.ask.param("page").value_or("1")).value_or(1);

    std::string body =
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Watchlist</title></head><body>\n";
    body.append("<h1>Watchlist</h1>\n<p>")
        .append(std::to_string(view.items.size()))
        .append(" titles</p>\n<script id=\"");
    body.append(view.changed ? "__PAGE_STATE__" : "__NEXT_DATA__").append("\" type=\"application/json\">");
    body.append(data_of(view, user, page)).append("</script>\n</body></html>\n");
    return {html, std::move(body), 200, {}};
}

void drift_imdb(State& state, std::uint64_t, WallTime at)
{
    auto items = std::make_shared<std::vector<Item>>(*state.items);
    auto item = std::make_shared<Json>();
    item->SetObject();
    complete_film(*item, ++state.serial_last, at);
    items->insert(items->begin(), std::move(item));
    state.items = std::move(items);
}

void complete_found(Json& item, std::uint64_t serial, WallTime)
{
    if (has(item, "imdbId")) set_missing(item, "id", text_of(item, "imdbId"));
    set_missing(item, "id", "tt" + std::to_string(90'000'000 + serial));
}

Page show_tmdb(const View& view)
{
    constexpr std::string_view before = "3/find/";
    constexpr std::array<std::string_view, 5> arrays{"movie_results", "person_results", "tv_results",
                                                     "tv_episode_results", "tv_season_results"};
    if (!view.ask.rest.starts_with(before))
        return refused_page(404, "status_message", "The resource could not be found.");
    const std::string id = view.ask.rest.substr(before.size());
    const auto number = whole_number(id.starts_with("tt") ? std::string_view(id).substr(2) : "");
    const auto own = std::ranges::find_if(view.items, [&](const Item& item) { return text_of(*item, "id") == id; });
    const bool found = number.has_value() && !(view.fault == Fault::empty);
    const bool tv =
        found && (own != view.items.end() && has(**own, "type") ? text_of(**own, "type") == "tv" : *number % 5 == 0);
    return json_page([&](JsonWriter& out) {
        out.StartObject();
        for (const std::string_view name : arrays) {
            put(out, view.changed ? std::string("x_").append(name) : std::string(name));
            out.StartArray();
            if (found && name == (tv ? "tv_results" : "movie_results")) {
                const std::string title = own != view.items.end() && has(**own, "title")
                                              ? text_of(**own, "title")
                                              : film_title(*number % 90'000'000);
                out.StartObject();
                put(out, "id", *number % 1'000'000);
                put(out, tv ? "name" : "title", std::string_view(title));
                put(out, "overview", std::string_view("What the catalogue of invented films says of " + title + "."));
                put(out, "poster_path", std::string_view(image_path(title)));
                put(out, "media_type", std::string_view(tv ? "tv" : "movie"));
                put(out, "vote_average", rounded(4.0 + static_cast<double>(*number % 60) / 10, 1));
                put(out, tv ? "first_air_date" : "release_date",
                    std::string_view(std::to_string(1925 + *number * 37 % 101) + "-06-15"));
                put(out, "genre_ids");
                out.StartArray();
                out.Uint64(*number % 30 + 10);
                out.EndArray();
                out.EndObject();
            }
            out.EndArray();
        }
        out.EndObject();
    });
}

} // namespace upstream
