// SPDX-License-Identifier: Apache-2.0
#pragma once
// How often one caller may ask: limits.requests of its tenant, or [server] requests, per token, or per peer where there
// is no token.
//
// Each caller has one allowance for all loops: it is full at first, each request takes one, and it fills up again
// evenly ("600/min" is one each 100 ms, and at most 600 at once). Taking from it is one atomic step without a lock; a
// connection keeps the allowance of its caller. Threads: any. Bounded: allowances that are full again are forgotten.

#include "base/time.hpp"
#include "model/definition.hpp"

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

namespace freshet::http {

class Allowance {
public:
    explicit Allowance(const RateLimit& limit) : limit_{limit} {}

    const RateLimit& limit() const { return limit_; }
    /// Takes one. nullopt: taken; else how long until there is one again.
    std::optional<Millis> take(SteadyTime now);
    /// How many are left.
    std::int64_t left(SteadyTime now) const;
    bool full(SteadyTime now) const { return full_at_.load(std::memory_order_relaxed) <= ticks(now); }

private:
    using Ticks = std::int64_t; ///< microseconds
    static Ticks ticks(SteadyTime at)
    {
        return std::chrono::duration_cast<std::chrono::microseconds>(at.time_since_epoch()).count();
    }
    Ticks whole() const { return std::chrono::microseconds{limit_.per}.count(); }

    const RateLimit limit_;
    std::atomic<Ticks> full_at_{0}; ///< when it would be full again, if nothing more were taken
};

class RequestLimits {
public:
    /// The allowance of `who`; null without a limit. Another limit than before begins anew.
    std::shared_ptr<Allowance> find(const std::string& who, const RateLimit& limit, SteadyTime now);

private:
    static constexpr std::size_t kept_max = 50'000;
    std::mutex mutex_;
    std::unordered_map<std::string, std::shared_ptr<Allowance>> all_; ///< guarded by mutex_
};

} // namespace freshet::http
