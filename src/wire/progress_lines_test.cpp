// SPDX-License-Identifier: Apache-2.0
// Progress as commands write it: the two forms, what never goes back, and how often it is told.
#include "wire/progress_lines.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace freshet {

namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr SteadyTime t0{Millis{1000}};

std::optional<Progress> parsed(std::string_view line)
{
    return parse_progress(line, Progress{.attempt = 2});
}

} // namespace

TEST(ProgressLine, IsAnObjectOrCounts)
{
    const auto object =
        parsed(R"({"phase":"load","phases":3,"done":3,"total":10,"unit":"files","message":"north"})").value();
    EXPECT_EQ(object.attempt, 2);
    EXPECT_EQ(object.phase, "load");
    EXPECT_EQ(object.phases, 3);
    EXPECT_EQ(object.done, 3);
    EXPECT_EQ(object.total, 10);
    EXPECT_EQ(object.unit, "files");
    EXPECT_EQ(object.message, "north");

    const auto counts = parsed(" 3/10  north west\r").value();
    EXPECT_EQ(counts.done, 3);
    EXPECT_EQ(counts.total, 10);
    EXPECT_EQ(counts.message, "north west");
    EXPECT_EQ(parsed("7")->done, 7);
    EXPECT_EQ(parsed("7")->total, std::nullopt);
}

TEST(ProgressLine, IsNoneWhereItCannotBeRead)
{
    for (const std::string_view line :
         {"", "  ", "{", "[1]", R"({"done":1} x)", "-1", "3/", "3/x", "3x", "north", "99999999999999999999", "3 \xff"})
        EXPECT_FALSE(parsed(line)) << line;
    EXPECT_EQ(parsed(R"({"done":-4,"total":"ten","phase":7})"), Progress{.attempt = 2})
        << "only the fields are ignored";
}

TEST(ProgressLine, CutsTextsBetweenCharacters)
{
    std::string hebrew;
    for (int i = 0; i < 150; ++i) hebrew += "\xd7\x90";
    EXPECT_EQ(parsed("1 " + hebrew)->message, hebrew.substr(0, 200));
    EXPECT_EQ(parsed("1 x" + hebrew)->message, "x" + hebrew.substr(0, 198));
    EXPECT_EQ(parsed(R"({"message":"a\nb\u001b"})")->message, "a b ");
}

TEST(ProgressLine, OfANewPhaseMayBeginAgainAtZero)
{
    const auto load = parsed(R"({"phase":"load","done":9,"total":10})").value();
    const auto fit = parse_progress(R"({"phase":"fit"})", load).value();
    EXPECT_EQ(fit.phase_index, load.phase_index + 1);
    EXPECT_EQ(fit.done, 0);
    EXPECT_EQ(fit.total, std::nullopt);
    EXPECT_TRUE(moves_forward(load, fit));
}

TEST(ProgressGate, TellsAtOnceAndThenFourTimesASecond)
{
    ProgressGate gate{1};
    EXPECT_FALSE(gate.due());
    gate.line("1/10");
    EXPECT_EQ(gate.take(t0)->done, 1);
    gate.line("2/10");
    gate.line("3/10");
    EXPECT_EQ(gate.due(), t0 + 250ms);
    EXPECT_FALSE(gate.take(t0 + 249ms));
    EXPECT_EQ(gate.take(t0 + 250ms)->done, 3);
    EXPECT_FALSE(gate.take(t0 + 1s)) << "the same is not told twice";
    gate.line("4/10");
    EXPECT_EQ(gate.take(t0 + 251ms, true)->done, 4) << "the last one is always told";
}

TEST(F6ProgressGate, NeverGoesBack)
{
    ProgressGate gate{1};
    gate.line("5/10");
    gate.line("4/10");
    EXPECT_EQ(gate.take(t0)->done, 5);
    gate.line(R"({"phase":"fit","phase_index":2,"done":0})");
    gate.line(R"({"phase":"load","phase_index":1,"done":9})");
    EXPECT_EQ(gate.take(t0 + 1s)->phase, "fit");
}

TEST(LineCutter, DropsALineThatIsTooLongAndNothingElse)
{
    LineCutter cutter;
    std::vector<std::string> lines;
    const auto take = [&](std::string_view line) { lines.emplace_back(line); };
    cutter.feed("a", take);
    cutter.feed("b\nc\n" + std::string(LineCutter::line_bytes_max, 'x'), take);
    cutter.feed("x tail\nd\ne", take);
    cutter.finish(take);
    EXPECT_THAT(lines, ElementsAre("ab", "c", "d", "e"));
}

TEST(Words, TellProgressLinesFromWordsHoweverTheyAreCut)
{
    const std::string_view text = "begin\n::progress 1/3 a\n::prog nothing\n::progress\nend";
    for (std::size_t at = 0; at < text.size(); ++at) {
        Words words;
        ProgressGate gate{1};
        words.feed(text.substr(0, at), gate);
        words.feed(text.substr(at), gate);
        words.finish(gate);
        EXPECT_EQ(words.tail(), "begin\n::prog nothing\n::progress\nend") << at;
        EXPECT_EQ(gate.take(t0)->message, "a") << at;
    }
}

TEST(Words, KeepTheLastFourKibibytesOfAFlood)
{
    Words words;
    ProgressGate gate{1};
    for (int i = 0; i < 10'000; ++i) words.feed("warning: more of the same\n", gate);
    words.feed("error: the last one", gate);
    words.finish(gate);
    EXPECT_TRUE(words.cut());
    EXPECT_EQ(words.tail().size(), Words::tail_bytes_max);
    EXPECT_THAT(words.tail(), HasSubstr("error: the last one"));
}

} // namespace freshet
