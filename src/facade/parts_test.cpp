// SPDX-License-Identifier: Apache-2.0
// The pure parts of a facade: what an expression mentions, what a request brings, what a page's path may name, what is
// kept. The whole is tested from outside (tests/http/facade_test.cpp).
#include "facade/document.hpp"
#include "facade/inputs.hpp"
#include "facade/kept.hpp"
#include "facade/mentions.hpp"
#include "facade/page_files.hpp"
#include "model/key.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace freshet::facade {
namespace {

using ::testing::HasSubstr;

TEST(Mentions, SeesPartsByTheirWords)
{
    const Mentions plain{R"({items: .data, ok: (.meta.state == "fresh"), half: 1.5})"};
    EXPECT_TRUE(plain.has("data"));
    EXPECT_TRUE(plain.has("meta"));
    EXPECT_FALSE(plain.has("request"));
    EXPECT_FALSE(plain.whole());
    EXPECT_FALSE(plain.time());
    EXPECT_TRUE(Mentions{"\"\\(.request.query.a)\""}.has("request"));
}

TEST(Mentions, AClockAnAgeOrAllOfMetaChangesByItself)
{
    for (const char* text : {".meta.age_ms", "now", ".meta", ".meta as $m | $m.state", "[.meta, .data]"})
        EXPECT_TRUE(Mentions{text}.time()) << text;
    for (const char* text : {".meta.state", ".meta.checked_at", ".data | length", ".data[0].x", ".data.items[]"})
        EXPECT_FALSE(Mentions{text}.time()) << text;
}

TEST(Mentions, WhatMayLookAtAllIsGivenAll)
{
    for (const char* text : {".", ". as $d | $d.data", "..", "tojson", "del(.data)", "[.[]]", "map_values(1)"})
        EXPECT_TRUE(Mentions{text}.whole()) << text;
    EXPECT_TRUE(Mentions{"."}.has("workers"));
}

TEST(Document, HoldsOnlyWhatIsMentioned)
{
    Document document;
    document.set("request", R"({"path":"/x"})");
    document.set("job", R"({"id":"j_1"})");
    const Mentions job{".job.id"}, none{"1"}, more{".data"};
    EXPECT_EQ(document.json({&job}), R"({"job":{"id":"j_1"}})");
    EXPECT_EQ(document.json({&none}), "{}");
    EXPECT_EQ(document.json({&job, &more}), R"({"data":null,"job":{"id":"j_1"}})");
}

TEST(Document, LaysMembersOverOthers)
{
    EXPECT_EQ(laid_over(R"({"a":1,"b":2})", R"({"b":3,"c":4})"), R"({"a":1,"b":3,"c":4})");
    EXPECT_EQ(laid_over(R"({"a":1})", "[1]"), R"({"a":1})");
}

FacadeRow row_of(FacadeDefinition definition)
{
    return FacadeRow{std::move(definition), 0, 1 << 20};
}

http::HttpRequest post(std::string body, std::vector<std::pair<std::string, std::string>> query = {})
{
    http::HttpRequest request;
    request.method = "POST";
    request.path = "/x/one";
    request.body = std::move(body);
    request.query = std::move(query);
    return request;
}

TEST(Inputs, PathBeatsQueryBeatsBodyBeatsDefault)
{
    FacadeDefinition def;
    def.on = "POST /x/{a}";
    def.defaults = {{"a", "d"}, {"b", "d"}, {"c", "d"}, {"d", "d"}};
    const std::vector<std::string> captures{"path"};
    const auto inputs =
        read_inputs(row_of(def), post(R"({"a":"body","b":"body","c":7})", {{"a", "q"}, {"b", "q"}}), captures, {});
    ASSERT_TRUE(inputs.has_value());
    EXPECT_EQ(fill("{a} {b} {c} {d}", *inputs), "path q 7 d");
    EXPECT_THAT(inputs->request, HasSubstr(R"("params":{"a":"path","b":"q","c":"7","d":"d"})"));
    const auto missing = fill("{nothing}", *inputs);
    ASSERT_FALSE(missing.has_value());
    EXPECT_EQ(missing.error().status, 400);
    EXPECT_THAT(missing.error().detail, HasSubstr("nothing"));
}

TEST(Inputs, ValuesInAPathCannotBecomeMoreOfIt)
{
    FacadeDefinition def;
    def.on = "POST /x/{a}";
    const std::vector<std::string> captures{"a/../b?c"};
    const auto inputs = read_inputs(row_of(def), post(""), captures, {});
    ASSERT_TRUE(inputs.has_value());
    EXPECT_EQ(fill("offers/{a}", *inputs, &percent_encode), "offers/a%2F..%2Fb%3Fc");
    EXPECT_EQ(fill_query("state={state}&queue={a}", *inputs).size(), 1U);
}

TEST(Inputs, AValueThatIsNotDeclaredIs404InThePathAnd400Elsewhere)
{
    FacadeDefinition def;
    def.on = "POST /x/{a}";
    def.params = {{"a", {"one"}, ""}, {"q", {}, "[0-9]+"}};
    const std::vector<std::string> one{"one"}, two{"two"};
    EXPECT_TRUE(read_inputs(row_of(def), post("", {{"q", "12"}}), one, {}).has_value());
    EXPECT_EQ(read_inputs(row_of(def), post(""), two, {}).error().status, 404);
    EXPECT_EQ(read_inputs(row_of(def), post("", {{"q", "x"}}), one, {}).error().status, 400);
    EXPECT_EQ(read_inputs(row_of(def), post(R"({"q":"x"})"), one, {}).error().status, 400);
}

TEST(Pages, NothingLeadsOutOfTheFolder)
{
    EXPECT_EQ(safe_path("a/b.js"), "a/b.js");
    EXPECT_EQ(safe_path("a%20b.js"), "a b.js");
    for (const char* bad :
         {"", "../x", "a/../x", "%2e%2e/x", "a%2fb", "a%5cb", ".hidden", "a/.git/x", "a//b", "a%00.js"})
        EXPECT_FALSE(safe_path(bad)) << bad;
}

TEST(Pages, KnowHashedNames)
{
    for (const char* hashed : {"app-3f9c1a20.js", "index-DiwrgTda.js", "assets/x.3f9c1a20.css", "a-B-x_4Fg9.js"})
        EXPECT_TRUE(is_hashed_name(hashed)) << hashed;
    for (const char* plain :
         {"app.js", "my-dashboard.js", "report-20261126.json", "jquery-3.7.1.min.js", "noext", "a-1234567.js"})
        EXPECT_FALSE(is_hashed_name(plain)) << plain;
}

TEST(Kept, ForgetsTheLeastUsedBeyondItsBudget)
{
    Kept<int> kept{4000};
    const SteadyTime now{};
    for (int i = 0; i < 10; ++i) {
        kept.made(std::to_string(i), std::make_shared<const int>(i), 900, now);
        kept.find("0", SteadyTime::min());
    }
    EXPECT_LE(kept.bytes(), 4000U);
    EXPECT_NE(kept.find("0", SteadyTime::min()), nullptr);
    EXPECT_EQ(kept.find("1", SteadyTime::min()), nullptr);
    EXPECT_EQ(kept.find("0", now + 1s), nullptr) << "older than asked for";
}

TEST(Kept, OneMakesItAndTheOthersWait)
{
    Kept<int> kept{4000};
    int told = 0;
    EXPECT_TRUE(kept.begin("a", [](const auto&) {}));
    EXPECT_FALSE(kept.begin("a", [&](const auto& value) { told += *value; }));
    EXPECT_FALSE(kept.begin("a", [&](const auto& value) { told += *value; }));
    kept.made("a", std::make_shared<const int>(5), 1, {});
    EXPECT_EQ(told, 10);
    EXPECT_TRUE(kept.begin("a", [](const auto&) {}));
}

} // namespace
} // namespace freshet::facade
