// SPDX-License-Identifier: Apache-2.0
#include "csv.hpp"

#include <algorithm>
#include <charconv>
#include <freshet/job.hpp>
#include <initializer_list>

namespace watchlist {

namespace {

using freshet::Json;
using Row = std::vector<std::string>;

/// RFC 4180: quotes, doubled quotes, line ends within quotes.
std::vector<Row> rows_of(std::string_view text)
{
    std::vector<Row> rows;
    Row row;
    std::string cell;
    bool quoted = false;
    const auto end_row = [&] {
        row.push_back(std::move(cell));
        cell.clear();
        if (row.size() > 1 || !row[0].empty()) rows.push_back(std::move(row));
        row.clear();
    };
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (quoted && c == '"' && i + 1 < text.size() && text[i + 1] == '"') {
            cell += c;
            ++i;
        } else if (c == '"') {
            quoted = !quoted;
        } else if (!quoted && c == ',') {
            row.push_back(std::move(cell));
            cell.clear();
        } else if (!quoted && c == '\n') {
            end_row();
        } else if (quoted || c != '\r') {
            cell += c;
        }
    }
    end_row();
    return rows;
}

class Columns {
public:
    explicit Columns(const Row& head) : head_(head) {}
    /// The cell under the first of these heads that there is, or nothing.
    std::string of(const Row& row, std::initializer_list<std::string_view> names) const
    {
        for (const std::string_view name : names) {
            const auto at = std::ranges::find(head_, name);
            const auto index = static_cast<std::size_t>(at - head_.begin());
            if (at != head_.end() && index < row.size()) return row[index];
        }
        return {};
    }
    bool has(std::string_view name) const { return std::ranges::find(head_, name) != head_.end(); }

private:
    Row head_;
};

void set_number(Json& item, const char* name, const std::string& text)
{
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || text.empty()) return;
    if (value == static_cast<double>(static_cast<std::int64_t>(value)))
        item.set(name, static_cast<std::int64_t>(value));
    else
        item.set(name, value);
}

Json list_of(const std::string& text)
{
    Json list = Json::list();
    std::size_t from = 0;
    while (from < text.size()) {
        const std::size_t end = std::min(text.find(", ", from), text.size());
        list.push(text.substr(from, end - from));
        from = end + 2;
    }
    return list;
}

} // namespace

std::vector<Film> read_csv(std::string_view text)
{
    if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
    const std::vector<Row> rows = rows_of(text);
    const Columns columns(rows.empty() ? Row{} : rows.front());
    if (!columns.has("Const")) throw freshet::Fatal("The export has no column Const", "bad_export");
    std::vector<Film> films;
    for (std::size_t i = 1; i < rows.size(); ++i) {
        const Row& row = rows[i];
        Film film;
        film.id = columns.of(row, {"Const"});
        if (film.id.empty()) continue;
        std::int64_t position = static_cast<std::int64_t>(i);
        const std::string said = columns.of(row, {"Position"});
        std::from_chars(said.data(), said.data() + said.size(), position);
        film.title = without_position(columns.of(row, {"Title"}), position);
        film.added_at = columns.of(row, {"Created", "Date Added", "Modified"});
        const std::string type = columns.of(row, {"Title Type"});
        const bool series = type.starts_with("TV Series") || type.starts_with("TV Mini") ||
                            type.starts_with("tvSeries") || type.starts_with("tvMini") ||
                            type.starts_with("TV Episode");
        film.item = Json{{"imdbId", film.id}, {"title", film.title}, {"type", series ? "tv" : "movie"}};
        set_number(film.item, "year", columns.of(row, {"Year"}));
        set_number(film.item, "rating", columns.of(row, {"IMDb Rating"}));
        set_number(film.item, "runtime", columns.of(row, {"Runtime (mins)"}));
        if (const Json genres = list_of(columns.of(row, {"Genres"})); genres.size() > 0)
            film.item.set("genres", genres);
        film.item.set("addedAt", film.added_at.empty() ? Json{} : Json{film.added_at});
        films.push_back(std::move(film));
    }
    return films;
}

} // namespace watchlist
