// SPDX-License-Identifier: Apache-2.0
#include "http/negotiate.hpp"

#include <gtest/gtest.h>

namespace freshet::http {

namespace {

std::string order_of(std::string_view header)
{
    const AcceptedCodings accepted = accepted_codings(header);
    std::string text;
    for (std::size_t i = 0; i < accepted.count; ++i) {
        const std::string_view word = coding_word(accepted.order[i]);
        (text += text.empty() ? "" : " ") += word.empty() ? "identity" : word;
    }
    return text;
}

TEST(Negotiate, OrdersCodingsByQThenByOurLiking)
{
    const struct {
        const char* header;
        const char* order;
    } rows[] = {
        {"", "identity"},
        {"gzip, deflate, br, zstd", "zstd br gzip identity"},
        {"gzip;q=1.0, br;q=0.5", "gzip br identity"},
        {"br;q=0.001, gzip;q=0.002", "gzip br identity"},
        {"*", "zstd br gzip identity"},
        {"*;q=0", ""},
        {"gzip, *;q=0", "gzip"},
        {"identity;q=0, gzip", "gzip"},
        {"gzip;q=0, br", "br identity"},
        {"GZIP", "gzip identity"},
        {"x-gzip", "gzip identity"},
        {"identity, gzip;q=0.5", "identity gzip"},
        {";;;,,,q=1", "identity"},
        {"gzip ; q=0.4 , br ; Q=0.8", "br gzip identity"},
    };
    for (const auto& row : rows) EXPECT_EQ(order_of(row.header), row.order) << row.header;
}

TEST(Negotiate, KnowsItsTagWhateverAProxyDidToIt)
{
    const std::string tag = entity_tag(43, 0x9f3c1a2000000000, Coding::identity);
    EXPECT_EQ(tag, "\"v43-9f3c1a20\"");
    EXPECT_EQ(entity_tag(43, 0x9f3c1a2000000000, Coding::br), "\"v43-9f3c1a20-br\"");
    for (const char* known : {"\"v43-9f3c1a20\"", "W/\"v43-9f3c1a20\"", "\"v43-9f3c1a20-gzip\"",
                              "\"v43-9f3c1a20--gzip\"", "\"v43-9f3c1a20-br\"", "\"v43-9f3c1a20-zstd\"",
                              "\"v43-9f3c1a20-zstd--gzip\"", "\"a,b\", \"v43-9f3c1a20\"", "*"})
        EXPECT_TRUE(matches_tag(known, tag)) << known;
    for (const char* other :
         {"", "v43-9f3c1a20", "\"v43-9f3c1a2\"", "\"v4-9f3c1a20\"", "\"v43-9f3c1a20-x\"", "\"v43-9f3c1a200\"",
          "\"v44-9f3c1a20\"", "\"v43-9f3c1a20-\"", "\"", "\"v43-9f3c1a20-evil-gzip\""})
        EXPECT_FALSE(matches_tag(other, tag)) << other;
}

TEST(Negotiate, ReadsPreferencesAndCacheDirectives)
{
    const Preferences both = preferences("respond-async, wait=20; foo=bar, wait=x");
    EXPECT_TRUE(both.respond_async);
    EXPECT_EQ(both.wait, Millis{20s});
    EXPECT_EQ(preferences("wait=999999").wait, Millis{10min});
    EXPECT_TRUE(preferences("wait=1, Return=minimal").minimal);
    EXPECT_FALSE(preferences("return=representation").minimal);
    EXPECT_FALSE(preferences("wait=-1").wait.has_value());
    EXPECT_TRUE(cache_directives("no-cache", "").forces);
    EXPECT_TRUE(cache_directives("max-age=0", "").forces);
    EXPECT_FALSE(cache_directives("max-age=0", "").max_age.has_value());
    EXPECT_EQ(cache_directives("MAX-AGE=\"7\", only-if-cached", "no-cache").max_age, Millis{7s});
    EXPECT_FALSE(cache_directives("max-age=7", "no-cache").forces); // Pragma counts only alone.
    EXPECT_TRUE(cache_directives("only-if-cached", "").only_if_cached);
}

} // namespace

} // namespace freshet::http
