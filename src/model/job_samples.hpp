// SPDX-License-Identifier: Apache-2.0
#pragma once
// For tests only: one refresh job in each of the states that the rows of docs/design/jobs.md lead to. Each is made by
// the transitions themselves, the first hand-out under `fence` at `t0`.

#include "model/job.hpp"

namespace freshet::sample {

inline const WallTime t0 = from_ms(1'790'000'000'000);
inline const QueuePolicy policy{
    .lease = 30s, .retry = {.attempts = 3, .wait = 2s, .max_wait = 1min}, .run_limit = 5min, .cancel_grace = 20s};
inline constexpr Seq fence = 10;

inline AttemptFailure failure(ErrorClass error_class = ErrorClass::retryable, std::optional<Millis> retry_after = {})
{
    return {{error_class, "http_503", "the source answered 503"}, retry_after};
}

inline Job queued()
{
    Job job;
    job.id = JobId{77};
    job.tenant = "default", job.queue = "forecast", job.key = "forecast/Jerusalem";
    job.requested_at = job.due_at = t0;
    job.asked = 5;
    return job;
}

inline Job claimed(const Job& job, Seq with, WallTime now = t0)
{
    return claim(job, "w-1", with, 99, policy, now).value();
}

inline Job running()
{
    return claimed(queued(), fence);
}
inline Job cancelling()
{
    return cancel(running(), t0 + 1s).value();
}
inline Job lost_once() // row 7
{
    return lease_ended(running(), policy, t0 + 31s).value();
}
inline Job failed_once() // row 5
{
    return fail(running(), fence, failure(), policy, t0 + 1s).value();
}
inline Job handed_back() // row 8
{
    return release(running(), fence, {}, policy, t0 + 1s).value();
}
inline Job succeeded()
{
    return complete(running(), fence, Outcome::updated, t0 + 1s).value();
}
inline Job failed()
{
    return fail(running(), fence, failure(ErrorClass::fatal), policy, t0 + 1s).value();
}
inline Job held()
{
    return hold(running(), fence, "nothing came", t0 + 1s).value();
}
inline Job cancelled()
{
    return cancel(queued(), t0 + 1s).value();
}
inline Job retried()
{
    return retry(failed(), 1, 0, t0 + 2s).value();
}
inline Job run_out() // row 5 by the server's timer
{
    return run_limit_ended(running(), policy, t0 + 5min).value();
}
inline Job behind_another()
{
    Job job = lost_once();
    job.behind = JobId{76};
    return job;
}
inline Job asked_since()
{
    Job job = lost_once();
    job.asked = fence;
    return job;
}

} // namespace freshet::sample
