// SPDX-License-Identifier: Apache-2.0
#pragma once
// How two versions of a key differ, in rows.

#include <cstdint>

namespace freshet {

struct DiffCounts {
    std::int64_t added = 0, removed = 0, changed = 0;
    std::int64_t total = 0; ///< rows of the newer version
    friend bool operator==(const DiffCounts&, const DiffCounts&) = default;
};

} // namespace freshet
