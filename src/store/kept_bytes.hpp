// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a job and its lines count for in KeptFigures, the same in every store.

#include "model/job.hpp"
#include "model/records.hpp"

namespace freshet {

/// What a job that is not over brings along: its input, and where it would go on.
inline std::int64_t live_bytes_of(const Job& job)
{
    return is_terminal(job.state) ? 0 : static_cast<std::int64_t>(job.input.size() + job.checkpoint.size());
}

/// A row takes about so much beside its text, so that very many empty lines are not free.
inline constexpr std::int64_t log_row_bytes = 32;

inline std::int64_t log_bytes_of(const LogLine& line)
{
    return log_row_bytes + static_cast<std::int64_t>(line.text.size());
}

} // namespace freshet
