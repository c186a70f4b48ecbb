// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a request's headers ask for, read without trust and without allocation: codings, entity tags, preferences.
// Pure functions. Threads: any. What can not be read is as if it were not there.

#include "base/time.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace freshet::http {

enum class Coding : std::uint8_t { identity, gzip, br, zstd };
inline constexpr std::size_t codings_count = 4;

/// "" for identity, else the word of Content-Encoding.
std::string_view coding_word(Coding coding);

/// What a peer takes, best first by its q-values; between equals we prefer zstd, br, gzip, identity.
struct AcceptedCodings {
    std::array<Coding, codings_count> order{};
    std::size_t count = 0; ///< 0: it refuses everything, identity too
    bool takes(Coding coding) const;
};
/// @param accept_encoding  the header's value; empty (absent) takes identity only.
AcceptedCodings accepted_codings(std::string_view accept_encoding);

/// The strong tag of a version in one coding: "v43-9f3c1a20", "v43-9f3c1a20-gzip" (quotes included).
std::string entity_tag(std::int64_t ver, std::uint64_t hash, Coding coding);

/// True if the list names the tag of identity `tag` in any coding, also with W/ or with the suffix a proxy put on it.
bool matches_tag(std::string_view if_none_match, std::string_view tag);

struct Preferences {
    bool respond_async = false;
    bool minimal = false;       ///< return=minimal: no more of what was made than names it (RFC 7240 §4.2)
    std::optional<Millis> wait; ///< at most 10 minutes
};
Preferences preferences(std::string_view prefer);

struct CacheDirectives {
    bool only_if_cached = false;
    bool forces = false;           ///< no-cache, no-store or max-age=0, which a GET does not get
    std::optional<Millis> max_age; ///< N >= 1
};
CacheDirectives cache_directives(std::string_view cache_control, std::string_view pragma);

/// Cuts the next element off a comma-separated list, trimmed; quoted commas do not separate.
std::string_view take_element(std::string_view& list);
std::string_view trimmed(std::string_view text);
bool same_word(std::string_view a, std::string_view b); ///< ASCII case does not count
/// Digits only; nullopt for anything else and above 10^15.
std::optional<std::int64_t> parse_count(std::string_view text);

} // namespace freshet::http
