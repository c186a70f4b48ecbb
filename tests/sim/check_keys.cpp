// SPDX-License-Identifier: Apache-2.0
// Keys and their refreshes: F3, F4, F5.
#include "sim/checker.hpp"

#include <fmt/format.h>

namespace freshet::sim {

void Checker::asked(const Asked& asked, bool read_after_now, std::int64_t source_version)
{
    const auto stored = disk_.store().reader()->job(asked.job->id);
    if (!stored) broken("F10: an acknowledged click is durable", to_text(asked.job->id));
    if (asked.joined) saw(Seen::flights_joined);
    if (!read_after_now || asked.replayed) return;
    promises_[asked.job->id.value].push_back({asked.job->id, asked.asked, source_version});
    // It may have ended in the same commit.
    if (const Job* known = job(asked.job->id); known != nullptr && is_terminal(known->state)) refresh_ended(*known);
}

void Checker::refresh_ended(const Job& ended)
{
    const auto found = promises_.find(ended.id.value);
    if (found == promises_.end()) return;
    std::vector<RefreshPromise> promises = std::move(found->second);
    promises_.erase(found);
    if (ended.superseded_by) {
        auto& on = promises_[ended.superseded_by.value];
        on.insert(on.end(), promises.begin(), promises.end());
        if (const Job* next = job(ended.superseded_by); next != nullptr && is_terminal(next->state))
            refresh_ended(*next);
        return;
    }
    if (ended.state != JobState::succeeded) return;
    for (const RefreshPromise& promise : promises) {
        if (ended.data_fence <= promise.asked)
            broken("F3: read your refresh, by the ledger",
                   fmt::format("{} read at {}, asked at {}", to_text(ended.id), ended.data_fence, promise.asked));
        const auto read = read_.find({ended.tenant, ended.data_fence});
        if (read != read_.end() && read->second < promise.source_version)
            broken("F3: read your refresh, by what the source said",
                   fmt::format("{} shows version {}, {} was there at the click", to_text(ended.id), read->second,
                               promise.source_version));
    }
}

void Checker::key_moved(const KeyView& view)
{
    const KeyRecord& record = view.record;
    const auto flights = flights_.find({record.tenant, record.key});
    if (flights != flights_.end() && (flights->second.first > 1 || flights->second.second > 1))
        broken("F5: one flight",
               fmt::format("{}: {} running, {} queued", record.key, flights->second.first, flights->second.second));
    KnownKey& known = keys_[{record.tenant, record.key}];
    if (record.gone_seq > known.gone_seq) {
        saw(Seen::purges);
        if (record.has_data && record.data_fence <= record.gone_seq)
            broken("what was purged is gone", fmt::format("{} shows data of {}", record.key, record.data_fence));
    }
    if (record.gen > known.gen && record.data_fence <= known.gone_seq)
        broken("what was purged is not published", fmt::format("{} gen {}", record.key, record.gen));
    if (known.held && !record.held) saw(Seen::held_decided);
    known.held = record.held ? std::optional{record.held->job} : std::nullopt;
    known.gone_seq = record.gone_seq;
    if (record.gen < known.gen || record.ver < known.ver)
        broken("F4: never backwards", fmt::format("{}: gen {} after {}", record.key, record.gen, known.gen));
    if (const auto told = gens_told_.find({record.tenant, record.key});
        told != gens_told_.end() && record.gen > 0 && record.gen <= told->second)
        broken("F4: never backwards, nor over a restore",
               fmt::format("{}: gen {}, told was {}", record.key, record.gen, told->second));
    if (record.has_data) {
        const std::string hash = to_hex(record.hash);
        const auto [at, fresh] = known.by_gen.emplace(record.gen, Content{hash, record.ver});
        if (!fresh && at->second.hash != hash)
            broken("F4: (key, gen) has one content", fmt::format("{} gen {}", record.key, record.gen));
        if (record.gen > known.gen) {
            if (record.data_fence <= known.data_fence)
                broken("the data_fence of what is published grows",
                       fmt::format("{}: {} after {}", record.key, record.data_fence, known.data_fence));
            known.data_fence = record.data_fence;
            const auto last = known.by_gen.find(known.gen);
            if (known.has_data && last != known.by_gen.end()) {
                const bool changed = last->second.hash != hash;
                if (changed != (record.ver != known.ver))
                    broken("ver changes exactly when the content does",
                           fmt::format("{} ver {} to {}", record.key, known.ver, record.ver));
            }
        }
    }
    known.gen = record.gen;
    known.ver = record.ver;
    known.has_data = record.has_data;
}

} // namespace freshet::sim
