// SPDX-License-Identifier: Apache-2.0
#pragma once
// What fetches: the seam between the engine and the built-in runners (http, command, sql).
//
// Life of a flight: the runtime claims a job from the queue as a remote worker would, hands the runner a FlightOrder,
// beats for it, and turns the FlightEnd that comes back into complete or fail. The runner knows nothing of jobs,
// leases or snapshots; it reads the source once, at a time after start(), and answers once.
// Threads: start(), cancel() and stop() are called from one thread (the runner host's) and must not block; the sink may
// be called from any thread, also from inside start().
// Always holds: each started flight ends exactly once, also after cancel() and stop(), within run_limit and a grace of
// 2 s.

#include "base/ids.hpp"
#include "model/definition.hpp"
#include "model/names.hpp"
#include "model/progress.hpp"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace freshet {

/// What the source said last, for a conditional request. Only ever of the published snapshot and its definition.
struct Validators {
    std::string etag;          ///< as sent, quotes included
    std::string last_modified; ///< as sent
    bool any() const { return !etag.empty() || !last_modified.empty(); }
    friend bool operator==(const Validators&, const Validators&) = default;
};

struct FlightOrder {
    JobId job;
    Seq fence = 0;
    int attempt = 1;
    std::string tenant;
    std::string key;                 ///< text form
    std::vector<std::string> params; ///< decoded, in the declared order
    std::shared_ptr<const SourceDefinition> source;
    Validators validators; ///< empty: ask unconditionally
    bool forced = false;   ///< a person asked: caches on the way are told no-cache
    Millis run_limit = 30s;
    WallTime now; ///< engine time at the start: binds like "today-30d" are reckoned from it
    double speed = 1.0;
};

/// Seconds of a flight by what was done, in order, for the receipt.
struct PhaseTime {
    std::string name; ///< "connect", "wait", "read", "shape", ...
    Millis took{0};
};

struct FlightFacts {
    int source_status = 0;     ///< HTTP status, exit code; 0 where there is none
    std::int64_t bytes_in = 0; ///< received, before decoding
    std::vector<PhaseTime> phases;
    std::vector<std::string> notes; ///< for people: "stopped at 100 pages; the source has more"
};

/// A new result: JSON, shaped, ready to be judged and published.
struct FlightData {
    std::string json;
    std::optional<WallTime> as_of; ///< the source's own time of the data
    Validators validators;
    FlightFacts facts;
};

/// The source said that nothing changed since the validators sent (304).
struct FlightUnchanged {
    FlightFacts facts;
};

struct FlightFailure {
    ErrorClass error_class = ErrorClass::retryable;
    std::string code;    ///< "http_status", "connect", "timeout", "too_large", "bad_input", "exit_code", ...
    std::string message; ///< one sentence: what, where; no secret
    std::optional<Millis> retry_after; ///< what the source asked for; a floor for the next try
    FlightFacts facts;
};

using FlightEnd = std::variant<FlightData, FlightUnchanged, FlightFailure>;

/// Where a runner speaks. Threads: any.
class FlightSink {
public:
    virtual ~FlightSink() = default;
    virtual void progress(JobId job, Seq fence, Progress progress) = 0;
    virtual void ended(JobId job, Seq fence, FlightEnd end) = 0;
};

class Runner {
public:
    virtual ~Runner() = default;
    /// Begins the flight; its end comes through the sink. Never blocks, never throws.
    virtual void start(FlightOrder order, FlightSink& sink) = 0;
    /// Ends the flight early with ErrorClass::cancelled; unknown flights are ignored.
    virtual void cancel(JobId job, Seq fence) = 0;
    /// Ends all flights, waits until the last sink call has returned, joins threads. No start() afterwards.
    virtual void stop() = 0;
};

/// The value of a secret now: the literal, the environment variable, or the file's first line.
/// nullopt when the variable or file is missing: the flight then fails in words that name it, never its value.
std::optional<std::string> resolve(const Secret& secret);

} // namespace freshet
