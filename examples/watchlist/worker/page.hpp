// SPDX-License-Identifier: Apache-2.0
#pragma once
// The list page: where its data stands in the HTML, what a row of it becomes, and in which order rows are shown. Pure:
// text in, values out.

#include <freshet/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace watchlist {

struct Film {
    std::string id, title, added_at;
    freshet::Json item; ///< {imdbId, title, year?, type, poster?, plot?, genres?, rating?, runtime?, addedAt}
};

struct ListPage {
    std::int64_t total = 0;
    std::vector<Film> films;
};

/// @throws freshet::Fatal for a private list; freshet::Retryable for a page without the data of a list.
ListPage read_page(std::string_view html, std::int64_t position_before);

/// "419. Steve" at 419 is "Steve"; "1917 Again" and "7.5 Degrees" stay.
std::string without_position(std::string_view title, std::int64_t position);

/// Newest first by the date added. Rows of the same date keep the order in which the list shows them; a list that shows
/// the oldest first is turned round before.
void sort_newest_first(std::vector<Film>& films);

} // namespace watchlist
