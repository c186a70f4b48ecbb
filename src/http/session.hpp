// SPDX-License-Identifier: Apache-2.0
#pragma once
// A browser's session: a cookie that stands for the token it was signed in with (docs/design/access.md).
// Threads: the loop's.

#include "http/core.hpp"

#include <functional>

namespace freshet::http {

inline constexpr Millis session_lives = std::chrono::days{7};

/// The value of the cookie of that name in a Cookie header; empty if there is none.
std::string_view cookie_value(std::string_view header, std::string_view name);

/// A random text that nobody can guess, in hex behind `prefix`.
std::string random_text(std::string_view prefix, std::size_t bytes);

/// Opens a session for who showed a token or a link. `then` gets the value of Set-Cookie, after the commit; a refusal
/// is answered by itself.
void begin_session(Core& core, const ExchangePtr& exchange, const Caller& maker,
                   std::function<void(std::string set_cookie, WallTime expires_at)> then);

/// The value of Set-Cookie that ends the cookie in the browser.
std::string no_cookie(Core& core, const ExchangePtr& exchange);

/// Who a token is of, as if it had come as Bearer.
std::expected<Caller, Problem> caller_of_token(Core& core, std::string_view token);

} // namespace freshet::http
