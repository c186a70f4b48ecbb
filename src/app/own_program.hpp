// SPDX-License-Identifier: Apache-2.0
#pragma once
// The program that children are started from.

namespace freshet {

/// This binary, also after its file was replaced by an upgrade.
inline constexpr const char* own_program = "/proc/self/exe";

} // namespace freshet
