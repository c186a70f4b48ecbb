// SPDX-License-Identifier: Apache-2.0
#include "runners/sql/sql_runner.hpp"

#include "runners/sql/sql_read.hpp"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <fmt/format.h>
#include <mutex>
#include <thread>
#include <vector>

namespace freshet {

namespace {

/// After this long a flight that was told to end is ended, whether or not its reader came back.
constexpr Millis reader_grace{1500};

constexpr std::string_view sqlite_scheme = "sqlite:";

bool is_postgres(std::string_view database)
{
    return database.starts_with("postgres://") || database.starts_with("postgresql://");
}

} // namespace

class SqlRunner::Pool {
public:
    Pool(const Clock& clock, int threads) : clock_{clock}
    {
        for (int i = 0; i < std::max(1, threads); ++i) readers_.emplace_back([this] { be_reader(); });
        keeper_ = std::thread{[this] { be_keeper(); }};
    }

    void start(FlightOrder order, FlightSink& sink)
    {
        auto flight = std::make_shared<Flight>(std::move(order), sink, clock_.steady());
        if (!flight->stop.usable()) return tell(*flight, refused(*flight, "the server has no descriptors left"));
        {
            const std::lock_guard lock{mutex_};
            if (!stopping_) {
                flights_.push_back(flight);
                waiting_.push_back(flight);
                flight = nullptr;
            }
        }
        if (flight) {
            flight->stop.set(StopReason::stopping);
            return tell(*flight, stopped(*flight));
        }
        work_.notify_one();
        watch_.notify_one();
    }

    void cancel(JobId job, Seq fence)
    {
        const std::lock_guard lock{mutex_};
        for (const auto& flight : flights_)
            if (flight->order.job == job && flight->order.fence == fence) flight->stop.set(StopReason::cancelled);
        watch_.notify_one();
    }

    void stop()
    {
        {
            const std::lock_guard lock{mutex_};
            stopping_ = true;
            for (const auto& flight : flights_) flight->stop.set(StopReason::stopping);
        }
        work_.notify_all();
        watch_.notify_one();
        for (std::thread& reader : readers_)
            if (reader.joinable()) reader.join();
        if (keeper_.joinable()) keeper_.join();
    }

private:
    struct Flight {
        Flight(FlightOrder given, FlightSink& its_sink, SteadyTime at)
            : order{std::move(given)}, sink{its_sink}, began{at}, deadline{at + order.run_limit}
        {
        }
        const FlightOrder order;
        FlightSink& sink;
        const SteadyTime began, deadline;
        FlightStop stop;
        // Guarded by mutex_.
        std::optional<SteadyTime> give_up_at;
        bool reading = false, told = false;
    };
    using FlightPointer = std::shared_ptr<Flight>;

    void be_reader();
    void be_keeper();
    FlightEnd read(const Flight& flight, FlightFacts& facts) const;
    void tell(Flight& flight, FlightEnd end);
    SqlRead reading_of(const Flight& flight, const BoundValues& values, FlightFacts& facts) const;
    FlightFailure stopped(const Flight& flight) const;
    FlightFailure refused(const Flight& flight, std::string_view what) const;

    const Clock& clock_;
    std::mutex mutex_;
    std::condition_variable work_, watch_;
    // Guarded by mutex_.
    std::vector<FlightPointer> flights_; ///< all that are not told, and those whose reader is still at it
    std::deque<FlightPointer> waiting_;
    bool stopping_ = false;

    std::vector<std::thread> readers_;
    std::thread keeper_;
};

void SqlRunner::Pool::be_reader()
{
    std::unique_lock lock{mutex_};
    for (;;) {
        work_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
        if (waiting_.empty()) return;
        const FlightPointer flight = std::move(waiting_.front());
        waiting_.pop_front();
        flight->reading = true;
        lock.unlock();
        FlightFacts facts;
        FlightEnd end = read(*flight, facts);
        std::visit([&](auto& e) { e.facts = std::move(facts); }, end);
        tell(*flight, std::move(end));
        lock.lock();
        std::erase(flights_, flight);
        watch_.notify_one();
    }
}

// Sets the stops whose time has come and ends what no reader ends. Sinks are called without the lock.
void SqlRunner::Pool::be_keeper()
{
    std::unique_lock lock{mutex_};
    for (;;) {
        const SteadyTime now = clock_.steady();
        std::optional<SteadyTime> next;
        std::vector<FlightPointer> over;
        for (const FlightPointer& flight : flights_) {
            if (flight->told) continue;
            if (now >= flight->deadline) flight->stop.set(StopReason::timeout);
            if (flight->stop && !flight->give_up_at) flight->give_up_at = flight->reading ? now + reader_grace : now;
            const SteadyTime due = flight->give_up_at.value_or(flight->deadline);
            if (flight->give_up_at && now >= due)
                over.push_back(flight);
            else
                next = next ? std::min(*next, due) : due;
        }
        for (const FlightPointer& flight : over)
            if (std::erase(waiting_, flight) > 0) std::erase(flights_, flight);
        if (!over.empty()) {
            lock.unlock();
            for (const FlightPointer& flight : over) tell(*flight, stopped(*flight));
            lock.lock();
            continue;
        }
        if (stopping_ && !next) return;
        // A millisecond more than needed, since the clock's steps are cut: else it would spin until the step.
        if (next)
            watch_.wait_for(lock, *next - now + Millis{1});
        else
            watch_.wait(lock);
    }
}

void SqlRunner::Pool::tell(Flight& flight, FlightEnd end)
{
    {
        const std::lock_guard lock{mutex_};
        if (std::exchange(flight.told, true)) return;
    }
    flight.sink.ended(flight.order.job, flight.order.fence, std::move(end));
}

FlightEnd SqlRunner::Pool::read(const Flight& flight, FlightFacts& facts) const
{
    const SourceDefinition& source = *flight.order.source;
    const auto values = bound_values(flight.order);
    if (!values) return values.error();
    const SqlRead read = reading_of(flight, *values, facts);
    if (flight.stop) return read.stopped();

    const Secret& secret = source.sql.database;
    const auto database = resolve(secret);
    if (!database)
        return read.failure(ErrorClass::fatal, "secret_missing",
                            fmt::format("database is taken from the {} {}, which is not there",
                                        secret.from == Secret::From::env ? "environment variable" : "file",
                                        secret.text));
    const bool sqlite = database->starts_with(sqlite_scheme) && database->size() > sqlite_scheme.size();
    if (!sqlite && !is_postgres(*database))
        return read.failure(ErrorClass::fatal, "bad_database", "database must be sqlite:PATH or postgres://...");
    SqlAnswer answer =
        sqlite ? read_sqlite(read, database->substr(sqlite_scheme.size())) : read_postgres(read, *database);
    if (!answer) return std::move(answer.error());
    facts.bytes_in = static_cast<std::int64_t>(answer->size());
    return FlightData{std::move(*answer), std::nullopt, {}, {}};
}

SqlRead SqlRunner::Pool::reading_of(const Flight& flight, const BoundValues& values, FlightFacts& facts) const
{
    const Millis left = std::max(flight.deadline - clock_.steady(), Millis{0});
    return SqlRead{*flight.order.source, values, flight.stop, clock_, flight.order.run_limit, left, facts.phases};
}

FlightFailure SqlRunner::Pool::stopped(const Flight& flight) const
{
    FlightFacts facts;
    const BoundValues none;
    FlightFailure failure = reading_of(flight, none, facts).stopped();
    failure.facts.phases.push_back({"wait", clock_.steady() - flight.began});
    return failure;
}

FlightFailure SqlRunner::Pool::refused(const Flight& flight, std::string_view what) const
{
    FlightFacts facts;
    const BoundValues none;
    return reading_of(flight, none, facts).failure(ErrorClass::retryable, "busy", what);
}

SqlRunner::SqlRunner(const Clock& clock, SqlOptions options) : pool_{std::make_unique<Pool>(clock, options.threads)} {}

SqlRunner::~SqlRunner()
{
    stop();
}

void SqlRunner::start(FlightOrder order, FlightSink& sink)
{
    pool_->start(std::move(order), sink);
}

void SqlRunner::cancel(JobId job, Seq fence)
{
    pool_->cancel(job, fence);
}

void SqlRunner::stop()
{
    pool_->stop();
}

} // namespace freshet
