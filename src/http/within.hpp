// SPDX-License-Identifier: Apache-2.0
#pragma once
// Requests that the server makes to itself, for a caller who came in by another door: the same routes, rights and
// handlers as from outside, without a socket. Threads: the loop's.

#include "http/core.hpp"
#include "http/exchange.hpp"
#include "http/router.hpp"

#include <optional>
#include <string_view>

namespace freshet::http {

/// Settles the tenant and looks at rights, sources and the key's source: what every request passes, whichever door it
/// came by. @param named  a tenant that the query names, if any.
std::optional<Problem> admit(Core& core, const Match& match, Caller& caller, std::optional<std::string_view> named);

/// 404, 405 or what is wrong with the key.
Problem no_match_problem(const NoMatch& none, std::string_view method, std::string_view path);

/// An exchange whose caller can still be settled.
class InnerExchange : public Exchange {
public:
    virtual Caller& settled_caller() = 0;
};

/// Has the exchange answered by its route, at once or later.
void answer_within(Core& core, const Router& router, const std::shared_ptr<InnerExchange>& exchange);

/// Words if no route of the server answers to it from within; streams do not, since they have no one answer.
std::optional<std::string> check_within(std::string_view method, std::string_view path);

} // namespace freshet::http
