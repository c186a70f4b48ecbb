// SPDX-License-Identifier: Apache-2.0
#include "model/key.hpp"

#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

namespace freshet {
namespace {

using testing::HasSubstr;
using Code = KeyRefusal::Code;

// rates: no parameter. forecast: one of two cities. dept: any five digits, then any text at all.
Definitions declared()
{
    Definitions made;
    const auto add = [&](std::string name, std::vector<ParamDeclaration> params) {
        auto source = std::make_shared<SourceDefinition>();
        source->name = name;
        source->params = std::move(params);
        made.sources.emplace(std::move(name), std::move(source));
    };
    add("rates", {});
    add("forecast", {{"city", {"Jerusalem", "Tel Aviv"}, ""}});
    add("dept", {{"id", {}, "\\d{5}"}, {"note", {}, "[\\s\\S]+"}});
    return made;
}

const Definitions definitions = declared();

std::expected<KeyPath, KeyRefusal> parse(std::string_view text)
{
    return parse_key(text, definitions);
}

TEST(Key, IsASourceAndItsParametersInTheOrderDeclared)
{
    EXPECT_EQ(parse("rates")->key, (Key{"rates", {}}));
    EXPECT_EQ(parse("forecast/Tel%20Aviv")->key, (Key{"forecast", {"Tel Aviv"}}));
    EXPECT_EQ(parse("dept/01234/a%2Eb")->key, (Key{"dept", {"01234", "a.b"}}));
}

TEST(Key, HasOneTextForm)
{
    EXPECT_EQ(to_text(Key{"rates", {}}), "rates");
    EXPECT_EQ(to_text(Key{"forecast", {"Tel Aviv"}}), "forecast/Tel%20Aviv");
    EXPECT_EQ(to_text(parse("dept/01234/%61%7e%c3%a9")->key), "dept/01234/a~%C3%A9");
}

TEST(Key, EndsWhereItsParametersEndAndTheRestIsAnAction)
{
    EXPECT_EQ(parse("rates")->rest, "");
    EXPECT_EQ(parse("rates/refresh")->rest, "refresh");
    EXPECT_EQ(parse("forecast/Jerusalem/versions/3")->rest, "versions/3");
    EXPECT_EQ(parse("forecast/Jerusalem/")->rest, "");
}

TEST(Key, IsRefusedInWordsThatSayWhatToTry)
{
    const std::string long_value(129, 'x');
    struct Row {
        std::string text;
        Code code;
        const char* words;
    };
    const Row rows[] = {
        {"", Code::unknown_source, "there is no source \"\""},
        {"nothing/refresh", Code::unknown_source, "there is no source \"nothing\""},
        {"Rates", Code::unknown_source, "Rates"},
        {"/rates", Code::unknown_source, "\"\""},
        {"forecast", Code::too_few_params, "forecast needs parameter city"},
        {"forecast/", Code::too_few_params, "city"},
        {"dept/01234", Code::too_few_params, "dept needs parameter note"},
        {"dept/01234//refresh", Code::too_few_params, "note"},
        {"forecast/Haifa", Code::bad_param, "city takes one of: Jerusalem, Tel Aviv"},
        {"forecast/jerusalem", Code::bad_param, "takes one of"},
        {"dept/1234/x", Code::bad_param, "id must match \\d{5}"},
        {"dept/012345/x", Code::bad_param, "id must match"},
        {"dept/01234/%", Code::bad_param, "note has a broken % escape"},
        {"dept/01234/%4", Code::bad_param, "broken % escape"},
        {"dept/01234/%zz", Code::bad_param, "broken % escape"},
        {"dept/01234/a%00b", Code::bad_param, "broken % escape"},
        {"dept/01234/.", Code::bad_param, "note must not be . or .."},
        {"dept/01234/%2E%2e", Code::bad_param, "note must not be . or .."},
        {"dept/01234/a%2Fb", Code::bad_param, "nor hold / or \\"},
        {"dept/01234/a%5Cb", Code::bad_param, "nor hold / or \\"},
        {"dept/01234/" + long_value, Code::bad_param, "note must have 1 to 128 bytes"},
    };
    for (const Row& row : rows) {
        const auto refused = parse(row.text);
        ASSERT_FALSE(refused.has_value()) << row.text;
        EXPECT_EQ(refused.error().code, row.code) << row.text;
        EXPECT_THAT(refused.error().message, HasSubstr(row.words)) << row.text;
    }
}

TEST(Key, IsRefusedWithEightOfTheValuesThatItsParameterTakes)
{
    const auto words = [](int count) {
        Definitions made;
        auto source = std::make_shared<SourceDefinition>();
        source->name = "shop";
        source->params = {{"id", {}, ""}};
        for (int i = 0; i < count; ++i) source->params[0].values.push_back(std::to_string(i));
        made.sources.emplace("shop", std::move(source));
        return parse_key("shop/x", made).error().message;
    };
    EXPECT_THAT(words(8), testing::EndsWith("one of: 0, 1, 2, 3, 4, 5, 6, 7"));
    EXPECT_THAT(words(9), testing::EndsWith("one of: 0, 1, 2, 3, 4, 5, 6, 7, ..."));
}

TEST(Key, TakesAParameterOf128BytesAndThreeDots)
{
    EXPECT_TRUE(parse("dept/01234/" + std::string(128, 'x')));
    EXPECT_TRUE(parse("dept/01234/..."));
}

TEST(PercentDecode, RefusesABrokenEscapeAndANul)
{
    EXPECT_EQ(percent_decode("a%20b"), "a b");
    EXPECT_EQ(percent_decode("a+b"), "a+b");
    for (const std::string_view text : {"%", "a%2", "%g0", "%0g", "%00", "%-1"}) EXPECT_FALSE(percent_decode(text));
    EXPECT_FALSE(percent_decode(std::string_view{"a\0b", 3}));
}

TEST(PercentEncode, KeepsUnreservedCharactersOnly)
{
    EXPECT_EQ(percent_encode("AZaz09-._~"), "AZaz09-._~");
    EXPECT_EQ(percent_encode("a b/c?d#e%\xc3\xa9"), "a%20b%2Fc%3Fd%23e%25%C3%A9");
}

RC_GTEST_PROP(PercentEncode, ReadsBackAnyTextWithoutNul, ())
{
    const auto text = *rc::gen::string<std::string>();
    RC_ASSERT(percent_decode(percent_encode(text)) == text);
}

RC_GTEST_PROP(Key, ReadsBackItsTextForm, ())
{
    const auto digits = *rc::gen::container<std::string>(5, rc::gen::inRange<char>('0', '9' + 1));
    const auto note =
        *rc::gen::suchThat(rc::gen::nonEmpty(rc::gen::container<std::string>(rc::gen::suchThat<char>(
                               rc::gen::arbitrary<char>(), [](char c) { return c != '\0' && c != '/' && c != '\\'; }))),
                           [](const std::string& text) { return text.size() <= 128 && text != "." && text != ".."; });
    const Key key{"dept", {digits, note}};
    const std::string path = to_text(key) + "/refresh";
    const auto parsed = parse(path);
    RC_ASSERT(parsed.has_value());
    RC_ASSERT(parsed->key == key);
    RC_ASSERT(parsed->rest == "refresh");
}

TEST(Template, IsFilledWithEncodedParametersAndKeepsUnknownNames)
{
    const SourceDefinition& source = *definitions.source("dept");
    const std::vector<std::string> params{"01234", "a {id} b"};
    EXPECT_EQ(fill_template("https://x/{id}?q={note}&r={other}&s={", source, params, percent_encode),
              "https://x/01234?q=a%20%7Bid%7D%20b&r={other}&s={");
    const auto as_it_is = [](std::string_view text) { return std::string{text}; };
    EXPECT_EQ(fill_template("{{id}}{note}", source, params, as_it_is), "{01234}a {id} b")
        << "a value is never read as a template";
}

} // namespace
} // namespace freshet
