// SPDX-License-Identifier: Apache-2.0
// The built-in runners as a worker, between an engine and runners that do what the test says.
#include "app/runner_host.hpp"

#include <atomic>
#include <gmock/gmock.h>

namespace freshet {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// Takes every post and lets the test see and answer them one by one.
class ScriptedEngine final : public EnginePort {
public:
    struct Post {
        Request request;
        ReplyTo reply;
    };
    bool post(Request request, int, ReplyTo reply) override
    {
        const std::lock_guard lock{mutex_};
        if (refusing_ > 0) {
            --refusing_;
            refused_.notify_all();
            return false;
        }
        posts_.push_back({std::move(request), std::move(reply)});
        came_.notify_all();
        return true;
    }
    bool hint(Request) override { return false; }

    /// The next post of that kind; others stay.
    template <class Kind>
    Post next()
    {
        std::unique_lock lock{mutex_};
        while (true) {
            for (auto post = posts_.begin(); post != posts_.end(); ++post) {
                if (!std::holds_alternative<Kind>(post->request)) continue;
                Post found = std::move(*post);
                posts_.erase(post);
                return found;
            }
            came_.wait(lock);
        }
    }
    template <class Kind>
    bool has()
    {
        const std::lock_guard lock{mutex_};
        return std::ranges::any_of(posts_, [](const Post& post) { return std::holds_alternative<Kind>(post.request); });
    }
    void refuse(int posts)
    {
        const std::lock_guard lock{mutex_};
        refusing_ = posts;
    }
    void await_refusals()
    {
        std::unique_lock lock{mutex_};
        refused_.wait(lock, [this] { return refusing_ == 0; });
    }

private:
    std::mutex mutex_;
    std::condition_variable came_, refused_;
    std::deque<Post> posts_;
    int refusing_ = 0;
};

class ScriptedRunner final : public Runner {
public:
    void start(FlightOrder order, FlightSink& sink) override
    {
        const std::lock_guard lock{mutex};
        orders.push_back(std::move(order));
        sink_ = &sink;
        changed.notify_all();
    }
    void cancel(JobId job, Seq fence) override
    {
        const std::lock_guard lock{mutex};
        cancelled.emplace_back(job.value, fence);
        changed.notify_all();
    }
    void stop() override
    {
        for (const FlightOrder& order : orders)
            sink_->ended(order.job, order.fence, FlightFailure{ErrorClass::cancelled, "stopped", "stopped"});
    }
    FlightOrder await_order(std::size_t number = 1)
    {
        std::unique_lock lock{mutex};
        changed.wait(lock, [&] { return orders.size() >= number; });
        return orders[number - 1];
    }
    void await_cancel()
    {
        std::unique_lock lock{mutex};
        changed.wait(lock, [&] { return !cancelled.empty(); });
    }

    std::mutex mutex;
    std::condition_variable changed;
    std::vector<FlightOrder> orders;
    std::vector<std::pair<std::int64_t, Seq>> cancelled;

private:
    FlightSink* sink_ = nullptr;
};

std::shared_ptr<SourceDefinition> source_of(const std::string& name, SourceKind kind = SourceKind::http)
{
    auto source = std::make_shared<SourceDefinition>();
    source->name = source->queue = name;
    source->kind = kind;
    source->lease = 30s;
    source->run_limit = 7s;
    return source;
}

std::shared_ptr<Definitions> definitions_of(const std::vector<std::shared_ptr<SourceDefinition>>& sources)
{
    auto definitions = std::make_shared<Definitions>();
    for (const auto& source : sources) definitions->sources.emplace(source->name, source);
    definitions->speed = 2;
    return definitions;
}

struct World {
    ManualClock clock;
    Metrics metrics;
    ScriptedEngine engine;
    ScriptedRunner runner;
    std::shared_ptr<SourceDefinition> rates = source_of("rates");
    RunnerHost host;

    explicit World(int slots = 4)
        : host{engine,
               {.http = &runner},
               [](FlightData data, const SourceDefinition&, const std::string& tenant, const std::string& key) {
                   PreparedResult result;
                   auto body = std::make_shared<Body>();
                   body->bytes = tenant + " " + key + " " + data.json;
                   if (data.json == "throw") throw std::runtime_error{"no memory"};
                   result.body = std::move(body);
                   return result;
               },
               clock,
               metrics,
               definitions_of({rates, source_of("forecast", SourceKind::worker)}),
               {.worker = "builtin-test", .slots = slots}}
    {
        host.start();
    }
    /// What a test left unanswered is waited for by the manual clock, too.
    ~World()
    {
        std::thread stopper{[this] { host.stop(); }};
        std::atomic<bool> stopped{false};
        std::thread time{[this, &stopped] {
            while (!stopped) advance(100ms), std::this_thread::yield();
        }};
        stopper.join();
        stopped = true;
        time.join();
    }
    /// The host sleeps by the real clock; a word about no flight makes it look at the manual one.
    void advance(Millis by)
    {
        clock.advance(by);
        host.progress(JobId{-1}, 0, {});
    }
    /// Returns once the host has done everything that was said to it so far: the offer for new definitions comes last.
    ScriptedEngine::Post settle()
    {
        host.reconfigure(definitions_of({rates}));
        return engine.next<ClaimWork>();
    }
    ClaimedJob job_of(std::int64_t id, Seq fence)
    {
        auto job = std::make_shared<Job>();
        job->id = {id};
        job->fence = fence;
        job->attempt = 2;
        job->tenant = "acme";
        job->key = "rates/USD";
        return {job, rates, {"USD"}, {"\"e1\"", ""}, true};
    }
    void give(const ScriptedEngine::Post& offer, std::vector<ClaimedJob> jobs)
    {
        offer.reply(Answer{Claimed{std::move(jobs)}});
    }
    /// Answers the first offer with one job, which is flying when this returns.
    void fly(std::int64_t id, Seq fence)
    {
        give(engine.next<ClaimWork>(), {job_of(id, fence)});
        runner.await_order();
    }
    static ClaimWork claim_of(const ScriptedEngine::Post& post) { return std::get<ClaimWork>(post.request); }
};

TEST(RunnerHost, OffersItsSlotsForTheQueuesThatBuiltInRunnersServe)
{
    World world;
    const ClaimWork claim = World::claim_of(world.engine.next<ClaimWork>());
    EXPECT_EQ(claim.worker, "builtin-test");
    EXPECT_THAT(claim.queues, ElementsAre("rates"));
    EXPECT_EQ(claim.slots, 4);
}

TEST(RunnerHost, GivesTheRunnerWhatTheClaimSaid)
{
    World world;
    world.fly(7, 41);
    const FlightOrder order = world.runner.await_order();
    EXPECT_EQ(order.job, JobId{7});
    EXPECT_EQ(order.fence, 41u);
    EXPECT_EQ(order.attempt, 2);
    EXPECT_EQ(order.tenant, "acme");
    EXPECT_EQ(order.key, "rates/USD");
    EXPECT_THAT(order.params, ElementsAre("USD"));
    EXPECT_EQ(order.validators.etag, "\"e1\"");
    EXPECT_TRUE(order.forced);
    EXPECT_EQ(order.run_limit, 7s);
    EXPECT_EQ(order.speed, 2);
    EXPECT_EQ(order.now, world.clock.wall());
}

TEST(RunnerHost, OffersOnlyWhatIsFreeAndNothingWhenFull)
{
    World world{2};
    world.give(world.engine.next<ClaimWork>(), {world.job_of(1, 11)});
    const auto second = world.engine.next<ClaimWork>();
    EXPECT_EQ(World::claim_of(second).slots, 1);
    world.give(second, {world.job_of(2, 12)});
    world.runner.await_order(2);
    EXPECT_FALSE(world.engine.has<ClaimWork>());
    world.host.ended(JobId{1}, 11, FlightUnchanged{});
    world.engine.next<CompleteJob>().reply(Answer{Done{}});
    EXPECT_EQ(World::claim_of(world.engine.next<ClaimWork>()).slots, 1);
}

TEST(RunnerHost, OffersForTheQueuesOfNewDefinitions)
{
    World world;
    world.engine.next<ClaimWork>();
    world.host.reconfigure(definitions_of({source_of("alpha"), source_of("beta", SourceKind::command)}));
    EXPECT_THAT(World::claim_of(world.engine.next<ClaimWork>()).queues, ElementsAre("alpha", "beta"));
}

TEST(RunnerHost, BeatsWithinAThirdOfTheLease)
{
    World world;
    world.fly(1, 11);
    world.advance(8s);
    world.advance(2s);
    const auto beat = world.engine.next<BeatWork>();
    const BeatWork work = std::get<BeatWork>(beat.request);
    EXPECT_EQ(work.worker, "builtin-test");
    ASSERT_EQ(work.jobs.size(), 1u);
    EXPECT_EQ(work.jobs[0].beat.fence, 11u);
    EXPECT_FALSE(work.jobs[0].beat.progress);
    beat.reply(Answer{Beaten{{{JobId{1}, BeatWord::ok, {}}}}});
    world.advance(10s);
    world.engine.next<BeatWork>();
}

TEST(RunnerHost, BeatsAgainSoonWhenTheStoreCouldNotKeepABeat)
{
    World world;
    world.fly(1, 11);
    world.engine.next<ClaimWork>();
    world.advance(10s);
    world.engine.next<BeatWork>().reply(std::unexpected(Refused{Refusal::store_failed, "disk full"}));
    world.settle();
    EXPECT_FALSE(world.engine.has<BeatWork>());
    world.advance(100ms); // well before the next third of the lease
    world.settle();
    EXPECT_TRUE(world.engine.has<BeatWork>());
}

TEST(RunnerHost, ConflatesProgressToTheLatestFourTimesASecond)
{
    World world;
    world.fly(1, 11);
    world.engine.next<ClaimWork>();
    world.host.progress(JobId{1}, 11, {.attempt = 2, .done = 1});
    auto beat = world.engine.next<BeatWork>(); // the first at once
    EXPECT_EQ(std::get<BeatWork>(beat.request).jobs.at(0).beat.progress->done, 1);
    beat.reply(Answer{Beaten{{{JobId{1}, BeatWord::ok, {}}}}});

    for (int done = 2; done <= 50; ++done) world.host.progress(JobId{1}, 11, {.attempt = 2, .done = done});
    world.advance(249ms);
    world.settle();
    EXPECT_FALSE(world.engine.has<BeatWork>());
    world.advance(1ms);
    beat = world.engine.next<BeatWork>();
    EXPECT_EQ(std::get<BeatWork>(beat.request).jobs.at(0).beat.progress->done, 50);
}

TEST(RunnerHost, PassesACancelOnAndReportsTheEnd)
{
    World world;
    world.fly(1, 11);
    world.advance(10s);
    world.engine.next<BeatWork>().reply(Answer{Beaten{{{JobId{1}, BeatWord::cancel, {}}}}});
    world.runner.await_cancel();
    EXPECT_THAT(world.runner.cancelled, ElementsAre(std::pair{std::int64_t{1}, Seq{11}}));
    world.host.ended(JobId{1}, 11, FlightFailure{ErrorClass::cancelled, "cancelled", "cancelled"});
    const FailJob fail = std::get<FailJob>(world.engine.next<FailJob>().request);
    EXPECT_EQ(fail.job, JobId{1});
    EXPECT_EQ(fail.fence, 11u);
    EXPECT_EQ(fail.failure.error_class, ErrorClass::cancelled);
}

TEST(RunnerHost, F7SaysNothingMoreOfAFlightWhoseLeaseIsLost)
{
    World world{2};
    world.fly(1, 11);
    world.engine.next<ClaimWork>();
    world.advance(10s);
    world.engine.next<BeatWork>().reply(Answer{Beaten{{{JobId{1}, BeatWord::lost, {}}}}});
    world.runner.await_cancel();
    EXPECT_EQ(World::claim_of(world.settle()).slots, 1); // it still has its slot: the process may still run
    world.host.ended(JobId{1}, 11, FlightData{.json = "[1]"});
    EXPECT_EQ(World::claim_of(world.settle()).slots, 2);
    EXPECT_FALSE(world.engine.has<CompleteJob>());
    EXPECT_FALSE(world.engine.has<FailJob>());
}

TEST(RunnerHost, F7DropsTheOldFlightWhenItIsGivenTheSameJobAgain)
{
    World world;
    world.fly(1, 11);
    world.give(world.engine.next<ClaimWork>(), {world.job_of(1, 22)});
    world.runner.await_order(2);
    EXPECT_THAT(world.runner.cancelled, ElementsAre(std::pair{std::int64_t{1}, Seq{11}}));
    world.host.ended(JobId{1}, 11, FlightData{.json = "[\"old\"]"});
    world.host.ended(JobId{1}, 22, FlightData{.json = "[\"new\"]"});
    const CompleteJob complete = std::get<CompleteJob>(world.engine.next<CompleteJob>().request);
    EXPECT_EQ(complete.fence, 22u);
    EXPECT_EQ(std::get<PreparedResult>(complete.result).body->bytes, "acme rates/USD [\"new\"]");
    EXPECT_FALSE(world.engine.has<CompleteJob>());
}

TEST(RunnerHost, APreparedResultIsPostedUntilTheEngineHasIt)
{
    World world;
    world.fly(1, 11);
    world.engine.next<ClaimWork>(); // the offer for the rest stays open
    world.engine.refuse(2);
    world.host.ended(JobId{1}, 11, FlightData{.json = "[1]"});
    for (int i = 0; i < 2; ++i) world.advance(5s);
    world.engine.await_refusals();
    while (!world.engine.has<CompleteJob>()) world.advance(100ms);
    world.engine.next<CompleteJob>().reply(std::unexpected(Refused{Refusal::store_failed, "disk full"}));
    while (!world.engine.has<CompleteJob>()) world.advance(100ms);
    const auto third = world.engine.next<CompleteJob>();
    EXPECT_EQ(std::get<PreparedResult>(std::get<CompleteJob>(third.request).result).body->bytes, "acme rates/USD [1]");
    third.reply(std::unexpected(Refused{Refusal::lease_lost, "somebody else was given it"}));
    world.host.stop();
    EXPECT_FALSE(world.engine.has<ReleaseJob>()); // it was over
}

TEST(RunnerHost, UnchangedCompletesWithoutABody)
{
    World world;
    world.fly(1, 11);
    FlightUnchanged unchanged;
    unchanged.facts.source_status = 304;
    world.host.ended(JobId{1}, 11, unchanged);
    const CompleteJob complete = std::get<CompleteJob>(world.engine.next<CompleteJob>().request);
    EXPECT_EQ(std::get<PreparedResult>(complete.result).body, nullptr);
    EXPECT_EQ(std::get<PreparedResult>(complete.result).data.facts.source_status, 304);
}

TEST(RunnerHost, AResultThatCannotBeMadeReadyFailsInWords)
{
    World world;
    world.fly(1, 11);
    world.host.ended(JobId{1}, 11, FlightData{.json = "throw"});
    const FailJob fail = std::get<FailJob>(world.engine.next<FailJob>().request);
    EXPECT_EQ(fail.failure.error_class, ErrorClass::retryable);
    EXPECT_THAT(fail.failure.message, HasSubstr("no memory"));
}

TEST(RunnerHost, AKindWithoutARunnerFailsInWords)
{
    World world;
    ClaimedJob claimed = world.job_of(1, 11);
    claimed.source = source_of("sales", SourceKind::sql);
    world.give(world.engine.next<ClaimWork>(), {claimed});
    const FailJob fail = std::get<FailJob>(world.engine.next<FailJob>().request);
    EXPECT_EQ(fail.failure.error_class, ErrorClass::fatal);
    EXPECT_THAT(fail.failure.message, HasSubstr("sales"));
}

TEST(RunnerHost, HandsBackWhatIsInFlightWhenItStops)
{
    World world;
    world.fly(1, 11);
    world.engine.next<ClaimWork>();
    std::thread stopper{[&] { world.host.stop(); }};
    const auto release = world.engine.next<ReleaseJob>();
    EXPECT_EQ(std::get<ReleaseJob>(release.request).fence, 11u);
    // A claim that crossed with the stop is handed back, too.
    EXPECT_EQ(World::claim_of(world.engine.next<ClaimWork>()).slots, 0);
    release.reply(Answer{Done{}});
    stopper.join();
}

} // namespace
} // namespace freshet
