// SPDX-License-Identifier: Apache-2.0
// watchlist-worker: reads a user's list, page by page, looks up each title through the server's own keyed source (which
// keeps what it knows for 30 days, so that a refresh asks the catalogue only for new titles), and answers the list,
// newest first.
//
// A page comes by plain HTTP, or through the program that WATCHLIST_HELPER names: it is given the URL and prints the
// HTML of the page as a browser sees it. Where there is a file WATCHLIST_EXPORTS/{user}.csv, the site's own export,
// that is read instead. Where the site blocks, the job says so and the source is left alone: nothing is evaded.

#include "csv.hpp"
#include "helper.hpp"
#include "kit.hpp"

#include <atomic>
#include <charconv>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>
#include <set>
#include <thread>

namespace {

using freshet::Job;
using freshet::Json;
using watchlist::Film;

constexpr int lookups_at_once = 10;
constexpr int phases = 4;

[[noreturn]] void blocked(const std::string& words)
{
    // With a time to wait the source counts as one that wants to be left alone.
    throw freshet::Retryable(words, "blocked", std::chrono::milliseconds(1));
}

std::string page_url(const std::string& user, int page)
{
    // The real one: IMDB_URL=https://www.imdb.com
    std::string url = kit::environment("IMDB_URL", kit::upstream() + "/imdb") + "/user/" + user + "/watchlist";
    if (page > 1) url += "?page=" + std::to_string(page);
    return url;
}

/// The URL is made of a user that the source's pattern let through, and stands in quotes.
std::string by_helper(Job& job, const std::string& helper, const std::string& url)
{
    watchlist::Opened opened = watchlist::open_page(job, helper, url);
    if (opened.code == 0) return std::move(opened.html);
    if (opened.code == 3) blocked("The site blocks the browser: " + opened.said);
    throw freshet::Retryable("The browser helper ended with code " + std::to_string(opened.code) + ": " + opened.said,
                             "helper");
}

std::string by_http(Job& job, const std::string& url)
{
    const kit::Answer answer = kit::ask(job, {.url = url, .headers = {"Accept: text/html"}});
    if (answer.status == 403) blocked("The site blocks us: it answered 403");
    if (answer.status == 202) blocked("The site blocks us: it answered 202, a page that asks for a human");
    if (answer.status != 200) kit::refuse("The list page", answer);
    return answer.body;
}

/// A list of more pages is read as far as this, and the job's log says so.
std::int64_t pages_max()
{
    const std::string text = kit::environment("WATCHLIST_PAGES_MAX", "40");
    std::int64_t pages = 0;
    std::from_chars(text.data(), text.data() + text.size(), pages);
    return pages > 0 ? pages : 40;
}

std::vector<Film> read_list(Job& job, const std::string& user)
{
    const std::string helper = kit::environment("WATCHLIST_HELPER", "");
    job.progress({.done = 0,
                  .phase = "starting browser",
                  .unit = "pages",
                  .message = helper.empty() ? "plain HTTP" : "",
                  .phases = phases});
    std::vector<Film> films;
    std::set<std::string> seen;
    std::int64_t rows = 0;
    std::int64_t total = 1;
    std::int64_t pages = 1;
    const std::int64_t most = pages_max();
    bool capped = false;
    for (int page = 1; page <= pages; ++page) {
        job.check();
        job.progress({.done = page - 1,
                      .total = page == 1 ? std::nullopt : std::optional(pages),
                      .phase = "reading list",
                      .unit = "pages",
                      .message = page == 1 ? "page 1" : "page " + std::to_string(page) + " of " + std::to_string(pages),
                      .phases = phases});
        const std::string url = page_url(user, page);
        watchlist::ListPage read =
            watchlist::read_page(helper.empty() ? by_http(job, url) : by_helper(job, helper, url), rows);
        total = read.total;
        if (page == 1 && !read.films.empty()) {
            const auto per_page = static_cast<std::int64_t>(read.films.size());
            const std::int64_t there = (total + per_page - 1) / per_page;
            capped = there > most;
            pages = std::min(there, most);
            if (capped)
                job.log(freshet::LogLevel::warning, "The list has " + std::to_string(there) + " pages, of which " +
                                                        std::to_string(most) + " are read");
        }
        rows += static_cast<std::int64_t>(read.films.size());
        for (Film& film : read.films)
            if (seen.insert(film.id).second) films.push_back(std::move(film));
        if (read.films.empty()) break;
    }
    if (rows < total && !capped)
        throw freshet::Retryable(
            "The list says " + std::to_string(total) + " titles, and " + std::to_string(rows) + " came", "incomplete");
    job.progress({.done = pages, .total = pages, .phase = "reading list", .unit = "pages", .phases = phases});
    return films;
}

/// Adds what the list did not say.
void complete(Film& film, const Json& found)
{
    for (const char* const name : {"year", "poster", "plot", "rating"})
        if (film.item[name].null() && !found[name].null()) film.item.set(name, found[name]);
}

void look_up(Job& job, std::vector<Film>& films)
{
    const std::string server = kit::environment("FRESHET_URL", "http://127.0.0.1:7878");
    const std::string bearer = "Authorization: Bearer " + kit::environment("FRESHET_TOKEN", "");
    const auto total = static_cast<std::int64_t>(films.size());
    std::atomic<std::size_t> next{0};
    std::atomic<std::int64_t> done{0};
    std::atomic<int> missing{0};
    std::mutex telling;
    const auto work = [&] {
        for (std::size_t i = next++; i < films.size() && !job.stop_token().stop_requested(); i = next++) {
            try {
                const kit::Answer answer =
                    kit::ask(job, {.url = server + "/v1/data/tmdb/" + films[i].id + "?tenant=" + job.tenant(),
                                   .headers = {bearer}});
                if (answer.status == 200)
                    complete(films[i], Json::parse(answer.body));
                else
                    ++missing;
            } catch (const freshet::Stopped&) {
                return;
            } catch (const std::exception&) {
                ++missing;
            }
            const std::scoped_lock lock(telling);
            job.progress(
                {.done = ++done, .total = total, .phase = "looking up titles", .unit = "titles", .phases = phases});
        }
    };
    job.progress({.done = 0, .total = total, .phase = "looking up titles", .unit = "titles", .phases = phases});
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < lookups_at_once; ++i) threads.emplace_back(work);
    }
    job.check();
    if (missing > 0)
        job.log(freshet::LogLevel::warning,
                std::to_string(missing) + " titles were not found in the catalogue this time");
}

std::optional<std::vector<Film>> exported(const std::string& user)
{
    const std::string folder = kit::environment("WATCHLIST_EXPORTS", "");
    if (folder.empty()) return std::nullopt;
    std::ifstream file(folder + "/" + user + ".csv", std::ios::binary);
    if (!file) return std::nullopt;
    const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    return watchlist::read_csv(text);
}

Json refresh(Job& job)
{
    const std::string user = job.input()["params"]["user"].text(job.input()["user"].text());
    std::vector<Film> films = exported(user).value_or(std::vector<Film>{});
    if (films.empty()) films = read_list(job, user);
    watchlist::sort_newest_first(films);
    look_up(job, films);
    job.progress({.done = 0, .total = 1, .phase = "storing", .unit = "lists", .phases = phases});
    Json items = Json::list();
    for (const Film& film : films) items.push(film.item);
    return items;
}

/// Reads the default user's list, so that it stays warm and is refreshed on schedule.
Json keep_default(Job& job)
{
    const std::string user = kit::environment("DEFAULT_IMDB_USER_ID", "");
    if (user.empty()) return Json{{"read", nullptr}};
    const kit::Answer answer = kit::ask(
        job, {.url = kit::environment("FRESHET_URL", "") + "/v1/data/watchlist/" + user + "?tenant=" + job.tenant(),
              .headers = {"Authorization: Bearer " + kit::environment("FRESHET_TOKEN", ""), "Prefer: respond-async"}});
    return Json{{"read", user}, {"status", answer.status}};
}

} // namespace

int main()
{
    freshet::Worker worker{kit::options("watchlist-worker", 4)};
    worker.task("watchlist", refresh);
    worker.task("watchlist-sync", keep_default);
    return worker.run();
}
