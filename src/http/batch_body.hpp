// SPDX-License-Identifier: Apache-2.0
#pragma once
// Reads the bodies of the batch routes (spec "The wire contract" §4). Pure, any thread: a body of 100,000 items is read
// off the loop.

#include "engine/requests.hpp"
#include "wire/views.hpp"

#include <expected>
#include <string>
#include <vector>

namespace freshet::http {

/// What a body with items may have.
inline constexpr std::size_t batch_bytes_max = 32 << 20;

/// {name?, queue, items, sealed?, concurrency?, policy?, driver?, then?}; tenant and caller are left to the route.
std::expected<AddBatch, Problem> read_add_batch(const std::string& body);
/// {items: [{key, label?, input?}]}
std::expected<std::vector<NewItem>, Problem> read_add_items(const std::string& body);

} // namespace freshet::http
