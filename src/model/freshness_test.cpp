// SPDX-License-Identifier: Apache-2.0
#include "model/freshness.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace freshet {
namespace {

const WallTime t0 = from_ms(1'790'000'000'000);

// Fresh for a minute, overdue an hour later.
SourceDefinition source()
{
    SourceDefinition made;
    made.fresh_for = 1min;
    made.overdue_after = 1h;
    made.hash = 7;
    return made;
}

KeyRecord fetched_at(WallTime at)
{
    KeyRecord record;
    record.gen = record.ver = 1;
    record.has_data = true;
    record.data_fence = 10;
    record.definition = 7;
    record.checked_at = at;
    return record;
}

constexpr auto for_ever = std::optional<WallTime>{};

TEST(Freshness, F2TurnsFromFreshToStaleToOverdueByTheMillisecond)
{
    struct Row {
        Millis age;
        SnapshotState state;
        std::optional<WallTime> holds_until;
    };
    const Row rows[] = {
        {0ms, SnapshotState::fresh, t0 + 1min + 1ms},
        {1min, SnapshotState::fresh, t0 + 1min + 1ms},
        {1min + 1ms, SnapshotState::stale, t0 + 1min + 1h + 1ms},
        {1min + 1h, SnapshotState::stale, t0 + 1min + 1h + 1ms},
        {1min + 1h + 1ms, SnapshotState::overdue, for_ever},
    };
    for (const Row& row : rows) {
        const Freshness f = derive_freshness(fetched_at(t0), source(), t0 + row.age);
        EXPECT_EQ(f.state, row.state) << to_text(row.age);
        EXPECT_EQ(f.holds_until, row.holds_until) << to_text(row.age);
        EXPECT_EQ(f.age, row.age);
        EXPECT_EQ(f.stale_at, t0 + 1min);
        EXPECT_EQ(f.overdue_at, t0 + 1min + 1h);
    }
}

TEST(Freshness, F2TakesTheFirstWordThatHolds)
{
    struct Row {
        const char* what;
        bool data, in_time, marked, failed, late;
        SnapshotState state;
    };
    const Row rows[] = {
        {"no data, and everything else is wrong too", false, false, true, true, true, SnapshotState::empty},
        {"no data, though checked a moment ago", false, true, false, false, false, SnapshotState::empty},
        {"in time, though the last attempt failed", true, true, false, true, false, SnapshotState::fresh},
        {"in time but marked stale, and failing", true, true, true, true, false, SnapshotState::failing},
        {"in time but marked stale", true, true, true, false, false, SnapshotState::stale},
        {"past its time and failing", true, false, false, true, false, SnapshotState::failing},
        {"long past its time and failing", true, false, false, true, true, SnapshotState::failing},
        {"long past its time", true, false, false, false, true, SnapshotState::overdue},
        {"past its time", true, false, false, false, false, SnapshotState::stale},
    };
    for (const Row& row : rows) {
        KeyRecord record = fetched_at(t0);
        record.has_data = row.data;
        if (row.marked) record.stale_seq = record.data_fence;
        if (row.failed) record.attempts = 1;
        const Millis age = row.in_time ? 30s : row.late ? 3h : 10min;
        EXPECT_EQ(derive_freshness(record, source(), t0 + age).state, row.state) << row.what;
    }
}

TEST(Freshness, F2IsNotSaidOfDataReadAtOrBeforeASoftPurge)
{
    KeyRecord record = fetched_at(t0);
    record.stale_seq = record.data_fence - 1;
    EXPECT_EQ(derive_freshness(record, source(), t0).state, SnapshotState::fresh) << "read after it";
    record.stale_seq = record.data_fence;
    EXPECT_EQ(derive_freshness(record, source(), t0).state, SnapshotState::stale);
}

TEST(Freshness, F2IsNotSaidOfDataFetchedUnderAnotherDefinition)
{
    SourceDefinition changed = source();
    changed.hash = 8;
    const Freshness f = derive_freshness(fetched_at(t0), changed, t0);
    EXPECT_EQ(f.state, SnapshotState::stale);
    EXPECT_EQ(f.stale_at, t0 + 1min) << "the instants follow from time alone";
}

TEST(Freshness, OfAForcedFetchHasItsOwnLength)
{
    SourceDefinition made = source();
    made.fresh_for_forced = 10min;
    KeyRecord record = fetched_at(t0);
    record.trigger = Trigger::manual;
    EXPECT_EQ(derive_freshness(record, made, t0).stale_at, t0 + 10min);
    record.trigger = Trigger::schedule;
    EXPECT_EQ(derive_freshness(record, made, t0).stale_at, t0 + 1min);
    made.fresh_for_forced = 0ms;
    record.trigger = Trigger::manual;
    EXPECT_EQ(derive_freshness(record, made, t0).stale_at, t0 + 1min);
}

TEST(Freshness, OfAnEmptyKeySaysNothingElse)
{
    const Freshness f = derive_freshness(KeyRecord{}, source(), t0);
    EXPECT_EQ(f.state, SnapshotState::empty);
    EXPECT_FALSE(f.stale_at || f.overdue_at || f.holds_until);
}

TEST(Freshness, NeverGivesANegativeAge)
{
    EXPECT_EQ(derive_freshness(fetched_at(t0 + 5s), source(), t0).age, 0ms);
}

// What a cached answer relies on: until holds_until the word stays, and at it the word is another one.
RC_GTEST_PROP(Freshness, F2HoldsUntilTheInstantItNames, ())
{
    SourceDefinition made = source();
    made.fresh_for = Millis{*rc::gen::inRange(0, 100'000)};
    made.overdue_after = Millis{*rc::gen::inRange(0, 100'000)};
    KeyRecord record = fetched_at(t0);
    record.attempts = *rc::gen::inRange(0, 2);
    record.stale_seq = *rc::gen::inRange<Seq>(8, 12);
    record.definition = *rc::gen::inRange<std::uint64_t>(6, 9);
    const WallTime now = t0 + Millis{*rc::gen::inRange(0, 250'000)};
    const Freshness f = derive_freshness(record, made, now);
    const auto word = [&](WallTime at) { return derive_freshness(record, made, at).state; };
    if (f.holds_until) {
        RC_ASSERT(*f.holds_until > now);
        RC_ASSERT(word(*f.holds_until - 1ms) == f.state);
        RC_ASSERT(word(*f.holds_until) != f.state);
    } else {
        RC_ASSERT(word(now + 87'600h) == f.state);
    }
}

} // namespace
} // namespace freshet
