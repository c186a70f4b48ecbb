// SPDX-License-Identifier: Apache-2.0
#pragma once
// One request as the sites and the control interface see it: the target taken apart, headers by name. The target may be
// in absolute form ("GET http://host/prices"): the program then stands for a proxy and its sites at once.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace upstream {

struct Ask {
    std::string method;
    std::string target;                                       ///< as sent
    std::string site;                                         ///< first segment of the path, decoded
    std::string rest;                                         ///< what follows it, without the leading slash, decoded
    std::map<std::string, std::string> query;                 ///< decoded; of a repeated name the last
    std::vector<std::pair<std::string, std::string>> headers; ///< as sent, in order
    std::string body;
    bool tls = false;

    /// The first header of that name, whatever its case.
    std::optional<std::string_view> header(std::string_view name) const;
    std::optional<std::string_view> param(const std::string& name) const;
    /// "http://host[:port]" as the client addressed us, for absolute links in the content.
    std::string base() const;
};

/// Fills site, rest and query from `target`.
void take_apart(Ask& ask);
bool equal_no_case(std::string_view a, std::string_view b);
/// Whether a comma separated header lists the token (parameters such as ";q=0" respected).
bool accepts_token(std::string_view list, std::string_view token);

} // namespace upstream
