// SPDX-License-Identifier: Apache-2.0
// Purge, held results, pauses and reload.
#include "engine/group.hpp"

#include "base/log.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <ranges>

namespace freshet {

namespace {

constexpr int per_commit = 256;
constexpr int keys_told_max = 1000;

} // namespace

void Group::audit(const std::string& tenant, const std::string& actor, std::string_view action,
                  const std::string& object, std::string_view detail)
{
    tx_->put_audit({tenant, actor, std::string{action}, object, std::string{detail}, now_});
    wrote_ = true;
}

void Group::drop_held(KeyWork& work)
{
    if (!work.record.held) return;
    if (work.record.held->payload != 0) {
        tx_->drop_payload(work.record.held->payload);
        count_stored(work.record.tenant, -work.record.held->bytes);
    }
    work.record.held.reset();
}

void Group::drop_versions(KeyWork& work)
{
    KeyRecord& record = work.record;
    for (auto versions = tx_->versions(record.tenant, record.key, record.ver + 1, per_commit); !versions.empty();
         versions = tx_->versions(record.tenant, record.key, record.ver + 1, per_commit))
        for (const VersionRecord& version : versions) {
            tx_->drop_version(record.tenant, record.key, version.ver);
            count_stored(record.tenant, -version.bytes);
        }
    drop_held(work);
    record.has_data = false;
    record.payload = 0;
    record.rows = record.bytes = 0;
    record.hash = {};
    record.as_of.reset();
    record.checked_at.reset();
    record.etag.clear();
    record.last_modified.clear();
}

bool Group::is_moved(const KeyRecord& record) const
{
    const SourceDefinition* of = source(record.source);
    return of != nullptr && is_shared(*definitions_, *of) != (record.tenant == shared_tenant);
}

void Group::carry_numbers(const KeyRecord& moved)
{
    const auto carry_to = [&](std::string_view tenant) {
        KeyWork& work = key(tenant, moved.key, moved.source);
        KeyRecord& record = work.record;
        if (record.gen >= moved.gen && record.ver >= moved.ver) return;
        // What it kept from before is older than what its readers were shown meanwhile.
        drop_versions(work);
        record.gen = std::max(record.gen, moved.gen);
        record.ver = std::max(record.ver, moved.ver);
        work.told = true;
    };
    if (moved.tenant != shared_tenant) return carry_to(shared_tenant);
    for (const auto& [name, tenant] : definitions_->tenants)
        if (tenant_has_source(*definitions_, name, moved.source)) carry_to(name);
    if (definitions_->tenants.empty()) carry_to("default");
}

std::int64_t Group::next_number(std::int64_t before)
{
    // Above all that a life before a restore gave out: there a ledger that does not exist yet stands.
    return std::max(before, static_cast<std::int64_t>(tx_->ledger_head({}).head)) + 1;
}

namespace {

template <class T>
constexpr bool is_new_work = std::is_same_v<T, AskRefresh> || std::is_same_v<T, RetryJob> ||
                             std::is_same_v<T, AddJobs> || std::is_same_v<T, AddBatch> || std::is_same_v<T, AddItems> ||
                             std::is_same_v<T, RunSchedule> || std::is_same_v<T, PutResult> ||
                             std::is_same_v<T, AddLog> || std::is_same_v<T, BulkJobs> || std::is_same_v<T, PutToken>;

} // namespace

std::optional<Refused> Group::no_room(const Request& request) const
{
    if (state_.no_room.empty()) return std::nullopt;
    const bool is_new = std::visit([](const auto& one) { return is_new_work<std::decay_t<decltype(one)>>; }, request);
    if (!is_new) return std::nullopt;
    return refused(Refusal::storage_full, state_.no_room);
}

// Soft: what is stale is refreshed as after a source that it depends on, in the background and not before a failed one
// may be tried again; where that can not be, the mark stays and the next reader or fire sees it. Refresh: as a person
// asks, and told when it can not be.
std::expected<Asked, Refused> Group::refresh_purged(const PurgeKey& request)
{
    if (!state_.no_room.empty()) return std::unexpected(refused(Refusal::storage_full, state_.no_room));
    return ask_for({.tenant = request.tenant,
                    .key = request.key,
                    .source = request.source,
                    .trigger = Trigger::purge,
                    .caller = request.caller},
                   request.mode == PurgeMode::refresh);
}

Reply Group::purge(const PurgeKey& request)
{
    KeyWork& work = key(request.tenant, request.key, request.source);
    if (!work.record.seq && !work.told)
        return std::unexpected(refused(Refusal::not_found, "nothing is kept of this key"));
    KeyRecord& record = work.record;
    const Seq head = tx_->ledger_head(request.tenant).head;
    Purged purged;
    if (request.mode != PurgeMode::hard) {
        auto asked = refresh_purged(request);
        if (asked)
            purged.job = asked->job->id;
        else if (request.mode == PurgeMode::refresh)
            return std::unexpected(std::move(asked.error()));
    }
    work.told = true;
    record.stale_seq = std::max(record.stale_seq, head);
    if (request.mode == PurgeMode::hard) {
        record.gone_seq = std::max(record.gone_seq, head);
        record.attempts = 0;
        record.error.reset();
        record.retry_at.reset();
        drop_versions(work);
    }
    constexpr std::string_view words[]{"soft", "hard", "refresh"};
    audit(request.tenant, request.caller, "purge", request.key, words[static_cast<std::size_t>(request.mode)]);
    auto view = std::make_shared<KeyView>();
    view->record = record;
    purged.view = std::move(view);
    return Answer{std::move(purged)};
}

Reply Group::decide_held(const DecideHeld& request)
{
    KeyWork& work = key(request.tenant, request.key, request.source);
    KeyRecord& record = work.record;
    if (!record.held) return std::unexpected(refused(Refusal::no_held, "nothing is held on this key"));
    if (request.held_job && record.held->job != request.held_job)
        return std::unexpected(refused(Refusal::held_changed, "another result is held by now; look at it first"));
    const HeldResult held = *record.held;
    if (request.accept) {
        if (held.payload == 0)
            return std::unexpected(refused(Refusal::no_held, "the held result has no data that could be shown"));
        if (held.data_fence <= record.gone_seq || held.data_fence <= record.data_fence)
            return std::unexpected(
                refused(Refusal::held_changed, "newer data was published, or the key was purged, since it was held"));
        const bool new_version = !record.has_data || !(record.hash == held.hash);
        work.base_ver = record.has_data ? record.ver : 0;
        record.held.reset(); // its payload becomes the version's
        record.gen = next_number(record.gen);
        const auto job = tx_->job(held.job);
        if (new_version) {
            record.ver = next_number(record.ver);
            record.payload = held.payload;
            record.hash = held.hash;
            record.rows = held.rows;
            record.bytes = held.bytes;
            record.changed_at = now_;
            tx_->put_version(record.tenant, record.key,
                             {record.ver, record.gen, held.payload, held.hash, held.rows, held.bytes, held.as_of, now_,
                              held.counts});
        } else {
            tx_->drop_payload(held.payload);
            count_stored(record.tenant, -held.bytes);
        }
        record.has_data = true;
        record.data_fence = held.data_fence;
        record.definition = held.definition;
        record.checked_at = job && job->began_at ? *job->began_at : held.held_at;
        record.as_of = held.as_of ? held.as_of : record.checked_at;
        record.as_of_by = held.as_of ? AsOfBy::source : AsOfBy::fetch;
        record.etag = held.etag;
        record.last_modified = held.last_modified;
        record.attempts = 0;
        record.error.reset();
        work.counts = held.counts;
        const Outcome outcome = new_version ? Outcome::updated : Outcome::unchanged;
        record.last_outcome = work.outcome = outcome;
        if (new_version) {
            auto bytes = tx_->payload(record.payload);
            auto body = std::make_shared<Body>();
            body->bytes = bytes.value_or("");
            body->hash = held.hash;
            body->rows = held.rows;
            work.body = std::move(body);
        }
        if (job)
            if (auto adopted = freshet::adopt(*job, outcome, now_)) {
                adopted->receipt = receipt(work, {}, std::nullopt, 0, true);
                put_job(&*job, std::move(*adopted));
            }
        if (new_version && work.source != nullptr) warm_dependents(work, tx_->ledger_head(record.tenant).head);
    } else {
        drop_held(work);
    }
    record.retry_at.reset();
    work.told = true;
    audit(request.tenant, request.caller, request.accept ? "held_accept" : "held_discard", request.key,
          to_text(held.reason));
    auto view = std::make_shared<KeyView>();
    view->record = record;
    view->body = work.body;
    return Answer{HeldDecided{std::move(view)}};
}

Reply Group::pause(const PauseSource& request)
{
    if (source(request.source) == nullptr ||
        (request.tenant != "*" && source_of(request.tenant, request.source) == nullptr))
        return std::unexpected(
            refused(Refusal::source_removed, fmt::format("there is no source \"{}\"", request.source)));
    auto changed = set_paused(request.source, request.paused, request.tenant, request.caller);
    if (!changed) return std::unexpected(std::move(changed.error()));
    if (!*changed) return Answer{Done{}};
    const bool all = request.tenant == "*" || definitions_->tenants.empty();
    for (const std::string& tenant : tx_->tenants()) {
        if (!all && tenant != request.tenant) continue;
        for (const KeyRecord& record : tx_->keys(tenant, request.source, {}, keys_told_max))
            key(tenant, record.key, record.source).told = true;
    }
    return Answer{Done{}};
}

Reply Group::reconfigure(const Reconfigure& request)
{
    definitions_ = request.definitions;
    notice_->definitions = definitions_;
    for (auto& [id, work] : keys_) work.source = source_of(work.record.tenant, work.record.source);
    set_schedules();
    end_removed_sources();
    return Answer{Done{}};
}

void Group::end_removed_sources()
{
    note_returned_sources();
    // By the keys that have live refreshes, not by all that is live: a start costs the same however much waits.
    for (const std::string& tenant : tx_->tenants())
        for (std::string after;;) {
            const std::vector<std::string> keys = tx_->live_refresh_keys(tenant, after, per_commit);
            for (const std::string& text : keys)
                if (source_of(tenant, text.substr(0, text.find('/'))) == nullptr) end_refreshes(tenant, text);
            if (keys.size() < static_cast<std::size_t>(per_commit)) break;
            after = keys.back();
        }
}

std::string_view Group::removed_words(const Job& refresh) const
{
    const SourceDefinition* of = source(std::string_view{refresh.key}.substr(0, refresh.key.find('/')));
    if (of == nullptr || is_shared(*definitions_, *of) || refresh.tenant == shared_tenant)
        return "the source is no longer configured";
    return is_tenant(*definitions_, refresh.tenant) ? "the tenant no longer lists the source"
                                                    : "the tenant is no longer configured";
}

void Group::end_refreshes(const std::string& tenant, const std::string& key_text)
{
    // What waits behind another goes first: nothing is lifted that ends all the same.
    const std::vector<Job> live = tx_->live_jobs(tenant, key_text);
    for (const Job& job : live | std::views::reverse)
        if (auto ended = expire(job, "source_removed", removed_words(job), now_))
            put_job(&job, std::move(*ended), AttemptEnd::cancelled);
}

} // namespace freshet
