// SPDX-License-Identifier: Apache-2.0
// Enqueueing tasks: all of a request or none, uniqueness, quotas, idempotency.
//
// Everything that can be refused is decided before the first row is written, since a group's transaction is shared.
#include "engine/group.hpp"

#include "wire/canonical.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <set>

namespace freshet {

namespace {

constexpr Millis idempotency_kept = 24h;
constexpr std::size_t jobs_per_request_max = 1000;
constexpr std::size_t tags_max = 16, tag_bytes_max = 64, name_bytes_max = 100, unique_bytes_max = 256;
constexpr int attempts_most = 100;
constexpr Millis unique_time_max = 24h * 30;

bool good_name(std::string_view name)
{
    return !name.empty() && name.size() <= name_bytes_max && std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
               c == '.';
    });
}

std::string problem_of(const UniqueTerms& terms)
{
    if (terms.key.empty() || terms.key.size() > unique_bytes_max)
        return fmt::format("a unique key has 1 to {} bytes", unique_bytes_max);
    const auto within = [](Millis time) { return time.count() > 0 && time <= unique_time_max; };
    if (terms.scope == UniqueScope::window && !within(terms.ttl))
        return "unique scope window needs a ttl of up to 30 days";
    if (terms.scope == UniqueScope::debounce && !within(terms.quiet))
        return "unique scope debounce needs a quiet time of up to 30 days";
    if (terms.scope == UniqueScope::debounce && terms.most.count() > 0 && terms.most < terms.quiet)
        return "the most that a debounce waits is less than its quiet time";
    return {};
}

} // namespace

std::optional<Refused> Group::check(const NewJob& job, std::size_t number) const
{
    const auto bad = [&](std::string words) {
        return refused(Refusal::bad_request, fmt::format("job {} of the request: {}", number + 1, words));
    };
    if (!good_name(job.queue))
        return bad(fmt::format("a queue's name has 1 to {} letters, digits, '-', '_' or '.'", name_bytes_max));
    if (job.queue.starts_with("freshet.")) return bad("queues named freshet.* are the server's own");
    if (const SourceDefinition* of = source(job.queue); of != nullptr && of->kind != SourceKind::worker)
        return bad(fmt::format("\"{}\" is a source; ask for a refresh of one of its keys", job.queue));
    if (!job.input.empty())
        if (auto words = json_problem(job.input)) return bad("its input is no JSON: " + *words);
    if (job.priority && (*job.priority < 0 || *job.priority > 3)) return bad("a priority is 0 to 3");
    if (job.attempts_max && (*job.attempts_max < 1 || *job.attempts_max > attempts_most))
        return bad(fmt::format("attempts_max is 1 to {}", attempts_most));
    if (job.deadline_at && *job.deadline_at <= now_) return bad("its deadline is over already");
    if (job.start_by && *job.start_by <= now_) return bad("the instant to start by is over already");
    if (job.tags.size() > tags_max ||
        std::ranges::any_of(job.tags, [](const std::string& tag) { return tag.empty() || tag.size() > tag_bytes_max; }))
        return bad(fmt::format("at most {} tags of 1 to {} bytes", tags_max, tag_bytes_max));
    if (job.unique)
        if (std::string words = problem_of(*job.unique); !words.empty()) return bad(std::move(words));
    return std::nullopt;
}

std::optional<Refused> Group::check_room(const std::string& tenant, const std::map<std::string, std::int64_t>& more)
{
    if (auto over = over_storage(tenant)) return over;
    std::int64_t all = 0, waiting_of_tenant = reserved_of(tenant, {});
    for (auto at = state_.live.lower_bound({tenant, {}}); at != state_.live.end() && at->first.first == tenant; ++at)
        waiting_of_tenant += at->second.queued;
    for (const auto& [queue, count] : more) {
        all += count;
        const auto live = state_.live.find({tenant, queue});
        const std::int64_t waiting = (live == state_.live.end() ? 0 : live->second.queued) + reserved_of(tenant, queue);
        const std::int64_t most = queue_of(*definitions_, queue).waiting_max;
        if (waiting + count <= most) continue;
        Refused words = refused(Refusal::queue_full, fmt::format("queue {} holds at most {} waiting jobs of a tenant "
                                                                 "(waiting_max); {} wait",
                                                                 queue, most, waiting));
        words.limit_count = most;
        return words;
    }
    const auto found = definitions_->tenants.find(tenant);
    const std::int64_t most = found == definitions_->tenants.end() ? 0 : found->second.limits.waiting_jobs;
    if (most <= 0 || waiting_of_tenant + all <= most) return std::nullopt;
    Refused words =
        refused(Refusal::queue_full,
                fmt::format("the tenant may have {} waiting jobs (waiting_jobs); {} wait", most, waiting_of_tenant));
    words.limit_count = most;
    return words;
}

std::vector<Job> Group::holders(const std::string& tenant, const std::string& queue, std::string_view slot)
{
    std::vector<Job> holders = tx_->holding(tenant, queue, slot);
    std::erase_if(holders, [&](const Job& job) {
        if (!is_reset(job)) return false;
        end_reset(job);
        return true;
    });
    return holders;
}

std::optional<Reply> Group::replay_added(const AddJobs& request)
{
    const IdempotencyScope& scope = *request.idempotency;
    const auto record = tx_->idempotency(request.tenant, request.caller, scope.route, scope.key);
    if (!record || record->expires_at <= now_) return std::nullopt;
    if (record->request != scope.request)
        return std::unexpected(
            refused(Refusal::idempotency_reused, "this Idempotency-Key came before with another request"));
    Added added;
    added.replayed = true;
    for (std::string_view rest = record->made; !rest.empty();) {
        const auto comma = rest.find(',');
        const auto id = parse_job_id(rest.substr(0, comma));
        rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(comma + 1);
        const auto job = id ? job_of(*id, request.tenant) : std::nullopt;
        if (!job)
            return std::unexpected(
                refused(Refusal::not_found, "that request was answered, and its jobs are gone by now"));
        added.jobs.push_back({std::make_shared<const Job>(*job), false});
    }
    return Answer{std::move(added)};
}

Reply Group::add(AddJobs& request)
{
    if (request.jobs.empty() || request.jobs.size() > jobs_per_request_max)
        return std::unexpected(
            refused(Refusal::bad_request, fmt::format("a request holds 1 to {} jobs", jobs_per_request_max)));
    if (request.idempotency)
        if (auto replayed = replay_added(request)) return std::move(*replayed);

    std::map<std::string, std::int64_t> more;
    std::set<std::pair<std::string, std::string>> taken; ///< slots that an earlier one of the request takes
    for (std::size_t i = 0; i < request.jobs.size(); ++i) {
        const NewJob& job = request.jobs[i];
        if (auto bad = check(job, i)) return std::unexpected(std::move(*bad));
        if (!job.unique) {
            ++more[job.queue];
            continue;
        }
        const std::vector<Job> holders = this->holders(request.tenant, job.queue, job.unique->key);
        const UniqueDecision decision = decide_unique(*job.unique, holders, now_, now_);
        const bool first = taken.emplace(job.queue, job.unique->key).second;
        const auto* by = std::get_if<UniqueTaken>(&decision);
        if (by != nullptr || (!first && job.unique->on_conflict == UniqueConflict::reject)) {
            Refused words =
                refused(Refusal::unique_taken, fmt::format("job {} of the request: its unique key is taken", i + 1));
            if (by != nullptr) words.job = by->by;
            return std::unexpected(std::move(words));
        }
        if (first && std::holds_alternative<UniqueEnqueue>(decision)) ++more[job.queue];
    }
    if (auto full = check_room(request.tenant, more)) return std::unexpected(std::move(*full));

    Added added;
    std::string made;
    for (NewJob& job : request.jobs) {
        added.jobs.push_back(add_one(request.tenant, request.caller, job));
        if (!made.empty()) made += ',';
        made += to_text(added.jobs.back().job->id);
    }
    if (request.idempotency) {
        const IdempotencyScope& scope = *request.idempotency;
        tx_->put_idempotency({request.tenant, request.caller, scope.route, scope.key, scope.request, std::move(made),
                              now_ + idempotency_kept});
        wrote_ = true;
    }
    return Answer{std::move(added)};
}

AddedJob Group::add_one(const std::string& tenant, const std::string& caller, NewJob& request)
{
    Job job = new_task(tenant, caller, request);
    if (job.unique) {
        const std::vector<Job> holders = this->holders(tenant, job.queue, job.unique->key);
        const UniqueDecision decision = decide_unique(*job.unique, holders, job.due_at, now_);
        if (const auto* to = std::get_if<UniqueAttach>(&decision)) return attach(*to, tenant, job.priority);
        const auto& enqueue = std::get<UniqueEnqueue>(decision);
        job.behind = enqueue.behind;
        job.due_at = enqueue.due_at;
    }
    return {put_job(nullptr, std::move(job)), false};
}

AddedJob Group::attach(const UniqueAttach& attach, const std::string& tenant, int priority)
{
    const Job before = job_of(attach.to, tenant).value();
    if (is_terminal(before.state)) return {std::make_shared<const Job>(before), true};
    Job after = before;
    ++after.callers;
    after.priority = std::max(after.priority, priority);
    if (attach.due_at) after.due_at = *attach.due_at;
    if (attach.raise_asked) after.asked = tx_->ledger_head(tenant).head;
    return {put_job(&before, std::move(after)), true};
}

Job Group::new_task(const std::string& tenant, const std::string& caller, NewJob& request)
{
    const QueueDefinition queue = queue_of(*definitions_, request.queue);
    Job job;
    job.id = state_.ids.next(now_);
    job.kind = JobKind::task;
    job.tenant = tenant;
    job.queue = std::move(request.queue);
    job.input = one_line_json(std::move(request.input));
    job.tags = std::move(request.tags);
    job.unique = std::move(request.unique);
    job.priority = request.priority.value_or(queue.priority);
    job.attempts_max = request.attempts_max.value_or(0);
    job.requested_at = now_;
    job.requested_by = caller;
    job.due_at = std::max(request.due_at.value_or(now_), now_);
    job.deadline_at = request.deadline_at;
    if (!job.deadline_at && queue.deadline.count() > 0) job.deadline_at = job.due_at + queue.deadline;
    job.start_by = request.start_by;
    if (!job.start_by && queue.start_deadline.count() > 0) job.start_by = job.due_at + queue.start_deadline;
    return job;
}

} // namespace freshet
