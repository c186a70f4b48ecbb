// SPDX-License-Identifier: Apache-2.0
#pragma once
// How two versions of a key differ: by rows for people (application/vnd.freshet.diff+json), and as a patch for
// programs (application/json-patch+json, RFC 6902).
//
// Rows (canonical.hpp says what they are) are matched by the source's key fields; rows that share a key, by equal
// content first and then in their order; rows without one, by their whole content. Two documents that are one row each
// are matched with one another. Order does not count but as `moved`. Ignored paths are not compared.
// Always holds: rows before - removed + added = rows after = counts.total.
//
// Pure; any thread. Cost: n log n; 100,000 rows in well under a second.

#include "model/diff_counts.hpp"

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace freshet {

struct DiffPolicy {
    std::vector<std::string> key; ///< fields that name a row
    std::vector<std::string>
        ignore; ///< paths from a row: "seen_at", "meta.seen_at", "/meta/seen_at"; "*" is any one step
};

struct Diff {
    DiffCounts counts;
    std::int64_t moved = 0; ///< rows that changed their place among those that stayed
    /// {added, removed, changed: [{key, before, after, paths}], moved, counts}. Lists are cut where the bound would be
    /// passed, and `truncated` is true then; the counts are always exact.
    std::string json;
    bool truncated = false;
};

/// The smallest bound that diff() keeps: what an object with empty lists takes.
inline constexpr std::size_t diff_bytes_min = 512;

/// Words where one of the two is no JSON.
std::expected<Diff, std::string> diff(std::string_view before, std::string_view after, const DiffPolicy& policy,
                                      std::size_t bytes_max);

/// Operations add, remove and replace that make `after` of `before`; at most about as long as `after`, else the whole
/// is replaced in one operation.
std::expected<std::string, std::string> json_patch(std::string_view before, std::string_view after);

} // namespace freshet
