// SPDX-License-Identifier: Apache-2.0
#include "base/ids.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace freshet {
namespace {

const WallTime t0 = from_ms(1'790'000'000'000);

TEST(JobIds, AreShownAsThirteenDigitsBehindTheirPrefix)
{
    EXPECT_EQ(to_text(JobId{1}), "j_0000000000001");
    EXPECT_EQ(to_text(JobId{31}), "j_000000000000z");
    EXPECT_EQ(to_text(JobId{32}), "j_0000000000010");
    EXPECT_EQ(to_text(JobId{INT64_MAX}), "j_7zzzzzzzzzzzz");
}

TEST(JobIds, AreReadInEitherCase)
{
    EXPECT_EQ(parse_job_id("J_000000000000Z"), JobId{31});
    EXPECT_EQ(parse_job_id("j_7zzzzzzzzzzzz"), JobId{INT64_MAX});
}

TEST(JobIds, RefuseEverythingElse)
{
    for (const auto* text :
         {"", "j_", "0000000000001", "j_000000000001", "j_00000000000001", "b_0000000000001", "j-0000000000001",
          "j_0000000000000", "j_8000000000000", "j_zzzzzzzzzzzzz", "j_00000000000i1", "j_00000000000l1",
          "j_00000000000o1", "j_00000000000u1", "j_00000000000 1", "j_0000000000001 ", "j_00000000000-1"})
        EXPECT_FALSE(parse_job_id(text)) << text;
}

RC_GTEST_PROP(JobIds, ReadBackAndSortAsTextLikeTheirNumbers, ())
{
    const JobId a{*rc::gen::inRange<std::int64_t>(1, INT64_MAX)}, b{*rc::gen::inRange<std::int64_t>(1, INT64_MAX)};
    RC_ASSERT(parse_job_id(to_text(a)) == a);
    RC_ASSERT((a < b) == (to_text(a) < to_text(b)));
}

RC_GTEST_PROP(JobIds, PrintWhatTheyRead, ())
{
    const auto digits =
        *rc::gen::container<std::string>(13, rc::gen::elementOf(std::string{"0123456789abcdefghjkmnpqrstvwxyzilou_-"}));
    if (const auto id = parse_job_id("j_" + digits)) RC_ASSERT(to_text(*id) == "j_" + digits);
}

TEST(IdMaker, SortsByAgeAndNeverGivesAnIdTwice)
{
    IdMaker maker;
    const JobId first = maker.next(t0), second = maker.next(t0), later = maker.next(t0 + 1ms);
    EXPECT_LT(first, second);
    EXPECT_LT(second, later);
    EXPECT_EQ(later.value >> 20, to_ms(t0) + 1) << "the time is in the id";
}

TEST(IdMaker, GoesOnWhenTheClockGoesBack)
{
    IdMaker maker;
    const JobId before = maker.next(t0);
    const JobId after = maker.next(t0 - 1h);
    EXPECT_EQ(after.value, before.value + 1);
}

TEST(IdMaker, GoesOnAboveTheHighestStoredOneAfterARestart)
{
    IdMaker maker;
    const JobId stored{(to_ms(t0) + 5000) << 20};
    maker.not_below(stored);
    EXPECT_GT(maker.next(t0), stored) << "the clock is behind what was stored";
    maker.not_below(JobId{1});
    EXPECT_GT(maker.next(t0), stored) << "a lower one changes nothing";
}

RC_GTEST_PROP(IdMaker, NeverFallsWhateverTheClockDoes, ())
{
    IdMaker maker;
    JobId last;
    for (const int offset : *rc::gen::container<std::vector<int>>(rc::gen::inRange(-10'000, 10'000))) {
        const JobId id = maker.next(t0 + Millis{offset});
        RC_ASSERT(id > last);
        last = id;
    }
}

} // namespace
} // namespace freshet
