// SPDX-License-Identifier: Apache-2.0
#pragma once
// The built-in runners as one worker of the common queue: it claims, beats and answers as a remote worker does.
//
// Life of a flight here: claimed -> flying (in its runner) -> preparing (a result: hashed, compared, off this thread)
// -> ending (complete, fail or release is posted until the engine has answered) -> gone. A lost lease ends it at any
// stage; what the runner still says of it is dropped. Threads: one of its own, where everything is decided; progress()
// and ended() from any; start(), reconfigure() and stop() from one. Always holds: at most one offer is open, for no
// more than the free slots; a result is kept and posted again until the engine takes it, refuses it for good, or says
// that the lease is lost; after stop() no flight and no thread is left.

#include "base/clock.hpp"
#include "base/metrics.hpp"
#include "base/rng.hpp"
#include "engine/requests.hpp"
#include "engine/runner.hpp"
#include "runtime/pool.hpp"

#include <compare>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace freshet {

/// The runner of each kind; null: none, such a flight fails in words.
struct RunnerSet {
    Runner* http = nullptr;
    Runner* command = nullptr;
    Runner* sql = nullptr;
};

/// Makes a result ready for the engine, against the version that is published. Called on a pool's thread; may throw.
using PrepareCall = std::function<PreparedResult(FlightData data, const SourceDefinition& source,
                                                 const std::string& tenant, const std::string& key)>;

struct RunnerHostOptions {
    std::string worker; ///< "builtin-{boot}"
    int slots = 64;     ///< flights at once, of all kinds
    int prepare_threads = 2;
    Millis progress_every = 250ms;  ///< of one job: 4 per second
    Millis offer_again = 30s;       ///< an open offer is made anew, in case it was forgotten
    Millis release_within = 1500ms; ///< after the runners have stopped, for the last answers
    std::uint64_t seed = 0;         ///< of the jitter of beats
};

class RunnerHost final : public FlightSink {
public:
    RunnerHost(EnginePort& engine, RunnerSet runners, PrepareCall prepare, const Clock& clock, Metrics& metrics,
               std::shared_ptr<const Definitions> definitions, RunnerHostOptions options);
    ~RunnerHost() override { stop(); }

    void start();
    /// Offers for the queues of the new definitions; flights that run go on under theirs.
    void reconfigure(std::shared_ptr<const Definitions> definitions);
    /// Claims no more, stops the runners, hands back what was in flight, so that a restart takes it up at once.
    /// Idempotent.
    void stop();

    void progress(JobId job, Seq fence, Progress progress) override;
    void ended(JobId job, Seq fence, FlightEnd end) override;

private:
    struct FlightId {
        JobId job;
        Seq fence = 0;
        friend auto operator<=>(const FlightId&, const FlightId&) = default;
    };
    struct Flight {
        std::shared_ptr<const Job> job;
        std::shared_ptr<const SourceDefinition> source;
        Runner* runner = nullptr;
        SteadyTime began;
        bool lost = false;        ///< the lease is another's: nothing more is said of it
        bool cancel_told = false; ///< somebody wants it to end
        SteadyTime beat_at;
        std::optional<Progress> progress; ///< not sent yet
        SteadyTime progress_at;           ///< not before
        std::optional<Request> end;       ///< once it is known what to answer
        bool end_posted = false;          ///< the engine has it and will reply
        SteadyTime end_at;                ///< else: when to post it
        Millis back_off{0};
    };
    using Flights = std::map<FlightId, Flight>;

    /// What others have to say to the thread; outlives the host in the hands of replies that come late.
    struct Inbox {
        std::mutex mutex;
        std::condition_variable came;
        std::deque<std::function<void()>> calls; ///< guarded by mutex
        std::map<FlightId, Progress> progress;   ///< guarded by mutex; conflated
    };
    static void tell(const std::shared_ptr<Inbox>& inbox, std::function<void()> call);

    // Everything below: the host's thread only.
    void run();
    void take_inbox(SteadyTime until);
    SteadyTime next_due() const;
    void offer(SteadyTime now);
    void on_claimed(std::uint64_t offer, Reply reply);
    void start_flight(ClaimedJob claimed);
    void send_beats(SteadyTime now);
    void on_beaten(const std::map<JobId, Seq>& fences, Reply reply);
    void on_ended(FlightId id, FlightEnd end);
    void prepare(FlightId id, const Flight& flight, FlightData data);
    void answer(FlightId id, Request end);
    void post_ends(SteadyTime now);
    void post_end(FlightId id, Flight& flight, SteadyTime now);
    void on_answered(FlightId id, Reply reply);
    void forget(FlightId id);
    void begin_stop();
    Runner* runner_of(SourceKind kind) const;
    Millis beat_every(const Flight& flight);

    EnginePort& engine_;
    const RunnerSet runners_;
    const PrepareCall prepare_;
    const Clock& clock_;
    const RunnerHostOptions options_;
    prometheus::Gauge& in_flight_;
    prometheus::Counter& posted_again_;
    const std::shared_ptr<Inbox> inbox_ = std::make_shared<Inbox>();

    std::shared_ptr<const Definitions> definitions_;
    Rng rng_;
    Flights flights_;
    std::uint64_t offer_ = 0; ///< number of the last offer
    bool offer_open_ = false;
    SteadyTime offer_at_; ///< when to make the next one (open: anew)
    bool beating_ = false;
    SteadyTime beat_not_before_;
    bool stopping_ = false;
    SteadyTime stop_by_;

    Pool pool_;
    std::thread thread_;
};

} // namespace freshet
