// SPDX-License-Identifier: Apache-2.0
#include "page.hpp"

#include <algorithm>
#include <freshet/job.hpp>

namespace watchlist {

namespace {

using freshet::Json;

constexpr std::string_view script_mark = "id=\"__NEXT_DATA__\"";

std::string_view script_of(std::string_view html)
{
    const std::size_t mark = html.find(script_mark);
    if (mark == std::string_view::npos) return {};
    const std::size_t begin = html.find('>', mark);
    const std::size_t end = html.find("</script>", mark);
    if (begin == std::string_view::npos || end == std::string_view::npos || end < begin) return {};
    return html.substr(begin + 1, end - begin - 1);
}

/// Sets the member unless the value is null or an empty text.
void set_known(Json& item, const char* name, const Json& value)
{
    if (value.null() || (value.kind() == Json::Kind::text && value.text().empty())) return;
    item.set(name, value);
}

bool is_series(const std::string& type)
{
    return type.starts_with("tv") && type != "tvMovie" && type != "tvShort" && type != "tvSpecial";
}

Film film_of(const Json& edge, std::int64_t position)
{
    const Json& row = edge["listItem"];
    Film film;
    film.id = row["id"].text();
    film.title = without_position(row["titleText"]["text"].text(), position);
    film.added_at = edge["node"]["createdDate"].text();
    film.item = Json{{"imdbId", film.id},
                     {"title", film.title},
                     {"type", is_series(row["titleType"]["id"].text()) ? "tv" : "movie"}};
    set_known(film.item, "year", row["releaseYear"]["year"]);
    set_known(film.item, "poster", row["primaryImage"]["url"]);
    set_known(film.item, "plot", row["plot"]["plotText"]["plainText"]);
    set_known(film.item, "rating", row["ratingsSummary"]["aggregateRating"]);
    if (const std::int64_t seconds = row["runtime"]["seconds"].whole(0); seconds > 0)
        film.item.set("runtime", seconds / 60);
    Json genres = Json::list();
    for (const Json& genre : row["titleGenres"]["genres"].items()) genres.push(genre["genre"]["text"]);
    if (genres.size() > 0) film.item.set("genres", genres);
    film.item.set("addedAt", film.added_at.empty() ? Json{} : Json{film.added_at});
    return film;
}

} // namespace

std::string without_position(std::string_view title, std::int64_t position)
{
    const std::string mark = std::to_string(position) + ". ";
    return std::string(title.starts_with(mark) && title.size() > mark.size() ? title.substr(mark.size()) : title);
}

ListPage read_page(std::string_view html, std::int64_t position_before)
{
    const std::string_view script = script_of(html);
    if (script.empty())
        throw freshet::Retryable("The list page has no __NEXT_DATA__; did the site change?", "page_changed");
    Json data;
    try {
        data = Json::parse(script);
    } catch (const std::invalid_argument&) {
        throw freshet::Retryable("The data of the list page is no JSON", "page_changed");
    }
    const Json& list = data["props"]["pageProps"]["mainColumnData"]["predefinedList"];
    if (list.kind() != Json::Kind::object)
        throw freshet::Retryable("The list page has no list in its data; did the site change?", "page_changed");
    const Json& rows = list["titleListItemSearch"];
    if (rows.null()) {
        // A page whose list goes by another name is not taken for a private one.
        if (list.size() > 2)
            throw freshet::Retryable("The list has no rows in its data; did the site change?", "page_changed");
        throw freshet::Fatal("Watchlist is private. Change to Public in IMDb settings.", "private");
    }
    ListPage page;
    page.total = rows["total"].whole();
    std::int64_t position = position_before;
    for (const Json& edge : rows["edges"].items()) {
        Film film = film_of(edge, ++position);
        if (!film.id.empty()) page.films.push_back(std::move(film));
    }
    return page;
}

void sort_newest_first(std::vector<Film>& films)
{
    if (films.size() > 1 && films.front().added_at < films.back().added_at) std::ranges::reverse(films);
    std::ranges::stable_sort(films, [](const Film& a, const Film& b) { return a.added_at > b.added_at; });
}

} // namespace watchlist
