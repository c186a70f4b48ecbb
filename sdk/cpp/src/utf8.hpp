// SPDX-License-Identifier: Apache-2.0
#pragma once
// Text that goes into JSON is valid UTF-8, whatever a program or an exception said.

#include <string>
#include <string_view>

namespace freshet {
inline namespace sdk_v1 {
namespace detail {

/// The text, with each byte that is no part of a character replaced by U+FFFD.
std::string valid_utf8(std::string_view text);
/// Likewise, and at most `bytes_max` long, cut between characters.
std::string valid_utf8(std::string_view text, std::size_t bytes_max);

} // namespace detail
} // namespace sdk_v1
} // namespace freshet
