// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a request brings, as its facade declares it: values that templates can name, and the request as expressions see
// it. Whatever is wrong is a problem that says which value, what came and what is taken. Pure. Threads: any.

#include "facade/row.hpp"
#include "http/exchange.hpp"

#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace freshet::facade {

struct Inputs {
    std::vector<std::pair<std::string, std::string>> params; ///< the first of a name counts
    std::string request;                                     ///< JSON: method, path, params, query, body, caller
    std::string body;                                        ///< JSON, empty without one

    const std::string* find(std::string_view name) const;
};

/// @param captures  of the path, in the order of the pattern.
std::expected<Inputs, Problem> read_inputs(const FacadeRow& row, const http::HttpRequest& request,
                                           std::span<const std::string> captures, const http::Caller& caller);

/// Values of the path and the query alone, for a template that is filled before the body is there (the tenant).
Inputs early_inputs(const PathPattern& pattern, const std::vector<std::pair<std::string, std::string>>& defaults,
                    const http::HttpRequest& request, std::span<const std::string> captures);

using Encode = std::string (*)(std::string_view);
/// Replaces every {name}. 400 for a name that has no value.
std::expected<std::string, Problem> fill(std::string_view text, const Inputs& inputs, Encode encode = nullptr);
/// A path with its query: values are encoded, and a parameter without a value is left out.
std::vector<std::pair<std::string, std::string>> fill_query(std::string_view query, const Inputs& inputs);

} // namespace freshet::facade
