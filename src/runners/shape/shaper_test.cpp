// SPDX-License-Identifier: Apache-2.0
#include "runners/shape/shaper.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace freshet {

namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

ShapeResult<Shaped> shaped(ShapeOrder order, const ShapeLimits& limits = {})
{
    return Shaper{}.shape(std::move(order), limits);
}

ShapeOrder json(std::string input, std::string select = "")
{
    ShapeOrder order;
    order.input = std::move(input);
    order.format = InputFormat::json;
    order.select = std::move(select);
    return order;
}

ShapeOrder of_format(InputFormat format, std::string input, std::string content_type = "")
{
    ShapeOrder order;
    order.input = std::move(input);
    order.format = format;
    order.content_type = std::move(content_type);
    return order;
}

std::string selected(std::string input, std::string select)
{
    const auto result = shaped(json(std::move(input), std::move(select)));
    return result ? result->json : std::string{to_text(result.error().code)} + ": " + result.error().message;
}

} // namespace

TEST(Shape, JsonWithoutSelectPassesByteForByte)
{
    const std::string odd = R"({ "b":1.50, "a" : 12345678901234567, "a":[ ],"e":1E+2 , "u":"\u05D0\/"})";
    EXPECT_EQ(shaped(json("\xEF\xBB\xBF\n" + odd + " \r\n")).value().json, odd);
}

TEST(Shape, F9NeedsAChildOnlyWhereForeignDataMeetsJqOrLibxml2)
{
    EXPECT_FALSE(needs_child(json("[1]")));
    EXPECT_FALSE(needs_child(of_format(InputFormat::table, "a b\n1 2\n")));
    EXPECT_TRUE(needs_child(json("[1]", ".[0]")));
    ShapeOrder page = of_format(InputFormat::html, "<p>x");
    EXPECT_FALSE(needs_child(page));
    EXPECT_FALSE(shaped(page)) << "it is refused unread";
    page.rows = "//p";
    EXPECT_TRUE(needs_child(page));
}

TEST(Shape, SelectMakesTheResult)
{
    EXPECT_EQ(selected(R"({"rates":{"EUR":0.1,"ILS":3.7}})", ".rates | to_entries"),
              R"([{"key":"EUR","value":0.1},{"key":"ILS","value":3.7}])");
    EXPECT_EQ(selected("[3,1,2]", "def f: sort; f # a comment"), "[1,2,3]");
    EXPECT_EQ(selected(R"(["א\n"])", ".[0]"), R"("א\n")");
    EXPECT_EQ(selected("[]", ".[0]"), "null");
}

TEST(Shape, SelectGivesExactlyOneResult)
{
    EXPECT_THAT(selected("[1,2]", ".[]"),
                HasSubstr("many_results: select: it gives more than one result; wrap it in [ ]"));
    EXPECT_THAT(selected("[]", ".[]"), HasSubstr("no_result: select"));
    EXPECT_THAT(selected("1", "repeat(.)"), HasSubstr("many_results"));
}

TEST(Shape, SaysWhatIsWrongWithAnExpression)
{
    EXPECT_EQ(selected("1", ".a["), "bad_program: select: syntax error, unexpected $end at line 1");
    EXPECT_EQ(selected("1", ". |\nnope"), "bad_program: select: nope/0 is not defined at line 2");
    EXPECT_EQ(selected("1", ".a"), R"(program_failed: select: Cannot index number with string "a")");
    EXPECT_EQ(selected("1", R"(error("no\nrates"))"), "program_failed: select: no rates");
    EXPECT_EQ(selected("1", R"(error({"a":1}))"), R"(program_failed: select: {"a":1})");
    EXPECT_THAT(selected("1", std::string{".\0a", 3}), HasSubstr("bad_program"));
}

TEST(Shape, JqReachesNothingOutsideOfTheDocument)
{
    EXPECT_EQ(selected("1", "$ENV"), "{}");
    EXPECT_EQ(selected("1", "env"), "{}");
    EXPECT_EQ(selected("1", "$ENV.PATH"), "null");
    EXPECT_EQ(selected("1", "[inputs]"), "[]");
    EXPECT_THAT(selected("1", "input"), HasSubstr("program_failed: select: there is no further input"));
    EXPECT_EQ(selected("1", "input_filename"), "null");
    EXPECT_EQ(selected("1", "input_line_number"), "0");
    EXPECT_EQ(selected("1", "debug | stderr"), "1");
    EXPECT_THAT(selected("1", "halt"), HasSubstr("program_failed"));
    EXPECT_THAT(selected("1", "halt_error"), HasSubstr("program_failed"));
    EXPECT_THAT(selected("1", R"("a" | halt_error(3))"), HasSubstr("program_failed"));
    EXPECT_THAT(selected("1", R"("a" | modulemeta)"), HasSubstr("program_failed"));
    for (const char* program : {R"(import "a" as a; 1)", R"(include "a"; 1)",
                                "  # x\n import \"/etc/passwd\" as $d; $d", "module {}; 1", R"(import"a"as a; 1)"})
        EXPECT_EQ(selected("1", program), "bad_program: select: modules are not taken") << program;
    EXPECT_THAT(selected("1", R"(1 | import "a" as a; 1)"), HasSubstr("bad_program"));
}

TEST(Shape, ANumberThatJqWouldRoundFailsInWords)
{
    EXPECT_THAT(selected(R"([{"id":9007199254740993}])", ".[0].id"),
                HasSubstr("number_too_large: the number 9007199254740993 is past 2^53"));
    EXPECT_EQ(selected(R"([{"id":9007199254740992}])", ".[0].id"), "9007199254740992");
    EXPECT_EQ(shaped(json("[9007199254740993]")).value().json, "[9007199254740993]");
    ShapeOrder paged = json(R"({"next":9007199254740993})");
    paged.extracts = {{"next", ".next"}};
    EXPECT_EQ(shaped(paged).error().code, ShapeErrorCode::number_too_large);
}

TEST(Shape, AProgramMayNotBuildWhatNobodyCanRead)
{
    EXPECT_THAT(selected("1", "reduce range(1000) as $i (0; [.])"),
                HasSubstr("program_failed: select: JSON nested deeper"));
    EXPECT_EQ(selected("1", "[nan, infinite]"), "[null,1.7976931348623157e+308]");
}

TEST(Shape, HtmlWhereJsonWasDeclaredIsTheWrongType)
{
    const ShapeError error = shaped(json("\n<!DOCTYPE html><html><head><title>Sign in</title>", ".rates")).error();
    EXPECT_EQ(error.code, ShapeErrorCode::wrong_type);
    EXPECT_THAT(error.message,
                HasSubstr("expected JSON, got HTML: \"<!DOCTYPE html><html><head><title>Sign in</title>\""));
}

TEST(Shape, TheWrongTypeIsSeenForEveryFormat)
{
    struct Row {
        InputFormat format;
        const char *input, *rows;
    };
    for (const Row& row :
         {Row{InputFormat::json, "<Error><Code>x</Code></Error>", ""}, Row{InputFormat::ndjson, "<html>", ""},
          Row{InputFormat::csv, "<!doctype html><p>", ""}, Row{InputFormat::table, "<html>", ""},
          Row{InputFormat::html, "{\"error\":1}", "//p"}, Row{InputFormat::xml, "[1]", "//p"},
          Row{InputFormat::xml, "<!doctype html><p>", "//p"}, Row{InputFormat::auto_detect, "<html><p>x", ""}}) {
        ShapeOrder order = of_format(row.format, row.input);
        order.rows = row.rows;
        EXPECT_EQ(shaped(order).error().code, ShapeErrorCode::wrong_type) << row.input;
    }
}

TEST(Shape, FindsTheFormatByContentTypeThenByBytes)
{
    const auto automatic = [](std::string input, std::string type, std::string rows = "") {
        ShapeOrder order = of_format(InputFormat::auto_detect, std::move(input), std::move(type));
        order.rows = std::move(rows);
        const auto result = shaped(order);
        return result ? result->json : result.error().message;
    };
    EXPECT_EQ(automatic(" {\"a\":1}", ""), "{\"a\":1}");
    EXPECT_EQ(automatic("3", "application/vnd.api+json; charset=utf-8"), "3");
    EXPECT_EQ(automatic("[1]", "text/html"), "[1]");
    EXPECT_EQ(automatic("1\n2\n", "application/x-ndjson"), "[1,2]");
    EXPECT_EQ(automatic("a,b\n1,2\n", "Text/CSV; header=present"), R"([{"a":1,"b":2}])");
    EXPECT_EQ(automatic("up 3 days\n", "text/plain"), R"(["up 3 days"])");
    EXPECT_EQ(automatic("<rss><item>x</item></rss>", "text/html", "//item"), R"(["x"])");
    EXPECT_EQ(automatic("<p>x", "application/octet-stream", "//p"), R"(["x"])");
    EXPECT_THAT(automatic("oops", "application/json"), HasSubstr("not JSON"));
    EXPECT_THAT(automatic("", ""), HasSubstr("empty"));
}

TEST(Shape, TextComesInTheCharsetThatTheSourceSays)
{
    EXPECT_EQ(
        shaped(of_format(InputFormat::csv, "a\n\xf9\xec\xe5\xed\n", "text/csv; charset=windows-1255")).value().json,
        R"([{"a":"שלום"}])");
    EXPECT_EQ(shaped(of_format(InputFormat::text, "caf\xe9", "text/plain; charset=ISO-8859-1")).value().json,
              R"(["café"])");
    EXPECT_THAT(shaped(of_format(InputFormat::csv, "a\n1\n\xf9\n")).error().message,
                HasSubstr("line 3: a byte that is no UTF-8"));
    EXPECT_EQ(shaped(of_format(InputFormat::text, "a\xf9")).value().json, "[\"a\xEF\xBF\xBD\"]");
    EXPECT_THAT(shaped(of_format(InputFormat::csv, "a\n", "text/csv; charset=klingon")).error().message,
                HasSubstr("not known"));
}

TEST(Shape, AConvertedTextIsWhole)
{
    std::string long_text;
    for (int i = 0; i < 50'000; ++i) long_text += "\xf9\xec\xe5\xed,";
    const std::string json =
        shaped(of_format(InputFormat::text, long_text, "text/plain; charset=windows-1255")).value().json;
    EXPECT_EQ(json.size(), 50'000 * std::string_view{"שלום,"}.size() + 4);
}

TEST(Shape, SelectWorksOnRows)
{
    ShapeOrder order = of_format(InputFormat::csv, "name,n\na,1\nb,2\n");
    order.select = "map(select(.n > 1).name)";
    EXPECT_EQ(shaped(order).value().json, R"(["b"])");
}

TEST(Shape, AsOfIsReadFromTheAnswer)
{
    const auto as_of = [](std::string value) {
        ShapeOrder order = json(R"({"t":)" + value + R"(,"rows":[]})", ".rows");
        order.as_of = ".t";
        return shaped(order);
    };
    const WallTime t0 = *from_rfc3339("2026-11-24T16:00:00Z");
    EXPECT_EQ(as_of(R"("2026-11-24T18:00:00+02:00")").value().as_of, t0);
    EXPECT_EQ(as_of(R"("Tue, 24 Nov 2026 16:00:00 GMT")").value().as_of, t0);
    EXPECT_EQ(as_of(std::to_string(to_ms(t0))).value().as_of, t0);
    EXPECT_EQ(as_of(std::to_string(to_ms(t0) / 1000)).value().as_of, t0);
    EXPECT_EQ(as_of('"' + std::to_string(to_ms(t0) / 1000) + '"').value().as_of, t0);
    EXPECT_EQ(as_of(std::to_string(to_ms(t0) / 1000) + ".250").value().as_of, t0 + 250ms);
    EXPECT_EQ(as_of("null").value().as_of, std::nullopt);
    EXPECT_EQ(as_of("null").value().json, "[]");
    EXPECT_EQ(as_of(R"("yesterday")").error().message, R"(as_of: it gives ""yesterday"", which is no time)");
    for (const char* value : {"-1", "1e300", "true", "[]", "\"1e9\"", "\"nan\""})
        EXPECT_FALSE(as_of(value).has_value()) << value;
}

TEST(Shape, ExtractsAreJsonTextsOfTheAnswer)
{
    ShapeOrder order = json(R"({"items":[1,2],"next":"/p?page=2","total":7})", ".items");
    order.extracts = {{"next", ".next"}, {"cursor", ".cursor"}, {"total", ".total"}, {"none", "empty"}};
    EXPECT_THAT(shaped(order).value().extracts, ElementsAre(Pair("next", "\"/p?page=2\""), Pair("cursor", "null"),
                                                            Pair("total", "7"), Pair("none", "null")));
    order.extracts = {{"next page", ".items[]"}};
    EXPECT_THAT(shaped(order).error().message, HasSubstr("next page: it gives more than one"));
}

TEST(Shape, CheckOnlyCompilesEveryExpression)
{
    ShapeOrder order;
    order.check_only = true;
    order.select = ".a", order.as_of = ".t", order.rows = "//p", order.cells = {{"x", "resolve(@href)"}},
    order.extracts = {{"n", ".n"}};
    EXPECT_EQ(shaped(order).value().json, "null");
    ShapeOrder wrong = order;
    wrong.as_of = ".t[";
    EXPECT_THAT(shaped(wrong).error().message, HasSubstr("as_of: syntax error"));
    wrong = order, wrong.cells = {{"x", "b["}};
    EXPECT_THAT(shaped(wrong).error().message, HasSubstr("cell x: "));
}

TEST(Shape, RefusesWhatPassesItsBounds)
{
    ShapeLimits limits;
    limits.input_bytes_max = 10, limits.output_bytes_max = 20;
    EXPECT_EQ(shaped(json("[1,2,3,4,5,6]"), limits).error().code, ShapeErrorCode::too_large);
    EXPECT_EQ(shaped(json("1", "[range(100)]"), limits).error().code, ShapeErrorCode::too_large);
}

TEST(Shape, AProgramRunsAgainAfterItFailed)
{
    Shaper shaper;
    EXPECT_FALSE(shaper.shape(json("1", ".a"), {}).has_value());
    EXPECT_EQ(shaper.shape(json("{\"a\":2}", ".a"), {}).value().json, "2");
    EXPECT_FALSE(shaper.shape(json("[1,2]", ".[]"), {}).has_value());
    EXPECT_EQ(shaper.shape(json("[3]", ".[]"), {}).value().json, "3");
    for (int i = 0; i < 40; ++i)
        EXPECT_EQ(shaper.shape(json("1", ". + " + std::to_string(i)), {}).value().json, std::to_string(i + 1));
}

} // namespace freshet
