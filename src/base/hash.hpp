// SPDX-License-Identifier: Apache-2.0
#pragma once
// Content hashes (XXH3): fast and stable on disk, never used where an adversary must not collide them for gain.

#include <cstdint>
#include <string>
#include <string_view>

namespace freshet {

struct Hash128 {
    std::uint64_t high = 0, low = 0;
    friend bool operator==(const Hash128&, const Hash128&) = default;
};

Hash128 hash128(std::string_view bytes);
std::uint64_t hash64(std::string_view bytes, std::uint64_t seed = 0);
/// 32 lower-case hex digits.
std::string to_hex(const Hash128& hash);

} // namespace freshet
