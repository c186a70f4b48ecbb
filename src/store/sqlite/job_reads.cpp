// SPDX-License-Identifier: Apache-2.0
// The answers of Reads about jobs and batches.
#include "store/sqlite/job_statements.hpp"
#include "store/sqlite/reads.hpp"
#include "store/sqlite/rows.hpp"

#include <algorithm>
#include <array>

namespace freshet::sqlite {

namespace {

constexpr std::array all_states{JobState::queued, JobState::running, JobState::succeeded, JobState::failed,
                                JobState::cancelled};
constexpr std::array all_batch_states{BatchState::open,      BatchState::sealed,  BatchState::ending,
                                      BatchState::succeeded, BatchState::partial, BatchState::failed,
                                      BatchState::cancelled, BatchState::aborted};

template <class Id>
void add_ids(Query& query, std::vector<Id>& ids)
{
    while (query.row()) ids.push_back(query.next<Id>());
}

/// The first `limit` of what several ranges gave.
template <class Id>
void merge(std::vector<Id>& ids, int limit, bool downwards)
{
    std::ranges::sort(ids);
    if (downwards) std::ranges::reverse(ids);
    if (ids.size() > static_cast<std::size_t>(limit)) ids.resize(static_cast<std::size_t>(limit));
}

} // namespace

// Jobs.

std::optional<Job> Reads::job(JobId id)
{
    Query query{connection_, sql::read_job};
    return first(query.bind(id), take_job);
}

std::vector<Job> Reads::live_jobs(std::string_view tenant, std::string_view key)
{
    Query query{connection_, sql::read_live_jobs};
    return all(query.bind(tenant, key), take_job);
}

std::vector<JobId> Reads::job_ids(const JobFilter& filter)
{
    const std::int64_t before = below(filter.before.value), after = filter.after.value;
    const bool up = filter.oldest_first;
    const std::string_view state = filter.state ? to_text(*filter.state) : "";
    const std::string_view kind = filter.kind ? to_text(*filter.kind) : "";
    std::vector<JobId> ids;
    if (!filter.tag.empty()) {
        Query query{connection_, up ? sql::list_jobs_by_tag_up : sql::list_jobs_by_tag};
        query.bind(filter.tenant, filter.tag, before, after, state, filter.queue, kind, filter.key, filter.limit);
        add_ids(query, ids);
        return ids;
    }
    if (!filter.key.empty()) {
        Query query{connection_, up ? sql::list_jobs_by_key_up : sql::list_jobs_by_key};
        add_ids(query.bind(filter.tenant, filter.key, before, after, state, filter.queue, kind, filter.limit), ids);
        return ids;
    }
    // A page of each queue and state that has jobs; what is asked for is among them.
    for (const JobCount& range : job_counts(filter.tenant)) {
        if (!filter.queue.empty() && range.queue != filter.queue) continue;
        if (filter.state && range.state != *filter.state) continue;
        if (range.state == JobState::running) {
            Query query{connection_, up ? sql::list_running_jobs_up : sql::list_running_jobs};
            add_ids(query.bind(filter.tenant, range.queue, before, after, kind, filter.limit), ids);
        } else {
            Query query{connection_, up ? sql::list_jobs_up : sql::list_jobs};
            query.bind(filter.tenant, range.queue, to_text(range.state), before, after, kind, filter.limit);
            add_ids(query, ids);
        }
    }
    merge(ids, filter.limit, !up);
    return ids;
}

std::vector<Job> Reads::jobs(const JobFilter& filter)
{
    std::vector<Job> found;
    for (const JobId id : job_ids(filter))
        if (auto each = job(id)) found.push_back(std::move(*each));
    return found;
}

std::vector<JobCount> Reads::job_counts(std::string_view tenant)
{
    Query query{connection_, sql::read_counts};
    auto counts = all(query.bind(tenant), [](Query& row) {
        JobCount count;
        Taker{row}(count.tenant, count.queue, count.state, count.count);
        return count;
    });
    std::ranges::sort(counts, {}, [](const JobCount& count) { return std::tie(count.queue, count.state); });
    return counts;
}

std::vector<AttemptRecord> Reads::attempts(JobId job)
{
    Query query{connection_, sql::read_attempts};
    return all(query.bind(job), [](Query& row) {
        AttemptRecord attempt;
        visit_attempt(Taker{row}, attempt);
        return attempt;
    });
}

JobId Reads::oldest_queued(std::string_view tenant, std::string_view queue)
{
    Query query{connection_, sql::oldest_queued};
    std::vector<JobId> ids;
    add_ids(query.bind(tenant, queue), ids);
    return ids.empty() ? JobId{} : ids.front();
}

std::vector<LogLine> Reads::job_log(JobId job, std::int64_t after, int limit)
{
    Query query{connection_, sql::read_log};
    return all(query.bind(job, after, limit), [](Query& row) {
        LogLine line;
        visit_log(Taker{row}, line);
        return line;
    });
}

// Batches.

Batch Reads::take_batch(Query& query)
{
    Batch batch;
    std::uint64_t texts = 0;
    Taker{query}(batch.id, batch.tenant, batch.queue, batch.state, texts);
    unpack_batch(query.view(), batch);
    if (texts == 0 || !batch.then) return batch;
    Query apart{connection_, sql::read_batch_texts};
    if (!apart.bind(batch.id).row())
        throw StoreFailure{
            fmt::format("the follow-up of batch {} is missing: restore data_dir from a backup", to_text(batch.id))};
    apart.get(batch.then->input);
    apart.get(batch.then->items);
    return batch;
}

std::optional<Batch> Reads::batch(BatchId id)
{
    Query query{connection_, sql::read_batch};
    return first(query.bind(id), [this](Query& row) { return take_batch(row); });
}

std::vector<Batch> Reads::batches(const BatchFilter& filter)
{
    std::vector<BatchId> ids;
    for (const BatchState state : all_batch_states) {
        if (filter.state && *filter.state != state) continue;
        Query query{connection_, filter.oldest_first ? sql::list_batches_up : sql::list_batches};
        query.bind(filter.tenant, to_text(state), below(filter.before.value), filter.after, filter.limit);
        add_ids(query, ids);
    }
    merge(ids, filter.limit, !filter.oldest_first);
    std::vector<Batch> found;
    for (const BatchId id : ids)
        if (auto each = batch(id)) found.push_back(std::move(*each));
    return found;
}

std::vector<Job> Reads::items(const ItemFilter& filter)
{
    std::vector<JobId> ids;
    for (const JobState state : all_states) {
        if (filter.state && *filter.state != state) continue;
        Query query{connection_, filter.newest_first ? sql::list_items_down : sql::list_items};
        query.bind(filter.batch, to_text(state), below(filter.before.value), filter.after, filter.limit);
        add_ids(query, ids);
    }
    merge(ids, filter.limit, filter.newest_first);
    std::vector<Job> found;
    for (const JobId id : ids)
        if (auto each = job(id)) found.push_back(std::move(*each));
    return found;
}

std::optional<Job> Reads::item(BatchId batch, std::string_view item)
{
    Query query{connection_, sql::read_item};
    return first(query.bind(batch, item), take_job);
}

} // namespace freshet::sqlite
