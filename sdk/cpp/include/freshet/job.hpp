// SPDX-License-Identifier: Apache-2.0
#pragma once
// The job that a handler works on, and the ways in which a handler ends.
//
//   returns                  the job succeeded with this result
//   throws Fatal             it failed for good
//   throws RateLimited       it is tried again, no sooner than the source allows; a budget of its own
//   throws anything else     it is tried again, as the queue's retry policy says
//   lets Stopped through     it was cancelled (which this confirms), its lease was lost, or the worker ends (handed
//   back) job.release(wait)        it goes back to its queue, to go on later from its checkpoint
//
// Delivery is at least once: hand job.fence() to what you write to ("where fence < :fence"), so that an attempt that
// lost its lease cannot overwrite a later one.
// Life: a Job lives as long as its handler's call. Threads: any, also several at once.

#include <freshet/json.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <ranges>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>

namespace freshet {
inline namespace sdk_v1 {

namespace detail {
struct Attempt;
}

/// The job fails for good: trying again would not help.
class Fatal : public std::runtime_error {
public:
    explicit Fatal(const std::string& message, std::string code = "fatal")
        : std::runtime_error{message}, code_{std::move(code)}
    {
    }
    const std::string& code() const { return code_; } ///< what the console groups errors by

private:
    std::string code_;
};

/// A plain error with a code of one's own: it is tried again, no sooner than `retry_after` where that is given. The
/// source is then left alone until the next try: who asks for a refresh meanwhile is answered `limited`.
class Retryable : public std::runtime_error {
public:
    explicit Retryable(const std::string& message, std::string code = "error",
                       std::optional<std::chrono::milliseconds> retry_after = {})
        : std::runtime_error{message}, code_{std::move(code)}, retry_after_{retry_after}
    {
    }
    const std::string& code() const { return code_; }
    std::optional<std::chrono::milliseconds> retry_after() const { return retry_after_; }

private:
    std::string code_;
    std::optional<std::chrono::milliseconds> retry_after_;
};

/// The source wants to be left alone; the next attempt waits at least `retry_after`.
class RateLimited : public std::runtime_error {
public:
    explicit RateLimited(const std::string& message, std::optional<std::chrono::milliseconds> retry_after = {},
                         std::string code = "rate_limited")
        : std::runtime_error{message}, retry_after_{retry_after}, code_{std::move(code)}
    {
    }
    std::optional<std::chrono::milliseconds> retry_after() const { return retry_after_; }
    const std::string& code() const { return code_; }

private:
    std::optional<std::chrono::milliseconds> retry_after_;
    std::string code_;
};

/// Why a handler is to end early. none: it is not.
enum class StopReason : std::uint8_t { none, cancelled, lost, shutdown };

/// Thrown by check() and track(). No std::exception, so that a catch around a flaky call does not swallow it.
struct Stopped {
    StopReason reason = StopReason::none;
};
/// Thrown by release(); no std::exception either.
struct Released {
    std::chrono::milliseconds wait{0};
    std::string reason;
};

/// What a handler answers: JSON, or nothing (null).
class Result {
public:
    Result() = default;
    Result(const Json& json) : text_{json.dump()} {}
    /// Of another library's making. @throws std::invalid_argument if it is no JSON.
    static Result of_text(std::string json);
    const std::string& text() const { return text_; }

private:
    std::string text_ = "null";
};

/// How far it is. Counters grow within a phase; what would go backwards is dropped.
struct Progress {
    std::int64_t done = 0;
    std::optional<std::int64_t> total{};
    std::string phase{}, unit{}, message{};
    int phases = 0; ///< how many there will be; 0: unknown
};

enum class LogLevel : std::uint8_t { debug, info, warning, error };

template <std::ranges::input_range Range>
class Tracked;

class Job {
public:
    explicit Job(std::shared_ptr<detail::Attempt> attempt);

    const Json& input() const; ///< parsed at the first call
    const std::string& input_text() const;
    const std::string& id() const;
    const std::string& queue() const;
    const std::string& tenant() const;
    const std::string& worker() const;
    std::uint64_t fence() const; ///< grows with every hand-out of every job
    int attempt() const;         ///< 1 for the first of a generation
    int generation() const;
    std::string deadline_at() const; ///< RFC 3339; empty: none

    /// What an earlier attempt left, or null.
    const Json& checkpoint() const;
    /// Leaves where to go on, should this attempt not come to its end. Sent at once, without waiting for it; of those
    /// that follow each other quickly the latest counts.
    /// @throws std::length_error above 64 KiB; std::invalid_argument for text that is no JSON.
    void checkpoint(const Json& state);
    void checkpoint_text(std::string json);

    /// Says how far it is. Costs next to nothing: call it as often as you like; at most four a second are sent, and the
    /// last one always.
    void progress(std::int64_t done, std::optional<std::int64_t> total = {}, std::string_view phase = {},
                  std::string_view message = {});
    void progress(const Progress& progress);

    /// A loop that tells its progress and stops when it must: for (auto& row : job.track(rows, "fit")) ...
    template <std::ranges::input_range Range>
    Tracked<std::views::all_t<Range>> track(Range&& range, std::string_view phase = {});

    std::stop_token stop_token() const;
    StopReason stop_reason() const;
    /// @throws Stopped once the handler is to end.
    void check() const;

    /// Hands the job back, to go on `wait` later with the last checkpoint. `reason` is shown while it waits.
    [[noreturn]] void release(std::chrono::milliseconds wait = {}, std::string reason = {});

    /// A line of the job's log, kept by the server.
    void log(std::string_view text) { log(LogLevel::info, text); }
    void log(LogLevel level, std::string_view text);

private:
    std::shared_ptr<detail::Attempt> attempt_;
};

/// What Job::track() gives: the range, with progress told before each item and check() called.
template <std::ranges::input_range Range>
class Tracked {
public:
    Tracked(Job& job, Range range, std::string phase) : job_{job}, range_{std::move(range)}, phase_{std::move(phase)}
    {
        if constexpr (std::ranges::sized_range<Range>) total_ = static_cast<std::int64_t>(std::ranges::size(range_));
    }

    struct End {};
    class Iterator {
    public:
        Iterator(Tracked& of, std::ranges::iterator_t<Range> at) : of_{&of}, at_{std::move(at)} {}
        decltype(auto) operator*() const { return *at_; }
        Iterator& operator++()
        {
            ++at_;
            of_->tell(++of_->done_);
            return *this;
        }
        bool over() const { return at_ == std::ranges::end(of_->range_); }
        friend bool operator==(const Iterator& a, End) { return a.over(); }

    private:
        Tracked* of_;
        std::ranges::iterator_t<Range> at_;
    };

    Iterator begin()
    {
        tell(done_ = 0);
        return Iterator{*this, std::ranges::begin(range_)};
    }
    End end() { return {}; }

private:
    void tell(std::int64_t done)
    {
        job_.progress(done, total_, phase_);
        // Work that is done whole is worth its result, whoever wanted it stopped meanwhile.
        if (!total_ || done < *total_) job_.check();
    }
    Job& job_;
    Range range_;
    std::string phase_;
    std::optional<std::int64_t> total_;
    std::int64_t done_ = 0;
};

template <std::ranges::input_range Range>
Tracked<std::views::all_t<Range>> Job::track(Range&& range, std::string_view phase)
{
    return {*this, std::views::all(std::forward<Range>(range)), std::string{phase}};
}

} // namespace sdk_v1
} // namespace freshet
