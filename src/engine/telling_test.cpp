// SPDX-License-Identifier: Apache-2.0
// What stands in the events, receipts, records and figures of a commit beside the change itself.
#include "engine/engine_world.hpp"

#include <gmock/gmock.h>

namespace freshet {
namespace {

using testing::HasSubstr;
using testing::Not;

struct Telling : ::testing::Test, EngineWorld {
    Event last_event(const std::string& topic) const
    {
        for (auto notice = notices.rbegin(); notice != notices.rend(); ++notice)
            for (const auto& told : (*notice)->events)
                for (auto entry = told.entries.rbegin(); entry != told.entries.rend(); ++entry)
                    if (entry->event.topic == topic) return entry->event;
        ADD_FAILURE() << "nothing was told of " << topic;
        return {};
    }
    Event last_event(JobId id) const { return last_event("job/" + to_text(id)); }
    /// A source that workers of queue "reporting" fetch.
    void add_reports()
    {
        auto& reports = source("reports");
        reports.kind = SourceKind::worker, reports.queue = "reporting";
    }
    /// One attempt per refresh, and five of them went badly: the breaker is open.
    void open_breaker(const std::string& key)
    {
        for (int i = 0; i < 5; ++i) {
            refresh(key);
            fail(claim().at(0));
        }
    }
};

TEST_F(Telling, ProgressOfTheAttemptStandsInWhateverIsToldOfARunningJob)
{
    start();
    add_one("mails");
    const auto held = claim_from("mails");
    now += 1s;
    Progress progress;
    progress.done = 1, progress.total = 3;
    BeatWork work{"w1", {}, "*"};
    work.jobs.push_back({held.at(0).job->id, {.fence = held[0].job->fence, .progress = progress}});
    ask_engine(work);
    const WallTime moved_at = now;
    EXPECT_EQ(store->begin()->job(held[0].job->id)->progress.done, 0) << "no row is written for each step";
    now += 1s;
    ASSERT_TRUE(ask_engine(CancelJob{held[0].job->id, "default", "somebody"}));
    const Event told = last_event(held[0].job->id);
    ASSERT_TRUE(told.told);
    EXPECT_EQ(told.told->job->progress.done, 1);
    EXPECT_EQ(told.told->job->progress_at, moved_at);
}

TEST_F(Telling, AJobOfAPausedQueueOrSourceIsToldAsPaused)
{
    add_reports();
    start();
    ASSERT_TRUE(ask_engine(PauseQueue{"mails", true, "default", "somebody"}));
    ASSERT_TRUE(ask_engine(PauseSource{"reports", true, "default", "somebody"}));
    EXPECT_TRUE(last_event(add_one("mails")).told->paused);
    EXPECT_FALSE(last_event(add_one("letters")).told->paused);
    EXPECT_TRUE(last_event(refresh("reports").job->id).told->paused);
    EXPECT_FALSE(last_event(refresh("prices").job->id).told->paused);
}

TEST_F(Telling, ASmallJobIsToldByItsValuesAndALargeOneByItsText)
{
    start();
    const Event small = last_event(add_one("mails"));
    EXPECT_TRUE(small.told);
    EXPECT_EQ(small.data, "");
    const Event large = last_event(add_one(task("mails", "\"" + std::string(2000, 'x') + "\"")));
    EXPECT_FALSE(large.told);
    EXPECT_THAT(large.data, HasSubstr("\"topic\":\"job/"));
}

TEST_F(Telling, ABeatsNewLeaseStandsInWhatIsToldOfItsWorker)
{
    start();
    add_one("mails");
    const auto held = claim_from("mails");
    now += 15s;
    const auto lease = beat(held).answers.at(0).lease_until;
    ASSERT_EQ(lease, now + 30s);
    ASSERT_TRUE(ask_engine(DrainWorker{"w1", "*", "somebody"}));
    const auto& workers = notices.back()->workers;
    ASSERT_EQ(workers.size(), 1u);
    EXPECT_EQ(workers[0]->jobs.at(0).lease_until, lease);
}

TEST_F(Telling, AChangeOfAKeySaysWhichRefreshIsUnderWay)
{
    start();
    const Asked asked = refresh();
    EXPECT_THAT(last_event("data/prices").data, HasSubstr(to_text(asked.job->id)));
    complete(claim().at(0), "[1]");
    EXPECT_THAT(last_event("data/prices").data, Not(HasSubstr("\"flight\":{")));
}

TEST_F(Telling, AKeyKnowsTheLastOfItsJobsThatEnded)
{
    start();
    const Asked first = refresh();
    const auto flight = claim();
    EXPECT_EQ(key().last_job, JobId{});
    const Asked second = refresh();
    complete(flight.at(0), "[1]");
    EXPECT_EQ(key().last_job, first.job->id);
    ask_engine(CancelJob{second.job->id, "default", "somebody"});
    EXPECT_EQ(key().last_job, second.job->id);
}

TEST_F(Telling, AReceiptSaysWhatWasPublishedOrWhereTheLastGoodIs)
{
    source("prices").retry.attempts = 1;
    start();
    const auto receipt = [&](bool good) {
        const JobId id = refresh().job->id;
        const auto flight = claim();
        if (good)
            complete(flight.at(0), "[1]");
        else
            fail(flight.at(0));
        return job(id).receipt;
    };
    EXPECT_THAT(receipt(false), Not(HasSubstr("/v1/data/prices"))) << "there is no last good yet";
    EXPECT_THAT(receipt(true), HasSubstr("\"gen\":1"));
    EXPECT_THAT(receipt(false), HasSubstr("/v1/data/prices"));
}

TEST_F(Telling, RefreshesAreCountedOnceTheyEndAndCommitsWhenSomethingIsKept)
{
    start();
    step();
    const auto figure = [&](const std::string& name) {
        const std::string text = '\n' + metrics->text();
        const auto at = text.find('\n' + name);
        return at == std::string::npos ? -1 : std::stoi(text.substr(text.find(' ', at + 1)));
    };
    const int commits = figure("freshet_commits_total");
    step();
    EXPECT_EQ(figure("freshet_commits_total"), commits) << "nothing was kept";
    refresh();
    EXPECT_EQ(figure("freshet_commits_total"), commits + 1);
    const auto flight = claim();
    EXPECT_EQ(figure("freshet_refreshes_total"), -1) << "it has not ended";
    complete(flight.at(0), "[1]");
    EXPECT_EQ(figure("freshet_refreshes_total"), 1);
}

TEST_F(Telling, ABreakerIsOneHostsWhereTheUrlNamesTheHostByAParameter)
{
    auto& prices = source("prices");
    prices.params = {{"shop", {"a", "b"}, ""}};
    prices.http.url = "https://{shop}.example.com/prices";
    prices.retry.attempts = 1;
    start();
    open_breaker("prices/a");
    EXPECT_EQ(ask(refresh_of("prices/a")).error().refusal, Refusal::limited);
    EXPECT_TRUE(ask(refresh_of("prices/b"))) << "another origin";
}

TEST_F(Telling, AProbeThatAPersonCancelledOpensTheBreakerAgain)
{
    source("prices").retry.attempts = 1;
    start();
    open_breaker("prices");
    now += 61s;
    refresh();
    const auto probe = claim();
    ask_engine(CancelJob{probe.at(0).job->id, "default", "somebody"});
    fail(probe[0], ErrorClass::cancelled);
    EXPECT_EQ(job(probe[0].job->id).state, JobState::cancelled);
    EXPECT_EQ(ask(refresh_of()).error().refusal, Refusal::limited) << "nobody knows yet that the source is well";
    now += 61s;
    refresh();
    EXPECT_EQ(claim().size(), 1u);
}

TEST_F(Telling, ABulkActGoesOnWhereNothingElseLives)
{
    start();
    const JobId id = add_one("mails");
    ASSERT_TRUE(end(failed(claim_from("mails").at(0), ErrorClass::fatal)));
    ASSERT_EQ(job(id).state, JobState::failed);
    BulkJobs bulk{.tenant = "default", .caller = "x", .action = BulkAction::retry, .filter = {}, .dry_run = false};
    bulk.filter.state = JobState::failed;
    const Reply reply = ask_engine(bulk);
    for (auto wake = step(); wake && *wake <= now; wake = step()) {
    }
    EXPECT_EQ(job(id).state, JobState::queued);
    EXPECT_EQ(job(std::get<Counted>(reply.value()).job->id).state, JobState::succeeded);
}

TEST_F(Telling, AJobKnowsHowLongThreeOrMoreBeforeItTookAlsoAfterARestart)
{
    start();
    const auto take = [&](Millis length) {
        add_one("mails");
        const auto held = claim_from("mails");
        refresh();
        const auto flight = claim();
        now += length;
        end(done(held.at(0)));
        complete(flight.at(0), "[1]");
        return std::pair{held[0].job->took_p50, flight[0].job->took_p50};
    };
    for (int i = 0; i < 3; ++i) EXPECT_EQ(take(10s).first, std::nullopt);
    EXPECT_EQ(take(10s), (std::pair<std::optional<Millis>, std::optional<Millis>>{10s, 10s}));
    start();
    EXPECT_EQ(take(10s), (std::pair<std::optional<Millis>, std::optional<Millis>>{10s, 10s}));
}

} // namespace
} // namespace freshet
