// SPDX-License-Identifier: Apache-2.0
#include "http/tickets.hpp"

#include <utility>

namespace freshet::http {

bool StreamTickets::put(std::string hash, Caller caller, WallTime now)
{
    const std::lock_guard lock{mutex_};
    List& list = by_token_[caller.token];
    if (list.size() >= tickets_per_token_max || (by_hash_.size() >= tickets_max && !list.empty())) {
        by_hash_.erase(list.front().hash);
        list.pop_front();
    }
    if (by_hash_.size() >= tickets_max) {
        by_token_.erase(caller.token);
        return false;
    }
    list.push_back({hash, std::move(caller), ++last_, now, {}});
    by_hash_[std::move(hash)] = std::prev(list.end());
    return true;
}

std::expected<StreamTickets::Opened, StreamTickets::Refusal>
StreamTickets::open(const std::string& hash, std::string_view topics, bool resumes, WallTime now)
{
    const std::lock_guard lock{mutex_};
    const auto found = by_hash_.find(hash);
    if (found == by_hash_.end()) return std::unexpected(Refusal::unknown);
    Ticket& ticket = *found->second;
    if (ticket.topics && *ticket.topics != topics) return std::unexpected(Refusal::other_topics);
    // A connection that broke before its first frame has no cursor to come back with; within the time it may.
    if (now - ticket.made_at > ticket_opens_within && !(ticket.topics && resumes))
        return std::unexpected(Refusal::late);
    ticket.topics = topics;
    List& list = by_token_[ticket.caller.token];
    list.splice(list.end(), list, found->second);
    return Opened{ticket.caller, ticket.number};
}

std::shared_ptr<void> StreamSlots::take(const std::string& tenant, std::int64_t most)
{
    const std::lock_guard lock{counts_->mutex};
    std::int64_t& open = counts_->open[tenant];
    if (most > 0 && open >= most) return nullptr;
    ++open;
    return {counts_.get(), [counts = counts_, tenant](void*) {
                const std::lock_guard guard{counts->mutex};
                const auto found = counts->open.find(tenant);
                if (--found->second <= 0) counts->open.erase(found);
            }};
}

} // namespace freshet::http
