// SPDX-License-Identifier: Apache-2.0
#pragma once
// One page of a list that is held in memory, in the order that `sort` asks for.
//
// Rows stand by a value and, where that is the same, by their name, so that every order is total and a page goes on
// behind the last row of the one before, whatever came or went meanwhile. A value that is absent counts as lower than
// all. Threads: any.

#include "base/time.hpp"
#include "http/status_answer.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace freshet::http {

/// Where a row stands. `value` is 0 in lists by name.
struct Place {
    std::int64_t value = 0;
    std::string name;
    friend auto operator<=>(const Place&, const Place&) = default;
};

inline constexpr std::int64_t place_of_absent = std::numeric_limits<std::int64_t>::min();

inline std::int64_t place_of(std::optional<WallTime> at)
{
    return at ? to_ms(*at) : place_of_absent;
}

/// As `next` tells it and `after` takes it: the value, which is left out in lists by name, and the name.
std::string place_text(const Place& place, bool by_name);
std::optional<Place> parse_place(std::string_view text, bool by_name);

template <class Row>
struct SortedPage {
    std::vector<Row> rows;
    std::string next; ///< empty: there is no more
};

/// @param place  of a row
/// @return nullopt: `after` is not what a page in this order said
template <class Row, class PlaceOf>
std::optional<SortedPage<Row>> sorted_page(std::vector<Row> rows, const ListQuery& query, bool by_name, PlaceOf&& place)
{
    std::optional<Place> after;
    if (!query.after.empty() && !(after = parse_place(query.after, by_name))) return std::nullopt;
    std::vector<std::pair<Place, Row>> placed;
    for (Row& row : rows) {
        Place at = place(row);
        if (after && !(query.sort.down ? at < *after : *after < at)) continue;
        placed.emplace_back(std::move(at), std::move(row));
    }
    std::ranges::sort(placed, {}, &std::pair<Place, Row>::first);
    if (query.sort.down) std::ranges::reverse(placed);
    SortedPage<Row> page;
    const auto limit = static_cast<std::size_t>(query.limit);
    if (placed.size() > limit) {
        placed.resize(limit);
        page.next = place_text(placed.back().first, by_name);
    }
    for (auto& [at, row] : placed) page.rows.push_back(std::move(row));
    return page;
}

} // namespace freshet::http
