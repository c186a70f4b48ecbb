// SPDX-License-Identifier: Apache-2.0
#include "runners/shape/markup.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace freshet {

namespace {

using testing::HasSubstr;

ShapeResult<std::string> rows_of(const ShapeOrder& order, InputFormat format)
{
    return json_of_markup(order, format, ShapeLimits{});
}

ShapeOrder html(std::string input, std::string rows, std::vector<NamedExpression> cells = {})
{
    ShapeOrder order;
    order.input = std::move(input);
    order.rows = std::move(rows);
    order.cells = std::move(cells);
    return order;
}

} // namespace

TEST(Html, TakesOneRowPerMatch)
{
    const auto order = html("<!doctype html><html><body>"
                            "<div class='offer'><h3> Green\n  tea </h3><b>12.50</b></div>"
                            "<div class='offer'><h3>שוקו&nbsp;חם</h3></div></body></html>",
                            "//div[@class='offer']",
                            {{"name", ".//h3"},
                             {"price", ".//b"},
                             {"priced", "boolean(.//b)"},
                             {"place", "count(preceding-sibling::div)"}});
    EXPECT_EQ(
        rows_of(order, InputFormat::html).value(),
        R"([{"name":"Green tea","price":"12.50","priced":true,"place":0},{"name":"שוקו חם","price":null,"priced":false,"place":1}])");
}

TEST(Html, GivesTextsWithoutCellsAndAnEmptyListWithoutMatches)
{
    EXPECT_EQ(rows_of(html("<ul><li>a<li>b</ul>", "//li"), InputFormat::html).value(), R"(["a","b"])");
    EXPECT_EQ(rows_of(html("<ul><li>a<li>b</ul>", "//tr"), InputFormat::html).value(), "[]");
}

TEST(Html, ReadsWhatBrowsersRead)
{
    const auto order = html("<table><tr><td>1<td>a & b <tr><td>2<td><b><i>x</b></i><script>if (a<b) {}</script>",
                            "//tr", {{"n", "td[1]"}, {"t", "td[2]"}});
    const auto rows = rows_of(order, InputFormat::html);
    ASSERT_TRUE(rows.has_value()) << rows.error().message;
    EXPECT_THAT(*rows, HasSubstr(R"({"n":"1","t":"a & b"})"));
}

TEST(Html, ResolvesAddressesAgainstThePageAndItsBase)
{
    ShapeOrder order =
        html("<a href='../p?x=1&amp;y=2'>a</a><a href='/q r/é'>b</a><a>c</a><a href='https://other.example/'>d</a>",
             "//a", {{"t", "."}, {"to", "resolve(@href)"}});
    order.base_url = "https://shop.example.com/list/now/";
    EXPECT_EQ(
        rows_of(order, InputFormat::html).value(),
        R"([{"t":"a","to":"https://shop.example.com/list/p?x=1&y=2"},{"t":"b","to":"https://shop.example.com/q%20r/%C3%A9"},)"
        R"({"t":"c","to":null},{"t":"d","to":"https://other.example/"}])");
    order.input = "<head><base href='/deep/er/'></head><a href=x>a</a>";
    EXPECT_THAT(rows_of(order, InputFormat::html).value(), HasSubstr("https://shop.example.com/deep/er/x"));
}

TEST(Html, TakesTheCharsetFromHeaderThenPageThenUtf8)
{
    ShapeOrder order = html("<p>\xf9\xec\xe5\xed</p>", "//p");
    order.content_type = "text/html; charset=windows-1255";
    EXPECT_EQ(rows_of(order, InputFormat::html).value(), R"(["שלום"])");
    order.content_type = "text/html";
    order.input = "<meta charset=windows-1255><p>\xf9\xec\xe5\xed</p>";
    EXPECT_EQ(rows_of(order, InputFormat::html).value(), R"(["שלום"])");
    order.input = "<p>שלום</p>";
    EXPECT_EQ(rows_of(order, InputFormat::html).value(), R"(["שלום"])");
}

TEST(Html, GivesValidTextOfAPageThatBreaksItsOwnCharset)
{
    EXPECT_EQ(rows_of(html("<?xm>&\xa0", "//p"), InputFormat::html).value(), "[\"&\xEF\xBF\xBD\"]");
}

TEST(Html, SurvivesADeepPage)
{
    std::string deep;
    for (int i = 0; i < 3000; ++i) deep += "<div>";
    const auto rows = rows_of(html(deep + "x", "//div[not(div)]"), InputFormat::html);
    EXPECT_TRUE(rows.has_value() || rows.error().code == ShapeErrorCode::bad_input);
}

TEST(Xml, TakesRssItems)
{
    const auto order = html(
        R"(<?xml version="1.0" encoding="UTF-8"?><rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/"><channel><title>News</title>
        <item><title><![CDATA[Rain & sun]]></title><link>https://n.example/1</link><dc:creator>Noa</dc:creator></item>
        <item><title>Snow &#x2603;</title><link>https://n.example/2</link></item></channel></rss>)",
        "/rss/channel/item", {{"title", "title"}, {"link", "link"}, {"by", "dc:creator"}});
    EXPECT_EQ(
        rows_of(order, InputFormat::xml).value(),
        R"([{"title":"Rain & sun","link":"https://n.example/1","by":"Noa"},{"title":"Snow ☃","link":"https://n.example/2","by":null}])");
}

TEST(Xml, NamesAtomByItsUsualPrefixByDefaultAndByTheDocumentsOwn)
{
    const char* feed =
        R"(<feed xmlns="http://www.w3.org/2005/Atom" xmlns:x="urn:x"><entry><title>One</title><link href="/1"/><x:n>7</x:n></entry></feed>)";
    for (const char* rows : {"//atom:entry", "//default:entry", "//*[local-name()='entry']"}) {
        ShapeOrder order =
            html(feed, rows, {{"title", "atom:title"}, {"to", "resolve(atom:link/@href)"}, {"n", "number(x:n)"}});
        order.base_url = "https://blog.example/feed";
        EXPECT_EQ(rows_of(order, InputFormat::xml).value(), R"([{"title":"One","to":"https://blog.example/1","n":7}])")
            << rows;
    }
}

TEST(Xml, IsReadStrictlyAndSaysTheLine)
{
    EXPECT_THAT(rows_of(html("<a>\n<b>\n</a>", "//b"), InputFormat::xml).error().message, HasSubstr("line 3"));
    EXPECT_THAT(rows_of(html("<a>x &nbsp; y</a>", "//a"), InputFormat::xml).error().message, HasSubstr("nbsp"));
    EXPECT_EQ(rows_of(html("", "//a"), InputFormat::xml).error().code, ShapeErrorCode::bad_input);
    EXPECT_EQ(rows_of(html("<a>\xff</a>", "//a"), InputFormat::xml).error().code, ShapeErrorCode::bad_input);
}

TEST(Xml, RefusesEntitiesThatReadFiles)
{
    for (const char* xxe : {R"(<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>)",
                            R"(<!DOCTYPE a [<!ENTITY % p SYSTEM "http://127.0.0.1:1/p"> %p;]><a>x</a>)"}) {
        const auto rows = rows_of(html(xxe, "//a"), InputFormat::xml);
        ASSERT_FALSE(rows.has_value()) << *rows;
        EXPECT_THAT(rows.error().message, HasSubstr("declares entities"));
    }
    // An external subset is never loaded; the document stands without it.
    EXPECT_EQ(rows_of(html(R"(<!DOCTYPE a SYSTEM "file:///etc/passwd"><a>x</a>)", "//a"), InputFormat::xml).value(),
              R"(["x"])");
}

TEST(Xml, RefusesABillionLaughs)
{
    std::string bomb = "<!DOCTYPE l [<!ENTITY l0 \"lol\">";
    for (int i = 1; i < 10; ++i) {
        bomb += "<!ENTITY l" + std::to_string(i) + " \"";
        for (int k = 0; k < 10; ++k) bomb += "&l" + std::to_string(i - 1) + ";";
        bomb += "\">";
    }
    bomb += "]><l>&l9;</l>";
    EXPECT_THAT(rows_of(html(bomb, "//l"), InputFormat::xml).error().message, HasSubstr("declares entities"));
}

TEST(Xml, RefusesHugeDepth)
{
    std::string deep;
    for (int i = 0; i < 100'000; ++i) deep += "<a>";
    EXPECT_EQ(rows_of(html(deep, "//a"), InputFormat::xml).error().code, ShapeErrorCode::bad_input);
}

TEST(XPath, SaysWhichExpressionIsWrong)
{
    const auto refused = [](std::string rows, std::vector<NamedExpression> cells) {
        return rows_of(html("<p>x</p>", std::move(rows), std::move(cells)), InputFormat::html).error();
    };
    EXPECT_EQ(refused("//p[", {}).code, ShapeErrorCode::bad_program);
    EXPECT_THAT(refused("//p[", {}).message, HasSubstr("rows: "));
    EXPECT_THAT(refused("//p", {{"price", "b["}}).message, HasSubstr("cell price: "));
    EXPECT_THAT(refused("//p", {{"x", "nope(.)"}}).message, HasSubstr("cell x: "));
    EXPECT_THAT(refused("//p", {{"x", "nope:b"}}).message, HasSubstr("cell x: "));
    EXPECT_THAT(refused("count(//p)", {}).message, HasSubstr("not nodes"));
    EXPECT_THAT(refused("//p", {{"x", "resolve()"}}).message, HasSubstr("cell x: "));
}

TEST(XPath, BoundsTheRows)
{
    std::string page;
    for (int i = 0; i < 1000; ++i) page += "<p>0123456789</p>";
    ShapeLimits limits;
    limits.output_bytes_max = 1000;
    EXPECT_EQ(json_of_markup(html(page, "//p"), InputFormat::html, limits).error().code, ShapeErrorCode::too_large);
}

} // namespace freshet
