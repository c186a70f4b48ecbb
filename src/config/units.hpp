// SPDX-License-Identifier: Apache-2.0
#pragma once
// How the config writes quantities: sizes ("8MiB"), rates ("6/min"), shares ("50%"), addresses ("127.0.0.1:7878").
// Lengths of time are base/time.hpp's. Every parse has a to-text that it reads back. Pure.

#include "model/definition.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace freshet {

/// "0", "512B", "64KiB", "8MiB", "2GiB", "1TiB" (1024) and "kB", "MB", "GB", "TB" (1000); bytes.
std::optional<std::int64_t> parse_size(std::string_view text);
std::string size_text(std::int64_t bytes);

/// "6/min", "40/s", "1000/h", "5/d", "10/30s"; "none" is no limit.
std::optional<RateLimit> parse_rate(std::string_view text);
std::string rate_text(const RateLimit& rate);

/// "50%" or "12.5%" as 0.5, 0.125; 0% to 100%.
std::optional<double> parse_share(std::string_view text);
std::string share_text(double share);

/// "HOST:PORT", "[IPV6]:PORT". The host without brackets; port 0 is a free one.
struct ListenAddress {
    std::string host;
    std::uint16_t port = 0;
    bool loopback() const;
};
std::optional<ListenAddress> parse_listen(std::string_view text);

} // namespace freshet
