// SPDX-License-Identifier: Apache-2.0
#include "http/cache.hpp"

#include "base/assert.hpp"
#include "base/hash.hpp"

namespace freshet::http {

namespace {

// What an entry weighs beside its bytes: record, view, prepared heads.
constexpr std::size_t entry_bytes = 2048;

std::size_t weight_of(const CacheEntry& entry)
{
    std::size_t bytes = entry_bytes + 2 * entry.name.size();
    if (entry.view && entry.view->body) {
        bytes += entry.view->body->bytes.size();
        for (const auto& prepared : entry.prepared[0])
            if (prepared.coded_body) bytes += prepared.coded_body->size();
    }
    return bytes;
}

} // namespace

void CacheEntry::forget_prepared()
{
    for (auto& answers : prepared)
        for (PreparedAnswer& answer : answers) answer.valid_until = {};
}

std::size_t ReadCache::NameHash::operator()(std::string_view name) const
{
    return hash64(name);
}

std::string_view ReadCache::name_of(std::string_view tenant, std::string_view key)
{
    name_.assign(tenant);
    name_ += '\n';
    name_ += key;
    return name_;
}

CacheEntry* ReadCache::find(std::string_view tenant, std::string_view key)
{
    const auto found = entries_.find(name_of(tenant, key));
    if (found == entries_.end()) return nullptr;
    found->second->used = true;
    return &*found->second;
}

CacheEntry& ReadCache::insert(std::string_view tenant, std::string_view key)
{
    const auto at = ring_.emplace(hand_);
    at->name = name_of(tenant, key);
    const bool is_new = entries_.emplace(at->name, at).second;
    FRESHET_ASSERT(is_new);
    weigh(*at);
    return *at;
}

void ReadCache::erase(CacheEntry& entry)
{
    const auto found = entries_.find(std::string_view{entry.name});
    FRESHET_ASSERT(found != entries_.end());
    const auto at = found->second;
    entries_.erase(found);
    bytes_ -= entry.cost;
    if (hand_ == at) ++hand_;
    ring_.erase(at);
}

void ReadCache::put(CacheEntry& entry, std::shared_ptr<const KeyView> view)
{
    if (entry.view && entry.view->record.seq > view->record.seq) return;
    if (!entry.view || entry.view->body != view->body) {
        entry.asked_coding = {};
        for (auto& answers : entry.prepared) answers = {};
    }
    entry.view = std::move(view);
    entry.hinted_until = {};
    entry.forget_prepared();
    weigh(entry);
}

void ReadCache::weigh(CacheEntry& entry)
{
    bytes_ -= entry.cost;
    entry.cost = weight_of(entry);
    bytes_ += entry.cost;
    make_room(&entry);
}

void ReadCache::forget_prepared()
{
    for (CacheEntry& entry : ring_) entry.forget_prepared();
}

void ReadCache::make_room(const CacheEntry* keep)
{
    // Two turns at most: the first one may only take the marks off.
    std::size_t steps = 2 * ring_.size();
    while (bytes_ > bytes_max_ && steps-- > 0) {
        if (hand_ == ring_.end()) hand_ = ring_.begin();
        CacheEntry& entry = *hand_;
        ++hand_;
        if (&entry == keep || entry.reading || !entry.waiting.empty()) continue;
        if (entry.used) {
            entry.used = false;
            continue;
        }
        erase(entry);
        ++evicted_;
    }
}

} // namespace freshet::http
