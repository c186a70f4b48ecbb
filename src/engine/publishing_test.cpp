// SPDX-License-Identifier: Apache-2.0
// What a key keeps of how its refreshes ended: times, validators, diffs, payloads, held results, rests.
#include "engine/engine_world.hpp"
#include "engine/payload_world.hpp"

#include <gmock/gmock.h>

namespace freshet {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

struct Publishing : ::testing::Test, EngineWorld {
    Reply end_with(PreparedResult result)
    {
        refresh();
        const auto flight = claim();
        now += 1s;
        return ask_engine(CompleteJob{flight.at(0).job->id, flight[0].job->fence, std::move(result)});
    }
    /// The source said that nothing changed.
    static PreparedResult unchanged(Validators validators = {})
    {
        PreparedResult result;
        result.data.validators = std::move(validators);
        return result;
    }
    void end_large(const ClaimedJob& flight, const std::string& json)
    {
        std::optional<Reply> got;
        std::vector<Posted> group;
        group.push_back({CompleteJob{flight.job->id, flight.job->fence, result_of(json, 1)}, -1,
                         [&](Reply reply) { got = std::move(reply); }});
        step(std::move(group));
        for (int i = 0; i < 10 && !got; ++i) step();
        EXPECT_TRUE(got.has_value());
    }
    std::string last_change() const
    {
        for (auto notice = notices.rbegin(); notice != notices.rend(); ++notice)
            for (const auto& told : (*notice)->events)
                for (const LedgerEntry& entry : told.entries)
                    if (entry.event.topic == "data/prices") return entry.event.data;
        return {};
    }
    const std::string large = "[\"" + std::string(1'000'000, 'x') + "\"]";
};

TEST_F(Publishing, TheSourcesOwnTimeStaysWithTheDataItWasGivenFor)
{
    start();
    const WallTime own = now - 3h;
    PreparedResult first = result_of("[1]", 1);
    first.data.as_of = own;
    end_with(first);
    EXPECT_EQ(key().as_of, own);
    EXPECT_EQ(key().as_of_by, AsOfBy::source);
    end_with(unchanged());
    EXPECT_EQ(key().as_of, own) << "nothing newer was said";
    EXPECT_EQ(key().checked_at, now - 1s);
    end_with(result_of("[2]", 1));
    EXPECT_EQ(key().as_of, now - 1s) << "the beginning of the fetch, where the source says nothing";
    EXPECT_EQ(key().as_of_by, AsOfBy::fetch);
    end_with(unchanged());
    EXPECT_EQ(key().as_of, now - 1s);
    EXPECT_EQ(key().as_of_by, AsOfBy::fetch);
}

TEST_F(Publishing, ValidatorsAreThoseOfTheLastAnswerThatHadSome)
{
    start();
    PreparedResult first = result_of("[1]", 1);
    first.data.validators = {"\"a\"", ""};
    end_with(first);
    EXPECT_EQ(key().etag, "\"a\"");
    end_with(unchanged());
    EXPECT_EQ(key().etag, "\"a\"");
    end_with(unchanged({"", "yesterday"}));
    EXPECT_EQ(key().etag, "");
    EXPECT_EQ(key().last_modified, "yesterday");
    end_with(result_of("[2]", 1));
    EXPECT_EQ(key().last_modified, "") << "a new document without any";
}

TEST_F(Publishing, AFlightSendsValidatorsOfItsOwnDefinitionOnly)
{
    start();
    PreparedResult first = result_of("[1]", 1);
    first.data.validators = {"\"a\"", ""};
    end_with(first);
    refresh();
    auto flight = claim();
    EXPECT_EQ(flight.at(0).validators.etag, "\"a\"");
    EXPECT_TRUE(flight[0].forced) << "a person asked";
    complete(flight[0], "[1]");
    source("prices").hash = 99;
    ask_engine(Reconfigure{definitions});
    AskRefresh stale = refresh_of();
    stale.trigger = Trigger::stale;
    ask(stale);
    flight = claim();
    EXPECT_EQ(flight.at(0).validators.etag, "");
    EXPECT_FALSE(flight[0].forced);
}

TEST_F(Publishing, ADiffIsToldOnlyWhereItIsAgainstTheVersionThatWasReplaced)
{
    start();
    const auto changed = [&](std::int64_t base, const std::string& json) {
        PreparedResult result = result_of(json, 3);
        result.base_ver = base;
        result.counts = {.added = 1, .removed = 0, .changed = 0, .total = 3};
        result.diff = R"({"ops":[]})";
        end_with(result);
        return last_change();
    };
    changed(0, "[1]");
    const std::string against_last = changed(1, "[2]");
    EXPECT_THAT(against_last, HasSubstr("\"diff\":{\"ops\":[]}"));
    EXPECT_THAT(against_last, HasSubstr("\"counts\":{\"added\":1"));
    const std::string against_other = changed(1, "[3]");
    EXPECT_THAT(against_other, Not(HasSubstr("\"diff\"")));
    EXPECT_THAT(against_other, Not(HasSubstr("\"counts\"")));
}

TEST_F(Publishing, BytesThatAreNotPublishedAreDropped)
{
    start();
    refresh();
    end_large(claim().at(0), large);
    EXPECT_EQ(payloads_of(*store), 1);
    const std::int64_t first = key().payload;
    refresh();
    end_large(claim().at(0), large);
    EXPECT_EQ(payloads_of(*store), 1) << "the same content again";
    EXPECT_EQ(key().payload, first);
    refresh();
    const auto lost = claim();
    now += 31s;
    step();
    const auto next = claim();
    end_large(lost.at(0), "[2," + large.substr(1));
    EXPECT_EQ(payloads_of(*store), 1) << "refused: it lost its lease";
    complete(next.at(0), "[1]");
    EXPECT_EQ(payloads_of(*store), 2);
    refresh();
    const auto purged = claim();
    ask_engine(PurgeKey{"default", "prices", "prices", PurgeMode::hard, "somebody"});
    end_large(purged.at(0), "[3," + large.substr(1));
    EXPECT_EQ(job(purged[0].job->id).error->code, "purged");
    EXPECT_EQ(payloads_of(*store), 0);
}

TEST_F(Publishing, BytesOfAnEndThatIsSaidAgainAreDropped)
{
    start();
    refresh();
    const auto flight = claim();
    end_large(flight.at(0), large);
    end_large(flight.at(0), large);
    EXPECT_EQ(key().gen, 1);
    EXPECT_EQ(payloads_of(*store), 1);
}

TEST_F(Publishing, AHeldResultIsTheLastOneAndKnowsSinceWhenItsContentIsHeld)
{
    source("prices").guard.shrink = 0.5;
    start();
    end_with(result_of("[1,2,3,4]", 4));
    end_with(result_of("[1]", 1));
    const HeldResult first = key().held.value();
    EXPECT_EQ(first.held_at, now);
    EXPECT_EQ(first.rows, 1);
    EXPECT_EQ(first.bytes, 3);
    EXPECT_EQ(key().retry_at, now + source("prices").retry.max_wait) << "readers do not ask at once for the same again";
    EXPECT_EQ(payloads_of(*store), 2);
    end_with(result_of("[1]", 1));
    EXPECT_EQ(key().held->held_at, first.held_at);
    EXPECT_EQ(payloads_of(*store), 2) << "the one before goes";
    end_with(result_of("[2]", 1));
    EXPECT_EQ(key().held->held_at, now) << "another content";
    end_with(result_of("[5,6,7,8]", 4));
    EXPECT_FALSE(key().held);
    EXPECT_EQ(key().retry_at, std::nullopt);
}

TEST_F(Publishing, AFailureForGoodRestsForTheLongestWaitOrAsLongAsTheSourceSaid)
{
    auto& prices = source("prices");
    prices.retry.attempts = 2;
    start();
    refresh();
    fail(claim().at(0), ErrorClass::fatal);
    EXPECT_EQ(key().retry_at, now + prices.retry.max_wait);
    EXPECT_FALSE(key().parked);
    EXPECT_EQ(key().attempts, 1);
    EXPECT_EQ(key().last_outcome, Outcome::failed);
    refresh();
    fail(claim().at(0), ErrorClass::rate_limited, 2h);
    EXPECT_TRUE(key().parked);
    EXPECT_EQ(live().at(0).due_at, key().retry_at) << "it waits for its next try";
    EXPECT_GE(key().retry_at, now + 2h);
    now = *key().retry_at;
    end_with(result_of("[1]", 1));
    EXPECT_EQ(key().attempts, 0);
    EXPECT_FALSE(key().parked);
    EXPECT_EQ(key().error, std::nullopt);
}

TEST_F(Publishing, AnEndSaidAgainIsAnsweredAgainAndAnotherEndIsRefused)
{
    source("prices").retry.attempts = 1;
    start();
    refresh();
    const auto flight = claim();
    ASSERT_TRUE(fail(flight.at(0)));
    EXPECT_TRUE(fail(flight[0])) << "the answer was lost";
    EXPECT_EQ(key().attempts, 1);
    FailJob other{flight[0].job->id, flight[0].job->fence, {ErrorClass::fatal, "other", "something else", {}, {}}};
    EXPECT_EQ(ask_engine(other).error().refusal, Refusal::lease_lost);
    other.fence = 0;
    EXPECT_EQ(ask_engine(other).error().refusal, Refusal::lease_lost);
    refresh();
    const auto cancelled = claim();
    ask_engine(CancelJob{cancelled.at(0).job->id, "default", "somebody"});
    ASSERT_TRUE(fail(cancelled[0], ErrorClass::cancelled));
    EXPECT_TRUE(fail(cancelled[0], ErrorClass::cancelled)) << "in whatever words";
    refresh();
    const auto forced = claim();
    ask_engine(CancelJob{forced.at(0).job->id, "default", "somebody"});
    now += 31s;
    step();
    ASSERT_TRUE(job(forced[0].job->id).forced);
    EXPECT_FALSE(fail(forced[0], ErrorClass::cancelled)) << "the server said so, not the worker";
    EXPECT_EQ(ask_engine(other).error().refusal, Refusal::lease_lost);
}

TEST_F(Publishing, ARunnerThatStopsOfItsOwnAccordHandsItsFlightBack)
{
    start();
    const JobId id = refresh().job->id;
    const auto flight = claim();
    ASSERT_TRUE(fail(flight.at(0), ErrorClass::cancelled));
    EXPECT_EQ(job(id).state, JobState::queued);
    EXPECT_EQ(key().attempts, 0) << "that is no failure of the source";
    now += 1min;
    EXPECT_EQ(claim().size(), 1u);
}

TEST_F(Publishing, ThatAWorkerWasLostIsTheServersToSay)
{
    queue("mails");
    start();
    const JobId id = add_one("mails");
    ASSERT_TRUE(end(failed(claim_from("mails").at(0), ErrorClass::lost)));
    EXPECT_EQ(job(id).lost, 0);
    EXPECT_EQ(job(id).error->error_class, ErrorClass::retryable);
}

TEST_F(Publishing, WarmsTheKeysOfTheSameParametersAndOfThoseThatHaveMoreTheOnesThatAreThere)
{
    const std::vector<std::string> cities{"a", "b"};
    source("prices").params = {{"city", cities, ""}};
    auto& totals = source("totals");
    totals.after = {"prices"}, totals.params = {{"city", cities, ""}};
    auto& wider = source("offers");
    wider.after = {"prices"}, wider.params = {{"shop", {"x", "y"}, ""}, {"city", cities, ""}};
    source("other").params = {{"city", cities, ""}};
    start();
    for (const char* text : {"offers/x/a", "offers/y/a", "offers/x/b", "other/a"}) {
        refresh(text);
        complete(claim().at(0), "[0]");
    }
    refresh("prices/a");
    complete(claim().at(0), "[1]");
    std::vector<std::string> warmed;
    for (const ClaimedJob& one : claim()) warmed.push_back(one.job->key);
    EXPECT_THAT(warmed, testing::UnorderedElementsAre("totals/a", "offers/x/a", "offers/y/a"));
}

TEST_F(Publishing, ATryThatWillBeRepeatedHasNoReceiptAndNoOutcomeYet)
{
    source("prices").retry.attempts = 2;
    start();
    const JobId id = refresh().job->id;
    fail(claim().at(0));
    EXPECT_EQ(job(id).receipt, "");
    EXPECT_EQ(key().last_outcome, std::nullopt);
    now += 10min;
    fail(claim().at(0));
    EXPECT_NE(job(id).receipt, "");
    EXPECT_EQ(key().last_outcome, Outcome::failed);
}

TEST_F(Publishing, HeldBytesCountForTheTenantsStorage)
{
    source("prices").guard.shrink = 0.5;
    auto changed = std::make_shared<Definitions>(*definitions);
    changed->tenants["default"].name = "default";
    changed->tenants["default"].limits.storage_bytes = 100'000;
    definitions = changed;
    start();
    end_with(result_of("[\"" + std::string(60'000, 'x') + "\"]", 4));
    end_with(result_of("[\"" + std::string(50'000, 'y') + "\"]", 1));
    EXPECT_EQ(ask(refresh_of()).error().refusal, Refusal::storage_full);
    ask_engine(DecideHeld{"default", "prices", "prices", false, key().held->job, "somebody"});
    EXPECT_TRUE(ask(refresh_of()));
}

TEST_F(Publishing, AHeldResultIsAcceptedAlsoOnceItsJobIsGone)
{
    source("rates").after = {"prices"};
    start();
    end_with(result_of("[1,2]", 2));
    for (const ClaimedJob& one : claim()) complete(one, "[1]");
    end_with(result_of("[]", 0));
    const HeldResult held = key().held.value();
    auto t = store->begin();
    t->drop_job(held.job);
    t->commit();
    t.reset();
    DecideHeld accept{"default", "prices", "prices", true, {}, "somebody"};
    ASSERT_TRUE(ask_engine(accept));
    EXPECT_EQ(key().ver, 2);
    EXPECT_EQ(key().rows, 0);
    EXPECT_EQ(key().checked_at, held.held_at) << "when it was read at the latest";
    EXPECT_EQ(live("rates").size(), 1u) << "what comes after the source is asked for";
    EXPECT_EQ(ask_engine(accept).error().refusal, Refusal::no_held);
}

TEST_F(Publishing, AHeldResultThatNewerDataOvertookIsNotAccepted)
{
    start();
    end_with(result_of("[1,2]", 2));
    end_with(result_of("[]", 0));
    DecideHeld accept{"default", "prices", "prices", true, JobId{1}, "somebody"};
    EXPECT_EQ(ask_engine(accept).error().refusal, Refusal::held_changed) << "another one was looked at";
    ask_engine(PurgeKey{"default", "prices", "prices", PurgeMode::hard, "somebody"});
    EXPECT_FALSE(key().held);
    EXPECT_EQ(payloads_of(*store), 0);
    EXPECT_EQ(ask_engine(accept).error().refusal, Refusal::no_held);
}

TEST_F(Publishing, EveryPurgeButAHardOneAsksForNewData)
{
    start();
    end_with(result_of("[1]", 1));
    const auto purge = [&](PurgeMode mode) {
        return std::get<Purged>(ask_engine(PurgeKey{"default", "prices", "prices", mode, "somebody"}).value()).job;
    };
    EXPECT_FALSE(purge(PurgeMode::hard));
    EXPECT_TRUE(live().empty());
    const JobId asked = purge(PurgeMode::soft);
    ASSERT_EQ(live().size(), 1u);
    EXPECT_EQ(live()[0].id, asked);
    EXPECT_EQ(purge(PurgeMode::refresh), asked) << "one flight for both";
}

TEST_F(Publishing, WhoAcceptsAHeldResultIsShownItAndSoIsEveryReader)
{
    start();
    end_with(result_of("[1,2]", 2));
    end_with(result_of("[]", 0));
    const Reply accepted = ask_engine(DecideHeld{"default", "prices", "prices", true, {}, "somebody"});
    ASSERT_TRUE(accepted);
    const auto view = std::get<HeldDecided>(*accepted).view;
    ASSERT_TRUE(view->body);
    EXPECT_EQ(view->body->bytes, "[]");
    ASSERT_EQ(notices.back()->keys.size(), 1u);
    ASSERT_TRUE(notices.back()->keys[0]->body);
    EXPECT_EQ(notices.back()->keys[0]->body->bytes, "[]");
}

} // namespace
} // namespace freshet
