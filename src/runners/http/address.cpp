// SPDX-License-Identifier: Apache-2.0
#include "runners/http/address.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <netinet/in.h>
#include <span>

namespace freshet {

namespace {

using Bytes16 = std::array<std::uint8_t, 16>;

struct Range {
    std::string_view prefix; ///< the leading bytes, as many as `bits` needs
    int bits;
    std::string_view is;
};

using namespace std::string_view_literals;

// IANA's special-purpose registry (RFC 6890 and its updates), everything that is not globally reachable.
constexpr std::array<Range, 16> ranges_v4{{
    {"\x00"sv, 8, "an address of this network (0.0.0.0/8)"},
    {"\x0a"sv, 8, "a private address (10.0.0.0/8)"},
    {"\x64\x40"sv, 10, "a carrier's private address (100.64.0.0/10)"},
    {"\x7f"sv, 8, "a loopback address (127.0.0.0/8)"},
    {"\xa9\xfe"sv, 16, "a link-local address (169.254.0.0/16), where clouds keep their credentials"},
    {"\xac\x10"sv, 12, "a private address (172.16.0.0/12)"},
    {"\xc0\x00\x00"sv, 24, "a reserved address (192.0.0.0/24)"},
    {"\xc0\x00\x02"sv, 24, "a documentation address (192.0.2.0/24)"},
    {"\xc0\x58\x63"sv, 24, "a reserved relay address (192.88.99.0/24)"},
    {"\xc0\xa8"sv, 16, "a private address (192.168.0.0/16)"},
    {"\xc6\x12"sv, 15, "a benchmark address (198.18.0.0/15)"},
    {"\xc6\x33\x64"sv, 24, "a documentation address (198.51.100.0/24)"},
    {"\xcb\x00\x71"sv, 24, "a documentation address (203.0.113.0/24)"},
    {"\xe0"sv, 4, "a multicast address (224.0.0.0/4)"},
    {"\xff\xff\xff\xff"sv, 32, "the broadcast address"},
    {"\xf0"sv, 4, "a reserved address (240.0.0.0/4)"},
}};

// Only 2000::/3 is handed out at all; the rest of IPv6 is refused as a whole after these names were tried.
constexpr std::array<Range, 12> ranges_v6{{
    {"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"sv, 128, "the unspecified address (::)"},
    {"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01"sv, 128, "a loopback address (::1)"},
    {"\xfe\x80"sv, 10, "a link-local address (fe80::/10)"},
    {"\xfe\xc0"sv, 10, "a site-local address (fec0::/10)"},
    {"\xfc"sv, 7, "a unique local address (fc00::/7)"},
    {"\xff"sv, 8, "a multicast address (ff00::/8)"},
    {"\x01\x00\x00\x00\x00\x00\x00\x00"sv, 64, "a discard address (100::/64)"},
    {"\x20\x01\x0d\xb8"sv, 32, "a documentation address (2001:db8::/32)"},
    {"\x3f\xff"sv, 20, "a documentation address (3fff::/20)"},
    {"\x20\x01\x00\x00"sv, 32, "a Teredo tunnel's address (2001::/32)"},
    {"\x20\x01\x00"sv, 23, "a reserved address (2001::/23)"},
    {"\x00\x64\xff\x9b\x00\x01"sv, 48, "a local translation address (64:ff9b:1::/48)"},
}};

bool is_in(std::span<const std::uint8_t> address, const Range& range)
{
    const auto whole = static_cast<std::size_t>(range.bits / 8);
    for (std::size_t i = 0; i < whole; ++i)
        if (address[i] != static_cast<std::uint8_t>(range.prefix[i])) return false;
    if (range.bits % 8 == 0) return true;
    const auto mask = static_cast<std::uint8_t>(0xff << (8 - range.bits % 8));
    return (address[whole] & mask) == (static_cast<std::uint8_t>(range.prefix[whole]) & mask);
}

std::optional<std::string_view> judge_v4(std::span<const std::uint8_t> address)
{
    for (const Range& range : ranges_v4)
        if (is_in(address, range)) return range.is;
    return std::nullopt;
}

std::optional<std::string_view> judge_v6(const Bytes16& address)
{
    const std::span bytes{address};
    static constexpr Range mapped{"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff"sv, 96, ""};
    static constexpr Range nat64{"\x00\x64\xff\x9b\x00\x00\x00\x00\x00\x00\x00\x00"sv, 96, ""};
    static constexpr Range six_to_four{"\x20\x02"sv, 16, ""};
    if (is_in(bytes, mapped) || is_in(bytes, nat64)) return judge_v4(bytes.subspan(12, 4));
    if (is_in(bytes, six_to_four)) return judge_v4(bytes.subspan(2, 4));
    for (const Range& range : ranges_v6)
        if (is_in(bytes, range)) return range.is;
    static constexpr Range global{"\x20"sv, 3, ""};
    if (!is_in(bytes, global)) return "an address outside of the public range (2000::/3)";
    return std::nullopt;
}

} // namespace

std::optional<std::string_view> not_public(const sockaddr& address)
{
    if (address.sa_family == AF_INET) {
        sockaddr_in v4{};
        std::memcpy(&v4, &address, sizeof v4);
        return judge_v4(std::bit_cast<std::array<std::uint8_t, 4>>(v4.sin_addr));
    }
    if (address.sa_family == AF_INET6) {
        sockaddr_in6 v6{};
        std::memcpy(&v6, &address, sizeof v6);
        return judge_v6(std::bit_cast<Bytes16>(v6.sin6_addr));
    }
    return "not an internet address";
}

std::optional<std::string_view> not_public_host(std::string_view host)
{
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    if (const auto zone = host.find('%'); zone != std::string_view::npos) host = host.substr(0, zone);
    if (host.ends_with('.')) host.remove_suffix(1);
    std::string name{host};
    std::ranges::transform(name, name.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    if (name == "localhost" || name.ends_with(".localhost")) return "a name of this machine";
    in_addr v4{};
    if (inet_pton(AF_INET, name.c_str(), &v4) == 1) return judge_v4(std::bit_cast<std::array<std::uint8_t, 4>>(v4));
    in6_addr v6{};
    if (inet_pton(AF_INET6, name.c_str(), &v6) == 1) return judge_v6(std::bit_cast<Bytes16>(v6));
    return std::nullopt;
}

std::string to_text(const sockaddr& address)
{
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (address.sa_family == AF_INET) {
        sockaddr_in v4{};
        std::memcpy(&v4, &address, sizeof v4);
        inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
    } else if (address.sa_family == AF_INET6) {
        sockaddr_in6 v6{};
        std::memcpy(&v6, &address, sizeof v6);
        inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
    }
    return text.data();
}

} // namespace freshet
