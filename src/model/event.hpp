// SPDX-License-Identifier: Apache-2.0
#pragma once
// What happened, as told to everyone after its commit: the entries of the ledger.
//
// An event is the JSON that streams send: one encoded event is shared by every subscriber, and a resume replays the
// bytes that live readers got. What happens to a job happens three times for each, and mostly nobody listens: those
// events keep the values, which are a tenth of the bytes, and wire makes the same JSON of them whenever somebody is
// told.

#include "base/ids.hpp"
#include "base/time.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace freshet {

enum class EventKind : std::uint8_t { change, job, fire, batch };

std::string_view to_text(EventKind kind);

struct Job;

/// A job as it was told, with what its view took from elsewhere at that time.
struct ToldJob {
    std::shared_ptr<const Job> job;
    bool paused = false;
    int attempts_max = 0;
    std::optional<WallTime> stall_at;
    WallTime at{};
    friend bool operator==(const ToldJob&, const ToldJob&);
};

struct Event {
    EventKind kind = EventKind::change;
    std::string topic;             ///< the concrete one: "data/{key}", "job/{id}", "batch/{id}"
    std::string data;              ///< one JSON object; holds `topic` and its own `seq`
    std::string also;              ///< a second topic that sees it ("jobs/{queue}"); may be empty
    bool terminal = false;         ///< tells the end of a job or batch: sent again on every connect
    std::optional<ToldJob> told{}; ///< instead of `data`; topic and also are then those of this job
    friend bool operator==(const Event&, const Event&) = default;
};

/// The event that tells of a job by its values. @param terminal  whether this is its end.
Event job_event(ToldJob told, bool terminal);

struct LedgerEntry {
    Seq seq = 0;
    Event event;
    friend bool operator==(const LedgerEntry&, const LedgerEntry&) = default;
};

} // namespace freshet
