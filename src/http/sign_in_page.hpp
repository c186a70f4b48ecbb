// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a browser is shown instead of a page that it may not see: the problem in words, and a field for a token, which
// signs it in at the address that was asked for. In English or Hebrew, as ?lang= or the browser says. Pure; any thread.

#include "http/exchange.hpp"
#include "wire/views.hpp"

namespace freshet::http {

/// True for a browser that opens an address: it asks for a document, not for data.
bool wants_page(const HttpRequest& request);

/// The status is the problem's.
HttpResponse sign_in_page(const HttpRequest& request, const Problem& problem);

} // namespace freshet::http
