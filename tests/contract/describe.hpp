// SPDX-License-Identifier: Apache-2.0
#pragma once
// Everything a store answers about some tenants, as text, so that two stores (or a store before and after a crash) can
// be compared and a difference can be read. Payloads stand there by their content, since ids may differ.

#include "store/store.hpp"

#include <fmt/format.h>

#include <string>
#include <vector>

namespace freshet::contract {

inline std::string text(std::optional<WallTime> at)
{
    return at ? std::to_string(to_ms(*at)) : "-";
}

inline std::string payload_text(StoreReads& store, std::int64_t id)
{
    if (id == 0) return "none";
    const auto bytes = store.payload(id);
    return bytes ? fmt::format("{}:{}", bytes->size(), to_hex(hash128(*bytes))) : "missing";
}

inline std::string describe_ledger(StoreReads& store, const std::string& tenant)
{
    const LedgerHead head = store.ledger_head(tenant);
    std::string out = fmt::format("ledger {} head {} floor {}\n", tenant, head.head, head.floor);
    for (const LedgerEntry& entry : store.ledger(tenant, 0, 1'000'000)) {
        const auto& told = entry.event.told;
        out += fmt::format("  {} {} {} {} {} {}\n", entry.seq, to_text(entry.event.kind), entry.event.topic,
                           told ? fmt::format("{} {}", to_text(told->job->state), told->job->seq) : entry.event.data,
                           entry.event.also, entry.event.terminal);
    }
    return out;
}

inline std::string describe_keys(StoreReads& store, const std::string& tenant)
{
    std::string out;
    for (const KeyRecord& key : store.keys(tenant, "", "", 1'000'000)) {
        out += fmt::format("key {} {} gen {} ver {} seq {} next {} payload {} held {}\n", tenant, key.key, key.gen,
                           key.ver, key.seq, text(key.next_at), payload_text(store, key.payload),
                           key.held ? payload_text(store, key.held->payload) : "-");
        for (const VersionRecord& version : store.versions(tenant, key.key, 0, 1'000'000))
            out += fmt::format("  version {} gen {} payload {}\n", version.ver, version.gen,
                               payload_text(store, version.payload));
        for (const Job& job : store.live_jobs(tenant, key.key)) out += fmt::format("  live {}\n", to_text(job.id));
        for (const FireRecord& fire : store.fires(tenant, key.key, 1'000'000))
            out += fmt::format("  fire {} {}\n", to_ms(fire.nominal), fire.decision);
    }
    return out;
}

inline std::string describe_jobs(StoreReads& store, const std::string& tenant)
{
    std::string out;
    for (const Job& job : store.jobs({.tenant = tenant, .limit = 1'000'000})) {
        out += fmt::format("job {} {} {} {} {} due {} behind {} fence {} worker {} batch {} result {}\n", tenant,
                           to_text(job.id), job.queue, job.key, to_text(job.state), to_ms(job.due_at), job.behind.value,
                           job.fence, job.worker, job.batch.value, payload_text(store, job.result_payload));
        for (const LogLine& line : store.job_log(job.id, 0, 1'000'000)) out += fmt::format("  line {}\n", line.number);
        for (const AttemptRecord& attempt : store.attempts(job.id))
            out += fmt::format("  attempt {} {}\n", attempt.fence, to_text(attempt.end));
    }
    return out;
}

inline std::string describe_counts(StoreReads& store, const std::string& tenant)
{
    std::string out;
    for (const JobCount& count : store.job_counts(tenant))
        out += fmt::format("count {} {} {} {}\n", tenant, count.queue, to_text(count.state), count.count);
    return out;
}

inline std::string describe_batches(StoreReads& store, const std::string& tenant)
{
    std::string out;
    for (const Batch& batch : store.batches({.tenant = tenant, .limit = 1'000'000})) {
        out += fmt::format("batch {} {} {} total {} then {}\n", tenant, to_text(batch.id), to_text(batch.state),
                           batch.counts.total, batch.then ? batch.then->items : "-");
        for (const Job& item : store.items({.batch = batch.id, .limit = 1'000'000}))
            out += fmt::format("  item {} {}\n", item.item, to_text(item.id));
    }
    return out;
}

inline std::string describe(StoreReads& store, const std::vector<std::string>& tenants)
{
    std::string out;
    for (const std::string& tenant : tenants)
        out += describe_ledger(store, tenant) + describe_keys(store, tenant) + describe_jobs(store, tenant) +
               describe_counts(store, tenant) + describe_batches(store, tenant);
    return out;
}

} // namespace freshet::contract
