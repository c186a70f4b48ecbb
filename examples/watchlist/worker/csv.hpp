// SPDX-License-Identifier: Apache-2.0
#pragma once
// The list as the site exports it: CSV with a head line whose columns differ between years (Position,Const,Created,…;
// some begin with a byte order mark, some call the date "Date Added"). Pure.

#include "page.hpp"

namespace watchlist {

/// @throws freshet::Fatal when there is no column of ids.
std::vector<Film> read_csv(std::string_view text);

} // namespace watchlist
