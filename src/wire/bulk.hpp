// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a bulk act is told and how far it is: input, checkpoint and result of a job of the queue freshet.bulk, as JSON.

#include "model/job.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace freshet {

inline constexpr std::string_view bulk_queue = "freshet.bulk";

/// Which jobs of a tenant, and what is done to each.
struct BulkSpec {
    std::string act; ///< retry, cancel, drop, reset
    std::optional<JobState> state;
    std::optional<JobKind> kind;
    std::string queue, key, tag; ///< empty: any
    std::int64_t count = 0;      ///< as counted before it began
    friend bool operator==(const BulkSpec&, const BulkSpec&) = default;
};

struct BulkPlace {
    JobId before; ///< jobs from this one on are done
    std::int64_t done = 0, refused = 0;
    friend bool operator==(const BulkPlace&, const BulkPlace&) = default;
};

std::string to_json(const BulkSpec& spec);
std::string to_json(const BulkPlace& place);
/// nullopt: not what to_json() writes.
std::optional<BulkSpec> parse_bulk_spec(std::string_view json);
std::optional<BulkPlace> parse_bulk_place(std::string_view json);

} // namespace freshet
