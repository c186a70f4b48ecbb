// SPDX-License-Identifier: Apache-2.0
#include "http/request_limits.hpp"

#include <algorithm>

namespace freshet::http {

std::optional<Millis> Allowance::take(SteadyTime now)
{
    const Ticks at = ticks(now), one = std::max<Ticks>(whole() / limit_.count, 1);
    Ticks before = full_at_.load(std::memory_order_relaxed);
    while (true) {
        const Ticks after = std::max(before, at) + one;
        if (after - at > whole()) return std::chrono::ceil<Millis>(std::chrono::microseconds{after - at - whole()});
        if (full_at_.compare_exchange_weak(before, after, std::memory_order_relaxed)) return std::nullopt;
    }
}

std::int64_t Allowance::left(SteadyTime now) const
{
    const Ticks taken = std::max<Ticks>(full_at_.load(std::memory_order_relaxed) - ticks(now), 0);
    return std::max<std::int64_t>((whole() - taken) / std::max<Ticks>(whole() / limit_.count, 1), 0);
}

std::shared_ptr<Allowance> RequestLimits::find(const std::string& who, const RateLimit& limit, SteadyTime now)
{
    if (limit.count <= 0 || limit.per.count() <= 0) return nullptr;
    const std::lock_guard lock{mutex_};
    // A flood of peers that come once each: who has used nothing loses nothing.
    if (all_.size() >= kept_max) std::erase_if(all_, [&](const auto& entry) { return entry.second->full(now); });
    if (all_.size() >= kept_max) all_.clear();
    std::shared_ptr<Allowance>& found = all_[who];
    if (!found || !(found->limit() == limit)) found = std::make_shared<Allowance>(limit);
    return found;
}

} // namespace freshet::http
