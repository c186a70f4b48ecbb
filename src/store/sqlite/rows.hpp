// SPDX-License-Identifier: Apache-2.0
#pragma once
// How the model's values lie in columns. Each visit_*() names the fields of a row once, in the order of the columns;
// the same list binds and reads, so that the two cannot drift apart.

#include "store/sqlite/connection.hpp"

#include <fmt/format.h>

#include <utility>

namespace freshet::sqlite {

inline std::optional<JobKind> parse_word(std::string_view word, JobKind)
{
    return parse_job_kind(word);
}
inline std::optional<JobState> parse_word(std::string_view word, JobState)
{
    return parse_job_state(word);
}
inline std::optional<Trigger> parse_word(std::string_view word, Trigger)
{
    return parse_trigger(word);
}
inline std::optional<Outcome> parse_word(std::string_view word, Outcome)
{
    return parse_outcome(word);
}
inline std::optional<ErrorClass> parse_word(std::string_view word, ErrorClass)
{
    return parse_error_class(word);
}
inline std::optional<AttemptEnd> parse_word(std::string_view word, AttemptEnd)
{
    return parse_attempt_end(word);
}
inline std::optional<AsOfBy> parse_word(std::string_view word, AsOfBy)
{
    return parse_as_of_by(word);
}
inline std::optional<HeldReason> parse_word(std::string_view word, HeldReason)
{
    return parse_held_reason(word);
}

/// Binds every field it is shown.
class Binder {
public:
    explicit Binder(Query& query) : query_{query} {}
    template <class... Fields>
    void operator()(const Fields&... fields)
    {
        (put(fields), ...);
    }

private:
    template <class T>
    void put(const T& value)
    {
        if constexpr (std::is_enum_v<T>)
            query_.put(to_text(value));
        else
            query_.put(value);
    }
    template <class T>
    void put(const std::optional<T>& value)
    {
        if (value)
            put(*value);
        else
            query_.put(nullptr);
    }
    void put(const std::optional<ErrorInfo>& error)
    {
        if (error)
            (*this)(error->error_class, error->code, error->message);
        else
            for (int i = 0; i < 3; ++i) query_.put(nullptr);
    }
    void put(const std::optional<HeldResult>& held);

    Query& query_;
};

/// Reads every field it is shown.
class Taker {
public:
    explicit Taker(Query& query) : query_{query} {}
    template <class... Fields>
    void operator()(Fields&... fields)
    {
        (get(fields), ...);
    }

private:
    template <class T>
    void get(T& value)
    {
        if constexpr (std::is_enum_v<T>) {
            const std::string_view word = query_.view();
            const auto parsed = parse_word(word, T{});
            if (!parsed)
                throw StoreFailure{fmt::format("a row in the store holds the word '{}', which this freshet does not "
                                               "know: run the freshet that wrote it, or restore data_dir from a backup",
                                               word)};
            value = *parsed;
        } else {
            query_.get(value);
        }
    }
    template <class T>
    void get(std::optional<T>& value)
    {
        if (query_.is_null()) {
            value.reset();
            query_.skip(1);
        } else {
            get(value.emplace());
        }
    }
    void get(std::optional<ErrorInfo>& error)
    {
        if (query_.is_null()) {
            error.reset();
            query_.skip(3);
            return;
        }
        error.emplace();
        (*this)(error->error_class, error->code, error->message);
    }
    void get(std::optional<HeldResult>& held);

    Query& query_;
};

template <class Visit, class Counts>
void visit_counts(Visit&& visit, Counts& c)
{
    visit(c.added, c.removed, c.changed, c.total);
}

inline constexpr int held_columns = 17;

template <class Visit, class Held>
void visit_held(Visit&& visit, Held& h)
{
    visit(h.reason, h.message, h.payload, h.hash, h.rows, h.bytes, h.job, h.held_at, h.data_fence, h.as_of, h.etag);
    visit(h.last_modified, h.definition);
    visit_counts(visit, h.counts);
}

template <class Visit, class Record>
void visit_key(Visit&& visit, Record& k)
{
    visit(k.tenant, k.key, k.source, k.gen, k.ver, k.has_data, k.data_fence, k.definition, k.payload, k.hash, k.rows);
    visit(k.bytes, k.as_of, k.as_of_by, k.checked_at, k.changed_at, k.trigger, k.etag, k.last_modified, k.attempts);
    visit(k.retry_at, k.parked, k.error, k.last_outcome, k.last_job, k.last_finished_at, k.stale_seq, k.gone_seq);
    visit(k.held, k.read_at, k.next_at, k.seq);
}

template <class Visit, class Record>
void visit_version(Visit&& visit, Record& v)
{
    visit(v.ver, v.gen, v.payload, v.hash, v.rows, v.bytes, v.as_of, v.changed_at);
    visit_counts(visit, v.counts);
}

template <class Visit, class AJob, class Timer>
void visit_job(Visit&& visit, AJob& j, Timer& timer_at)
{
    visit(j.id, j.kind, j.tenant, j.queue, j.key, j.priority, j.state, j.trigger, j.behind, j.superseded_by);
    visit(j.requested_at, j.requested_by, j.due_at, j.began_at, j.finished_at, j.deadline_at, j.generation, j.attempt);
    visit(j.failed, j.lost, j.rate_limited, j.released, j.asked, j.fence, j.data_fence, j.worker, j.lease_until);
    visit(j.beat_at, j.progress_at, j.cancel_requested_at);
    auto& p = j.progress;
    visit(p.attempt, p.phase, p.phase_index, p.phases, p.done, p.total, p.unit, p.message);
    visit(j.callers, j.definition, j.took_p50, j.took_p90, j.took_p95, j.outcome, j.forced, j.finished_before_cancel);
    visit(j.error, j.seq, timer_at, j.input, j.checkpoint, j.receipt);
}

template <class Visit, class Record>
void visit_attempt(Visit&& visit, Record& a)
{
    visit(a.job, a.fence, a.generation, a.attempt, a.worker, a.began_at, a.finished_at, a.end, a.error);
}

template <class Visit, class Record>
void visit_fire(Visit&& visit, Record& f)
{
    visit(f.tenant, f.key, f.nominal, f.fired_at, f.decision, f.reason, f.job);
}

template <class Visit, class Record>
void visit_idempotency(Visit&& visit, Record& r)
{
    visit(r.tenant, r.caller, r.route, r.key, r.request, r.job, r.expires_at);
}

template <class Visit, class Record>
void visit_breaker(Visit&& visit, Record& b)
{
    visit(b.tenant, b.source, b.host, b.failures, b.open_until, b.probe);
}

inline void Binder::put(const std::optional<HeldResult>& held)
{
    if (held)
        visit_held(*this, *held);
    else
        for (int i = 0; i < held_columns; ++i) query_.put(nullptr);
}

inline void Taker::get(std::optional<HeldResult>& held)
{
    if (query_.is_null()) {
        held.reset();
        query_.skip(held_columns);
        return;
    }
    visit_held(*this, held.emplace());
}

inline Job take_job(Query& query)
{
    Job job;
    std::optional<WallTime> timer_at;
    visit_job(Taker{query}, job, timer_at);
    return job;
}

inline KeyRecord take_key(Query& query)
{
    KeyRecord key;
    visit_key(Taker{query}, key);
    return key;
}

/// Every row of a query, each read by `take`.
template <class Take>
auto all(Query& query, Take&& take)
{
    std::vector<decltype(take(query))> rows;
    while (query.row()) rows.push_back(take(query));
    return rows;
}

template <class Take>
auto first(Query& query, Take&& take)
{
    return query.row() ? std::optional{take(query)} : std::nullopt;
}

} // namespace freshet::sqlite
