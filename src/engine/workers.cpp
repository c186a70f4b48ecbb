// SPDX-License-Identifier: Apache-2.0
#include "engine/workers.hpp"

#include <algorithm>

namespace freshet {

namespace {

constexpr Millis jobs_told_every = 250ms;
/// How long one that is lost is still shown.
constexpr Millis lost_kept = 10min;

bool sees(const std::string& tenant, const std::string& of_job)
{
    return tenant == "*" || tenant == of_job;
}

} // namespace

std::string_view to_text(WorkerView::State state)
{
    switch (state) {
    case WorkerView::State::alive: return "alive";
    case WorkerView::State::deaf: return "deaf";
    case WorkerView::State::lost: return "lost";
    case WorkerView::State::draining: return "draining";
    case WorkerView::State::gone: return "gone";
    }
    return "unknown";
}

Workers::Entry* Workers::find(const std::string& worker, const std::string& tenant)
{
    const auto found = workers_.find({worker, tenant});
    return found == workers_.end() ? nullptr : &found->second;
}

const Workers::Entry* Workers::find(const std::string& worker, const std::string& tenant) const
{
    const auto found = workers_.find({worker, tenant});
    return found == workers_.end() ? nullptr : &found->second;
}

int Workers::held_count(const Key& key) const
{
    const auto found = held_.find(key.first);
    if (found == held_.end()) return 0;
    if (key.second == "*") return static_cast<int>(found->second.size());
    return static_cast<int>(
        std::ranges::count_if(found->second, [&](const auto& one) { return one.second.tenant == key.second; }));
}

int Workers::free_slots(const Entry& entry) const
{
    return entry.view.slots - held_count({entry.view.id, entry.view.tenant});
}

void Workers::set_state(const Key& key, Entry& entry, WorkerView::State state)
{
    if (entry.view.state == state) return;
    entry.view.state = state;
    told_now_.insert(key);
}

void Workers::sign(Entry& entry, WallTime now)
{
    entry.sign_at = now;
    const WallTime silent_at = now + entry.lease;
    if (!look_at_ || silent_at < *look_at_) look_at_ = silent_at;
}

bool Workers::claim(const ClaimWork& work, Millis lease, WallTime now)
{
    const Key key{work.worker, work.tenant};
    if (!workers_.contains(key) && workers_.size() >= workers_max) return false;
    const auto [at, fresh] = workers_.try_emplace(key);
    Entry& entry = at->second;
    const WorkerView before = entry.view;
    entry.view.id = work.worker;
    entry.view.tenant = work.tenant;
    entry.view.host = work.host;
    entry.view.sdk = work.sdk;
    entry.view.queues = work.queues;
    entry.view.slots = work.slots + held_count(key);
    entry.view.claim_at = now;
    entry.lease = lease;
    entry.unclaimed_beats = 0;
    sign(entry, now);
    if (entry.view.state != WorkerView::State::draining) entry.view.state = WorkerView::State::alive;
    const WorkerView& view = entry.view;
    if (fresh || view.slots != before.slots || view.queues != before.queues || view.host != before.host ||
        view.sdk != before.sdk || view.state != before.state)
        told_now_.insert(key);
    return true;
}

void Workers::set_open(const std::string& worker, const std::string& tenant, bool open, WallTime now)
{
    Entry* entry = find(worker, tenant);
    if (entry == nullptr) return;
    entry->open = open;
    sign(*entry, now);
}

void Workers::note_beat(Entry& entry, WallTime now, bool could_claim)
{
    const Key key{entry.view.id, entry.view.tenant};
    entry.view.beat_at = now;
    sign(entry, now);
    entry.unclaimed_beats = could_claim && !entry.open ? entry.unclaimed_beats + 1 : 0;
    if (entry.view.state == WorkerView::State::draining) return;
    set_state(key, entry, entry.unclaimed_beats >= deaf_beats ? WorkerView::State::deaf : WorkerView::State::alive);
}

bool Workers::drain(const std::string& worker, const std::string& tenant)
{
    bool found = false;
    for (auto at = workers_.lower_bound({worker, {}}); at != workers_.end() && at->first.first == worker; ++at) {
        if (!sees(tenant, at->first.second)) continue;
        set_state(at->first, at->second, WorkerView::State::draining);
        found = true;
    }
    return found;
}

bool Workers::draining(const std::string& worker, const std::string& tenant) const
{
    const Entry* entry = find(worker, tenant);
    return entry != nullptr && entry->view.state == WorkerView::State::draining;
}

bool Workers::deaf(const std::string& worker, const std::string& tenant) const
{
    const Entry* entry = find(worker, tenant);
    return entry != nullptr && entry->view.state == WorkerView::State::deaf;
}

void Workers::hold(const Job& job)
{
    held_[job.worker][job.id] = {job.tenant, job.fence, job.lease_until};
    holder_changed(job.worker);
}

void Workers::let_go(const Job& job)
{
    const auto found = held_.find(job.worker);
    if (found == held_.end()) return;
    found->second.erase(job.id);
    if (found->second.empty()) held_.erase(found);
    holder_changed(job.worker);
}

void Workers::holder_changed(const std::string& worker)
{
    for (auto at = workers_.lower_bound({worker, {}}); at != workers_.end() && at->first.first == worker; ++at)
        told_soon_.insert(at->first);
}

void Workers::holder_changed_all()
{
    for (const auto& [key, entry] : workers_) told_soon_.insert(key);
}

std::vector<std::pair<JobId, Seq>> Workers::held(const std::string& worker, const std::string& tenant) const
{
    std::vector<std::pair<JobId, Seq>> jobs;
    const auto found = held_.find(worker);
    if (found == held_.end()) return jobs;
    for (const auto& [id, holding] : found->second)
        if (sees(tenant, holding.tenant)) jobs.emplace_back(id, holding.fence);
    return jobs;
}

void Workers::look(WallTime now)
{
    if (!look_at_ || *look_at_ > now) return;
    look_at_.reset();
    const auto again_at = [&](WallTime at) {
        if (!look_at_ || at < *look_at_) look_at_ = at;
    };
    for (auto at = workers_.begin(); at != workers_.end();) {
        auto& [key, entry] = *at;
        const WallTime lost_at = entry.sign_at + entry.lease, gone_at = lost_at + lost_kept;
        if (entry.open) {
            entry.sign_at = now;
            again_at(now + entry.lease);
        } else if (now < lost_at) {
            again_at(lost_at);
        } else if (now < gone_at || held_count(key) > 0) {
            set_state(key, entry, WorkerView::State::lost);
            again_at(std::max(gone_at, now + 1s));
        } else {
            auto view = std::make_shared<WorkerView>(entry.view);
            view->state = WorkerView::State::gone;
            gone_.push_back(std::move(view));
            told_now_.erase(key);
            told_soon_.erase(key);
            at = workers_.erase(at);
            continue;
        }
        ++at;
    }
}

std::vector<std::shared_ptr<const WorkerView>> Workers::changed(WallTime now)
{
    std::vector<std::shared_ptr<const WorkerView>> views = std::move(gone_);
    gone_.clear();
    soon_at_.reset();
    for (auto key = told_soon_.begin(); key != told_soon_.end();) {
        const Entry* entry = find(key->first, key->second);
        const WallTime due = entry != nullptr && entry->told_at ? *entry->told_at + jobs_told_every : now;
        if (entry != nullptr && due > now && !told_now_.contains(*key)) {
            if (!soon_at_ || due < *soon_at_) soon_at_ = due;
            ++key;
            continue;
        }
        if (entry != nullptr) told_now_.insert(*key);
        key = told_soon_.erase(key);
    }
    for (const Key& key : told_now_) {
        Entry* entry = find(key.first, key.second);
        if (entry == nullptr) continue;
        entry->told_at = now;
        auto view = std::make_shared<WorkerView>(entry->view);
        if (const auto found = held_.find(key.first); found != held_.end())
            for (const auto& [id, holding] : found->second)
                if (sees(key.second, holding.tenant)) view->jobs.push_back({id, holding.fence, holding.lease_until});
        views.push_back(std::move(view));
    }
    told_now_.clear();
    return views;
}

std::optional<WallTime> Workers::next_wake() const
{
    if (!look_at_) return soon_at_;
    return soon_at_ ? std::min(*look_at_, *soon_at_) : *look_at_;
}

} // namespace freshet
