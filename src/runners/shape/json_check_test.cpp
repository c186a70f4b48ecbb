// SPDX-License-Identifier: Apache-2.0
#include "runners/shape/json_check.hpp"

#include "runners/shape/text_input.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace freshet {

namespace {

using testing::HasSubstr;

ShapeResult<void> checked(std::string json)
{
    return check_json(json);
}

} // namespace

TEST(CheckJson, TakesEveryKindOfDocument)
{
    for (const char* json : {"{}", "[]", "null", "true", "-0.5e-3", "\"\"", R"({"a":[1,{"b":"\u05d0\n"}]})",
                             "18446744073709551615", "\"שלום\""})
        EXPECT_TRUE(checked(json).has_value()) << json;
}

TEST(CheckJson, RefusesWhatIsNoJsonAndSaysWhere)
{
    for (const char* json : {"", " ", "{", "[1,]", "{\"a\":1,}", "[1 2]", "nul", "01", "+1", ".5", "1.", "'a'", "[1]x",
                             "\"\t\"", "\"\\x\"", "{a:1}", "NaN", "\"\\ud800\""})
        EXPECT_EQ(checked(json).error().code, ShapeErrorCode::bad_input) << json;
    EXPECT_THAT(checked("{\n  \"a\": 1,\n  \"b\": oops\n}").error().message, HasSubstr("line 3, column 8"));
}

TEST(CheckJson, RefusesBytesThatAreNoUtf8)
{
    for (const char* json : {"\"\xff\"", "\"\xc0\xaf\"", "\"\xed\xa0\x80\"", "\"\xd7\""})
        EXPECT_EQ(checked(json).error().code, ShapeErrorCode::bad_input);
}

TEST(CheckJson, BoundsTheDepth)
{
    const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
    EXPECT_TRUE(checked(nested(json_depth_max - 1)).has_value());
    EXPECT_THAT(checked(nested(json_depth_max + 1)).error().message, HasSubstr("nested deeper"));
    EXPECT_THAT(checked(nested(3'000'000)).error().message, HasSubstr("nested deeper"));
    EXPECT_EQ(checked(std::string(3'000'000, '[')).error().code, ShapeErrorCode::bad_input);
}

TEST(CheckJson, SaysThatANumberFitsNo64Bits)
{
    EXPECT_EQ(checked("[123456789012345678901234567890]").error().code, ShapeErrorCode::number_too_large);
    EXPECT_EQ(checked("[1e999]").error().code, ShapeErrorCode::number_too_large);
}

TEST(FindNumberJqRounds, FindsWholeNumbersPast2To53AndNothingElse)
{
    EXPECT_EQ(find_number_jq_rounds(R"([1,{"id":9007199254740993}])"), "9007199254740993");
    EXPECT_EQ(find_number_jq_rounds(R"([-12345678901234567890])"), "12345678901234567890");
    EXPECT_EQ(find_number_jq_rounds("9007199254740993.5"), "9007199254740993.5");
    for (const char* json :
         {"9007199254740992", "-9007199254740992", "1e300", "123456789012345678901e5", "0.12345678901234567890123",
          R"(["9007199254740993"])", R"(["\"9007199254740993","\\",1])", "[]", "{\"9007199254740993\":1}"})
        EXPECT_EQ(find_number_jq_rounds(json), "") << json;
}

TEST(Ndjson, IsTheListOfItsLines)
{
    std::string lines = "{\"a\":1}\r\n\n  [2]  \n\"three\"";
    EXPECT_EQ(json_of_ndjson(lines).value(), R"([{"a":1},[2],"three"])");
    std::string nothing = "\n\n";
    EXPECT_EQ(json_of_ndjson(nothing).value(), "[]");
}

TEST(Ndjson, NamesTheLineThatIsNoJson)
{
    std::string lines = "{\"a\":1}\n{\"a\":\n{\"a\":3}\n";
    EXPECT_THAT(json_of_ndjson(lines).error().message, HasSubstr("line 2 of the JSON lines"));
    std::string two_in_one = "1 2\n";
    EXPECT_FALSE(json_of_ndjson(two_in_one).has_value());
}

TEST(PlainNumber, IsWhatStaysTheSameInAnyReader)
{
    for (const char* text : {"0", "7", "-7", "12.50", "0.001", "123456789012345"})
        EXPECT_TRUE(is_plain_number(text)) << text;
    for (const char* text : {"", "-", "-0", "007", "+1", "1e5", ".5", "5.", "1,000", "0x10", "1234567890123456", "42%",
                             "1.2.3", " 1", "NaN", "--1"})
        EXPECT_FALSE(is_plain_number(text)) << text;
}

TEST(Utf8, InvalidBytesBecomeTheReplacementCharacter)
{
    EXPECT_EQ(with_valid_utf8("a\xff\xfe"
                              "b"),
              "a\xEF\xBF\xBD\xEF\xBF\xBD"
              "b");
    EXPECT_EQ(with_valid_utf8("שלום"), "שלום");
    EXPECT_EQ(with_valid_utf8("\xd7"), "\xEF\xBF\xBD");
}

TEST(ConcatPages, JoinsTheListsAndLeavesTheElementsAlone)
{
    EXPECT_EQ(concat_pages({"[1, {\"a\" : 2.50}]", " [ ] ", "[[3]]"}).value(), R"([1, {"a" : 2.50},[3]])");
    EXPECT_EQ(concat_pages({}).value(), "[]");
    EXPECT_THAT(concat_pages({"[1]", "{\"error\":\"no\"}"}).error().message, HasSubstr("page 2 is not a list"));
}

TEST(ShapeError, KeepsForeignWordsOnOneLineAndWithinItsBound)
{
    const ShapeError error =
        shape_error(ShapeErrorCode::bad_input, "a\n\x1b[31m b\xff" + std::string(5000, 'x')).error();
    EXPECT_LE(error.message.size(), ShapeError::message_bytes_max);
    EXPECT_EQ(error.message.find_first_of("\n\x1b\xff"), std::string::npos);
    EXPECT_EQ(to_text(ShapeErrorCode::stopped), "stopped");
    EXPECT_EQ(to_text(ShapeErrorCode::many_results), "many_results");
}

} // namespace freshet
