// SPDX-License-Identifier: Apache-2.0
#pragma once
// How the model's values lie in columns. Each visit_*() names the fields of a row once, in the order of the columns;
// the same list binds and reads, so that the two cannot drift apart.

#include "store/packed_job.hpp"
#include "store/sqlite/connection.hpp"

#include <fmt/format.h>

#include <utility>

namespace freshet::sqlite {

inline std::string_view role_word(Role role)
{
    switch (role) {
    case Role::viewer: return "viewer";
    case Role::operator_: return "operator";
    case Role::worker: return "worker";
    case Role::admin: return "admin";
    }
    std::unreachable();
}

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

inline std::optional<BatchState> parse_word(std::string_view word, BatchState)
{
    return parse_batch_state(word);
}
inline std::optional<Role> parse_word(std::string_view word, Role)
{
    for (const Role role : {Role::viewer, Role::operator_, Role::worker, Role::admin})
        if (role_word(role) == word) return role;
    return std::nullopt;
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
        if constexpr (std::is_same_v<T, Role>)
            query_.put(role_word(value));
        else if constexpr (std::is_enum_v<T>)
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
    visit(k.held, k.read_at, k.next_at, k.seq, k.day);
}

template <class Visit, class Record>
void visit_version(Visit&& visit, Record& v)
{
    visit(v.ver, v.gen, v.payload, v.hash, v.rows, v.bytes, v.as_of, v.changed_at);
    visit_counts(visit, v.counts);
}

/// All but the record, which follows.
template <class Visit, class AJob>
void visit_job(Visit&& visit, AJob& j)
{
    visit(j.id, j.kind, j.tenant, j.queue, j.key, j.batch, j.item, j.state, j.priority, j.due_at);
}

template <class Visit, class Record>
void visit_log(Visit&& visit, Record& l)
{
    visit(l.job, l.number, l.fence, l.at, l.level, l.text);
}

/// `sources` and `queues` of its scope are told as a text each, a line for each name.
template <class Visit, class Record, class Names>
void visit_token(Visit&& visit, Record& t, Names& sources, Names& queues)
{
    visit(t.name, t.tenant, t.role, t.refresh, sources, queues, t.sha256, t.made_by, t.made_at, t.expires_at);
}

template <class Visit, class Record>
void visit_reset(Visit&& visit, Record& r)
{
    visit(r.tenant, r.queue, r.seq);
}

template <class Visit, class Record>
void visit_schedule(Visit&& visit, Record& s)
{
    visit(s.tenant, s.name, s.next_at, s.paused);
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
    visit(r.tenant, r.caller, r.route, r.key, r.request, r.made, r.expires_at);
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
    visit_job(Taker{query}, job);
    unpack_job(query.view(), job);
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
