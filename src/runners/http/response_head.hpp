// SPDX-License-Identifier: Apache-2.0
#pragma once
// The head of one HTTP response, as far as a flight needs it: status and the fields that decide what follows.
//
// A value, filled line by line; one thread. Always holds: interim responses (1xx) leave no trace, lines after the empty
// one (trailers) change nothing, and no field kept is longer than field_bytes_max (longer ones count as absent).

#include "base/time.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace freshet {

struct ResponseHead {
    static constexpr std::size_t field_bytes_max = 8192;

    int status = 0;
    bool complete = false; ///< the empty line of a final response was seen
    std::string content_type;
    std::string location;
    std::string etag;
    std::string last_modified;
    std::string retry_after;
    std::string date;
    std::vector<std::string> links; ///< values of Link, in order
    std::optional<std::int64_t> content_length;

    /// One line as received, with its line end.
    void take_line(std::string_view line);
};

/// The target of the first link whose relations hold "next" (RFC 8288); nullopt without one. `anchor`ed links do not
/// count.
std::optional<std::string> next_link(const std::vector<std::string>& links);

/// Retry-After as a wait from now: seconds, or an HTTP date reckoned from the response's own Date where it has one (the
/// clocks may differ). Never negative, at most retry_after_max; nullopt for anything else.
std::optional<Millis> retry_after(const ResponseHead& head, WallTime now);
inline constexpr Millis retry_after_max = 24h;

} // namespace freshet
