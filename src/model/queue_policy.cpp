// SPDX-License-Identifier: Apache-2.0
#include "model/queue_policy.hpp"

namespace freshet {

QueueDefinition queue_of(const Definitions& definitions, std::string_view queue)
{
    const auto found = definitions.queues.find(queue);
    if (found != definitions.queues.end()) return found->second;
    QueueDefinition unnamed;
    unnamed.name = queue;
    return unnamed;
}

QueuePolicy policy_of(const Definitions& definitions, const Job& job)
{
    QueuePolicy policy;
    if (const SourceDefinition* source = definitions.source(job.queue);
        source != nullptr && source->kind != SourceKind::worker) {
        policy.lease = source->lease;
        policy.retry = source->retry;
        policy.run_limit = source->run_limit + run_limit_grace;
        return policy;
    }
    const QueueDefinition queue = queue_of(definitions, job.queue);
    policy.lease = queue.lease;
    policy.retry = queue.retry;
    policy.run_limit = queue.run_limit;
    policy.progress_deadline = queue.progress_deadline;
    policy.cancel_grace = queue.cancel_grace;
    policy.on_lost_retry = queue.on_lost == LostRule::retry;
    return policy;
}

int attempts_max_of(const Job& job, const QueuePolicy& policy)
{
    return job.attempts_max > 0 ? job.attempts_max : policy.retry.attempts;
}

} // namespace freshet
