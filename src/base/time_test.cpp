// SPDX-License-Identifier: Apache-2.0
#include "base/time.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace freshet {
namespace {

// 2026-11-24T16:00:00Z, a Tuesday.
constexpr WallTime tuesday = from_ms(1'795'536'000'000);
constexpr std::int64_t year_0 = -62'167'219'200'000, year_10000 = 253'402'300'800'000;

TEST(Rfc3339, IsWrittenInUtcWithMilliseconds)
{
    EXPECT_EQ(to_rfc3339(tuesday), "2026-11-24T16:00:00.000Z");
    EXPECT_EQ(to_rfc3339(tuesday + 7ms), "2026-11-24T16:00:00.007Z");
    EXPECT_EQ(to_rfc3339(from_ms(0)), "1970-01-01T00:00:00.000Z");
    EXPECT_EQ(to_rfc3339(from_ms(-1)), "1969-12-31T23:59:59.999Z");
}

TEST(Rfc3339, IsReadWithAnyOffsetAndAnyFraction)
{
    for (const auto* text : {"2026-11-24T16:00:00Z", "2026-11-24t16:00:00z", "2026-11-24 16:00:00Z",
                             "2026-11-24T16:00:00.000999999Z", "2026-11-24T18:00:00+02:00", "2026-11-24T21:30:00+05:30",
                             "2026-11-24T08:15:00-07:45", "2026-11-24T16:00:00-00:00"})
        EXPECT_EQ(from_rfc3339(text), tuesday) << text;
    EXPECT_EQ(from_rfc3339("2026-11-24T16:00:00.5Z"), tuesday + 500ms);
    EXPECT_EQ(from_rfc3339("2026-11-24T16:00:00.1239Z"), tuesday + 123ms);
}

TEST(Rfc3339, ReadsABareDateAsItsMidnightInUtc)
{
    EXPECT_EQ(from_rfc3339("2026-11-24"), tuesday - 16h);
}

TEST(Rfc3339, ReadsALeapSecondAsTheInstantAfterIt)
{
    EXPECT_EQ(from_rfc3339("2016-12-31T23:59:60Z"), from_rfc3339("2017-01-01T00:00:00Z"));
}

TEST(Rfc3339, KnowsLeapYears)
{
    EXPECT_TRUE(from_rfc3339("2024-02-29"));
    EXPECT_TRUE(from_rfc3339("2000-02-29"));
    EXPECT_FALSE(from_rfc3339("2026-02-29"));
    EXPECT_FALSE(from_rfc3339("2100-02-29"));
}

TEST(Rfc3339, RefusesEverythingElse)
{
    for (const auto* text : {"",
                             "2026",
                             "2026-11",
                             "2026-11-2",
                             "26-11-24",
                             "2026/11/24",
                             "2026-13-01",
                             "2026-00-10",
                             "2026-11-00",
                             "2026-11-31",
                             "2026-11-24T",
                             "2026-11-24T16",
                             "2026-11-24T16:00Z",
                             "2026-11-24T16:00:00",
                             "2026-11-24T24:00:00Z",
                             "2026-11-24T16:60:00Z",
                             "2026-11-24T16:00:61Z",
                             "2026-11-24T16:00:00.Z",
                             "2026-11-24T16:00:00,5Z",
                             "2026-11-24T16:00:00ZZ",
                             "2026-11-24T16:00:00+2",
                             "2026-11-24T16:00:00+24:00",
                             "2026-11-24T16:00:00+02:60",
                             "2026-11-24T16:00:00+02:00Z",
                             " 2026-11-24T16:00:00Z",
                             "2026-11-24x16:00:00Z",
                             "-2026-11-24T16:00:00Z",
                             "2026-11-24T1 :00:00Z"})
        EXPECT_FALSE(from_rfc3339(text)) << text;
}

RC_GTEST_PROP(Rfc3339, ReadsBackWhatItWrote, ())
{
    const WallTime at = from_ms(*rc::gen::inRange<std::int64_t>(year_0, year_10000));
    RC_ASSERT(from_rfc3339(to_rfc3339(at)) == at);
}

TEST(HttpDate, IsTheFixedFormOfRfc9110)
{
    EXPECT_EQ(to_http_date(tuesday), "Tue, 24 Nov 2026 16:00:00 GMT");
    EXPECT_EQ(to_http_date(from_ms(784'111'777'000)), "Sun, 06 Nov 1994 08:49:37 GMT") << "the example of RFC 9110";
    EXPECT_EQ(from_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), from_ms(784'111'777'000));
}

TEST(HttpDate, DropsTheFractionOfASecond)
{
    EXPECT_EQ(to_http_date(tuesday + 999ms), to_http_date(tuesday));
    EXPECT_EQ(to_http_date(from_ms(-1)), "Wed, 31 Dec 1969 23:59:59 GMT");
}

TEST(HttpDate, RefusesEverythingElse)
{
    for (const auto* text :
         {"", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "Tue, 24 Nov 2026 16:00:00 UTC",
          "Tue, 24 Nov 2026 16:00:00", "Tue, 24 nov 2026 16:00:00 GMT", "Tue, 24 Foo 2026 16:00:00 GMT",
          "Tue, 31 Nov 2026 16:00:00 GMT", "Tue, 24 Nov 2026 25:00:00 GMT", "Tue, 24 Nov 2026 16-00-00 GMT",
          "Tue, 4 Nov 2026 16:00:00 GMT", "Xyz, 24 Nov 2026 16:00:00 GMT", "Tue,x24 Nov 2026 16:00:00 GMT",
          "Tue, 24 Nov 2026 16:00:00 GMT "})
        EXPECT_FALSE(from_http_date(text)) << text;
}

RC_GTEST_PROP(HttpDate, ReadsBackWhatItWroteToTheSecond, ())
{
    const WallTime at = from_ms(*rc::gen::inRange<std::int64_t>(year_0, year_10000));
    RC_ASSERT(from_http_date(to_http_date(at)) == WallTime{std::chrono::floor<std::chrono::seconds>(at)});
}

TEST(Duration, IsASumOfFallingUnits)
{
    const std::pair<const char*, Millis> rows[] = {
        {"0s", 0ms},     {"250ms", 250ms},   {"90s", 90s},
        {"1m30s", 90s},  {"2h", 2h},         {"7d", 7 * 24h},
        {"1w", 7 * 24h}, {"2w1d", 15 * 24h}, {"1d2h3m4s5ms", 24h + 2h + 3min + 4s + 5ms},
        {"007s", 7s}};
    for (const auto& [text, length] : rows) EXPECT_EQ(parse_duration(text), length) << text;
}

TEST(Duration, RefusesEverythingElse)
{
    for (const auto* text : {"", "5", "s", "-5s", "+5s", "5 s", " 5s", "5s ", "1.5h", "5S", "5min", "5y", "30s1m",
                             "1m1m", "5ms1s", "1s5", "99999999999999999999s", "36601d", "9223372036854775807ms"})
        EXPECT_FALSE(parse_duration(text)) << text;
}

TEST(Duration, HasNoMoreThanAHundredYears)
{
    EXPECT_TRUE(parse_duration("36600d"));
    EXPECT_FALSE(parse_duration("36600d1ms")) << "the bound is on the sum";
    EXPECT_FALSE(parse_duration("5229w"));
}

TEST(Duration, IsWrittenWithoutEmptyUnits)
{
    EXPECT_EQ(to_text(90s), "1m30s");
    EXPECT_EQ(to_text(Millis{0}), "0s");
    EXPECT_EQ(to_text(24h), "1d");
    EXPECT_EQ(to_text(Millis{24h} + 5ms), "1d5ms");
    EXPECT_EQ(to_text(Millis{-5}), "0s") << "what is over is never shown as negative";
}

RC_GTEST_PROP(Duration, ReadsBackWhatItWrote, ())
{
    const Millis length{*rc::gen::oneOf(rc::gen::inRange<std::int64_t>(0, 36'600LL * 86'400'000 + 1),
                                        rc::gen::inRange<std::int64_t>(0, 100'000))};
    RC_ASSERT(parse_duration(to_text(length)) == length);
}

RC_GTEST_PROP(Times, AreReadFromAnyTextWithoutHarm, (const std::string& text))
{
    if (const auto length = parse_duration(text)) RC_ASSERT(*length >= 0ms);
    from_rfc3339(text);
    from_http_date(text);
}

} // namespace
} // namespace freshet
