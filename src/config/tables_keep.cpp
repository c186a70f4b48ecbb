// SPDX-License-Identifier: Apache-2.0
// The table of what is kept of what is over. How long events are kept stands with the server, since streams resume by
// them.
#include "config/setting_rows.hpp"

namespace freshet {

namespace {

using namespace rows;

constexpr std::array retention_rows{
    Setting{.name = "jobs_keep",
            .type = duration,
            .access = to<&RetentionLimits::jobs_keep>(),
            .min = hour,
            .max = 10 * year,
            .text = "How long jobs and batches are kept after their end, with their attempts, results and logs."},
    Setting{.name = "jobs_max",
            .type = count,
            .access = to<&RetentionLimits::jobs_max>(),
            .min = 1,
            .max = 1'000'000'000,
            .text = "Ended jobs of a tenant; beyond it the oldest go, but none within an hour of its end."},
    Setting{.name = "jobs_max_bytes",
            .type = size,
            .access = to<&RetentionLimits::jobs_bytes_max>(),
            .min = mib,
            .max = tib,
            .text = "Bytes of a tenant's ended jobs and their results; beyond it the oldest go, as with jobs_max."},
    Setting{.name = "versions_keep",
            .type = duration,
            .access = to<&RetentionLimits::versions_keep>(),
            .min = minute,
            .max = 10 * year,
            .text = "How long versions are kept for diffs. The current version of a key stays whatever its age; "
                    "versions_max of a source bounds their number."},
    Setting{.name = "versions_max_bytes",
            .type = size,
            .access = to<&RetentionLimits::versions_bytes_max>(),
            .min = mib,
            .max = 1024 * tib,
            .text = "Bytes of a tenant's versions; beyond it old ones go, of each key the oldest half at a time.",
            .default_words = "no limit"},
    Setting{.name = "audit_keep",
            .type = duration,
            .access = to<&RetentionLimits::audit_keep>(),
            .min = hour,
            .max = 10 * year,
            .text = "How long the rows of the audit are kept."},
    Setting{.name = "audit_max",
            .type = count,
            .access = to<&RetentionLimits::audit_max>(),
            .min = 1,
            .max = 100'000'000,
            .text = "Rows of a tenant's audit; beyond it the oldest go."},
};
constexpr SettingTable retention_rows_table{"retention", retention_rows,
                                            "What is kept of what is over: by age, and per tenant by number and bytes. "
                                            "A reload applies it; what is too much by then goes within the hour."};

} // namespace

const SettingTable& retention_table()
{
    return retention_rows_table;
}

} // namespace freshet
