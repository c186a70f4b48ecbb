// SPDX-License-Identifier: Apache-2.0
#include "model/breaker.hpp"

namespace freshet {

BreakerWord may_begin(const BreakerRecord& breaker, JobId job, WallTime now)
{
    if (!breaker.open_until) return BreakerWord::go;
    if (*breaker.open_until > now) return BreakerWord::wait;
    return !breaker.probe || breaker.probe == job ? BreakerWord::probe : BreakerWord::wait;
}

BreakerRecord after_end(const BreakerRecord& breaker, JobId job, bool good, const RetryPolicy& policy, WallTime now)
{
    BreakerRecord after = breaker;
    if (good) {
        after.failures = 0;
        after.open_until.reset();
        after.probe = {};
        return after;
    }
    ++after.failures;
    const bool probed = breaker.open_until && breaker.probe == job;
    if (probed || (!breaker.open_until && after.failures >= breaker_failures)) {
        after.open_until = now + policy.max_wait;
        after.probe = {};
    }
    return after;
}

} // namespace freshet
