// SPDX-License-Identifier: Apache-2.0
// A table: what runs, what waits, how the source is, who asks and for what, and what becomes of it (F3, F5).
#include "model/ask.hpp"

#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

namespace freshet {
namespace {

using testing::HasSubstr;

const WallTime t0 = from_ms(1'790'000'000'000);
constexpr Seq head = 100;
const JobId flying{1}, waiting{2};

enum class Flight : std::uint8_t { none, older, newer, resumed, cancelling, cancelling_newer };
enum class Waits : std::uint8_t { none, due, for_a_retry, behind };
enum class Source : std::uint8_t { well, failed, parked, open, parked_and_open, all_over };
enum class Who : std::uint8_t { person, background };
enum class Wants : std::uint8_t { now, anything, of_a_minute, of_a_second };

// Each flight began ten seconds ago. `older`: claimed before the asker's head; `resumed`: goes on from an older
// checkpoint; `newer`: claimed after it.
std::optional<Job> running(Flight flight)
{
    if (flight == Flight::none) return std::nullopt;
    Job job;
    job.id = flying;
    job.state = JobState::running;
    job.began_at = t0 - 10s;
    const bool newer = flight == Flight::newer || flight == Flight::cancelling_newer;
    job.fence = job.data_fence = newer ? head + 1 : head;
    if (flight == Flight::resumed) job.data_fence = head - 50;
    if (flight == Flight::cancelling || flight == Flight::cancelling_newer) job.cancel_requested_at = t0;
    return job;
}

std::optional<Job> queued(Waits waits)
{
    if (waits == Waits::none) return std::nullopt;
    Job job;
    job.id = waiting;
    job.due_at = waits == Waits::due ? t0 : t0 + 1min;
    if (waits == Waits::behind) job.behind = flying;
    return job;
}

// One letter and what it carries: attach "a1" (to the flight) or "a2" (to what waits), with "+" where it is told of the
// head and "!" where its wait ends; enqueue "q", behind the flight "q1"; refuse "r" and its word.
std::string decide(Flight flight, Waits waits, Source source, Who who, Wants wants, bool attach_only)
{
    KeyRecord record;
    if (source != Source::well && source != Source::open) {
        record.attempts = 1;
        record.retry_at = source == Source::all_over ? t0 : t0 + 2min;
        record.parked = source != Source::failed;
    }
    std::optional<WallTime> open_until;
    if (source == Source::open || source == Source::parked_and_open) open_until = t0 + 3min;
    if (source == Source::all_over) open_until = t0;
    AskTerms terms;
    terms.read_after_now = wants != Wants::anything;
    if (wants == Wants::of_a_minute) terms.max_age = 1min;
    if (wants == Wants::of_a_second) terms.max_age = 1s;
    terms.attach_only = attach_only;
    terms.person = who == Who::person;
    terms.head = head;
    const auto flies = running(flight), queues = queued(waits);
    const AskDecision decision =
        decide_ask(record, flies ? &*flies : nullptr, queues ? &*queues : nullptr, terms, open_until, t0);
    if (const auto* attach = std::get_if<AskAttach>(&decision))
        return std::string{attach->to == flying ? "a1" : "a2"} + (attach->raise_asked ? "+" : "") +
               (attach->due_now ? "!" : "");
    if (const auto* enqueue = std::get_if<AskEnqueue>(&decision)) return enqueue->behind == flying ? "q1" : "q";
    const auto& refuse = std::get<AskRefuse>(decision);
    EXPECT_FALSE(refuse.message.empty());
    if (refuse.refusal == Refusal::limited)
        EXPECT_EQ(refuse.retry_at, refuse.message.find("too often") != std::string::npos ? t0 + 3min : t0 + 2min);
    else
        EXPECT_FALSE(refuse.retry_at);
    return "r " + std::string{to_text(refuse.refusal)};
}

TEST(Ask, IsDecidedByTheTable)
{
    using F = Flight;
    using W = Waits;
    using S = Source;
    constexpr Who person = Who::person, background = Who::background;
    constexpr Wants now = Wants::now, anything = Wants::anything;
    constexpr bool begin = false, attach = true;
    struct Row {
        const char* what;
        Flight flight;
        Waits waits;
        Source source;
        Who who;
        Wants wants;
        bool attach_only;
        const char* decision;
    };
    const Row rows[] = {
        {"nothing is under way", F::none, W::none, S::well, person, now, begin, "q"},
        {"nothing is under way, for the background", F::none, W::none, S::well, background, anything, begin, "q"},

        {"F5: the flight began after the ask", F::newer, W::none, S::well, person, now, begin, "a1"},
        {"F3: the flight began before the ask", F::older, W::none, S::well, person, now, begin, "q1"},
        {"F3: the flight goes on from an older checkpoint", F::resumed, W::none, S::well, person, now, begin, "q1"},
        {"a stale read joins any flight", F::older, W::none, S::well, background, anything, begin, "a1"},
        {"a stale read joins a resumed flight", F::resumed, W::none, S::well, background, anything, begin, "a1"},
        {"F5: all later callers share the one behind", F::older, W::behind, S::well, person, now, begin, "a2+"},
        {"a flight that is new enough is better than the one behind", F::newer, W::behind, S::well, person, now, begin,
         "a1"},
        {"nothing joins a flight that is being cancelled", F::cancelling, W::none, S::well, person, anything, begin,
         "q1"},
        {"not even a newer one", F::cancelling_newer, W::none, S::well, person, now, begin, "q1"},
        {"but the one behind it", F::cancelling, W::behind, S::well, background, anything, begin, "a2"},

        {"max_age takes a flight as young", F::older, W::none, S::well, person, Wants::of_a_minute, begin, "a1"},
        {"max_age refuses an older flight", F::older, W::none, S::well, person, Wants::of_a_second, begin, "q1"},
        {"max_age is not met by a checkpoint from before", F::resumed, W::none, S::well, person, Wants::of_a_minute,
         begin, "q1"},
        {"max_age does not matter to a newer flight", F::newer, W::none, S::well, person, Wants::of_a_second, begin,
         "a1"},
        {"max_age does not join a cancel", F::cancelling, W::none, S::well, person, Wants::of_a_minute, begin, "q1"},

        {"what waits is told of the head", F::none, W::due, S::well, person, now, begin, "a2+"},
        {"a stale read tells it nothing", F::none, W::due, S::well, background, anything, begin, "a2"},
        {"a person ends the wait for a retry", F::none, W::for_a_retry, S::failed, person, now, begin, "a2+!"},
        {"a person's stale read ends it too", F::none, W::for_a_retry, S::failed, person, anything, begin, "a2!"},
        {"the background does not", F::none, W::for_a_retry, S::failed, background, now, begin, "a2+"},
        {"what is due already needs no push", F::none, W::due, S::failed, person, now, begin, "a2+"},
        {"the one behind waits for the flight, not for its time", F::older, W::behind, S::parked, person, now, begin,
         "a2+"},

        {"a person does not wake a parked source", F::none, W::for_a_retry, S::parked, person, now, begin, "r limited"},
        {"nor one that is left alone", F::none, W::for_a_retry, S::open, person, now, begin, "r limited"},
        {"the background waits along with what waits", F::none, W::for_a_retry, S::parked, background, now, begin,
         "a2+"},
        {"and while the breaker is open", F::none, W::for_a_retry, S::open, background, anything, begin, "a2"},
        {"nothing begins on a parked source", F::none, W::none, S::parked, person, now, begin, "r limited"},
        {"for the background neither", F::none, W::none, S::parked, background, anything, begin, "r limited"},
        {"nothing begins while the breaker is open", F::none, W::none, S::open, person, now, begin, "r limited"},
        {"for the background neither", F::none, W::none, S::open, background, anything, begin, "r limited"},
        {"parked comes before open", F::none, W::none, S::parked_and_open, person, now, begin, "r limited"},
        {"what flies already may be joined", F::newer, W::none, S::parked_and_open, person, now, begin, "a1"},
        {"the background keeps away after a failure", F::none, W::none, S::failed, background, anything, begin,
         "r limited"},
        {"a person may try", F::none, W::none, S::failed, person, now, begin, "q"},
        {"what is over at this instant is over", F::none, W::none, S::all_over, background, anything, begin, "q"},
        {"and no longer keeps a person from what waits", F::none, W::for_a_retry, S::all_over, person, now, begin,
         "a2+!"},

        {"attach_only finds nothing", F::none, W::none, S::well, person, now, attach, "r not_found"},
        {"attach_only says so before anything else", F::none, W::none, S::parked_and_open, person, now, attach,
         "r not_found"},
        {"attach_only joins a newer flight", F::newer, W::none, S::well, person, now, attach, "a1"},
        {"attach_only does not join an older one", F::older, W::none, S::well, person, now, attach, "r not_found"},
        {"attach_only joins what waits", F::none, W::due, S::well, person, now, attach, "a2+"},
        {"attach_only with max_age joins a young flight", F::older, W::none, S::well, person, Wants::of_a_minute,
         attach, "a1"},
    };
    for (const Row& row : rows)
        EXPECT_EQ(decide(row.flight, row.waits, row.source, row.who, row.wants, row.attach_only), row.decision)
            << row.what;
}

TEST(Ask, SaysThatTheSourceItselfWantsToBeLeftAloneBeforeSayingThatItFails)
{
    KeyRecord record;
    record.parked = true;
    record.retry_at = t0 + 2min;
    const auto decision = decide_ask(record, nullptr, nullptr, {}, t0 + 3min, t0);
    EXPECT_THAT(std::get<AskRefuse>(decision).message, HasSubstr("asked to be left alone"));
    EXPECT_EQ(std::get<AskRefuse>(decision).retry_at, record.retry_at);
}

TEST(Ask, TakesAFlightOfExactlyMaxAge)
{
    const Job job = *running(Flight::older);
    AskTerms terms;
    terms.head = head;
    terms.max_age = 10s;
    EXPECT_TRUE(std::holds_alternative<AskAttach>(decide_ask({}, &job, nullptr, terms, {}, t0)));
    terms.max_age = 10s - 1ms;
    EXPECT_TRUE(std::holds_alternative<AskEnqueue>(decide_ask({}, &job, nullptr, terms, {}, t0)));
}

RC_GTEST_PROP(Ask, F3F5NeverJoinsOlderDataNorQueuesASecondJob, ())
{
    const auto flight = static_cast<Flight>(*rc::gen::inRange(0, 6));
    const auto waits = static_cast<Waits>(*rc::gen::inRange(0, 4));
    const auto source = static_cast<Source>(*rc::gen::inRange(0, 6));
    const auto who = static_cast<Who>(*rc::gen::inRange(0, 2));
    const bool attach_only = *rc::gen::arbitrary<bool>();
    const std::string decision = decide(flight, waits, source, who, Wants::now, attach_only);
    if (decision.starts_with("a1")) RC_ASSERT(flight == Flight::newer);
    if (decision.starts_with("a2")) RC_ASSERT(decision.starts_with("a2+"));
    if (decision.starts_with("q")) {
        RC_ASSERT(waits == Waits::none);
        RC_ASSERT(!attach_only);
        RC_ASSERT((decision == "q1") == (flight != Flight::none));
    }
}

} // namespace
} // namespace freshet
