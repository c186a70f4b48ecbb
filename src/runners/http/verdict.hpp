// SPDX-License-Identifier: Apache-2.0
#pragma once
// What an answer without data means: from status, libcurl's code and the phase that was reached to one FlightFailure.
//
// Pure. Nothing else in this folder decides whether an HTTP answer may be tried again (docs/design/http-runner.md has
// the table with its reasons). Messages name the request by shown_url(), never a header, a body or a query value.

#include "engine/runner.hpp"
#include "runners/http/response_head.hpp"

#include <string_view>

namespace freshet {

/// How far a request was when something happened to it; in order.
enum class HttpPhase : std::uint8_t { resolving, connecting, tls, waiting, reading };

/// "while resolving the name", "before the first byte of the answer", ...
std::string_view where(HttpPhase phase);

/// True for a status whose body is the data.
constexpr bool is_data(int status)
{
    return status >= 200 && status < 300 && status != 202 && status != 204 && status != 205 && status != 206;
}
/// True for a status that sends on to its Location.
constexpr bool is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

FlightFailure failure(ErrorClass error_class, std::string_view code, std::string message);

/// The failure behind a status that is neither data, a followed redirect, nor an expected 304.
/// @param request  "GET https://host/path?key=…", for the message.
FlightFailure judge_status(const ResponseHead& head, std::string_view request, WallTime now);

/// The failure behind a CURLcode other than CURLE_OK (given as int so that curl stays in few files). Not for codes that
/// our own callbacks provoked.
/// @param detail  libcurl's own words, for what has none of ours; may be empty.
FlightFailure judge_curl(int code, HttpPhase phase, std::string_view request, std::string_view detail);

/// The failure behind a proxy that did not open a tunnel.
FlightFailure judge_proxy(int status, std::string_view request);

FlightFailure timed_out(HttpPhase phase, Millis limit, std::string_view limit_name, std::string_view request);

} // namespace freshet
