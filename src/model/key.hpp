// SPDX-License-Identifier: Apache-2.0
#pragma once
// A key names one thing that can be read: a source and its parameters, within a tenant.
//
// Its text form `{source}[/{param}...]` is the same in URL, CLI, topics and SQL: parameters in the order in which the
// config declares them, percent-encoded. Their number separates them from an action that follows in a URL.

#include "model/definition.hpp"

#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace freshet {

struct Key {
    std::string source;
    std::vector<std::string> params; ///< decoded
    friend bool operator==(const Key&, const Key&) = default;
};

/// The one text form: source and percent-encoded parameters joined by '/'.
std::string to_text(const Key& key);

/// Only RFC 3986 unreserved characters stay as they are.
std::string percent_encode(std::string_view text);
/// Refuses a broken escape or a NUL.
std::optional<std::string> percent_decode(std::string_view text);

struct KeyRefusal {
    enum class Code : std::uint8_t { unknown_source, too_few_params, bad_param };
    Code code;
    std::string message; ///< what, where and what to try
};

/// A key at the front of a path, and what follows it ("refresh", "versions/3", ...).
struct KeyPath {
    Key key;
    std::string_view rest; ///< without a leading slash; borrowed from the text given
};

/// Reads the key that `text` begins with. Each parameter: 1 to 128 bytes, not "." or "..", no '/' or '\', and one of
/// the declared values or matching the declared pattern whole.
std::expected<KeyPath, KeyRefusal> parse_key(std::string_view text, const Definitions& definitions);

/// Replaces {name} by the parameter's value, passed through `encode`; unknown names stay.
std::string fill_template(std::string_view text, const SourceDefinition& source, std::span<const std::string> params,
                          std::string (*encode)(std::string_view));

} // namespace freshet
