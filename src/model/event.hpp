// SPDX-License-Identifier: Apache-2.0
#pragma once
// What happened, as told to everyone after its commit: the entries of the ledger.
//
// An event is encoded once, when it happens, in the JSON that streams send: one encoded event is shared by every
// subscriber, and a resume replays the bytes that live readers got.

#include "base/ids.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace freshet {

enum class EventKind : std::uint8_t { change, job, fire, batch };

std::string_view to_text(EventKind kind);

struct Event {
    EventKind kind = EventKind::change;
    std::string topic;     ///< the concrete one: "data/{key}", "job/{id}", "batch/{id}"
    std::string data;      ///< one JSON object; holds `topic` and its own `seq`
    std::string also;      ///< a second topic that sees it ("jobs/{queue}"); may be empty
    bool terminal = false; ///< tells the end of a job or batch: sent again on every connect
    friend bool operator==(const Event&, const Event&) = default;
};

struct LedgerEntry {
    Seq seq = 0;
    Event event;
    friend bool operator==(const LedgerEntry&, const LedgerEntry&) = default;
};

} // namespace freshet
