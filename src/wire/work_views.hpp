// SPDX-License-Identifier: Apache-2.0
#pragma once
// The JSON shapes of remote work: what a claim and a beat answer, workers, queues, log lines, audit rows.
//
// One function per shape, used by HTTP answers and by stream events alike. Pure. Threads: any.

#include "model/job.hpp"
#include "model/records.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace freshet {

/// A job as its worker is given it. A refresh has its source's parameters by name as its input.
struct HandedOut {
    const Job* job = nullptr;
    const SourceDefinition* source = nullptr;         ///< of a refresh
    const std::vector<std::string>* params = nullptr; ///< of a refresh: decoded, in the declared order
    bool forced = false;                              ///< of a refresh: a person asked
};
std::string claim_json(std::span<const HandedOut> jobs, WallTime now);

/// What a beat says of one job: ok, cancel or lost.
struct BeatWordView {
    JobId id;
    std::string_view answer;
    std::optional<WallTime> lease_until;
};
std::string beat_json(std::span<const BeatWordView> jobs, bool drain, bool reconnect, WallTime now);

struct WorkerRow {
    std::string_view id, tenant, host, sdk, state; ///< state: alive, deaf, lost, draining
    std::span<const std::string> queues;
    int slots = 0, busy = 0;
    std::optional<WallTime> beat_at, claim_at;
    struct Holding {
        JobId id;
        Seq fence = 0;
        std::optional<WallTime> lease_until;
    };
    std::vector<Holding> jobs;
};
std::string worker_json(const WorkerRow& worker);

struct QueueRow {
    std::string_view name, tenant; ///< tenant: whose its jobs are
    bool of_source = false;        ///< built-in runners serve it
    bool paused = false;
    std::vector<std::pair<JobState, std::int64_t>> counts; ///< zeros may be left out
    int concurrency = 0;                                   ///< in force; 0: no limit
    RateLimit rate;                                        ///< in force
    bool limits_set = false;                               ///< by a person at run time, not by the config
    bool limits_shared = false;                            ///< of several tenants: one of them does not set them
    std::int64_t workers = 0;                              ///< that take jobs of it
    std::optional<WallTime> waiting_since;                 ///< of the job that waits longest
};
std::string queue_json(const QueueRow& queue);

std::string log_line_json(const LogLine& line);
std::string audit_json(std::int64_t number, const AuditRecord& record);

} // namespace freshet
