// SPDX-License-Identifier: Apache-2.0
// The small languages of facades, by tables: what is read, and in which words the rest is refused.
#include "model/facade.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace freshet {
namespace {

std::string words_of(const std::expected<PathPattern, std::string>& read)
{
    if (!read) return read.error();
    std::string text = read->method;
    for (const auto& segment : read->segments) text += (segment.is_capture ? " =" : " ") + segment.text;
    return text;
}

std::string words_of(const std::expected<BodyRule, std::string>& read)
{
    return read ? read->takes() + (read->optional ? ", or nothing" : "") : read.error();
}

TEST(PathPattern, ReadsAMethodThenLiteralsAndCapturesOfWholeSegments)
{
    const std::string method = "must begin with GET, POST, PUT, PATCH or DELETE and a space";
    const std::string segment = "has the segment \"{}\": a capture takes a whole segment, and others are letters, "
                                "digits, - . _ and ~";
    const auto bad = [&](std::string_view text) { return fmt::format(fmt::runtime(segment), text); };
    const std::vector<std::pair<std::string, std::string>> table{
        {"GET /", "GET "},
        {"GET /api/v1.2~a/x_y-z", "GET api v1.2~a x_y-z"},
        {"DELETE /api/{shop}/offers/{offer-id}", "DELETE api =shop offers =offer-id"},
        {"GET", method},
        {"HEAD /api", method},
        {"get /api", method},
        {"PUT api", "must have a path that begins with /"},
        {"GET /api/", "has an empty segment in its path"},
        {"GET //api", "has an empty segment in its path"},
        {"GET /{}", "has a capture {} without a good name"},
        {"GET /{a b}", "has a capture {a b} without a good name"},
        {"GET /{" + std::string(65, 'a') + "}", "has a capture {" + std::string(65, 'a') + "} without a good name"},
        {"GET /{shop}/{shop}", "captures shop twice"},
        {"GET /{shop}.json", bad("{shop}.json")},
        {"GET /shop{id}", bad("shop{id}")},
        {"GET /a%20b", bad("a%20b")},
        {"GET /a/../b", bad("..")},
        {"GET /.", bad(".")},
    };
    for (const auto& [text, words] : table) EXPECT_EQ(words_of(parse_path_pattern(text)), words) << text;
    EXPECT_EQ(words_of(parse_path_pattern("GET /{" + std::string(64, 'a') + "}")), "GET =" + std::string(64, 'a'));
}

TEST(PathPattern, HasAFixedPartUpToItsFirstCapture)
{
    const std::vector<std::pair<std::string, std::string>> table{
        {"GET /", "/"},
        {"GET /{id}", "/"},
        {"GET /dashboard", "/dashboard"},
        {"GET /dashboard/{id}/more", "/dashboard"},
        {"GET /a/b/{id}", "/a/b"},
    };
    for (const auto& [text, fixed] : table) EXPECT_EQ(parse_path_pattern(text)->fixed_part(), fixed) << text;
}

TEST(PathPattern, IsOfOneShapeWithAnotherWhateverTheCapturesAreCalled)
{
    const auto alike = [](std::string_view a, std::string_view b) {
        return parse_path_pattern(a)->same_shape(*parse_path_pattern(b));
    };
    EXPECT_TRUE(alike("GET /a/{x}", "GET /a/{y}"));
    EXPECT_FALSE(alike("GET /a/{x}", "POST /a/{x}"));
    EXPECT_FALSE(alike("GET /a/{x}", "GET /a/x"));
    EXPECT_FALSE(alike("GET /a/b", "GET /a/c"));
    EXPECT_FALSE(alike("GET /a", "GET /a/b"));
    EXPECT_TRUE(parse_path_pattern("GET /a/{x}/b")->has_capture("x"));
    EXPECT_FALSE(parse_path_pattern("GET /a/{x}/b")->has_capture("b"));
}

TEST(BodyRule, ReadsATypeItsBoundsAndWhetherItMayBeLeftOut)
{
    const std::string known = "must be text, whole, number, yes_no, list, object, callback or \"one of a, b\"";
    const auto bounds = [](std::string_view text) {
        return fmt::format("has the bounds \"{}\"; a smaller number, .. and a larger one are taken", text);
    };
    const std::vector<std::pair<std::string, std::string>> table{
        {"text", "a text"},
        {"  text  ", "a text"},
        {"text?", "a text, or nothing"},
        {"text 1..80", "a text of 1 to 80 bytes"},
        {"text   1..80 ", "a text of 1 to 80 bytes"},
        {"whole? -5..5", "a whole number of -5 to 5, or nothing"},
        {"number 3..3", "a number of 3 to 3"},
        {"list 2..", "a list of at least 2 entries"},
        {"list ..9", "a list of at most 9 entries"},
        {"yes_no", "true or false"},
        {"object?", "an object, or nothing"},
        {"callback", "one of the callback URLs of this API"},
        {"one of a, b", "one of a, b"},
        {"one of only", "one of only"},
        {"one of? a,b ", "one of a, b, or nothing"},
        {"one? of a, b", "one of a, b, or nothing"},
        {"one", known},
        {"one from a, b", known},
        {"one of a,,b", "has an empty word"},
        {"colour", known + ", not \"colour\""},
        {"", known + ", not \"\""},
        {"text 80", "has \"80\" where bounds such as 1..80 are taken"},
        {"text 9..1", bounds("9..1")},
        {"text a..9", bounds("a..9")},
        {"text 1x..9", bounds("1x..9")},
        {"text 1..z", bounds("1..z")},
        {"yes_no 0..1", "has bounds, which yes_no does not take"},
        {"object 1..2", "has bounds, which object does not take"},
        {"callback 1..2", "has bounds, which callback does not take"},
    };
    for (const auto& [text, words] : table) EXPECT_EQ(words_of(parse_body_rule(text)), words) << text;
}

TEST(KeyTemplate, BeginsWithATenantWhereAColonStandsBeforeTheFirstSlash)
{
    const std::vector<std::array<std::string, 3>> table{
        {"offers", "", "offers"},          {"offers/{shop}", "", "offers/{shop}"},
        {"acme:offers", "acme", "offers"}, {"*:offers/a:b", "*", "offers/a:b"},
        {"offers/a:b", "", "offers/a:b"},
    };
    for (const auto& [text, tenant, key] : table) {
        EXPECT_EQ(parse_key_template(text).tenant, tenant) << text;
        EXPECT_EQ(parse_key_template(text).key, key) << text;
    }
}

TEST(ListedUrl, IsOneOfTheListOrPlainlyBelowOneThatEndsInASlash)
{
    const std::vector<std::string> listed{"https://a.example/hook", "https://b.example/in/"};
    for (const char* url : {"https://a.example/hook", "https://b.example/in/", "https://b.example/in/x?y=1"})
        EXPECT_TRUE(is_listed_url(url, listed)) << url;
    for (const char* url :
         {"https://a.example/hook/x", "https://a.example", "https://b.example/in", "https://b.example/in/../out",
          "https://b.example/in/%2e%2e/out", "https://b.example/in/%2E%2E/out", "https://b.example/in/a b",
          "https://b.example/in/\\out", "https://b.example/in/a@c.example", "https://b.example/in/\x7f",
          "https://b.example/in/\xc3\xa4", "https://b.example/in/\n"})
        EXPECT_FALSE(is_listed_url(url, listed)) << url;
}

} // namespace
} // namespace freshet
