// SPDX-License-Identifier: Apache-2.0
#pragma once
// What every fuzzer shares: its bytes as text, and a check that stays on.

#include "base/assert.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace freshet::fuzz {

inline std::string text_of(const std::uint8_t* data, std::size_t size)
{
    return {reinterpret_cast<const char*>(data), size};
}

/// Bytes up to the first line end, which are taken off `rest`: fuzzers that want two texts write them like that.
inline std::string take_line(std::string& rest)
{
    const std::size_t end = rest.find('\n');
    std::string line = rest.substr(0, end);
    rest.erase(0, end == std::string::npos ? rest.size() : end + 1);
    return line;
}

} // namespace freshet::fuzz
