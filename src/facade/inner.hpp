// SPDX-License-Identifier: Apache-2.0
#pragma once
// A request of /v1 that a facade makes within, and what came of it.
//
// Life: begun by ask_within(); the exchange lives as long as its handler needs it; `then` is called exactly once, also
// from inside the call. Threads: the loop's.

#include "http/core.hpp"
#include "http/data_answer.hpp"
#include "http/exchange.hpp"
#include "http/router.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace freshet::facade {

struct InnerRequest {
    std::string method = "GET";
    std::string path; ///< percent-encoded
    std::vector<std::pair<std::string, std::string>> query;
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;
};

struct InnerAnswer {
    int status = 500;
    std::string body; ///< JSON
    http::HttpResponse head;
    std::optional<http::DataAnswer> data; ///< of a key that has some, instead of a body

    bool is_problem() const { return !data && status >= 400; }
};

/// @param outer  the request that the facade answers: whose peer, prefix and leave the inner one shares.
void ask_within(http::Core& core, const http::Router& router, const http::ExchangePtr& outer, http::Caller caller,
                InnerRequest request, std::function<void(InnerAnswer)> then);

} // namespace freshet::facade
