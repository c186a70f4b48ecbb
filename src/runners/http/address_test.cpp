// SPDX-License-Identifier: Apache-2.0
#include "runners/http/address.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

namespace freshet {

namespace {

std::optional<std::string_view> judge(const char* text)
{
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) return not_public(*reinterpret_cast<const sockaddr*>(&v4));
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    EXPECT_EQ(inet_pton(AF_INET6, text, &v6.sin6_addr), 1) << text;
    return not_public(*reinterpret_cast<const sockaddr*>(&v6));
}

} // namespace

TEST(Address, RefusesEveryRangeThatIsNotPublicUpToItsEdges)
{
    for (const char* text : {"0.0.0.0",
                             "0.255.255.255",
                             "10.0.0.0",
                             "10.255.255.255",
                             "100.64.0.0",
                             "100.127.255.255",
                             "127.0.0.1",
                             "127.255.255.254",
                             "169.254.169.254",
                             "172.16.0.0",
                             "172.31.255.255",
                             "192.0.0.8",
                             "192.0.2.1",
                             "192.88.99.1",
                             "192.168.0.0",
                             "192.168.255.255",
                             "198.18.0.0",
                             "198.19.255.255",
                             "198.51.100.7",
                             "203.0.113.9",
                             "224.0.0.1",
                             "239.255.255.255",
                             "240.0.0.1",
                             "255.255.255.255",
                             "::",
                             "::1",
                             "::2",
                             "fe80::1",
                             "febf::1",
                             "fec0::1",
                             "fc00::1",
                             "fdff::1",
                             "fd00:ec2::254",
                             "ff02::1",
                             "100::1",
                             "2001:db8::1",
                             "2001::1",
                             "2001:1ff::1",
                             "3fff::1",
                             "64:ff9b:1::1",
                             "4000::1",
                             "::ffff:127.0.0.1",
                             "::ffff:10.1.2.3",
                             "::ffff:169.254.169.254",
                             "64:ff9b::10.0.0.1",
                             "64:ff9b::127.0.0.1",
                             "2002:7f00:1::1",
                             "2002:a00:1::",
                             "::127.0.0.1"})
        EXPECT_TRUE(judge(text).has_value()) << text;
}

TEST(Address, LetsPublicAddressesPassUpToTheRangesEdges)
{
    for (const char* text :
         {"1.0.0.0",        "8.8.8.8",         "9.255.255.255",   "11.0.0.0",         "100.63.255.255",
          "100.128.0.0",    "126.255.255.255", "128.0.0.0",       "169.253.255.255",  "169.255.0.0",
          "172.15.255.255", "172.32.0.0",      "192.0.1.0",       "192.167.255.255",  "192.169.0.0",
          "198.17.255.255", "198.20.0.0",      "223.255.255.255", "2606:4700::1111",  "2a00:1450::8a",
          "2001:200::1",    "2001:4860::8888", "::ffff:8.8.8.8",  "64:ff9b::8.8.8.8", "2002:808:808::1"})
        EXPECT_FALSE(judge(text).has_value()) << text << ": " << judge(text).value_or("");
}

TEST(Address, SaysWhatKindOfAddressItIs)
{
    EXPECT_EQ(judge("10.0.0.1"), "a private address (10.0.0.0/8)");
    EXPECT_EQ(judge("::ffff:10.0.0.1"), "a private address (10.0.0.0/8)");
    EXPECT_EQ(judge("255.255.255.255"), "the broadcast address");
    EXPECT_EQ(judge("::1"), "a loopback address (::1)");
    EXPECT_EQ(judge("4000::1"), "an address outside of the public range (2000::/3)");
}

TEST(Address, RefusesFamiliesThatAreNoInternet)
{
    const sockaddr unix_address{AF_UNIX, {}};
    EXPECT_EQ(not_public(unix_address), "not an internet address");
}

TEST(Address, KnowsNamesOfThisMachineAndAddressesWrittenAsText)
{
    for (const char* host :
         {"localhost", "LOCALHOST.", "a.localhost", "127.0.0.1", "[::1]", "[fe80::1%25eth0]", "10.0.0.1"})
        EXPECT_TRUE(not_public_host(host).has_value()) << host;
    for (const char* host : {"example.com", "8.8.8.8", "[2606:4700::1111]", "localhost.example.com"})
        EXPECT_FALSE(not_public_host(host).has_value()) << host;
}

} // namespace freshet
