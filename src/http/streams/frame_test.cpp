// SPDX-License-Identifier: Apache-2.0
#include "http/streams/frame.hpp"

#include <gtest/gtest.h>

namespace freshet::streams {
namespace {

TEST(Frame, IsAServerSentEventWithViewsIntoItself)
{
    const Frame frame{"change", "5:7", R"({"a":1})", 1500ms};
    EXPECT_EQ(*frame.text(), "retry: 1500\nid: 5:7\nevent: change\ndata: {\"a\":1}\n\n");
    EXPECT_EQ(frame.event(), "change");
    EXPECT_EQ(frame.id(), "5:7");
    EXPECT_EQ(frame.data(), R"({"a":1})");
}

TEST(Frame, KeepsDataWithLineBreaksInOneEvent)
{
    const Frame frame{"snapshot", "", "{\"a\":\r\n [1,\n2]}"};
    EXPECT_EQ(*frame.text(), "event: snapshot\ndata: {\"a\":   [1, 2]}\n\n");
}

TEST(Cursor, ReadsBackWhatItPrintsAndNothingElse)
{
    EXPECT_EQ(parse_cursor(to_text(Cursor{5, 18446744073709551615ULL})), (Cursor{5, 18446744073709551615ULL}));
    for (const char* bad : {"", "5", "5:", ":5", "5:x", "5:-1", "5:1 ", " 5:1", "5:1:1", "5:18446744073709551616"})
        EXPECT_FALSE(parse_cursor(bad)) << bad;
}

TEST(Message, DropsTheDiffWhenItSaysHowManyWereMissed)
{
    const auto message =
        make_message("change", "data/rates", {5, 7}, R"({"topic":"data/rates","base":3,"diff":{"added":[]},"seq":7})");
    EXPECT_EQ(message->conflated("1:7", 4)->data(), R"({"topic":"data/rates","base":3,"seq":7,"missed":4})");
    EXPECT_EQ(message->conflated("", 4)->id(), "");
}

} // namespace
} // namespace freshet::streams
