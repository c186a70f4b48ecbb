// SPDX-License-Identifier: Apache-2.0
// What is kept, and for how long: ledgers, ended jobs and batches, old versions, small rows.
//
// Bounded by age, and per tenant by number and bytes; the oldest go first. Every commit drops so much and no more, and
// goes on with the next one a little later, so that housekeeping never stands in the way of work. The current version
// of a key stays whatever its age, unless its source is gone.
#include "engine/group.hpp"

#include "base/log.hpp"

#include <algorithm>
#include <set>

namespace freshet {

namespace {

constexpr Millis upkeep_every = 60s, more_after = 100ms;
/// The keys are walked through, a page each second, and then rest.
constexpr Millis walk_every = 1h, walk_page_every = 1s;
/// Whoever asked for a job can read its receipt so long, however full it is.
constexpr Millis receipt_least = 1h;
constexpr Millis fires_kept = 168h;
/// A result that was put and that no completion named.
constexpr Millis put_results_kept = 1h;
/// Data of a source that the config lost, in case it comes back.
constexpr Millis removed_source_kept = 168h;

constexpr int rows_per_commit = 256, tenants_per_commit = 256, keys_per_page = 256, versions_per_key = 64;
constexpr std::int64_t bytes_per_commit = 8 << 20;

// What a removed source is remembered by. One that is shared by now, or was, is gone for one tenant alone.
std::string removed_name(const KeyRecord& record, bool moved)
{
    return moved ? record.tenant + "\n" + record.source : record.source;
}

} // namespace

// Jobs and batches.

void Group::drop_ended_job(JobId id, const std::string& tenant, UpkeepLeft& left)
{
    const auto bytes = [&] {
        const KeptFigures kept = tx_->kept_figures(tenant);
        return kept.ended_bytes + kept.log_bytes;
    };
    const std::int64_t before = bytes();
    tx_->drop_job(id);
    --left.rows;
    left.bytes -= before - bytes();
}

bool Group::drop_ended_batch(BatchId id, const std::string& tenant, UpkeepLeft& left)
{
    for (const Job& item : tx_->items({id, {}, {}, left.rows})) {
        if (left.is_spent()) return false;
        drop_ended_job(item.id, tenant, left);
    }
    if (left.is_spent()) return false;
    tx_->drop_batch(id);
    batches_.erase(id.value);
    --left.rows;
    return true;
}

bool Group::drop_ended_of_age(const std::string& tenant, UpkeepLeft& left)
{
    const WallTime before = now_ - definitions_->retention.jobs_keep;
    for (const auto& [id, at] : tx_->ended_jobs(tenant, before, left.rows)) {
        drop_ended_job(id, tenant, left);
        if (left.is_spent()) return false;
    }
    for (const auto& [id, at] : tx_->ended_batches(tenant, before, left.rows))
        if (!drop_ended_batch(id, tenant, left) || left.is_spent()) return false;
    return true;
}

bool Group::drop_ended_beyond(const std::string& tenant, UpkeepLeft& left)
{
    const RetentionLimits& most = definitions_->retention;
    const auto is_over = [&] {
        const KeptFigures kept = tx_->kept_figures(tenant);
        return kept.ended > most.jobs_max || kept.ended_bytes > most.jobs_bytes_max;
    };
    if (!is_over()) return true;
    const WallTime before = now_ - std::min(receipt_least, most.jobs_keep);
    const auto jobs = tx_->ended_jobs(tenant, before, left.rows);
    const auto batches = tx_->ended_batches(tenant, before, left.rows);
    auto job = jobs.begin();
    auto batch = batches.begin();
    while (is_over() && (job != jobs.end() || batch != batches.end())) {
        if (left.is_spent()) return false;
        if (batch == batches.end() || (job != jobs.end() && job->at <= batch->at))
            drop_ended_job((job++)->id, tenant, left);
        else if (!drop_ended_batch((batch++)->id, tenant, left))
            return false;
    }
    // What is left ended within the hour, or is of a live batch, unless this commit could not look at more.
    return !is_over() || !left.is_spent();
}

// Versions.

bool Group::over_versions(const std::string& tenant)
{
    const std::int64_t most = definitions_->retention.versions_bytes_max;
    return most > 0 && stored_of(tenant) > most;
}

// Whatever walk over the keys is under way takes from each the older half of what it need not keep: all give before one
// gives everything.
void Group::drop_versions_beyond(const KeyRecord& record)
{
    if (!over_versions(record.tenant)) return;
    const auto old = tx_->versions(record.tenant, record.key, record.ver, versions_per_key);
    for (std::size_t i = old.size(); i > old.size() / 2 && over_versions(record.tenant); --i) {
        const VersionRecord& version = old[i - 1];
        tx_->drop_version(record.tenant, record.key, version.ver);
        count_stored(record.tenant, -version.bytes);
        state_.walk.dropped_beyond = true;
        wrote_ = true;
    }
}

void Group::drop_old_versions(const KeyRecord& record)
{
    const WallTime before = now_ - definitions_->retention.versions_keep;
    for (const VersionRecord& old : tx_->versions(record.tenant, record.key, record.ver, versions_per_key)) {
        if (old.changed_at >= before) continue;
        tx_->drop_version(record.tenant, record.key, old.ver);
        count_stored(record.tenant, -old.bytes);
        wrote_ = true;
    }
}

void Group::drop_if_removed_long(const KeyRecord& record)
{
    const std::string name = removed_name(record, source(record.source) != nullptr);
    const auto [removed, is_new] = state_.removed_sources.try_emplace(name, now_);
    if (is_new) {
        tx_->put_removed_source(name, now_);
        wrote_ = true;
    }
    if (removed->second > now_ - removed_source_kept || (!record.has_data && !record.held)) return;
    // The row stays: gen and ver of a key go on from where they were.
    KeyWork& work = key(record.tenant, record.key, record.source);
    drop_versions(work);
    work.told = true;
    log::info("data of a removed source dropped", {{"tenant", record.tenant}, {"key", record.key}});
}

void Group::note_returned_sources()
{
    std::erase_if(state_.removed_sources, [&](const auto& removed) {
        const auto line = removed.first.find('\n');
        const bool is_back = line == std::string::npos
                                 ? source(removed.first) != nullptr
                                 : source_of(removed.first.substr(0, line), removed.first.substr(line + 1)) != nullptr;
        if (!is_back) return false;
        tx_->put_removed_source(removed.first, std::nullopt);
        wrote_ = true;
        return true;
    });
}

void Group::walk_keys()
{
    KeysWalk& walk = state_.walk;
    if (now_ < walk.next_at) return;
    walk.next_at = now_ + walk_page_every;
    const std::vector<std::string> tenants = tx_->tenants();
    int left = keys_per_page;
    for (auto tenant = std::ranges::lower_bound(tenants, walk.tenant); tenant != tenants.end(); ++tenant) {
        if (*tenant != walk.tenant) walk.tenant = *tenant, walk.key.clear();
        const std::vector<KeyRecord> page = tx_->keys(*tenant, {}, walk.key, left);
        for (const KeyRecord& record : page) {
            walk.key = record.key;
            if (source_of(record.tenant, record.source) != nullptr) {
                drop_old_versions(record);
                drop_versions_beyond(record);
            } else {
                drop_if_removed_long(record);
            }
        }
        left -= std::max(1, static_cast<int>(page.size())); // a tenant without keys costs a question
        if (left <= 0) return;
    }
    // As long as each walk finds something to give there may be more.
    const bool again =
        walk.dropped_beyond && std::ranges::any_of(tenants, [&](auto& name) { return over_versions(name); });
    walk = {.tenant = {}, .key = {}, .next_at = now_ + (again ? walk_page_every : walk_every)};
}

// All of it.

bool Group::trim_ledger(const std::string& tenant)
{
    const ServerDefinition& server = definitions_->server;
    const Seq before = tx_->ledger_head(tenant).floor;
    tx_->trim_ledger(tenant, now_ - server.ledger_keep, server.ledger_bytes_max);
    // Where something went there may be more; the next look, which is soon, will tell.
    return tx_->ledger_head(tenant).floor == before;
}

void Group::upkeep()
{
    walk_keys();
    if (now_ < state_.upkeep_at) return;
    UpkeepLeft left{rows_per_commit, bytes_per_commit};
    const std::vector<std::string> tenants = tx_->tenants();
    int looked_at = 0;
    wrote_ = true;
    for (auto tenant = std::ranges::lower_bound(tenants, state_.upkeep_tenant); tenant != tenants.end(); ++tenant) {
        const bool done = looked_at++ < tenants_per_commit && trim_ledger(*tenant) &&
                          drop_ended_of_age(*tenant, left) && drop_ended_beyond(*tenant, left);
        if (done) continue;
        state_.upkeep_tenant = *tenant;
        state_.upkeep_at = now_ + more_after;
        return;
    }
    state_.upkeep_tenant.clear();
    drop_expired_tokens();
    tx_->drop_idempotency(now_);
    tx_->drop_fires(now_ - fires_kept);
    tx_->drop_audit(now_ - definitions_->retention.audit_keep);
    // Also of a tenant to which nothing happened but that somebody acted on it, and of all of them ("*").
    std::set<std::string> acted_on{tenants.begin(), tenants.end()};
    acted_on.insert({"*", "default"});
    for (const auto& [name, definition] : definitions_->tenants) acted_on.insert(name);
    for (const std::string& tenant : acted_on) tx_->trim_audit(tenant, definitions_->retention.audit_max);
    state_.upkeep_at = now_ + upkeep_every;
    std::erase_if(state_.put_results, [&](const auto& put) {
        if (put.second.at > now_ - put_results_kept) return false;
        tx_->drop_payload(put.first);
        return true;
    });
    std::erase_if(state_.charged, [&](const auto& window) { return window.second.idle(now_ - 24h); });
    std::erase_if(state_.live, [](const auto& live) { return live.second.queued == 0 && live.second.running == 0; });
    std::erase_if(state_.begun, [&](const auto& window) { return window.second.idle(now_ - 24h); });
}

} // namespace freshet
