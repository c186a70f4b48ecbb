// SPDX-License-Identifier: Apache-2.0
#include "cli/dictionary.hpp"
#include "cli/job_words.hpp"
#include "cli/sse.hpp"
#include "cli/target.hpp"
#include "cli/words.hpp"

#include <gmock/gmock.h>

namespace freshet::cli {
namespace {

using testing::HasSubstr;

TEST(Words, SayLengthsInTheLargestUnitThatSaysEnough)
{
    EXPECT_EQ(length_words(400ms), "0.4 s");
    EXPECT_EQ(length_words(2s), "2 s");
    EXPECT_EQ(length_words(9960ms), "9 s");
    EXPECT_EQ(length_words(119s), "119 s");
    EXPECT_EQ(length_words(3min), "3 min");
    EXPECT_EQ(length_words(2h), "2 h");
    EXPECT_EQ(length_words(120h), "5 d");
    EXPECT_EQ(length_words(-5s), "0 s");
    EXPECT_EQ(range_words(35s, 50s), "35-50 s");
    EXPECT_EQ(range_words(50s, 3min), "50 s-3 min");
    EXPECT_EQ(range_words(0ms, 12s), "0-12 s");
}

TEST(Words, KeepForeignTextFromTheTerminal)
{
    EXPECT_EQ(safe("plain ümlaut €"), "plain ümlaut €");
    EXPECT_EQ(safe("a\x1b[2Jb\r\nc"), "a?[2Jb??c");
    EXPECT_EQ(safe("\xff \xc2\x9b \xe2\x80\xae"), "? ?? ???") << "no UTF-8, a C1 control, a bidi override";
}

TEST(Words, AlignTablesByWhatIsShown)
{
    EXPECT_EQ(table_words({{"é", "x"}, {"ab", "\x1b[31my\x1b[0m"}, {"a", ""}}), "é   x\nab  \x1b[31my\x1b[0m\na\n");
}

TEST(Words, DrawABarNoWiderThanTheTerminalAndNeverFullBeforeTheEnd)
{
    const BarState state{0.999, "fit", "999/1000", "1-2 s", 12s};
    EXPECT_EQ(bar_words(state, 60), "[###################.]  99 %  fit 999/1000  ETA 1-2 s  12 s");
    EXPECT_THAT(bar_words(state, 20), HasSubstr("99 %"));
    EXPECT_EQ(bar_words({{}, "read", "", "", 2s}, 80), "read  2 s");
}

TEST(Words, SayHowAJobEnded)
{
    EXPECT_EQ(receipt_words(
                  *Json::parse(
                      R"({"outcome":"updated","base_ver":412,"ver":413,"counts":{"changed":3,"added":1,"removed":0}})"),
                  2800ms),
              "updated in 2.8 s   v412 -> v413   3 changed, 1 added");
    EXPECT_EQ(receipt_words(*Json::parse(R"({"outcome":"updated","ver":1,"counts":{"added":2}})"), 2s),
              "updated in 2 s   v1   2 added");
}

TEST(Sse, TakesBytesInAnyCuts)
{
    const std::string stream = "\xEF\xBB\xBF: comment\r\nid: 1:5\r\nevent: change\r\ndata: {\"a\":\r\ndata: "
                               "1}\r\n\r\nretry: 250\n\ndata\n\ndata: x\n\n";
    for (std::size_t cut = 1; cut <= stream.size(); ++cut) {
        SseParser parser;
        std::vector<std::string> seen;
        for (std::size_t at = 0; at < stream.size(); at += cut)
            ASSERT_TRUE(parser.feed(std::string_view{stream}.substr(at, cut), [&](const SseEvent& event) {
                seen.push_back(event.event + "|" + event.id + "|" + event.data);
                return true;
            }));
        EXPECT_THAT(seen, testing::ElementsAre("change|1:5|{\"a\":\n1}", "message|1:5|", "message|1:5|x"))
            << "cut " << cut;
        EXPECT_EQ(parser.last_id(), "1:5");
        EXPECT_EQ(parser.retry_ms(), 250);
    }
}

TEST(Dictionary, ReadsTheFreshetHeader)
{
    const auto header =
        Dictionary::parse(R"(state=stale, gen=108, refresh=running;id="j_01J9", joined=?1, outcome=updated;id="j_1")");
    ASSERT_TRUE(header);
    EXPECT_EQ(header->text("state"), "stale");
    EXPECT_EQ(header->whole("gen"), 108);
    EXPECT_EQ(header->param("refresh", "id"), "j_01J9");
    EXPECT_TRUE(header->yes("joined"));
    EXPECT_EQ(header->text("nothing"), "");
    for (const char* bad : {"a=", "a=1,", "A=1", "a=\"x", "a=1 b=2", "a=1.2345", "a=?2"})
        EXPECT_FALSE(Dictionary::parse(bad)) << bad;
}

TEST(Target, MakesAnAddressOfListen)
{
    EXPECT_EQ(url_of_listen("127.0.0.1:7878"), "http://127.0.0.1:7878");
    EXPECT_EQ(url_of_listen("0.0.0.0:80"), "http://127.0.0.1:80");
    EXPECT_EQ(url_of_listen("[::]:80"), "http://[::1]:80");
}

} // namespace
} // namespace freshet::cli
