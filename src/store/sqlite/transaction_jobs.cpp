// SPDX-License-Identifier: Apache-2.0
// Jobs in a SqliteTransaction.
#include "store/kept_bytes.hpp"
#include "store/sqlite/job_statements.hpp"
#include "store/sqlite/rows.hpp"
#include "store/sqlite/statements.hpp"
#include "store/sqlite/transaction.hpp"

#include <algorithm>

namespace freshet::sqlite {

namespace {

/// So many jobs become ready at once, that a commit stays short when a hundred thousand are due at the same instant.
constexpr int ready_per_look = 1'000;

/// In which index a job waits; '' once it runs.
std::string_view waits_of(const Job& job)
{
    if (job.state != JobState::queued) return "";
    if (job.gated) return "gated";
    if (job.behind) return "behind";
    // A job that may run as soon as it is asked for, which most are, need not be looked for later.
    return job.due_at > job.requested_at ? "due" : "ready";
}

/// Of a job that goes by itself some time after its end; an item goes with its batch.
std::optional<WallTime> ended_at(const Job& job)
{
    return is_terminal(job.state) && !job.batch ? job.finished_at : std::nullopt;
}

struct TimedJob {
    WallTime at;
    Job job;
};

} // namespace

// What was read.

std::vector<Job> SqliteTransaction::noted(std::vector<Job> jobs)
{
    for (const Job& job : jobs) before_.insert_or_assign(job.id.value, before_of(job));
    return jobs;
}

SqliteTransaction::Before SqliteTransaction::before_of(const Job& job)
{
    return {job.state, job.result_payload, live_bytes_of(job)};
}

std::optional<SqliteTransaction::Before> SqliteTransaction::before(JobId id)
{
    const auto known = before_.find(id.value);
    if (known != before_.end()) return known->second;
    const auto found = reads_.job(id);
    return found ? std::optional{before_of(*found)} : std::nullopt;
}

std::optional<Job> SqliteTransaction::job(JobId id)
{
    auto found = reads_.job(id);
    if (found) before_.insert_or_assign(id.value, before_of(*found));
    return found;
}

std::vector<Job> SqliteTransaction::live_jobs(std::string_view tenant, std::string_view key)
{
    return noted(reads_.live_jobs(tenant, key));
}

std::vector<Job> SqliteTransaction::jobs(const JobFilter& filter)
{
    put_counts(); // they say which queues there are
    return noted(reads_.jobs(filter));
}

std::vector<Job> SqliteTransaction::items(const ItemFilter& filter)
{
    return noted(reads_.items(filter));
}

std::optional<Job> SqliteTransaction::item(BatchId batch, std::string_view item)
{
    auto found = reads_.item(batch, item);
    if (found) before_.insert_or_assign(found->id.value, before_of(*found));
    return found;
}

// Counts.

void SqliteTransaction::count(const std::string& tenant, const std::string& queue, JobState state, int by)
{
    auto [place, is_new] = counts_.try_emplace({tenant, queue});
    Counts& counts = place->second;
    if (is_new) {
        Query query{connection_, sql::read_count};
        query.bind(tenant, queue);
        while (query.row()) {
            JobState stored{};
            Taker{query}(stored);
            query.get(counts.by_state.at(static_cast<std::size_t>(stored)));
        }
        counts.stored = counts.by_state;
    }
    counts.by_state.at(static_cast<std::size_t>(state)) += by;
}

void SqliteTransaction::put_counts()
{
    for (auto& [of, counts] : counts_) {
        const auto& [tenant, queue] = of;
        for (std::size_t state = 0; state < counts.by_state.size(); ++state) {
            const std::int64_t number = counts.by_state[state];
            if (number == counts.stored[state]) continue;
            const std::string_view word = to_text(static_cast<JobState>(state));
            if (number == 0)
                Query{connection_, sql::drop_count}.bind(tenant, queue, word).run();
            else
                Query{connection_, sql::put_count}.bind(tenant, queue, word, number).run();
            counts.stored[state] = number;
        }
    }
}

std::vector<JobCount> SqliteTransaction::job_counts(std::string_view tenant)
{
    put_counts();
    return reads_.job_counts(tenant);
}

std::vector<std::pair<std::string, std::int64_t>> SqliteTransaction::running_counts()
{
    put_counts();
    Query query{connection_, sql::count_running};
    return all(query, [](Query& row) {
        std::pair<std::string, std::int64_t> count;
        row.get(count.first);
        row.get(count.second);
        return count;
    });
}

// Changes of a job.

std::optional<std::int64_t> SqliteTransaction::write_job(const char* statement, const Job& job,
                                                         std::optional<WallTime> timer_at)
{
    const std::string record = pack_job(job);
    const std::string_view waits = waits_of(job);
    Query query{connection_, statement};
    Binder bind{query};
    visit_job(bind, job);
    query.put_blob(record);
    query.bind(waits, unique_slot(job));
    bind(timer_at, ended_at(job), job.result_payload);
    try {
        query.run();
    } catch (const SqliteFailure& failure) {
        if (failure.code() == SQLITE_CONSTRAINT_PRIMARYKEY || failure.code() == SQLITE_CONSTRAINT_ROWID)
            refuse(fmt::format("job {} was put with another tenant, kind, queue, key, batch or item", to_text(job.id)));
        if (failure.code() != SQLITE_CONSTRAINT_UNIQUE) throw;
        const std::string words = failure.what();
        refuse(fmt::format("{} was put beside a {} job that takes its place: {}", to_text(job.id), to_text(job.state),
                           words));
    }
    if (waits == "due" && next_due_) next_due_ = std::min(*next_due_, job.due_at);
    if (sqlite3_changes64(connection_.raw()) == 0) return std::nullopt;
    return static_cast<std::int64_t>(record.size());
}

void SqliteTransaction::put_job(const Job& job, std::optional<WallTime> timer_at)
{
    if (is_terminal(job.state)) timer_at.reset();
    std::optional<Before> old;
    if (!writer_.is_new_job(job.id)) old = before(job.id);
    const bool was_ended = old && is_terminal(old->state);
    if (was_ended) {
        Job before = job; // tenant and queue never change
        before.result_payload = old->payload;
        count_ended(before, record_bytes(job.id), -1);
    }
    std::optional<std::int64_t> bytes;
    if (old) bytes = write_job(sql::update_job, job, timer_at);
    if (bytes) {
        if (old->payload != job.result_payload && old->payload != 0) writer_.drop_payload(old->payload);
        if (old->state != job.state) {
            count(job.tenant, job.queue, old->state, -1);
            count(job.tenant, job.queue, job.state, +1);
        }
    } else {
        bytes = write_job(sql::insert_job, job, timer_at);
        for (const std::string& tag : job.tags) Query{connection_, sql::put_tag}.bind(job.tenant, tag, job.id).run();
        count(job.tenant, job.queue, job.state, +1);
    }
    if (is_terminal(job.state)) count_ended(job, *bytes, +1);
    const Before now = before_of(job);
    if (const std::int64_t grown = now.live_bytes - (old ? old->live_bytes : 0)) kept(job.tenant).live_bytes += grown;
    before_.insert_or_assign(job.id.value, now);
}

void SqliteTransaction::put_attempt(const AttemptRecord& attempt)
{
    Query query{connection_, sql::put_attempt};
    visit_attempt(Binder{query}, attempt);
    query.run();
}

void SqliteTransaction::append_log(const LogLine& line)
{
    std::string tenant;
    std::int64_t replaced = 0;
    {
        Query query{connection_, sql::read_log_before};
        if (!query.bind(line.job, line.number, log_row_bytes).row())
            refuse(fmt::format("a line was put for job {}, which is not there", to_text(line.job)));
        query.get(tenant);
        if (!query.is_null()) query.get(replaced);
    }
    kept(tenant).log_bytes += log_bytes_of(line) - replaced;
    Query query{connection_, sql::put_log};
    visit_log(Binder{query}, line);
    query.run();
}

void SqliteTransaction::drop_job(JobId id)
{
    const auto old = reads_.job(id);
    Query{connection_, sql::drop_attempts}.bind(id).run();
    if (!old) return;
    if (const std::int64_t lines = log_bytes(id)) {
        kept(old->tenant).log_bytes -= lines;
        Query{connection_, sql::drop_log}.bind(id).run();
    }
    if (const std::int64_t live = live_bytes_of(*old)) kept(old->tenant).live_bytes -= live;
    if (is_terminal(old->state)) count_ended(*old, record_bytes(id), -1);
    for (const std::string& tag : old->tags) Query{connection_, sql::drop_tag}.bind(old->tenant, tag, id).run();
    if (old->result_payload != 0) writer_.drop_payload(old->result_payload);
    count(old->tenant, old->queue, old->state, -1);
    Query{connection_, sql::drop_job}.bind(id).run();
    before_.erase(id.value);
}

// What waits and what runs.

void SqliteTransaction::make_ready(WallTime now)
{
    if (next_due_ && *next_due_ > now) return;
    const auto next = [this] {
        Query query{connection_, sql::next_job_due};
        return query.row() ? query.next<WallTime>() : WallTime::max();
    };
    next_due_ = next();
    if (*next_due_ > now) return;
    Query{connection_, sql::make_ready}.bind(now, ready_per_look).run();
    next_due_ = next();
}

std::vector<Job> SqliteTransaction::holding(std::string_view tenant, std::string_view queue, std::string_view slot)
{
    if (slot.empty()) return {};
    std::vector<Job> found;
    for (const char* statement : {sql::read_live_holders, sql::read_ended_holders}) {
        Query query{connection_, statement};
        query.bind(tenant, queue, slot);
        while (query.row()) found.push_back(take_job(query));
    }
    std::ranges::sort(found, std::ranges::greater{}, &Job::id);
    if (found.size() > 3) found.resize(3);
    return noted(std::move(found));
}

std::vector<Job> SqliteTransaction::claimable(std::string_view queue, std::string_view tenant, WallTime now, int limit)
{
    make_ready(now);
    Query query{connection_, sql::read_claimable};
    return noted(all(query.bind(queue, tenant, limit), take_job));
}

std::vector<std::string> SqliteTransaction::ready_tenants(std::string_view queue, std::string_view after, WallTime now,
                                                          int limit)
{
    make_ready(now);
    std::vector<std::string> names;
    // From one tenant that has ready jobs to the next, never over the jobs in between.
    const auto go_on = [&](std::string from, std::string_view to) {
        while (names.size() < static_cast<std::size_t>(limit)) {
            Query query{connection_, sql::next_tenant};
            if (!query.bind(queue, from).row()) return;
            from = query.next<std::string>();
            if (!to.empty() && from > to) return;
            names.push_back(from);
        }
    };
    go_on(std::string{after}, "");
    if (!after.empty()) go_on("", after);
    return names;
}

std::vector<std::string> SqliteTransaction::ready_queues(WallTime now)
{
    make_ready(now);
    std::vector<std::string> names;
    for (std::string from;; names.push_back(from)) {
        Query query{connection_, sql::next_queue};
        if (!query.bind(from).row()) return names;
        from = query.next<std::string>();
    }
}

std::vector<Job> SqliteTransaction::timers_due(WallTime now, int limit)
{
    std::vector<TimedJob> due;
    for (const char* statement : {sql::read_running_timers_due, sql::read_waiting_timers_due}) {
        Query query{connection_, statement};
        query.bind(now, limit);
        while (query.row()) {
            const auto at = query.next<WallTime>();
            due.push_back({at, take_job(query)});
        }
    }
    std::ranges::sort(due, {}, [](const TimedJob& each) { return std::pair{each.at, each.job.id}; });
    std::vector<Job> found;
    for (TimedJob& each : due)
        if (found.size() < static_cast<std::size_t>(limit)) found.push_back(std::move(each.job));
    return noted(std::move(found));
}

std::vector<Job> SqliteTransaction::running_jobs(std::string_view worker_prefix, int limit)
{
    std::vector<Job> found;
    Query query{connection_, sql::read_running};
    while (query.row()) {
        Job job = take_job(query);
        if (job.worker.starts_with(worker_prefix)) found.push_back(std::move(job));
    }
    std::ranges::sort(found, {}, [](const Job& job) { return std::tie(job.worker, job.id); });
    if (found.size() > static_cast<std::size_t>(limit)) found.resize(static_cast<std::size_t>(limit));
    return noted(std::move(found));
}

std::optional<WallTime> SqliteTransaction::next_wake(WallTime now)
{
    make_ready(now);
    std::optional<WallTime> wake;
    const auto consider = [&](WallTime at) { wake = wake ? std::min(*wake, at) : at; };
    for (const char* statement : {sql::next_running_timer, sql::next_waiting_timer, sql::next_batch_timer,
                                  sql::next_key_due, sql::next_schedule_due}) {
        Query query{connection_, statement};
        if (query.bind(now).row() && !query.is_null()) consider(query.next<WallTime>());
    }
    Query query{connection_, sql::next_job_due};
    // More were due than became ready at once: the others follow with the next look.
    if (query.row()) consider(std::max(query.next<WallTime>(), now + Millis{1}));
    return wake;
}

std::vector<Ended<JobId>> SqliteTransaction::ended_jobs(std::string_view tenant, WallTime before, int limit)
{
    Query query{connection_, sql::read_ended};
    return all(query.bind(tenant, before, limit), [](Query& row) {
        Ended<JobId> ended;
        Taker{row}(ended.id, ended.at);
        return ended;
    });
}

std::vector<std::string> SqliteTransaction::live_refresh_keys(std::string_view tenant, std::string_view after,
                                                              int limit)
{
    Query query{connection_, sql::read_live_refresh_keys};
    return all(query.bind(tenant, after, limit), [](Query& row) { return row.next<std::string>(); });
}

// What a tenant keeps of its jobs.

KeptFigures& SqliteTransaction::kept(std::string_view tenant)
{
    const auto known = kept_.find(tenant);
    if (known != kept_.end()) return known->second.now;
    KeptSum sum;
    {
        Query query{connection_, sql::read_kept};
        if (query.bind(tenant).row())
            Taker{query}(sum.now.ended, sum.now.ended_bytes, sum.now.live_bytes, sum.now.log_bytes);
    }
    sum.stored = sum.now;
    return kept_.emplace(tenant, sum).first->second.now;
}

KeptFigures SqliteTransaction::kept_figures(std::string_view tenant)
{
    return kept(tenant);
}

std::int64_t SqliteTransaction::log_bytes(JobId id)
{
    Query query{connection_, sql::read_log_bytes};
    return query.bind(id, log_row_bytes).row() ? query.next<std::int64_t>() : 0;
}

std::int64_t SqliteTransaction::record_bytes(JobId id)
{
    Query query{connection_, sql::read_record_bytes};
    return query.bind(id).row() ? query.next<std::int64_t>() : 0;
}

std::int64_t SqliteTransaction::payload_bytes(std::int64_t id)
{
    if (id == 0) return 0;
    Query query{connection_, sql::read_payload};
    if (!query.bind(id).row()) return 0;
    query.skip(2);
    return query.next<std::int64_t>();
}

void SqliteTransaction::count_ended(const Job& job, std::int64_t bytes, int by)
{
    KeptFigures& figures = kept(job.tenant);
    figures.ended += by;
    figures.ended_bytes += by * (bytes + payload_bytes(job.result_payload));
}

void SqliteTransaction::put_kept()
{
    for (auto& [tenant, sum] : kept_) {
        if (sum.now == sum.stored) continue;
        const KeptFigures& now = sum.now;
        Query{connection_, sql::put_kept}.bind(tenant, now.ended, now.ended_bytes, now.live_bytes, now.log_bytes).run();
        sum.stored = sum.now;
    }
}

JobId SqliteTransaction::last_job_id()
{
    return JobId{std::max(connection_.number(sql::last_job_id), connection_.number(sql::last_batch_id))};
}

} // namespace freshet::sqlite
