// SPDX-License-Identifier: Apache-2.0
#pragma once
// Refusals and failures in the one form of RFC 9457, and which status each of them has. Pure. Threads: any.

#include "engine/requests.hpp"
#include "http/exchange.hpp"

#include <string>
#include <string_view>

namespace freshet::http {

Problem make_problem(int status, std::string_view code, std::string_view title, std::string detail,
                     std::string try_ = {});

/// application/problem+json, no-store; type and instance filled. A retry_at becomes Retry-After.
HttpResponse problem_response(std::string_view base_url, std::string_view path, Problem problem, WallTime now);

/// The one table from refusal to status and words.
Problem refused_problem(const Refused& refused);
/// Retry-After, and RateLimit with its policy where a limit was hit.
void add_limit_headers(HttpResponse& response, const Refused& refused, WallTime now);

/// 400: a name or a value of the query.
Problem bad_parameter(std::string detail, std::string try_words);
/// 413 that names the bound.
Problem body_too_large(std::size_t bytes_max);
Problem busy_problem();
Problem store_problem();

/// 502, 503 or 504: what a reader is told of a source that failed.
int status_of(const ErrorInfo& error);
/// The reason in words, without a receipt.
Problem failed_problem(const ErrorInfo& error, std::string_view key);

/// {gen, ver, as_of, checked_at, href} of the last good result, as JSON; empty without one.
std::string last_good_json(const KeyRecord& record, std::string_view base_url);

} // namespace freshet::http
