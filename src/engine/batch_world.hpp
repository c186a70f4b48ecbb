// SPDX-License-Identifier: Apache-2.0
#pragma once
// For tests: an engine with batches, whoever drives them, and what must hold of one after every commit.

#include "engine/engine_world.hpp"
#include "model/batch_samples.hpp"

#include <vector>

namespace freshet {

class Batches : public ::testing::Test, public EngineWorld {
protected:
    static AddBatch request(int items, const std::string& prefix = "i")
    {
        AddBatch request;
        request.tenant = "default", request.caller = "somebody", request.queue = "generate", request.name = "Topics";
        for (int i = 0; i < items; ++i) request.items.push_back({prefix + std::to_string(i), {}, std::to_string(i)});
        return request;
    }
    BatchId add(AddBatch request)
    {
        Reply reply = ask_engine(std::move(request));
        EXPECT_TRUE(reply.has_value()) << (reply ? "" : reply.error().message);
        return std::get<BatchChanged>(reply.value()).batch->id;
    }
    /// So many items that they are inserted in parts, all of them by now.
    BatchId add_in_parts(int items)
    {
        std::vector<Posted> group;
        group.push_back({request(items), -1, [](Reply) {}});
        step(std::move(group));
        settle();
        return store->begin()->batches({"default", {}, {}, 1}).at(0).id;
    }
    Reply change(BatchId id, BatchVerb verb, std::optional<int> generation = {})
    {
        return ask_engine(ChangeBatch{id, "default", "somebody", verb, generation});
    }
    Processed next(BatchId id)
    {
        Reply reply = ask_engine(ProcessNext{id, "default", "somebody"});
        EXPECT_TRUE(reply.has_value()) << (reply ? "" : reply.error().message);
        return std::get<Processed>(reply.value());
    }
    std::vector<ClaimedJob> claim_items(int slots = 16, const std::string& queue = "generate")
    {
        std::optional<Reply> got;
        std::vector<Posted> group;
        group.push_back({ClaimWork{worker(), {queue}, slots}, -1, [&](Reply reply) { got = std::move(reply); }});
        step(std::move(group));
        if (!got) { // the offer goes, so that it does not take what a later step brings
            group.clear();
            group.push_back({ClaimWork{worker(), {}, slots}, -1, [](Reply) {}});
            step(std::move(group));
            return {};
        }
        return std::get<Claimed>(got->value()).jobs;
    }
    Reply succeed(const ClaimedJob& claimed, const std::string& json = "1")
    {
        return ask_engine(CompleteJob{claimed.job->id, claimed.job->fence,
                                      TaskResult{json, 0, static_cast<std::int64_t>(json.size())}});
    }
    Reply fail_item(const ClaimedJob& claimed, ErrorClass error_class = ErrorClass::fatal)
    {
        return ask_engine(FailJob{claimed.job->id, claimed.job->fence, {error_class, "http_403", "refused", {}, {}}});
    }
    void succeed_all(const std::string& queue = "generate")
    {
        for (auto claimed = claim_items(100, queue); !claimed.empty(); claimed = claim_items(100, queue))
            for (const ClaimedJob& one : claimed) succeed(one);
    }

    Batch batch(BatchId id) { return store->begin()->batch(id).value_or(Batch{}); }
    std::vector<Job> items(BatchId id, std::optional<JobState> state = {})
    {
        return store->begin()->items({id, state, {}, 100'000});
    }
    /// Steps until nothing is due at once; how many it took.
    int settle(int most = 2000)
    {
        int steps = 1;
        for (auto wake = step(); wake && *wake <= now && steps < most; wake = step()) ++steps;
        return steps;
    }
    /// What must hold after every commit.
    void check(BatchId id)
    {
        const Batch batch = this->batch(id);
        const auto [counts, gated, past] = sample::counted(items(id));
        EXPECT_EQ(batch.counts, counts);
        EXPECT_EQ(batch.gated, gated);
        EXPECT_EQ(batch.released, past);
        if (batch.state != BatchState::open && batch.cursor == 0) {
            EXPECT_EQ(is_terminal(batch.state), counts.done() == counts.total);
        }
    }
    std::vector<Event> batch_events() const
    {
        std::vector<Event> events;
        for (const auto& notice : notices)
            for (const auto& told : notice->events)
                for (const LedgerEntry& entry : told.entries)
                    if (entry.event.kind == EventKind::batch) events.push_back(entry.event);
        return events;
    }
};

} // namespace freshet
