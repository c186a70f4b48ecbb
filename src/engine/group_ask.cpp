// SPDX-License-Identifier: Apache-2.0
// Asking for a refresh: uniqueness, limits, idempotency.
#include "engine/group.hpp"

#include <fmt/format.h>

namespace freshet {

namespace {

constexpr Millis idempotency_kept = 24h;
constexpr Millis touch_step = 1h;

bool by_person(Trigger trigger)
{
    return trigger == Trigger::manual || trigger == Trigger::cold || trigger == Trigger::purge;
}

struct LiveJobs {
    std::optional<Job> running, queued;
};

// Whose limits are charged, and among whose requests an Idempotency-Key is known.
const std::string& asker(const AskRefresh& request)
{
    return request.by_tenant.empty() ? request.tenant : request.by_tenant;
}

LiveJobs live_of(Transaction& tx, std::string_view tenant, std::string_view key)
{
    LiveJobs live;
    for (Job& job : tx.live_jobs(tenant, key)) {
        if (job.state == JobState::running)
            live.running = std::move(job);
        else
            live.queued = std::move(job);
    }
    return live;
}

} // namespace

Reply Group::replay(const IdempotencyRecord& record)
{
    const auto made = parse_job_id(record.made);
    const auto job = made ? tx_->job(*made) : std::nullopt;
    if (!job)
        return std::unexpected(refused(Refusal::not_found, "that request was answered, and its job is gone by now"));
    return Answer{Asked{std::make_shared<const Job>(*job), true, true, job->asked}};
}

Reply Group::ask(const AskRefresh& request)
{
    if (request.idempotency) {
        const IdempotencyScope& scope = *request.idempotency;
        if (const auto record = tx_->idempotency(asker(request), request.caller, scope.route, scope.key);
            record && record->expires_at > now_) {
            if (record->request != scope.request)
                return std::unexpected(
                    refused(Refusal::idempotency_reused, "this Idempotency-Key came before with another request"));
            return replay(*record);
        }
    }
    auto asked = ask_for(request, by_person(request.trigger));
    if (!asked) return std::unexpected(std::move(asked.error()));
    if (request.idempotency) {
        const IdempotencyScope& scope = *request.idempotency;
        tx_->put_idempotency({asker(request), request.caller, scope.route, scope.key, scope.request,
                              to_text(asked->job->id), now_ + idempotency_kept});
        wrote_ = true;
    }
    return Answer{std::move(*asked)};
}

std::optional<Refused> Group::charge(const AskRefresh& request, const SourceDefinition& source)
{
    if (request.trigger != Trigger::manual) return std::nullopt;
    const std::string& by = asker(request);
    RateWindow& of_caller = state_.charged[fmt::format("{}\n{}\n{}", by, request.key, request.caller)];
    const auto tenant = definitions_->tenants.find(by);
    const RateLimit tenant_limit =
        tenant == definitions_->tenants.end() ? RateLimit{} : tenant->second.limits.refreshes;
    RateWindow& of_tenant = state_.charged[by];
    const auto refuse = [&](std::string_view whose, const RateLimit& limit, WallTime until) {
        Refused words = refused(Refusal::limited, fmt::format("{} may start {} refreshes per {} by hand", whose,
                                                              limit.count, to_text(limit.per)));
        words.retry_at = until;
        words.limit_count = limit.count;
        words.limit_per = limit.per;
        return words;
    };
    if (const auto until = of_caller.blocked_until(source.manual_limit, now_))
        return refuse("you", source.manual_limit, *until);
    if (const auto until = of_tenant.blocked_until(tenant_limit, now_))
        return refuse("the tenant", tenant_limit, *until);
    of_caller.add(source.manual_limit, now_);
    of_tenant.add(tenant_limit, now_);
    return std::nullopt;
}

std::expected<Asked, Refused> Group::ask_for(const AskRefresh& request, bool person)
{
    const SourceDefinition* definition = source_of(request.tenant, request.source);
    if (definition == nullptr)
        return std::unexpected(
            refused(Refusal::source_removed, fmt::format("there is no source \"{}\"", request.source)));
    KeyWork& work = key(request.tenant, request.key, request.source);
    for (const Job& job : tx_->live_jobs(request.tenant, request.key))
        if (is_reset(job)) end_reset(job);
    const LiveJobs live = live_of(*tx_, request.tenant, request.key);

    std::optional<WallTime> open_until;
    if (const auto breaker = tx_->breaker(request.tenant, request.source, host_of(*definition, request.key)))
        open_until = breaker->open_until;
    AskTerms terms{request.read_after_now, request.max_age, request.attach_only, person,
                   tx_->ledger_head(request.tenant).head};
    const AskDecision decision = decide_ask(work.record, live.running ? &*live.running : nullptr,
                                            live.queued ? &*live.queued : nullptr, terms, open_until, now_);

    if (const auto* refuse = std::get_if<AskRefuse>(&decision)) {
        Refused words = refused(refuse->refusal, refuse->message);
        words.retry_at = refuse->retry_at;
        return std::unexpected(std::move(words));
    }
    const int priority = person ? 2 : 1;
    if (const auto* attach = std::get_if<AskAttach>(&decision)) {
        const Job& before = live.running && live.running->id == attach->to ? *live.running : *live.queued;
        Job after = before;
        if (!person) {
            // Background wishes leave no trace on the job that serves them: readers cost nothing. But one that goes on
            // from what it had read before must begin anew for whoever needs newer data.
            const bool goes_on = attach->raise_asked && before.asked < before.data_fence;
            if (!goes_on) return Asked{std::make_shared<const Job>(before), true, false, terms.head};
            after.asked = std::max(after.asked, terms.head);
            return Asked{put_job(&before, std::move(after)), true, false, terms.head};
        }
        ++after.callers;
        after.priority = std::max(after.priority, priority);
        if (attach->raise_asked) after.asked = std::max(after.asked, terms.head);
        if (attach->due_now) after.due_at = now_;
        if (request.trigger == Trigger::manual && after.trigger != Trigger::manual && after.state == JobState::queued)
            after.trigger = Trigger::manual;
        return Asked{put_job(&before, std::move(after)), true, false, terms.head};
    }

    if (auto over = check_room(request.tenant, {{request.source, 1}})) return std::unexpected(std::move(*over));
    const bool new_key = !work.record.seq && !work.told;
    if (new_key)
        if (auto over = over_keys(request.tenant)) return std::unexpected(std::move(*over));
    if (auto over = charge(request, *definition)) return std::unexpected(std::move(*over));
    if (new_key) {
        std::int64_t& count = keys_of(request.tenant, request.source);
        if (count >= definition->keys_max)
            return std::unexpected(refused(Refusal::keys_full, fmt::format("source {} has {} keys already",
                                                                           request.source, definition->keys_max)));
        ++count;
        if (const auto all = state_.keys.find({request.tenant, {}}); all != state_.keys.end()) ++all->second;
    }
    if (person || request.trigger == Trigger::stale) work.record.read_at = now_;
    if (!work.record.next_at) set_next_fire(work);

    Job job;
    job.id = state_.ids.next(now_);
    job.kind = JobKind::refresh;
    job.tenant = request.tenant;
    job.queue =
        definition->kind == SourceKind::worker && !definition->queue.empty() ? definition->queue : request.source;
    job.key = request.key;
    job.priority = priority;
    job.trigger = request.trigger;
    job.behind = std::get<AskEnqueue>(decision).behind;
    job.requested_at = job.due_at = now_;
    // Who asked for what others see, too, is written down nowhere that they could look.
    const bool by_itself = request.trigger == Trigger::after || (request.trigger == Trigger::schedule && !person);
    if (job.tenant != shared_tenant || by_itself) job.requested_by = request.caller;
    job.asked = request.read_after_now ? terms.head : 0;
    work.source = definition;
    work.record.source = request.source;
    return Asked{put_job(nullptr, std::move(job)), false, false, terms.head};
}

std::int64_t& Group::keys_of(const std::string& tenant, const std::string& source_name)
{
    const auto [at, fresh] = state_.keys.try_emplace({tenant, source_name}, 0);
    if (fresh) at->second = tx_->keys_count(tenant, source_name);
    return at->second;
}

void Group::touch(const TouchKey& request)
{
    if (source_of(request.tenant, request.source) == nullptr) return;
    KeyWork& work = key(request.tenant, request.key, request.source);
    if (!work.record.seq) return; // a key that nobody ever asked for has no row
    if (work.record.read_at && now_ - *work.record.read_at < touch_step) return;
    work.record.read_at = now_;
    work.dirty = true;
    if (!work.record.next_at) set_next_fire(work);
}

} // namespace freshet
