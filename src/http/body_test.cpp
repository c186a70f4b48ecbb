// SPDX-License-Identifier: Apache-2.0
// The reader of bodies.
#include "http/body.hpp"

#include <gmock/gmock.h>

namespace freshet::http {

namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Body, TellsThePlaceOfWhatIsWrong)
{
    const std::string text = R"({"a":{"b/c":[1,"x",{"d":true}]}})";
    BodyReader reader{text};
    BodyObject body = reader.object();
    BodyObject inner = body.find("a")->object();
    inner.list("b/c", 0, 9, [](const BodyValue& value) {
        if (value.type() == JsonType::object) value.object().text("d", {0, 9});
    });
    ASSERT_TRUE(reader.problem());
    EXPECT_THAT(reader.problem()->detail, HasSubstr("/a/b~1c/2/d: it is true"));
}

TEST(Body, HandsOutValuesAsTheyCame)
{
    const std::string text = " { \"a\" : { \"n\" : 1.50 , \"t\":\"\\u00e9\" } , \"b\" : -0.0 , \"c\":null } ";
    BodyReader reader{text};
    BodyObject body = reader.object();
    EXPECT_EQ(body.json("a", 100), R"({ "n" : 1.50 , "t":"\u00e9" })");
    EXPECT_EQ(body.json("b", 100), "-0.0");
    EXPECT_EQ(body.json("c", 100), "null");
    EXPECT_FALSE(body.has("c"));
    body.end();
    EXPECT_FALSE(reader.problem());
}

} // namespace
} // namespace freshet::http
