// SPDX-License-Identifier: Apache-2.0
#pragma once
// For tests: what payloads a small store keeps, also those that were written ahead and that nobody named or dropped.

#include "store/store.hpp"

namespace freshet {

/// Of the first ones, those that take room.
inline int payloads_of(Store& store)
{
    int count = 0;
    const auto tx = store.begin();
    for (std::int64_t id = 1; id < 50; ++id) {
        try {
            tx->keep_payload(id);
            ++count;
        } catch (const StoreFailure&) { // there is none
            continue;
        }
    }
    return count;
}

} // namespace freshet
