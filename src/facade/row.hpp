// SPDX-License-Identifier: Apache-2.0
#pragma once
// One facade made ready to answer: what its declaration says, parsed once for each set of definitions.
//
// Life: made with the table of its definitions; a request that has begun keeps it. Threads: any; it never changes.

#include "facade/mentions.hpp"
#include "http/route.hpp"
#include "model/definition.hpp"
#include "model/facade.hpp"

#include <optional>
#include <regex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace freshet::facade {

/// What a named value of a request may be.
struct ParamRule {
    std::string name;
    std::vector<std::string> values;
    std::optional<std::regex> pattern;

    bool allows(const std::string& value) const;
    /// "one of A, B", "a text that matches ...".
    std::string takes() const;
    std::string pattern_text;
};
std::vector<ParamRule> rules_of(const std::vector<ParamDeclaration>& params);

struct FacadeRow {
    explicit FacadeRow(FacadeDefinition facade, std::size_t number, std::size_t body_bytes_max);

    FacadeDefinition def;
    std::size_t number; ///< in the file
    PathPattern pattern;
    http::Route route; ///< its right and its bounds; it is run by the facades
    std::vector<ParamRule> params;
    std::vector<std::pair<std::string, BodyRule>> body;
    int status = 0; ///< a plain number; 0: none, or an expression
    Mentions respond, status_of, problem_of, force;
    bool decides = false;      ///< check, input or force_when look at the request alone
    bool decides_once = false; ///< and not at the clock, so that the answer to the same request may be kept

    bool forces() const { return !def.force_when.empty(); }
    bool forces_by_meta() const { return forces() && (force.has("meta") || force.whole()); }
    /// What the expressions that make the answer mention.
    bool mentions(std::string_view part) const { return respond.has(part) || status_of.has(part); }
    bool mentions_time() const { return respond.time() || status_of.time(); }
    bool shapes() const { return !def.respond.empty() || (!def.status.empty() && status == 0); }
};

/// The captures of a path that the pattern fits, decoded; nullopt where it does not.
std::optional<std::vector<std::string>> lay_path(const PathPattern& pattern, std::string_view path);

/// The right that the facade's verb needs, or that its access names.
http::Right right_of(const FacadeDefinition& facade);

} // namespace freshet::facade
