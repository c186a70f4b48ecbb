// SPDX-License-Identifier: Apache-2.0
#pragma once
// The files of a page, as they are read and sent.
//
// A file is read off the loop, each time anew, so that a page that is built again is there at once; a name that carries
// a hash of its content is kept by browsers for ever, everything else is asked for again by its ETag, the index is
// never kept. Texts go out in the coding that the reader takes, which is made once per content and core. Nothing
// outside of the page's folder is ever opened, through links neither. Threads: the loop's; reading and coding on the
// pool's.

#include "facade/core_state.hpp"
#include "facade/pages.hpp"
#include "http/exchange.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace freshet::facade {

/// Answers with the file of the first of `pages` that has it; `names` are their paths within each page's folder.
void send_file(http::Core& core, const http::ExchangePtr& exchange, const std::shared_ptr<CoreState>& state,
               const PageRows& pages, const std::vector<std::string>& names, bool is_index);

/// True for names such as app-3f9c1a20.js: what follows the last '-' or '.' before the extension is a hash.
bool is_hashed_name(std::string_view name);

/// The path below a page's folder that these segments name; nullopt for one that leads out of it, or to a hidden file.
std::optional<std::string> safe_path(std::string_view below);

} // namespace freshet::facade
