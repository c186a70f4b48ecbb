// SPDX-License-Identifier: Apache-2.0
#pragma once
// Finds the route of a path. The table is made once, from what each subject declares, and never changes.
// Threads: any. Always holds: a literal segment wins over a capture in the order of the table.

#include "http/route.hpp"

#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace freshet::http {

using RunMatch = std::function<void(Core& core, const ExchangePtr& exchange, std::span<const std::string> captures)>;

struct Match {
    const Route* route = nullptr;
    std::vector<std::string> captures;
    std::string tenant; ///< of the long path (/v1/t/{tenant}/...), else empty
    std::string source; ///< of a path that holds a key, else empty
    // Of routes that the config makes.
    RunMatch run;                    ///< instead of the route's handler; keeps the route alive
    std::optional<Caller> acts_as;   ///< of a public one: who the request is, whoever sent it
    bool foreign_is_missing = false; ///< a tenant that the token does not allow is not there
    bool is_page = false;            ///< a browser that is refused is shown a page to sign in
};

struct NoMatch {
    enum class Why : std::uint8_t { unknown_path, method, key };
    Why why = Why::unknown_path;
    std::string allow;   ///< of `method`: "GET, HEAD"
    std::string message; ///< of `key`: what is wrong with it
    bool bad_param = false;
};

class Router {
public:
    explicit Router(std::span<const Routes> tables);

    /// @param path  below the prefix, percent-encoded, without query. HEAD finds GET's route.
    std::expected<Match, NoMatch> find(std::string_view method, std::string_view path,
                                       const Definitions& definitions) const;

private:
    struct Row {
        const Route* route;
        std::vector<std::string_view> segments;
    };
    std::vector<Row> rows_;
};

/// Decodes a query string. nullopt: a broken escape.
std::optional<std::vector<std::pair<std::string, std::string>>> parse_query(std::string_view query);

} // namespace freshet::http
