// SPDX-License-Identifier: Apache-2.0
#pragma once
// Ids are 64 bit: 43 bits of milliseconds and 20 of a counter, so that they sort by age and fit an integer primary key.
// They are shown with a prefix and as 13 digits of Crockford's base32 ("j_01j9...", of a batch "b_..."), lower case.

#include "base/time.hpp"

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace freshet {

/// A ledger seq of one tenant: grows by one per event, without holes, over restarts and restores.
using Seq = std::uint64_t;

struct JobId {
    std::int64_t value = 0;
    friend auto operator<=>(const JobId&, const JobId&) = default;
    explicit operator bool() const { return value != 0; }
};

struct BatchId {
    std::int64_t value = 0;
    friend auto operator<=>(const BatchId&, const BatchId&) = default;
    explicit operator bool() const { return value != 0; }
};

std::string to_text(JobId id);
std::string to_text(BatchId id);
/// nullopt unless `text` is what to_text() prints (case does not count).
std::optional<JobId> parse_job_id(std::string_view text);
std::optional<BatchId> parse_batch_id(std::string_view text);

/// Hands out ids that never fall, also when the clock does. One thread.
class IdMaker {
public:
    JobId next(WallTime now);
    /// After a restart: ids go on above the highest one stored.
    void not_below(JobId id) { last_ = id.value > last_ ? id.value : last_; }

private:
    std::int64_t last_ = 0;
};

} // namespace freshet
