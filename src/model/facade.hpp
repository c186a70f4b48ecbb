// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the config declares of facades and pages (docs/design/facades.md), and the small texts of it as values: what it
// answers, what a member of a body may be. Read once when the config is checked and once when the routes are made.
// Pure. Threads: any.

#include "model/definition.hpp"

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace freshet {

/// What a facade answers when its wait is used up.
enum class TimeoutAnswer : std::uint8_t { pending, stale, problem };
/// What a read of a key that never had data does.
enum class ColdAnswer : std::uint8_t { wait, refuse };
/// What becomes of a task whose unique key lives already.
enum class ConflictAnswer : std::uint8_t { attach, rerun_after, reject };

/// A request of somebody's own API, and the requests of /v1 that answer it. Texts with {name} are templates over what
/// the request brings; jq texts are compiled when the file is read.
struct FacadeDefinition {
    std::string on;     ///< "GET /api/offers/{shop}"
    std::string access; ///< "public", a role's word, or empty: the right that the verb needs
    std::string tenant; ///< template; empty: the token's, or "default"

    // What is taken.
    std::vector<ParamDeclaration> params;
    std::vector<std::pair<std::string, std::string>> defaults, body;
    std::vector<std::string> callbacks;
    std::string check; ///< jq

    // What is done; at most one of these.
    std::string read, refresh;                      ///< a key
    std::vector<std::string> read_all, refresh_all; ///< keys, "*:key" for every tenant
    std::string enqueue, call;                      ///< a queue; "POST /v1/..."
    std::string input;                              ///< jq
    std::string unique;
    ConflictAnswer on_conflict = ConflictAnswer::attach;
    std::string force_when; ///< jq
    ColdAnswer cold = ColdAnswer::wait;
    Millis wait{0};
    TimeoutAnswer on_timeout = TimeoutAnswer::pending;
    bool first_attempt = false;
    std::vector<std::string> then;

    // What is looked up beside it.
    std::vector<std::string> keys, list;
    std::string job, batch, items;
    bool job_data = false, log_end = false;
    int rows_max = 1000;

    // What is answered.
    std::string status, respond, respond_problem; ///< jq
    std::vector<std::pair<std::string, std::string>> statuses, headers, headers_forced;
    std::string cache, timezone;
};

/// A folder of files that is served as a page, with its index below a path that may have captures.
struct PageDefinition {
    std::string on;
    std::string dir;
    std::string index = "index.html";
    std::string access, tenant;
    std::vector<ParamDeclaration> params;
    std::vector<std::string> img; ///< added to img-src of its Content-Security-Policy
};

/// What the config says of facades and pages, beside its Definitions: nobody below http looks at it. Immutable once
/// made.
struct FacadeSet {
    std::vector<FacadeDefinition> facades; ///< in the order of the file
    std::vector<PageDefinition> pages;
};

/// "GET /api/offers/{shop}".
struct PathPattern {
    struct Segment {
        std::string text; ///< as it stands in a path, or the capture's name
        bool is_capture = false;
        friend bool operator==(const Segment&, const Segment&) = default;
    };
    std::string method;
    std::vector<Segment> segments; ///< one empty text for "/"

    bool has_capture(std::string_view name) const;
    /// Both answer some path alike: the same method, and literals and captures in the same places.
    bool same_shape(const PathPattern& other) const;
    /// The path before the first capture, "/dashboard" of "/dashboard/{id}".
    std::string fixed_part() const;
};
/// Words otherwise.
std::expected<PathPattern, std::string> parse_path_pattern(std::string_view on);

/// What a member of a body may be: "text 1..80", "whole? 1..100", "one of a, b".
struct BodyRule {
    enum class Type : std::uint8_t { text, whole, number, yes_no, list, object, callback, word };
    Type type = Type::text;
    bool optional = false;
    std::optional<std::int64_t> min, max; ///< bytes of a text, a number, entries of a list
    std::vector<std::string> words;
    /// "a whole number, 1 to 100": what would be taken.
    std::string takes() const;
};
std::expected<BodyRule, std::string> parse_body_rule(std::string_view text);

/// A key as a facade names it: "offers/{shop}", "acme:offers", "*:offers".
struct KeyTemplate {
    std::string tenant; ///< empty: the request's; "*": every one
    std::string key;
};
KeyTemplate parse_key_template(std::string_view text);

/// A URL that a list of URLs lets through: one of them, or below one that ends in '/'.
bool is_listed_url(std::string_view url, const std::vector<std::string>& listed);

} // namespace freshet
