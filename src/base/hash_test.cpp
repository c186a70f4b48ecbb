// SPDX-License-Identifier: Apache-2.0
#include "base/hash.hpp"

#include <gtest/gtest.h>

namespace freshet {
namespace {

// Hashes are stored: another value for the same bytes would make every published version look new.
TEST(Hash, IsXxh3AndStaysSo)
{
    EXPECT_EQ(to_hex(hash128("")), "99aa06d3014798d86001c324468d497f");
    EXPECT_EQ(hash64(""), 0x2d06800538d394c2ULL);
    EXPECT_EQ(to_hex(hash128("[{\"id\":1}]")), to_hex(hash128("[{\"id\":1}]")));
    EXPECT_NE(hash128("[{\"id\":1}]"), hash128("[{\"id\":2}]"));
}

TEST(Hash, CountsEveryByteAlsoNul)
{
    EXPECT_NE(hash128(std::string_view{"a\0b", 3}), hash128(std::string_view{"a\0c", 3}));
    EXPECT_NE(hash128("a"), hash128(std::string_view{"a\0", 2}));
}

TEST(Hash, DependsOnItsSeed)
{
    EXPECT_NE(hash64("a", 1), hash64("a", 2));
    EXPECT_EQ(hash64("a"), hash64("a", 0));
}

TEST(Hash, IsShownAsThirtyTwoDigitsWithLeadingZeros)
{
    EXPECT_EQ(to_hex({0, 0}), "00000000000000000000000000000000");
    EXPECT_EQ(to_hex({1, 0xabc}), "00000000000000010000000000000abc");
}

} // namespace
} // namespace freshet
