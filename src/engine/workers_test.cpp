// SPDX-License-Identifier: Apache-2.0
// What is known of remote workers: who is alive, silent or asked to stop, and how often that is told.
#include "engine/workers.hpp"

#include <gmock/gmock.h>

namespace freshet {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

struct KnownWorkers : ::testing::Test {
    bool claim(const std::string& worker, int slots = 1, const std::string& tenant = "*")
    {
        ClaimWork work{.worker = worker, .queues = {"mails"}, .slots = slots};
        work.tenant = tenant, work.host = "host", work.sdk = "test";
        return workers.claim(work, lease, now);
    }
    static Job job(std::int64_t id, const std::string& worker = "w1", const std::string& tenant = "acme")
    {
        Job made;
        made.id = JobId{id}, made.worker = worker, made.tenant = tenant, made.fence = 7, made.state = JobState::running;
        return made;
    }
    void beat(const std::string& worker = "w1", bool ready = false)
    {
        workers.beat(worker, "*", now, [&](const WorkerView&) { return ready; });
    }
    /// What is told now: "w1 alive 2" is a worker with two jobs.
    std::vector<std::string> told()
    {
        workers.look(now);
        std::vector<std::string> words;
        for (const auto& view : workers.changed(now))
            words.push_back(view->id + ' ' + std::string{to_text(view->state)} + ' ' +
                            std::to_string(view->jobs.size()));
        return words;
    }

    Workers workers;
    WallTime now = from_ms(1'790'000'000'000);
    const Millis lease = 30s;
};

TEST_F(KnownWorkers, AreToldWhenTheyComeAndWhenWhatTheySayOfThemselvesChanges)
{
    ASSERT_TRUE(claim("w1"));
    EXPECT_THAT(told(), ElementsAre("w1 alive 0"));
    claim("w1");
    EXPECT_THAT(told(), IsEmpty()) << "the same again";
    claim("w1", 2);
    EXPECT_THAT(told(), ElementsAre("w1 alive 0")) << "more slots";
    beat();
    EXPECT_THAT(told(), IsEmpty());
}

TEST_F(KnownWorkers, AreToldOfTheirJobsFourTimesASecondAtMostAndThenOfAll)
{
    claim("w1", 5);
    told();
    now += 1s;
    workers.hold(job(1));
    EXPECT_THAT(told(), ElementsAre("w1 alive 1"));
    now += 100ms;
    workers.hold(job(2));
    workers.hold(job(3));
    EXPECT_THAT(told(), IsEmpty());
    EXPECT_EQ(workers.next_wake(), now + 150ms) << "somebody must tell it then";
    now += 150ms;
    EXPECT_THAT(told(), ElementsAre("w1 alive 3"));
    now += 10ms;
    workers.let_go(job(1));
    workers.drain("w1", "*");
    EXPECT_THAT(told(), ElementsAre("w1 draining 2")) << "a state at once, and with it the jobs";
    now += 1s;
    workers.let_go(job(2)), workers.let_go(job(3));
    EXPECT_THAT(told(), ElementsAre("w1 draining 0"));
    EXPECT_THAT(told(), IsEmpty());
}

TEST_F(KnownWorkers, EachIsToldOnItsOwnTime)
{
    claim("w1"), claim("w2");
    told();
    now += 100ms;
    workers.hold(job(1, "w1"));
    now += 50ms;
    told();
    claim("w3", 2); // told at once
    told();
    now += 50ms; // 200 ms after w1 and w2 were told, 50 after w3
    workers.hold(job(2, "w3"));
    told();
    EXPECT_EQ(workers.next_wake(), now + 50ms) << "the first of them";
    now += 50ms;
    EXPECT_THAT(told(), ElementsAre("w1 alive 1"));
    now += 150ms;
    EXPECT_THAT(told(), ElementsAre("w3 alive 1"));
}

TEST_F(KnownWorkers, F7SilentForALeaseIsLostThenForgottenUnlessItHoldsAJob)
{
    claim("w1", 2), claim("w2");
    workers.hold(job(1));
    told();
    now += 29s;
    EXPECT_THAT(told(), IsEmpty());
    EXPECT_EQ(workers.next_wake(), now + 1s);
    now += 1s;
    EXPECT_THAT(told(), ElementsAre("w1 lost 1", "w2 lost 0"));
    now += 9min + 59s;
    EXPECT_THAT(told(), IsEmpty());
    now += 1s;
    EXPECT_THAT(told(), ElementsAre("w2 gone 0"));
    workers.let_go(job(1));
    now += 2s;
    EXPECT_THAT(told(), ElementsAre("w1 gone 0"));
    EXPECT_EQ(workers.next_wake(), std::nullopt) << "nobody is left to look after";
    EXPECT_FALSE(workers.drain("w1", "*"));
}

TEST_F(KnownWorkers, OneThatIsLostAndSpeaksIsAliveAgain)
{
    claim("w1");
    now += 31s;
    EXPECT_THAT(told(), ElementsAre("w1 lost 0"));
    beat();
    EXPECT_THAT(told(), ElementsAre("w1 alive 0"));
    now += 29s;
    EXPECT_THAT(told(), IsEmpty());
}

TEST_F(KnownWorkers, AnOpenClaimIsASignOfLifeForAsLongAsItIsOpen)
{
    claim("w1");
    workers.set_open("w1", "*", true, now);
    told();
    for (int i = 0; i < 10; ++i) {
        now += 30s;
        EXPECT_THAT(told(), IsEmpty());
    }
    workers.set_open("w1", "*", false, now);
    now += 29s;
    EXPECT_THAT(told(), IsEmpty());
    now += 1s;
    EXPECT_THAT(told(), ElementsAre("w1 lost 0"));
    workers.set_open("w9", "*", true, now); // the server's own runner, which is none of these
    EXPECT_THAT(told(), IsEmpty());
}

TEST_F(KnownWorkers, OneThatBeatsThreeTimesWithReadyWorkAndDoesNotClaimIsDeaf)
{
    claim("w1");
    beat("w1", true), beat("w1", true);
    beat("w1", false); // there was nothing for it
    beat("w1", true), beat("w1", true);
    EXPECT_FALSE(workers.deaf("w1", "*"));
    beat("w1", true);
    EXPECT_TRUE(workers.deaf("w1", "*"));
    claim("w1");
    EXPECT_FALSE(workers.deaf("w1", "*"));
    workers.set_open("w1", "*", true, now);
    for (int i = 0; i < 5; ++i) beat("w1", true);
    EXPECT_FALSE(workers.deaf("w1", "*")) << "its claim is open";
    EXPECT_FALSE(workers.deaf("w9", "*"));
}

TEST_F(KnownWorkers, ADrainingOneStaysSoHoweverItBeatsAndClaims)
{
    claim("w1");
    EXPECT_TRUE(workers.drain("w1", "*"));
    for (int i = 0; i < 4; ++i) beat("w1", true);
    claim("w1");
    EXPECT_TRUE(workers.draining("w1", "*"));
    EXPECT_FALSE(workers.deaf("w1", "*"));
    EXPECT_FALSE(workers.draining("w9", "*"));
}

TEST_F(KnownWorkers, F9AreTheirTenantsAndShowNobodyElsesJobs)
{
    claim("w1", 1, "acme"), claim("w1", 1, "globex"), claim("w1", 5, "*");
    workers.hold(job(1, "w1", "acme")), workers.hold(job(2, "w1", "acme")), workers.hold(job(3, "w1", "globex"));
    std::vector<std::string> words;
    for (const auto& view : workers.changed(now))
        words.push_back(view->tenant + ' ' + std::to_string(view->jobs.size()));
    EXPECT_THAT(words, ElementsAre("* 3", "acme 2", "globex 1"));
    EXPECT_EQ(workers.held("w1", "acme").size(), 2U);
    EXPECT_EQ(workers.held("w1", "*").size(), 3U);
    EXPECT_THAT(workers.held("w2", "*"), IsEmpty());
    EXPECT_TRUE(workers.drain("w1", "globex"));
    EXPECT_TRUE(workers.draining("w1", "globex"));
    EXPECT_FALSE(workers.draining("w1", "acme"));
    EXPECT_FALSE(workers.drain("w1", "umbrella"));
}

TEST_F(KnownWorkers, CountTheSlotsOfWhatTheyHoldToThoseTheyOffer)
{
    claim("w1", 3);
    workers.hold(job(1)), workers.hold(job(2));
    claim("w1", 1);
    EXPECT_EQ(workers.changed(now).at(0)->slots, 3) << "one free and two in use";
    workers.let_go(job(1));
    workers.let_go(job(1)); // said twice
    workers.let_go(job(9, "w9"));
    EXPECT_EQ(workers.held("w1", "*").size(), 1U);
}

TEST_F(KnownWorkers, AreNoMoreThanTheServerCanKnow)
{
    for (std::size_t i = 0; i < Workers::workers_max; ++i) ASSERT_TRUE(claim("w" + std::to_string(i)));
    EXPECT_FALSE(claim("one more"));
    EXPECT_TRUE(claim("w1")) << "a known one";
}

} // namespace
} // namespace freshet
