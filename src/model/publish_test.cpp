// SPDX-License-Identifier: Apache-2.0
#include "model/publish.hpp"

#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

namespace freshet {
namespace {

using testing::HasSubstr;

const WallTime t0 = from_ms(1'790'000'000'000);
const Hash128 published_hash{1, 1}, other_hash{2, 2};

SourceDefinition source(GuardPolicy guard = {})
{
    SourceDefinition made;
    made.hash = 7;
    made.guard = guard;
    return made;
}

// A hundred rows, read under fence 10.
KeyRecord published()
{
    KeyRecord record;
    record.gen = record.ver = 3;
    record.has_data = true;
    record.data_fence = 10;
    record.definition = 7;
    record.hash = published_hash;
    record.rows = 100;
    record.as_of = t0 - 1h;
    record.as_of_by = AsOfBy::source;
    record.checked_at = t0 - 1h;
    return record;
}

Candidate candidate(std::int64_t rows = 100)
{
    Candidate made;
    made.hash = other_hash;
    made.rows = rows;
    made.data_fence = 20;
    made.definition = 7;
    return made;
}

// "new", "same", the word of a hold, or the code of a refusal with "?" where the job may be tried again.
std::string word(const PublishDecision& decision)
{
    if (const auto* publish = std::get_if<PublishIt>(&decision)) return publish->new_version ? "new" : "same";
    if (const auto* hold = std::get_if<HoldIt>(&decision)) return std::string{to_text(hold->reason)};
    const auto& refuse = std::get<RefuseIt>(decision);
    EXPECT_FALSE(refuse.message.empty());
    return refuse.code + (refuse.again ? "?" : "");
}

std::string decide(const Candidate& made, const KeyRecord& record = published(), GuardPolicy guard = {})
{
    return word(decide_publish(record, made, source(guard), t0));
}

std::string message(const Candidate& made, GuardPolicy guard = {})
{
    return std::get<HoldIt>(decide_publish(published(), made, source(guard), t0)).message;
}

TEST(Publish, F4MakesANewVersionExactlyWhenTheContentDiffers)
{
    EXPECT_EQ(decide(candidate()), "new");
    Candidate same = candidate();
    same.hash = published_hash;
    EXPECT_EQ(decide(same), "same");
    EXPECT_EQ(decide(same, KeyRecord{}), "new") << "the first one";
    KeyRecord deleted = published();
    deleted.has_data = false;
    EXPECT_EQ(decide(same, deleted), "new") << "a deleted key has nothing that could be the same";
}

// Everything is wrong at once; each row takes the first wrong thing away and the next one is told.
TEST(Publish, F8TellsTheFirstThingThatIsWrong)
{
    KeyRecord record = published();
    record.gone_seq = 30;
    record.data_fence = 25;
    GuardPolicy guard;
    guard.min_rows = 10;
    guard.min_rows_known = 50;
    Candidate made = candidate(0);
    made.definition = 8;
    made.wrong_shape = true;
    made.as_of = t0 + 1h;
    EXPECT_EQ(decide(made, record, guard), "purged");
    record.gone_seq = 0;
    EXPECT_EQ(decide(made, record, guard), "definition_changed?");
    made.definition = 7;
    EXPECT_EQ(decide(made, record, guard), "older_data");
    record.data_fence = 10;
    EXPECT_EQ(decide(made, record, guard), "wrong_shape");
    made.wrong_shape = false;
    EXPECT_EQ(decide(made, record, guard), "as_of_future");
    made.as_of = t0 - 2h;
    EXPECT_EQ(decide(made, record, guard), "as_of_back");
    made.as_of = t0;
    EXPECT_EQ(decide(made, record, guard), "empty");
    made.rows = 9;
    EXPECT_EQ(decide(made, record, guard), "shrunk") << "min_rows";
    made.rows = 10;
    EXPECT_EQ(decide(made, record, guard), "shrunk") << "min_rows_known";
    made.rows = 50;
    EXPECT_EQ(decide(made, record, guard), "new");
}

TEST(Publish, RefusesWhatWasReadAtOrBeforeAPurge)
{
    KeyRecord record = published();
    record.gone_seq = 19;
    EXPECT_EQ(decide(candidate(), record), "new");
    record.gone_seq = 20;
    EXPECT_EQ(decide(candidate(), record), "purged");
}

TEST(Publish, F4RefusesWhatIsNotNewerThanWhatIsPublished)
{
    KeyRecord record = published();
    record.data_fence = 19;
    EXPECT_EQ(decide(candidate(), record), "new");
    record.data_fence = 20;
    EXPECT_EQ(decide(candidate(), record), "older_data");
}

TEST(Publish, IsNotKeptBackByASoftPurge)
{
    KeyRecord record = published();
    record.stale_seq = 30;
    EXPECT_EQ(decide(candidate(), record), "new") << "it is published and shown as stale";
}

TEST(Publish, BelievesUnchangedOnlyOfThePublishedDataUnderTheSameDefinition)
{
    Candidate unchanged = candidate(0);
    unchanged.unchanged = true;
    EXPECT_EQ(decide(unchanged), "same") << "the guard has seen that content before";
    EXPECT_EQ(decide(unchanged, KeyRecord{}), "unchanged_without_data?");
    KeyRecord other = published();
    other.definition = 6;
    EXPECT_EQ(decide(unchanged, other), "unchanged_without_data?");
    unchanged.data_fence = 10;
    EXPECT_EQ(decide(unchanged), "older_data");
}

TEST(Guard, HoldsAnEmptyResultAfterOneWithRows)
{
    EXPECT_EQ(decide(candidate(0)), "empty");
    EXPECT_THAT(message(candidate(0)), HasSubstr("has 100 rows"));
    GuardPolicy allowing;
    allowing.allow_empty = true;
    EXPECT_EQ(decide(candidate(0), published(), allowing), "new");
    EXPECT_EQ(decide(candidate(0), KeyRecord{}), "new") << "nothing was there before";
    KeyRecord empty = published();
    empty.rows = 0;
    EXPECT_EQ(decide(candidate(0), empty), "new");
}

TEST(Guard, HoldsFewerRowsThanTheLeastWhateverWasThere)
{
    GuardPolicy guard;
    guard.min_rows = 10;
    EXPECT_EQ(decide(candidate(9), KeyRecord{}, guard), "shrunk");
    EXPECT_EQ(decide(candidate(0), KeyRecord{}, guard), "empty");
    EXPECT_EQ(decide(candidate(10), KeyRecord{}, guard), "new");
    guard.allow_empty = true;
    EXPECT_EQ(decide(candidate(0), published(), guard), "empty") << "the least is the least";
}

TEST(Guard, HoldsFewerRowsThanAreKnownToBeThere)
{
    GuardPolicy guard;
    guard.min_rows_known = 50;
    EXPECT_EQ(decide(candidate(49), published(), guard), "shrunk");
    EXPECT_EQ(decide(candidate(50), published(), guard), "new");
    KeyRecord few = published();
    few.rows = 49;
    EXPECT_EQ(decide(candidate(1), few, guard), "new") << "the last good one had no more";
}

TEST(Guard, HoldsALossOfMoreThanTheShare)
{
    GuardPolicy guard;
    guard.shrink = 0.25;
    EXPECT_EQ(decide(candidate(75), published(), guard), "new");
    EXPECT_EQ(decide(candidate(74), published(), guard), "shrunk");
    EXPECT_THAT(message(candidate(74), guard), HasSubstr("74 of 100 rows came: more than 25 %"));
    EXPECT_EQ(decide(candidate(1)), "new") << "without a share only emptiness is held";
}

TEST(Guard, BelievesTheSameShrunkContentTenMinutesLater)
{
    GuardPolicy guard;
    guard.shrink = 0.25;
    KeyRecord record = published();
    record.held.emplace();
    record.held->reason = HeldReason::shrunk;
    record.held->hash = other_hash;
    record.held->held_at = t0 - shrunk_believed_after;
    EXPECT_EQ(decide(candidate(10), record, guard), "new");
    record.held->held_at += 1ms;
    EXPECT_EQ(decide(candidate(10), record, guard), "shrunk") << "too soon";
    record.held->held_at = t0 - 1h;
    record.held->hash = {3, 3};
    EXPECT_EQ(decide(candidate(10), record, guard), "shrunk") << "other content";
    record.held->hash = other_hash;
    record.held->reason = HeldReason::as_of_back;
    EXPECT_EQ(decide(candidate(10), record, guard), "shrunk") << "held for another reason";
}

TEST(Guard, NeverBelievesEmptinessByItself)
{
    KeyRecord record = published();
    record.held.emplace();
    record.held->reason = HeldReason::empty;
    record.held->hash = other_hash;
    record.held->held_at = t0 - 24h;
    EXPECT_EQ(decide(candidate(0), record), "empty");
}

TEST(Guard, HoldsAWrongShapeInItsOwnWords)
{
    Candidate made = candidate();
    made.wrong_shape = true;
    made.shape_message = "row 3 has no field \"id\"";
    EXPECT_EQ(decide(made), "wrong_shape");
    EXPECT_EQ(message(made), made.shape_message);
    EXPECT_EQ(decide(made, KeyRecord{}), "wrong_shape") << "also the first time";
}

TEST(Guard, DoubtsATimeFurtherAheadThanFiveMinutes)
{
    Candidate made = candidate();
    made.as_of = t0 + as_of_ahead_max;
    EXPECT_EQ(decide(made), "new");
    made.as_of = t0 + as_of_ahead_max + 1ms;
    EXPECT_EQ(decide(made), "as_of_future");
    EXPECT_EQ(decide(made, KeyRecord{}), "as_of_future");
}

TEST(Guard, HoldsDataOlderThanWhatTheSourceSaidBefore)
{
    Candidate made = candidate();
    made.as_of = t0 - 1h;
    EXPECT_EQ(decide(made), "new") << "the same instant is not older";
    made.as_of = t0 - 1h - 1ms;
    EXPECT_EQ(decide(made), "as_of_back");
    KeyRecord ours = published();
    ours.as_of_by = AsOfBy::fetch;
    EXPECT_EQ(decide(made, ours), "new") << "our own fetch time is not the source's word";
    KeyRecord deleted = published();
    deleted.has_data = false;
    EXPECT_EQ(decide(made, deleted), "new");
}

// F4, F8: whatever comes, nothing older and nothing empty replaces rows without a person or the policy saying so.
RC_GTEST_PROP(Publish, F4F8NeverReplacesGoodDataByOlderOrByNothing, ())
{
    KeyRecord record = published();
    record.rows = *rc::gen::inRange<std::int64_t>(0, 50);
    record.gone_seq = *rc::gen::inRange<Seq>(0, 30);
    record.data_fence = *rc::gen::inRange<Seq>(0, 30);
    GuardPolicy guard;
    guard.min_rows = *rc::gen::inRange<std::int64_t>(0, 10);
    guard.shrink = *rc::gen::inRange(0, 5) / 4.0;
    Candidate made = candidate(*rc::gen::inRange<std::int64_t>(0, 50));
    made.unchanged = *rc::gen::arbitrary<bool>();
    made.data_fence = *rc::gen::inRange<Seq>(1, 30);
    made.definition = *rc::gen::inRange<std::uint64_t>(6, 9);
    const std::string decision = decide(made, record, guard);
    if (decision != "new" && decision != "same") return;
    RC_ASSERT(made.data_fence > record.gone_seq);
    RC_ASSERT(made.data_fence > record.data_fence);
    RC_ASSERT(made.definition == 7u);
    if (!made.unchanged) {
        RC_ASSERT(made.rows > 0 || record.rows == 0);
        RC_ASSERT(made.rows >= guard.min_rows);
        RC_ASSERT(static_cast<double>(record.rows - made.rows) <= guard.shrink * static_cast<double>(record.rows));
    }
}

} // namespace
} // namespace freshet
