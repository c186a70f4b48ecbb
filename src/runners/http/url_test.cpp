// SPDX-License-Identifier: Apache-2.0
#include "runners/http/url.hpp"

#include <gtest/gtest.h>

namespace freshet {

TEST(Url, TakesAnAbsoluteUrlApart)
{
    const auto url = parse_url("HTTPS://me:p%40ss@API.Example.com/a/b?c=d#e");
    ASSERT_TRUE(url.has_value());
    EXPECT_EQ(url->text, "https://API.Example.com/a/b?c=d");
    EXPECT_EQ(url->host, "api.example.com");
    EXPECT_EQ(url->port, "443");
    EXPECT_EQ(url->user, "me");
    EXPECT_EQ(url->password, "p@ss");
}

TEST(Url, RefusesWhatIsNotHttp)
{
    EXPECT_EQ(parse_url("ftp://example.com/").error(), "of scheme ftp; only http and https are fetched");
    EXPECT_EQ(parse_url("file:///etc/passwd").error(), "of scheme file; only http and https are fetched");
    for (const char* text : {"", "example.com/a", "http://", "http:///a", "http://a b/", "//example.com"})
        EXPECT_FALSE(parse_url(text).has_value()) << text;
}

TEST(Url, KnowsOneOriginFromAnother)
{
    const Url url = parse_url("http://example.com/").value();
    EXPECT_TRUE(url.same_origin(parse_url("http://EXAMPLE.com:80/x").value()));
    for (const char* other :
         {"https://example.com/", "http://example.com:81/", "http://www.example.com/", "http://example.com.evil.org/"})
        EXPECT_FALSE(url.same_origin(parse_url(other).value())) << other;
}

TEST(Url, ResolvesReferencesAndDropsTheirCredentials)
{
    const Url base = parse_url("https://example.com/a/b?x=1").value();
    EXPECT_EQ(resolve_url(base, "c?y=2")->text, "https://example.com/a/c?y=2");
    EXPECT_EQ(resolve_url(base, "/d")->text, "https://example.com/d");
    EXPECT_EQ(resolve_url(base, "?page=2")->text, "https://example.com/a/b?page=2");
    EXPECT_EQ(resolve_url(base, "//other.org/e")->text, "https://other.org/e");
    const auto foreign = resolve_url(base, "http://user:pw@other.org/");
    EXPECT_EQ(foreign->text, "http://other.org/");
    EXPECT_TRUE(foreign->user.empty());
    EXPECT_FALSE(resolve_url(base, "gopher://example.com/").has_value());
    EXPECT_FALSE(resolve_url(base, "").has_value());
}

TEST(Url, SetsAQueryParameterInPlaceOfTheOneThatIsThere)
{
    EXPECT_EQ(with_query("https://e.com/a", "page", "2"), "https://e.com/a?page=2");
    EXPECT_EQ(with_query("https://e.com/a?page=1&b=c#d", "page", "2"), "https://e.com/a?b=c&page=2");
    EXPECT_EQ(with_query("https://e.com/a?b", "after", "x y&z=1"), "https://e.com/a?b&after=x%20y%26z%3D1");
}

TEST(Url, IsShownWithoutCredentialsAndValues)
{
    EXPECT_EQ(shown_url("https://me:secret@e.com/a?key=secret&b=c#secret"), "https://e.com/a?key=…&b=…");
    EXPECT_EQ(shown_url("https://e.com/a?secret"), "https://e.com/a?…");
    EXPECT_EQ(shown_url("https://e.com/a\r\nX: y"), "https://e.com/a??X: y");
    EXPECT_LE(shown_url("https://e.com/" + std::string(1000, 'a')).size(), 203u);
}

} // namespace freshet
