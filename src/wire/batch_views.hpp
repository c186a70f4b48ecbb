// SPDX-License-Identifier: Apache-2.0
#pragma once
// The JSON shapes of batches and their items (spec "The wire contract" §4), used by answers and by ledger events alike,
// and the lists of items that a follow-up keeps as JSON.
//
// Every object holds `seq`; times are RFC 3339 UTC with milliseconds; absent = null.

#include "model/batch.hpp"
#include "wire/views.hpp"

#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace freshet {

/// Why a batch is where it is; nullopt where there is nothing to explain.
std::optional<Why> why_of(const Batch& batch, WallTime now);

/// How long the rest takes at the pace of this generation, as a range that narrows as more items end; nullopt before
/// enough of them did, and for a retried batch, whose former successes say nothing of the pace.
struct BatchEta {
    Millis low{0}, high{0};
    friend bool operator==(const BatchEta&, const BatchEta&) = default;
};
std::optional<BatchEta> eta_of(const Batch& batch, WallTime now);

std::string batch_json(const Batch& batch, WallTime now);
/// `item`: the job of a batch as its batch shows it. A result that is a payload is told by its size alone; so is, in
/// brief (for events), one of more than a kilobyte.
std::string item_json(const Job& job, bool paused, WallTime now, bool brief = false);

/// Items that a batch event lists; the others are found with the counters' change.
inline constexpr std::size_t event_items_max = 100;
/// data of a `batch` event: topic, batch, items.
std::string batch_event_json(std::string_view topic, std::string_view batch, std::span<const std::string> items,
                             Seq seq);

/// One item of a list that a client gave: {key, label?, input?}.
struct ListedItem {
    std::string key, label, input;
    friend bool operator==(const ListedItem&, const ListedItem&) = default;
};
/// The items of a JSON list from the `from`-th on, at most `most`. The error is for whoever wrote the list.
std::expected<std::vector<ListedItem>, std::string> read_items(std::string_view json, std::size_t from,
                                                               std::size_t most);

/// The input of a follow-up's item that goes on with one success: {"item", "result"}. Without `result`, the item's job
/// tells where it is: {"item", "job", "result_bytes"}.
std::string input_after_item(const Job& job);

} // namespace freshet
