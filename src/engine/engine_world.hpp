// SPDX-License-Identifier: Apache-2.0
#pragma once
// For tests: an engine over a store, with time that stands still, a sink that remembers, and workers made of values.

#include "engine/engine.hpp"
#include "store/memory.hpp"
#include "wire/canonical.hpp"

#include <gtest/gtest.h>
#include <map>

namespace freshet {

class EngineWorld : public CommitSink {
public:
    explicit EngineWorld(std::unique_ptr<Store> given = nullptr)
        : store{given ? std::move(given) : std::make_unique<MemoryStore>()}
    {
        auto made = std::make_shared<Definitions>();
        add_source(*made, "prices");
        definitions = made;
    }

    static SourceDefinition& add_source(Definitions& definitions, const std::string& name)
    {
        auto source = std::make_shared<SourceDefinition>();
        source->name = source->queue = name;
        source->http.url = "https://example.com/" + name;
        source->hash = hash64(name);
        source->manual_limit = {};
        auto& slot = definitions.sources[name];
        slot = source;
        return *source;
    }
    /// Changes the definitions before start().
    SourceDefinition& source(const std::string& name)
    {
        auto changed = std::make_shared<Definitions>(*definitions);
        const auto found = changed->sources.find(name);
        auto copy = std::make_shared<SourceDefinition>();
        if (found != changed->sources.end())
            *copy = *found->second;
        else
            *copy = add_source(*changed, name);
        changed->sources[name] = copy;
        definitions = changed;
        return *copy;
    }

    /// Puts tenants into the definitions before start().
    void add_tenants(std::initializer_list<const char*> names)
    {
        auto changed = std::make_shared<Definitions>(*definitions);
        for (const char* name : names) changed->tenants[name].name = name;
        definitions = changed;
    }

    /// Begins a process: the first, or another after a crash (what was not committed is gone).
    void start()
    {
        ++boot;
        position = 0;
        metrics = std::make_unique<Metrics>();
        auto kept = std::make_shared<Definitions>(*definitions);
        kept->retention = retention;
        definitions = std::move(kept);
        engine = std::make_unique<Engine>(*store, *this, *metrics,
                                          EngineOptions{definitions, std::to_string(boot),
                                                        [this] { return wall_ahead; }, [this] { return no_room; }});
        engine->start(now);
    }
    std::string worker() const { return "builtin-" + std::to_string(boot); }

    std::optional<WallTime> step(std::vector<Posted> group = {}) { return engine->step(std::move(group), now); }

    Reply ask_engine(Request request)
    {
        std::optional<Reply> got;
        std::vector<Posted> group;
        group.push_back({std::move(request), -1, [&](Reply reply) { got = std::move(reply); }});
        step(std::move(group));
        EXPECT_TRUE(got.has_value()) << "no reply";
        return got.value_or(std::unexpected(Refused{}));
    }
    AskRefresh refresh_of(const std::string& key = "prices") const
    {
        return {.tenant = "default",
                .key = key,
                .source = key.substr(0, key.find('/')),
                .trigger = Trigger::manual,
                .caller = "somebody"};
    }
    std::expected<Asked, Refused> ask(AskRefresh request)
    {
        Reply reply = ask_engine(std::move(request));
        if (!reply) return std::unexpected(reply.error());
        return std::get<Asked>(*reply);
    }
    Asked refresh(const std::string& key = "prices")
    {
        auto asked = ask(refresh_of(key));
        EXPECT_TRUE(asked.has_value()) << (asked ? "" : asked.error().message);
        return asked.value();
    }

    std::vector<ClaimedJob> claim(int slots = 16)
    {
        ClaimWork work{worker(), {}, slots};
        for (const auto& [name, source] : definitions->sources) work.queues.push_back(name);
        std::optional<Reply> got;
        std::vector<Posted> group;
        group.push_back({work, -1, [&](Reply reply) { got = std::move(reply); }});
        step(std::move(group));
        if (!got) { // take the offer back, so that it does not take what a later test step wants
            work.queues.clear();
            std::vector<Posted> again;
            again.push_back({work, -1, [](Reply) {}});
            step(std::move(again));
            return {};
        }
        return std::get<Claimed>(got->value()).jobs;
    }
    static PreparedResult result_of(const std::string& json, std::int64_t rows)
    {
        PreparedResult result;
        auto body = std::make_shared<Body>();
        body->bytes = json;
        body->hash = hash128(json);
        body->rows = rows;
        result.body = body;
        return result;
    }
    Reply complete(const ClaimedJob& claimed, const std::string& json, std::int64_t rows = 3)
    {
        return ask_engine(CompleteJob{claimed.job->id, claimed.job->fence, result_of(json, rows)});
    }
    Reply fail(const ClaimedJob& claimed, ErrorClass error_class = ErrorClass::retryable,
               std::optional<Millis> retry_after = {})
    {
        return ask_engine(FailJob{claimed.job->id,
                                  claimed.job->fence,
                                  {error_class, "http_status", "the source answered 500", retry_after, {}}});
    }

    // Remote workers and the queues they serve.

    QueueDefinition& queue(const std::string& name)
    {
        auto changed = std::make_shared<Definitions>(*definitions);
        QueueDefinition& slot = changed->queues[name];
        slot.name = name;
        definitions = changed;
        return slot;
    }
    static NewJob task(const std::string& queue, const std::string& input = "{}")
    {
        NewJob job;
        job.queue = queue;
        job.input = input;
        return job;
    }
    static AddJobs adding(std::vector<NewJob> jobs, const std::string& tenant = "default")
    {
        return {.tenant = tenant, .caller = "somebody", .jobs = std::move(jobs), .idempotency = {}};
    }
    std::expected<Added, Refused> add(std::vector<NewJob> jobs, const std::string& tenant = "default")
    {
        Reply reply = ask_engine(adding(std::move(jobs), tenant));
        if (!reply) return std::unexpected(reply.error());
        return std::get<Added>(*reply);
    }
    JobId add_one(NewJob job, const std::string& tenant = "default")
    {
        auto added = add({std::move(job)}, tenant);
        EXPECT_TRUE(added.has_value()) << (added ? "" : added.error().message);
        return added ? added->jobs.at(0).job->id : JobId{};
    }
    JobId add_one(const std::string& queue) { return add_one(task(queue)); }

    ClaimWork claiming(const std::string& worker_id, std::vector<std::string> queues, int slots = 1)
    {
        ClaimWork work{.worker = worker_id, .queues = std::move(queues), .slots = slots};
        work.host = "host", work.sdk = "test";
        work.offer = ++offers;
        return work;
    }
    /// As a long poll of no length: what is there now, or nothing.
    std::vector<ClaimedJob> claim_work(const ClaimWork& work)
    {
        std::optional<Reply> got;
        std::vector<Posted> group;
        group.push_back({work, -1, [&](Reply reply) { got = std::move(reply); }});
        step(std::move(group));
        if (!got) ask_engine(WithdrawClaim{work.worker, work.offer});
        EXPECT_TRUE(got && *got) << "an open claim is answered when it is withdrawn";
        return got && *got ? std::get<Claimed>(got->value()).jobs : std::vector<ClaimedJob>{};
    }
    std::vector<ClaimedJob> claim_from(const std::string& queue_name, const std::string& worker_id = "w1",
                                       int slots = 1)
    {
        return claim_work(claiming(worker_id, {queue_name}, slots));
    }
    template <class Request>
    std::expected<Job, Refused> end(Request request, const std::string& worker_id = "w1",
                                    const std::string& tenant = "*")
    {
        EndWork work{.worker = worker_id, .tenant = tenant, .jobs = {}};
        work.jobs.emplace_back(std::move(request));
        Reply reply = ask_engine(std::move(work));
        if (!reply) return std::unexpected(reply.error());
        auto& one = std::get<EndedWork>(*reply).jobs.at(0);
        if (!one) return std::unexpected(one.error());
        return **one;
    }
    static CompleteJob done(const ClaimedJob& claimed, const std::string& json = R"({"ok":true})")
    {
        return {claimed.job->id, claimed.job->fence, TaskResult{json, 0, 0}};
    }
    static FailJob failed(const ClaimedJob& claimed, ErrorClass error_class = ErrorClass::retryable)
    {
        return {claimed.job->id, claimed.job->fence, {error_class, "bad", "it went badly", {}, {}}};
    }
    Beaten beat(const std::vector<ClaimedJob>& jobs, const std::string& worker_id = "w1")
    {
        BeatWork work{worker_id, {}, "*"};
        for (const ClaimedJob& one : jobs) work.jobs.push_back({one.job->id, {.fence = one.job->fence}});
        return std::get<Beaten>(ask_engine(std::move(work)).value());
    }

    KeyRecord key(const std::string& text = "prices")
    {
        return store->begin()->key("default", text).value_or(KeyRecord{});
    }
    Job job(JobId id) { return store->begin()->job(id).value_or(Job{}); }
    std::vector<Job> live(const std::string& text = "prices") { return store->begin()->live_jobs("default", text); }

    void publish(std::shared_ptr<const Notice> notice, std::vector<Delivery> replies) override
    {
        if (notice) {
            EXPECT_EQ(notice->position, ++position);
            notices.push_back(std::move(notice));
        }
        for (const Delivery& delivery : replies) delivery.reply();
    }

    std::unique_ptr<Store> store;
    std::shared_ptr<const Definitions> definitions;
    WallTime now = from_ms(1'790'000'000'000);
    Millis wall_ahead{0};      ///< how far the wall clock was set ahead of `now`
    RetentionLimits retention; ///< of engines that start() makes
    std::string no_room;       ///< words: the disk is full
    int boot = 0;
    std::uint64_t offers = 0;
    std::uint64_t position = 0;
    std::unique_ptr<Metrics> metrics;
    std::unique_ptr<Engine> engine;
    std::vector<std::shared_ptr<const Notice>> notices;
};

} // namespace freshet
