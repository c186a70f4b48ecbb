// SPDX-License-Identifier: Apache-2.0
#include "runners/shape/frame.hpp"

#include "base/rng.hpp"

#include <gtest/gtest.h>

namespace freshet {

namespace {

std::string payload_of(const std::string& frame)
{
    return frame.substr(frame_head_bytes);
}

ShapeRequest a_request()
{
    ShapeRequest request;
    request.parent = 4711;
    request.limits = {1, 2, 3, 4ms};
    request.order.input = std::string{"in\0put", 6};
    request.order.format = InputFormat::xml;
    request.order.content_type = "text/xml";
    request.order.select = ".", request.order.rows = "//a", request.order.base_url = "http://b/",
    request.order.as_of = ".t";
    request.order.cells = {{"c", "d"}, {"", ""}};
    request.order.extracts = {{"e", "f"}};
    request.order.check_only = true;
    return request;
}

} // namespace

TEST(Frame, ARequestComesBackAsItWas)
{
    const ShapeRequest sent = a_request();
    const std::string frame = encode(sent);
    char head[frame_head_bytes];
    frame.copy(head, sizeof head);
    EXPECT_EQ(payload_bytes(head), frame.size() - frame_head_bytes);
    const ShapeRequest got = decode_request(payload_of(frame)).value();
    EXPECT_EQ(encode(got), frame);
    EXPECT_EQ(got.order.input, sent.order.input);
    EXPECT_EQ(got.order.cells, sent.order.cells);
    EXPECT_EQ(got.limits.run_max, 4ms);
}

TEST(Frame, AReplyComesBackAsItWas)
{
    const ShapeReply good{Shaped{"[1]", from_ms(5), {{"next", "null"}}}, true};
    const ShapeReply got = decode_reply(payload_of(encode(good))).value();
    EXPECT_TRUE(got.worn);
    EXPECT_EQ(got.result->json, "[1]");
    EXPECT_EQ(got.result->as_of, from_ms(5));
    EXPECT_EQ(got.result->extracts, good.result->extracts);

    const ShapeReply bad{shape_error(ShapeErrorCode::no_result, "words"), false};
    EXPECT_EQ(decode_reply(payload_of(encode(bad)))->result.error().code, ShapeErrorCode::no_result);
    EXPECT_EQ(decode_reply(payload_of(encode(bad)))->result.error().message, "words");
}

TEST(Frame, ReplyBytesThatDoNotFitAreRefused)
{
    const std::string good = payload_of(encode(ShapeReply{Shaped{"[1]", from_ms(5), {{"next", "null"}}}, false}));
    for (std::size_t size = 0; size < good.size(); ++size)
        EXPECT_FALSE(decode_reply(good.substr(0, size)).has_value()) << size;
    EXPECT_FALSE(decode_reply(good + "x").has_value());
    Rng rng{1};
    for (int round = 0; round < 20'000; ++round) {
        std::string bytes = good;
        bytes[rng.below(bytes.size())] = static_cast<char>(rng.next());
        bytes[rng.below(bytes.size())] = static_cast<char>(rng.next());
        (void)decode_reply(bytes);
        (void)decode_request(bytes);
    }
}

} // namespace freshet
