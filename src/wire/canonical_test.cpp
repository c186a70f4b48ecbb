// SPDX-License-Identifier: Apache-2.0
#include "wire/canonical.hpp"

#include <gmock/gmock.h>

namespace freshet {
namespace {

using testing::HasSubstr;

std::string canonical(std::string_view json)
{
    return canonical_json(json).value();
}

TEST(Canonical, SortsMembersByTheirBytesAndDropsBlanks)
{
    EXPECT_EQ(canonical("{ \"b\" : [ 1, {\"z\":null,\"y\":true} ],\n \"a\" : \"x\" }"),
              R"({"a":"x","b":[1,{"y":true,"z":null}]})");
    EXPECT_EQ(canonical(R"({"\u00e9":1,"z":2,"Z":3,"":4})"), R"({"":4,"Z":3,"z":2,"é":1})");
}

TEST(Canonical, KeepsTheOrderOfLists)
{
    EXPECT_NE(canonical("[1,2]"), canonical("[2,1]"));
}

TEST(Canonical, TakesNumbersByTheirValue)
{
    EXPECT_EQ(canonical("[1.0, 1e0, 1, -0, -0.0, 100e-2]"), "[1,1,1,0,0,1]");
    EXPECT_EQ(canonical("[9223372036854775807, 18446744073709551615, -9223372036854775808]"),
              "[9223372036854775807,18446744073709551615,-9223372036854775808]");
    EXPECT_EQ(canonical("[0.1, 0.10, 1e-1, 1e300, 2.5E3]"), "[0.1,0.1,0.1,1e+300,2500]");
    EXPECT_NE(canonical("9007199254740993"), canonical("9007199254740992"));
}

TEST(Canonical, TakesStringsByTheirCharacters)
{
    EXPECT_EQ(canonical(R"("\u0041\/\u00e9\n")"), "\"A/é\\n\"");
    EXPECT_EQ(canonical(R"("1")"), "\"1\"");
    EXPECT_NE(canonical(R"("1")"), canonical("1"));
}

TEST(Canonical, CountsTheLastOfMembersThatAreGivenTwice)
{
    EXPECT_EQ(canonical(R"({"a":1,"b":2,"a":3})"), R"({"a":3,"b":2})");
    EXPECT_EQ(canonical(R"({"a":1,"a":2,"a":3})"), R"({"a":3})");
}

TEST(Canonical, RefusesWhatIsNoJsonInWords)
{
    EXPECT_THAT(canonical_json("{\"a\":}").error(), HasSubstr("not JSON"));
    EXPECT_FALSE(canonical_json("").has_value());
    EXPECT_FALSE(canonical_json(std::string(300, '[') + std::string(300, ']')).has_value());
    EXPECT_TRUE(canonical_json(std::string(200, '[') + std::string(200, ']')).has_value());
}

TEST(Canonical, CountsRows)
{
    EXPECT_EQ(rows_of("[1,2,3]"), 3);
    EXPECT_EQ(rows_of("[]"), 0);
    EXPECT_EQ(rows_of("null"), 0);
    EXPECT_EQ(rows_of("7"), 1);
    EXPECT_EQ(rows_of(R"({"a":1})"), 1);
    EXPECT_EQ(rows_of(R"({"offers":[1,2]})"), 2) << "its only member";
    EXPECT_EQ(rows_of(R"({"total":2,"items":[]})"), 0)
        << "an envelope with a usual name: an empty answer counts as empty";
    EXPECT_EQ(rows_of(R"({"name":"x","tags":[]})"), 1) << "one thing that has a list";
    EXPECT_EQ(rows_of(R"({"items":[1],"data":[2,3]})"), 1) << "two lists: neither is the list";
}

TEST(Canonical, HashesByContentAlone)
{
    EXPECT_EQ(content_of(R"({"a":1,"b":[2]})")->hash, content_of(R"({ "b":[2.0], "a":1 })")->hash);
    EXPECT_FALSE(content_of(R"({"a":1})")->hash == content_of(R"({"a":2})")->hash);
    // Stored with every version: must never change.
    EXPECT_EQ(to_hex(content_of(R"([{"id":1,"name":"x"}])")->hash), "a1a7b6d2fb277333afa0549bb6fa73de");
}

TEST(Canonical, FindsKeyFieldsInsideOfARowByDots)
{
    const std::vector<std::string> key{"meta.id"};
    EXPECT_EQ(content_of(R"([{"meta":{"id":1}},{"meta":{"id":2}}])", key)->key_problem, "");
    EXPECT_EQ(content_of(R"([{"meta.id":1},{"meta":{"id":2}}])", key)->key_problem, "")
        << "a member of that very name comes first";
    EXPECT_THAT(content_of(R"([{"meta":{}}])", key)->key_problem, HasSubstr("no key field \"meta.id\""));
}

TEST(Json, IsJudgedAndPutOnOneLineWithoutTouchingItsNumbers)
{
    EXPECT_FALSE(json_problem("{\"a\":[1,2]}"));
    EXPECT_TRUE(json_problem("{\"a\":}"));
    EXPECT_TRUE(json_problem(""));
    EXPECT_EQ(one_line_json("{ \"a\": 1.50 }"), "{ \"a\": 1.50 }");
    EXPECT_EQ(one_line_json("{\n \"a\": 1.50,\r\n \"b\": \"x y\"\n}"), "{\"a\":1.50,\"b\":\"x y\"}");
}

} // namespace
} // namespace freshet
